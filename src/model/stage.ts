/** How a service's dark DomU is made from its live one. Milliseconds. */
export interface StageSettings {
  /** The directory of the guests' xl.cfg(5) files, each `NAME.cfg`. */
  readonly guests: string;
  /** A thick snapshot's size in percent of its volume; of thin volumes nothing is set aside. */
  readonly size: number;
  /** Whether the live DomU is paused while its volumes are snapshotted; auto: where there are several. */
  readonly quiesce: 'auto' | 'always' | 'never';
  /** How long it may be paused at the most; a stage whose snapshots take longer fails. */
  readonly quiesceFor: number;
  readonly check: boolean;
  /** A program and its arguments, run before the copy is started; null: none. */
  readonly prepare: readonly string[] | null;
  readonly prepareWithin: number;
  readonly healthyWithin: number;
  /** What is kept of the volumes of copies that were taken away again: so many, and for so long. */
  readonly keep: { readonly count: number; readonly for: number };
}

/**
 * The life of a stage, and who moves it:
 *
 *     (none) --stage--> staging --every step is done--> staged --unstage--> unstaging --> kept --age or count--> gone
 *                          '--a step fails, or the director dies--> failed        '--nothing is to be kept--> gone
 *
 * Of one that failed nothing is left, unless `left` says so.
 */
export const STAGE_STATES = ['staging', 'staged', 'unstaging', 'kept', 'failed', 'gone'] as const;
export type StageState = (typeof STAGE_STATES)[number];

/** clean, damaged: by the filesystem's own check; unclear: it looked, and cannot tell; unchecked: nobody looked. */
export interface VolumeCheck {
  readonly verdict: 'clean' | 'unclear' | 'damaged' | 'unchecked';
  readonly text: string;
}

/** A snapshot that a staged DomU runs on. */
export interface StagedVolume {
  readonly group: string;
  readonly name: string;
  /** The live DomU's volume, in the same group. */
  readonly origin: string;
  /** What the guest calls it: `xvda1`. */
  readonly target: string;
  /** `/dev/GROUP/NAME`. */
  readonly device: string;
  readonly thin: boolean;
  /** Null: not yet. */
  readonly check: VolumeCheck | null;
}

/** What a step leaves behind on the host; it is written down before it is made. */
export type Made =
  | { readonly kind: 'pause'; readonly domain: string }
  | { readonly kind: 'volume'; readonly group: string; readonly name: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  | { readonly kind: 'domain'; readonly name: string };

/** Points in time are milliseconds since the epoch. */
export interface StageRecord {
  readonly id: string;
  readonly service: string;
  /** The DomU that is made. */
  readonly domu: string;
  /** The live one that it is made from. */
  readonly from: string;
  readonly state: StageState;
  readonly by: string;
  readonly reason: string | null;
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** What is under way now, or was when it ended. */
  readonly doing: string;
  readonly volumes: readonly StagedVolume[];
  /** What there is of it on the host, or may be, in the order in which it was made. */
  readonly made: readonly Made[];
  readonly error: string | null;
  /** What to do about it. */
  readonly hint: string | null;
  /** What could not be taken away again, a sentence each, with why. */
  readonly left: readonly string[];
  /** What is to be known of it, a sentence each. */
  readonly notes: readonly string[];
}

/** Whether the DomU is, or may be, made of it now. */
export const isStanding = ({ state, made }: StageRecord): boolean =>
  state === 'staging' ||
  state === 'staged' ||
  state === 'unstaging' ||
  (state === 'failed' && made.length > 0);

export function describeMade(made: Made): string {
  switch (made.kind) {
    case 'pause':
      return `the pause of ${made.domain}`;
    case 'volume':
      return `the volume ${made.group}/${made.name}`;
    case 'file':
    case 'link':
      return made.path;
    case 'domain':
      return `the domain ${made.name}`;
    default:
      return made satisfies never;
  }
}
