import { inTurns } from '../../lib/turn.ts';
import type { Family } from '../../model/address.ts';
import { familiesOf } from '../../model/service.ts';
import { check } from '../check.ts';
import { fault, ok } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';

export interface ForwardingSeen {
  readonly running: boolean;
  readonly families: readonly {
    readonly family: Family;
    /** Null where the kernel has no such family. */
    readonly on: boolean | null;
    /** Links of ours on which it is off although it is on for all. */
    readonly offOn: readonly string[];
    /** Links of ours that have no addresses of this family, by disable_ipv6. */
    readonly without: readonly string[];
  }[];
}

const KEY = { 4: 'net.ipv4.ip_forward', 6: 'net.ipv6.conf.all.forwarding' } as const;

/** kernel-parameters.txt: `ipv6.disable=1` and the like. */
const BOOTED_WITHOUT = 'cat /proc/cmdline';

/** The director turns it on as it starts. While it runs, whoever turns it off stops everything. */
export function judgeForwarding({ running, families }: ForwardingSeen): Verdict[] {
  return families.flatMap(({ family, on, offOn, without }): Verdict[] => {
    const name = `IPv${family}`;
    if (on === null)
      return [fault(`this kernel has no ${name}`, 'services have such addresses', BOOTED_WITHOUT)];
    const why = 'no packet reaches a DomU without it';
    if (!on && running) return [fault(`${name} is not forwarded`, why, `sysctl -w ${KEY[family]}=1`)];
    const faults = [
      ...without.map((link) =>
        fault(
          `${name} is off on ${link}`,
          'services have such addresses, and it can have none',
          `sysctl -w net/ipv6/conf/${link}/disable_ipv6=0`,
        ),
      ),
      ...(on ? offOn : []).map((link) =>
        fault(
          `${name} is not forwarded from ${link}`,
          'no packet that arrives there goes on',
          `sysctl -w net/ipv4/conf/${link}/forwarding=1`,
        ),
      ),
    ];
    if (faults.length > 0) return faults;
    return [
      ok(on ? `${name} is forwarded` : `${name} will be forwarded: the director turns it on as it starts`),
    ];
  });
}

async function look({ sysctl, running, services, uplink, links }: Ground): Promise<ForwardingSeen> {
  const there = new Set((await links()).map(({ name }) => name));
  const ownOf = (family: Family): string[] => {
    const using = services.filter((service) => familiesOf(service).includes(family));
    return [...(uplink === null ? [] : [uplink]), ...using.map(({ bridge }) => bridge.name)].filter((name) =>
      there.has(name),
    );
  };
  const used = ([4, 6] as const).filter((family) =>
    services.length === 0
      ? sysctl(KEY[family].replaceAll('.', '/')) !== null
      : services.some((service) => familiesOf(service).includes(family)),
  );
  const families = used.map(async (family) => ({
    family,
    ...(await forwardingOf(family, ownOf(family), sysctl)),
  }));
  return { running, families: await Promise.all(families) };
}

async function forwardingOf(family: Family, own: readonly string[], sysctl: Ground['sysctl']) {
  const all = sysctl(KEY[family].replaceAll('.', '/'));
  // In IPv6 the host forwards by the setting for all alone (linux Documentation/networking/ip-sysctl.rst).
  const [key, unfit] = family === 4 ? ['forwarding', '0'] : ['disable_ipv6', '1'];
  const states = await inTurns(own, (link) => sysctl(`net/ipv${family}/conf/${link}/${key}`));
  const wrong = own.filter((_, at) => states[at] === unfit);
  return {
    on: all === null ? null : all !== '0',
    offOn: family === 4 ? wrong : [],
    without: family === 6 ? wrong : [],
  };
}

export const forwardingCheck = check('forwarding', look, judgeForwarding);
