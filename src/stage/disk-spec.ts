import { DirectorError } from '../lib/errors.ts';

/** One entry of a guest's `disk` list (xl-disk-configuration(5)). */
export interface Disk {
  /** A device or a file of the host; empty: a drive without a medium. */
  readonly target: string;
  /** What the guest calls it: `xvda1`. */
  readonly device: string;
  readonly writable: boolean;
  /** The entry with another target. */
  readonly withTarget: (target: string) => string;
}

const FORMATS = ['', 'raw', 'qcow', 'qcow2', 'vhd', 'qed'];
/** What the target began with in older versions: how it was to be reached. */
const PREFIX = /^(?:(?:phy|file|raw|qcow2?|vhd|tap2?|tapdisk|aio|block-[a-z-]+|drbd|iscsi|nbd|enbd):)+/;
const FLAGS = ['cdrom', 'direct-io-safe', 'discard', 'no-discard', 'colo'];

interface Field {
  readonly text: string;
  readonly from: number;
}

/**
 * Fields are separated by commas: `KEY=VALUE`, flags, and target, format, vdev and access in this order where they have
 * no key. `target=` takes all that follows it. DirectorError where it names no device of the guest.
 */
export function parseDisk(spec: string): Disk {
  const found = readFields(spec);
  const device = (found.vdev ?? '').replace(/:cdrom$/, '');
  if (device === '') throw new DirectorError(`the disk ${JSON.stringify(spec)} has no vdev`);
  const { text = '', from = 0 } = found.target ?? {};
  const prefix = PREFIX.exec(text)?.[0] ?? '';
  const target = text.slice(prefix.length);
  const start = from + prefix.length;
  const isCdrom = found.cdrom || (found.vdev ?? '').endsWith(':cdrom');
  return {
    target,
    device,
    writable: !isCdrom && !['r', 'ro'].includes(found.access ?? 'rw'),
    withTarget: (other) => spec.slice(0, start) + other + spec.slice(start + target.length),
  };
}

interface Fields {
  target?: Field;
  vdev?: string;
  access?: string;
  cdrom: boolean;
}

function readFields(spec: string): Fields {
  const found: Fields = { cdrom: false };
  const last = /(?:^|,)\s*target=/.exec(spec);
  const head = last === null ? spec : spec.slice(0, last.index);
  if (last !== null)
    found.target = trimmed(spec.slice(last.index + last[0].length), last.index + last[0].length);
  let formatIsPast = false;
  for (const field of split(head)) {
    const [, key, value] = /^([a-z-]+)=(.*)$/.exec(field.text) ?? [];
    if (key !== undefined) {
      if (key === 'vdev') found.vdev = value ?? '';
      if (key === 'access') found.access = value ?? '';
      if (key === 'devtype' && value === 'cdrom') found.cdrom = true;
      if (key === 'format') formatIsPast = true;
    } else if (field.text === 'cdrom' || FLAGS.includes(field.text)) found.cdrom ||= field.text === 'cdrom';
    else if (found.target === undefined) found.target = field;
    else if (!formatIsPast && FORMATS.includes(field.text)) formatIsPast = true;
    else if (found.vdev === undefined) found.vdev = field.text;
    else found.access ??= field.text;
  }
  return found;
}

/** Nothing in a list of no fields. */
function split(text: string): Field[] {
  let from = 0;
  if (text.trim() === '') return [];
  return text.split(',').map((part) => {
    const field = trimmed(part, from);
    from += part.length + 1;
    return field;
  });
}

const trimmed = (text: string, from: number): Field => ({
  text: text.trim(),
  from: from + (text.length - text.trimStart().length),
});
