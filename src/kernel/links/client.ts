import { KernelError, isExists, isNotFound } from '../../lib/errors.ts';
import { inTurns } from '../../lib/turn.ts';
import { contains, formatNetwork, networkOf } from '../../model/address.ts';
import type { InterfaceAddress } from '../../model/address.ts';
import { INTERFACE_NAME } from '../../model/service.ts';
import { dumpWhole } from '../netlink/connection.ts';
import type { NetlinkConnection } from '../netlink/connection.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../netlink/message.ts';
import { readSysctl, writeSysctl } from '../sysctl.ts';
import { bridgeMac } from './bridge-mac.ts';
import {
  OUR_ALIAS,
  OUR_METRIC,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_SETLINK,
  decodeAddress,
  decodeLink,
  encodeChangeLink,
  encodeDeleteAddress,
  encodeDeleteLink,
  encodeGetAddresses,
  encodeGetLink,
  encodeNewAddress,
  encodeNewBridge,
  encodeSetHairpin,
} from './codec.ts';
import type { AddressRecord, LinkChange, LinkRecord } from './codec.ts';
import { needsHairpin } from './hairpin.ts';

/**
 * Whether we made this bridge. It bears our alias; one whose maker died before it could give it the alias has none,
 * but already the address that only we would have given it.
 */
export const isOurBridge = ({ kind, alias, mac, name }: LinkRecord): boolean =>
  kind === 'bridge' && (alias === OUR_ALIAS || (alias === '' && mac === bridgeMac(name)));

/**
 * Links, bridges and addresses over rtnetlink. Every change may be asked for again: what is so already is left alone.
 * What is not ours is adopted where it is as wanted, and never taken away.
 */
export class LinkClient {
  readonly #connection: NetlinkConnection;
  #asked: Promise<LinkRecord[]> | null = null;
  /** As they were seen last. A number is given to no other link as long as a host runs, so an old one is refused. */
  #indices = new Map<string, number>();

  constructor(connection: NetlinkConnection) {
    this.#connection = connection;
  }

  /** Who asks at the same moment is given the same answer. */
  links(): Promise<LinkRecord[]> {
    if (this.#asked !== null) return this.#asked;
    queueMicrotask(() => (this.#asked = null));
    return (this.#asked = this.#dumpLinks());
  }

  async #dumpLinks(): Promise<LinkRecord[]> {
    const messages = await dumpWhole(this.#connection, RTM_GETLINK, encodeGetLink());
    const links = messages.filter(({ type }) => type === RTM_NEWLINK);
    const records = await inTurns(links, ({ payload }) => decodeLink(payload));
    this.#indices = new Map(records.map(({ name, index }) => [name, index]));
    return records;
  }

  async addresses(): Promise<AddressRecord[]> {
    const messages = await dumpWhole(this.#connection, RTM_GETADDR, encodeGetAddresses());
    const addresses = messages.filter(({ type }) => type === RTM_NEWADDR);
    const records = await inTurns(addresses, ({ payload }) => decodeAddress(payload));
    return records.filter((record) => record !== null);
  }

  /** The link with this name; null where there is none. */
  async find(name: string): Promise<LinkRecord | null> {
    checkName(name);
    const replies = await this.#connection.request(RTM_GETLINK, 0, encodeGetLink(name)).catch(noDevice);
    const reply = replies?.find(({ type }) => type === RTM_NEWLINK);
    const link = reply === undefined ? null : decodeLink(reply.payload);
    if (link === null) this.#indices.delete(name);
    else this.#indices.set(name, link.index);
    return link;
  }

  /** KernelError ENOENT where there is no such link. */
  async mustFind(name: string, what: string): Promise<LinkRecord> {
    const link = await this.find(name);
    if (link !== null) return link;
    throw new KernelError(`${what}: there is no interface ${name}; nothing was changed`, {
      code: 'ENOENT',
      hint: `\`ip link show ${name}\`; a DomU's vif is there only while it runs`,
    });
  }

  /** A bridge of ours, up. One that is there is adopted and set up; KernelError EEXIST where it is no bridge. */
  async addBridge(name: string): Promise<void> {
    checkName(name);
    const message = encodeNewBridge(name, bridgeMac(name));
    await this.#connection
      .request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, message)
      .catch((error: unknown) => {
        if (!isExists(error)) throw describe(error, `bridge ${name} could not be made`);
      });
    await this.setBridgeUp(name);
  }

  async setBridgeUp(name: string): Promise<void> {
    const what = `bridge ${name} could not be set up`;
    const link = await this.mustFind(name, what);
    if (link.kind !== 'bridge') {
      throw new KernelError(
        `${what}: there is an interface of this name that is no bridge; it is as it was`,
        {
          code: 'EEXIST',
          hint: `give the service's bridge another name, or remove ${name}`,
        },
      );
    }
    const alias = isOurBridge(link) && link.alias === '' ? { alias: OUR_ALIAS } : {};
    await this.#change(link, { up: true, ...alias }, what);
  }

  /** Absent is fine; KernelError EPERM where it is not ours. */
  async deleteBridge(name: string): Promise<void> {
    const link = await this.find(name);
    if (link === null) return;
    const what = `bridge ${name} could not be deleted`;
    if (!isOurBridge(link)) {
      throw new KernelError(
        `${what}: it is not ours, for it does not bear the alias ${OUR_ALIAS}; it stays`,
        {
          code: 'EPERM',
        },
      );
    }
    await this.#connection
      .request(RTM_DELLINK, 0, encodeDeleteLink(link.index))
      .catch(noDevice)
      .catch(rethrow(what));
  }

  /**
   * Puts the link on the bridge, off any other, and up: a Xen backend is down until somebody sets it up. In hairpin
   * mode where that is needed now; one that is in hairpin mode already stays so.
   */
  async addMember(bridge: string, name: string): Promise<void> {
    const what = `${name} could not be put on bridge ${bridge}`;
    const [master, link] = await Promise.all([this.mustFind(bridge, what), this.mustFind(name, what)]);
    if (master.kind !== 'bridge') {
      throw new KernelError(`${what}: ${bridge} is no bridge; nothing was changed`, { code: 'EINVAL' });
    }
    const member = link.masterIndex === master.index;
    if (!member || !link.up) await this.#change(link, { up: true, master: master.index }, what);
    // What was set on a port of another bridge went with that port.
    if ((member && link.hairpin) || !needsHairpin()) return;
    await this.#connection.request(RTM_SETLINK, 0, encodeSetHairpin(link.index)).catch(rethrow(what));
  }

  /** Absent, or on another bridge, is fine. */
  async removeMember(bridge: string, name: string): Promise<void> {
    const [master, link] = await Promise.all([this.find(bridge), this.find(name)]);
    if (master === null || link?.masterIndex !== master.index) return;
    await this.#change(link, { master: 0 }, `${name} could not be taken off bridge ${bridge}`);
  }

  /** Answers whether it was put there now; one that is there, whoever put it there, stays as it is. */
  async addAddress(name: string, address: InterfaceAddress): Promise<boolean> {
    const what = `address ${formatNetwork(address)} could not be put on ${name}`;
    const add = async (index: number): Promise<boolean> => {
      try {
        const message = encodeNewAddress(index, address);
        await this.#connection.request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, message);
        return true;
      } catch (error) {
        if (isExists(error) && (await this.#standing(index, address)) !== undefined) return false;
        throw describe(error, what, addressHint(error, name));
      }
    };
    const known = this.#indices.get(name);
    const added = known === undefined ? null : await add(known).catch(noDevice);
    return added ?? add((await this.mustFind(name, what)).index);
  }

  /** Absent is fine; KernelError EPERM where somebody else put it there. */
  async deleteAddress(name: string, address: InterfaceAddress): Promise<void> {
    const link = await this.find(name);
    const standing = link === null ? undefined : await this.#standing(link.index, address);
    if (link === null || standing === undefined) return;
    const what = `address ${formatNetwork(address)} could not be taken off ${name}`;
    if (standing.metric !== OUR_METRIC) {
      throw new KernelError(`${what}: it is not ours, for its metric is not ${OUR_METRIC}; it stays`, {
        code: 'EPERM',
      });
    }
    await this.#keepingSecondaries(link, standing, async () => {
      const message = encodeDeleteAddress(link.index, standing.address);
      await this.#connection.request(RTM_DELADDR, 0, message).catch(noDevice).catch(rethrow(what));
    });
  }

  async #standing(
    index: number,
    { family, address, prefix }: InterfaceAddress,
  ): Promise<AddressRecord | undefined> {
    const all = await this.addresses();
    return all.find(
      (record) =>
        record.linkIndex === index &&
        record.address.family === family &&
        record.address.address === address &&
        // IPv6 has an address once on a link, whatever its prefix length.
        (family === 6 || record.address.prefix === prefix),
    );
  }

  /**
   * An IPv4 address takes the others of its network on the link with it, which may be the host's own, unless
   * promote_secondaries is set (linux, Documentation/networking/ip-sysctl.rst).
   */
  async #keepingSecondaries(
    link: LinkRecord,
    going: AddressRecord,
    work: () => Promise<void>,
  ): Promise<void> {
    const network = networkOf(going.address);
    const others = (await this.addresses()).filter(
      ({ linkIndex, secondary, address }) =>
        linkIndex === link.index &&
        secondary &&
        address.prefix === network.prefix &&
        contains(network, { family: address.family, text: address.address }),
    );
    const key = `net/ipv4/conf/${link.name}/promote_secondaries`;
    if (going.secondary || others.length === 0 || readSysctl(key) !== '0') return work();
    await writeSysctl(key, '1');
    await work().finally(() => writeSysctl(key, '0'));
  }

  async #change(link: LinkRecord, change: LinkChange, what: string): Promise<void> {
    await this.#connection.request(RTM_NEWLINK, 0, encodeChangeLink(link.index, change)).catch(rethrow(what));
  }
}

function checkName(name: string): void {
  if (INTERFACE_NAME.test(name)) return;
  throw new KernelError(`"${name}" is not a name of an interface; nothing was changed`, { code: 'EINVAL' });
}

/** What is gone needs no deleting, and is not found: ENODEV for a link, EADDRNOTAVAIL for an address. */
function noDevice(error: unknown): null {
  if (isNotFound(error)) return null;
  if (error instanceof KernelError && (error.code === 'ENODEV' || error.code === 'EADDRNOTAVAIL'))
    return null;
  throw error;
}

function describe(error: unknown, what: string, hint?: string): unknown {
  if (!(error instanceof KernelError)) return error;
  return new KernelError(`${what}: ${error.message}`, {
    code: error.code === 'ENODEV' ? 'ENOENT' : error.code,
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

const rethrow =
  (what: string) =>
  (error: unknown): never => {
    throw describe(error, what);
  };

function addressHint(error: unknown, link: string): string | undefined {
  const off = error instanceof KernelError && (error.code === 'EACCES' || error.code === 'EOPNOTSUPP');
  return off ? `IPv6 is off there: see \`sysctl net.ipv6.conf.${link}.disable_ipv6\`` : undefined;
}
