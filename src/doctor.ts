import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { LinuxKernel } from './kernel/linux.ts';
import { systemClock } from './lib/clock.ts';
import { meterHere } from './meter/possible.ts';
import type { MeterHere } from './meter/possible.ts';
import { JUMPS } from './render/layout.ts';

interface Finding {
  readonly grade: 'ok' | 'warning' | 'fault';
  readonly what: string;
  /** Why it matters, and what mends it. */
  readonly advice: string | null;
}

/** Is this host fit to be directed, in the network namespace that this command runs in? Changes nothing. */
export async function doctor({
  meterHelper,
}: {
  /** Path of the meter's native helper. */
  readonly meterHelper: string;
}): Promise<{ text: string; json: unknown; fit: boolean }> {
  const findings = [
    nodeVersion(),
    ...(await missing()),
    conntrackTable(),
    bridgeNetfilter(),
    ...firewalld(),
    meterFinding(await meterHere(meterHelper)),
  ];
  const fit = findings.every(({ grade }) => grade !== 'fault');
  const mark = { ok: 'ok     ', warning: 'warning', fault: 'FAULT  ' } as const;
  const text = findings
    .map(({ grade, what, advice }) => `${mark[grade]} ${what}${advice === null ? '' : `\n        ${advice}`}`)
    .join('\n');
  return { text, json: { fit, findings }, fit };
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const old = major < 20 || (major === 20 && minor < 19);
  return {
    grade: old ? 'fault' : 'ok',
    what: `Node ${process.versions.node}`,
    advice: old ? 'the director needs 20.19 or newer: apt-get install nodejs' : null,
  };
}

async function missing(): Promise<Finding[]> {
  const kernel = LinuxKernel.open({
    variant: 'auto',
    jumps: JUMPS,
    clock: systemClock,
    onError: () => undefined,
  });
  try {
    const found = await kernel.missing();
    if (found.length === 0)
      return [{ grade: 'ok', what: 'iptables, ipset and conntrack answer', advice: null }];
    return found.map((what): Finding => ({ grade: 'fault', what, advice: null }));
  } finally {
    await kernel.close();
  }
}

/** A full table drops new connections, of everybody. */
const NEARLY_FULL = 0.8;

function conntrackTable(): Finding {
  const count = readNumber('net/netfilter/nf_conntrack_count');
  const max = readNumber('net/netfilter/nf_conntrack_max');
  if (count === null || max === null)
    return { grade: 'ok', what: 'conntrack is not in use yet', advice: null };
  const full = count > max * NEARLY_FULL;
  return {
    grade: full ? 'warning' : 'ok',
    what: `conntrack holds ${count} of at most ${max} flows`,
    advice: full
      ? `a full table drops new connections: sysctl -w net.netfilter.nf_conntrack_max=${max * 2}`
      : null,
  };
}

function bridgeNetfilter(): Finding {
  const on = readNumber('net/bridge/bridge-nf-call-iptables') === 1;
  return {
    grade: on ? 'warning' : 'ok',
    what: `frames inside a bridge ${on ? 'pass' : 'do not pass'} iptables (bridge-nf-call-iptables)`,
    advice: on
      ? 'directing works all the same, but bridging costs more: sysctl -w net.bridge.bridge-nf-call-iptables=0 unless something needs it'
      : null,
  };
}

/** Directing needs none of it: a host whose costs can only be guessed at is fit. */
function meterFinding({ mode, by, lacking }: MeterHere): Finding {
  const truest = mode === 'windows';
  return {
    grade: truest ? 'ok' : 'warning',
    what: `what routing costs can be ${METER_WORDS[mode]}${truest ? '' : ', and no better'} (${by === '' ? mode : `${mode}, by ${by}`})`,
    advice: lacking.length === 0 ? null : lacking.join('\n        '),
  };
}

const METER_WORDS: Readonly<Record<MeterHere['mode'], string>> = {
  windows: 'measured for each service by timing packets, once there is an uplink',
  always: 'measured for each service by timing packets, once there is an uplink',
  sampler: 'measured for all services together, by sampling',
  model: 'told by typical figures',
  off: 'told by nobody',
};

/** firewalld accepts what was DNATed, and rejects whatever else is forwarded where no policy of it accepts that. */
function firewalld(): Finding[] {
  if (!runsHere('firewalld')) return [];
  return [
    {
      grade: 'warning',
      what: 'firewalld is running',
      advice:
        'what is directed passes it; connections to the DomUs’ own addresses, and those that DomUs open, pass only where a policy of it accepts them: see “Beside firewalld” in README.md',
    },
  ];
}

/** Whether a process of this name (proc_pid_comm(5)) is in our network namespace. */
function runsHere(name: string): boolean {
  const network = readlinkSync('/proc/self/ns/net');
  return readdirSync('/proc').some((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== name) return false;
      return readlinkSync(`/proc/${pid}/ns/net`) === network;
    } catch {
      // It has ended meanwhile, or is none of our business.
      return false;
    }
  });
}

function readNumber(key: string): number | null {
  const file = `/proc/sys/${key}`;
  return existsSync(file) ? Number(readFileSync(file, 'utf8').trim()) : null;
}
