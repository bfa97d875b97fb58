import type { Api, App } from '../context.ts';
import { capacityRoutes } from './capacity.ts';
import { cpuRoutes } from './cpu.ts';
import { daemonRoutes } from './daemon.ts';
import { eventRoutes } from './events.ts';
import { holdRoutes } from './holds.ts';
import { journalRoutes } from './journal.ts';
import { lookRoutes } from './look.ts';
import { pageRoutes } from './page.ts';
import { planRoutes } from './plan.ts';
import { selfTestingRoutes } from './self-testing.ts';
import { serviceRoutes } from './services.ts';
import { sessionRoutes } from './session.ts';
import { stateRoutes } from './state.ts';
import { switchRoutes } from './switches.ts';
import { testerRoutes } from './testers.ts';
import { testingRoutes } from './testing.ts';
import { whoamiRoutes } from './whoami.ts';

export function addRoutes(app: App, api: Api): void {
  serviceRoutes(app, api);
  switchRoutes(app, api);
  holdRoutes(app, api);
  testerRoutes(app, api);
  testingRoutes(app, api);
  whoamiRoutes(app, api);
  selfTestingRoutes(app, api);
  sessionRoutes(app, api);
  lookRoutes(app, api);
  planRoutes(app, api);
  cpuRoutes(app, api);
  journalRoutes(app, api);
  capacityRoutes(app, api);
  eventRoutes(app, api);
  stateRoutes(app, api);
  daemonRoutes(app, api);
  pageRoutes(app, api);
}
