/**
 * The lab's inner process: `node inside.js JSON` with InsideOptions, in namespaces of its own (network, mounts, PIDs)
 * that die with it. The end of its standard input tells it to stop; it exits when all is removed.
 */
import { mkdirSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DirectorError, messageOf } from '../lib/errors.ts';
import { Releaser } from '../lib/releaser.ts';
import { startDaemon } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import { guideText } from './guide.ts';
import { Live } from './live.ts';
import { must } from './run.ts';
import { Screen } from './screen.ts';
import type { ScreenOptions } from './screen.ts';
import { runTour } from './tour.ts';
import { World } from './world.ts';

export interface InsideOptions {
  readonly tour: boolean;
  readonly directorArgv: readonly string[];
  /** For the socket, the state and the log; both sides see it. */
  readonly directory: string;
  readonly url: string;
  readonly rootless: boolean;
  readonly screen: ScreenOptions;
}

const RESTART_AFTER = 3000;

async function runInside(options: InsideOptions, screen: Screen, stop: AbortSignal): Promise<void> {
  const releaser = new Releaser();
  // The outer process may have died before it could.
  releaser.add(() => rm(options.directory, { recursive: true, force: true }));
  try {
    screen.line('Building a Dom0, four DomUs and their clients in namespaces of their own ...');
    await must(['mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run']);
    mkdirSync('/run/netns');
    const world = await World.create({ name: 'lab', services: 2 });
    releaser.add(() => world.destroy());
    await world.serveAll('1.0', '2.0');
    const daemon = await startDaemon(world, options);
    releaser.add(() => daemon.stop());
    await daemon.healthy();
    await Promise.race([options.tour ? tour(world, daemon) : stay(world, daemon), aborted(stop)]);
    if (options.tour && stop.aborted) throw new DirectorError('The tour was interrupted.');
  } finally {
    screen.end();
    await releaser.release();
  }

  function tour(world: World, daemon: Daemon): Promise<void> {
    return runTour({ ...options, world, daemon, screen, env: process.env });
  }

  async function stay(world: World, daemon: Daemon): Promise<void> {
    const { socket, logFile } = daemon;
    // /proc is still the outer one: the number that other terminals know this process by.
    const pid = Number(readlinkSync('/proc/self'));
    screen.line(guideText({ ...options, world, socket, logFile, pid, colors: screen.colors }));
    const live = new Live(world, screen);
    releaser.add(() => live.stop());
    live.start();
    await keepRunning(daemon, screen, stop);
  }
}

/** As systemd would: whoever kills the director sees that the traffic goes on, and that it comes back. */
async function keepRunning(daemon: Daemon, screen: Screen, stop: AbortSignal): Promise<void> {
  for (;;) {
    const code = await Promise.race([daemon.process.exited, aborted(stop)]);
    if (code === undefined) return;
    const seconds = RESTART_AFTER / 1000;
    screen.line(`The director has ended with ${code}; traffic goes on. It starts again in ${seconds} s.`);
    if (await isCutShort(sleep(RESTART_AFTER, undefined, { signal: stop }))) return;
    await daemon.start();
  }
}

const isCutShort = (wait: Promise<unknown>): Promise<boolean> =>
  wait.then(
    () => false,
    () => true,
  );

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

function whyItFailed(error: unknown): string {
  const hint = error instanceof DirectorError ? error.hint : undefined;
  const parts = error instanceof AggregateError ? error.errors.map(messageOf) : [];
  return [messageOf(error), ...parts, ...(hint === undefined ? [] : [hint])].join('\n');
}

const options = JSON.parse(process.argv[2] ?? '') as InsideOptions;
const stopping = new AbortController();
// The outer process may be gone, and then nobody reads; what was begun is still to be removed.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
process.stdin.on('end', () => stopping.abort()).resume();
const screen = new Screen(options.screen, (text) => process.stdout.write(text));
try {
  await runInside(options, screen, stopping.signal);
} catch (error) {
  process.stderr.write(`\n${whyItFailed(error)}\n`);
  process.exitCode = 1;
}
process.stdin.destroy();
