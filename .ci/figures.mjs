// Puts the figures of the last `npm run test:faults` into README.md, between its marks. Run it as the same user.
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BLOCK = /(<!-- figures:begin[^>]*-->\n)[^]*?(<!-- figures:end -->)/;
const file = fileURLToPath(new URL('../README.md', import.meta.url));
const figures = readFileSync(process.env.FAULT_FIGURES ?? join(tmpdir(), 'director-figures.md'), 'utf8');
const readme = readFileSync(file, 'utf8');
if (!BLOCK.test(readme)) throw new Error(`${file} has no marks for the figures`);
writeFileSync(
  file,
  readme.replace(BLOCK, (_, begin, end) => `${begin}\n${figures}\n${end}`),
);
