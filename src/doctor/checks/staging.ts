import { existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import { BUS } from '../../lib/outside.ts';
import type { Service } from '../../model/service.ts';
import type { Volume } from '../../stage/volumes.ts';
import { Lvm } from '../../stage/lvm.ts';
import { domainName } from '../../xen/match.ts';
import { openHypervisor } from '../../xen/open.ts';
import { check } from '../check.ts';
import { fault, ok, some, warning, word } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';

export interface StagingSeen {
  /** Those whose dark DomU is made from the live one; [] where nothing else was looked at. */
  readonly services: readonly string[];
  /** Why there is no Xen here; null: there is. */
  readonly withoutXen: string | null;
  /** systemd runs this host, and nobody can ask it to run a tool. */
  readonly withoutBus: boolean;
  /** Configurations of guests that should be there and are not. */
  readonly withoutConfig: readonly string[];
  readonly volumes: readonly Pick<Volume, 'group' | 'name' | 'kind' | 'filled'>[];
}

/** Percent. What LVM's own monitor extends a pool at, where it does (lvm.conf(5), thin_pool_autoextend_threshold). */
const NEARLY_FULL = 80;
const FULL = 95;

/** What "director stage" needs, for those services that have it. */
export function judgeStaging({
  services,
  withoutXen,
  withoutBus,
  withoutConfig,
  volumes,
}: StagingSeen): Verdict[] {
  if (services.length === 0) return [];
  if (withoutXen !== null)
    return [
      fault(`${some(services)} cannot be staged: ${withoutXen}`, '"director stage" makes guests of Xen'),
    ];
  const found = [
    ...(withoutBus
      ? [
          fault(
            'systemd cannot be asked to run a tool: there is no D-Bus',
            'LVM, file system checks and "xl create" need more rights than the director’s own service has',
            'apt-get install dbus',
          ),
        ]
      : []),
    ...(withoutConfig.length === 0
      ? []
      : [
          fault(
            `${some(withoutConfig)} is not there`,
            'the dark DomU’s configuration is made from the live one’s',
            `ls -l ${word(dirname(withoutConfig[0] ?? ''))}`,
          ),
        ]),
    ...volumes.flatMap(judgePool),
  ];
  return found.length > 0 ? found : [ok(`${some(services)} can be staged`)];
}

function judgePool({ group, name, kind, filled }: StagingSeen['volumes'][number]): Verdict[] {
  if (kind !== 'pool' || filled === null || filled < NEARLY_FULL) return [];
  const what = `the thin pool ${group}/${name} is ${Math.floor(filled)} % full`;
  const why = 'once it is full, all its volumes refuse to be written, the live DomUs’ too; snapshots fill it';
  const command = `lvextend --size +10G ${word(`${group}/${name}`)}`;
  return [filled < FULL ? warning(what, why, command) : fault(what, why, command)];
}

async function look({ services, xen }: Ground): Promise<StagingSeen> {
  const staged = services.filter(({ stage }) => stage !== null);
  const names = staged.map(({ name }) => name);
  const seen = { services: names, withoutXen: null, withoutBus: false, withoutConfig: [], volumes: [] };
  if (staged.length === 0) return seen;
  const hypervisor = openHypervisor({ clock: systemClock, wanted: xen });
  hypervisor.close();
  if (hypervisor.presence.kind === 'none') return { ...seen, withoutXen: hypervisor.presence.reason };
  return {
    ...seen,
    withoutBus: existsSync(SYSTEMD) && !existsSync(BUS),
    withoutConfig: (await Promise.all(staged.map(lackingConfig))).flat(),
    volumes: await new Lvm().list(),
  };
}

/** sd_booted(3). */
const SYSTEMD = '/run/systemd/system';

/** One of the two is enough: the other one is made from it. */
async function lackingConfig({ stage, domus }: Service): Promise<string[]> {
  const files = domus.map((domu) => join(stage?.guests ?? '', `${domainName(domu)}.cfg`));
  const there = await Promise.all(
    files.map((file) =>
      access(file).then(
        () => true,
        () => false,
      ),
    ),
  );
  return there.includes(true) ? [] : files.slice(0, 1);
}

export const stagingCheck = check('staging', look, judgeStaging);
