import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Neighbours } from '../../src/kernel/announce.ts';
import { LinkClient } from '../../src/kernel/links/client.ts';
import { NETLINK_ROUTE, NetlinkConnection } from '../../src/kernel/netlink/connection.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const address = (n: number) => ({ family: 4, text: `192.0.2.${n % 250}` }) as const;

function neighboursOn() {
  const links = new LinkClient(NetlinkConnection.open(NETLINK_ROUTE));
  const neighbours = new Neighbours(links, () => undefined);
  const announce = vi.spyOn(neighbours, 'announce').mockResolvedValue();
  return { neighbours, announce };
}

test('addresses that keep coming are told together, each of them, and within a second', async () => {
  const { neighbours, announce } = neighboursOn();
  for (let n = 0; n < 1000; n++) {
    neighbours.soon('eth0', address(n));
    await vi.advanceTimersByTimeAsync(10);
  }
  await vi.advanceTimersByTimeAsync(1000);
  expect(announce.mock.calls.length).toBeLessThan(30);
  expect(announce.mock.calls.flatMap(([, told]) => told)).toHaveLength(1000);
});

test('an address that comes alone is told at once, also after many', async () => {
  const { neighbours, announce } = neighboursOn();
  for (let n = 0; n < 100; n++) {
    neighbours.soon('eth0', address(n));
    await vi.advanceTimersByTimeAsync(10);
  }
  await vi.advanceTimersByTimeAsync(5000);
  announce.mockClear();
  neighbours.soon('eth0', address(1));
  await vi.advanceTimersByTimeAsync(25);
  expect(announce).toHaveBeenCalledWith('eth0', [address(1)]);
});
