import { formatNetwork } from '../model/address.ts';
import type { SetElement } from '../model/kernel-state.ts';
import type { Operation, TableChange } from '../model/operation.ts';
import type { PendingPlan } from '../switchover/director.ts';
import type { PlanView } from './contract.ts';

export function planView({ operations, services, restore }: PendingPlan): PlanView {
  return {
    changes: operations.map((operation) => ({
      kind: operation.kind,
      what: describe(operation),
      why: operation.why,
    })),
    services: [...services],
    restore: { ...restore },
  };
}

/** What one operation does, in the words of the tool that a sysadmin would use. */
function describe(operation: Operation): string {
  switch (operation.kind) {
    case 'sysctl':
      return `set ${operation.key} to ${operation.value}`;
    case 'bridge-add':
      return `make the bridge ${operation.bridge.name}`;
    case 'bridge-up':
      return `set ${operation.bridge.name} up`;
    case 'bridge-delete':
      return `delete the bridge ${operation.bridge.name}`;
    case 'member-add':
      return `put ${operation.link} on ${operation.bridge}`;
    case 'member-remove':
      return `take ${operation.link} off ${operation.bridge}`;
    case 'address-add':
      return `add ${formatNetwork(operation.address.address)} to ${operation.address.link}`;
    case 'address-delete':
      return `delete ${formatNetwork(operation.address.address)} from ${operation.address.link}`;
    default:
      return describeSetOrRules(operation);
  }
}

type SetOrRules = Extract<Operation, { kind: `set-${string}` | `choice-${string}` | 'rules' }>;

function describeSetOrRules(operation: SetOrRules): string {
  switch (operation.kind) {
    case 'set-create':
      return `create the set ${operation.set.name}`;
    case 'set-destroy':
      return `destroy the set ${operation.set.name}`;
    case 'set-add':
      return `add to ${operation.set.name}: ${list(operation.elements)}`;
    case 'set-delete':
      return `delete from ${operation.set.name}: ${list(operation.elements)}`;
    case 'choice-create':
      return 'create the choice of each service (dir-trial)';
    case 'choice-swap':
      return `exchange the choice for: ${list(operation.choice.elements)}`;
    case 'choice-destroy':
      return 'destroy the choice (dir-trial)';
    case 'rules':
      return `load ${operation.family === 4 ? 'iptables' : 'ip6tables'} rules: ${operation.tables.map(describeTable).join('; ')}`;
    default:
      return operation satisfies never;
  }
}

const SHOWN = 8;

function list(elements: readonly SetElement[]): string {
  if (elements.length === 0) return 'nothing';
  const shown = elements.slice(0, SHOWN).map((element) => element.key);
  const more = elements.length - shown.length;
  return shown.join(' ') + (more > 0 ? ` and ${more} more` : '');
}

function describeTable({ table, write, jumps, delete: gone }: TableChange): string {
  const parts = [
    names(
      'write',
      write.map((chain) => chain.chain),
    ),
    names(
      'jump to',
      jumps.filter((jump) => jump.wanted).map((jump) => jump.jump.target),
    ),
    names(
      'no jump to',
      jumps.filter((jump) => !jump.wanted).map((jump) => jump.jump.target),
    ),
    names('delete', gone),
  ];
  return `${table} (${parts.filter((part) => part !== '').join(', ') || 'nothing'})`;
}

function names(verb: string, chains: readonly string[]): string {
  if (chains.length === 0) return '';
  const more = chains.length - SHOWN;
  return `${verb} ${chains.slice(0, SHOWN).join(' ')}${more > 0 ? ` and ${more} more` : ''}`;
}
