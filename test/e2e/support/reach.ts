import type { Answer } from '../../../src/lab/ask.ts';
import { CLIENTS, DOM0, addressOf } from '../../../src/lab/topology.ts';
import type { Addresses, LabFamily, LabProtocol } from '../../../src/lab/topology.ts';
import type { World } from '../../../src/lab/world.ts';

export const FAMILIES: readonly LabFamily[] = [4, 6];

/** One thing to ask: `25/tcp` of a service (its address), or of a DomU directly. */
export interface Aim {
  readonly at: string;
  readonly port: `${number}/${LabProtocol}`;
}

export const aims = (at: string, ports: readonly Aim['port'][]): readonly Aim[] =>
  ports.map((port) => ({ at, port }));

/** By `CLIENT > PORT of NAME, IPvN`: `DOMU sees SOURCE`, or `nobody`. As a whole, so that a difference tells which. */
export type Reach = Readonly<Record<string, string>>;

export const NOBODY = 'nobody';

const nameOf = (client: string, { at, port }: Aim, family: LabFamily): string =>
  `${client} > ${port} of ${at}, IPv${family}`;

const textOf = ({ domu, seenSource, error }: Answer): string =>
  error === null ? `${domu ?? '?'} sees ${seenSource ?? '?'}` : NOBODY;

/** Asks everything once from every client, in both families. */
export async function reachOf(
  world: World,
  clients: readonly string[],
  aims: readonly Aim[],
): Promise<Reach> {
  const each = clients.map((client) => reachOfOne(world, client, aims));
  return Object.fromEntries((await Promise.all(each)).flat());
}

function reachOfOne(world: World, client: string, aims: readonly Aim[]): Promise<[string, string][]> {
  const asked = FAMILIES.flatMap((family) =>
    aims.map(async (aim): Promise<[string, string]> => {
      const [port, protocol] = aim.port.split('/') as [string, LabProtocol];
      const host = hostOf(world, aim.at, family);
      const answer = await world.ask(client, { host, port: Number(port), protocol });
      return [nameOf(client, aim, family), textOf(answer)];
    }),
  );
  return Promise.all(asked);
}

/** What reachOf() should answer. `domu`: null where nobody may answer. */
export function expected(
  world: World,
  clients: readonly string[],
  aims: readonly Aim[],
  domu: string | null,
  source: (client: string) => Addresses = (client) => ownAddress(world, client),
): Reach {
  return Object.fromEntries(
    clients.flatMap((client) =>
      FAMILIES.flatMap((family) =>
        aims.map((aim) => [
          nameOf(client, aim, family),
          domu === null ? NOBODY : `${domu} sees ${addressOf(source(client), family)}`,
        ]),
      ),
    ),
  );
}

/** A client's own addresses, by its namespace's name. */
export function ownAddress(world: World, client: string): Addresses {
  if (client === 'dom0') return DOM0;
  return client in CLIENTS ? CLIENTS[client as keyof typeof CLIENTS] : world.domu(client);
}

function hostOf(world: World, name: string, family: LabFamily): string {
  const service = world.services.find((one) => one.name === name);
  return addressOf(service ?? world.domu(name), family);
}
