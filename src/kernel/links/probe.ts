import { KernelError } from '../../lib/errors.ts';
import { inTurns } from '../../lib/turn.ts';
import type { Address } from '../../model/address.ts';
import { run } from '../../lib/run.ts';
import { claimOf, probeFrame } from './frames.ts';
import type { Claim } from './frames.ts';

/**
 * Sends frames (see send-frames.ts for the way) three times, and writes what comes back. Standard input and output: a
 * line for each frame, `INDEX HEX`. At most 2,500 a second, for each is a broadcast to everybody. RFC 5227 section 2.1.1
 * waits for some seconds; here nobody takes an address because nobody answered.
 * One socket for ARP and one for IPv6, both for all links: a socket for each link would take the kernel 20 ms to close.
 * What is bound to one protocol sees nothing that is sent. The second is given its filter before it is bound, so that
 * nothing else ever reaches it: struct sock_filter (linux/filter.h), SO_ATTACH_FILTER = 26 at SOL_SOCKET = 1; in words,
 * next header 58 and ICMPv6 type 136.
 */
const PROBE = `
use strict;
$| = 1;
my @frames = map { chomp; my ($index, $hex) = split / /; [$index, pack 'H*', $hex] } <STDIN>;
socket(my $arp, 17, 3, 0) or die "socket: $!\\n";
socket(my $ndp, 17, 3, 0) or die "socket: $!\\n";
my @filter = ([0x30, 0, 0, 20], [0x15, 0, 3, 58], [0x30, 0, 0, 54], [0x15, 0, 1, 136], [0x6, 0, 0, 0xffff],
  [0x6, 0, 0, 0]);
my $code = join '', map { pack 'S C C L', @$_ } @filter;
setsockopt($ndp, 1, 26, pack('S x![P] P', scalar @filter, $code)) or die "filter: $!\\n";
bind($arp, pack 'S n i S C C x8', 17, 0x806, 0, 0, 0, 0) or die "bind: $!\\n";
bind($ndp, pack 'S n i S C C x8', 17, 0x86dd, 0, 0, 0, 0) or die "bind: $!\\n";
sub listen_for {
  my ($left) = @_;
  while ($left > 0) {
    my $ready = '';
    vec($ready, fileno $_, 1) = 1 for $arp, $ndp;
    (my $found, $left) = select $ready, undef, undef, $left;
    last unless $found > 0;
    for my $socket (grep { vec $ready, fileno $_, 1 } $arp, $ndp) {
      defined(my $from = recv $socket, my $frame, 2048, 0) or die "recv: $!\\n";
      print +(unpack 'S n i', $from)[2], ' ', unpack('H*', $frame), "\\n";
    }
  }
}
for my $wait (0.2, 0.2, 0.6) {
  for my $at (0 .. $#frames) {
    listen_for(0.02) if $at && $at % 50 == 0;
    my ($index, $frame) = @{$frames[$at]};
    my $to = pack 'S n i S C C x8', 17, 0, $index, 0, 0, 0;
    defined send($arp, $frame, 0, $to) or die "send: $!\\n";
  }
  listen_for($wait);
}
`;
/** So that it ends well before the time that a tool is given. */
const LINKS_AT_ONCE = 1000;

export interface ProbedLink {
  readonly name: string;
  readonly index: number;
  readonly mac: string;
}

/** Addresses to ask for on a link. */
export interface Question {
  readonly link: ProbedLink;
  readonly addresses: readonly Address[];
}

/** A claim that came in on the link of this name. */
export interface Answer extends Claim {
  readonly link: string;
}

/**
 * Who on each link says that one of these addresses is his; each of them once, without the link itself. Takes a second,
 * or some for hundreds of links. KernelError where the frames could not be sent: without perl (ENOENT) or CAP_NET_RAW,
 * or a link is down.
 */
export async function probeAddresses(
  questions: readonly Question[],
  signal?: AbortSignal,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let at = 0; at < questions.length; at += LINKS_AT_ONCE)
    answers.push(...(await probeSome(questions.slice(at, at + LINKS_AT_ONCE), signal)));
  return answers;
}

async function probeSome(questions: readonly Question[], signal: AbortSignal | undefined): Promise<Answer[]> {
  const frames = await inTurns(questions, ({ link, addresses }) =>
    addresses
      .map((address) => `${link.index} ${Buffer.from(probeFrame(address, link.mac)).toString('hex')}\n`)
      .join(''),
  );
  const { status, stdout, stderr } = await run('perl', ['-e', PROBE], { stdin: frames.join(''), signal });
  if (status !== 0) throw new KernelError(`nobody could be asked for our addresses: ${stderr.trim()}`);
  const asked = new Map(questions.map((question) => [question.link.index, question]));
  const answers = await inTurns(stdout.split('\n'), (line) => answerIn(line, asked));
  const known = answers.filter((answer) => answer !== null);
  return [...new Map(known.map((answer) => [keyOf(answer), answer])).values()];
}

const keyOf = ({ link, address, mac }: Answer): string => `${link} ${address.text} ${mac}`;

function answerIn(line: string, asked: ReadonlyMap<number, Question>): Answer | null {
  const [index = '', hex = ''] = line.split(' ');
  const question = asked.get(Number(index));
  const claim = claimOf(Buffer.from(hex, 'hex'));
  if (claim === null || question === undefined || claim.mac === question.link.mac) return null;
  const meant = question.addresses.some(({ text }) => text === claim.address.text);
  return meant ? { ...claim, link: question.link.name } : null;
}
