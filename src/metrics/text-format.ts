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
  readonly samples: readonly Sample[];
}

/** All samples of a family stand together under its HELP and TYPE; a family without samples is left out. */
export function renderFamily({ name, type, help, samples }: Family): string {
  if (samples.length === 0) return '';
  let text = `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
  for (const { labels, value } of samples) {
    text += labels === '' ? `${name} ${value}\n` : `${name}{${labels}} ${value}\n`;
  }
  return text;
}

/** `service="mail",role="primary"` */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',');
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const SPECIAL = /[\\"\n]/;
const escapeLabel = (text: string): string =>
  SPECIAL.test(text) ? escapeHelp(text).replaceAll('"', '\\"') : text;
