import { buildApp } from '../../../src/api/app.ts';
import type { Access, App, Logger } from '../../../src/api/context.ts';
import { EventStreams } from '../../../src/api/event-streams.ts';
import { FlowHistory } from '../../../src/api/flow-history.ts';
import type { PageFiles } from '../../../src/api/page-files.ts';
import { SelfEnrolment } from '../../../src/api/self-enrolment.ts';
import type { SelfEnrolmentRules } from '../../../src/api/self-enrolment.ts';
import { Turns } from '../../../src/api/turns.ts';
import type { Network } from '../../../src/model/address.ts';
import { DirectorDouble } from './director-double.ts';

export interface LogLine {
  readonly level: string;
  readonly what: object;
  readonly message: string;
}

export function memoryLog(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (level: string) => (what: object, message: string) => {
    lines.push({ level, what, message });
  };
  return { lines, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

export const SOCKET: Access = { via: 'socket' };

export interface Extras {
  readonly qa?: SelfEnrolmentRules;
  readonly trustedProxies?: readonly Network[];
  readonly page?: PageFiles;
}

/** The app with a double behind it; close() ends what it holds. */
export async function appWith(
  access: Access = SOCKET,
  director = new DirectorDouble('mail', 'ldap'),
  { qa, trustedProxies = [], page }: Extras = {},
): Promise<{
  app: App;
  director: DirectorDouble;
  log: ReturnType<typeof memoryLog>;
  close: () => Promise<void>;
}> {
  const log = memoryLog();
  const streams = new EventStreams(director);
  const metrics = () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' });
  const history = new FlowHistory(director, () => false);
  const selfEnrolment = new SelfEnrolment(() => qa ?? null);
  const shared = { director, metrics, log, version: '1.2.3', access, streams, history, selfEnrolment };
  const app = await buildApp({ ...shared, trustedProxies, turns: new Turns(), page: page ?? null }, null);
  return {
    app,
    director,
    log,
    close: async () => {
      streams.close();
      history.close();
      await app.close();
    },
  };
}
