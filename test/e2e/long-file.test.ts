import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { run } from '../../src/lib/run.ts';
import { DIRECTOR } from './support/scripts.ts';

it('a long file that is wrong is refused at a first start with each fault, by its line', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'director-long-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'director.yaml');
  const comment = `# ${'words '.repeat(10)}\n`.repeat(500);
  await writeFile(file, `${comment}state: ${directory}\nservices: {}\nuplnk: eth0\nmark: {mask: 0}\n`);
  const [node = '', ...argv] = DIRECTOR;
  const { status, stderr } = await run(node, [...argv, 'serve', '--config', file]);
  expect(status).toBe(1);
  expect(stderr).toMatch(/503/);
  expect(stderr).toMatch(/504/);
});
