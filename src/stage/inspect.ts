import { join } from 'node:path';
import { guestNetwork } from '../guest/guest-network.ts';
import type { GuestNetwork } from '../guest/guest-network.ts';
import { messageOf, Refusal } from '../lib/errors.ts';
import type { Domu, Service } from '../model/service.ts';
import type { StagedVolume, StageSettings } from '../model/stage.ts';
import type { Domain } from '../xen/hypervisor.ts';
import { domainNamed } from '../xen/hypervisor.ts';
import { copyGuest, readGuest } from './copy-guest.ts';
import type { GuestConfig } from './copy-guest.ts';
import type { Disk } from './disk-spec.ts';
import type { StageHost } from './host.ts';
import type { StagePlan, Step } from './plan.ts';
import { tagOf } from './volumes.ts';
import type { Volume } from './volumes.ts';

export interface StageOrder {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly service: Service;
  /** All that there are: the MAC addresses of their DomUs' vifs differ. */
  readonly services: readonly Service[];
  /** The live DomU. */
  readonly from: Domu;
  /** The one that is to be made. */
  readonly to: Domu;
  readonly settings: StageSettings;
  /** Wait until it is healthy. */
  readonly wait: boolean;
}

/** The name of a DomU's domain. */
export const domainOf = ({ name, domain = name }: Domu): string => domain;

export const configPath = ({ guests }: StageSettings, domain: string): string =>
  join(guests, `${domain}.cfg`);

/**
 * Looks at all that making the copy needs, and plans it; nothing has been done then. Refusal where it cannot be made,
 * with what to do.
 */
export async function inspect(order: StageOrder, host: StageHost): Promise<StagePlan> {
  const { presence } = host.hypervisor;
  if (presence.kind === 'none')
    throw new Refusal('unprocessable', `no DomU can be started here: ${presence.reason}`);
  const domains = await host.hypervisor.domains();
  refuseIfThere(order, domains);
  await refuseIfConfigured(order, host);
  const guest = await readLiveGuest(order, host);
  const sources = await sourcesOf(order, guest, host);
  const network = guestNetwork(order.services, order.service, order.to.name);
  if (network === null) throw new Refusal('unknown', `${order.service.name} has no DomU ${order.to.name}`);
  const [links, ownLinks] = await Promise.all(
    [order.from, order.to].map((domu) =>
      host.files.linksTo(join(order.settings.guests, 'auto'), `${domainOf(domu)}.cfg`),
    ),
  );
  const isRunning = domainNamed(domains, domainOf(order.from))?.state === 'running';
  return planOf(order, {
    guest,
    sources,
    network,
    isRunning,
    starts: links?.length !== 0,
    isLinked: ownLinks?.length !== 0,
  });
}

function refuseIfThere({ service, to }: StageOrder, domains: readonly Domain[]): void {
  const there = domainNamed(domains, domainOf(to));
  if (there === undefined) return;
  throw new Refusal(
    'conflict',
    `${to.name} is there already (${there.state}, domid ${there.domid}); nothing was done`,
    {
      hint: `if nobody needs it: "director unstage ${service.name}" where it was staged, else "director domu destroy ${to.name}"`,
    },
  );
}

async function refuseIfConfigured({ settings, to }: StageOrder, { files }: StageHost): Promise<void> {
  const path = configPath(settings, domainOf(to));
  if (!(await files.exists(path))) return;
  throw new Refusal('conflict', `${path} is there already, and nothing is written over; nothing was done`, {
    hint: `if nobody needs it: mv ${path} ${path}.before`,
  });
}

async function readLiveGuest({ settings, from }: StageOrder, { files }: StageHost): Promise<GuestConfig> {
  const path = configPath(settings, domainOf(from));
  const text = await files.read(path);
  if (text === null)
    throw new Refusal('unprocessable', `there is no ${path}, which ${from.name} is to be copied from`, {
      hint: "stage.guests names the directory of the guests' configurations, each NAME.cfg",
    });
  try {
    return readGuest(text, domainOf(from));
  } catch (error) {
    throw new Refusal('unprocessable', `${path} cannot be copied: ${messageOf(error)}; nothing was done`);
  }
}

interface Source {
  readonly disk: Disk;
  readonly volume: Volume;
}

/** The volumes of all disks that the live DomU writes to; the others can be shared. */
async function sourcesOf(order: StageOrder, { disks }: GuestConfig, host: StageHost): Promise<Source[]> {
  const writable = disks.filter((disk) => disk.writable);
  if (writable.length === 0) return [];
  const all = await host.volumes.list();
  return Promise.all(
    writable.map(async (disk) => {
      const volume = await host.volumes.at(disk.target);
      const fault = faultOf(order, disk, volume, all);
      if (volume === null || fault !== null)
        throw new Refusal(
          'unprocessable',
          `${order.from.name}'s disk ${disk.device}: ${fault ?? ''}; nothing was done`,
        );
      return { disk, volume };
    }),
  );
}

/** Percent. A pool that is full stops all that is in it, the live DomU too. */
const POOL_IS_FULL = 90;
/** It becomes a part of a volume's name. */
const DEVICE = /^[a-z0-9]{1,12}$/;

function faultOf(
  { from }: StageOrder,
  { target, device }: Disk,
  volume: Volume | null,
  all: readonly Volume[],
): string | null {
  if (!DEVICE.test(device)) return 'its name is none that a guest of Xen has';
  if (volume === null) return `${target} is no logical volume of LVM, and only those can be copied`;
  const path = `${volume.group}/${volume.name}`;
  if (volume.kind === 'snapshot')
    return `${path} is a thick snapshot itself, of which LVM makes no other. Put ${from.name} on a volume of its own, best a thin one`;
  if (volume.kind !== 'plain' && volume.kind !== 'thin')
    return `${path} is a volume of a kind that is not copied (see lv_attr of "lvs")`;
  const pool = all.find(({ group, name }) => group === volume.group && name === volume.pool);
  if (volume.kind === 'thin' && (pool?.filled ?? 0) >= POOL_IS_FULL)
    return `its pool ${volume.group}/${volume.pool ?? ''} is ${pool?.filled ?? 0} % full, and the live DomU stops when it is full: lvextend it first`;
  return null;
}

interface Facts {
  readonly guest: GuestConfig;
  readonly sources: readonly Source[];
  readonly network: GuestNetwork;
  /** The live DomU is started with the host. */
  readonly starts: boolean;
  /** So would be the copy. */
  readonly isLinked: boolean;
  /** Whether the live DomU is at work. */
  readonly isRunning: boolean;
}

/** Pure: the steps, and what is to be known of them. */
export function planOf(order: StageOrder, facts: Facts): StagePlan {
  const { id, from, to, settings } = order;
  const { sources, isRunning } = facts;
  const volumes = sources.map((source) => stagedVolume(order, source));
  const snapshots = volumes.map((volume): Step => ({
    kind: 'snapshot',
    order: {
      group: volume.group,
      origin: volume.origin,
      name: volume.name,
      thin: volume.thin,
      size: settings.size,
      tag: tagOf(id),
    },
  }));
  const together = settings.quiesce === 'always' || (settings.quiesce === 'auto' && volumes.length > 1);
  const pauses = together && isRunning && volumes.length > 0;
  const file = configPath(settings, domainOf(to));
  return {
    volumes,
    notes: notesOf(order, facts, volumes),
    steps: [
      ...(pauses ? [{ kind: 'pause' as const, domain: domainOf(from), atMost: settings.quiesceFor }] : []),
      ...snapshots,
      ...(pauses ? [{ kind: 'resume' as const, domain: domainOf(from) }] : []),
      ...(settings.check ? volumes.map((volume): Step => ({ kind: 'check', volume })) : []),
      { kind: 'write', path: file, text: configText(order, facts, volumes) },
      ...preparing(order, facts, volumes, file),
      { kind: 'create', domain: domainOf(to), file },
      ...(order.wait
        ? [{ kind: 'wait' as const, domain: domainOf(to), within: settings.healthyWithin }]
        : []),
      ...linking(order, facts, file),
    ],
  };
}

function stagedVolume({ at, to }: StageOrder, { disk, volume }: Source): StagedVolume {
  const stamp = new Date(at).toISOString().replaceAll(/[-:]|\.\d+Z/g, '');
  const name = `${domainOf(to)}_stage_${stamp}_${disk.device}`;
  const thin = volume.kind === 'thin';
  const { group, name: origin } = volume;
  return { group, name, origin, target: disk.device, device: `/dev/${group}/${name}`, thin, check: null };
}

function configText(
  { id, at, service, from, to }: StageOrder,
  { guest, sources, network }: Facts,
  volumes: readonly StagedVolume[],
): string {
  return copyGuest(guest, {
    from: { ...from, name: domainOf(from) },
    to: { ...to, name: domainOf(to) },
    vif: network.xl,
    targets: new Map(sources.map(({ disk }, i) => [disk.target, volumes[i]?.device ?? disk.target])),
    heading: [
      `Made by "director stage ${service.name}" at ${new Date(at).toISOString()} from ${from.name} (${id}).`,
      `"director unstage ${service.name}" removes this file, for as long as this line stands in it.`,
    ],
  });
}

/** What the program is told on its standard input, as JSON. */
function preparing(
  { service, from, to, settings }: StageOrder,
  { network }: Facts,
  volumes: readonly StagedVolume[],
  config: string,
): Step[] {
  if (settings.prepare === null) return [];
  const input = {
    service: service.name,
    from: { name: from.name, addresses: from.addresses.map(({ text }) => text) },
    to: {
      name: to.name,
      addresses: network.addresses,
      gateways: network.gateways,
      vifs: network.vifs.map(({ name, mac }) => ({ name, mac })),
      interfaces: network.interfaces,
      networkd: network.networkd,
    },
    volumes: volumes.map(({ target, device }) => ({ target, device })),
    config,
  };
  return [
    {
      kind: 'prepare',
      argv: settings.prepare,
      input: `${JSON.stringify(input)}\n`,
      within: settings.prepareWithin,
    },
  ];
}

/** A live DomU that starts with the host has a copy that does: it may be the live one when the host starts again. */
function linking({ settings, to }: StageOrder, { starts, isLinked }: Facts, file: string): Step[] {
  if (!starts || isLinked) return [];
  return [{ kind: 'link', path: join(settings.guests, 'auto', `${domainOf(to)}.cfg`), to: file }];
}

function notesOf(order: StageOrder, facts: Facts, volumes: readonly StagedVolume[]): string[] {
  const { service, from, to, settings } = order;
  const notes: string[] = [];
  if (service.quarantine === null)
    notes.push(
      `${to.name} may open connections outwards although it is dark: a copy of a mail server delivers what is in its queue once more. quarantine: true keeps it from that.`,
    );
  if (volumes.length === 0) notes.push(`${from.name} writes to no disk, so there was none to copy.`);
  if (volumes.some(({ thin }) => !thin)) {
    notes.push(
      `${to.name} is on a thick snapshot: ${from.name} writes slower for as long as it is there, and it cannot be copied itself. Thin volumes have neither trouble.`,
    );
    if (settings.size < 100)
      notes.push(
        `Once ${settings.size} % of a volume have changed, on either side, its snapshot is lost, and ${to.name} with it: see "lvs".`,
      );
  }
  if (!facts.starts && !facts.isLinked)
    notes.push(
      `${to.name} does not start with the host. Before it stays live: ln -s ${configPath(settings, domainOf(to))} ${join(settings.guests, 'auto')}/`,
    );
  return notes;
}
