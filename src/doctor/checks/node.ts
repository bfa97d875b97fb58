import { messageOf } from '../../lib/errors.ts';
import { check } from '../check.ts';
import { fault, ok } from '../finding.ts';
import type { Verdict } from '../finding.ts';

export interface NodeSeen {
  /** As `process.versions.node` writes it. */
  readonly version: string;
  /** Why the database's native part does not run in it; null where it does. */
  readonly database: string | null;
}

export function judgeNode({ version, database }: NodeSeen): Verdict[] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    return [fault(`Node ${version}`, 'the director needs 20.19 or newer', 'apt-get install nodejs')];
  if (database !== null)
    return [
      fault(
        `the database does not run in Node ${version}`,
        `no director would start: its native part was built for another Node, or another machine\n${database}`,
        'npm rebuild better-sqlite3',
      ),
    ];
  return [ok(`Node ${version}`)];
}

const look = async (): Promise<NodeSeen> => ({
  version: process.versions.node,
  database: await whyNoDatabase(),
});

/** Loaded here and not above: it may be what is broken. */
async function whyNoDatabase(): Promise<string | null> {
  try {
    const { default: Database } = await import('better-sqlite3');
    new Database(':memory:').close();
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

export const nodeCheck = check('node', look, judgeNode);
