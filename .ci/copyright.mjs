// Debian's copyright file (its format 1.0) of a program and of the packages that its bundles hold.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** `folders`: of the packages; `head`: what stands before them, with the texts of its own licences. */
export function copyright(folders, head) {
  const texts = new Map();
  const files = folders.map((folder) => {
    const { name, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const { holders, text } = read(folder);
    const whose = holders.length > 0 ? holders : [nameOf(author) ?? `the authors of ${name}`];
    if (license === 'Apache-2.0') return stanza(name, whose, license);
    // Texts that differ by a word are texts of their own.
    const same = [...texts].find(([, each]) => each.body === bare(text))?.[0];
    const short =
      same ??
      (texts.has(license) || head.includes(`\nLicense: ${license}\n `)
        ? `${license}-${name.replace(/^@/, '').replaceAll('/', '-')}`
        : license);
    if (same === undefined) texts.set(short, { body: bare(text), text });
    return stanza(name, whose, short);
  });
  const licences = [...texts].map(([short, { text }]) => `License: ${short}\n${indented(text)}\n`);
  return [head.trimEnd() + '\n', ...files, ...licences].join('\n');
}

const stanza = (name, whose, short) =>
  `Files: node_modules/${name}/*\nCopyright: ${whose.join('\n           ')}\nLicense: ${short}\n`;

/** Who has it, by the licence's own lines, and the text without them. */
function read(folder) {
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)(\.\w+)?$/i.test(name));
  if (file === undefined)
    return { holders: [], text: 'Under the licence of this name; the package comes without its text.' };
  const lines = readFileSync(join(folder, file), 'utf8').replaceAll('\r', '').trim().split('\n');
  const isHolder = (line) => /^\W*copyright\W+(\(c\)|©|\d{4})/i.test(line);
  return {
    holders: lines.filter(isHolder).map((line) => line.replace(/^\W*copyright\s*(\(c\)|©)?\s*/i, '').trim()),
    text: lines
      .filter((line) => !isHolder(line))
      .join('\n')
      .trim(),
  };
}

const bare = (text) => text.replaceAll(/\W+/g, ' ').toLowerCase();
const nameOf = (author) => (typeof author === 'string' ? author : author?.name);
const indented = (text) =>
  text
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n');
