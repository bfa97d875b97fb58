import type { DomainState } from '../model/records.ts';

/** A guest's interface, by the backend's directory in xenstore (xen, docs/misc/xenstore-paths.pandoc). */
export interface DomainVif {
  /** DEVID: its number within the domain. */
  readonly device: number;
  /** In this host: what `vifname` in the guest's configuration says, else `vifDOMID.DEVID`. */
  readonly name: string;
  /** The guest's own, lower-case; the interface in this host has another one (fe:ff:ff:ff:ff:ff). */
  readonly mac: string;
  /** The bridge that the guest's configuration names, which need not be the one that it is on; null: none. */
  readonly bridge: string | null;
  /**
   * Xen's script is done with it. Until then it is the script's: one that is on a bridge by then the script cannot put
   * on another, and the guest is not started. No packet passes before (linux, xen-netback/xenbus.c, hotplug_status_changed).
   */
  readonly connected: boolean;
}

/** A domain that there is. */
export interface Domain {
  /** Not unique for as long as one is dying whose successor is there already. */
  readonly name: string;
  /** Another one after each start. */
  readonly domid: number;
  readonly state: Exclude<DomainState, 'absent'>;
  readonly vifs: readonly DomainVif[];
}

/** Whether there is anything to ask; `reason`: why there is not, in a sentence. */
export type Presence = { readonly kind: 'xen' } | { readonly kind: 'none'; readonly reason: string };

/**
 * The one place that speaks to Xen. Failures are XenError, and say what to do. Domains are named by their name, and the
 * one that is meant is looked up first: a name of digits alone is a number to xl.
 */
export interface Hypervisor {
  readonly presence: Presence;
  /** All but Dom0, by domid; [] where there is no Xen. */
  domains(): Promise<Domain[]>;
  /**
   * The same within a moment, without what takes longer: only domains that have vifs here, whether or not they run
   * (`running`). Null where that cannot be had.
   */
  vifs(): Promise<Domain[] | null>;
  /** Calls back whenever domains or their vifs may have changed; not for a pause, of which nobody tells. One listener. */
  onChange(callback: () => void): void;
  /** Whether somebody tells; else they are to be looked at again and again. */
  tells(): boolean;
  /** Starts the guest that this file (xl.cfg(5)) configures; it runs when the answer comes, unless `paused`. */
  create(file: string, options?: { readonly paused?: boolean }): Promise<void>;
  /** Ends it at once, like pulling the plug. A domain that is not there is no error: false. */
  destroy(name: string): Promise<boolean>;
  /** Asks it to shut down, and waits until it is gone; XenError where it does not in this time, milliseconds. */
  shutdown(name: string, timeout: number): Promise<boolean>;
  pause(name: string): Promise<void>;
  unpause(name: string): Promise<void>;
  close(): void;
}

/** The one of this name that lives, or the newest of those that do not any more. */
export function domainNamed(domains: readonly Domain[], name: string): Domain | undefined {
  const named = domains.filter((domain) => domain.name === name).toSorted((a, b) => b.domid - a.domid);
  return named.find(({ state }) => state === 'running' || state === 'paused') ?? named[0];
}
