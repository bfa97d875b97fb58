import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { KernelError } from '../../lib/errors.ts';
import { toolEnvironment } from '../../lib/run.ts';

/**
 * Node has no packet sockets, and perl-base is on every Debian. Arguments: the interface's index; standard input: a
 * frame a line, in hexadecimal. Sent three times, for a frame may get lost (at 0, 0.2 and 1 s; RFC 5227 section 2.3
 * and RFC 4861 section 7.2.6 repeat too); a line on standard output says that the first time is over.
 * struct sockaddr_ll (packet(7)): family AF_PACKET = 17, protocol, index, hardware type, packet type, length, address.
 */
const SEND = `
use strict;
$| = 1;
my $index = shift @ARGV;
my @frames = map { chomp; pack 'H*', $_ } <STDIN>;
socket(my $socket, 17, 3, 0) or die "socket: $!\\n";
my $to = pack 'S n i S C C x8', 17, 0, $index, 0, 0, 0;
my $told = 0;
for my $pause (0, 0.2, 0.8) {
  select undef, undef, undef, $pause;
  for my $frame (@frames) { defined send($socket, $frame, 0, $to) or die "send: $!\\n"; }
  print "sent\\n" unless $told++;
}
`;

export interface Sending {
  /** Resolves when each frame has been sent once. */
  readonly first: Promise<void>;
  /** Resolves when the repetitions are over too; with the failure of a repetition, else null. Never rejects. */
  readonly whole: Promise<KernelError | null>;
  /** Ends what is still to come. */
  cancel(): void;
}

/**
 * Sends the frames from the interface, three times each. `first` fails with KernelError: ENOENT without perl, EPERM
 * without CAP_NET_RAW, ENETDOWN where the link is down, ENXIO or ENODEV where it has gone.
 */
export function sendFrames(link: string, index: number, frames: readonly Uint8Array[]): Sending {
  const child = spawn('perl', ['-e', SEND, String(index)], { env: toolEnvironment() });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const sent = new Promise<true>((resolve) => {
    child.stdout.once('data', () => {
      for (const part of [child, child.stdin, child.stdout, child.stderr]) unreference(part);
      resolve(true);
    });
  });
  const ended = new Promise<KernelError | null>((resolve) => {
    child.once('error', (error) => resolve(notStarted(link, error)));
    child.once('close', (status) => resolve(status === 0 ? null : notSent(link, stderr)));
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(frames.map((frame) => `${Buffer.from(frame).toString('hex')}\n`).join(''));
  return { ...outcomes(sent, ended), cancel: () => child.kill('SIGKILL') };
}

function outcomes(sent: Promise<true>, ended: Promise<KernelError | null>): Omit<Sending, 'cancel'> {
  const first = Promise.race([sent, ended]);
  return {
    first: first.then((outcome) => {
      if (outcome !== true && outcome !== null) throw outcome;
    }),
    whole: first.then((outcome) => (outcome === true ? ended : null)),
  };
}

/** A repetition is no reason for the process to stay. */
function unreference(part: ChildProcess | object): void {
  if ('unref' in part && typeof part.unref === 'function') part.unref();
}

const CODES: readonly (readonly [RegExp, string])[] = [
  [/Operation not permitted|Permission denied/, 'EPERM'],
  [/Network is down/, 'ENETDOWN'],
  [/No such device or address/, 'ENXIO'],
  [/No such device/, 'ENODEV'],
];

function notSent(link: string, stderr: string): KernelError {
  const code = CODES.find(([said]) => said.test(stderr))?.[1];
  return new KernelError(
    `the neighbours on ${link} could not be told of all our addresses: ${stderr.trim() || 'the sender was ended'}; no address has changed`,
    {
      ...(code === undefined ? {} : { code }),
      ...(code === 'EPERM' ? { hint: 'run the director as root or with CAP_NET_RAW' } : {}),
    },
  );
}

function notStarted(link: string, cause: NodeJS.ErrnoException): KernelError {
  return new KernelError(
    `the neighbours on ${link} could not be told of our addresses: perl could not be run: ${cause.message}; no address has changed`,
    { code: cause.code ?? 'UNKNOWN', cause, hint: 'apt-get install perl-base' },
  );
}
