import type { Operation } from '../../model/operation.ts';
import { choiceCommit, choiceCreate, choiceDestroy, choicePrepare } from './choice.ts';
import {
  addressAdd,
  addressDelete,
  bridgeAdd,
  bridgeDelete,
  bridgeUp,
  memberAdd,
  memberRemove,
} from './links.ts';
import { applyRules } from './rules.ts';
import { setAdd, setCreate, setDelete, setDestroy } from './sets.ts';
import type { FakeState } from './state.ts';
import { sysctlWrite } from './sysctls.ts';

/** The state after this operation; the very same one where it changes nothing. Throws KernelError. */
export function reduce(state: FakeState, operation: Operation, now: number): FakeState {
  switch (operation.kind) {
    case 'sysctl':
      return sysctlWrite(state, operation.key, operation.value);
    case 'bridge-add':
      return bridgeAdd(state, operation.bridge.name);
    case 'bridge-up':
      return bridgeUp(state, operation.bridge.name);
    case 'bridge-delete':
      return bridgeDelete(state, operation.bridge.name);
    case 'member-add':
      return memberAdd(state, operation.bridge, operation.link);
    case 'member-remove':
      return memberRemove(state, operation.bridge, operation.link);
    case 'address-add':
      return addressAdd(state, { ...addressOf(operation), ours: true });
    case 'address-delete':
      return addressDelete(state, operation.address.link, operation.address.address);
    case 'rules':
      return applyRules(state, operation.family, operation.tables);
    default:
      return reduceSets(state, operation, now);
  }
}

type SetOperation = Extract<Operation, { kind: `set-${string}` | `choice-${string}` }>;

function reduceSets(state: FakeState, operation: SetOperation, now: number): FakeState {
  switch (operation.kind) {
    case 'set-create':
      return setCreate(state, operation.set);
    case 'set-destroy':
      return setDestroy(state, operation.set.name);
    case 'set-add':
      return setAdd(state, operation.set.name, operation.elements, now);
    case 'set-delete':
      return setDelete(state, operation.set.name, operation.elements);
    case 'choice-create':
      return choiceCreate(state);
    case 'choice-swap':
      return choiceCommit(choicePrepare(state, operation.choice, now));
    case 'choice-destroy':
      return choiceDestroy(state);
  }
}

const addressOf = ({ address: { link, address } }: Extract<Operation, { kind: 'address-add' }>) => ({
  link,
  address,
});
