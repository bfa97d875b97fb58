import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Releaser } from '../../../src/lib/releaser.ts';
import { fakeXenstored } from '../../unit/support/xenstored.ts';

/** Where xenstored listens in every Dom0; /run is the tests' own. */
const XENSTORED = '/run/xenstored';

export interface ToldDomain {
  readonly name: string;
  readonly domid: number;
  /** Letters of xl(1), list. */
  readonly flags?: string;
  readonly mac?: string;
  readonly bridge?: string;
  /** What is written where Xen's script is done. */
  readonly hotplug?: string;
}

/**
 * Xen's tools as a director finds them in a Dom0, first in this process's PATH: they tell of the domains that they are
 * given. xenstored is this process, and tells who watches that something has changed.
 */
export async function xenTools(): Promise<{
  tell(domains: readonly ToldDomain[]): void;
  end(): Promise<void>;
}> {
  const releaser = new Releaser();
  const directory = mkdtempSync(join(tmpdir(), 'director-xen-'));
  releaser.add(() => rmSync(directory, { recursive: true }));
  tool(directory, 'xl', 'list');
  tool(directory, 'xenstore-ls', 'vifs');
  const path = process.env['PATH'];
  process.env['PATH'] = `${directory}:${path ?? ''}`;
  releaser.add(() => (process.env['PATH'] = path));
  mkdirSync(XENSTORED, { recursive: true });
  releaser.add(() => rmSync(XENSTORED, { recursive: true, force: true }));
  const server = await fakeXenstored(join(XENSTORED, 'socket'));
  releaser.add(() => server.close());
  const tell = (domains: readonly ToldDomain[]): void => {
    writeFileSync(join(directory, 'list'), listOf(domains));
    writeFileSync(join(directory, 'vifs'), vifsOf(domains));
    fill(server.tree, domains);
    server.fire();
  };
  tell([]);
  return { tell, end: () => releaser.release() };
}

function tool(directory: string, name: string, answer: string): void {
  writeFileSync(join(directory, name), `#!/bin/sh\nexec cat '${join(directory, answer)}'\n`);
  chmodSync(join(directory, name), 0o755);
}

function listOf(domains: readonly ToldDomain[]): string {
  const line = (name: string, domid: number, flags: string): string =>
    `${name.padEnd(40)} ${String(domid).padStart(5)}    96     1     ${flags}       1.0\n`;
  return [
    'Name                                        ID   Mem VCPUs\tState\tTime(s)\n',
    line('Domain-0', 0, 'r-----'),
    ...domains.map(({ name, domid, flags = '-b----' }) => line(name, domid, flags)),
  ].join('');
}

function vifsOf(domains: readonly ToldDomain[]): string {
  return domains
    .flatMap(({ domid, mac = '00:16:3e:00:00:01', bridge = 'xenbr0', hotplug = 'connected' }) =>
      Object.entries({ mac, bridge, 'hotplug-status': hotplug }).map(
        ([key, value]) => `/local/domain/0/backend/vif/${domid}/0/${key} = "${value}"\n`,
      ),
    )
    .join('');
}

/** The same as `xenstore-ls` tells, and the domains' names. */
function fill(tree: Map<string, string>, domains: readonly ToldDomain[]): void {
  tree.clear();
  for (const { domid, name } of domains) tree.set(`/local/domain/${domid}/name`, name);
  for (const line of vifsOf(domains).split('\n')) {
    const [, path = '', value = ''] = /^(\S+) = "(.*)"$/.exec(line) ?? [];
    if (path !== '') tree.set(path, value);
  }
}
