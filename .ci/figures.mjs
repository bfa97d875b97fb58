// Puts the figures of the last run into README.md, between their marks: `faults` those of `npm run test:faults`, `bench`
// those of `npm run bench`, with its pictures. Run it as the same user.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bench = join(root, '.cache/bench');
const PARTS = {
  faults: { figures: process.env.FAULT_FIGURES ?? join(tmpdir(), 'director-figures.md') },
  bench: { bench: join(bench, 'aims.md'), growth: join(bench, 'growth.md') },
};

const readme = join(root, 'README.md');
const part = process.argv[2] ?? 'faults';
if (!Object.hasOwn(PARTS, part)) throw new Error(`say ${Object.keys(PARTS).join(' or ')}, not ${part}`);
let text = readFileSync(readme, 'utf8');
for (const [mark, file] of Object.entries(PARTS[part]))
  text = replaced(text, mark, readFileSync(file, 'utf8').trim());
writeFileSync(readme, text);
if (part === 'bench') copyPictures(join(root, 'test/bench/pictures'));

function replaced(content, mark, figures) {
  const block = new RegExp(`(<!-- ${mark}:begin[^>]*-->\\n)[^]*?(<!-- ${mark}:end -->)`);
  if (!block.test(content)) throw new Error(`${readme} has no marks for ${mark}`);
  return content.replace(block, (_, begin, end) => `${begin}\n${figures}\n\n${end}`);
}

function copyPictures(target) {
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(bench).filter((file) => file.endsWith('.svg')))
    copyFileSync(join(bench, name), join(target, name));
}
