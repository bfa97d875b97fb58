import type { Made, StagedVolume } from '../model/stage.ts';
import type { SnapshotOrder } from './volumes.ts';

/** One step of making a copy. What it leaves behind tells how it is taken back; see `leaves`. */
export type Step =
  | { readonly kind: 'pause'; readonly domain: string; readonly atMost: number }
  | { readonly kind: 'snapshot'; readonly order: SnapshotOrder }
  | { readonly kind: 'resume'; readonly domain: string }
  | { readonly kind: 'check'; readonly volume: StagedVolume }
  | { readonly kind: 'write'; readonly path: string; readonly text: string }
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  | {
      readonly kind: 'prepare';
      readonly argv: readonly string[];
      readonly input: string;
      readonly within: number;
    }
  | { readonly kind: 'create'; readonly domain: string; readonly file: string }
  | { readonly kind: 'wait'; readonly domain: string; readonly within: number };

/** All that making a copy will do, in order, before any of it is done. */
export interface StagePlan {
  readonly volumes: readonly StagedVolume[];
  readonly steps: readonly Step[];
  readonly notes: readonly string[];
}

export function leaves(step: Step): Made | null {
  switch (step.kind) {
    case 'pause':
      return { kind: 'pause', domain: step.domain };
    case 'snapshot':
      return { kind: 'volume', group: step.order.group, name: step.order.name };
    case 'write':
      return { kind: 'file', path: step.path };
    case 'link':
      return { kind: 'link', path: step.path, to: step.to };
    case 'create':
      return { kind: 'domain', name: step.domain };
    case 'resume':
    case 'check':
    case 'prepare':
    case 'wait':
      return null;
    default:
      return step satisfies never;
  }
}

/** What is under way, for people. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'pause':
      return `${step.domain} is paused for a moment`;
    case 'snapshot':
      return `a snapshot of ${step.order.group}/${step.order.origin} is made: ${step.order.name}`;
    case 'resume':
      return `${step.domain} goes on`;
    case 'check':
      return `the filesystem of ${step.volume.target} is checked`;
    case 'write':
    case 'link':
      return `${step.path} is written`;
    case 'prepare':
      return `${step.argv[0] ?? ''} prepares it`;
    case 'create':
      return `${step.domain} is started`;
    case 'wait':
      return `${step.domain} is waited for, until it is healthy`;
    default:
      return step satisfies never;
  }
}
