import type { Clock } from '../lib/clock.ts';
import { DirectorError, messageOf } from '../lib/errors.ts';
import type { HealthReport } from '../model/records.ts';
import type { Made, VolumeCheck, StagedVolume } from '../model/stage.ts';
import { domainNamed } from '../xen/hypervisor.ts';
import { consoleTail } from './console.ts';
import type { StageHost } from './host.ts';
import { describeStep, leaves } from './plan.ts';
import type { Step } from './plan.ts';
import { tagOf } from './volumes.ts';

/** Told as it goes on; what `begin` is told must be on the disk before it returns. */
export interface Progress {
  begin(doing: string, made: Made | null): void;
  /** It is no more. */
  gone(made: Made): void;
  checked(volume: StagedVolume, check: VolumeCheck): void;
  note(text: string): void;
}

export interface Carrying {
  readonly id: string;
  readonly host: StageHost;
  readonly progress: Progress;
  /** Looks at the new DomU now. */
  readonly health: () => Promise<HealthReport>;
  readonly signal: AbortSignal;
}

/** Between two looks; milliseconds. */
const LOOK_EVERY = 1000;
/** What else a pause may take until somebody else ends it, should this process have ended. Milliseconds. */
const GUARD_AFTER = 5000;
const LAST_WORDS = 5;

/** A moment of a paused live DomU. */
interface Pause {
  readonly since: number;
  readonly atMost: number;
  readonly callOff: () => void;
}

/** The steps one after another; throws at the first that fails, and takes nothing back. */
export async function carryOut(steps: readonly Step[], carrying: Carrying): Promise<void> {
  const state: { pause: Pause | null } = { pause: null };
  for (const step of steps) {
    if (carrying.signal.aborted) throw new DirectorError('it was called off');
    carrying.progress.begin(describeStep(step), leaves(step));
    await perform(step, carrying, state);
  }
}

function perform(step: Step, carrying: Carrying, state: { pause: Pause | null }): Promise<void> {
  const { host, id, signal } = carrying;
  switch (step.kind) {
    case 'pause':
      return pause(step, carrying, state);
    case 'snapshot':
      return host.volumes.snapshot(step.order);
    case 'resume':
      return resume(step, carrying, state);
    case 'check':
      return check(step, carrying);
    case 'write':
      return host.files.write(step.path, step.text);
    case 'link':
      return host.files.link(step.path, step.to);
    case 'prepare':
      return host.programs.run(step.argv, step.input, step.within, signal);
    case 'create':
      return host.hypervisor.create(step.file);
    case 'wait':
      return wait(step, carrying);
    default:
      throw new Error(`${id}: ${JSON.stringify(step satisfies never)}`);
  }
}

/** A live DomU must not stay paused: whoever dies, xl ends it after a time. */
async function pause(
  { domain, atMost }: Step & { kind: 'pause' },
  { host }: Carrying,
  state: { pause: Pause | null },
): Promise<void> {
  const callOff = host.programs.runLater(['xl', 'unpause', domain], atMost + GUARD_AFTER);
  await host.hypervisor.pause(domain);
  state.pause = { since: host.clock.now(), atMost, callOff };
}

async function resume(
  { domain }: Step & { kind: 'resume' },
  { host, progress }: Carrying,
  state: { pause: Pause | null },
): Promise<void> {
  await endPause(host, domain);
  const { since, atMost, callOff } = state.pause ?? { since: 0, atMost: Infinity, callOff: () => undefined };
  callOff();
  progress.gone({ kind: 'pause', domain });
  const took = host.clock.now() - since;
  if (took > atMost)
    throw new DirectorError(
      `snapshots took ${took} ms while ${domain} was paused, which may be ${atMost} ms: it may have gone on between two of them`,
    );
}

/** Somebody may have ended it already. */
async function endPause({ hypervisor }: StageHost, domain: string): Promise<void> {
  const found = domainNamed(await hypervisor.domains(), domain);
  if (found?.state === 'paused') await hypervisor.unpause(domain);
}

async function check(
  { volume }: Step & { kind: 'check' },
  { host, progress, signal }: Carrying,
): Promise<void> {
  const found = await host.filesystems.check(volume.device, signal);
  progress.checked(volume, found);
  if (found.verdict === 'damaged')
    throw new DirectorError(`${volume.target} (${volume.group}/${volume.origin}) is damaged: ${found.text}`, {
      hint: `the live DomU's own volume has the same errors: see to that first, or stage with stage.check: false`,
    });
}

/** Until the DomU is healthy; one that is no more, or has crashed, is not waited for. */
async function wait(step: Step & { kind: 'wait' }, carrying: Carrying): Promise<void> {
  const { host, progress, signal } = carrying;
  const until = host.clock.now() + step.within;
  for (;;) {
    const domain = domainNamed(await host.hypervisor.domains(), step.domain);
    if (domain === undefined || domain.state === 'crashed' || domain.state === 'shutdown')
      throw await unwell(step.domain, `it is ${domain?.state ?? 'gone'}`, host);
    const { status, reason } = await carrying.health();
    if (status === 'healthy') return;
    if (status === 'unknown') {
      progress.note(`whether ${step.domain} answers is not known: ${reason ?? ''}`);
      return;
    }
    if (host.clock.now() >= until) {
      if (status !== 'degraded') throw await unwell(step.domain, reason ?? status, host);
      progress.note(`not all of ${step.domain} answers: ${reason ?? ''}`);
      return;
    }
    await sleep(host.clock, LOOK_EVERY, signal);
  }
}

async function unwell(domain: string, reason: string, host: StageHost): Promise<DirectorError> {
  const words = await consoleTail(host, domain, LAST_WORDS).catch(() => null);
  const said = words === null || words.length === 0 ? '' : `. Its console said last: ${words.join(' | ')}`;
  return new DirectorError(`${domain} was started, but it is not healthy: ${reason}${said}`, {
    hint: `to look at it as it is, stage it without waiting ("--no-wait"), and read "director domu console ${domain}"`,
  });
}

function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      cancel();
      reject(new DirectorError('it was called off'));
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', end);
      resolve();
    });
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

/** How often, and how long apart, a volume is tried whose guest has just ended: its backend lets go of it soon. */
const RELEASE_TRIES = 20;
const RELEASE_EVERY = 500;

/**
 * Takes away what was made, the last first; but a paused DomU goes on before anything else. All of it is tried; what is
 * not there any more is fine. Answers what could not be taken away, and why.
 */
export async function takeBack(
  made: readonly Made[],
  { id, host, gone }: { id: string; host: StageHost; gone: (made: Made) => void },
): Promise<{ readonly made: Made; readonly why: string }[]> {
  const last = made.toReversed();
  const order = [
    ...last.filter(({ kind }) => kind === 'pause'),
    ...last.filter(({ kind }) => kind !== 'pause'),
  ];
  const left: { made: Made; why: string }[] = [];
  for (const each of order) {
    try {
      await takeOneBack(each, id, host);
      gone(each);
    } catch (error) {
      left.push({ made: each, why: messageOf(error) });
    }
  }
  return left;
}

/** What is not there any more is answered with false by those who can tell. */
function takeOneBack(made: Made, id: string, host: StageHost): Promise<unknown> {
  switch (made.kind) {
    case 'pause':
      return endPause(host, made.domain);
    case 'volume':
      return removeVolume(made, id, host);
    case 'file':
      return host.files.remove(made.path, id);
    case 'link':
      return host.files.unlink(made.path, made.to);
    case 'domain':
      return host.hypervisor.destroy(made.name);
    default:
      throw new Error(JSON.stringify(made satisfies never));
  }
}

async function removeVolume(made: Made & { kind: 'volume' }, id: string, host: StageHost): Promise<void> {
  const { signal } = new AbortController();
  for (let tries = 1; ; tries++) {
    const volume = (await host.volumes.list()).find(
      ({ group, name }) => group === made.group && name === made.name,
    );
    if (volume?.isOpen !== true || tries >= RELEASE_TRIES) break;
    await sleep(host.clock, RELEASE_EVERY, signal);
  }
  await host.volumes.remove(made.group, made.name, tagOf(id));
}
