import { BRIDGE_NETFILTER, SYSCTL } from '../plan/links.ts';
import type { Context } from './context.ts';
import { stateOf } from './context.ts';

/** Sysctls that the plan depends on. */
export const WATCHED_SYSCTLS: readonly string[] = [...Object.values(SYSCTL), ...BRIDGE_NETFILTER];

const LOOKED_AT = 'looked-at';

/** What is known of the kernel when a look at everything begins. */
export interface Before {
  readonly entries: Context['entries'];
  readonly print: string;
}

export async function beforeLook({ kernel, entries }: Context): Promise<Before> {
  return { entries, print: await kernel.print(WATCHED_SYSCTLS) };
}

/** Everything was as it should be: a director that starts with the same state on the same kernel need not look again. */
export async function saveLook(context: Context, { entries, print }: Before): Promise<void> {
  const { clock, reconciler, store } = context;
  const printed = entries === context.entries ? await reconciler.printOf(stateOf(context)) : null;
  // What was changed during the look is another state than the one that was looked at.
  const wanted = entries === context.entries ? printed : null;
  store.write(() => store.saveMeta(LOOKED_AT, JSON.stringify({ at: clock.now(), print, wanted })));
}

/**
 * Whether the kernel is as the director left it that last looked at everything, and wants the same of it; then nothing
 * has to be done to it. An element of a set that was exchanged for another is the exception, which the look at
 * everything finds that follows every start.
 */
export async function isAsLeft(context: Context): Promise<boolean> {
  const { kernel, reconciler, store } = context;
  // What was interrupted, or has a deadline, is not as it was left.
  if (store.intents().length + store.trials().length > 0) return false;
  const { print, wanted } = readLook(store.meta(LOOKED_AT));
  if (print === undefined || wanted !== (await reconciler.printOf(stateOf(context)))) return false;
  return (await kernel.print(WATCHED_SYSCTLS).catch(() => null)) === print;
}

/** An older version wrote the time alone. */
function readLook(text: string | null): { readonly print?: string; readonly wanted?: string } {
  const read: unknown = JSON.parse(text ?? '{}');
  return typeof read === 'object' && read !== null ? read : {};
}
