/** All names of ours begin so. */
export const NAME = 'dom0_director_';

/** The Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). */
export interface Sample {
  /** As `labelText` makes them: they are the same for many series, and made once. */
  readonly labels: string;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  /** Made while they are rendered. */
  readonly samples: Iterable<Sample>;
}

/** Samples in a piece of text: well under a millisecond's work. */
const PIECE = 200;

/**
 * All samples of a family, together under its HELP and TYPE, in pieces between which others may have their turn; a
 * family without samples is left out.
 */
export function* renderFamily({ name, type, help, samples }: Family): Generator<string> {
  let lines = [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`];
  let any = false;
  for (const { labels, value } of samples) {
    any = true;
    lines.push(labels === '' ? `${name} ${value}` : `${name}{${labels}} ${value}`);
    if (lines.length < PIECE) continue;
    yield `${lines.join('\n')}\n`;
    lines = [];
  }
  if (any && lines.length > 0) yield `${lines.join('\n')}\n`;
}

/** `service="mail",role="primary"` */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',');
}

/** The same labels stand in many families: made for the first, remembered for the others. */
export function labelsOnce<Row extends object>(make: (row: Row) => Readonly<Record<string, string>>) {
  const made = new Map<Row, string>();
  return (row: Row): string => {
    const known = made.get(row);
    if (known !== undefined) return known;
    const text = labelText(make(row));
    made.set(row, text);
    return text;
  };
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const SPECIAL = /[\\"\n]/;
const escapeLabel = (text: string): string =>
  SPECIAL.test(text) ? escapeHelp(text).replaceAll('"', '\\"') : text;
