import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalEntry, PlanView, ServiceView } from '../../src/api/contract.ts';
import { Daemon } from '../../src/lab/daemon.ts';
import { DirectorError, messageOf } from '../../src/lib/errors.ts';
import { CLIENTS } from '../../src/lab/topology.ts';
import type { LabProtocol } from '../../src/lab/topology.ts';
import type { DirectedWorld } from '../e2e/support/director.ts';
import { tellRefusals } from '../e2e/support/directing.ts';
import { FAMILIES } from '../e2e/support/reach.ts';
import { DIRECTOR } from '../e2e/support/scripts.ts';
import { GROUP, OTHER, START, bringAbout, seen } from './operations.ts';
import type { Operation, Picture, Seen } from './operations.ts';
import { Tally } from './tally.ts';
import type { Outcome } from './tally.ts';
import { arm, momentText, straceArgv } from './weapons.ts';
import type { Moment } from './weapons.ts';
import { Witness } from './witness.ts';

/** What one kill told of the moment that it was meant for. */
export interface Struck {
  /** Whether the director died at that moment; if not, it was killed just after it had answered. */
  readonly hit: boolean;
  /** How long the operation had taken until it was answered or cut short; milliseconds. */
  readonly took: number;
}

interface Window {
  readonly before: Picture;
  readonly lastEntry: number;
  readonly counted: number;
}

const PORTS: Readonly<Record<string, readonly (readonly [number, LabProtocol])[]>> = {
  mail: [
    [25, 'tcp'],
    [514, 'udp'],
  ],
  ldap: [
    [389, 'tcp'],
    [389, 'udp'],
  ],
  [OTHER]: [[389, 'tcp']],
};
const PATIENCE = 10_000;

/** Kills a director at a moment of an operation, starts it again, and looks at what is left. */
export class Killer {
  readonly tally = new Tally();
  readonly #directed: DirectedWorld;
  readonly #witness: Witness;
  #what = '';

  private constructor(directed: DirectedWorld, witness: Witness) {
    this.#directed = directed;
    this.#witness = witness;
  }

  static async start(directed: DirectedWorld): Promise<Killer> {
    await tellRefusals(directed.world);
    return new Killer(directed, await Witness.start(directed.world));
  }

  get asked(): number {
    return this.#witness.asked;
  }

  stop(): Promise<void> {
    return this.#witness.stop();
  }

  /** One kill at `moment` of the operation; with `again` a second one at that moment of the start that follows. */
  async strike(operation: Operation, moment: Moment, again?: Moment): Promise<Struck> {
    this.#what = `${operation.name}, killed at ${momentText(moment)}${again === undefined ? '' : `, then in the start at ${momentText(again)}`}`;
    const window = await this.#begin(operation);
    const { acknowledged, ...struck } = await this.#kill(operation, moment);
    if (again !== undefined) await this.#startAndKill(again, operation.name);
    if (operation.name === 'expiry') await this.#backByItself(window.before);
    await this.#startAgain();
    await this.#judge(operation, window, acknowledged);
    return struck;
  }

  async #startAgain(): Promise<void> {
    try {
      await this.#directed.daemon.start();
    } catch (error) {
      const hint = error instanceof DirectorError ? error.hint : '';
      throw new Error(`${this.#what}: ${messageOf(error)}\n${hint ?? ''}`, { cause: error });
    }
  }

  /** On a slow machine a short trial may be over before anybody has looked: then once more. */
  async #begin(operation: Operation): Promise<Window> {
    for (let tries = 1; ; tries++) {
      await bringAbout(this.#directed, operation.situation);
      await operation.begin?.(this.#directed);
      const window = await this.#open();
      const begun = operation.begin === undefined || window.before['mail']?.live === 'secondary';
      if (begun || tries === 5) return window;
    }
  }

  async #open(): Promise<Window> {
    this.#witness.forget();
    const before = await this.#picture();
    const [newest] = await this.#journal();
    return { before, lastEntry: newest?.id ?? 0, counted: await this.#witness.counted(darkIn(before)) };
  }

  async #kill(operation: Operation, moment: Moment): Promise<Struck & { acknowledged: boolean }> {
    const { daemon } = this.#directed;
    if (operation === START) {
      await daemon.kill();
      return { ...(await this.#startAndKill(moment, operation.name)), acknowledged: false };
    }
    const armed = await arm(daemon.process.pid, moment);
    const began = performance.now();
    let acknowledged = false;
    try {
      const { status, body } = await operation.act(this.#directed);
      acknowledged = status < 300;
      if (!acknowledged) this.#fault(`was refused: ${status} ${JSON.stringify(body)}`);
    } catch (error) {
      // Whoever dies answers nobody; whoever lives has to.
      if (!(await this.#dies())) this.#fault(`was not answered: ${String(error)}`);
    }
    const took = performance.now() - began;
    await armed.disarm();
    const hit = daemon.process.ended;
    await daemon.kill();
    this.tally.row(operation.name).kills++;
    return { acknowledged, hit, took };
  }

  /** The connection ends a moment before whoever has started the process is told. */
  async #dies(): Promise<boolean> {
    const { exited } = this.#directed.daemon.process;
    return Promise.race([exited.then(() => true), sleep(PATIENCE, false)]);
  }

  async #startAndKill(moment: Moment, name: string): Promise<Struck> {
    const { world, directory } = this.#directed;
    const directorArgv = 'after' in moment ? DIRECTOR : [...straceArgv(moment), ...DIRECTOR];
    const daemon = new Daemon(world, { directory, directorArgv });
    const began = performance.now();
    const started = daemon.start().then(
      () => false,
      () => true,
    );
    const armed = 'after' in moment ? await arm(daemon.process.pid, moment) : null;
    const hit = await started;
    const took = performance.now() - began;
    await armed?.disarm();
    if (hit && !daemon.process.ended) this.#fault('did not start');
    await daemon.process.stop('SIGKILL');
    this.tally.row(name).kills++;
    return { hit, took };
  }

  /** Nobody runs: what the deadline means is in the kernel. */
  async #backByItself(before: Picture): Promise<void> {
    const { world } = this.#directed;
    const primary = before['mail']?.primary;
    const isBack = async (): Promise<boolean> => {
      const each = FAMILIES.map((family) => world.ask('customer', { host: 'mail', port: 25, family }));
      return (await Promise.all(each)).every(({ domu }) => domu === primary);
    };
    if (!(await until(isBack))) this.#fault('nobody went back at the deadline while no director ran');
  }

  async #judge(operation: Operation, window: Window, acknowledged: boolean): Promise<void> {
    const row = this.tally.row(operation.name);
    const now = await this.#picture();
    const outcome = outcomeOf(now, window.before, operation.done(window.before, this.#directed));
    row[outcome]++;
    if (outcome === 'mixed')
      this.#fault(`is mixed: ${JSON.stringify(now)} after ${JSON.stringify(window.before)}`);
    if (acknowledged && outcome !== 'whole') {
      row.lost++;
      this.#fault('was acknowledged and is lost');
    }
    await Promise.all([
      this.#judgeJournal(operation, window, outcome),
      this.#judgePlan(),
      this.#judgeReach(now),
    ]);
    await this.#judgeDark(operation, window, now, acknowledged);
  }

  async #judgeJournal({ journal }: Operation, { lastEntry }: Window, outcome: Outcome): Promise<void> {
    if (journal === null) return;
    const entries = (await this.#journal()).filter(({ id }) => id > lastEntry);
    const says = entries.some(({ kind }) => kind === journal);
    if (says !== (outcome === 'whole'))
      this.#fault(`is ${outcome}, but the journal says ${JSON.stringify(entries.map(({ text }) => text))}`);
  }

  async #judgePlan(): Promise<void> {
    const { body } = await this.#directed.daemon.call('GET', '/v1/plan');
    const { changes } = body as PlanView;
    if (changes.length > 0) this.#fault(`left something to change: ${JSON.stringify(changes)}`);
  }

  /** The customer, a tester, and who is enrolled: by the service's address; and the customer directly. */
  async #judgeReach(now: Picture): Promise<void> {
    const clients = ['customer', 'tester', 'neighbour'] as const;
    const each = Object.entries(now).flatMap(([name, one]) => [
      ...clients.map((client) => this.#judgeService(client, name, one)),
      this.#judgeDirectly(name, darkOf(one)),
    ]);
    await Promise.all(each);
  }

  async #judgeService(client: keyof typeof CLIENTS, name: string, one: Seen): Promise<void> {
    const { world } = this.#directed;
    const timeout = one.held ? 300 : PATIENCE;
    const asked = FAMILIES.flatMap((family) =>
      PORTS[name]!.map(async ([port, protocol]) => {
        const wanted = one.held ? null : domuFor(client, family, one);
        const { domu } = await world.ask(client, { host: name, port, protocol, family, timeout });
        if (domu !== wanted)
          this.#fault(
            `${client} reaches ${domu ?? 'nobody'}, not ${wanted ?? 'nobody'}, at ${port}/${protocol} of ${name}, IPv${family}`,
          );
      }),
    );
    await Promise.all(asked);
  }

  async #judgeDirectly(name: string, dark: string): Promise<void> {
    const { world } = this.#directed;
    const { ipv4, ipv6 } = world.domu(dark);
    const asked = [ipv4, ipv6].flatMap((host) =>
      PORTS[name]!.map(async ([port, protocol]) => {
        const { domu } = await world.ask('customer', { host, port, protocol, timeout: 300 });
        if (domu !== null) this.#dark(1, `the customer reaches ${dark} directly, at ${port}/${protocol}`);
      }),
    );
    await Promise.all(asked);
  }

  /** Of a DomU that was dark all the time, every packet counts; of one that became live, those that came too soon. */
  async #judgeDark(
    operation: Operation,
    { before, counted }: Window,
    now: Picture,
    acknowledged: boolean,
  ): Promise<void> {
    const stayed = darkIn(before).every((domu) => darkIn(now).includes(domu)) && !operation.moves;
    if (stayed) {
      const packets = (await this.#witness.counted(darkIn(before))) - counted;
      if (packets > 0) this.#dark(packets, `${packets} of the customer's packets came to a dark DomU`);
      const [mail] = darkIn(before);
      const answers = this.#witness.answeredBy(mail!);
      if (answers > 0)
        this.#dark(answers, `${mail} answered the customer ${answers} times while it was dark`);
    } else {
      const [from, to] = [liveOf(before['mail']!), darkOf(before['mail']!)];
      const strayed = this.#witness.strayed(from, to, { datagrams: acknowledged });
      if (strayed > 0) this.#dark(strayed, `${strayed} answers of the DomU that was dark`);
    }
  }

  async #picture(): Promise<Picture> {
    const { body } = await this.#directed.daemon.call('GET', '/v1/services');
    return seen(body as ServiceView[]);
  }

  async #journal(): Promise<JournalEntry[]> {
    return (await this.#directed.daemon.call('GET', '/v1/journal?limit=20')).body as JournalEntry[];
  }

  #dark(packets: number, text: string): void {
    this.tally.row(this.#what.split(',')[0]!).dark += packets;
    this.#fault(text);
  }

  /** Told at once, too: a long run may be ended before it can tell. */
  #fault(text: string): void {
    this.tally.faults.push(`${this.#what}: ${text}`);
    process.stderr.write(`${this.#what}: ${text}\n`);
  }
}

function outcomeOf(now: Picture, before: Picture, done: Picture): Outcome {
  const text = JSON.stringify(now);
  if (text === JSON.stringify(done)) return 'whole';
  return text === JSON.stringify(before) ? 'absent' : 'mixed';
}

const liveOf = ({ live, primary, secondary }: Seen): string => (live === 'primary' ? primary : secondary);
const darkOf = ({ live, primary, secondary }: Seen): string => (live === 'primary' ? secondary : primary);
const darkIn = (picture: Picture): string[] => GROUP.flatMap((name) => darkOf(picture[name]!));

function domuFor(client: keyof typeof CLIENTS, family: 4 | 6, one: Seen): string {
  const address = family === 4 ? CLIENTS[client].ipv4 : CLIENTS[client].ipv6;
  const tests = one.testing === 'open' && one.testers.some((text) => text.split(' ')[0] === address);
  return tests ? one.secondary : liveOf(one);
}

async function until(isSo: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + PATIENCE;
  while (performance.now() < deadline) {
    if (await isSo()) return true;
    await sleep(50);
  }
  return false;
}
