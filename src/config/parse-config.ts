import type { Fault } from '../lib/errors.ts';
import { checkHost } from './check-host.ts';
import type { HostFields } from './check-host.ts';
import type { Config } from './config.ts';
import { crossProblems } from './cross-check.ts';
import type { HostDraft } from './draft.ts';
import { byPlace } from './format-faults.ts';
import { deepFreeze } from './freeze.ts';
import { hostSchema } from './host-schema.ts';
import { parseFields } from './parse-fields.ts';
import { readService } from './parse-service.ts';
import type { ReadService } from './parse-service.ts';
import type { Problem } from './problem.ts';
import { readYaml } from './read-yaml.ts';
import { isMapping, wrongKind } from './words.ts';

export type ReadConfig = { readonly config: Config } | { readonly faults: readonly Fault[] };

/** The text of a configuration file as a frozen value, or everything that is wrong with it, by line. */
export function parseConfig(text: string, file: string): ReadConfig {
  const source = readYaml(text);
  if (source.data === undefined) return { faults: [...source.faults].sort(byPlace) };
  const { problems, config } = readData(source.data, file);
  const faults = [...source.faults, ...problems.map((problem) => source.locate(problem))];
  if (config === null || faults.length > 0) return { faults: faults.sort(byPlace) };
  return { config: deepFreeze(config) };
}

interface ReadData {
  readonly config: Config | null;
  readonly problems: readonly Problem[];
}

function readData(data: unknown, file: string): ReadData {
  if (data === null) {
    return {
      config: null,
      problems: [{ at: [], message: 'the file is empty; write at least services: {}' }],
    };
  }
  const { complete, sound, problems } = parseFields(hostSchema, data);
  const services = readServices(sound.services);
  const all = [
    ...problems,
    ...checkHost(sound),
    ...services.problems,
    ...services.read.flatMap((one) => one.problems),
    ...crossProblems(
      services.read.map(({ draft }) => draft),
      hostDraft(sound, problems),
    ),
  ];
  const config = complete === null ? null : assemble(complete, file, services.read);
  return { config: all.length > 0 ? null : config, problems: all };
}

/** An uplink that is there but wrong is no uplink that is missing. */
function hostDraft({ uplink, mark }: HostFields, problems: readonly Problem[]): HostDraft {
  const wrong = problems.some(({ at }) => at[0] === 'uplink');
  return { uplink: wrong ? undefined : (uplink ?? null), markMask: mark?.mask };
}

function readServices(services: unknown): { read: ReadService[]; problems: Problem[] } {
  if (services === undefined) return { read: [], problems: [] };
  if (!isMapping(services)) {
    const message = wrongKind(services, 'a mapping of services by their names; services: {} for none');
    return { read: [], problems: [{ at: ['services'], message }] };
  }
  const read = Object.entries(services).map(([name, definition]) => readService(name, definition));
  return { read, problems: [] };
}

function assemble(
  fields: Required<
    Pick<HostFields, 'listen' | 'state' | 'iptables' | 'xen' | 'mark' | 'cpu' | 'journal' | 'tokens'>
  > &
    HostFields,
  file: string,
  read: readonly ReadService[],
): Config {
  const { listen, state, uplink, iptables, xen, mark, cpu, journal, tokens, qa } = fields;
  return {
    file,
    listen: { ...listen, http: listen.http ?? null, tls: listen.tls ?? null },
    state,
    uplink: uplink ?? null,
    iptables,
    xen,
    markMask: mark.mask,
    journalKeep: journal.keep,
    cpu,
    tokens,
    qa: qa ?? null,
    services: read.flatMap(({ service }) => (service === null ? [] : [service])),
  };
}
