import { FakeKernel } from '../../../src/kernel/fake.ts';
import type { KernelState } from '../../../src/model/kernel-state.ts';
import type { Operation } from '../../../src/model/operation.ts';
import type { DirectorState } from '../../../src/model/state.ts';
import { diff } from '../../../src/plan/diff.ts';
import { acceptRa, SYSCTL } from '../../../src/plan/links.ts';
import { plan } from '../../../src/plan/plan.ts';
import { JUMPS } from '../../../src/render/layout.ts';
import { render } from '../../../src/render/render.ts';
import { EMPTY_KERNEL } from '../../../src/model/kernel-state.ts';
import { HandClock } from '../../contract/hand-clock.ts';
import { frames } from '../../support.ts';
import { UPLINK, VIFS } from './arbitrary-state.ts';

const FRAMES = frames();

export const desired = (state: DirectorState): KernelState =>
  state.services.length === 0 ? EMPTY_KERNEL : render(FRAMES, plan(state));

/** A host with the pool's interfaces, and much that is not ours. */
export function hostWithOthers(): FakeKernel {
  const kernel = new FakeKernel({
    clock: new HandClock(),
    jumps: JUMPS,
    sysctls: { 'net/netfilter/nf_conntrack_acct': '0' },
  });
  for (const link of [UPLINK, ...VIFS, 'vif9.9']) kernel.addLink(link);
  kernel.addForeignAddress(UPLINK, { family: 4, address: '198.18.0.2', prefix: 24 });
  kernel.addForeignBridge('br-lan');
  kernel.moveLink('vif9.9', 'br-lan');
  kernel.addForeignSet('dir-backup', 'hash:ip', 4);
  kernel.addForeignSet('blocked', 'hash:ip', 4);
  for (const family of [4, 6] as const) {
    kernel.addForeignRule(family, 'filter', 'DOCKER-USER', '-j RETURN');
    kernel.addForeignRule(family, 'filter', 'FORWARD', '-j DOCKER-USER');
    kernel.addForeignRule(
      family,
      'nat',
      'PREROUTING',
      '-p tcp -m tcp --dport 2222 -j REDIRECT --to-ports 22',
    );
  }
  kernel.addForeignRule(4, 'filter', 'INPUT', '-m set --match-set blocked src -j DROP');
  return kernel;
}

export function observe(kernel: FakeKernel, state: DirectorState): Promise<KernelState> {
  const bridges = state.services.map(({ service }) => service.bridge.name);
  return kernel.observe({
    links: [UPLINK, ...bridges],
    sysctls: [...Object.values(SYSCTL), acceptRa(UPLINK)],
  });
}

export async function pending(kernel: FakeKernel, state: DirectorState): Promise<Operation[]> {
  return diff(desired(state), await observe(kernel, state));
}

/** `after` is told of every single operation. */
export async function bring(
  kernel: FakeKernel,
  state: DirectorState,
  after: (operation: Operation) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  for (const operation of await pending(kernel, state)) {
    await kernel.apply(operation);
    await after(operation);
  }
}

/** The host's own things: everything in the dump that neither is ours nor leads to ours. */
export function foreign(kernel: FakeKernel): string {
  const lines: string[] = [];
  let ours = false;
  for (const line of kernel.dump().split('\n')) {
    if (!line.startsWith('  ')) ours = /^(?:set|chain \S+ \S+) (?:DIR-\S*|dir-(?!backup)\S*)/.test(line);
    const leads = line.startsWith('  -j DIR-');
    const changed = /^(?:sysctl| *link vif\d)/.test(line) || line.endsWith(' ours');
    if (!ours && !leads && !changed) lines.push(line);
  }
  // A built-in chain is shown only where it holds a rule; which of them do is told by their rules.
  return lines.filter((line) => !/^chain \S+ \S+ [A-Z]+$/.test(line)).join('\n');
}
