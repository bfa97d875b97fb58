import type { KernelState } from '../../src/model/kernel-state.ts';
import { EMPTY_KERNEL } from '../../src/model/kernel-state.ts';
import { diff } from '../../src/plan/diff.ts';
import { formatNetwork } from '../../src/model/address.ts';
import { renderRestore } from '../../src/render/restore.ts';

/** Everything that a kernel would hold, as a reviewer reads it: what is restored on an empty host, and in which order. */
export function kernelText(desired: KernelState): string {
  return diff(desired, EMPTY_KERNEL)
    .map((operation) => {
      switch (operation.kind) {
        case 'set-create': {
          const { name, type, family, timeouts, counters } = operation.set;
          const options = `${family === 6 ? ' family inet6' : ''}${timeouts ? ' timeout 0' : ''}${counters ? ' counters' : ''}`;
          return `ipset create ${name} ${type}${options}`;
        }
        case 'set-add':
          return operation.elements
            .map(({ key, expiresAt }) => `ipset add ${operation.set.name} ${key}${until(expiresAt)}`)
            .join('\n');
        case 'choice-create':
          return 'choice: dir-trial over its banks';
        case 'choice-swap':
          return [
            'choice: exchange for',
            ...operation.choice.elements.map(({ key, expiresAt }) => `  ${key}${until(expiresAt)}`),
          ].join('\n');
        case 'rules':
          return `\n${renderRestore(operation.family, operation.tables)}`;
        case 'sysctl':
          return `sysctl ${operation.key}=${operation.value}`;
        case 'bridge-add':
          return `ip link add ${operation.bridge.name} type bridge`;
        case 'member-add':
          return `ip link set ${operation.link} master ${operation.bridge}`;
        case 'address-add':
          return `ip addr add ${formatNetwork(operation.address.address)} dev ${operation.address.link}${operation.address.announce ? ' # announced' : ''}`;
        default:
          return `unexpected: ${operation.kind}`;
      }
    })
    .join('\n');
}

const until = (expiresAt: number | null): string =>
  expiresAt === null ? '' : ` until ${new Date(expiresAt).toISOString()}`;
