import { setMaxListeners } from 'node:events';
import type { Clock } from '../lib/clock.ts';
import type { HealthReport } from '../model/records.ts';
import type { Domu, Service } from '../model/service.ts';
import { tcpConnect } from './connect.ts';
import type { Connect, Endpoint } from './connect.ts';
import { endpointsOf } from './endpoints.ts';
import { Limiter } from './limiter.ts';
import { UNKNOWN, believe, judge, learn } from './verdict.ts';
import type { Belief, Outcome, Verdict } from './verdict.ts';

export type HealthListener = (service: string, domu: string, report: HealthReport) => void;

const MOST_UNDER_WAY = 64;
const OFF: Verdict = { status: 'unknown', reason: 'the health check is off' };
const CLOSED: Verdict = { status: 'unknown', reason: 'the director is stopping' };

/** One DomU of one service under watch. */
interface Target {
  readonly service: string;
  readonly domu: string;
  readonly plan: ProbePlan;
  belief: Belief;
  /** How often it was looked at. */
  looks: number;
  /** Cancels the look that comes next. */
  cancel: () => void;
}

interface ProbePlan {
  readonly off: boolean;
  readonly endpoints: readonly Endpoint[];
  readonly every: number;
  readonly timeout: number;
}

/**
 * Whether the DomUs answer on their services' TCP ports, seen from this host. Looks at each every `health.every`,
 * spread over that time: at one port of a healthy one, each in its turn, and at all of them where that fails, and for as
 * long as the DomU is not healthy. Never throws, and keeps no process alive.
 */
export class HealthMonitor {
  readonly #clock: Clock;
  readonly #connect: Connect;
  readonly #limiter = new Limiter(MOST_UNDER_WAY);
  readonly #abort = new AbortController();
  readonly #listeners = new Set<HealthListener>();
  readonly #targets = new Map<string, Target>();
  /** Definitions are frozen: one that is the same object has the same targets. */
  #watched: ReadonlySet<Service> = new Set();

  constructor(options: { clock: Clock; connect?: Connect }) {
    this.#clock = options.clock;
    // Every probe under way listens, and what ends gently after it; Node would warn of a leak from the eleventh on.
    setMaxListeners(0, this.#abort.signal);
    this.#connect = options.connect ?? tcpConnect(options.clock);
  }

  /** From now on these, and no others. What is known of a DomU stays, unless what is to be probed has changed. */
  watch(services: readonly Service[]): void {
    const wanted = new Set(services);
    const gone = [...this.#watched].filter((service) => !wanted.has(service));
    const before = new Map<string, Target>();
    for (const key of gone.flatMap(keysOf)) {
      const target = this.#targets.get(key);
      if (target !== undefined) before.set(key, target);
      this.#targets.delete(key);
    }
    for (const [index, service] of services.entries())
      if (!this.#watched.has(service)) this.#watch(service, [index, services.length], before);
    for (const target of before.values()) target.cancel();
    this.#watched = wanted;
  }

  /** `before`: those of services that have gone, or are defined anew. */
  #watch(service: Service, [nth, all]: readonly [number, number], before: Map<string, Target>): void {
    for (const [at, domu] of service.domus.entries()) {
      const key = keyOf(service.name, domu.name);
      const plan = planOf(service, domu);
      const known = before.get(key);
      if (known !== undefined && samePlan(known.plan, plan)) {
        before.delete(key);
        this.#targets.set(key, known);
      } else this.#start(key, service.name, domu.name, plan, (nth + at / service.domus.length) / all);
    }
  }

  report(service: string, domu: string): HealthReport {
    return (
      this.#targets.get(keyOf(service, domu))?.belief.report ?? { ...UNKNOWN.report, reason: 'not watched' }
    );
  }

  /** Looks now, and believes what it sees at once. Works for what is not watched, too. */
  async probeNow(service: Service, domu: Domu): Promise<HealthReport> {
    const plan = planOf(service, domu);
    const verdict = await this.#look(plan);
    const now = this.#clock.now();
    const target = this.#targets.get(keyOf(service.name, domu.name));
    if (target === undefined || !samePlan(target.plan, plan)) return believe(UNKNOWN, verdict, now).report;
    if (verdict !== CLOSED) this.#update(target, believe(target.belief, verdict, now));
    return target.belief.report;
  }

  /** Calls back when a DomU's status or the reason for it has changed. Answers how to stop that. */
  onChange(callback: HealthListener): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  close(): void {
    this.#listeners.clear();
    for (const target of this.#targets.values()) target.cancel();
    this.#targets.clear();
    this.#watched = new Set();
    this.#abort.abort();
  }

  #start(key: string, service: string, domu: string, plan: ProbePlan, part: number): void {
    const target: Target = { service, domu, plan, belief: UNKNOWN, looks: 0, cancel: () => undefined };
    this.#targets.set(key, target);
    if (plan.off || plan.endpoints.length === 0) {
      const verdict = plan.off ? OFF : judge([]);
      target.belief = { report: { ...verdict, since: null }, failures: 0 };
    } else this.#schedule(target, plan.every * part);
  }

  #schedule(target: Target, delay: number): void {
    target.cancel = this.#clock.after(delay, () => void this.#watchOnce(target));
  }

  async #watchOnce(target: Target): Promise<void> {
    const verdict = await this.#lookInTurn(target);
    target.looks++;
    // Meanwhile it may have been replaced, or everything closed.
    if (this.#targets.get(keyOf(target.service, target.domu)) !== target) return;
    this.#update(target, learn(target.belief, verdict, this.#clock.now()));
    this.#schedule(target, target.plan.every);
  }

  /** A port that has ceased to answer is noticed when its turn comes; a DomU that has, at the next look. */
  async #lookInTurn({ plan, belief, looks }: Target): Promise<Verdict> {
    const endpoint = plan.endpoints[looks % plan.endpoints.length];
    if (belief.report.status === 'healthy' && belief.failures === 0 && endpoint !== undefined) {
      const verdict = await this.#look({ ...plan, endpoints: [endpoint] });
      if (verdict === CLOSED || verdict.status === 'healthy') return verdict;
    }
    return this.#look(plan);
  }

  async #look({ off, endpoints, timeout }: ProbePlan): Promise<Verdict> {
    if (off) return OFF;
    const outcomes = await Promise.all(endpoints.map((endpoint) => this.#probe(endpoint, timeout)));
    return this.#abort.signal.aborted ? CLOSED : judge(outcomes);
  }

  async #probe(endpoint: Endpoint, timeout: number): Promise<Outcome> {
    const { signal } = this.#abort;
    const failure = await this.#limiter.run(async () => {
      if (signal.aborted) return CLOSED.reason;
      return this.#connect(endpoint, { timeout, signal });
    });
    return { endpoint, failure };
  }

  #update(target: Target, belief: Belief): void {
    const before = target.belief.report;
    target.belief = belief;
    if (before.status === belief.report.status && before.reason === belief.report.reason) return;
    for (const listener of this.#listeners) {
      try {
        listener(target.service, target.domu, belief.report);
      } catch {
        // A listener's fault is not the DomU's, and must not end the watch.
      }
    }
  }
}

const keyOf = (service: string, domu: string): string => `${service}/${domu}`;
const keysOf = ({ name, domus }: Service): string[] => domus.map((domu) => keyOf(name, domu.name));

function planOf(service: Service, domu: Domu): ProbePlan {
  const { check, every, timeout } = service.health;
  return { off: check === 'off', endpoints: endpointsOf(service, domu), every, timeout };
}

const samePlan = (a: ProbePlan, b: ProbePlan): boolean => JSON.stringify(a) === JSON.stringify(b);
