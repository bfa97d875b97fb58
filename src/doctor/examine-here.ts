import { setPriority } from 'node:os';
import { text } from 'node:stream/consumers';
import { LinuxKernel } from '../kernel/linux.ts';
import { systemClock } from '../lib/clock.ts';
import { JUMPS } from '../render/layout.ts';
import { parseSubject } from './apart.ts';
import { examine } from './check.ts';
import type { Check } from './check.ts';
import { WATCHED } from './checks.ts';
import type { Finding } from './finding.ts';
import { hostGround } from './ground.ts';
import type { Subject } from './ground.ts';

/** Whatever the daemon has to do comes first (setpriority(2)). */
const NICE = 10;

/** For a daemon: a subject from one stream, findings to the other. */
export async function examineHere(
  stdin: NodeJS.ReadableStream,
  stdout: NodeJS.WritableStream,
): Promise<void> {
  setPriority(NICE);
  const findings = await examineHost(WATCHED, parseSubject(await text(stdin)), '');
  stdout.write(JSON.stringify(findings));
}

/** In the network namespace that this process is in. `meterHelper`: path of the meter's native helper. */
export async function examineHost(
  checks: readonly Check[],
  subject: Subject,
  meterHelper: string,
): Promise<Finding[]> {
  const kernel = LinuxKernel.open({
    variant: subject.iptables,
    jumps: JUMPS,
    clock: systemClock,
    onError: () => undefined,
  });
  return examine(checks, hostGround(subject, { kernel, meterHelper })).finally(() => kernel.close());
}
