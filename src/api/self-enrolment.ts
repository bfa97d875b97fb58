import { formatDuration } from '../lib/duration.ts';
import { contains, networkOf } from '../model/address.ts';
import type { Address, Network } from '../model/address.ts';
import { HttpError } from './http-error.ts';

/** Milliseconds, and who. */
export interface SelfEnrolmentRules {
  readonly enrol: number;
  readonly from: readonly Network[];
}

/** Changes within a minute: of one source, and of all together. */
const MOST_OF_ONE = 10;
const MOST_OF_ALL = 120;
const MINUTE = 60_000;

/** Who may enrol themselves as testers, and how often they may change their mind. */
export class SelfEnrolment {
  readonly #rules: () => SelfEnrolmentRules | null;
  #minute = 0;
  #all = 0;
  readonly #each = new Map<string, number>();

  constructor(rules: () => SelfEnrolmentRules | null) {
    this.#rules = rules;
  }

  /** The longest that one may enrol for; null: nobody may. */
  get longest(): number | null {
    return this.#rules()?.enrol ?? null;
  }

  /** Why this address may not; null where it may. */
  refusal(address: Address): string | null {
    const rules = this.#rules();
    if (rules === null)
      return 'nobody may enrol themselves here: the configuration has no "qa". Ask an operator to enrol you';
    if (rules.from.some((network) => contains(network, address))) return null;
    return `${address.text} is in none of the networks whose people may enrol themselves. Ask an operator to enrol you`;
  }

  /** Throws HttpError 403 or 429. */
  admit(address: Address, now: number): void {
    const refusal = this.refusal(address);
    if (refusal !== null) throw new HttpError(403, refusal);
    this.#count(address, now);
  }

  /** The lease that was asked for, or the longest; milliseconds. */
  lease(asked: number | null): number {
    const longest = this.longest ?? 0;
    if (asked === null || asked <= longest) return asked ?? longest;
    throw new HttpError(422, `one may enrol oneself for ${formatDuration(longest)} at the most`, {
      hint: 'ask an operator for more',
    });
  }

  #count(address: Address, now: number): void {
    const minute = Math.floor(now / MINUTE);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#all = 0;
      this.#each.clear();
    }
    const key = hostOf(address);
    const mine = this.#each.get(key) ?? 0;
    if (mine >= MOST_OF_ONE || this.#all >= MOST_OF_ALL) {
      const seconds = Math.ceil(((minute + 1) * MINUTE - now) / 1000);
      throw new HttpError(429, 'too many changes within a minute; nothing was changed', {
        hint: `try again in ${seconds} s`,
        headers: { 'retry-after': String(seconds) },
      });
    }
    this.#each.set(key, mine + 1);
    this.#all++;
  }
}

/** A host has a whole /64 of IPv6 addresses to itself (RFC 4291, section 2.5.1). */
function hostOf({ family, text }: Address): string {
  return family === 4 ? text : networkOf({ family, address: text, prefix: 64 }).address;
}
