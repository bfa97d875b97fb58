import { access, constants } from 'node:fs/promises';
import { readConfig } from '../config/index.ts';
import type { Config } from '../config/index.ts';
import type { Fault } from '../lib/errors.ts';
import { ALL } from './checks.ts';
import { examineHost } from './examine-here.ts';
import { fault, ok, word } from './finding.ts';
import type { Finding } from './finding.ts';
import { directorRuns } from './ground.ts';
import type { Subject } from './ground.ts';

/** Where the package's daemon has it (rules/debian/dom0-director.service). */
const USUAL = '/etc/dom0-director/director.yaml';

/**
 * Is this host fit to be directed, in the network namespace that this command runs in? With a configuration, or one
 * that is where it usually is, also for its services. Changes nothing. `fit` only where all could be looked at, and nothing is a fault.
 */
export async function doctor({
  config: given,
  meterHelper,
}: {
  readonly config?: string | undefined;
  /** Path of the meter's native helper. */
  readonly meterHelper: string;
}): Promise<{ readonly fit: boolean; readonly findings: readonly Finding[] }> {
  const file = given ?? (await readable(USUAL));
  const read = file === undefined ? null : await readConfig(file);
  const config = read !== null && 'config' in read ? read.config : null;
  const findings = [
    ...(file === undefined || read === null ? [] : configFindings(file, 'faults' in read ? read.faults : [])),
    ...(await examineHost(ALL, subjectOf(config), meterHelper)),
  ];
  return { fit: findings.every(({ grade }) => grade === 'ok' || grade === 'warning'), findings };
}

async function readable(path: string): Promise<string | undefined> {
  return access(path, constants.R_OK).then(
    () => path,
    () => undefined,
  );
}

function subjectOf(config: Config | null): Subject {
  const running = directorRuns();
  if (config === null)
    return { services: [], uplink: null, state: null, iptables: 'auto', xen: 'auto', running };
  const { services, uplink, state, iptables, xen } = config;
  return { services, uplink, state, iptables, xen, running };
}

function configFindings(file: string, faults: readonly Fault[]): Finding[] {
  const verdicts =
    faults.length === 0
      ? [ok(`${file} is right`)]
      : [
          fault(
            `${file} is wrong, so only the host was looked at`,
            'a daemon would not start',
            `director check ${word(file)}`,
          ),
        ];
  return verdicts.map((verdict) => ({ check: 'config', ...verdict }));
}
