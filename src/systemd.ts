import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { toolEnvironment } from './lib/run.ts';

/**
 * Node has no datagrams over unix sockets, and perl-base is on every Debian. One that stays needs no new process for a
 * sign of life, and systemd finds out to which unit it belongs, which it cannot of one that has ended (hence
 * NotifyAccess=all). Argument: the socket's path, with "@" for the zero byte of an abstract one (sd_notify(3)).
 * Standard input: a message a line, with tabs for its line ends; ends when that does. AF_UNIX = 1, SOCK_DGRAM = 2;
 * struct sockaddr_un (unix(7)): the family and the path.
 */
const SEND = `
use strict;
my ($path) = @ARGV;
$path =~ s/^@/\\0/;
socket(my $socket, 1, 2, 0) or die "socket: $!\\n";
while (my $message = <STDIN>) {
  chomp $message;
  $message =~ tr/\\t/\\n/;
  defined send($socket, $message, 0, pack 'S a*', 1, $path) or die "send: $!\\n";
}
`;

/** Milliseconds between two looks at what is to be told, where the watchdog wants none more often. */
const LOOK_EVERY = 5000;
/** Signs of life in each time that systemd waits for one. */
const SIGNS = 3;
/** A change that takes longer than this will not end: each tool that it could wait for is given up long before. */
const STUCK_AFTER = 300_000;
/** Signals, paths and counts of systemd's make no text longer than this useful. */
const LONGEST_STATUS = 500;

/** What is to be told now. */
export interface Signs {
  /** One line for `systemctl status`. */
  readonly status: string;
  /** Changes that wait or are being made, and how many have ended so far. */
  readonly work: { readonly waiting: number; readonly ended: number };
}

/**
 * Tells systemd how we are (sd_notify(3)), where it started us and asked to be told; else does nothing. Ready comes
 * once, and after each reload. Signs of life come from the event loop, and as long as changes come to an end: without
 * them systemd starts us again (WatchdogSec=).
 */
export class Systemd {
  readonly #socket: string | null;
  readonly #every: number;
  readonly #watched: boolean;
  readonly #now: () => number;
  readonly #onError: (text: string) => void;
  #child: ChildProcess | null = null;
  #timer: NodeJS.Timeout | null = null;
  #told = '';
  #seen = { ended: -1, at: 0 };

  /** `now`: milliseconds of a clock that does not jump. */
  constructor(
    env: NodeJS.ProcessEnv,
    onError: (text: string) => void,
    now: () => number = () => performance.now(),
  ) {
    const path = env['NOTIFY_SOCKET'] ?? '';
    this.#socket = /^[/@]./.test(path) ? path : null;
    const within = Number(env['WATCHDOG_USEC'] ?? 0) / 1000;
    this.#watched = within > 0 && Number(env['WATCHDOG_PID'] ?? process.pid) === process.pid;
    this.#every = this.#watched ? Math.min(within / SIGNS, LOOK_EVERY) : LOOK_EVERY;
    this.#onError = onError;
    this.#now = now;
  }

  status(text: string): void {
    this.#send(...this.#news(text));
  }

  /** From now on `signs` is asked again and again, until it is `stopping`. */
  ready(signs: () => Signs): void {
    if (this.#socket === null) return;
    this.#send('READY=1', ...this.#news(signs().status));
    this.#timer = setInterval(() => this.#look(signs()), this.#every).unref();
    this.#look(signs());
  }

  /** What it is to be told while `work` is under way, and after it, whether or not that fails. */
  async reloading(work: () => Promise<void>): Promise<void> {
    // CLOCK_MONOTONIC, as systemd 253 and newer compare it (sd_notify(3)); libuv's uv_hrtime reads that clock.
    this.#send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    try {
      await work();
    } finally {
      this.#send('READY=1');
    }
  }

  stopping(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#send('STOPPING=1', ...this.#news('stopping; the kernel goes on directing'));
    this.#child?.stdin?.end();
  }

  #look({ status, work }: Signs): void {
    const alive = this.#watched && !this.#isStuck(work) ? ['WATCHDOG=1'] : [];
    this.#send(...alive, ...this.#news(status));
  }

  #isStuck({ waiting, ended }: Signs['work']): boolean {
    const now = this.#now();
    if (waiting === 0 || ended !== this.#seen.ended) this.#seen = { ended, at: now };
    return now - this.#seen.at > STUCK_AFTER;
  }

  #news(text: string): string[] {
    const line = text.replaceAll(/\s+/g, ' ').trim().slice(0, LONGEST_STATUS);
    if (line === this.#told) return [];
    this.#told = line;
    return [`STATUS=${line}`];
  }

  #send(...parts: readonly string[]): void {
    if (this.#socket === null || parts.length === 0) return;
    this.#child ??= this.#start(this.#socket);
    this.#child.stdin?.write(`${parts.join('\t')}\n`);
  }

  /** One that has ended is followed by another when there is something to tell. */
  #start(socket: string): ChildProcess {
    const child = spawn('perl', ['-e', SEND, socket], {
      env: toolEnvironment(),
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let said = '';
    const gone = (why: string): void => {
      if (this.#child !== child) return;
      this.#child = null;
      this.#told = '';
      if (why !== '') this.#onError(`systemd could not be told how the director is: ${why}`);
    };
    child.once('error', (error) => gone(error.message));
    child.once('close', () => gone(said.trim()));
    child.stdin.on('error', () => undefined);
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    // It is no reason for this process to stay.
    for (const part of [child, child.stdin, child.stderr]) unreference(part);
    return child;
  }
}

/** A pipe's stream has it, though its type does not say so. */
function unreference(part: ChildProcess | object): void {
  if ('unref' in part && typeof part.unref === 'function') part.unref();
}
