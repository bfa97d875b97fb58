import { formatNetwork, formatSource } from '../model/address.ts';
import { formatPort } from '../model/service.ts';
import type { Outlet, Port, Service } from '../model/service.ts';
import type { StageSettings } from '../model/stage.ts';
import { formatDuration } from '../lib/duration.ts';

const durationOrNever = (ms: number | null): string => (ms === null ? 'never' : formatDuration(ms));

const portDefinition = (port: Port): string | { port: string; to: number } =>
  port.target === null ? formatPort(port) : { port: formatPort(port), to: port.target };

const outletDefinition = ({ to, ports }: Outlet): unknown =>
  ports.length === 0 ? formatSource(to) : { to: formatSource(to), ports: ports.map(formatPort) };

const stageDefinition = ({
  prepare,
  prepareWithin,
  healthyWithin,
  keep,
  size,
  quiesceFor,
  ...rest
}: StageSettings): unknown => ({
  ...rest,
  size: `${size}%`,
  quiesceFor: formatDuration(quiesceFor),
  ...(prepare === null ? {} : { prepare: [...prepare] }),
  prepareWithin: formatDuration(prepareWithin),
  healthyWithin: formatDuration(healthyWithin),
  keep: { count: keep.count, for: formatDuration(keep.for) },
});

/** The definition that parseService would read this service from, with nothing left to defaults. */
export function describeService(service: Service): Record<string, unknown> {
  const { addresses, announce, ports, bridge, domus, testers, admins, cutover, health } = service;
  const { quarantine, stage } = service;
  return {
    addresses: addresses.map(({ text }) => text),
    announce,
    ports: ports.map(portDefinition),
    bridge: { name: bridge.name, gateway: bridge.gateway.map(formatNetwork) },
    domus: domus.map((domu) => ({
      name: domu.name,
      addresses: domu.addresses.map(({ text }) => text),
      vifs: [...domu.vifs],
      ...(domu.domain === undefined ? {} : { domain: domu.domain }),
      ...(domu.macs === undefined ? {} : { macs: [...domu.macs] }),
    })),
    testers: testers.map(formatSource),
    admins: admins.map(formatSource),
    cutover: {
      connections: cutover.connections,
      drainFor: durationOrNever(cutover.drainFor),
      confirmWithin: durationOrNever(cutover.confirmWithin),
    },
    health: {
      check: health.check,
      every: formatDuration(health.every),
      timeout: formatDuration(health.timeout),
    },
    // Left out where it is off: a definition reads as it did before there was such a thing.
    ...(quarantine === null
      ? {}
      : { quarantine: quarantine.length === 0 ? true : quarantine.map(outletDefinition) }),
    ...(stage === null ? {} : { stage: stageDefinition(stage) }),
  };
}
