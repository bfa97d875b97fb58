import { expect, test } from 'vitest';
import type { Operation } from '../../src/model/operation.ts';
import { driveLanes, stretchesOf } from '../../src/reconcile/lanes.ts';

const bridge = (name: string): Operation => ({ kind: 'bridge-add', bridge: { name }, why: '' });
const set = { type: 'hash:ip', family: 4, timeouts: false, counters: false } as const;
const create = (name: string): Operation => ({ kind: 'set-create', set: { name, ...set }, why: '' });
const fill = (name: string): Operation => ({ kind: 'set-add', set: { name, ...set }, elements: [], why: '' });
const rules: Operation = { kind: 'rules', family: 4, tables: [], why: '' };
const nameOf = (operation: Operation): string =>
  operation.kind === 'bridge-add'
    ? operation.bridge.name
    : 'set' in operation
      ? `${operation.kind} ${operation.set.name}`
      : operation.kind;

/** Each resolves some turns later, those that came first last. */
function slow(log: string[], failing = ''): (operation: Operation) => Promise<void> {
  let turns = 20;
  return async (operation) => {
    log.push(nameOf(operation));
    if (nameOf(operation) === failing) throw new Error('no');
    for (let left = --turns; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
    log.push(`${nameOf(operation)} done`);
  };
}

test('what is made of one thing keeps its order, and rules come after all sets', async () => {
  const log: string[] = [];
  const operations = [create('x'), fill('x'), create('y'), fill('y'), rules, bridge('b')];
  for (const stretch of stretchesOf(operations)) await driveLanes(stretch, slow(log));
  for (const name of ['x', 'y'])
    expect(log.indexOf(`set-create ${name} done`)).toBeLessThan(log.indexOf(`set-add ${name}`));
  expect(log.indexOf('set-create y')).toBeLessThan(log.indexOf('set-create x done'));
  const rest = log.slice(log.indexOf('rules'));
  expect(rest).toEqual(['rules', 'rules done', 'b', 'b done']);
});

test('after a failure nothing is begun, and all that was has ended when it is told', async () => {
  const log: string[] = [];
  const many = Array.from({ length: 200 }, (_, n) => bridge(`b${n}`));
  const [stretch] = stretchesOf(many);
  await expect(driveLanes(stretch ?? [], slow(log, 'b3'))).rejects.toThrow('no');
  const begun = log.filter((entry) => !entry.endsWith(' done'));
  expect(begun.length).toBeLessThan(200);
  expect(log.length).toBe(2 * begun.length - 1);
  const before = log.length;
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(log.length).toBe(before);
});
