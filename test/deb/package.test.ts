import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';
import { configSchema } from '../../src/config/host-schema.ts';
import { must, run } from '../../src/lab/run.ts';
import { BUILD_WITHIN, build, built } from './support/build.ts';

const directory = mkdtempSync(join(tmpdir(), 'director-deb-'));
const content = join(directory, 'content');
let deb = '';
let again = '';

beforeAll(async () => {
  // From another folder, with other habits of who builds.
  [deb, again] = await Promise.all([
    built(),
    build(directory, { TZ: 'Pacific/Kiritimati', LANG: 'C', HOME: directory, USER: 'somebody' }),
  ]);
  await must(['dpkg-deb', '--raw-extract', deb, content]);
}, BUILD_WITHIN);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const read = (...path: string[]): string => readFileSync(join(content, ...path), 'utf8');

it('built twice, it is the same byte for byte', () => {
  expect(readFileSync(again).equals(readFileSync(deb))).toBe(true);
});

it('lintian finds nothing in it', { timeout: BUILD_WITHIN }, async () => {
  const { code, stdout, stderr } = await run([
    'lintian',
    '--allow-root',
    '--fail-on=error,warning',
    '--tag-display-limit=0',
    deb,
  ]);
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
});

it('it holds what runs here, and nothing of the folder that it was built in', async () => {
  const found = await run(['grep', '-rlE', 'deb-build-|/node_modules/\\.', content]);
  expect(found.stdout).toBe('');
  const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    engines: { node: string };
  };
  const [, major, minor] =
    /^v(\d+)\.(\d+)\./.exec(await must([join(content, 'usr/lib/dom0-director/bin/node'), '--version'])) ?? [];
  expect(engines.node).toBe('>=20.19');
  expect(Number(major) * 100 + Number(minor)).toBeGreaterThanOrEqual(2019);
});

it('every command and option of the command line stands in director(1)', async () => {
  const page = await plain('man1/director.1.gz');
  const nobody = { write: () => true };
  const { program } = buildProgram(
    { stdout: nobody, stderr: nobody, env: {} },
    { version: '0' } as never,
    [],
  );
  for (const command of program.commands) {
    if (command.name().startsWith('__') || command.name() === 'help') continue;
    expect(page).toContain(`director ${command.name()}`);
    for (const { long } of command.options) expect(page).toContain(long);
  }
});

it('every key of the configuration stands in dom0-director.yaml(5), with its path', async () => {
  const page = await plain('man5/dom0-director.yaml.5.gz');
  const missing = pathsOf(configSchema() as Schema, '').filter((path) => !page.includes(`\n       ${path}`));
  expect(missing).toEqual([]);
});

it.each(['man1/director.1.gz', 'man5/dom0-director.yaml.5.gz', 'man8/dom0-director.8.gz'])(
  '%s is roff without a fault',
  async (page) => {
    const { stderr } = await run(
      [
        'man',
        '--warnings',
        '--encoding=utf8',
        '--local-file',
        '--ditroff',
        join(content, 'usr/share/man', page),
      ],
      { env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '80' } },
    );
    expect(stderr).toBe('');
  },
);

it('each package in a bundle stands in the copyright file, with its licence', async () => {
  const text = read('usr/share/doc/dom0-director/copyright');
  for (const name of [
    'fastify',
    'zod',
    'pino',
    'yaml',
    'commander',
    'better-sqlite3',
    'netlink',
    'preact',
    '@preact/signals',
  ])
    expect(text).toContain(`\nFiles: node_modules/${name}/*\n`);
  const used = [...text.matchAll(/^License: (.*)\n(?! )/gm)].map(([, name]) => name ?? '');
  for (const name of used.flatMap((each) => each.split(' or ')))
    expect(text).toContain(`\nLicense: ${name}\n `);
  await must(['gzip', '--test', join(content, 'usr/share/doc/dom0-director/node-licence.txt.gz')]);
});

async function plain(page: string): Promise<string> {
  return must(['man', '--local-file', join(content, 'usr/share/man', page)], {
    env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '300', MAN_KEEP_FORMATTING: '', PAGER: 'cat' },
  });
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
}

/** Of mappings in mappings; what stands in lists is told in their words. */
function pathsOf({ properties = {}, additionalProperties }: Schema, path: string): string[] {
  const named = typeof additionalProperties === 'object' ? { NAME: additionalProperties } : {};
  return Object.entries({ ...properties, ...named }).flatMap(([name, inner]) => {
    const here = path === '' ? name : `${path}.${name}`;
    return [here, ...pathsOf(inner, here)];
  });
}
