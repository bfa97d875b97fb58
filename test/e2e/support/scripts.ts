import { fileURLToPath } from 'node:url';

const root = new URL('../../../', import.meta.url);

/** The built project: tests run what users run. */
export const LAB_SCRIPTS = fileURLToPath(new URL('dist/lab', root));
export const DIRECTOR = [process.execPath, fileURLToPath(new URL('dist/main.js', root))];
export const METER_HELPER = fileURLToPath(new URL('dist/native/meter', root));
