import type { Flow } from '../../../src/kernel/kernel.ts';
import { DEFAULT_MARK_MASK, encodeMark } from '../../../src/model/mark.ts';
import type { Protocol } from '../../../src/model/service.ts';
import type { Slot } from '../../../src/model/state.ts';

/** A flow of mail to one of its DomUs, as the rules would have marked it. */
export function flowTo(slot: Slot, protocol: Protocol): Flow {
  return {
    family: 4,
    protocol,
    from: { family: 4, text: '100.64.0.9' },
    to: { family: 4, text: '192.0.2.25' },
    fromPort: 40_000 + (slot === 'a' ? 0 : 10) + (protocol === 'tcp' ? 0 : 1),
    toPort: protocol === 'tcp' ? 25 : 514,
    answeredBy: { family: 4, text: slot === 'a' ? '10.25.0.2' : '10.25.0.3' },
    answeredPort: protocol === 'tcp' ? 25 : 514,
    mark: encodeMark({ id: 1, slot, protocol }, DEFAULT_MARK_MASK),
    id: 1 + (slot === 'a' ? 0 : 2) + (protocol === 'tcp' ? 0 : 1),
    closing: false,
  };
}
