import type { World } from '../../../src/lab/world.ts';

const REFUSE = ['INPUT', '-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset'];

/** A DomU whose services refuse every connection; answers what mends it. */
export async function refuseAll(world: World, domu: string): Promise<() => Promise<void>> {
  const each = async (action: '-I' | '-D'): Promise<void> => {
    for (const tool of ['iptables', 'ip6tables']) await world.must(domu, [tool, '-w', action, ...REFUSE]);
  };
  await each('-I');
  return () => each('-D');
}
