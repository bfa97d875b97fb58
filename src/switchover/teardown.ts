import { applyEntries } from './change.ts';
import type { Context } from './context.ts';
import { journal, publish } from './context.ts';
import type { Actor } from './director.ts';

/** Takes everything of ours out of the kernel, and puts back the sysctls that we changed and nobody changed since. */
export async function teardown(context: Context, actor: Actor): Promise<void> {
  const { store } = context;
  await applyEntries(context, new Map(), false);
  // The kernel changes some settings along with others: what it changed by the first pass is seen by the second.
  for (let pass = 0; pass < 2; pass++) await restoreSysctls(context);
  publish(
    context,
    store.write(() => {
      store.forgetSysctls();
      return journal(
        context,
        'remove',
        [...context.entries.keys()],
        actor,
        'torn down: nothing of the director is left in the kernel; nobody is directed',
      );
    }),
  );
  context.down = true;
  context.wake();
}

async function restoreSysctls({ store, kernel }: Context): Promise<void> {
  const originals = store.sysctls();
  const { sysctls } = await kernel.observe({ links: [], sysctls: [...originals.keys()] });
  for (const [key, original] of originals) {
    if (original === '' || sysctls[key] === undefined || sysctls[key] === original) continue;
    await kernel.apply({
      kind: 'sysctl',
      key,
      value: original,
      why: `${key} was ${original} before the director`,
    });
  }
}
