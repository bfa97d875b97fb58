import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/index.ts';
import { crossCheck, definitionPrint, parseService } from '../config/index.ts';
import type { Fault } from '../lib/errors.ts';
import { groupBy } from '../lib/group.ts';
import { mapInSteps } from '../lib/turn.ts';
import type { Steps } from '../lib/turn.ts';
import { markCapacity } from '../model/mark.ts';
import type { SwitchRecord } from '../model/records.ts';
import type { Service } from '../model/service.ts';
import type { ServiceRow, Store } from '../store/store.ts';
import { toRow } from './context.ts';
import type { Entry } from './registry.ts';
import { leasedTester, placeSlots } from './registry.ts';

export interface Loaded {
  readonly entries: ReadonlyMap<string, Entry>;
  /** Those of them that the store does not have so. */
  readonly unsaved: () => readonly Entry[];
  /** Services that the store knows and nobody defines any more. */
  readonly gone: readonly string[];
  /** Removals over the API that the file's newer word has overtaken. */
  readonly overtaken: readonly string[];
  readonly lastId: number;
}

interface Defined {
  readonly service: Service;
  readonly source: 'file' | 'api';
  readonly filePrint: string | null;
}

/**
 * The file's services, what the API defined since, and what the store remembers of both. The newest word counts: a
 * definition over the API stands until the file's own definition of that service changes.
 */
export function* load(config: Config, store: Store): Steps<Loaded | { faults: readonly Fault[] }> {
  const rows = new Map(store.services().map((row) => [row.name, row]));
  yield;
  const removals = store.removals();
  const faults: Fault[] = [];
  const overtaken = config.services.filter(
    (service) => removals.has(service.name) && removals.get(service.name) !== definitionPrint(service),
  );
  const standing = config.services.filter(
    (service) => !removals.has(service.name) || overtaken.includes(service),
  );
  const fromFile = yield* mapInSteps(standing, (service) =>
    newestWord(service, rows.get(service.name), faults),
  );
  const inFile = new Set(config.services.map(({ name }) => name));
  const fromApi = [...rows.values()].filter(
    (row) => !inFile.has(row.name) && row.definition !== null && row.filePrint === null,
  );
  const defined = [...fromFile, ...fromApi.flatMap((row) => readApi(row, faults))];
  // The file by itself has been checked already, and so has any part of it.
  if (defined.some(({ source }) => source === 'api')) {
    faults.push(
      ...crossCheck(
        defined.map(({ service }) => service),
        config,
      ),
    );
  }
  return faults.length > 0
    ? { faults }
    : yield* assemble(
        defined,
        rows,
        store,
        config,
        overtaken.map(({ name }) => name),
      );
}

function newestWord(service: Service, row: ServiceRow | undefined, faults: Fault[]): Defined {
  const print = definitionPrint(service);
  const api =
    row !== undefined && row.definition !== null && row.filePrint === print
      ? readApi(row, faults)[0]
      : undefined;
  return api ?? { service, source: 'file', filePrint: print };
}

function readApi(row: ServiceRow, faults: Fault[]): Defined[] {
  const parsed = parseService(row.name, row.definition);
  if ('service' in parsed) return [{ service: parsed.service, source: 'api', filePrint: row.filePrint }];
  faults.push(
    ...parsed.faults.map((fault) => ({
      ...fault,
      message: `${fault.message} (defined over the API; "director" keeps it in its store)`,
    })),
  );
  return [];
}

function* assemble(
  defined: readonly Defined[],
  rows: ReadonlyMap<string, ServiceRow>,
  store: Store,
  config: Config,
  overtaken: readonly string[],
): Steps<Loaded> {
  const leases = groupBy(store.leases(), ({ service }) => service);
  const trials = new Map(
    store.trials().flatMap((record) => record.services.map((name): [string, SwitchRecord] => [name, record])),
  );
  const used = new Set(defined.flatMap(({ service }) => rows.get(service.name)?.id ?? []));
  const ids = idAllocator(store.lastId(), used, markCapacity(config.markMask));
  const entries = yield* mapInSteps(defined, (one): Entry => {
    const row = rows.get(one.service.name);
    return {
      ...one,
      id: row?.id ?? ids.next(),
      slots: placeSlots(one.service, row?.slots ?? null),
      primary: row?.primary ?? 'a',
      testing: row?.testing ?? 'open',
      heldUntil: row?.heldUntil ?? null,
      generation: row?.generation ?? 1,
      leases: (leases.get(one.service.name) ?? []).flatMap(leasedTester),
      trial: trials.get(one.service.name) ?? null,
      pinned: false,
    };
  });
  const names = new Set(entries.map(({ service }) => service.name));
  return {
    entries: new Map(entries.map((entry) => [entry.service.name, entry])),
    unsaved: () => entries.filter((entry) => !isSaved(entry, rows.get(entry.service.name))),
    gone: [...rows.keys()].filter((name) => !names.has(name)),
    overtaken,
    lastId: ids.last(),
  };
}

function isSaved(entry: Entry, row: ServiceRow | undefined): boolean {
  // A definition over the API came from there; the file's is not kept.
  return (
    row !== undefined &&
    isDeepStrictEqual({ ...toRow(entry), definition: null }, { ...row, definition: null }) &&
    (row.definition === null) === (entry.source === 'file')
  );
}

/** Ids go up, so that flows of a service that was removed are not another's; when they are used up, the lowest free one. */
export function idAllocator(
  last: number,
  used: ReadonlySet<number>,
  capacity: number,
): { next(): number; last(): number } {
  let latest = last;
  const taken = new Set(used);
  return {
    next() {
      let id = latest < capacity ? latest + 1 : 1;
      while (taken.has(id)) id = (id % capacity) + 1;
      taken.add(id);
      latest = Math.max(latest, id);
      return id;
    },
    last: () => latest,
  };
}
