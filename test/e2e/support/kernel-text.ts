import type { World } from '../../../src/lab/world.ts';

/** What the Dom0's kernel holds that a director could have changed, as text: without counters and times left. */
export async function kernelText(world: World): Promise<string> {
  const texts = await Promise.all(
    [
      ['iptables-save'],
      ['ip6tables-save'],
      ['ipset', 'save', '-sorted'],
      ['ip', '-br', 'link'],
      ['ip', '-br', 'address'],
      ['sysctl', 'net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'],
    ].map((argv) => world.must('dom0', argv)),
  );
  return texts
    .join('')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.replace(/\[\d+:\d+\]/, '').replace(/ (timeout|packets|bytes) \d+/g, ''))
    .join('\n');
}
