import { existsSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import { isNotFound, messageOf } from '../lib/errors.ts';
import { runOutside } from '../lib/outside.ts';
import { run } from '../lib/run.ts';
import type { Ran } from '../lib/run.ts';
import { domainNamed } from './hypervisor.ts';
import type { Domain, DomainVif, Hypervisor, Presence } from './hypervisor.ts';
import { parseVifs, VIFS } from './parse-vifs.ts';
import { parseXlList } from './parse-xl-list.ts';
import { XenError } from './xen-error.ts';
import { readVifs } from './read-vifs.ts';
import { Xenstore } from './xenstore.ts';

/** A look at what there is, which has to wait while guests are built; milliseconds. */
const LOOK_MS = 30_000;
/** Building a guest takes its memory's size in time, and its devices' scripts come on top. */
const CREATE_MS = 600_000;
const CHANGE_MS = 60_000;
/** Beyond what a shutdown may take by itself. */
const GRACE_MS = 5000;

/** What begins and ends domains (xenstored(8), "Special watches"), and where vifs come and go. */
const WATCHED = ['@introduceDomain', '@releaseDomain', VIFS];

/** The real one: xl(1) for domains and their states, xenstore for their vifs. Both want root, in the Dom0. */
export class Xl implements Hypervisor {
  readonly presence: Presence = { kind: 'xen' };
  readonly #xenstore: Xenstore;
  #changed: () => void = () => undefined;

  constructor({ socket, clock }: { socket: string; clock: Clock }) {
    this.#xenstore = new Xenstore({ socket, paths: WATCHED, clock, onEvent: () => this.#changed() });
  }

  async domains(): Promise<Domain[]> {
    const list = await xl(['list'], LOOK_MS);
    // What is quickly had comes last, so that it is no older than what was told by vifs() meanwhile.
    const vifs = await this.#vifs();
    return parseXlList(list.stdout)
      .map((domain) => ({ ...domain, vifs: vifs.get(domain.domid) ?? [] }))
      .toSorted((a, b) => a.domid - b.domid);
  }

  async vifs(): Promise<Domain[] | null> {
    if (!this.#xenstore.isOpen) return null;
    const guests = await readVifs(this.#xenstore).catch(() => null);
    return (
      guests?.flatMap(({ domid, name, vifs }) =>
        name === null ? [] : [{ domid, name, vifs, state: 'running' as const }],
      ) ?? null
    );
  }

  onChange(callback: () => void): void {
    this.#changed = callback;
    this.#xenstore.open();
  }

  tells(): boolean {
    this.#xenstore.open();
    return this.#xenstore.isOpen;
  }

  /**
   * xl stays behind to do what the guest's on_reboot and on_crash say, and must outlive the director; its output goes to
   * /var/log/xen.
   */
  async create(file: string, { paused = false }: { readonly paused?: boolean } = {}): Promise<void> {
    if (!existsSync(file)) throw new XenError(`${file} is not there; no guest was started`);
    await xl(['create', ...(paused ? ['-p'] : []), file], CREATE_MS, runOutside);
  }

  async destroy(name: string): Promise<boolean> {
    const domain = domainNamed(await this.domains(), name);
    if (domain === undefined) return false;
    await xl(['destroy', String(domain.domid)], CHANGE_MS);
    return true;
  }

  /** `-F`: a guest without Xen's drivers is asked by ACPI (xl(1), shutdown). */
  async shutdown(name: string, timeout: number): Promise<boolean> {
    const domain = domainNamed(await this.domains(), name);
    if (domain === undefined) return false;
    await xl(['shutdown', '-w', '-F', String(domain.domid)], timeout + GRACE_MS);
    return true;
  }

  async pause(name: string): Promise<void> {
    await xl(['pause', String(await this.#find(name))], CHANGE_MS);
  }

  async unpause(name: string): Promise<void> {
    await xl(['unpause', String(await this.#find(name))], CHANGE_MS);
  }

  close(): void {
    this.#changed = () => undefined;
    this.#xenstore.close();
  }

  async #vifs(): Promise<ReadonlyMap<number, readonly DomainVif[]>> {
    if (!this.#xenstore.isOpen) return vifsNow();
    const guests = await readVifs(this.#xenstore).catch(() => null);
    return guests === null ? vifsNow() : new Map(guests.map(({ domid, vifs }) => [domid, vifs]));
  }

  async #find(name: string): Promise<number> {
    const domain = domainNamed(await this.domains(), name);
    if (domain === undefined) {
      throw new XenError(`Xen has no domain ${name}`, { hint: '"xl list" lists them; nothing was done' });
    }
    return domain.domid;
  }
}

/** Where no guest has a vif there is no such directory, which xenstore-ls calls an error. */
async function vifsNow(): Promise<Map<number, DomainVif[]>> {
  const argv = ['-f', VIFS];
  const ran = await attempt('xenstore-ls', argv, LOOK_MS);
  if (ran.status === 0) return parseVifs(ran.stdout);
  if (/xs_directory .*No such file or directory/.test(ran.stderr)) return new Map();
  throw failed('xenstore-ls', argv, ran);
}

async function xl(argv: readonly string[], timeout: number, runner = run): Promise<Ran> {
  const ran = await attempt('xl', argv, timeout, runner);
  if (ran.status !== 0) throw failed('xl', argv, ran);
  return ran;
}

async function attempt(tool: string, argv: readonly string[], timeout: number, runner = run): Promise<Ran> {
  try {
    return await runner(tool, argv, { timeout });
  } catch (error) {
    const hint = isNotFound(error)
      ? 'apt-get install xen-utils-common'
      : 'does Xen answer at all? systemctl status xen';
    throw new XenError(`Xen could not be asked: ${messageOf(error)}`, { cause: error, hint });
  }
}

/** The tools tell the cause first and what they gave up because of it last. */
function failed(tool: string, argv: readonly string[], { status, stderr }: Ran): XenError {
  const said = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(0, 5);
  const why = said.length === 0 ? 'it said nothing' : said.join('; ');
  return new XenError(`${[tool, ...argv].join(' ')} failed (${status}): ${why}`, {
    hint: 'is this the Dom0, and are its tools running? systemctl status xen',
  });
}
