/** All names of ours begin so. */
export const NAME = 'dom0_director_';

/** The Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). */
export interface Sample {
  /** As `labelText` makes them: they are the same for many series, and made once. */
  readonly labels: string;
  readonly value: number;
}

/** Takes one sample. A call, and no object: there are tens of thousands of them. */
export type Put = (labels: string, value: number) => void;

export interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  /** Puts all samples; between two steps of it others may have their turn. */
  readonly write: (put: Put) => Iterator<unknown>;
}

/** Characters in a piece of text, and rows between two steps: well under a millisecond's work. */
const PIECE = 16 * 1024;
const ROWS = 128;

type Head = Omit<Family, 'write'>;

/** A family with some samples of each row. */
export function familyOf<Row>(
  head: Head,
  rows: readonly Row[],
  sample: (row: Row, put: Put) => void,
): Family {
  return {
    ...head,
    *write(put) {
      for (let at = 0; at < rows.length; at++) {
        sample(rows[at] as Row, put);
        if (at % ROWS === ROWS - 1) yield;
      }
    },
  };
}

export const familyWith = (head: Head, samples: readonly Sample[]): Family =>
  familyOf(head, samples, ({ labels, value }, put) => put(labels, value));

/**
 * All samples of a family, together under its HELP and TYPE, in pieces (empty ones, too) between which others may have
 * their turn; a family without samples is left out.
 */
export function* renderFamily({ name, type, help, write }: Family): Generator<string> {
  const piece = { text: `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`, any: false };
  const [plain, labelled] = [`${name} `, `${name}{`];
  const steps = write((labels, value) => {
    piece.any = true;
    piece.text += labels === '' ? `${plain}${value}\n` : `${labelled}${labels}} ${value}\n`;
  });
  while (steps.next().done !== true) {
    if (!piece.any || piece.text.length < PIECE) yield '';
    else {
      yield piece.text;
      piece.text = '';
    }
  }
  if (piece.any && piece.text !== '') yield piece.text;
}

/** `service="mail",role="primary"` */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',');
}

/**
 * What is made of rows, such as labels that stand in many families, and is the same from scrape to scrape: made once for
 * all rows with the same key. Forgets what has not been asked for between two calls of `sweep`.
 */
export class Kept<Row, Made> {
  readonly #keyOf: (row: Row) => string;
  readonly #make: (row: Row) => Made;
  readonly #holds: (made: Made, row: Row) => boolean;
  #made = new Map<string, Made>();
  #before = new Map<string, Made>();

  /** `holds`: whether what was made of another row with this key is right for this one, too; if not given, always. */
  constructor(
    keyOf: (row: Row) => string,
    make: (row: Row) => Made,
    holds: (made: Made, row: Row) => boolean = () => true,
  ) {
    this.#keyOf = keyOf;
    this.#make = make;
    this.#holds = holds;
  }

  of(row: Row): Made {
    const key = this.#keyOf(row);
    const known = this.#made.get(key) ?? this.#before.get(key);
    const made = known !== undefined && this.#holds(known, row) ? known : this.#make(row);
    this.#made.set(key, made);
    return made;
  }

  sweep(): void {
    this.#before = this.#made;
    this.#made = new Map();
  }
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const SPECIAL = /[\\"\n]/;
const escapeLabel = (text: string): string =>
  SPECIAL.test(text) ? escapeHelp(text).replaceAll('"', '\\"') : text;
