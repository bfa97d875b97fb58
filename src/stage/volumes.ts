import { DirectorError } from '../lib/errors.ts';

/** A logical volume of LVM. */
export interface Volume {
  readonly group: string;
  readonly name: string;
  /** `/dev/GROUP/NAME`. */
  readonly device: string;
  /** thin: in a pool; snapshot: a thick one, of which there can be no other. */
  readonly kind: 'plain' | 'thin' | 'pool' | 'snapshot' | 'other';
  /** What it is a snapshot of, in the same group; also of a thin one. */
  readonly origin: string | null;
  readonly pool: string | null;
  /** Bytes. */
  readonly size: number;
  /** Percent of what is set aside for it that is in use: of pools, thin volumes and thick snapshots; else null. */
  readonly filled: number | null;
  /** Somebody has it open: a running guest, or a mount. */
  readonly isOpen: boolean;
  readonly tags: readonly string[];
}

export interface SnapshotOrder {
  readonly group: string;
  readonly origin: string;
  readonly name: string;
  readonly thin: boolean;
  /** Percent of the origin that a thick one sets aside. */
  readonly size: number;
  readonly tag: string;
}

/** The one place that speaks to LVM. Failures are VolumeError, and say what to do. */
export interface Volumes {
  list(): Promise<Volume[]>;
  /** Whatever path leads to it (`/dev/mapper/...`, a link); null where it is no logical volume. */
  at(device: string): Promise<Volume | null>;
  snapshot(order: SnapshotOrder): Promise<void>;
  /** Only one that bears this tag, and that nobody has open or needs. One that is not there is no error: false. */
  remove(group: string, name: string, tag: string): Promise<boolean>;
}

/** LVM refused, or did not answer. */
export class VolumeError extends DirectorError {
  override readonly name = 'VolumeError';
}

/** What all volumes of a stage bear (lvm(8), "Valid names": letters, digits and _+.-/=!:#&). */
export const tagOf = (id: string): string => `dom0-director:${id}`;

/** Why it must not be removed, or null. */
export function keptBecause(volume: Volume, tag: string, all: readonly Volume[]): string | null {
  const path = `${volume.group}/${volume.name}`;
  if (!volume.tags.includes(tag)) return `${path} does not bear the tag ${tag}, so it is not ours`;
  if (volume.isOpen) return `${path} is in use`;
  const dependent = all.find(
    ({ kind, group, origin }) => kind === 'snapshot' && group === volume.group && origin === volume.name,
  );
  if (dependent !== undefined)
    return `${dependent.group}/${dependent.name} is a snapshot of ${path} and would go with it`;
  return null;
}
