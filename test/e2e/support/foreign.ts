import type { World } from '../../../src/lab/world.ts';

const TABLES = ['raw', 'mangle', 'nat', 'filter'] as const;

/** A host that has been lived in: rules, sets, links, addresses and routes of others, some with names like ours. */
export async function furnish(world: World): Promise<void> {
  await world.must('dom0', ['ip', '-batch', '-'], { stdin: `${LINKS.join('\n')}\n` });
  await world.must('dom0', ['ipset', 'restore'], { stdin: `${SETS.join('\n')}\n` });
  for (const [tool, address] of [
    ['iptables', '203.0.113.99'],
    ['ip6tables', '2001:db8:200::99'],
  ] as const) {
    await world.must('dom0', [`${tool}-restore`, '-w'], { stdin: rules(address) });
    const legacy = ['-A', 'INPUT', '-s', address, '-j', 'DROP'];
    await world.must('dom0', [`${tool}-legacy`, '-w', ...legacy]);
  }
  await world.must('dom0', ['nft', '-f', '-'], { stdin: NFT });
  // A host that was hardened: the kernel itself would change this along with forwarding.
  await world.must('dom0', ['sysctl', '-qw', 'net.ipv4.conf.all.accept_redirects=0']);
}

/** Service addresses and a bridge that the host had before: they are adopted, and stay the host's. */
export async function furnishServices(world: World, announced: string, bridged: string): Promise<void> {
  const { ipv4, ipv6 } = world.service(announced);
  const { bridge, gateway, domus } = world.service(bridged);
  const lines = [
    `address add ${ipv4}/32 dev eth0`,
    `address add ${ipv6}/128 dev eth0 nodad`,
    `link add name ${bridge} type bridge`,
    `link set dev ${bridge} up`,
    `address add ${gateway.ipv4}/24 dev ${bridge}`,
    `address add ${gateway.ipv6}/64 dev ${bridge} nodad`,
    ...domus.map(({ vif }) => `link set dev ${vif} master ${bridge}`),
  ];
  await world.must('dom0', ['ip', '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
}

const LINKS = [
  'link add name lan0 type veth peer name lan1',
  'link set dev lan0 up',
  'link set dev lan1 up',
  'address add 10.99.0.1/24 dev lan0',
  'link add name br-own type bridge',
  'link add name vif99.0 type veth peer name far99',
  'link set dev vif99.0 master br-own',
  'link set dev vif99.0 up',
  'link set dev far99 up',
  'link set dev br-own up',
  'address add 192.0.2.200/24 dev eth0',
  'address add 192.0.2.201/32 dev eth0',
  'address add 2001:db8::200/64 dev eth0 nodad',
  'route add 10.98.0.0/24 via 192.0.2.254',
  'route add fd00:98::/64 via 2001:db8::fe',
  'route add 10.97.0.0/24 via 192.0.2.254 table 100',
  'rule add from 10.99.0.0/24 table 100',
];

const SETS = [
  'create foreign hash:ip counters',
  'add foreign 203.0.113.99',
  'create dir-backup hash:net',
  'add dir-backup 203.0.113.96/29',
  'create dirty list:set',
  'add dirty foreign',
];

const NFT = `
table inet firewall {
  set blocked { type ipv4_addr; elements = { 203.0.113.99 } }
  chain input {
    type filter hook input priority filter - 5; policy accept;
    ip saddr @blocked counter drop
  }
}
`;

/** Chains and rules in every table, above and below where the director puts its jumps. */
function rules(address: string): string {
  const hook = { raw: 'PREROUTING', mangle: 'FORWARD', nat: 'PREROUTING', filter: 'FORWARD' };
  return TABLES.flatMap((table) => [
    `*${table}`,
    ':DIRTY - [0:0]',
    ':FOREIGN - [0:0]',
    `-A ${hook[table]} -s ${address}/${address.includes(':') ? 128 : 32} -j FOREIGN`,
    `-A ${hook[table]} -p tcp -m tcp --dport 9 -m comment --comment "mine: DIR" -j DIRTY`,
    `-A FOREIGN -m limit --limit 5/min -j RETURN`,
    ...(table === 'nat' ? ['-A POSTROUTING -o lan0 -j MASQUERADE'] : []),
    ...(table === 'nat' || table === 'raw' ? ['-A OUTPUT -p udp -m udp --dport 9 -j DIRTY'] : []),
    'COMMIT\n',
  ]).join('\n');
}
