import { formatSource } from '../model/address.ts';
import type { DomainReport, JournalRecord, ServiceSnapshot, SwitchRecord } from '../model/records.ts';
import { formatPort } from '../model/service.ts';
import type { StagedVolume, StageRecord } from '../model/stage.ts';
import { domuOf, liveRole, otherRole, slotOf } from '../model/state.ts';
import type { Role, Tester } from '../model/state.ts';
import { formatEndpoint } from '../health/endpoints.ts';
import type { DomuGreetings, DomuTraffic, Readiness, WhoamiRow } from '../switchover/director.ts';
import type { SwitchPreview } from '../switchover/preview.ts';
import type { KernelRules } from '../switchover/rules.ts';
import type {
  DomuView,
  GreetingView,
  JournalEntry,
  PreviewView,
  ReadyView,
  RulesView,
  ServiceView,
  StageView,
  SwitchView,
  TesterView,
  TrafficView,
  WhoamiView,
} from './contract.ts';

const instant = (ms: number): string => new Date(ms).toISOString();
const instantOrNull = (ms: number | null): string | null => (ms === null ? null : instant(ms));

export function serviceView(snapshot: ServiceSnapshot): ServiceView {
  const { state, activeSwitch, source, generation } = snapshot;
  const { service } = state;
  return {
    name: service.name,
    phase: state.trial === null ? 'settled' : 'trial',
    testing: state.testing,
    held: state.heldUntil !== null,
    heldUntil: instantOrNull(state.heldUntil),
    live: liveRole(state),
    primary: domuView(snapshot, 'primary'),
    secondary: domuView(snapshot, 'secondary'),
    addresses: service.addresses.map((address) => address.text),
    ports: service.ports.map(formatPort),
    bridge: service.bridge.name,
    testers: state.testers.map(testerView),
    switch: activeSwitch === null ? null : switchView(activeSwitch),
    draining: drainView(snapshot),
    source,
    generation,
  };
}

function domuView({ state, health, flows, domains }: ServiceSnapshot, role: Role): DomuView {
  const slot = slotOf(state, role);
  const domu = domuOf(state, role);
  return {
    domu: domu.name,
    addresses: domu.addresses.map((address) => address.text),
    health: health[slot].status,
    healthReason: health[slot].reason,
    flows: flows[slot],
    domain: domainView(domains[slot]),
  };
}

function domainView(report: DomainReport | null): DomuView['domain'] {
  if (report === null) return null;
  const { name, state, domid, since } = report;
  return { name, state, domid, since: instantOrNull(since) };
}

function drainView({ state, drain }: ServiceSnapshot): ServiceView['draining'] {
  if (drain === null) return null;
  const dark = domuOf(state, otherRole(liveRole(state)));
  return { domu: dark.name, flows: drain.flows, until: instantOrNull(drain.until) };
}

export function testerView({ source, kind, expiresAt, note }: Tester): TesterView {
  return { source: formatSource(source), kind, expiresAt: instantOrNull(expiresAt), note };
}

export function switchView(record: SwitchRecord): SwitchView {
  const { id, services, to, state, connections, by, reason, error } = record;
  return {
    id,
    services: [...services],
    to,
    state,
    committedAt: instantOrNull(record.committedAt),
    confirmBy: instantOrNull(record.confirmBy),
    endedAt: instantOrNull(record.endedAt),
    connections,
    drainUntil: instantOrNull(record.drainUntil),
    kernel: { flipMicros: record.flipMicros, familySkewMicros: record.familySkewMicros },
    flows: { kept: record.kept, cut: record.cut, udpFlushed: record.udpFlushed },
    by,
    reason,
    error,
  };
}

export function stageView(record: StageRecord): StageView {
  const { id, service, domu, from, state, doing, error, hint, left, notes, by, reason } = record;
  return {
    id,
    service,
    domu,
    from,
    state,
    doing,
    startedAt: instant(record.startedAt),
    endedAt: instantOrNull(record.endedAt),
    volumes: record.volumes.map((volume) => volumeView(volume, record)),
    error,
    hint,
    left: [...left],
    notes: [...notes],
    by,
    reason,
  };
}

function volumeView(volume: StagedVolume, { made }: StageRecord): StageView['volumes'][number] {
  const { group, name, origin, device, target, thin, check } = volume;
  const isThere = made.some((each) => each.kind === 'volume' && each.group === group && each.name === name);
  return { device, target, origin: `${group}/${origin}`, thin, isThere, check };
}

export function journalView({ id, at, kind, services, by, text, why, details }: JournalRecord): JournalEntry {
  return { id, at: instant(at), kind, services: [...services], by, text, why, details: { ...details } };
}

export function whoamiView(source: string | null, rows: readonly WhoamiRow[]): WhoamiView {
  return {
    source,
    services: rows.map(({ service, domu, role, live, testing, reason }) => ({
      service,
      domu,
      role,
      live,
      testing,
      reason,
    })),
  };
}

export function readyView({ ready, problems, since }: Readiness): ReadyView {
  return { ready, problems: [...problems], since: instant(since) };
}

export function previewView({ services, refusals, ...terms }: SwitchPreview): PreviewView {
  const { connections, drainFor, confirmWithin, hold } = terms;
  const cuts = connections === 'cut';
  return {
    connections,
    drainFor,
    confirmWithin,
    hold,
    services: services.map(({ service, from, target, health, tcp, udp, targetFlows }) => ({
      service,
      from,
      target,
      health: health.status,
      healthReason: health.reason,
      flows: { stay: cuts ? 0 : tcp, cut: cuts ? tcp : 0, udp, target: targetFlows },
    })),
    refusals: refusals.map(({ service, text, forceable }) => ({ service, text, forceable })),
  };
}

export function rulesView({ rules, sets }: KernelRules): RulesView {
  return {
    rules: rules.map(({ family, table, rule }) => ({ family, table, rule })),
    sets: sets.map(({ name, elements }) => ({
      name,
      elements: elements.map(({ key, expiresAt }) => ({ element: key, expiresAt: instantOrNull(expiresAt) })),
    })),
  };
}

export function greetingsView(domus: readonly DomuGreetings[]): GreetingView[] {
  return domus.map(({ domu, role, greetings }) => ({
    domu,
    role,
    says: greetings.map(({ endpoint, text, error }) => ({ endpoint: formatEndpoint(endpoint), text, error })),
  }));
}

export function trafficView({ at, domus }: { at: number; domus: readonly DomuTraffic[] }): TrafficView {
  return { at: instant(at), domus: domus.map(({ domu, carried }) => ({ domu, carried })) };
}
