import type { Check } from './check.ts';
import { bridgeNetfilterCheck } from './checks/bridge-netfilter.ts';
import { clockCheck } from './checks/clock.ts';
import { conntrackCheck } from './checks/conntrack.ts';
import { duplicatesCheck } from './checks/duplicates.ts';
import { firewallsCheck } from './checks/firewalls.ts';
import { forwardChainCheck } from './checks/forward-chain.ts';
import { forwardingCheck } from './checks/forwarding.ts';
import { guestsCheck } from './checks/guests.ts';
import { iptablesCheck } from './checks/iptables.ts';
import { linksCheck } from './checks/links.ts';
import { meterCheck } from './checks/meter.ts';
import { mtuCheck } from './checks/mtu.ts';
import { nodeCheck } from './checks/node.ts';
import { partsCheck } from './checks/parts.ts';
import { rpFilterCheck } from './checks/rp-filter.ts';
import { stagingCheck } from './checks/staging.ts';
import { storeCheck } from './checks/store.ts';

/** What may change while a daemon runs, and costs it next to nothing to look at. */
export const WATCHED: readonly Check[] = [
  conntrackCheck,
  forwardingCheck,
  rpFilterCheck,
  bridgeNetfilterCheck,
  iptablesCheck,
  forwardChainCheck,
  firewallsCheck,
  linksCheck,
  guestsCheck,
  mtuCheck,
  duplicatesCheck,
  clockCheck,
  storeCheck,
  stagingCheck,
];

export const ALL: readonly Check[] = [nodeCheck, partsCheck, ...WATCHED, meterCheck];
