import { z } from 'zod';
import type { StageSettings } from '../model/stage.ts';
import { absolutePath, duration, flag, list, mapping, oneOf, parsed, text } from './fields.ts';
import { show, wrongKind } from './words.ts';

const DAY = 86_400_000;

const SIZE_RULE = 'write 5% to 100%, such as 100%';

/** Percent of the volume that a thick snapshot sets aside. */
function parseSize(given: string): number | string {
  const percent = Number(/^([1-9]\d{0,2})%$/.exec(given)?.[1] ?? NaN);
  return percent >= 5 && percent <= 100 ? percent : `${show(given)} is no share of a volume; ${SIZE_RULE}`;
}

const argument = text('an argument', (given) => (given.includes('\0') ? 'has a NUL in it' : null), {
  description: 'An argument; no shell reads it',
});

const prepare = list(argument, 'a program and its arguments, such as [/usr/local/sbin/readdress, --quick]')
  .min(1, { error: 'is empty; write a program, or leave it out' })
  .refine(([program]) => program === undefined || program.startsWith('/'), {
    error: ({ input }) =>
      `${show(Array.isArray(input) ? input[0] : input)} is relative; write the program's absolute path`,
  })
  .meta({
    description:
      'A program that is run when the snapshots are there, before the copy starts; it is told of them in JSON on its standard input',
  });

const wrongCount = ({ input }: { readonly input?: unknown }): string =>
  typeof input === 'number'
    ? `${input} is not right; write 0 to 100`
    : wrongKind(input, 'a number from 0 to 100');

const keep = mapping(
  {
    count: z
      .int({ error: wrongCount })
      .min(0, { error: wrongCount })
      .max(100, { error: wrongCount })
      .prefault(1)
      .meta({ description: 'So many; 0: none' }),
    for: duration(
      { least: 60_000, most: 3650 * DAY, because: 'they take room' },
      { description: 'And for so long' },
    ).prefault('7d'),
  },
  'what is kept of copies that were taken away again',
)
  .prefault({})
  .meta({ description: "How many copies' volumes are kept when they are taken away, and for how long" });

const stage = mapping(
  {
    guests: absolutePath(
      "the directory of the guests' configurations",
      'Where NAME.cfg of each guest is (xl.cfg(5))',
    ).prefault('/etc/xen'),
    size: parsed('a share of the volume', parseSize, {
      description: 'What a thick snapshot sets aside; once more has changed than that, it is lost',
      examples: ['100%'],
      pattern: '^[1-9]\\d{0,2}%$',
    }).prefault('100%'),
    quiesce: oneOf(['auto', 'always', 'never'], {
      description:
        'Whether the live DomU is paused while its volumes are snapshotted; auto: where it has several, which are of one moment then',
    }).prefault('auto'),
    quiesceFor: duration(
      { least: 1000, most: 300_000, because: 'nobody is answered meanwhile' },
      { description: 'How long it may be paused at the most; if snapshots take longer, the stage fails' },
    ).prefault('10s'),
    check: flag({
      description:
        "Check the copies by their filesystem's own program, which only reads; a damaged one is not started",
    }).prefault(true),
    prepare: prepare.optional(),
    prepareWithin: duration(
      { least: 1000, most: DAY, because: 'it is how long the program may take' },
      { description: 'How long it may take' },
    ).prefault('5m'),
    healthyWithin: duration(
      { least: 1000, most: DAY, because: 'it is how long the copy may take to be healthy' },
      { description: 'How long the copy may take to be healthy; then it is taken away again' },
    ).prefault('5m'),
    keep,
  },
  'how the dark DomU is made from the live one; {} for the defaults',
)
  .transform(({ prepare: program, ...rest }): StageSettings => ({ ...rest, prepare: program ?? null }))
  .meta({
    description:
      'Lets the dark DomU be made from the live one: "director stage". Only in the file, never over the API',
  });

/** Null where it is not there. */
export const stageSection = stage.optional().transform((section): StageSettings | null => section ?? null);
