import type { JSX } from 'preact';
import type { PreviewView } from '../../api/contract.ts';
import type { ApiError } from '../state/api.ts';
import { now } from '../state/clock.ts';
import {
  allOfReason,
  clock,
  gistOfReason,
  number,
  plural,
  sentence,
  shortList,
  span,
} from '../state/words.ts';
import { Icon } from './icon.tsx';
import { Health } from './status.tsx';

type Previewed = { readonly preview: PreviewView } | { readonly error: ApiError } | null;
const SHOWN = 6;

/** What will happen, in words and numbers, before it does. */
export function PreviewWords({ previewed }: { previewed: Previewed }): JSX.Element {
  if (previewed === null) return <div class="preview coming" aria-hidden="true" />;
  if ('error' in previewed)
    return (
      <div class="preview" role="alert">
        <p class="error">
          {sentence(previewed.error.message)} {previewed.error.hint ?? ''}
        </p>
      </div>
    );
  const { preview } = previewed;
  return (
    <div class="preview">
      <Moves services={preview.services} />
      <Consequences preview={preview} />
      <Refusals preview={preview} />
    </div>
  );
}

function Moves({ services }: { services: PreviewView['services'] }): JSX.Element {
  const shown = services.slice(0, SHOWN);
  return (
    <table class="moves">
      <caption class="hidden">Who goes where</caption>
      <thead>
        <tr>
          <th scope="col">Service</th>
          <th scope="col">From</th>
          <th scope="col">To</th>
          <th scope="col">Its health</th>
        </tr>
      </thead>
      <tbody>
        {shown.map(({ service, from, target, health, healthReason, flows }) => (
          <tr key={service}>
            <th scope="row">{service}</th>
            <td>
              {from} <span class="unit">{plural(flows.stay + flows.cut + flows.udp, 'flow')}</span>
            </td>
            <td>
              <Icon name="right" /> <strong>{target}</strong>
            </td>
            <td>
              <Health health={health} reason={healthReason} />
              {healthReason === null ? null : <span class="sub">{gistOfReason(healthReason)}</span>}
            </td>
          </tr>
        ))}
        {services.length > SHOWN ? (
          <tr>
            <td colSpan={4}>and {plural(services.length - SHOWN, 'other service')}</td>
          </tr>
        ) : null}
      </tbody>
    </table>
  );
}

function Consequences({ preview }: { preview: PreviewView }): JSX.Element {
  const { services, drainFor, confirmWithin, hold } = preview;
  const sum = (of: 'stay' | 'cut' | 'udp'): number =>
    services.reduce((total, { flows }) => total + flows[of], 0);
  const [stay, cut, udp] = [sum('stay'), sum('cut'), sum('udp')];
  const targets = shortList(services.map(({ target }) => target));
  const old = shortList(services.map(({ from }) => from));
  return (
    <ul class="consequences">
      {hold === null ? null : <li>Packets wait for {span(hold)} at the most while everybody is moved.</li>}
      <li>
        Every new connection goes to <strong>{targets}</strong>
        {services.length > 1 ? ', all services in the same instant' : ''}.
      </li>
      {preview.connections === 'cut' ? (
        <li>
          <strong>{plural(cut, 'open connection')}</strong> to {old} {cut === 1 ? 'is' : 'are'} ended.
        </li>
      ) : (
        <li>
          <strong>{plural(stay, 'open connection')}</strong> {stay === 1 ? 'stays' : 'stay'} on {old} until{' '}
          {stay === 1 ? 'it ends' : 'they end'}
          {drainFor === null ? '' : `, ${span(drainFor)} at the most`}.
        </li>
      )}
      {udp > 0 ? (
        <li>
          <strong>{number(udp)}</strong> UDP {udp === 1 ? 'flow follows' : 'flows follow'} at once.
        </li>
      ) : null}
      <li>
        {confirmWithin === null ? (
          <>It stays so until somebody keeps it or goes back: there is no deadline.</>
        ) : (
          <>
            Unless somebody keeps it by <strong>{clock(now.value + confirmWithin)}</strong> (
            {span(confirmWithin)}), everybody goes back by itself.
          </>
        )}
      </li>
    </ul>
  );
}

function Refusals({ preview }: { preview: PreviewView }): JSX.Element | null {
  if (preview.refusals.length === 0) return null;
  return (
    <div class="refusals" role="status">
      <Icon name="warn" />
      <ul>
        {preview.refusals.map(({ text }) => (
          <li key={text}>{refusalText(text, preview.services)}</li>
        ))}
      </ul>
    </div>
  );
}

/** A name is written as it is, at the beginning of a sentence too; what is wrong with many ports is said once. */
function refusalText(text: string, services: PreviewView['services']): string {
  const reasons = services.flatMap(({ healthReason }) => healthReason ?? []);
  const short = reasons.reduce((said, reason) => said.replace(reason, allOfReason(reason)), text);
  const names = services.flatMap(({ service, from, target }) => [service, from, target]);
  return names.some((name) => text.startsWith(name)) ? `${short}.` : sentence(short);
}
