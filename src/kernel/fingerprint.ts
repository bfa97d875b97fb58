import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import { inTurns } from '../lib/turn.ts';
import { ACTIVE_LIST, CHOICE_SETS } from './banks.ts';
import { activeMembers } from './choice.ts';
import type { Iptables } from './iptables/iptables.ts';
import type { Bequest, Prints } from './kernel.ts';
import type { LinkClient } from './links/client.ts';
import { questionByMark } from './netlink/conntrack/client.ts';
import { generationRequest } from './netlink/generation.ts';
import type { IpsetClient } from './netlink/ipset/client.ts';
import { commandType, encodeList, encodeListHeads } from './netlink/ipset/encode.ts';
import { NLM_F_DUMP, NLM_F_REQUEST, encodeMessage } from './netlink/message.ts';
import { SET_PREFIX } from './observe.ts';
import { Sentry } from './sentry.ts';
import type { LastWish } from './sentry.ts';
import { pathOfSysctl, readSysctl } from './sysctl.ts';

/** How long a sum of iptables-legacy's rules is good for; milliseconds. */
const LEGACY_PRINT_MS = 700;

interface Parts {
  readonly links: LinkClient;
  readonly ipset: IpsetClient;
  readonly iptables: Iptables;
  readonly clock: Clock;
  readonly generation: () => Promise<number | null>;
}

/** Tells cheaply whether anything has changed, several times a second: see Kernel.fingerprint. */
export class Fingerprint {
  readonly #parts: Parts;
  #sentry: { readonly sysctls: string; readonly sentry: Sentry } | null = null;
  #links: { readonly count: number | null; readonly print: string } = { count: null, print: '' };
  #legacy: { at: number; print: Promise<string> } = { at: 0, print: Promise.resolve('') };
  #bequests: readonly LastWish[] = [];
  #disturbed: () => void = () => undefined;
  #tells = false;
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async of(sysctls: readonly string[]): Promise<Prints> {
    const changes = this.#sentryOf(sysctls)?.changes(performance.now()) ?? null;
    const isLegacy = (await this.#parts.iptables.backend()) === 'legacy';
    this.#tells = changes !== null && !isLegacy;
    const links = await this.#linksPrint(changes?.links ?? null);
    if (changes === null) return { choice: '', rest: ['looked', links, await this.#look(sysctls)].join('|') };
    const rest = ['told', links, changes.state, isLegacy ? await this.#legacyPrint() : ''].join('|');
    return { choice: String(changes.choice), rest };
  }

  /** See Kernel.print. A namespace's number is free again when it is gone, and counters begin anew with the host. */
  async print(sysctls: readonly string[]): Promise<string> {
    const host = [
      readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'),
      readlinkSync('/proc/self/ns/net'),
    ];
    const [links, looked] = await Promise.all([this.#linksSum(), this.#look(sysctls)]);
    return sumOf([...host, links, looked].join('|'));
  }

  /** Left with who looks for us, as there is one. */
  bequeath(bequests: readonly Bequest[]): void {
    this.#bequests = bequests.map(({ at, flows, sparing }) => ({
      at,
      flows: questionByMark(flows),
      sparing,
    }));
    this.#sentry?.sentry.bequeath(this.#bequests);
  }

  onDisturbed(callback: () => void): void {
    this.#disturbed = callback;
  }

  /** Of iptables-legacy's rules nobody does. */
  tells(): boolean {
    return this.#tells;
  }

  #sentryOf(sysctls: readonly string[]): Sentry | null {
    if (this.#closed) return null;
    const key = sysctls.join();
    if (this.#sentry?.sysctls !== key) {
      const before = this.#sentry?.sentry;
      const sentry = new Sentry(questions(sysctls), (looks) => {
        this.#tells &&= looks;
        this.#disturbed();
      });
      sentry.bequeath(this.#bequests);
      this.#sentry = { sysctls: key, sentry };
      before?.dismiss();
    }
    return this.#sentry.sentry;
  }

  /** `count`: of what has happened to links and addresses; while it stays they are as they were. */
  async #linksPrint(count: number | null): Promise<string> {
    if (count === null || count !== this.#links.count) this.#links = { count, print: await this.#linksSum() };
    return this.#links.print;
  }

  async #linksSum(): Promise<string> {
    const { links } = this.#parts;
    const records = await Promise.all([links.links(), links.addresses()]);
    const sum = createHash('sha256');
    await inTurns(records.flat(), (record) => void sum.update(JSON.stringify(record)));
    return sum.digest('hex');
  }

  /** What the sentry would tell of. */
  async #look(sysctls: readonly string[]): Promise<string> {
    const { ipset, generation } = this.#parts;
    const [number, sets, choice] = await Promise.all([
      generation(),
      ipset.heads(SET_PREFIX),
      activeMembers(ipset),
    ]);
    const rules = number === null ? await this.#legacyPrint() : String(number);
    return [rules, sets, choice.join(), sysctls.map(readSysctl).join()].join('|');
  }

  /** iptables-legacy has no generation: what it holds is read and summed up, which costs more and is done less often. */
  #legacyPrint(): Promise<string> {
    const now = this.#parts.clock.now();
    if (now - this.#legacy.at >= LEGACY_PRINT_MS) this.#legacy = { at: now, print: this.#sumOfLegacy() };
    return this.#legacy.print;
  }

  async #sumOfLegacy(): Promise<string> {
    const saved = await Promise.all(([4, 6] as const).map((family) => this.#parts.iptables.save(family)));
    return sumOf(saved.join().replaceAll(/^#.*|\[\d+:\d+\]/gm, ''));
  }

  close(): void {
    this.#closed = true;
    this.#tells = false;
    this.#disturbed = () => undefined;
    this.#sentry?.sentry.close();
  }
}

function questions(sysctls: readonly string[]): ConstructorParameters<typeof Sentry>[0] {
  const list = (payload: Uint8Array): Buffer =>
    encodeMessage(commandType('list'), NLM_F_REQUEST | NLM_F_DUMP, 1, payload);
  return {
    prefix: SET_PREFIX,
    choice: [...CHOICE_SETS],
    heads: list(encodeListHeads()),
    chosen: list(encodeList(ACTIVE_LIST, false)),
    others: [generationRequest()],
    files: sysctls.map(pathOfSysctl),
  };
}

const sumOf = (text: string): string => createHash('sha256').update(text).digest('hex');
