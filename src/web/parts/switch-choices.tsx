import type { JSX } from 'preact';
import type { PreviewView } from '../../api/contract.ts';
import { span } from '../state/words.ts';

/** As the API takes them; what is left out is as the services are configured. */
export interface Choices {
  readonly connections?: 'drain' | 'cut';
  readonly drainFor?: string;
  readonly confirmWithin?: string;
  readonly hold?: string;
}

interface Props {
  readonly choices: Choices;
  readonly set: (choices: Choices) => void;
  readonly preview: PreviewView | null;
}

const TRIALS = ['1m', '5m', '10m', '30m', '1h', '4h'];
const DRAINS = ['1m', '5m', '15m', '1h', '8h'];
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };
const spanOf = (text: string): string => span(Number.parseInt(text, 10) * (UNITS[text.at(-1) ?? ''] ?? 0));

const short = (text: string): string =>
  text
    .replace(/ days?/, ' d')
    .replace(/ hours?/, ' h')
    .replace(/ minutes?/, ' min')
    .replace(/ seconds?/, ' s');

/** What the configuration comes to is known for as long as nothing else is chosen. */
function asConfigured(
  chosen: string | undefined,
  configured: number | null | undefined,
  none: string,
): string {
  if (chosen !== undefined || configured === undefined) return 'as configured';
  return `as configured: ${configured === null ? none : short(span(configured))}`;
}

export function SwitchChoices({ choices, set, preview }: Props): JSX.Element {
  const { hold, connections } = choices;
  const drains = hold === undefined && (connections ?? preview?.connections) !== 'cut';
  return (
    <fieldset class="choices">
      <legend>How</legend>
      <label class="field">
        <span>Go back by itself, unless somebody keeps it within</span>
        <select
          value={choices.confirmWithin ?? ''}
          onChange={({ currentTarget }) => set(withChoice(choices, 'confirmWithin', currentTarget.value))}
        >
          <option value="">{asConfigured(choices.confirmWithin, preview?.confirmWithin, 'never')}</option>
          {TRIALS.map((text) => (
            <option key={text} value={text}>
              {spanOf(text)}
            </option>
          ))}
          <option value="never">never: it waits for somebody</option>
        </select>
      </label>
      <label class="field">
        <span>Open connections</span>
        <select
          value={hold === undefined ? (connections ?? '') : 'hold'}
          onChange={({ currentTarget }) => set(howConnections(choices, currentTarget.value))}
        >
          <option value="">
            {connections === undefined && hold === undefined && preview !== null
              ? `as configured: ${preview.connections === 'cut' ? 'are ended' : 'stay'}`
              : 'as configured'}
          </option>
          <option value="drain">stay until they end</option>
          <option value="cut">are ended at once</option>
          <option value="hold">
            are ended, and packets wait meanwhile: no write reaches the old one after the new one
          </option>
        </select>
      </label>
      {drains ? (
        <label class="field">
          <span>They may stay for</span>
          <select
            value={choices.drainFor ?? ''}
            onChange={({ currentTarget }) => set(withChoice(choices, 'drainFor', currentTarget.value))}
          >
            <option value="">{asConfigured(choices.drainFor, preview?.drainFor, 'no limit')}</option>
            {DRAINS.map((text) => (
              <option key={text} value={text}>
                {spanOf(text)} at the most
              </option>
            ))}
            <option value="never">as long as they like</option>
          </select>
        </label>
      ) : null}
    </fieldset>
  );
}

function withChoice(choices: Choices, key: 'confirmWithin' | 'drainFor', value: string): Choices {
  const others = Object.fromEntries(Object.entries(choices).filter(([name]) => name !== key));
  return value === '' ? others : { ...others, [key]: value };
}

/** A hold ends open connections in any case; those that drain would go on writing. */
function howConnections({ confirmWithin, drainFor }: Choices, value: string): Choices {
  const kept = confirmWithin === undefined ? {} : { confirmWithin };
  const drained = drainFor === undefined ? {} : { drainFor };
  if (value === 'hold') return { ...kept, hold: '5s' };
  if (value === 'cut') return { ...kept, connections: 'cut' };
  return value === 'drain' ? { ...kept, ...drained, connections: 'drain' } : { ...kept, ...drained };
}
