import type { JSX } from 'preact';
import type { DomuView } from '../../api/contract.ts';
import type { Level } from '../state/attention.ts';
import { Icon } from './icon.tsx';
import type { IconName } from './icon.tsx';

const HEALTH: Readonly<Record<DomuView['health'], { icon: IconName; level: Level; word: string }>> = {
  healthy: { icon: 'good', level: 'good', word: 'healthy' },
  degraded: { icon: 'warn', level: 'warn', word: 'degraded' },
  unhealthy: { icon: 'bad', level: 'bad', word: 'down' },
  unknown: { icon: 'quiet', level: 'quiet', word: 'not checked' },
};

export const healthWord = (health: DomuView['health']): string => HEALTH[health].word;
export const healthLevel = (health: DomuView['health']): Level => HEALTH[health].level;

/** A sign and a word, never a colour alone. */
export function Health({
  health,
  reason,
}: {
  health: DomuView['health'];
  reason: string | null;
}): JSX.Element {
  const { icon, level, word } = HEALTH[health];
  return (
    <span class={`health ${level}`} title={reason ?? undefined}>
      <Icon name={icon} />
      {word}
    </span>
  );
}

export function Badge({
  icon,
  level,
  title,
  children,
}: {
  icon: IconName;
  level: Level;
  title?: string | undefined;
  children: string;
}): JSX.Element {
  return (
    <span class={`badge ${level}`} title={title}>
      <Icon name={icon} />
      {children}
    </span>
  );
}

export const LEVEL_ICON: Readonly<Record<Level, IconName>> = {
  bad: 'bad',
  trial: 'trial',
  warn: 'warn',
  good: 'good',
  quiet: 'quiet',
};
