import { buildApp } from '../../../src/api/app.ts';
import type { HostLoad } from '../../../src/capacity/host-load.ts';
import type { Access, App, Logger } from '../../../src/api/context.ts';
import { EventStreams } from '../../../src/api/event-streams.ts';
import type { Meter } from '../../../src/meter/report.ts';
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

/** A host of four cores, half of them idle, whose vif1.0 carries 100 packets a second each way. */
export const hostLoad = (ms: number): Promise<HostLoad> =>
  Promise.resolve({
    seconds: ms / 1000,
    cores: 4,
    cpu: { user: 1, nice: 0, guest: 0, system: 0.5, irq: 0, soft: 0.25, steal: 0, iowait: 0.25, idle: 2 },
    links: new Map([['vif1.0', { rxPackets: 100, rxBytes: 10_000, txPackets: 200, txBytes: 20_000 }]]),
  });

export const SOCKET: Access = { via: 'socket' };

export interface Extras {
  readonly qa?: SelfEnrolmentRules;
  readonly trustedProxies?: readonly Network[];
  readonly page?: PageFiles;
  readonly meter?: Meter | null;
}

/** The app with a double behind it; close() ends what it holds. */
export async function appWith(
  access: Access = SOCKET,
  director = new DirectorDouble('mail', 'ldap'),
  { qa, trustedProxies = [], page, meter = null }: Extras = {},
): Promise<{
  app: App;
  director: DirectorDouble;
  log: ReturnType<typeof memoryLog>;
  close: () => Promise<void>;
}> {
  const log = memoryLog();
  const streams = new EventStreams(director);
  const metrics = () =>
    Promise.resolve({ contentType: 'text/plain; version=0.0.4', parts: [Buffer.from('up 1\n')] });
  const history = new FlowHistory(director, () => false);
  const selfEnrolment = new SelfEnrolment(() => qa ?? null);
  const shared = { director, metrics, log, version: '1.2.3', access, streams, history, selfEnrolment };
  const host = { load: hostLoad, meter: () => meter };
  const app = await buildApp(
    { ...shared, ...host, trustedProxies, turns: new Turns(), page: page ?? null },
    null,
  );
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
