import { setImmediate as nextTurn } from 'node:timers/promises';
import { KernelError, isNotFound, messageOf } from '../../../lib/errors.ts';
import type { Flow, MarkFilter } from '../../kernel.ts';
import type { NetlinkConnection, NetlinkMessage } from '../connection.ts';
import { NLM_F_DUMP, NLM_F_REQUEST, encodeMessage } from '../message.ts';
import { messageType } from '../netfilter.ts';
import { EVERYTHING, decodeFlow, encodeFlow, encodeMarkFilter, summaryOf } from './codec.ts';
import { IPCTNL_MSG_CT_DELETE, IPCTNL_MSG_CT_GET } from './protocol.ts';

const GET = messageType('conntrack', IPCTNL_MSG_CT_GET);
const DELETE = messageType('conntrack', IPCTNL_MSG_CT_DELETE);

/** The message that asks for the flows of both families that match. */
export function questionByMark(filter: MarkFilter): Buffer {
  return encodeMessage(GET, NLM_F_REQUEST | NLM_F_DUMP, 1, encodeMarkFilter(filter));
}

/** Flows that are decoded between two turns of the event loop; some milliseconds' worth. */
const CHUNK = 500;
const MOST_WALKS = 10;

/** Entries of the kernel's connection tracking, over ctnetlink (what conntrack(8) does). Failures are KernelError. */
export class ConntrackClient {
  readonly #connection: NetlinkConnection;

  constructor(connection: NetlinkConnection) {
    this.#connection = connection;
  }

  /**
   * The number of flows that are not over for each `(mark & mask)` that is not 0, both families. Walks through all
   * that there are; with `only`, the others are left out in the kernel.
   */
  async count(mask: number, only?: MarkFilter): Promise<Map<number, number>> {
    let counts = new Map<number, number>();
    await this.#walk(
      only === undefined ? EVERYTHING : encodeMarkFilter(only),
      () => (counts = new Map<number, number>()),
      (messages) => tally(counts, messages, mask),
      'the flows could not be counted',
    );
    return counts;
  }

  /** Those which were there at one time, in chunks; selected in the kernel. */
  async *flows(filter: MarkFilter): AsyncGenerator<readonly Flow[], void, undefined> {
    let found: NetlinkMessage[] = [];
    await this.#walk(
      encodeMarkFilter(filter),
      () => (found = []),
      (messages) => found.push(...messages),
      `the flows with mark ${filter.value} could not be listed`,
    );
    for (let start = 0; start < found.length; start += CHUNK) {
      yield found.slice(start, start + CHUNK).map(({ payload }) => decodeFlow(payload));
      await nextTurn();
    }
  }

  /** Ends the flows of both families that match, in one message; answers how many there were that were not over. */
  async deleteByMark(filter: MarkFilter): Promise<number> {
    if ((filter.value & filter.mask) >>> 0 === 0) {
      throw new KernelError(
        `flows by mark ${filter.value} of mask ${filter.mask} are not ended: those are flows that nobody has marked; nothing was changed`,
        { code: 'EINVAL' },
      );
    }
    let matching = 0;
    const named = `the flows with mark ${filter.value}`;
    await this.#walk(
      encodeMarkFilter(filter),
      () => (matching = 0),
      (messages) => (matching += messages.filter(({ payload }) => !summaryOf(payload).closing).length),
      `${named} could not be counted; none was ended`,
    );
    try {
      await this.#connection.request(DELETE, 0, encodeMarkFilter(filter));
    } catch (error) {
      throw explained(error, `${named} (${matching} of them) could not be ended`);
    }
    return matching;
  }

  /** false where it has ended by itself, or where another flow has taken its addresses and ports. */
  async deleteFlow(flow: Flow): Promise<boolean> {
    try {
      await this.#connection.request(DELETE, 0, encodeFlow(flow));
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw explained(error, `the flow from ${flow.from.text} to ${flow.to.text} could not be ended`);
    }
  }

  /** Dumps what `payload` asks for, from the beginning (`reset`) whenever the kernel says that it changed meanwhile. */
  async #walk(
    payload: Buffer,
    reset: () => void,
    onMessages: (messages: readonly NetlinkMessage[]) => void,
    failure: string,
  ): Promise<void> {
    for (let tries = 1; ; tries++) {
      reset();
      try {
        await this.#connection.dump(GET, payload, onMessages);
        return;
      } catch (error) {
        const again = error instanceof KernelError && error.code === 'EINTR' && tries < MOST_WALKS;
        if (!again) throw explained(error, failure);
      }
    }
  }
}

function tally(counts: Map<number, number>, messages: readonly NetlinkMessage[], mask: number): void {
  for (const { payload } of messages) {
    const { mark, closing } = summaryOf(payload);
    const value = (mark & mask) >>> 0;
    if (value !== 0 && !closing) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
}

function explained(error: unknown, what: string): KernelError {
  return new KernelError(`${what}: ${messageOf(error)}`, {
    code: error instanceof KernelError ? error.code : 'UNKNOWN',
    cause: error,
  });
}
