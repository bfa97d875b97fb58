import { batch, effect } from '@preact/signals';
import type { FlowHistoryView, JournalEntry, PlanView, ReadyView, ServiceView } from '../../api/contract.ts';
import { readEvents } from '../../lib/sse.ts';
import type { ServerEvent } from '../../lib/sse.ts';
import { call, get } from './api.ts';
import { notify } from './notices.ts';
import { route } from './route.ts';
import { learnSession } from './session.ts';
import {
  addEntries,
  addHistory,
  applyFlows,
  history,
  journal,
  link,
  lostSince,
  plan,
  ready,
  services,
  setService,
  setServices,
} from './store.ts';

/** The daemon says something each 15 s; who is silent for longer than this is gone. Milliseconds. */
const SILENCE = 20_000;
const RETRY_AFTER = 1000;
const RETRY_AFTER_MOST = 5000;
/** No more than one look at all services in this time, whatever happens. */
const LOOK_EVERY = 1000;
const FLOWS_EVERY = 5000;
const ALL_EVERY = 30_000;
const SERVICE_EVERY = 1000;
const READY_EVERY = 5000;
const PLAN_EVERY = 15_000;
/** So many that have changed are asked for one by one. */
const ONE_BY_ONE = 4;

/** Keeps the store true for as long as the page is open. */
export function follow(): void {
  void followForever();
  each(FLOWS_EVERY, lookAtFlows);
  each(ALL_EVERY, () => lookAt('all'));
  each(READY_EVERY, lookAtReady);
  each(SERVICE_EVERY, lookAtShown);
  // A service that was opened is as fresh as its page.
  effect(() => {
    if (route.value.view === 'service') void lookAtShown().catch(() => undefined);
  });
}

/** Not while nobody looks, nor while nobody answers; one look ends before the next. */
function each(ms: number, look: () => Promise<void> | void): void {
  const again = async (): Promise<void> => {
    if (link.value === 'live' && !document.hidden) await Promise.resolve(look()).catch(() => undefined);
    setTimeout(() => void again(), ms);
  };
  setTimeout(() => void again(), ms);
}

async function followForever(): Promise<void> {
  let wait = RETRY_AFTER;
  for (;;) {
    const opened = await followOnce().catch(() => false);
    if (opened) wait = RETRY_AFTER;
    if (link.value !== 'lost') {
      batch(() => {
        link.value = 'lost';
        lostSince.value = Date.now();
      });
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 1.5, RETRY_AFTER_MOST);
  }
}

/** Until the stream ends; answers whether it was open at all. */
async function followOnce(): Promise<boolean> {
  const abort = new AbortController();
  let dog = setTimeout(() => abort.abort(), SILENCE);
  const heard = (): void => {
    clearTimeout(dog);
    dog = setTimeout(() => abort.abort(), SILENCE);
  };
  try {
    const last = journal.value[0]?.id;
    const headers = last === undefined ? {} : { 'last-event-id': String(last) };
    const stream = await fetch('/v1/events', { headers, cache: 'no-store', signal: abort.signal });
    if (!stream.ok || stream.body === null) return false;
    // What happens from here on is in the stream; what was before is read now.
    await lookAtEverything();
    batch(() => {
      link.value = 'live';
      lostSince.value = null;
    });
    for await (const event of readEvents(textOf(stream.body, heard))) take(event);
    return true;
  } finally {
    clearTimeout(dog);
    abort.abort();
  }
}

async function* textOf(body: ReadableStream<Uint8Array>, heard: () => void): AsyncGenerator<string> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    yield value;
  }
}

async function lookAtEverything(): Promise<void> {
  const [, views, entries, flows] = await Promise.all([
    learnSession(),
    get<ServiceView[]>('/v1/services'),
    get<JournalEntry[]>('/v1/journal?limit=100'),
    get<FlowHistoryView>('/v1/flows'),
    lookAtReady(),
  ]);
  batch(() => {
    setServices(views);
    addEntries(entries);
    addHistory(flows);
  });
}

/** 503 is an answer, too. */
async function readyView(): Promise<ReadyView> {
  const answer = await fetch('/readyz', { cache: 'no-store' });
  return (await answer.json()) as ReadyView;
}

function take({ event, data }: ServerEvent): void {
  if (event === 'service') {
    lookAt((JSON.parse(data) as { service: string }).service);
    return;
  }
  const entry = JSON.parse(data) as JournalEntry;
  const isNew = !journal.value.some(({ id }) => id === entry.id);
  addEntries([entry]);
  if (isNew) notify(entry);
  if (entry.services.length === 0 || ['define', 'remove', 'reload'].includes(entry.kind)) lookAt('all');
  else for (const name of entry.services) lookAt(name);
}

let plannedAt = 0;

async function planView(): Promise<PlanView | null> {
  if (Date.now() < plannedAt + PLAN_EVERY) return plan.value;
  plannedAt = Date.now();
  return get<PlanView>('/v1/plan').catch(() => null);
}

const dirty = new Set<string>();
let allDirty = false;
let planned = false;
let lookedAt = 0;

/** Soon, and together with whatever else changes until then. */
export function lookAt(what: string): void {
  if (what === 'all') allDirty = true;
  else dirty.add(what);
  if (planned) return;
  planned = true;
  setTimeout(() => void look(), Math.max(lookedAt + LOOK_EVERY - Date.now(), 50));
}

async function look(): Promise<void> {
  const names = [...dirty];
  const all = allDirty || names.length > ONE_BY_ONE;
  dirty.clear();
  allDirty = false;
  planned = false;
  lookedAt = Date.now();
  try {
    if (all) {
      const [views] = await Promise.all([get<ServiceView[]>('/v1/services'), lookAtReady()]);
      setServices(views);
    } else await Promise.all(names.map(lookAtService));
  } catch {
    // Whoever is gone is noticed by the stream, and everything is read anew when it is back.
  }
}

export async function lookAtService(name: string): Promise<void> {
  const view = await call<ServiceView>('GET', `/v1/services/${name}`);
  setService(view, Date.now());
}

async function lookAtShown(): Promise<void> {
  const shown = route.value;
  if (shown.view !== 'service' || services.value?.has(shown.name) !== true) return;
  await lookAtService(shown.name);
}

async function lookAtFlows(): Promise<void> {
  let newest = 0;
  for (const domus of history.value.values())
    for (const { at } of domus.values()) newest = Math.max(newest, at.at(-1) ?? 0);
  const after = newest === 0 ? '' : `?after=${new Date(Math.max(newest - FLOWS_EVERY * 2, 0)).toISOString()}`;
  const flows = await get<FlowHistoryView>(`/v1/flows${after}`);
  batch(() => {
    addHistory(flows);
    applyFlows(flows);
  });
}

/**
 * The director itself looks three times a second, and tells in the journal what it has put back. What it plans is only
 * asked for, since that is a look at the whole kernel, while it says that it could not.
 */
async function lookAtReady(): Promise<void> {
  const state = await readyView();
  const next = state.ready ? null : await planView();
  batch(() => {
    ready.value = state;
    plan.value = next;
  });
}
