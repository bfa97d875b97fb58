import { pino } from 'pino';
import type { Logger } from 'pino';

/** pino's levels as syslog's priorities (sd-daemon(3)). */
const PRIORITY: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 };
const NAME: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};

/** A line for each message: `<priority>text key=value` where journald listens, else with time and level. */
export function openLog(env: NodeJS.ProcessEnv): Logger {
  const journald = env['JOURNAL_STREAM'] !== undefined;
  return pino(
    { base: null },
    {
      write(line: string) {
        process.stdout.write(formatLine(line, journald));
      },
    },
  );
}

function formatLine(line: string, journald: boolean): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as {
    level: number;
    time: number;
    msg?: string;
  } & Record<string, unknown>;
  const fields = Object.entries(rest).map(
    ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const text = `${msg ?? ''}${fields.join('')}`.replaceAll('\n', '\n  ');
  if (journald) return `<${PRIORITY[level] ?? 6}>${text}\n`;
  return `${new Date(time).toISOString()} ${NAME[level] ?? 'info'} ${text}\n`;
}
