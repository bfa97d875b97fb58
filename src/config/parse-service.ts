import { SERVICE_NAME } from '../model/service.ts';
import type { Service } from '../model/service.ts';
import type { Fault } from '../lib/errors.ts';
import { checkService } from './check-service.ts';
import type { ServiceDraft } from './draft.ts';
import { deepFreeze } from './freeze.ts';
import { parseFields } from './parse-fields.ts';
import { toFault, under } from './problem.ts';
import type { Path, Problem } from './problem.ts';
import { SERVICE_NAME_RULE, serviceSchema } from './service-schema.ts';
import { isMapping, show } from './words.ts';

export interface ReadService {
  readonly service: Service | null;
  readonly draft: ServiceDraft;
  readonly problems: readonly Problem[];
}

/**
 * A service from its definition in the body of a request: what stands under `services.NAME` in the file, but for what
 * only the file may say. Every fault at once, with paths such as `services.mail.ports[2]`. What concerns other services,
 * or the host, is for crossCheck.
 */
export function parseService(
  name: string,
  definition: unknown,
): { service: Service } | { faults: readonly Fault[] } {
  const { service, problems } = readService(name, definition);
  const all = [...problems, ...onlyInFile(name, definition)];
  return service === null || all.length > 0 ? { faults: all.map(toFault) } : { service };
}

/** Whoever may define a service need not be root, whose programs and files these are. */
function onlyInFile(name: string, definition: unknown): Problem[] {
  if (!isMapping(definition) || definition['stage'] === undefined) return [];
  const message =
    'stands in the configuration file alone, which counts for this service in any case; leave it out here';
  return [{ at: ['services', name, 'stage'], key: true, message }];
}

/** From the file, with what is right of a service that is not. */
export function readService(name: string, definition: unknown): ReadService {
  const at = ['services', name];
  const { complete, sound, problems } = parseFields(serviceSchema, definition);
  const draft = { name, ...sound };
  const all = [...nameProblems(name, at), ...under(at, [...problems, ...checkService(draft)])];
  const service = complete === null || all.length > 0 ? null : deepFreeze<Service>({ name, ...complete });
  return { service, draft, problems: all };
}

function nameProblems(name: string, at: Path): Problem[] {
  if (SERVICE_NAME.test(name)) return [];
  return [{ at, key: true, message: `${show(name)} is not a service's name; write ${SERVICE_NAME_RULE}` }];
}
