import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dom0 } from './dom0.ts';
import { PROJECT } from './rig.ts';

const LOGS = join(PROJECT, '.cache/xen-logs');
/** What tells most about a Dom0 in which something has gone wrong. */
const ASKED: Readonly<Record<string, readonly string[]>> = {
  'xl-dmesg': ['xl', 'dmesg'],
  'xl-list': ['xl', 'list', '--long'],
  xenstore: ['xenstore-ls', '-f'],
  dmesg: ['dmesg'],
  journal: ['journalctl', '--no-pager', '-o', 'short-monotonic', '-n', '2000'],
  director: ['journalctl', '--no-pager', '-u', 'dom0-director'],
  links: ['ip', '-d', 'address'],
  bridges: ['bridge', '-d', 'link'],
  rules: ['iptables-save', '-c'],
  rules6: ['ip6tables-save', '-c'],
  sets: ['ipset', 'list'],
  flows: ['conntrack', '-L'],
  guests: ['sh', '-c', 'tail -n 200 /var/log/xen/console/*.log /var/log/xen/*.log'],
};

const GONE = 'The Dom0 does not answer; nothing more was asked.\n';

/** Keeps them for whoever looks into a failure; answers where. */
export async function keepLogs(dom0: Dom0, name: string): Promise<string> {
  const directory = join(LOGS, name.replaceAll(/[^a-zA-Z0-9]+/g, '-'));
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await copyFile(dom0.machine.console, join(directory, 'console.log'));
  let answers = !dom0.machine.over;
  for (const [log, argv] of Object.entries(ASKED)) {
    if (!answers) break;
    const said = await dom0.run(argv, { timeout: 30 }).catch(() => null);
    answers = said !== null;
    await writeFile(join(directory, `${log}.log`), said === null ? GONE : said.stdout + said.stderr);
  }
  return directory;
}

/** Those of an earlier run would be taken for this one's. */
export async function forgetLogs(): Promise<void> {
  await rm(LOGS, { recursive: true, force: true });
}
