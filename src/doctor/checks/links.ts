import type { LinkInfo } from '../../kernel/kernel.ts';
import type { Service } from '../../model/service.ts';
import { check } from '../check.ts';
import { fault, ok, some, warning, word } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';

export interface LinksSeen {
  readonly running: boolean;
  readonly uplink: string | null;
  readonly services: readonly Pick<Service, 'name' | 'bridge' | 'domus'>[];
  readonly links: readonly Pick<LinkInfo, 'name' | 'up' | 'master'>[];
}

/** The uplink, and every vif on the bridge that is its service's. One that is not there is a guest that does not run. */
export function judgeLinks({ running, uplink, services, links }: LinksSeen): Verdict[] {
  const byName = new Map(links.map((link) => [link.name, link]));
  const byBridge = portsByBridge(links);
  const found = [
    ...(uplink === null ? [] : judgeUplink(uplink, byName.get(uplink))),
    ...services.flatMap((service) => [
      ...service.domus.flatMap(({ vifs }) =>
        vifs.flatMap((vif) => judgeVif(vif, byName.get(vif), service, running)),
      ),
      ...strangers(service, byBridge.get(service.bridge.name) ?? []),
    ]),
  ];
  if (found.length > 0) return found;
  return services.length === 0 ? [] : [ok('the uplink is there, and each vif is on its own bridge')];
}

type Link = LinksSeen['links'][number];

function judgeUplink(name: string, link: Link | undefined): Verdict[] {
  if (link === undefined)
    return [fault(`the uplink ${name} is not there`, 'service addresses are announced on it', 'ip -br link')];
  if (link.master !== null)
    return [
      fault(
        `the uplink ${name} is a port of ${link.master}`,
        `a bridge takes its ports’ packets before the host sees them: write "uplink: ${link.master}" in the configuration`,
      ),
    ];
  if (link.up) return [];
  return [fault(`the uplink ${name} is down`, 'nobody outside reaches a service', `ip link set ${name} up`)];
}

function judgeVif(
  name: string,
  link: Link | undefined,
  { bridge }: LinksSeen['services'][number],
  running: boolean,
): Verdict[] {
  if (link === undefined || link.master === bridge.name) return [];
  const command = `ip link set dev ${word(name)} master ${word(bridge.name)}`;
  if (link.master === null && !running) return [];
  if (link.master === null)
    return [
      warning(`${name} is on no bridge`, `its guest is not reached; it belongs on ${bridge.name}`, command),
    ];
  return [
    fault(
      `${name} is on ${link.master} instead of ${bridge.name}`,
      'its guest is not reached by the service, and by everybody on the other bridge past the rules that keep a dark one dark',
      command,
    ),
  ];
}

function portsByBridge(links: LinksSeen['links']): ReadonlyMap<string, string[]> {
  const ports = new Map<string, string[]>();
  for (const { name, master } of links) {
    if (master === null) continue;
    const known = ports.get(master);
    if (known === undefined) ports.set(master, [name]);
    else known.push(name);
  }
  return ports;
}

/** What is on a service's bridge and is no vif of its own. */
function strangers({ bridge, domus }: LinksSeen['services'][number], ports: readonly string[]): Verdict[] {
  const own = new Set(domus.flatMap(({ vifs }) => vifs));
  // Where a DomU's vifs are not told, any link may be one of them.
  if (domus.some(({ vifs }) => vifs.length === 0)) return [];
  const others = ports.filter((name) => !own.has(name));
  const [first] = others;
  if (first === undefined) return [];
  return [
    warning(
      `${bridge.name} has ports that are no vif of its DomUs: ${some(others)}`,
      'whoever is behind them reaches both DomUs, also the dark one: what stays on a bridge is not filtered',
      `ip link set dev ${word(first)} nomaster`,
    ),
  ];
}

const look = async ({ running, uplink, services, links }: Ground): Promise<LinksSeen> => ({
  running,
  uplink,
  services,
  links: await links(),
});

export const linksCheck = check('links', look, judgeLinks);
