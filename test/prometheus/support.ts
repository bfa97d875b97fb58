import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';

export interface Rule {
  readonly expr: string;
  readonly alert?: string;
  readonly record?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const DIRECTORY = fileURLToPath(new URL('../../rules/prometheus/', import.meta.url));
export const RULE_FILES: readonly string[] = ['recording.yml', 'alerts.yml'].map((name) => DIRECTORY + name);
/** Tests of promtool's own. */
export const RULE_TESTS: readonly string[] = readdirSync(new URL('.', import.meta.url))
  .filter((name) => name.endsWith('.test.yml'))
  .map((name) => fileURLToPath(new URL(name, import.meta.url)));

export const rules: readonly Rule[] = RULE_FILES.flatMap((file) => {
  const { groups } = parse(readFileSync(file, 'utf8')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap((group) => group.rules);
});

/** Rejects, with what it wrote, where promtool is not content. */
export async function promtool(args: readonly string[], stdin?: string): Promise<string> {
  const running = promisify(execFile)('promtool', [...args], { timeout: 120_000 });
  running.child.stdin?.end(stdin ?? '');
  const { stdout, stderr } = await running;
  return stdout + stderr;
}
