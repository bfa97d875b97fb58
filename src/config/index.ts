export type { Config, Token } from './config.ts';
export { crossCheck } from './cross-check.ts';
export { describeService } from './describe-service.ts';
export { formatFaults } from './format-faults.ts';
export { configSchema } from './host-schema.ts';
export { parseConfig } from './parse-config.ts';
export type { ReadConfig } from './parse-config.ts';
export { parseService } from './parse-service.ts';
export { readConfig } from './read-config.ts';
