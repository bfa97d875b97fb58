import { describe } from 'vitest';
import { PATIENCE, freshHosts } from './host.ts';
import type { OpenHost } from './host.ts';
import { choicePromises } from './promises/choice.ts';
import { jumpPromises } from './promises/jumps.ts';
import { addressPromises, bridgePromises } from './promises/links.ts';
import { flowPromises, sysctlPromises, wholePromises } from './promises/others.ts';
import { rulePromises } from './promises/rules.ts';
import { setPromises } from './promises/sets.ts';

/** Every promise of the Kernel interface. `open` gives each test a host with nothing of ours on it. */
export function kernelContract(name: string, open: OpenHost): void {
  describe(name, { timeout: PATIENCE }, () => {
    const host = freshHosts(open);
    wholePromises(host);
    bridgePromises(host);
    addressPromises(host);
    setPromises(host);
    choicePromises(host);
    rulePromises(host);
    jumpPromises(host);
    sysctlPromises(host);
    flowPromises(host);
  });
}
