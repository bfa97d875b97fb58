import type { JournalKind } from '../../../src/model/records.ts';
import type { Bench } from './engine-bench.ts';
import { ACTOR, definition, network } from './engine-bench.ts';

const SOURCE = network('203.0.113.9');
const HOUR = 3_600_000;

/** A verb, what comes before it, and what the journal calls it. */
export interface Verb {
  readonly prepare?: (bench: Bench) => Promise<unknown>;
  readonly run: (bench: Bench) => Promise<unknown>;
  readonly kind: JournalKind;
  /** What it does stands in a file that the next start reads in any case. */
  readonly inFile?: true;
  /** Packets wait while it is under way. */
  readonly holds?: true;
}

export const switchBoth = (bench: Bench): Promise<{ id: string }> =>
  bench.engine.switchOver({ services: ['mail', 'ldap'], to: 'secondary', confirmWithin: HOUR }, ACTOR);

/** The one trial that is on. */
const trialOf = (bench: Bench): string => bench.store.trials()[0]?.id ?? '';

const enrol = (bench: Bench): Promise<unknown> =>
  bench.engine.enrol('mail', SOURCE, { expiresIn: HOUR, note: null }, ACTOR);

/** Every verb that changes something. */
export const VERBS: Readonly<Record<string, Verb>> = {
  switch: { run: switchBoth, kind: 'switch' },
  'switch with a hold': {
    run: (bench) =>
      bench.engine.switchOver(
        { services: ['mail', 'ldap'], to: 'secondary', confirmWithin: HOUR, hold: 1000 },
        ACTOR,
      ),
    kind: 'switch',
    holds: true,
  },
  confirm: {
    prepare: switchBoth,
    run: (bench) => bench.engine.confirm(trialOf(bench), ACTOR),
    kind: 'confirm',
  },
  rollback: {
    prepare: switchBoth,
    run: (bench) => bench.engine.rollback(trialOf(bench), ACTOR),
    kind: 'rollback',
  },
  hold: { run: (bench) => bench.engine.hold('mail', HOUR, ACTOR), kind: 'hold' },
  release: {
    prepare: (bench) => bench.engine.hold('mail', HOUR, ACTOR),
    run: (bench) => bench.engine.release('mail', ACTOR),
    kind: 'release',
  },
  enrol: { run: enrol, kind: 'tester-add' },
  unenrol: {
    prepare: enrol,
    run: (bench) => bench.engine.unenrol('mail', SOURCE, ACTOR),
    kind: 'tester-remove',
  },
  'close testing': { run: (bench) => bench.engine.setTesting('mail', 'closed', ACTOR), kind: 'testing' },
  'open testing': {
    prepare: (bench) => bench.engine.setTesting('mail', 'closed', ACTOR),
    run: (bench) => bench.engine.setTesting('mail', 'open', ACTOR),
    kind: 'testing',
  },
  define: { run: (bench) => bench.engine.define('web', definition('web', 80), ACTOR), kind: 'define' },
  'define anew': {
    run: (bench) =>
      bench.engine.define('mail', definition('mail', 25, { ports: ['25/tcp', '993/tcp'] }), ACTOR),
    kind: 'define',
  },
  remove: { run: (bench) => bench.engine.remove('mail', ACTOR), kind: 'remove' },
  reload: {
    run: (bench) => {
      bench.configure({
        mail: definition('mail', 25, { ports: ['25/tcp', '143/tcp'] }),
        web: definition('web', 80),
      });
      return bench.engine.reload(ACTOR);
    },
    kind: 'reload',
    inFile: true,
  },
};
