import { fileURLToPath } from 'node:url';
import type { World } from '../../../src/lab/world.ts';

const NETLINK = new URL('../../../dist/kernel/netlink/', import.meta.url);
const from = (file: string): string => JSON.stringify(fileURLToPath(new URL(file, NETLINK)));
const SCRIPT = `
  const { NETLINK_NETFILTER, NetlinkConnection } = await import(${from('connection.js')});
  const { rulesetGeneration } = await import(${from('generation.js')});
  const connection = NetlinkConnection.open(NETLINK_NETFILTER);
  console.log(await rulesetGeneration(connection));
  connection.close();`;

/** The number that the kernel raises with every change to a rule, chain or table of the Dom0's nf_tables. */
export async function dom0RulesetGeneration(world: World): Promise<number> {
  const text = await world.must('dom0', [process.execPath, '--input-type=module', '-e', SCRIPT]);
  const generation = Number(text);
  if (!Number.isInteger(generation) || generation < 1)
    throw new Error(`the kernel told no generation: "${text}"`);
  return generation;
}
