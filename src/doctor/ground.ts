import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { KernelError } from '../lib/errors.ts';
import { missingRights } from '../kernel/host.ts';
import type { Kernel, LinkInfo } from '../kernel/kernel.ts';
import type { Variant } from '../kernel/iptables/binaries.ts';
import { Iptables } from '../kernel/iptables/iptables.ts';
import { probeAddresses } from '../kernel/links/probe.ts';
import type { Answer, Question } from '../kernel/links/probe.ts';
import { run } from '../lib/run.ts';
import type { Ran } from '../lib/run.ts';
import { readSysctl } from '../kernel/sysctl.ts';
import type { Service } from '../model/service.ts';
import { readBases } from './nft-chains.ts';
import type { Base } from './nft-chains.ts';
import { readRulesets } from './rulesets.ts';
import type { Rulesets } from './rulesets.ts';

/** What is to be fit for being directed. */
export interface Subject {
  readonly services: readonly Service[];
  readonly uplink: string | null;
  /** The store's directory; null: none is known. */
  readonly state: string | null;
  readonly iptables: Variant;
  readonly xen: 'auto' | 'off';
  /** A director runs here, so what it takes care of should be as it wants it. */
  readonly running: boolean;
}

/**
 * Where checks look. Nothing here changes anything. What is not there is null; what should have worked throws, and what
 * only root may look at throws a KernelError EPERM.
 */
export interface Ground extends Subject {
  readonly meterHelper: string;
  /** KernelError EPERM without the rights to direct. */
  readonly rights: () => Promise<void>;
  readonly sysctl: (key: string) => string | null;
  /** Milliseconds since the epoch at which the file was changed last; null where there is none that we may see. */
  readonly changedAt: (path: string) => Promise<number | null>;
  readonly run: (command: string, argv: readonly string[]) => Promise<Ran>;
  readonly links: () => Promise<readonly LinkInfo[]>;
  /** What the director's own parts lack; see Kernel.missing. */
  readonly missing: () => Promise<readonly string[]>;
  /** Which of the two iptables the director uses. */
  readonly backend: () => Promise<'nft' | 'legacy'>;
  readonly rulesets: () => Promise<Rulesets>;
  /** Base chains of nftables that are no iptables' own; null where nft is not there. */
  readonly bases: () => Promise<readonly Base[] | null>;
  /** See probeAddresses. */
  readonly ask: (questions: readonly Question[]) => Promise<readonly Answer[]>;
}

interface Parts {
  readonly kernel: Pick<Kernel, 'links' | 'missing'>;
  readonly meterHelper: string;
  /** Ends the tools that still run. */
  readonly signal?: AbortSignal | undefined;
}

/** This network namespace. What several checks ask for is read once. */
export function hostGround(subject: Subject, { kernel, meterHelper, signal }: Parts): Ground {
  const iptables = new Iptables(subject.iptables);
  const rights = once(mustHaveRights);
  const asRoot = <T>(look: () => Promise<T>) => once(() => rights().then(look));
  return {
    ...subject,
    meterHelper,
    rights,
    sysctl: readSysctl,
    changedAt: (path) =>
      stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => null,
      ),
    run: (command, argv) => run(command, argv, { signal }),
    links: once(() => kernel.links()),
    missing: asRoot(() => kernel.missing()),
    backend: once(() => iptables.backend()),
    rulesets: asRoot(() => readRulesets(signal)),
    bases: asRoot(() => readBases(signal)),
    ask: (questions) => rights().then(() => probeAddresses(questions, signal)),
  };
}

async function mustHaveRights(): Promise<void> {
  if ((await missingRights()).length > 0)
    throw new KernelError('only root may look at it', { code: 'EPERM' });
}

function once<T>(look: () => Promise<T>): () => Promise<T> {
  let seen: Promise<T> | null = null;
  return () => (seen ??= look());
}

/** The daemon holds an abstract socket of this name in its network namespace; the kernel lists them (proc_pid_net(5)), some padded. */
export function directorRuns(): boolean {
  return readFileSync('/proc/self/net/unix', 'utf8')
    .split('\n')
    .some((line) => / @dom0-director@*$/.test(line));
}
