import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { JournalKind } from '../model/records.ts';
import type { Operation } from '../model/operation.ts';
import type { Cause, EngineEvents } from '../switchover/context.ts';
import { NAME } from './text-format.ts';

export type SwitchOutcome = 'trial' | 'confirmed' | 'rolled_back' | 'expired' | 'failed' | 'refused';
export type RollbackCause = Cause;
export type HoldCause = EngineEvents['held']['cause'];

const OUTCOMES: Readonly<Record<SwitchOutcome, true>> = {
  trial: true,
  confirmed: true,
  rolled_back: true,
  expired: true,
  failed: true,
  refused: true,
};
const ROLLBACKS: Readonly<Record<RollbackCause, true>> = {
  asked: true,
  deadline: true,
  failure: true,
  recovery: true,
};
const HOLDS: Readonly<Record<HoldCause, true>> = { asked: true, switch: true };
const REPAIRS: Readonly<Record<Operation['kind'], true>> = {
  sysctl: true,
  'bridge-add': true,
  'bridge-up': true,
  'bridge-delete': true,
  'member-add': true,
  'member-remove': true,
  'address-add': true,
  'address-delete': true,
  'set-create': true,
  'set-destroy': true,
  'set-add': true,
  'set-delete': true,
  'choice-create': true,
  'choice-swap': true,
  'choice-destroy': true,
  rules: true,
};
const JOURNAL: Readonly<Record<JournalKind, true>> = {
  start: true,
  stop: true,
  switch: true,
  confirm: true,
  rollback: true,
  expire: true,
  fail: true,
  drained: true,
  hold: true,
  release: true,
  'tester-add': true,
  'tester-remove': true,
  'tester-expire': true,
  testing: true,
  define: true,
  remove: true,
  reload: true,
  repair: true,
  domu: true,
  stage: true,
  staged: true,
  'stage-fail': true,
  unstage: true,
  prune: true,
  destroy: true,
  error: true,
};

export interface Recorders {
  readonly switches: Counter<'outcome'>;
  readonly rollbacks: Counter<'cause'>;
  readonly holds: Counter<'cause'>;
  readonly flip: Histogram;
  readonly reconcile: Histogram;
  readonly reconcileErrors: Counter;
  readonly lastSuccess: Gauge;
  readonly repairs: Counter<'kind'>;
  readonly journal: Counter<'kind'>;
  readonly snapshotErrors: Counter;
}

/** What happens, counted as it happens. Each series is there from the start, at 0, so that its first increase is seen. */
export function newRecorders(registry: Registry, version: string): Recorders {
  buildInfo(registry, version);
  const counted = switchRecorders(registry);
  const recorders = { ...counted, ...reconcileRecorders(registry), ...journalRecorders(registry) };
  for (const outcome of Object.keys(OUTCOMES)) recorders.switches.inc({ outcome }, 0);
  for (const cause of Object.keys(ROLLBACKS)) recorders.rollbacks.inc({ cause }, 0);
  for (const cause of Object.keys(HOLDS)) recorders.holds.inc({ cause }, 0);
  for (const kind of Object.keys(REPAIRS)) recorders.repairs.inc({ kind }, 0);
  for (const kind of Object.keys(JOURNAL)) recorders.journal.inc({ kind }, 0);
  return recorders;
}

function buildInfo(registry: Registry, version: string): void {
  const gauge = new Gauge({
    name: `${NAME}build_info`,
    help: 'Always 1; the labels say what is running.',
    labelNames: ['version', 'node'] as const,
    registers: [registry],
  });
  gauge.set({ version, node: process.versions.node }, 1);
}

function switchRecorders(registry: Registry) {
  return {
    switches: new Counter({
      name: `${NAME}switches_total`,
      help: 'Switches by what became of them: each that happened counts once as trial and once as how it ended; refused ones changed nothing.',
      labelNames: ['outcome'] as const,
      registers: [registry],
    }),
    rollbacks: new Counter({
      name: `${NAME}rollbacks_total`,
      help: 'Switches after which everybody is where they were, by cause: asked (somebody rolled back), deadline (nobody confirmed in time), failure (kernel or store refused the switch, and it was put back), recovery (found by a director at its start).',
      labelNames: ['cause'] as const,
      registers: [registry],
    }),
    holds: new Counter({
      name: `${NAME}holds_total`,
      help: 'Holds of packets, by cause: asked (somebody held a service), switch (a switch with a hold).',
      labelNames: ['cause'] as const,
      registers: [registry],
    }),
    flip: new Histogram({
      name: `${NAME}switch_flip_seconds`,
      help: "Time from sending the one message that exchanges the choice to the kernel's answer.",
      buckets: [0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.005, 0.02, 0.1],
      registers: [registry],
    }),
  };
}

function reconcileRecorders(registry: Registry) {
  return {
    reconcile: new Histogram({
      name: `${NAME}reconcile_seconds`,
      help: 'Time of one reconcile: observe, plan, apply what differs, and look again.',
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
      registers: [registry],
    }),
    reconcileErrors: new Counter({
      name: `${NAME}reconcile_errors_total`,
      help: 'Reconciles that the kernel refused; they are tried again.',
      registers: [registry],
    }),
    lastSuccess: new Gauge({
      name: `${NAME}reconcile_last_success_timestamp_seconds`,
      help: 'Unix time at which the kernel was last found, or made, what it should be; it is looked at every 10 s at least.',
      registers: [registry],
    }),
    repairs: new Counter({
      name: `${NAME}repairs_total`,
      help: 'Operations that put back what somebody else had changed of ours, by kind of operation; one repair may be several, and is one journal entry of the kind repair.',
      labelNames: ['kind'] as const,
      registers: [registry],
    }),
  };
}

function journalRecorders(registry: Registry) {
  return {
    journal: new Counter({
      name: `${NAME}journal_entries_total`,
      help: 'Journal entries written since the start, by kind.',
      labelNames: ['kind'] as const,
      registers: [registry],
    }),
    snapshotErrors: new Counter({
      name: `${NAME}snapshot_errors_total`,
      help: 'Scrapes whose per-service series are missing, because the state of the services could not be read.',
      registers: [registry],
    }),
  };
}
