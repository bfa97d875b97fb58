import { DirectorError } from '../lib/errors.ts';
import type { Address, Family } from '../model/address.ts';
import type { Domu } from '../model/service.ts';
import { parseDisk } from './disk-spec.ts';
import type { Disk } from './disk-spec.ts';
import { formatXlValue, parseXlConfig, valueOf } from './xl-config.ts';
import type { XlSetting, XlValue } from './xl-config.ts';

export interface GuestConfig {
  readonly text: string;
  readonly settings: readonly XlSetting[];
  readonly disks: readonly Disk[];
}

/** What two guests cannot both have. */
const EXCLUSIVE = ['pci', 'usbdev', 'vtpm', 'p9', 'vscsi', 'dtdev'];

/** Reads a guest's configuration (xl.cfg(5)). DirectorError where it is none, or is of another guest than `name`. */
export function readGuest(text: string, name: string): GuestConfig {
  const settings = parseXlConfig(text);
  const own = valueOf(settings, 'name');
  if (own !== name) throw new DirectorError(`it is of ${JSON.stringify(own ?? 'no name')}, not of ${name}`);
  const exclusive = EXCLUSIVE.filter((key) => (valueOf(settings, key) ?? []).length > 0);
  if (exclusive.length > 0)
    throw new DirectorError(`it has ${exclusive.join(', ')}, which two guests cannot have at once`);
  return { text, settings, disks: strings(valueOf(settings, 'disk')).map(parseDisk) };
}

export interface Copy {
  readonly from: Domu;
  readonly to: Domu;
  /** The line `vif = [ ... ]`. */
  readonly vif: string;
  /** Other targets of disks, by those that they have. */
  readonly targets: ReadonlyMap<string, string>;
  /** Comments that the text begins with, without `# `. */
  readonly heading: readonly string[];
}

/**
 * The text for the copy: another name, vif and disks, no uuid, and kernel arguments with its own addresses. All else is
 * as it stands, comments too.
 */
export function copyGuest({ text, settings, disks }: GuestConfig, copy: Copy): string {
  const specs = strings(valueOf(settings, 'disk'));
  const disk = disks.map((each, at) => {
    const target = copy.targets.get(each.target);
    return target === undefined ? (specs[at] ?? '') : each.withTarget(target);
  });
  const replaced = new Map<string, string | null>([
    ['name', `name = ${formatXlValue(copy.to.name)}`],
    ['uuid', null],
    ['vif', copy.vif],
    ['disk', `disk = ${formatXlValue(disk)}`],
  ]);
  for (const key of ['extra', 'cmdline']) {
    const value = valueOf(settings, key);
    if (typeof value === 'string') replaced.set(key, `${key} = ${formatXlValue(ownArguments(value, copy))}`);
  }
  const missing = valueOf(settings, 'vif') === undefined ? [`${copy.vif}\n`] : [];
  const heading = copy.heading.map((line) => `# ${line}\n`);
  return [...heading, ...missing, withReplaced(text, settings, replaced)].join('');
}

/** The first setting of a key is replaced, its others are left out; null: all of them are. */
function withReplaced(
  text: string,
  settings: readonly XlSetting[],
  replaced: ReadonlyMap<string, string | null>,
): string {
  const seen = new Set<string>();
  const parts: string[] = [];
  let at = 0;
  for (const { key, from, to } of settings) {
    const other = replaced.get(key);
    if (other === undefined) continue;
    parts.push(text.slice(at, from));
    if (other !== null && !seen.has(key)) parts.push(other);
    seen.add(key);
    at = to;
  }
  return [...parts, text.slice(at)].join('');
}

/** Arguments whose value may be the guest's name: `ip=`, `hostname=`, `systemd.hostname=`, `my.name=`. */
const NAMING = /^(?:[\w-]+\.)*(?:ip|name|host|hostname)$/;

/** Kernel arguments in which the live DomU's addresses and name are the copy's. */
export function ownArguments(line: string, { from, to }: Pick<Copy, 'from' | 'to'>): string {
  return line
    .split(/(\s+)/)
    .map((word) => {
      const [, key = ''] = /^([^=]+)=/.exec(word) ?? [];
      const named = NAMING.test(key) ? replaceWhole(word, from.name, to.name, '[A-Za-z0-9._-]') : word;
      return addressPairs(from, to).reduce(
        (text, [own, other]) => replaceWhole(text, own.text, other, NEIGHBOURS[own.family]),
        named,
      );
    })
    .join('');
}

/** What an address cannot be next to without being part of a longer one. */
const NEIGHBOURS: Readonly<Record<Family, string>> = { 4: '[0-9.]', 6: '[0-9A-Fa-f:]' };

/** Each address of the one, with that of the other in its place: the n-th of a family is the other's n-th. */
function addressPairs(from: Domu, to: Domu): (readonly [Address, string])[] {
  return ([4, 6] as const).flatMap((family) => {
    const ofFamily = (domu: Domu): Address[] => domu.addresses.filter((address) => address.family === family);
    const others = ofFamily(to);
    return ofFamily(from).flatMap((own, at) => {
      const other = others[at];
      return other === undefined ? [] : [[own, other.text] as const];
    });
  });
}

function replaceWhole(text: string, own: string, other: string, neighbours: string): string {
  const literal = own.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return text.replace(new RegExp(`(?<!${neighbours})${literal}(?!${neighbours})`, 'g'), () => other);
}

const strings = (value: XlValue | undefined): string[] =>
  (typeof value === 'string' || value === undefined ? [] : value).filter((each) => typeof each === 'string');
