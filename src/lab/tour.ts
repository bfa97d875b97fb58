import { setTimeout as sleep } from 'node:timers/promises';
import { DirectorError } from '../lib/errors.ts';
import type { Held, RunningLoad } from './clients.ts';
import type { Daemon } from './daemon.ts';
import { saidBy } from './live.ts';
import { run } from './run.ts';
import type { Screen } from './screen.ts';
import { CLIENTS, addressOf } from './topology.ts';
import type { ClientName, LabFamily } from './topology.ts';
import type { World } from './world.ts';

export interface TourOptions {
  readonly world: World;
  readonly daemon: Daemon;
  readonly screen: Screen;
  readonly directorArgv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** What somebody should see: of mail, of ldap. */
type View = readonly [client: ClientName, mail: string, ldap: string];

const OLD = ['mail-a', 'ldap-a'] as const;
const NEW = ['mail-b', 'ldap-b'] as const;
/** Milliseconds between the busy customer's connections. */
const BUSY_PAUSE = 5;
const COMMAND_TIMEOUT = 20_000;
const SOON = 10_000;

/** Something was seen that should not be; the message says what, and what was expected. */
class Unexpected extends DirectorError {}

/** Walks through an upgrade of two services; throws at the first thing that clients see otherwise than said. */
export async function runTour(options: TourOptions): Promise<void> {
  const tour = new Tour(options);
  const began = Date.now();
  const busy = options.world.startLoad('customer', {
    host: 'mail',
    port: 8000,
    workers: 1,
    pause: BUSY_PAUSE,
  });
  await tour.settled();
  const held = await tour.heldConnection();
  await tour.switched(held);
  await tour.rolledBack(held);
  await tour.switchedWithCut(held);
  await tour.confirmed();
  await tour.expiredAlone();
  await tour.busyCustomer(busy);
  const seconds = Math.round((Date.now() - began) / 1000);
  options.screen.line(`\n${options.screen.colors.green(`All of it was as expected (${seconds} s).`)}`);
}

class Tour {
  readonly #options: TourOptions;
  #step = 0;

  constructor(options: TourOptions) {
    this.#options = options;
  }

  async settled(): Promise<void> {
    this.#title('Settled: everybody is on the old version, testers reach the new one at the same address');
    await this.#cli('status');
    await this.#see(['customer', ...OLD], ['neighbour', ...OLD], ['tester', ...NEW], ['beta', ...NEW]);
    await this.#directly('customer', null);
    await this.#directly('admin', 'mail-b');
    await this.#cli('testers', 'mail', 'add', CLIENTS.neighbour.ipv4, '--for', '1h');
    await this.#reaches('neighbour', 'mail', 'mail-b', 4);
    await this.#cli('testers', 'mail', 'remove', CLIENTS.neighbour.ipv4);
    await this.#reaches('neighbour', 'mail', 'mail-a', 4);
  }

  async heldConnection(): Promise<Held> {
    const held = this.#options.world.hold('customer', { host: 'mail', port: 25 });
    await this.#talksTo(held, 'mail-a');
    return held;
  }

  async switched(held: Held): Promise<void> {
    this.#title('Switch both services together, on trial');
    await this.#cli(
      'switch',
      'mail',
      'ldap',
      '--to',
      'secondary',
      '--confirm-within',
      '5m',
      '--reason',
      'tour',
    );
    await this.#see(['customer', ...NEW], ['neighbour', ...NEW]);
    await this.#talksTo(held, 'mail-a');
  }

  async rolledBack(held: Held): Promise<void> {
    this.#title('Roll back: the trial is of both, so naming one is enough');
    await this.#cli('rollback', 'mail');
    await this.#see(['customer', ...OLD], ['tester', ...NEW]);
    await this.#talksTo(held, 'mail-a');
  }

  async switchedWithCut(held: Held): Promise<void> {
    this.#title('Switch again, and end the connections that are open');
    await this.#cli(
      'switch',
      'mail',
      'ldap',
      '--to',
      'secondary',
      '--connections',
      'cut',
      '--confirm-within',
      '5m',
    );
    await this.#see(['customer', ...NEW]);
    await this.#soon('the open connection was ended', 'it lasts', () => Promise.resolve(held.ended !== null));
  }

  async confirmed(): Promise<void> {
    this.#title('Confirm: the roles are exchanged, testing is closed, and no packet moves');
    await this.#cli('confirm', 'mail');
    await this.#see(['customer', ...NEW], ['tester', ...NEW]);
    const { primary, testing } = await this.#options.daemon.service('mail');
    this.#check(`primary is mail-b, testing is closed`, `primary is ${primary.domu}, testing is ${testing}`);
    await this.#directly('customer', 'dark', 'mail-a');
    await this.#cli('status', 'mail');
  }

  async expiredAlone(): Promise<void> {
    const { daemon } = this.#options;
    this.#title('A trial that nobody confirms, and a director that dies meanwhile');
    await this.#cli('switch', 'mail', '--to', 'secondary', '--confirm-within', '6s');
    await this.#reaches('customer', 'mail', 'mail-a', 4);
    await daemon.kill();
    this.#say('kill -9 of the director; the kernel keeps the time');
    for (const family of [4, 6] as const) {
      await this.#soon(`the customer is on mail-b again, IPv${family}, by itself`, 'it is not', async () => {
        return (await this.#answer('customer', 'mail', family)).startsWith('mail-b ');
      });
    }
    await daemon.start();
    const { phase, primary } = await daemon.service('mail');
    this.#check('after its start: settled, mail-b', `after its start: ${phase}, ${primary.domu}`);
    await this.#cli('journal', '-n', '4');
  }

  async busyCustomer(load: RunningLoad): Promise<void> {
    this.#title('Meanwhile one customer has connected again and again');
    const { connections, failures, workers } = await load.stop();
    const order = workers.flat().map(({ domu }) => domu.replace(/^mail-/, ''));
    this.#check('none failed', Object.keys(failures).length === 0 ? 'none failed' : JSON.stringify(failures));
    this.#check(
      'it was moved a b a b a b, never in between',
      `it was moved ${order.join(' ')}, never in between`,
    );
    this.#say(`${connections} connections`);
  }

  #title(text: string): void {
    this.#options.screen.line(`\n${this.#options.screen.colors.bold(`${++this.#step}. ${text}`)}`);
  }

  #say(text: string): void {
    this.#options.screen.line(`   ${text}`);
  }

  #check(expected: string, seen: string): void {
    const { green, red } = this.#options.screen.colors;
    if (expected === seen) this.#say(`${green('✓')} ${expected}`);
    else {
      this.#say(`${red('✗')} ${seen}`);
      throw new Unexpected(`The tour expected "${expected}", and what it saw is "${seen}".`);
    }
  }

  async #cli(...args: string[]): Promise<void> {
    const { daemon, directorArgv, env, screen } = this.#options;
    this.#say(screen.colors.cyan(`$ director ${args.join(' ')}`));
    const color = screen.color ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' };
    const { code, stdout, stderr } = await run([...directorArgv, ...args], {
      env: { ...env, DIRECTOR_SOCKET: daemon.socket, ...color },
      timeout: COMMAND_TIMEOUT,
    });
    for (const line of `${stdout}${stderr}`.trimEnd().split('\n')) this.#say(`  ${line}`);
    if (code !== 0) throw new Unexpected(`"director ${args.join(' ')}" ended with ${code}, not 0.`);
  }

  async #see(...views: readonly View[]): Promise<void> {
    for (const [client, mail, ldap] of views) {
      for (const family of [4, 6] as const) {
        await this.#reaches(client, 'mail', mail, family);
        await this.#reaches(client, 'ldap', ldap, family);
      }
    }
  }

  /** And with its own address: the source is kept. */
  async #reaches(client: ClientName, service: string, domu: string, family: LabFamily): Promise<void> {
    const version = domu.endsWith('-a') ? '1.0' : '2.0';
    const what = `${CLIENTS[client].who} reaches ${service} over IPv${family}:`;
    const expected = `${domu} ${version}, seen as ${addressOf(CLIENTS[client], family)}`;
    this.#check(`${what} ${expected}`, `${what} ${await this.#answer(client, service, family)}`);
  }

  async #answer(client: ClientName, service: string, family: LabFamily): Promise<string> {
    const { world } = this.#options;
    const port = world.service(service).ports[0]?.from ?? 0;
    const answer = await world.ask(client, { host: service, port, family });
    return `${saidBy(answer)}, seen as ${answer.seenSource ?? 'nobody'}`;
  }

  /** At the DomU's own address, which only testers and administrators may use while it is dark. */
  async #directly(client: ClientName, expected: string | null, domu = 'mail-b'): Promise<void> {
    const { world } = this.#options;
    const { domu: name } = await world.ask(client, { host: world.domu(domu).ipv4, port: 25 });
    const what = `${CLIENTS[client].who}, directly at ${domu}'s address:`;
    const dark = expected === null || expected === 'dark';
    this.#check(`${what} ${dark ? 'nobody' : expected}`, `${what} ${name ?? 'nobody'}`);
  }

  async #talksTo(held: Held, domu: string): Promise<void> {
    const answer = await held.next(({ text }) => text.includes(': '), SOON);
    const what = 'the open connection still talks to';
    this.#check(`${what} ${domu}`, `${what} ${answer.text.split(':')[0] ?? ''}`);
  }

  async #soon(expected: string, otherwise: string, isSo: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + SOON;
    while (!(await isSo()) && Date.now() < deadline) await sleep(50);
    this.#check(expected, (await isSo()) ? expected : otherwise);
  }
}
