import type { Domain, DomainVif, Hypervisor, Presence } from './hypervisor.ts';
import { domainNamed } from './hypervisor.ts';
import { XenError } from './xen-error.ts';

export interface FakeGuest {
  readonly name: string;
  readonly vifs?: readonly {
    readonly mac: string;
    readonly bridge: string | null;
    readonly vifname?: string;
    /** By default its script is done with it. */
    readonly connected?: boolean;
  }[];
}

/** A Xen of values: domains get the next domid at each start, and vifs without a name of their own follow it. */
export class FakeXen implements Hypervisor {
  readonly presence: Presence = { kind: 'xen' };
  readonly #guests = new Map<string, FakeGuest>();
  #domains: Domain[] = [];
  #next = 1;
  #changed: () => void = () => undefined;
  #failure: XenError | null = null;
  #tells = true;
  /** How often anybody looked. */
  looks = 0;

  domains(): Promise<Domain[]> {
    this.looks++;
    return this.#failure === null ? Promise.resolve([...this.#domains]) : Promise.reject(this.#failure);
  }

  vifs(): Promise<Domain[] | null> {
    if (!this.#tells) return Promise.resolve(null);
    const having = this.#domains.filter(({ vifs }) => vifs.length > 0);
    return Promise.resolve(having.map((domain) => ({ ...domain, state: 'running' })));
  }

  onChange(callback: () => void): void {
    this.#changed = callback;
  }

  tells(): boolean {
    return this.#tells;
  }

  /** `create` takes this text for the path of its configuration. */
  configure(file: string, guest: FakeGuest): void {
    this.#guests.set(file, guest);
  }

  /** As if `xl create` had been called by somebody; answers the domid. */
  start(guest: FakeGuest, state: Domain['state'] = 'running'): number {
    const domid = this.#next++;
    const vifs = (guest.vifs ?? []).map(({ vifname, mac, bridge, connected = true }, device): DomainVif => ({
      device,
      name: vifname ?? `vif${domid}.${device}`,
      mac,
      bridge,
      connected,
    }));
    this.#become([...this.#domains, { name: guest.name, domid, state, vifs }]);
    return domid;
  }

  create(file: string, { paused = false }: { readonly paused?: boolean } = {}): Promise<void> {
    const guest = this.#guests.get(file);
    if (guest === undefined) return reject(`${file} is not there; no guest was started`);
    if (domainNamed(this.#domains, guest.name) !== undefined)
      return reject(`Domain with name "${guest.name}" already exists`);
    this.start(guest, paused ? 'paused' : 'running');
    return Promise.resolve();
  }

  destroy(name: string): Promise<boolean> {
    const domain = domainNamed(this.#domains, name);
    this.#become(this.#domains.filter((one) => one !== domain));
    return Promise.resolve(domain !== undefined);
  }

  shutdown(name: string): Promise<boolean> {
    return this.destroy(name);
  }

  /** Nobody is told of it, as with the real one. */
  pause(name: string): Promise<void> {
    return this.#set(name, 'paused');
  }

  unpause(name: string): Promise<void> {
    return this.#set(name, 'running');
  }

  /** The script is done with the guest's vifs. */
  connect(name: string): void {
    const done = (domain: Domain): Domain => ({
      ...domain,
      vifs: domain.vifs.map((vif) => ({ ...vif, connected: true })),
    });
    this.#become(this.#domains.map((domain) => (domain.name === name ? done(domain) : domain)));
  }

  async crash(name: string): Promise<void> {
    await this.#set(name, 'crashed');
    this.#changed();
  }

  /** From now on it does not answer, or does again. */
  fail(message: string | null): void {
    this.#failure = message === null ? null : new XenError(message);
  }

  /** Nobody tells of changes any more. */
  fallSilent(): void {
    this.#tells = false;
    this.#changed = () => undefined;
  }

  close(): void {
    this.#changed = () => undefined;
  }

  #become(domains: Domain[]): void {
    this.#domains = domains;
    this.#changed();
  }

  #set(name: string, state: Domain['state']): Promise<void> {
    const domain = domainNamed(this.#domains, name);
    if (domain === undefined) return reject(`Xen has no domain ${name}`);
    this.#domains = this.#domains.map((one) => (one === domain ? { ...one, state } : one));
    return Promise.resolve();
  }
}

const reject = (message: string): Promise<never> => Promise.reject(new XenError(message));
