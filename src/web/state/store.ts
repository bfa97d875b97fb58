import { computed, signal } from '@preact/signals';
import type {
  FlowHistoryView,
  JournalEntry,
  PlanView,
  ReadyView,
  ServiceView,
  SwitchView,
} from '../../api/contract.ts';
import { attentionOf } from './attention.ts';

export type Link = 'connecting' | 'live' | 'lost';

/** Whether what is shown is what is. */
export const link = signal<Link>('connecting');
export const lostSince = signal<number | null>(null);

/** Null: not known yet. In the daemon's order. */
export const services = signal<ReadonlyMap<string, ServiceView> | null>(null);
export const ready = signal<ReadyView | null>(null);
export const plan = signal<PlanView | null>(null);
/** Newest first. */
export const journal = signal<readonly JournalEntry[]>([]);

export interface Series {
  /** Milliseconds since the epoch. */
  readonly at: readonly number[];
  readonly flows: readonly (number | null)[];
}
/** Flows over the last minutes, by service, then by DomU. */
export const history = signal<ReadonlyMap<string, ReadonlyMap<string, Series>>>(new Map());

/** Which services the next repair would touch: the kernel is not as it should be there. */
export const drifting = computed<ReadonlySet<string>>(() => {
  const changes = plan.value?.changes ?? [];
  if (changes.length === 0) return new Set();
  const text = changes.map(({ what, why }) => `${what} ${why}`).join(' ');
  const words = new Set(text.split(/[^a-zA-Z0-9-]+/));
  const names = [...(services.value ?? new Map<string, ServiceView>()).values()];
  return new Set(names.filter((service) => isNamed(service, words)).map(({ name }) => name));
});

const isNamed = ({ name, bridge }: ServiceView, words: ReadonlySet<string>): boolean =>
  [name, `DIR-${name}`, `DIR-FWD-${name}`, `DIR-OUT-${name}`, `dir-${name}-testers`, bridge].some((word) =>
    words.has(word),
  );

/** Trouble first, then by name. */
export const sorted = computed<readonly ServiceView[]>(() => {
  const all = [...(services.value?.values() ?? [])];
  const ranked = all.map((service) => ({
    service,
    rank: attentionOf(service, drifting.value.has(service.name)).rank,
  }));
  return ranked
    .toSorted(
      (a, b) => a.rank - b.rank || a.service.name.localeCompare(b.service.name, 'en', { numeric: true }),
    )
    .map(({ service }) => service);
});

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
  const last = before?.at.at(-1) ?? 0;
  const from = added.at.findIndex((time) => time > last);
  if (before === undefined || from === -1) return before ?? added;
  const at = [...before.at, ...added.at.slice(from)];
  const flows = [...before.flows, ...added.flows.slice(from)];
  const old = (at.at(-1) ?? 0) - KEPT_MS;
  const first = at.findIndex((time) => time >= old);
  return { at: at.slice(first), flows: flows.slice(first) };
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
