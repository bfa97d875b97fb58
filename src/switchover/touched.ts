import type { Operation } from '../model/operation.ts';
import type { Entry } from './registry.ts';
import { wordsOf } from './rules.ts';

/** Whose rules, sets, bridges or addresses these operations change, in their order; what all share is nobody's. */
export function servicesTouched(operations: readonly Operation[], entries: readonly Entry[]): string[] {
  const words = new Set(operations.flatMap(wordsIn));
  if (words.size === 0) return [];
  return entries
    .filter(({ service }) => [...wordsOf(service)].some((word) => words.has(word)))
    .map(({ service }) => service.name);
}

function wordsIn(operation: Operation): string[] {
  switch (operation.kind) {
    case 'bridge-add':
    case 'bridge-up':
    case 'bridge-delete':
      return [operation.bridge.name];
    case 'member-add':
    case 'member-remove':
      return [operation.bridge];
    case 'address-add':
    case 'address-delete':
      return [operation.address.link, operation.address.address.address];
    case 'set-create':
    case 'set-destroy':
      return [operation.set.name];
    case 'set-add':
    case 'set-delete':
      return [operation.set.name, ...operation.elements.map(hostOf)];
    case 'choice-swap':
      return operation.choice.elements.map(hostOf);
    case 'rules':
      return operation.tables.flatMap(({ write, delete: gone }) => [
        ...write.map(({ chain }) => chain),
        ...gone,
      ]);
    case 'sysctl':
    case 'choice-create':
    case 'choice-destroy':
      return [];
    default:
      return operation satisfies never;
  }
}

/** Of `192.0.2.25,tcp:25` and of `10.50.0.2`: the address. */
const hostOf = ({ key }: { readonly key: string }): string => key.split(/[,/]/, 1)[0] ?? '';
