import { director } from './director.ts';
import { fleet } from './fleet.ts';
import type { Dashboard } from './grafana.ts';
import { routing } from './routing.ts';
import { service } from './service.ts';

/** By the name of their file. */
export const DASHBOARDS: Readonly<Record<string, Dashboard>> = { fleet, service, routing, director };
