import type { MeteredDomu } from './options.ts';
import type { CpuReport } from './report.ts';

/** DomUs of which this host has no link, and why. `links`: those that it has, by name. */
export function unmeasuredOf(
  domus: readonly MeteredDomu[],
  links: { has(name: string): boolean },
): CpuReport['unmeasured'] {
  return domus.flatMap(({ vifs, ...domu }) => {
    if (vifs.length === 0) return [{ ...domu, why: 'no vifs are configured for it' }];
    return vifs.some((name) => links.has(name))
      ? []
      : [{ ...domu, why: 'its vifs are not on this host now' }];
  });
}
