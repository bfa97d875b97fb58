import { meterHere } from '../../meter/possible.ts';
import type { MeterHere } from '../../meter/possible.ts';
import { check } from '../check.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';

/** Directing needs none of it: a host whose costs can only be guessed at is fit. */
export function judgeMeter({ mode, by, lacking }: MeterHere): Verdict[] {
  const truest = mode === 'windows';
  const what = `what routing costs can be ${WORDS[mode]}${truest ? '' : ', and no better'} (${by === '' ? mode : `${mode}, by ${by}`})`;
  const why = lacking.length === 0 ? null : lacking.join('\n');
  return [{ grade: truest ? 'ok' : 'warning', what, why, command: null }];
}

const WORDS: Readonly<Record<MeterHere['mode'], string>> = {
  windows: 'measured for each service by timing packets, once there is an uplink',
  always: 'measured for each service by timing packets, once there is an uplink',
  sampler: 'measured for all services together, by sampling',
  model: 'told by typical figures',
  off: 'told by nobody',
};

const look = async ({ rights, meterHelper }: Ground): Promise<MeterHere> => {
  await rights();
  return meterHere(meterHelper);
};

export const meterCheck = check('meter', look, judgeMeter);
