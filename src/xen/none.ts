import type { Domain, Hypervisor, Presence } from './hypervisor.ts';
import { XenError } from './xen-error.ts';

/** A host without Xen: guests are known by their interfaces' names alone. */
export class NoHypervisor implements Hypervisor {
  readonly presence: Presence;
  readonly #reason: string;

  constructor(reason: string) {
    this.#reason = reason;
    this.presence = { kind: 'none', reason };
  }

  domains(): Promise<Domain[]> {
    return Promise.resolve([]);
  }

  vifs(): Promise<Domain[]> {
    return Promise.resolve([]);
  }

  onChange(): void {
    // Nothing ever does.
  }

  tells(): boolean {
    return true;
  }

  create(): Promise<void> {
    return this.#refuse();
  }

  destroy(): Promise<boolean> {
    return this.#refuse();
  }

  shutdown(): Promise<boolean> {
    return this.#refuse();
  }

  pause(): Promise<void> {
    return this.#refuse();
  }

  unpause(): Promise<void> {
    return this.#refuse();
  }

  close(): void {
    // Nothing is open.
  }

  #refuse(): Promise<never> {
    return Promise.reject(
      new XenError(`guests cannot be started or stopped from here: ${this.#reason}`, {
        hint: 'nothing was done; use the tools of what runs them',
      }),
    );
  }
}
