import { clean } from '../clean.ts';
import type { Diagnosis } from '../io.ts';
import { wrap } from '../layout.ts';
import type { Look } from '../look.ts';
import { count, list } from '../words.ts';

type Found = Diagnosis['findings'][number];
type Grade = Found['grade'];
type Paint = (text: string) => string;

const INDENT = 4;
const WORST_FIRST = ['fault', 'unknown', 'warning', 'ok'] as const satisfies readonly Grade[];
const TITLES = {
  fault: 'FAULTS: not fit, or dangerous',
  unknown: 'NOT LOOKED AT',
  warning: 'WARNINGS: may be as you want it, but has a price',
  ok: 'FINE',
} as const satisfies Record<Grade, string>;
/** What these set is gone at the next start of the host, or of the link. */
const PASSING = /^(sysctl -w|ip link set|ip6?tables(-nft|-legacy)? -[ADIP]) /;

/** What was found, the worst first, and a sentence that sums it up. */
export function diagnosisLines({ fit, findings }: Diagnosis, look: Look): string[] {
  const groups = WORST_FIRST.map((grade) => findings.filter((found) => found.grade === grade));
  return [
    ...groups.flatMap((group) => groupLines(group, look)),
    ...wrap(`${verdict(fit, groups)}: ${summary(groups)}`, look),
    ...(findings.some(({ command }) => PASSING.test(command ?? '')) ? wrap(LASTING, look) : []),
  ];
}

const LASTING =
  'What sysctl, ip and iptables set is gone after a reboot: write it into /etc/sysctl.d, the network’s configuration or the firewall’s.';

type Groups = readonly (readonly Found[])[];

function verdict(fit: boolean, [faults = []]: Groups): string {
  if (fit) return 'This host is fit';
  return faults.length > 0 ? 'This host is not fit' : 'Whether this host is fit is not known';
}

function summary([faults = [], unknown = [], warnings = [], fine = []]: Groups): string {
  const parts = [
    faults.length > 0 ? count(faults.length, 'fault') : '',
    unknown.length > 0 ? `${unknown.length} not looked at` : '',
    warnings.length > 0 ? count(warnings.length, 'warning') : '',
    `${fine.length} fine`,
  ];
  return `${list(parts.filter((part) => part !== ''))}.`;
}

function groupLines(group: readonly Found[], look: Look): string[] {
  const [first] = group;
  if (first === undefined) return [];
  const paint = paintOf(first.grade, look);
  return [
    look.colors.bold(TITLES[first.grade]),
    ...alike(group).flatMap((found) => foundLines(found, paint, look)),
    '',
  ];
}

/** What could not be looked at is mostly so for one reason; all else stands alone. */
function alike(group: readonly Found[]): readonly (readonly Found[])[] {
  const groups = new Map<string, Found[]>();
  group.forEach((found, at) => {
    const key = found.grade === 'unknown' ? `${found.why} ${found.command}` : String(at);
    groups.set(key, [...(groups.get(key) ?? []), found]);
  });
  return [...groups.values()];
}

/** Of several that are alike, reason and command are said once. */
function foundLines(found: readonly Found[], paint: Paint, look: Look): string[] {
  const [first] = found;
  if (first === undefined) return [];
  const { why, command } = first;
  const indent = ' '.repeat(INDENT);
  return [
    ...found.flatMap(({ grade, what }) => {
      const [head = '', ...more] = wrap(`${markOf(grade, look)} ${clean(what)}`, look, 2);
      return [paint(head), ...more.map(paint)];
    }),
    ...(why?.split('\n') ?? []).flatMap((line) => wrap(indent + clean(line), look, INDENT)),
    // Whole, so that it can be copied.
    ...(command === null ? [] : [`${indent}$ ${look.colors.cyan(clean(command))}`]),
  ];
}

const markOf = (grade: Grade, { glyphs }: Look): string =>
  ({ fault: glyphs.unhealthy, unknown: glyphs.unknown, warning: glyphs.degraded, ok: glyphs.healthy })[grade];

function paintOf(grade: Grade, { colors }: Look): Paint {
  return { fault: colors.red, unknown: colors.magenta, warning: colors.yellow, ok: colors.green }[grade];
}
