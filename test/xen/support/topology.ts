import { parse, stringify } from 'yaml';
import { parseConfig } from '../../../src/config/index.ts';
import { guestNetwork } from '../../../src/guest/guest-network.ts';
import { configText } from '../../../src/lab/config-file.ts';
import { labServices } from '../../../src/lab/topology.ts';
import type { LabDomu, LabService } from '../../../src/lab/topology.ts';
import { wiringOf } from '../../../src/lab/wiring.ts';

/** Two services and their four DomUs; `ldap-b` alone has the name of its vif from Xen, a new one at each start. */
export const SERVICES: readonly LabService[] = labServices(2).map((service) => ({
  ...service,
  domus: service.domus.map((domu) => ({ ...domu, vif: `vif-${domu.name}` })) as unknown as [LabDomu, LabDomu],
}));
export const [MAIL, LDAP] = SERVICES as readonly [LabService, LabService];
export const DOMUS: readonly LabDomu[] = SERVICES.flatMap(({ domus }) => domus);
export const UNNAMED_VIF = 'ldap-b';

export const CONFIG_FILE = '/etc/dom0-director/director.yaml';
export const SOCKET = '/run/dom0-director/director.sock';
export const guestConfig = (name: string): string => `/etc/xen/${name}.cfg`;
export const guestLog = (name: string): string => `/var/log/xen/console/guest-${name}.log`;

/** What a Dom0 of the rig has before there is a director: who is outside of it, its bridges, its guests. By path. */
export function dom0Files(): Readonly<Record<string, { readonly text: string; readonly mode?: string }>> {
  return {
    '/usr/local/sbin/rig-network': { text: networkScript(), mode: '755' },
    '/etc/systemd/system/rig-network.service': { text: NETWORK_UNIT },
    ...Object.fromEntries(DOMUS.map(({ name }) => [guestConfig(name), { text: guestText(name) }])),
  };
}

/**
 * The director's configuration. Probes are patient, and nothing is metered: an emulated CPU has enough to do, and a busy
 * machine makes it slower.
 */
export function directorConfig(cpu: Readonly<Record<string, string>> = { meter: 'off' }): string {
  const text = configText(SERVICES, {
    directory: '/var/lib/dom0-director',
    top: { listen: { socket: SOCKET }, state: '/var/lib/dom0-director', cpu },
    service: { health: { every: '2s', timeout: '2s' } },
  });
  const config = parse(text) as { services: Record<string, { domus: { name: string; vifs?: string[] }[] }> };
  for (const { domus } of Object.values(config.services))
    for (const domu of domus) if (domu.name === UNNAMED_VIF) delete domu.vifs;
  return stringify(config);
}

const NETWORK_UNIT = `[Unit]
Description=The uplink, who is outside of it, and the bridges
After=systemd-udev-trigger.service
Before=dom0-director.service xendomains.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/rig-network

[Install]
WantedBy=multi-user.target
`;

/** The lab's own clients and routers, but in namespaces of this Dom0; `1` is its first process's, the Dom0's own. */
function networkScript(): string {
  const nameOf = (name: string): string => (name === 'dom0' ? '1' : name);
  const options = { bridgeNetfilter: null, nameOf };
  const { namespaces, sysctls, links, inside } = wiringOf({ ...options, services: [] });
  const routed = wiringOf({ ...options, services: SERVICES }).inside;
  const others = namespaces.filter((name) => name !== 'dom0');
  const batch = (ip: string, lines: readonly string[] = []): string =>
    `${ip} -batch - <<END\n${lines.join('\n')}\nEND\n`;
  const settings = (name: string): string =>
    `sysctl -qw ${(sysctls.get(name) ?? []).map((one) => `'${one}'`).join(' ')}\n`;
  return [
    '#!/bin/sh\nset -e\n',
    ...others.map((name) => `ip netns add ${name}\n`),
    ...others.map((name) => `ip netns exec ${name} ${settings(name)}`),
    settings('dom0'),
    // From a namespace that has no eth0 yet: the kernel looks for the name where it is asked (rtnetlink.c, rtnl_newlink).
    batch('ip -n outside', links),
    ...others.map((name) => batch(`ip -n ${name}`, routed.get(name))),
    batch('ip', inside.get('dom0')),
    ...SERVICES.map(({ bridge }) =>
      batch('ip', [`link add name ${bridge} type bridge`, `link set dev ${bridge} up`]),
    ),
  ].join('');
}

/** Its line about the network is what `director vif` says. */
function guestText(name: string): string {
  const service = SERVICES.find(({ domus }) => domus.some((domu) => domu.name === name))!;
  const domu = service.domus.find((one) => one.name === name)!;
  const version = domu === service.domus[0] ? '1.0' : '2.0';
  const words = [
    ...['console=hvc0', 'quiet', 'mitigations=off', 'nokaslr', 'sysrq_always_enabled'],
    ...[`name=${name}`, `version=${version}`, `address=${domu.ipv4}/24`, `address6=${domu.ipv6}/64`],
    ...[`gateway=${service.gateway.ipv4}`, `gateway6=${service.gateway.ipv6}`],
  ];
  return [
    `name = "${name}"`,
    'type = "pv"',
    'kernel = "/guest/vmlinux"',
    'ramdisk = "/guest/initramfs"',
    `extra = "${words.join(' ')}"`,
    'memory = 96',
    'vcpus = 1',
    vifLineOf(service.name, name),
    'on_poweroff = "destroy"',
    'on_reboot = "restart"',
    'on_crash = "preserve"',
    '',
  ].join('\n');
}

function vifLineOf(serviceName: string, domu: string): string {
  const read = parseConfig(directorConfig(), CONFIG_FILE);
  if ('faults' in read) throw new Error(`the rig's configuration is wrong: ${JSON.stringify(read.faults)}`);
  const { services } = read.config;
  const service = services.find(({ name }) => name === serviceName);
  const network = service === undefined ? null : guestNetwork(services, service, domu);
  if (network === null) throw new Error(`${domu} is no DomU of ${serviceName}`);
  return network.xl;
}
