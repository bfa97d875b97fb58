import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KEPT_FILE, parseConfig, readConfig, readConfigAgain } from '../../src/config/index.ts';
import type { Config, ReadConfig } from '../../src/config/index.ts';

let directory: string;
let file: string;
let kept: string;

function configure(more = ''): void {
  writeFileSync(
    file,
    `state: ${directory}
uplink: eth0
services:
  mail:
    addresses: [192.0.2.25, "2001:db8::25"]
    ports: [25/tcp, {port: 143-150/tcp, to: 1143}, 514/udp]
    bridge: {name: br-mail, gateway: [10.50.0.1/24, "fd00:50::1/64"]}
    domus:
      - {name: mail-a, addresses: [10.50.0.2, "fd00:50::2"], vifs: [mail-a.0]}
      - {name: mail-b, addresses: [10.50.0.3, "fd00:50::3"]}
    testers: [198.51.100.7]
    cutover: {drainFor: never}
    quarantine: [10.0.0.53]
${more}`,
  );
}

async function read(): Promise<Config> {
  const { read: answer, keep } = await readConfigAgain(file);
  if ('faults' in answer) throw new Error(JSON.stringify(answer.faults));
  await keep();
  return answer.config;
}

/** As if the program had understood something else the last time: so one sees whether it is asked. */
function change(changes: object): void {
  const before = deserialize(readFileSync(kept)) as { print: string; config: object };
  writeFileSync(kept, serialize({ ...before, ...changes }));
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'director-config-'));
  file = join(directory, 'director.yaml');
  kept = join(directory, KEPT_FILE);
  configure();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a text that was read before gives the same again, down to what is frozen, and is not read anew', async () => {
  const first = await read();
  const second = await read();
  expect(second).toStrictEqual(first);
  expect({ config: second }).toStrictEqual(await readConfig(file));
  expect(Object.isFrozen(second.services[0]?.domus[0].addresses)).toBe(true);
  change({ config: { ...second, uplink: 'as-it-was-kept' } });
  expect((await read()).uplink).toBe('as-it-was-kept');
});

test('another text, and what another program has kept, are read anew', async () => {
  await read();
  configure('# a comment\n');
  change({ config: null });
  expect((await read()).uplink).toBe('eth0');
  change({ print: 'of another program', config: { uplink: 'another' } });
  expect((await read()).uplink).toBe('eth0');
});

test.each(['', 'not what is written there'])('a damaged file (%j) is as good as none', async (text) => {
  await read();
  writeFileSync(kept, text);
  expect((await read()).uplink).toBe('eth0');
});

test('what is wrong with a file is told each time, and nothing is kept of it', async () => {
  configure('nonsense: 1\n');
  for (let n = 0; n < 2; n++) {
    const { read: answer, keep } = await readConfigAgain(file);
    await keep();
    expect(answer).toStrictEqual(await readConfig(file));
    expect(answer).toHaveProperty('faults');
  }
  rmSync(file);
  expect((await readConfigAgain(file)).read).toStrictEqual(await readConfig(file));
});

test('only a text that was not read before is given to who parses, and as it was when its sum was taken', async () => {
  const parsed: string[] = [];
  const parse = (text: Uint8Array): ReadConfig => {
    const bytes = Buffer.from(text).toString();
    parsed.push(bytes);
    // Somebody writes the file while it is parsed elsewhere.
    configure('# another word\n');
    return parseConfig(bytes, file);
  };
  const text = readFileSync(file, 'utf8');
  const first = await readConfigAgain(file, parse);
  await first.keep();
  expect(parsed).toEqual([text]);
  configure();
  const second = await readConfigAgain(file, parse);
  expect(parsed).toHaveLength(1);
  expect(second.read).toStrictEqual(first.read);
});
