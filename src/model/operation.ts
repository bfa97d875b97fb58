import type { Family } from './address.ts';
import type {
  BridgeState,
  Choice,
  Jump,
  LinkAddress,
  SetElement,
  SetSpec,
  TableName,
} from './kernel-state.ts';

/** One step of a change to the kernel. `why` is for people: what differs, and what it is for. */
export type Operation = { readonly why: string } & (
  | { readonly kind: 'sysctl'; readonly key: string; readonly value: string }
  | { readonly kind: 'bridge-add'; readonly bridge: Pick<BridgeState, 'name'> }
  | { readonly kind: 'bridge-up'; readonly bridge: Pick<BridgeState, 'name'> }
  | { readonly kind: 'bridge-delete'; readonly bridge: Pick<BridgeState, 'name'> }
  | { readonly kind: 'member-add'; readonly bridge: string; readonly link: string }
  | { readonly kind: 'member-remove'; readonly bridge: string; readonly link: string }
  | { readonly kind: 'address-add'; readonly address: LinkAddress }
  | { readonly kind: 'address-delete'; readonly address: LinkAddress }
  | { readonly kind: 'set-create'; readonly set: SetSpec }
  | { readonly kind: 'set-destroy'; readonly set: SetSpec }
  | { readonly kind: 'set-add'; readonly set: SetSpec; readonly elements: readonly SetElement[] }
  | { readonly kind: 'set-delete'; readonly set: SetSpec; readonly elements: readonly SetElement[] }
  /** Make the choice list and its banks; empty. */
  | { readonly kind: 'choice-create' }
  /** Fill the idle bank with exactly these and exchange: all of it changes between two packets. */
  | { readonly kind: 'choice-swap'; readonly choice: Choice }
  | { readonly kind: 'choice-destroy' }
  /** One restore of one family: each table is changed in one commit. */
  | { readonly kind: 'rules'; readonly family: Family; readonly tables: readonly TableChange[] }
);

export interface TableChange {
  readonly table: TableName;
  /** Chains to (re)write whole. */
  readonly write: readonly { readonly chain: string; readonly rules: readonly string[] }[];
  /** Jumps that are missing, misplaced or surplus: each is removed as often as it stands, then put in its place. */
  readonly jumps: readonly { readonly jump: Jump; readonly present: number; readonly wanted: boolean }[];
  /** Chains to delete; nothing of ours refers to them after the change. */
  readonly delete: readonly string[];
}
