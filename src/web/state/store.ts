import { computed, signal } from '@preact/signals';
import type {
  FlowHistoryView,
  JournalEntry,
  PlanView,
  ReadyView,
  ServiceView,
  SwitchView,
} from '../../api/contract.ts';

export type Link = 'connecting' | 'live' | 'lost';

/** Whether what is shown is what is. */
export const link = signal<Link>('connecting');
export const lostSince = signal<number | null>(null);

/** Null: not known yet. In the daemon's order. */
export const services = signal<ReadonlyMap<string, ServiceView> | null>(null);
export const ready = signal<ReadyView | null>(null);
/** What the director could not put back yet; null while the kernel is as it should be. */
export const plan = signal<PlanView | null>(null);
/** Newest first. */
export const journal = signal<readonly JournalEntry[]>([]);

/** Grows in place, at each new sample in another object: 500 services have a thousand of these. */
export interface Series {
  /** Milliseconds since the epoch. */
  readonly at: number[];
  readonly flows: (number | null)[];
}
/** Flows over the last minutes, by service, then by DomU. */
export const history = signal<ReadonlyMap<string, ReadonlyMap<string, Series>>>(new Map());

/** All trials that run, each once; the one that ends first comes first. */
export const trials = computed<readonly SwitchView[]>(() => {
  const found = new Map<string, SwitchView>();
  for (const { switch: trial } of services.value?.values() ?? [])
    if (trial !== null) found.set(trial.id, trial);
  const end = ({ confirmBy }: SwitchView): number => (confirmBy === null ? Infinity : Date.parse(confirmBy));
  return [...found.values()].toSorted((a, b) => end(a) - end(b));
});

const KEPT_MS = 600_000;

/** Adds samples; what is older than ten minutes is forgotten. */
export function addHistory({ at, services: added }: FlowHistoryView): void {
  if (at.length === 0) return;
  const times = at.map((each) => Date.parse(each));
  const next = new Map(history.value);
  for (const [service, domus] of Object.entries(added)) {
    const before = next.get(service);
    const series = Object.entries(domus).map(([domu, flows]): [string, Series] => [
      domu,
      joined(before?.get(domu), { at: times, flows }),
    ]);
    next.set(service, new Map(series));
  }
  history.value = next;
}

function joined(before: Series | undefined, added: Series): Series {
  if (before === undefined) return { at: [...added.at], flows: [...added.flows] };
  const last = before.at.at(-1) ?? 0;
  const from = added.at.findIndex((time) => time > last);
  if (from === -1) return before;
  const { at, flows } = before;
  at.push(...added.at.slice(from));
  flows.push(...added.flows.slice(from));
  const old = (at.at(-1) ?? 0) - KEPT_MS;
  const first = at.findIndex((time) => time >= old);
  at.splice(0, first);
  flows.splice(0, first);
  return { at, flows };
}

/** The counts of now, also into the picture of the last minutes. */
export function setService(view: ServiceView, time: number): void {
  services.value = new Map([...(services.value ?? []), [view.name, view]]);
  const { primary, secondary } = view;
  addHistory({
    at: [new Date(time).toISOString()],
    services: { [view.name]: { [primary.domu]: [primary.flows], [secondary.domu]: [secondary.flows] } },
  });
}

export function setServices(views: readonly ServiceView[]): void {
  services.value = new Map(views.map((view) => [view.name, view]));
}

/** The newest sample's counts become the rows' own. */
export function applyFlows({ services: flows }: FlowHistoryView): void {
  const before = services.value;
  if (before === null) return;
  let changed = false;
  const next = new Map(before);
  for (const [name, view] of before) {
    const [primary, secondary] = [view.primary, view.secondary].map(
      (domu) => flows[name]?.[domu.domu]?.at(-1) ?? domu.flows,
    ) as [number, number];
    if (primary === view.primary.flows && secondary === view.secondary.flows) continue;
    changed = true;
    next.set(name, {
      ...view,
      primary: { ...view.primary, flows: primary },
      secondary: { ...view.secondary, flows: secondary },
    });
  }
  if (changed) services.value = next;
}

const MOST_ENTRIES = 400;

export function addEntries(entries: readonly JournalEntry[]): void {
  const byId = new Map([...journal.value, ...entries].map((entry) => [entry.id, entry]));
  journal.value = [...byId.values()].toSorted((a, b) => b.id - a.id).slice(0, MOST_ENTRIES);
}
