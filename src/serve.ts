import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { Logger } from 'pino';
import { startServer } from './api/server.ts';
import type { Config } from './config/index.ts';
import { formatFaults, readConfigAgain, readInThread } from './config/index.ts';
import { examineApart } from './doctor/apart.ts';
import { Checkup } from './doctor/checkup.ts';
import type { Finding } from './doctor/finding.ts';
import { HealthMonitor } from './health/monitor.ts';
import { LinuxKernel } from './kernel/linux.ts';
import { measureLoad } from './kernel/load.ts';
import type { OpenSocket } from './kernel/netlink/socket.ts';
import { ConntrackThread } from './kernel/netlink/conntrack/thread.ts';
import type { FlowTable } from './kernel/netlink/conntrack/thread.ts';
import { SocketThread } from './kernel/netlink/socket-thread.ts';
import { systemClock } from './lib/clock.ts';
import { DirectorError, messageOf, Refusal } from './lib/errors.ts';
import { Releaser } from './lib/releaser.ts';
import { openLog } from './log.ts';
import type { ServiceState } from './model/state.ts';
import { meteredDomus } from './meter/metered-domus.ts';
import type { Meter } from './meter/report.ts';
import { startMeter } from './meter/start-meter.ts';
import { Metrics } from './metrics/metrics.ts';
import type { JournalRecord } from './model/records.ts';
import { followEngine, snapshotter } from './metrics/engine.ts';
import { Reconciler } from './reconcile/reconciler.ts';
import { Spelling } from './reconcile/spelling.ts';
import { parseFrame } from './render/frame.ts';
import type { Use } from './render/frame.ts';
import { JUMPS } from './render/layout.ts';
import type { Frames } from './render/render.ts';
import { linuxStageHost } from './stage/host.ts';
import { Store } from './store/store.ts';
import { Engine } from './switchover/engine.ts';
import { Systemd } from './systemd.ts';
import { Guests } from './xen/guests.ts';
import { openHypervisor } from './xen/open.ts';

/** What a thread that reads a configuration runs; beside this module, in a bundle too. */
const READING = new URL('reading.js', import.meta.url);

/**
 * By how much the heap may grow beyond what is in use before V8 looks for what is not; left alone it takes twice what is
 * needed, for work that comes once in a while. With many services memory is dearer than the time to look.
 */
const GROWTH = { few: 60, many: 20 };
const MANY = 5000;

export interface ServeOptions {
  readonly configFile: string;
  /** The directory of the frames. */
  readonly rules: string;
  /** The directory of the built page. */
  readonly page: string;
  readonly version: string;
  /** Path of the meter's native helper. */
  readonly meterHelper: string;
  /** Runs src/doctor/examine-here.ts in a process of its own. */
  readonly examiner: readonly [string, ...string[]];
}

interface Surroundings {
  readonly log: Logger;
  readonly releaser: Releaser;
  readonly openRoute: OpenSocket;
}

/** Runs the daemon until SIGTERM or SIGINT; answers the exit code. What cannot start has not touched the kernel. */
export async function serve(options: ServeOptions): Promise<number> {
  const log = openLog(process.env);
  const releaser = new Releaser();
  const systemd = new Systemd(process.env, (text) => log.warn(text));
  systemd.status('reading the configuration, and bringing the kernel to what it says');
  try {
    const { config, keep } = await mustRead(options.configFile);
    const growth = config.services.length < MANY ? GROWTH.few : GROWTH.many;
    setFlagsFromString(`--heap-growing-percent=${growth}`);
    const ended = untilSignal(log, releaser);
    const meter: { current: Meter | null } = { current: null };
    const openRoute = routeSockets(releaser);
    const surroundings = { log, releaser, openRoute };
    const { engine, checkup } = await start(config, options, surroundings, () => meter.current);
    process.on('SIGHUP', () => void systemd.reloading(() => reload(engine, log)));
    systemd.ready(() => ({ status: statusOf(engine), work: engine.work() }));
    meter.current = await measure(engine, options, surroundings);
    checkup.start();
    keep().catch((error: unknown) => log.debug(`the next start reads the file anew: ${messageOf(error)}`));
    await ended;
    systemd.stopping();
    return 0;
  } catch (error) {
    systemd.status(`not started: ${messageOf(error)}`);
    for (const line of explain(error, options.configFile)) process.stderr.write(`director: ${line}\n`);
    return 1;
  } finally {
    await releaser.release().catch((error: unknown) => log.error(messageOf(error)));
  }
}

async function mustRead(file: string): Promise<{ config: Config; keep: () => Promise<void> }> {
  const { read, keep } = await readConfigAgain(file, (text) =>
    readInThread(READING, file, { services: [] }, text),
  );
  if ('config' in read) return { config: read.config, keep };
  throw new Refusal('unprocessable', `${file} is wrong; the kernel was not touched`, { faults: read.faults });
}

function explain(error: unknown, file: string): string[] {
  if (!(error instanceof DirectorError))
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  const faults =
    error instanceof Refusal && error.faults.length > 0 ? [formatFaults(file, error.faults)] : [];
  return [error.message, ...faults, ...(error.hint === undefined ? [] : [error.hint])];
}

async function start(
  config: Config,
  { rules, page, version, examiner }: ServeOptions,
  { log, releaser, openRoute }: Surroundings,
  meter: () => Meter | null,
): Promise<{ engine: Engine; checkup: Checkup }> {
  await onlyOne(releaser);
  const store = Store.open(config.state);
  releaser.add(() => store.close());
  const clock = systemClock;
  const kernel = LinuxKernel.open({
    variant: config.iptables,
    jumps: JUMPS,
    clock,
    openRoute,
    flowTable: flowTable(releaser),
    onError: (error) => log.warn(`neighbours may not have been told: ${messageOf(error)}`),
  });
  releaser.add(() => kernel.close());
  const frames = await framesFor(kernel, rules);
  const health = new HealthMonitor({ clock });
  const hypervisor = openHypervisor({ clock, wanted: config.xen });
  releaser.add(() => hypervisor.close());
  const guests = new Guests({ hypervisor, clock });
  const spelling = new Spelling(readSpelling(store), (known) =>
    store.write(() => store.saveMeta('spelling', JSON.stringify(known))),
  );
  const onSysctl = (key: string, original: string): void =>
    store.write(() => store.rememberSysctl(key, original));
  const engine = new Engine({
    config,
    stageHost: linuxStageHost(hypervisor, clock),
    kernel,
    store,
    health,
    guests,
    clock,
    reconciler: new Reconciler({ kernel, frames, spelling, onSysctl }),
    readConfig: (current) => readInThread(READING, current.file, current),
  });
  const checkup = checkupOf(engine, examiner, log);
  const doctor = (): Checkup['findings'] => checkup.findings;
  const metrics = new Metrics({
    version,
    snapshot: snapshotter({ engine, kernel, clock, meter, doctor }),
  });
  followEngine(metrics, engine, clock);
  followWithLog(engine, log);
  const { presence } = guests;
  if (presence.kind === 'none') log.info(`DomUs are known by their interfaces alone: ${presence.reason}`);
  // Listening comes before anything is changed: a second daemon on this socket ends here.
  const server = await startServer({
    director: engine,
    listen: config.listen,
    tokens: () => engine.config.tokens,
    page,
    qa: () => engine.config.qa,
    metrics: () => metrics.render(),
    load: (ms) => measureLoad(ms, clock),
    meter,
    log,
    version,
  });
  releaser.add(() => server.close());
  releaser.add(() => engine.stop());
  await engine.start();
  releaser.add(() => checkup.stop());
  return { engine, checkup };
}

/** Of what is directed at that moment, over the API too. */
function checkupOf(engine: Engine, examiner: ServeOptions['examiner'], log: Logger): Checkup {
  const examine = (signal: AbortSignal): Promise<readonly Finding[]> => {
    const { uplink, state, iptables, xen } = engine.config;
    const services = engine.states().map(({ service }) => service);
    const running = engine.readiness().ready;
    return examineApart({ services, uplink, state, iptables, xen, running }, { argv: examiner, signal });
  };
  return new Checkup({
    examine,
    clock: systemClock,
    onNew: ({ grade, what, why }) =>
      log[grade === 'warning' ? 'info' : 'warn']({ ...(why === null ? {} : { why }) }, `doctor: ${what}`),
  });
}

/** Comes last, for nothing waits for it. */
async function measure(
  engine: Engine,
  { meterHelper }: ServeOptions,
  { log, releaser, openRoute }: Surroundings,
): Promise<Meter> {
  const { meter: wanted, interval } = engine.config.cpu;
  const meter = await startMeter({
    wanted,
    interval,
    domus: () => meteredDomus(engine.states()),
    uplink: () => engine.config.uplink,
    helper: meterHelper,
    openRoute,
    log: (level, text) => log[level](text),
    clock: systemClock,
  });
  releaser.add(() => meter.stop());
  return meter;
}

/** Beside this module, in a bundle too. */
function routeSockets(releaser: Releaser): OpenSocket {
  const thread = new SocketThread(new URL('rtnetlink.js', import.meta.url));
  releaser.add(() => thread.close());
  return (protocol, events) => thread.open(protocol, events);
}

/** The same. */
function flowTable(releaser: Releaser): FlowTable {
  const thread = new ConntrackThread(new URL('conntrack.js', import.meta.url));
  releaser.add(() => thread.close());
  return thread;
}

/** With iptables-legacy a hold must not wait for the lock of its tools: its rules stand always. */
async function framesFor(kernel: LinuxKernel, directory: string): Promise<Frames> {
  const always: Use[] = (await kernel.locksRules()) ? ['hold'] : [];
  const read = (name: string): Frames[4] =>
    parseFrame(readFileSync(join(directory, name), 'utf8'), join(directory, name), always);
  return { 4: read('ipv4.rules'), 6: read('ipv6.rules') };
}

function readSpelling(store: Store): [string, string][] {
  return JSON.parse(store.meta('spelling') ?? '[]') as [string, string][];
}

/** Abstract unix sockets belong to the network namespace (unix(7)): exactly what two directors must not share. */
function onlyOne(releaser: Releaser): Promise<void> {
  const lock = createServer((socket) => socket.destroy()).unref();
  return new Promise((resolve, reject) => {
    lock.once('error', (error) => {
      reject(
        new DirectorError(
          'another director runs in this network namespace already; the kernel was not touched',
          {
            cause: error,
            hint: 'stop it first (systemctl status dom0-director), or go on with it: "director status"',
          },
        ),
      );
    });
    lock.listen('\0dom0-director', () => {
      releaser.add(() => lock.close());
      resolve();
    });
  });
}

function followWithLog(engine: Engine, log: Logger): void {
  engine.events.on('journal', (record) => {
    const { by, text, why } = record;
    const level = levelOf(record);
    log[level]({ by, ...(why === null ? {} : { why }) }, text);
  });
  engine.events.on('reconcile-failed', ({ error }) =>
    log.error(`the kernel is not as it should be: ${messageOf(error)}`),
  );
}

function levelOf({ kind, details }: JournalRecord): 'error' | 'warn' | 'info' {
  if (kind === 'error' || kind === 'fail' || kind === 'stage-fail') return 'error';
  const calls = kind === 'repair' || kind === 'expire' || (kind === 'domu' && details['state'] !== 'running');
  return calls ? 'warn' : 'info';
}

async function reload(engine: Engine, log: Logger): Promise<void> {
  try {
    await engine.reload({ by: 'signal' });
  } catch (error) {
    log.error(messageOf(error));
  }
}

/** A second signal ends the process at once; the kernel stays as it is either way. */
function untilSignal(log: Logger, releaser: Releaser): Promise<void> {
  // The event loop must not run dry while nothing but unreferenced timers and sockets is left.
  const alive = setInterval(() => undefined, 2 ** 30);
  releaser.add(() => clearInterval(alive));
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      log.info(`${signal}: stopping; the kernel goes on directing`);
      for (const one of ['SIGTERM', 'SIGINT'] as const) process.once(one, () => process.exit(1));
      resolve();
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
  });
}

/** A line for `systemctl status`. */
function statusOf(engine: Engine): string {
  const { ready, problems } = engine.readiness();
  if (!ready) return problems.join('; ');
  const states = engine.states();
  const named = (what: string, which: readonly ServiceState[]): string[] =>
    which.length === 0 ? [] : [`${what}: ${which.map(({ service }) => service.name).join(', ')}`];
  return [
    `directing ${states.length} service${states.length === 1 ? '' : 's'}`,
    ...named(
      'on trial',
      states.filter(({ trial }) => trial !== null),
    ),
    ...named(
      'held',
      states.filter(({ heldUntil }) => heldUntil !== null),
    ),
  ].join('; ');
}
