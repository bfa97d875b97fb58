import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { uptime } from 'node:os';
import { toBytes } from '../model/address.ts';
import type { Network } from '../model/address.ts';
import { toolEnvironment } from '../lib/run.ts';

/**
 * Looks at what can change, three times a second, and tells in a line of what kind it was; quiet while nothing does.
 * A look of this process itself costs ten times as much, for it is cold each time, and a multicast socket in it could
 * end it (see GuardedSocket); perl-base is on every Debian. Arguments: the prefix of the names of sets that count; names
 * of those of them that belong to the choice, divided by commas; the netlink messages that ask for the sets' heads, for
 * the choice and for what else is asked every time, in hexadecimal and divided by commas; then paths of files. Ends when
 * its standard input does.
 *
 * Links and addresses it need not look at: NETLINK_ROUTE = 0 tells of them, in the groups RTMGRP_LINK = 0x1,
 * RTMGRP_IPV4_IFADDR = 0x10 and RTMGRP_IPV6_IFADDR = 0x100 (linux/rtnetlink.h; AF_NETLINK = 16, SOCK_RAW = 3, struct
 * sockaddr_nl of linux/netlink.h: family, pad, port, groups). What was lost because too much came at once (ENOBUFS,
 * 105) is something that came. Answers of NETLINK_NETFILTER = 12 are compared byte by byte, and thrown away. They end
 * with NLMSG_DONE = 3 or NLMSG_ERROR = 2, or are one message alone (without NLM_F_MULTI = 2). A set's name stands at
 * byte 32 of its head: after nlmsghdr, nfgenmsg, IPSET_ATTR_PROTOCOL and its own attribute's header (ip_set_core.c,
 * ip_set_dump_do). The kernel tells each head in a datagram of its own, which makes many sets dear: each is looked at
 * more seldom then.
 *
 * What it is told is whose flows to end when the director is gone: lines of "SECONDS:QUESTION:NETWORKS ...", by the
 * host's uptime (proc(5)), the last line counting. It ends those that the kernel answers with, but for what comes from
 * these networks, unless another director is there: a socket of its name that listens (flags 00010000) stands in
 * /proc/net/unix, with as many zero bytes, shown as "@", as libuv puts behind it; its own director's is known by its
 * inode. Who dies closes one thing after the other, so the pipe to this process may end before that socket does: it
 * waits for that. Of an answer (linux/netfilter/nfnetlink_conntrack.h), after nlmsghdr
 * and nfgenmsg: CTA_TUPLE_ORIG = 1, in it CTA_TUPLE_IP = 1, in it CTA_IP_V4_SRC = 1 or CTA_IP_V6_SRC = 3; CTA_ID = 12.
 * The two name a flow to IPCTNL_MSG_CT_DELETE = 2 of NFNL_SUBSYS_CTNETLINK = 1.
 */
const LOOK = `
use strict;
$| = 1;
$SIG{PIPE} = 'IGNORE';
my ($prefix, $names, $messages, @paths) = @ARGV;
my ($heads, $choice, @requests) = map { pack 'H*', $_ } split /,/, $messages;
my %chosen = map { $_ => 1 } split /,/, $names;
sub netlink {
  my ($protocol, $groups) = @_;
  socket(my $socket, 16, 3, $protocol) or die "socket: $!\\n";
  bind($socket, pack 'S S L L', 16, 0, 0, $groups) or die "bind: $!\\n";
  return $socket;
}
my ($links, $netfilter) = (netlink(0, 0x1 | 0x10 | 0x100), netlink(12, 0));
sub ask {
  my ($request) = @_;
  my @answer;
  defined send $netfilter, $request, 0 or die "send: $!\\n";
  while (1) {
    defined recv $netfilter, my $datagram, 8192, 0 or die "recv: $!\\n";
    for (my $at = 0; $at < length $datagram;) {
      my ($length, $type, $flags) = unpack 'L S S', substr $datagram, $at, 8;
      return @answer if $type == 3 or $length < 16;
      push @answer, substr $datagram, $at, $length;
      return @answer if $type == 2 or not $flags & 2;
      $at += ($length + 3) & ~3;
    }
  }
}
my (%files, $come);
sub content {
  my ($path) = @_;
  unless ($files{$path}) {
    open my $file, '<', $path or return '';
    $files{$path} = $file;
  }
  sysseek $files{$path}, 0, 0;
  return $come if defined sysread $files{$path}, $come, 256;
  delete $files{$path};
  return '';
}
sub directors {
  open my $sockets, '<', '/proc/net/unix' or return;
  return map { /^\\S+ \\S+ \\S+ 00010000 \\S+ \\S+ +(\\d+) \\@dom0-director\\@*$/ ? $1 : () } <$sockets>;
}
my %own = map { $_ => 1 } directors();
my ($said, @wishes) = ('');
my ($waiting, $tick, $every, $sets, $banks) = ('', 0, 1, '', '');
my %last = (state => '', choice => '');
vec($waiting, fileno($_), 1) = 1 for $links, *STDIN;
while (1) {
  if ($tick++ % $every == 0) {
    my @ours = grep { substr($_, 32, length $prefix) eq $prefix } ask($heads);
    $sets = join '', grep { not $chosen{unpack 'Z*', substr $_, 32} } @ours;
    $banks = join '', grep { $chosen{unpack 'Z*', substr $_, 32} } @ours;
    $every = 1 + int(@ours / 200);
  }
  my %now = (
    state => join('|', $sets, (map { ask($_) } @requests), (map { content($_) } @paths)),
    choice => join('|', $banks, ask($choice)),
  );
  for (qw(state choice)) {
    print "$_\\n" if $now{$_} ne $last{$_};
    $last{$_} = $now{$_};
  }
  select(my $ready = $waiting, undef, undef, 0.3) > 0 or next;
  if (vec($ready, fileno(STDIN), 1)) {
    sysread STDIN, $come, 65536 or last;
    $said .= $come;
    @wishes = map { [split /:/] } split / /, $1 while $said =~ s/^(.*)\\n//;
  }
  vec($ready, fileno($links), 1) or next;
  1 while defined recv $links, $come, 65536, 0x40 or $! == 105;
  print "links\\n";
  select undef, undef, undef, 0.05;
}
sub uptime { return (content('/proc/uptime') =~ /^(\\S+)/)[0] }
sub another { return scalar grep { not $own{$_} } directors() }
sub attributes {
  my ($bytes) = @_;
  my %found;
  while (length $bytes >= 4) {
    my ($length, $type) = unpack 'S S', $bytes;
    last if $length < 4 or $length > length $bytes;
    my $padded = ($length + 3) & ~3;
    $found{$type & 0x3fff} = substr($bytes, 0, $length) . "\\0" x ($padded - $length);
    $bytes = $padded < length $bytes ? substr $bytes, $padded : '';
  }
  return %found;
}
sub spared {
  my ($bits, $networks) = (unpack('B*', $_[0]), $_[1]);
  for (split /,/, $networks) {
    my ($network, $prefix) = split m{/};
    $network = unpack 'B*', pack 'H*', $network;
    return 1 if length $network == length $bits and substr($network, 0, $prefix) eq substr $bits, 0, $prefix;
  }
  return 0;
}
sub end_flows {
  my ($question, $networks) = @_;
  for my $flow (ask(pack 'H*', $question)) {
    my %of = attributes(substr $flow, 20);
    next unless $of{1} and $of{12};
    my %tuple = attributes(substr $of{1}, 4);
    my %address = attributes(substr $tuple{1}, 4);
    next if spared(substr($address{1} || $address{3}, 4), $networks);
    my $which = substr($flow, 16, 4) . $of{1} . $of{12};
    send $netfilter, pack('L S S L L', 16 + length $which, 0x102, 1, 1, 0) . $which, 0;
  }
}
for (my $patience = uptime() + 10; grep { $own{$_} } directors();) {
  exit if uptime() > $patience;
  select undef, undef, undef, 0.02;
}
for (sort { $a->[0] <=> $b->[0] } @wishes) {
  my ($at, $question, $networks) = @$_;
  for (my $left; ($left = $at - uptime()) > 0 and not another();) {
    select undef, undef, undef, $left < 0.5 ? $left : 0.5;
  }
  exit if another();
  end_flows($question, $networks || '');
}
`;

/** Characters of wishes; a few hundred of them. */
const MOST_TOLD = 256 * 1024;

/** One that has ended, or could not be started, is started again after this many milliseconds at the earliest. */
const AGAIN_AFTER = 5000;

export interface Questions {
  /** Sets whose names begin so count. */
  readonly prefix: string;
  /** Names of those of them whose changes are told apart. */
  readonly choice: readonly string[];
  /** Netlink messages: for the heads of all sets; for what is told apart; and others that are asked each time. */
  readonly heads: Uint8Array;
  readonly chosen: Uint8Array;
  readonly others: readonly Uint8Array[];
  /** Files whose content counts; one that is not there is fine. */
  readonly files: readonly string[];
}

/** Which flows are to be ended at a time, milliseconds since the epoch, should the director be gone by then. */
export interface LastWish {
  readonly at: number;
  /** A netlink message that asks for them. */
  readonly flows: Uint8Array;
  /** Where those come from that go on. */
  readonly sparing: readonly Network[];
}

/** How often anything has changed since it began. */
export interface Changes {
  readonly links: number;
  readonly choice: number;
  readonly state: number;
}

/** Notices what happens to the kernel of this network namespace, at next to no cost; see LOOK. */
export class Sentry {
  readonly #argv: readonly string[];
  readonly #onChange: (looks: boolean) => void;
  #child: ChildProcess | null = null;
  #changes: Changes | null = null;
  #startedAt = -Infinity;
  #wishes = '';
  #closed = false;

  /** `onChange` is called after each change, and with false when nobody looks any more. */
  constructor(
    { prefix, choice, heads, chosen, others, files }: Questions,
    onChange: (looks: boolean) => void,
  ) {
    this.#onChange = onChange;
    const messages = [heads, chosen, ...others].map(hexOf);
    this.#argv = ['-e', LOOK, prefix, choice.join(), messages.join(), ...files];
  }

  /**
   * Another value after anything has happened, within a third of a second; null while nobody looks (not yet, or not
   * any more), and whoever wants to know has to look. `now`: milliseconds, of a clock that does not jump.
   */
  changes(now: number): Changes | null {
    if (this.#child === null && !this.#closed && now - this.#startedAt >= AGAIN_AFTER) this.#start(now);
    return this.#changes;
  }

  #start(now: number): void {
    this.#startedAt = now;
    const child = spawn('perl', this.#argv, { env: toolEnvironment(), stdio: ['pipe', 'pipe', 'ignore'] });
    this.#child = child;
    const gone = (): void => {
      if (this.#child !== child) return;
      this.#child = null;
      this.#changes = null;
      this.#onChange(false);
    };
    child.once('error', gone).once('exit', gone);
    child.stdin.on('error', () => undefined);
    child.stdout.setEncoding('latin1').on('data', (lines: string) => {
      if (this.#child === child) this.#note(lines);
    });
    if (this.#wishes !== '') child.stdin.write(this.#wishes);
    // It is no reason for this process to stay.
    for (const part of [child, child.stdin, child.stdout]) unreference(part);
  }

  /** Lines come whole: they are shorter than what a pipe takes at once (pipe(7)). */
  #note(lines: string): void {
    const { links, choice, state } = this.#changes ?? { links: 0, choice: 0, state: 0 };
    this.#changes = {
      links: links + Number(lines.includes('links')),
      choice: choice + Number(lines.includes('choice')),
      state: state + Number(lines.includes('state')),
    };
    this.#onChange(true);
  }

  bequeath(wishes: readonly LastWish[]): void {
    if (wishes.length === 0 && this.#wishes.trim() === '') return;
    const since = Date.now() / 1000 - uptime();
    const each = wishes.map(
      ({ at, flows, sparing }) =>
        `${(at / 1000 - since).toFixed(2)}:${hexOf(flows)}:${sparing.map(networkText).join()}`,
    );
    const line = `${asMuchAs(MOST_TOLD, each).join(' ')}\n`;
    if (line === this.#wishes) return;
    this.#wishes = line;
    this.#child?.stdin?.write(line);
  }

  /** The director ends: who has something left to do is left to it. */
  close(): void {
    const child = this.#release();
    if (this.#wishes.trim() === '') child?.kill('SIGKILL');
    else child?.stdin?.end();
  }

  /** Somebody else looks from now on, and has been told the same. */
  dismiss(): void {
    this.#release()?.kill('SIGKILL');
  }

  #release(): ChildProcess | null {
    const child = this.#child;
    this.#closed = true;
    this.#child = null;
    this.#changes = null;
    return child;
  }
}

/** The first ones, for as long as they have not more characters than this. */
function asMuchAs(most: number, texts: readonly string[]): readonly string[] {
  let length = 0;
  const end = texts.findIndex((text) => (length += text.length + 1) > most);
  return end === -1 ? texts : texts.slice(0, end);
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const networkText = ({ family, address, prefix }: Network): string =>
  `${hexOf(toBytes({ family, text: address }))}/${prefix}`;

/** A pipe's stream has it, though its type does not say so. */
function unreference(part: ChildProcess | object): void {
  if ('unref' in part && typeof part.unref === 'function') part.unref();
}
