import type { MessagePort } from 'node:worker_threads';
import { DirectorError, KernelError, messageOf } from '../../../lib/errors.ts';
import type { Flow, MarkFilter } from '../../kernel.ts';
import { NETLINK_NETFILTER, NetlinkConnection } from '../connection.ts';
import { ConntrackClient } from './client.ts';

/** What a thread with a ConntrackClient is asked: one of its methods, whose `id` comes back with all answers; or to end. */
export type Asked = Question | { readonly do: 'end' };

export type Question = { readonly id: number } & (
  | { readonly do: 'count'; readonly mask: number; readonly only: MarkFilter | undefined }
  | { readonly do: 'flows'; readonly filter: MarkFilter }
  | { readonly do: 'deleteByMark'; readonly filter: MarkFilter }
  | { readonly do: 'deleteFlow'; readonly flow: Flow }
);

/** Chunks of flows, and at the end what the method answered, or why it failed. */
export type Answered = { readonly id: number } & (
  | { readonly flows: readonly Flow[] }
  | { readonly answer: Answer }
  | {
      readonly failed: { readonly message: string; readonly code: string; readonly hint: string | undefined };
    }
);

export type Answer = ReadonlyMap<number, number> | number | boolean | undefined;

/** Serves what comes through the port, until it is told to end. */
export function serveConntrack(port: MessagePort): void {
  const connection = NetlinkConnection.open(NETLINK_NETFILTER);
  const client = new ConntrackClient(connection);
  const tell = (answered: Answered): void => port.postMessage(answered);
  port.on('message', (asked: Asked) => {
    if (asked.do === 'end') {
      connection.close();
      port.close();
      return;
    }
    const { id } = asked;
    carryOut(client, asked, (flows) => tell({ id, flows })).then(
      (answer) => tell({ id, answer }),
      (error: unknown) => tell({ id, failed: failureOf(error) }),
    );
  });
}

async function carryOut(
  client: ConntrackClient,
  asked: Question,
  onFlows: (flows: readonly Flow[]) => void,
): Promise<Answer> {
  switch (asked.do) {
    case 'count':
      return client.count(asked.mask, asked.only);
    case 'deleteByMark':
      return client.deleteByMark(asked.filter);
    case 'deleteFlow':
      return client.deleteFlow(asked.flow);
    case 'flows':
      for await (const flows of client.flows(asked.filter)) onFlows(flows);
      return undefined;
  }
}

function failureOf(error: unknown): Extract<Answered, { readonly failed: unknown }>['failed'] {
  return {
    message: messageOf(error),
    code: error instanceof KernelError ? error.code : 'UNKNOWN',
    hint: error instanceof DirectorError ? error.hint : undefined,
  };
}
