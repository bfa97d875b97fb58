import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalEntry, SwitchView } from '../../../src/api/contract.ts';
import type { DirectedWorld } from './director.ts';
import { until } from './until.ts';

/**
 * Everything that a graph can show happens once, to mail, under load: testers, a hold, a switch that drains and is rolled
 * back, one that is confirmed. ldap's trial expires. `breath`: milliseconds between two of them, for whoever looks at it.
 */
export async function cutoverForGraphs(directed: DirectedWorld, breath = 2000): Promise<void> {
  const { world } = directed;
  const target = { host: 'mail', port: 8000, eachSecond: true };
  const load = world.startLoad('customer', { ...target, workers: 2, pause: 10 });
  const tests = world.startLoad('tester', { ...target, workers: 1, pause: 50 });
  const stays = world.hold('customer', { host: 'mail', port: 25 });
  await until('there is load', () => [load, tests].every(({ sofar }) => (sofar?.connections ?? 0) > 0));
  await sleep(breath);
  await goThereAndBack(directed, breath);
  await call(directed, 'POST', '/v1/services/mail/hold', { for: '10s' });
  await sleep(breath / 4);
  await call(directed, 'DELETE', '/v1/services/mail/hold');
  await sleep(breath);
  const { id } = await switchTo(directed, 'mail', {});
  await sleep(breath);
  await call(directed, 'POST', `/v1/switches/${id}/confirm`, {});
  await sleep(breath);
  await until('the trial of ldap has expired', () => journalled(directed, 'expire'));
  await Promise.all([load.stop(), tests.stop(), stays.stop()]);
}

async function goThereAndBack(directed: DirectedWorld, breath: number): Promise<void> {
  const { world } = directed;
  await switchTo(directed, 'ldap', { confirmWithin: '1s' });
  const { id } = await switchTo(directed, 'mail', { drainFor: `${breath}ms` });
  await sleep(breath);
  await world.ask('customer', { host: world.domu('mail-a').ipv4, port: 25 });
  await until('old connections are cut', () => journalled(directed, 'drained'));
  await sleep(breath / 2);
  await call(directed, 'POST', `/v1/switches/${id}/rollback`, {});
  await sleep(breath);
}

const switchTo = async (directed: DirectedWorld, service: string, order: object): Promise<SwitchView> =>
  (await call(directed, 'POST', '/v1/switches', {
    services: [service],
    to: 'secondary',
    ...order,
  })) as SwitchView;

async function journalled(directed: DirectedWorld, kind: JournalEntry['kind']): Promise<boolean> {
  const entries = (await call(directed, 'GET', '/v1/journal?limit=50')) as JournalEntry[];
  return entries.some((entry) => entry.kind === kind);
}

async function call(
  { daemon }: DirectedWorld,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const answer = await daemon.call(method, path, body);
  if (answer.status < 300) return answer.body;
  throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
}
