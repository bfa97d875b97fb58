import { describe, expect, test } from 'vitest';
import { formatFaults, parseConfig } from '../../src/config/index.ts';
import type { Fault } from '../../src/lib/errors.ts';

const BASE = `
listen:
  socket: /run/dom0-director/director.sock
  http: 127.0.0.1:8440
state: /var/lib/dom0-director
uplink: eth0
iptables: auto
mark: {mask: 0xffff0000}
tokens:
  - {name: alice, sha256: ${'a'.repeat(64)}}
services:
  mail:
    addresses: [192.0.2.25, "2001:db8::25"]
    announce: true
    ports: [25/tcp, 8000-8009/tcp]
    bridge: {name: br-mail, gateway: [10.50.0.1/24, "fd00:50::1/64"]}
    domus:
      - {name: mail-a, addresses: [10.50.0.2, "fd00:50::2"], vifs: [vif1.0]}
      - {name: mail-b, addresses: [10.50.0.3, "fd00:50::3"], vifs: [vif2.0]}
    testers: [198.51.100.7]
    admins: [10.9.0.0/24]
    cutover: {connections: drain, drainFor: 5m, confirmWithin: 10m}
    health: {check: tcp, every: 5s, timeout: 1s}
  web:
    addresses: [192.0.2.80]
    ports: [80/tcp]
    bridge: {name: br-web, gateway: [10.51.0.1/24]}
    domus:
      - {name: web-a, addresses: [10.51.0.2], vifs: [vif3.0]}
      - {name: web-b, addresses: [10.51.0.3], vifs: [vif4.0]}
`;

function faultsOf(text: string): readonly Fault[] {
  const result = parseConfig(text, 'director.yaml');
  return 'faults' in result ? result.faults : [];
}

/**
 * The base with one thing changed, and the line that the fault is expected at: the one marked `#<` in the new text,
 * or the last one with `where` in it, or the changed one.
 */
function change(from: string, to: string, where = '#<'): { text: string; line: number } {
  expect(BASE.split(from)).toHaveLength(2);
  const text = BASE.replace(from, () => to);
  const changed = BASE.slice(0, BASE.indexOf(from)).split('\n').length;
  const marked = text.split('\n').findLastIndex((line) => line.includes(where)) + 1;
  return { text, line: marked === 0 ? changed : marked };
}

test('the base of these tests has no fault', () => {
  expect(faultsOf(BASE)).toEqual([]);
});

const SOCKET = 'socket: /run/dom0-director/director.sock';
const HTTP = 'http: 127.0.0.1:8440';
const TOKEN = `- {name: alice, sha256: ${'a'.repeat(64)}}`;
const MAIL = 'services.mail';
const MAIL_ADDRESSES = '[192.0.2.25, "2001:db8::25"]';
const MAIL_PORTS = '[25/tcp, 8000-8009/tcp]';
const MAIL_B = '[10.50.0.3, "fd00:50::3"], vifs: [vif2.0]';
const MAIL_GATEWAY = '[10.50.0.1/24, "fd00:50::1/64"]';
const WEB_B = '- {name: web-b, addresses: [10.51.0.3], vifs: [vif4.0]}';

/** What is replaced by what, and the one fault that follows: its path, a part of its message, text on its line. */
type Case = readonly [from: string, to: string, path: string, message: string, where?: string];

const HOST: readonly Case[] = [
  [SOCKET, 'socket: run/director.sock', 'listen.socket', 'write an absolute path'],
  [SOCKET, `socket: /${'x'.repeat(107)}`, 'listen.socket', 'is 108 bytes long'],
  [SOCKET, `socket: /${'ä'.repeat(54)}`, 'listen.socket', 'is 109 bytes long'],
  [SOCKET, 'socket: /run/', 'listen.socket', 'is a directory'],
  [SOCKET, 'socket:', 'listen.socket', "has no value; what is needed is the socket's path"],
  [SOCKET, 'sokcet: /run/x', 'listen.sokcet', 'did you mean "socket"?'],
  [HTTP, 'http: 8440', 'listen.http', 'write 127.0.0.1:8440'],
  [HTTP, 'http: 127.0.0.1', 'listen.http', 'is not an address and a port'],
  [HTTP, 'http: 127.0.0.1:0', 'listen.http', 'write 1 to 65535'],
  [HTTP, 'http: 127.0.0.1:65536', 'listen.http', 'write 1 to 65535'],
  [HTTP, 'http: "::1:8440"', 'listen.http', 'write it as 127.0.0.1:8440 or "[::1]:8440"'],
  [HTTP, 'http: "[127.0.0.1]:8440"', 'listen.http', 'is not an IP address or localhost'],
  [HTTP, 'http: dom0.example:8440', 'listen.http', 'is not an IP address or localhost'],
  [HTTP, 'http: 0.0.0.0:8440', 'listen.http', 'tokens would cross the network in the clear; add listen.tls'],
  [HTTP, 'http: "[2001:db8::1]:8440"', 'listen.http', 'is not loopback'],
  [HTTP, 'tls: {cert: /c, key: /k}', 'listen.tls', 'add listen.http, or remove tls'],
  [HTTP, `${HTTP}\n  tls: {cert: /c, key: k} #<`, 'listen.tls.key', 'is relative'],
  [HTTP, `${HTTP}\n  names: [Dom0.example] #<`, 'listen.names[0]', 'write it in lower case'],
  [HTTP, `${HTTP}\n  names: ["dom0.example:8440"] #<`, 'listen.names[0]', 'without a port'],
  [HTTP, `${HTTP}\n  names: dom0 #<`, 'listen.names', 'a list of host names'],
  [HTTP, `${HTTP}\n  trustedProxies: [proxy] #<`, 'listen.trustedProxies[0]', 'is not an IP address'],
  [HTTP, `${HTTP}\n  trustedProxies: [0.0.0.0/0] #<`, 'listen.trustedProxies[0]', 'would trust everybody'],
  ['iptables: auto', 'qa: {enrol: 30s, from: [10.0.0.0/8]}', 'qa.enrol', 'write 1m or more'],
  ['iptables: auto', 'qa: {enrol: 30d, from: [10.0.0.0/8]}', 'qa.enrol', 'write 7d or less'],
  ['iptables: auto', 'qa: {from: []}', 'qa.from', 'write the networks that testers come from'],
  ['iptables: auto', 'qa: {enrol: 8h}', 'qa.from', 'is missing'],
  [HTTP, `${HTTP}\n  tls: {cert: /c} #<`, 'listen.tls.key', 'is missing'],
  ['state: /var/lib/dom0-director', 'state: var/lib', 'state', 'write an absolute path, beginning with /'],
  ['uplink: eth0', 'uplink: eth0/1', 'uplink', "is not an interface's name; 1 to 15"],
  ['uplink: eth0', 'upink: eth0\nuplink: eth0', 'upink', 'did you mean "uplink"?'],
  [
    'uplink: eth0',
    'uplink: vif3.0',
    'services.web.domus[0].vifs[0]',
    'vif3.0 is the uplink already',
    'web-a',
  ],
  ['iptables: auto', 'iptables: nftables', 'iptables', 'is not auto, nft or legacy; did you mean "nft"?'],
  ['0xffff0000', '0xff00ff00', 'mark.mask', '0xff00ff00 is no mask'],
  ['0xffff0000', '0x3', 'mark.mask', 'at least three'],
  ['0xffff0000', '0x1ffff0000', 'mark.mask', 'write contiguous bits'],
  ['0xffff0000', '-8', 'mark.mask', 'write contiguous bits'],
  ['0xffff0000', '"0xffff0000"', 'mark.mask', 'write it without quotes'],
  ['0xffff0000', '0x7', 'mark.mask', 'tells 1 services apart, but there are 2'],
  [TOKEN, `- {name: socket, sha256: ${'a'.repeat(64)}}`, 'tokens[0].name', 'write another name'],
  [TOKEN, `- {name: a b, sha256: ${'a'.repeat(64)}}`, 'tokens[0].name', "is not a token's name"],
  [TOKEN, `- {name: alice, sha256: ${'A'.repeat(64)}}`, 'tokens[0].sha256', '64 lower-case'],
  [TOKEN, `- {name: alice, sha256: 1${'0'.repeat(63)}}`, 'tokens[0].sha256', 'write it in quotes'],
  [
    TOKEN,
    `${TOKEN}\n  - {name: alice, sha256: ${'b'.repeat(64)}} #<`,
    'tokens[1].name',
    'named alice already',
  ],
  [
    TOKEN,
    `${TOKEN}\n  - {name: bob, sha256: ${'a'.repeat(64)}} #<`,
    'tokens[1].sha256',
    "same token as alice's",
  ],
];

const FIELDS: readonly Case[] = [
  ['  web:', '  Web:', 'services.Web', '"Web" is not a service\'s name; write 1 to 16'],
  ['  web:', '  a-name-that-is-long:', 'services.a-name-that-is-long', 'write 1 to 16'],
  ['  web:', '  db:\n  web:', 'services.db', 'has no value; what is needed is the definition of a service'],
  ['  web:', '  "a b":', 'services["a b"]', '"a b" is not a service\'s name'],
  ['announce: true', 'anounce: true', `${MAIL}.anounce`, 'did you mean "announce"?'],
  ['announce: true', 'colour: red', `${MAIL}.colour`, 'known here are addresses, announce, ports'],
  ['announce: true', 'announce: no', `${MAIL}.announce`, 'write false'],
  [MAIL_ADDRESSES, '192.0.2.25', `${MAIL}.addresses`, 'what is needed is a list'],
  [MAIL_ADDRESSES, '[]', `${MAIL}.addresses`, 'is empty; write at least one'],
  ['[192.0.2.25, ', '[192.0.2.256, ', `${MAIL}.addresses[0]`, '"192.0.2.256" is not an IPv4 address'],
  ['[192.0.2.25, ', '[192.0.2.025, ', `${MAIL}.addresses[0]`, 'read as octal; write 192.0.2.25'],
  ['[192.0.2.25, ', '[192.0.2.25/32, ', `${MAIL}.addresses[0]`, 'write 192.0.2.25 alone'],
  ['[192.0.2.25, ', '[mail.example, ', `${MAIL}.addresses[0]`, 'write one such as 192.0.2.25'],
  ['[192.0.2.25, ', '[192.2, ', `${MAIL}.addresses[0]`, '192.2 is a number; what is needed is an IP address'],
  ['[192.0.2.25, ', '[0.0.0.0, ', `${MAIL}.addresses[0]`, 'means "this network"'],
  ['[192.0.2.25, ', '[127.0.0.1, ', `${MAIL}.addresses[0]`, 'is a loopback address'],
  ['[192.0.2.25, ', '[224.0.0.1, ', `${MAIL}.addresses[0]`, 'is a multicast address'],
  ['[192.0.2.25, ', '[255.255.255.255, ', `${MAIL}.addresses[0]`, 'is the broadcast address'],
  ['"2001:db8::25"]', '"::"]', `${MAIL}.addresses[1]`, 'is the unspecified address'],
  ['"2001:db8::25"]', '"::1"]', `${MAIL}.addresses[1]`, 'is the loopback address'],
  ['"2001:db8::25"]', '"ff02::1"]', `${MAIL}.addresses[1]`, 'is a multicast address'],
  ['"2001:db8::25"]', '"fe80::1"]', `${MAIL}.addresses[1]`, 'is link-local'],
  ['"2001:db8::25"]', '"::ffff:192.0.2.1"]', `${MAIL}.addresses[1]`, 'write 192.0.2.1'],
  ['"2001:db8::25"]', '2001:db8::]', `${MAIL}.addresses[1]`, 'write it in quotes: "2001:db8::"'],
  [
    '"2001:db8::25"]',
    '"2001:db8::25", 2001:DB8:0::25]',
    `${MAIL}.addresses[2]`,
    '2001:db8::25 stands here twice',
  ],
  [MAIL_PORTS, '[25]', `${MAIL}.ports[0]`, '25 needs its protocol; write 25/tcp or 25/udp'],
  [MAIL_PORTS, '["25"]', `${MAIL}.ports[0]`, '"25" needs its protocol; write 25/tcp or 25/udp'],
  [MAIL_PORTS, '[8000-8009]', `${MAIL}.ports[0]`, 'write 8000-8009/tcp or 8000-8009/udp'],
  [MAIL_PORTS, '[]', `${MAIL}.ports`, 'is empty; write at least one port'],
  [MAIL_PORTS, '[25/TCP]', `${MAIL}.ports[0]`, 'write tcp'],
  [MAIL_PORTS, '[25/sctp]', `${MAIL}.ports[0]`, 'it must be tcp or udp'],
  [MAIL_PORTS, '[tcp/25]', `${MAIL}.ports[0]`, '"25" is not a protocol'],
  [MAIL_PORTS, '[smtp/tcp]', `${MAIL}.ports[0]`, '"smtp" is not a port number'],
  [MAIL_PORTS, '[025/tcp]', `${MAIL}.ports[0]`, 'has a leading zero; write 25'],
  [MAIL_PORTS, '[0/tcp]', `${MAIL}.ports[0]`, '0 is no port; write 1 to 65535'],
  [MAIL_PORTS, '[65536/tcp]', `${MAIL}.ports[0]`, '65536 is no port'],
  [MAIL_PORTS, '[9-8/tcp]', `${MAIL}.ports[0]`, 'is turned round; write 8-9/tcp'],
  [MAIL_PORTS, '["8:9/tcp"]', `${MAIL}.ports[0]`, 'a range is written 8-9/tcp'],
  [MAIL_PORTS, '[25/tcp, 25/tcp]', `${MAIL}.ports[1]`, '25/tcp overlaps 25/tcp of the same service'],
  [MAIL_PORTS, '[20-30/tcp, 25/udp, 30-40/tcp]', `${MAIL}.ports[2]`, '30-40/tcp overlaps 20-30/tcp'],
  [MAIL_PORTS, '[{port: 80/tcp}]', `${MAIL}.ports[0].to`, "is missing; what is needed is the DomU's port"],
  [MAIL_PORTS, '[{port: 80/tcp, to: "8080"}]', `${MAIL}.ports[0].to`, '"8080" is text'],
  [MAIL_PORTS, '[{port: 80/tcp, to: 0}]', `${MAIL}.ports[0].to`, '0 is no port; write 1 to 65535'],
  [MAIL_PORTS, '[{port: 80, to: 8080}]', `${MAIL}.ports[0].port`, '80 needs its protocol'],
  [MAIL_PORTS, '[{port: 80/tcp, to: 80, too: 1}]', `${MAIL}.ports[0].too`, 'did you mean "to"?'],
  [MAIL_PORTS, '[{port: 10-19/tcp, to: 65530}]', `${MAIL}.ports[0].to`, 'write to: 65526 or less'],
  [MAIL_PORTS, '[{port: 1-101/tcp, to: 1001}]', `${MAIL}.ports[0].to`, 'ranges of at most 100 ports'],
  ['name: br-mail', 'name: br-mail-is-too-long', `${MAIL}.bridge.name`, "is not a bridge's name; 1 to 15"],
  [
    'name: br-mail',
    'name: all',
    `${MAIL}.bridge.name`,
    '"all" is a name that the kernel gives to no interface',
  ],
  ['uplink: eth0', 'uplink: default', 'uplink', '"default" is a name that the kernel gives to no interface'],
  ['name: br-mail,', '', `${MAIL}.bridge.name`, "is missing; what is needed is a bridge's name"],
  ['[10.50.0.1/24, ', '[10.50.0.1, ', `${MAIL}.bridge.gateway[0]`, 'such as 10.50.0.1/24'],
  ['[10.50.0.1/24, ', '[10.50.0.1/33, ', `${MAIL}.bridge.gateway[0]`, 'must be 0 to 32'],
  ['[10.50.0.1/24, ', '[10.50.0.0/24, ', `${MAIL}.bridge.gateway[0]`, 'such as 10.50.0.1/24'],
  ['[10.50.0.1/24, ', '[10.50.0.255/24, ', `${MAIL}.bridge.gateway[0]`, 'is the broadcast address itself'],
  [MAIL_GATEWAY, '[]', `${MAIL}.bridge.gateway`, 'is empty; write at least one address'],
  ['name: mail-b', 'name: 12', `${MAIL}.domus[1].name`, "what is needed is a DomU's name (in quotes"],
  ['name: mail-b', 'name: mail b', `${MAIL}.domus[1].name`, "is not a DomU's name"],
  [`${MAIL_B}}`, `${MAIL_B}, cpu: 2}`, `${MAIL}.domus[1].cpu`, 'known here are name, addresses, vifs'],
  ['[vif2.0]', 'vif2.0', `${MAIL}.domus[1].vifs`, 'what is needed is a list of interfaces'],
  ['[vif2.0]', '[vif2/0]', `${MAIL}.domus[1].vifs[0]`, "is not an interface's name"],
  [WEB_B, '', 'services.web.domus', 'has 1; a service owns exactly two DomUs', 'domus:'],
  [
    WEB_B,
    `${WEB_B}\n      - {name: web-c, addresses: [10.51.0.4]}`,
    'services.web.domus',
    'has 3;',
    'domus:',
  ],
  ['[198.51.100.7]', '[198.51.100.7/24]', `${MAIL}.testers[0]`, 'the network is 198.51.100.0/24'],
  ['[198.51.100.7]', '[0.0.0.0/0]', `${MAIL}.testers[0]`, 'is everybody'],
  ['[198.51.100.7]', '[198.51.100.07]', `${MAIL}.testers[0]`, 'write 198.51.100.7'],
  ['[198.51.100.7]', '[239.0.0.0/8]', `${MAIL}.testers[0]`, 'no connection comes from there'],
  ['[198.51.100.7]', '', `${MAIL}.testers`, 'has no value'],
  ['[10.9.0.0/24]', '[10.9.0.0/24, 10.9.0.0/24]', `${MAIL}.admins[1]`, '10.9.0.0/24 stands here twice'],
  ['[10.9.0.0/24]', '["::ffff:10.9.0.0/120"]', `${MAIL}.admins[0]`, 'write 10.9.0.0'],
  ['connections: drain', 'connections: drian', `${MAIL}.cutover.connections`, 'did you mean "drain"?'],
  ['confirmWithin: 10m', 'confirmWithin: 10', `${MAIL}.cutover.confirmWithin`, '10s for seconds or "10m"'],
  ['confirmWithin: 10m', 'confirmWithin: 1.5h', `${MAIL}.cutover.confirmWithin`, 'is not a duration'],
  ['confirmWithin: 10m', 'confirmWithin: 999ms', `${MAIL}.cutover.confirmWithin`, 'write 1s or more'],
  ['confirmWithin: 10m', 'confirmWithin: 25d', `${MAIL}.cutover.confirmWithin`, 'the kernel keeps it'],
  ['drainFor: 5m', 'drainFor: 0s', `${MAIL}.cutover.drainFor`, 'is too short'],
  ['drainFor: 5m', 'drainfor: 5m', `${MAIL}.cutover.drainfor`, 'did you mean "drainFor"?'],
  ['check: tcp', 'check: http', `${MAIL}.health.check`, 'is not tcp or off'],
  ['every: 5s', 'every: 500ms', `${MAIL}.health.every`, 'write 1s or more'],
  ['every: 5s', 'every: never', `${MAIL}.health.every`, '"never" is not a duration'],
  ['timeout: 1s', 'timeout: 6s', `${MAIL}.health.timeout`, 'is longer than every (5s); write 5s or less'],
];

const WITHIN: readonly Case[] = [
  ['[10.50.0.3, "fd00:50::3"]', '[10.50.0.3]', `${MAIL}.domus[1].addresses`, 'mail-b has no IPv6 address'],
  [
    '[10.51.0.3]',
    '[10.51.0.3, "fd00::3"]',
    'services.web.domus[1].addresses',
    'has an IPv6 address, but the service',
  ],
  [MAIL_GATEWAY, '[10.50.0.1/24]', `${MAIL}.bridge.gateway`, 'its bridge has none'],
  [MAIL_GATEWAY, '[10.50.0.1/24, 10.50.0.1/24, "fd00:50::1/64"]', `${MAIL}.bridge.gateway[1]`, 'twice'],
  [
    '[10.50.0.3, ',
    '[10.52.0.3, ',
    `${MAIL}.domus[1].addresses[0]`,
    "is not in the bridge's network; write an",
  ],
  ['[10.50.0.3, ', '[10.50.0.1, ', `${MAIL}.domus[1].addresses[0]`, "is the bridge's own address"],
  ['[10.50.0.3, ', '[10.50.0.0, ', `${MAIL}.domus[1].addresses[0]`, 'is the network of 10.50.0.1/24'],
  ['[10.50.0.3, ', '[10.50.0.255, ', `${MAIL}.domus[1].addresses[0]`, 'is the broadcast address of'],
  ['"fd00:50::3"', '"fd00:50::"', `${MAIL}.domus[1].addresses[1]`, 'is the network of fd00:50::1/64'],
  ['[10.50.0.3, ', '[10.50.0.2, ', `${MAIL}.domus[1].addresses[0]`, "is mail-a's address too"],
  ['[10.50.0.3, ', '[10.50.0.3, 10.50.0.3, ', `${MAIL}.domus[1].addresses[1]`, 'stands here twice'],
  ['name: mail-b', 'name: mail-a', `${MAIL}.domus[1].name`, 'both DomUs are named mail-a'],
  ['[vif2.0]', '[vif1.0]', `${MAIL}.domus[1].vifs[0]`, "vif1.0 is mail-a's interface too"],
  ['[vif2.0]', '[vif2.0], domain: mail-a', `${MAIL}.domus[1].domain`, "mail-a is mail-a's domain too"],
  ['[vif2.0]', '[vif2.0], domain: -x', `${MAIL}.domus[1].domain`, '"-x" is not a domain\'s name'],
  ['[vif2.0]', '[vif2.0], macs: [00-16]', `${MAIL}.domus[1].macs[0]`, 'write it as 00:16:3e:12:34:56'],
  ['[vif2.0]', '[vif2.0], macs: [01:16:3e:00:00:01]', `${MAIL}.domus[1].macs[0]`, "is not a guest's MAC"],
  [
    '[vif2.0]',
    '[vif2.0], macs: ["00:16:3e:00:00:0b", "00:16:3E:00:00:0B"]',
    `${MAIL}.domus[1].macs[1]`,
    '00:16:3e:00:00:0b stands here twice',
  ],
  ['[vif2.0]', '[vif2.0, vif2.0]', `${MAIL}.domus[1].vifs[1]`, 'stands here twice'],
  ['[vif2.0]', '[br-mail]', `${MAIL}.domus[1].vifs[0]`, 'br-mail is the bridge itself'],
  ['[192.0.2.25, ', '[10.50.0.9, ', `${MAIL}.addresses[0]`, "lies in the bridge's network (10.50.0.1/24)"],
  ['[192.0.2.25, ', '[10.50.0.2, ', `${MAIL}.addresses[0]`, "is mail-a's own address"],
  [
    'ports: [80/tcp]',
    'ports: [80/tcp]\n    testers: ["2001:db8::7"] #<',
    'services.web.testers[0]',
    'can never match',
  ],
];

const BETWEEN: readonly Case[] = [
  [
    '[192.0.2.80]\n    ports: [80/tcp]',
    '[192.0.2.25]\n    ports: [8005-8020/tcp] #<',
    'services.web.ports[0]',
    "8005-8020/tcp on 192.0.2.25 is service mail's already (8000-8009/tcp)",
  ],
  [
    '[192.0.2.80]\n    ports: [80/tcp]',
    '[192.0.2.25]\n    ports: [80/tcp, 1-30/tcp] #<',
    'services.web.ports[1]',
    "on 192.0.2.25 is service mail's already (25/tcp)",
  ],
  ['name: br-web', 'name: br-mail', 'services.web.bridge.name', "br-mail is service mail's bridge already"],
  ['[vif4.0]', '[vif2.0]', 'services.web.domus[1].vifs[0]', "vif2.0 is mail-b's (service mail) already"],
  ['[vif4.0]', '[br-mail]', 'services.web.domus[1].vifs[0]', "br-mail is service mail's bridge already"],
  ['[vif4.0]', '[vif4.0], domain: mail-b', 'services.web.domus[1].domain', 'mail-b is the domain of mail-b'],
  ['name: br-web', 'name: eth0', 'services.web.bridge.name', 'eth0 is the uplink already; write another'],
  ['[vif4.0]', '[eth0]', 'services.web.domus[1].vifs[0]', 'eth0 is the uplink already'],
  ['name: web-b', 'name: mail-b', 'services.web.domus[1].name', 'mail-b is a DomU of service mail already'],
  [
    '[10.51.0.1/24]',
    '[10.51.0.1/24, 10.50.0.129/25]',
    'services.web.bridge.gateway[1]',
    "overlaps the network of service mail's bridge (10.50.0.1/24)",
  ],
  [
    '[10.51.0.1/24]',
    '[10.51.0.1/24, 10.50.0.9/24]',
    'services.web.bridge.gateway[1]',
    'give each bridge a network of its own',
  ],
  [
    '[192.0.2.80]',
    '[10.50.0.77]',
    'services.web.addresses[0]',
    "lies in the network of service mail's bridge",
  ],
  [
    '[192.0.2.80]',
    '[10.50.0.2]',
    'services.web.addresses[0]',
    "lies in the network of service mail's bridge",
  ],
  ['[192.0.2.25, ', '[10.51.0.1, ', `${MAIL}.addresses[0]`, "lies in the network of service web's bridge"],
];

const YAML: readonly Case[] = [
  [
    '    announce: true',
    '    announce: true\n    announce: false #<',
    `${MAIL}.announce`,
    'stands here twice',
  ],
  ['announce: true', 'announce: !!bool true', `${MAIL}.announce`, 'has the tag tag:yaml.org,2002:bool'],
  ['drainFor: 5m', 'drainFor: !env 5m', `${MAIL}.cutover.drainFor`, 'has the tag !env'],
  ['announce: true', 'announce: *yes', `${MAIL}.announce`, '*yes refers to nothing'],
  ['announce: true', '? [a]\n    : true', MAIL, 'is a key that is no plain text'],
  ['announce: true', 'announce: &loop [*loop]', `${MAIL}.announce[0]`, '*loop refers to nothing'],
  ['announce: true', 'announce: "true', '', 'not YAML: Missing closing'],
  ['    announce: true', '\tannounce: true', '', 'not YAML: Tabs are not allowed'],
  [HTTP, 'http: [::1]:8440', '', 'an address in brackets needs quotes, such as "[::1]:8440"'],
  ['\n  web:', '\n--- #<\n  web:', '', 'a second document begins here'],
];

const table = (cases: readonly Case[]) =>
  cases.map(([from, to, path, message, where]) => ({
    from,
    to,
    path,
    message,
    where,
    title: `${to.slice(0, 60)} → ${path}`,
  }));

describe.each([
  ['beside the services', HOST],
  ['in one field', FIELDS],
  ['between the fields of a service', WITHIN],
  ['between services', BETWEEN],
  ['of the YAML itself', YAML],
])('a fault %s is told with its path, its line and what would be right', (_, cases) => {
  test.each(table(cases))('$title', ({ from, to, path, message, where }) => {
    const { text, line } = change(from, to, where);
    const faults = faultsOf(text);
    expect(faults.map((fault) => fault.path)).toEqual([path]);
    expect(faults[0]?.message).toContain(message);
    expect(faults[0]?.line).toBe(line);
  });
});

test('every fault is told at once, in the order of the file, whatever kind it is of', () => {
  const text = [
    'listen: {socket: run/x, htp: 1}',
    'services:',
    '  mail:',
    '    addresses: [192.0.2.25, 10.50.0.9]',
    '    adresses: [192.0.2.26]',
    '    ports: [25]',
    '    bridge: {name: br-mail, gateway: [10.50.0.1/24]}',
    '    domus:',
    '      - {name: mail-a, addresses: [10.50.0.2]}',
    '      - {name: mail-b, addresses: [10.99.0.3]}',
    '  web:',
    '    addresses: [192.0.2.80]',
    '    announce: false',
    '    ports: [80/tcp]',
    '    bridge: {name: br-mail, gateway: [10.51.0.1/24]}',
    '    domus: [{name: web-a, addresses: [10.51.0.2]}]',
  ].join('\n');
  expect(
    formatFaults('d.yaml', faultsOf(text)).replace(/ [^ ]*?: .*/gm, (rest) => rest.split(': ')[0] ?? ''),
  ).toBe(
    [
      'd.yaml:1:1: uplink',
      'd.yaml:1:18: listen.socket',
      'd.yaml:1:25: listen.htp',
      'd.yaml:4:29: services.mail.addresses[1]',
      'd.yaml:5:5: services.mail.adresses',
      'd.yaml:6:13: services.mail.ports[0]',
      'd.yaml:10:36: services.mail.domus[1].addresses[0]',
      'd.yaml:15:20: services.web.bridge.name',
      'd.yaml:16:5: services.web.domus',
    ].join('\n'),
  );
});

test('an uplink that is missing is told only where a service announces', () => {
  const without = BASE.replace('uplink: eth0\n', '');
  const faults = faultsOf(without);
  expect(faults).toMatchObject([{ path: 'uplink', line: 2 }]);
  expect(faults[0]?.message).toContain('mail announces its addresses there');
  const routed = without
    .replace('announce: true', 'announce: false')
    .replace('    ports: [80/tcp]', '    announce: false\n    ports: [80/tcp]');
  expect(faultsOf(routed)).toEqual([]);
});

test.each([
  ['', 'the file is empty; write at least services: {}'],
  ['# only a comment\n', 'the file is empty'],
  ['services:\n', 'has no value; what is needed is a mapping of services'],
  ['[1, 2]\n', 'a list is not right here'],
  ['services: [1]\n', 'what is needed is a mapping of services'],
  ['%YAML 1.1\n---\nservices: {}\n', 'a directive stands here'],
  ['%TAG ! tag:x,2000:\n---\nservices: {}\n', 'a directive stands here'],
  ['%FOO bar\n---\nservices: {}\n', 'a directive stands here'],
])('a file without a configuration in it is refused: %j', (text, message) => {
  const faults = faultsOf(text);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatchObject({ line: 1 });
  expect(faults[0]?.message).toContain(message);
});

test('a token is never shown, not even where its hash should be', () => {
  const secret = 'correct horse battery staple';
  const faults = faultsOf(BASE.replace('a'.repeat(64), secret));
  expect(faults).toMatchObject([{ path: 'tokens[0].sha256' }]);
  expect(JSON.stringify(faults)).not.toContain(secret);
});

test('an alias stands for what it refers to, and its faults are told where that stands', () => {
  const shared = BASE.replace('admins: [10.9.0.0/24]', 'admins: &admins [10.9.0.0/24]').replace(
    '    ports: [80/tcp]',
    '    ports: [80/tcp]\n    admins: *admins',
  );
  expect(faultsOf(shared)).toEqual([]);
  const faults = faultsOf(shared.replace('10.9.0.0/24', '10.9.0.1/24'));
  expect(faults.map(({ path }) => path)).toEqual(['services.mail.admins[0]', 'services.web.admins[0]']);
  expect(new Set(faults.map(({ line }) => line)).size).toBe(1);
});
