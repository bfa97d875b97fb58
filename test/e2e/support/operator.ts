import { expect } from 'vitest';
import type { JournalEntry, ServiceView, SwitchRequest, SwitchView } from '../../../src/api/contract.ts';
import type { ApiAnswer } from '../../../src/lab/api.ts';
import type { DirectedWorld } from './director.ts';

type Order = Omit<SwitchRequest, 'services' | 'to'>;

/** The port of each of the lab's services that is asked for. */
const PORTS: Readonly<Record<string, number>> = { mail: 25 };
const portOf = (service: string): number => PORTS[service] ?? 389;

/** Whoever works with the director over its API, and those who see what comes of it. A call that is refused throws. */
export class Operator {
  readonly #directed: DirectedWorld;

  constructor(directed: DirectedWorld) {
    this.#directed = directed;
  }

  async switch(services: string | readonly string[], order: Order = {}): Promise<SwitchView> {
    const body = { services: [services].flat(), to: 'secondary', ...order };
    return (await this.must(201, 'POST', '/v1/switches', body)) as SwitchView;
  }

  async confirm({ id }: SwitchView): Promise<SwitchView> {
    return (await this.must(200, 'POST', `/v1/switches/${id}/confirm`, {})) as SwitchView;
  }

  async rollBack({ id }: SwitchView): Promise<SwitchView> {
    return (await this.must(200, 'POST', `/v1/switches/${id}/rollback`, {})) as SwitchView;
  }

  async switchById(id: string): Promise<SwitchView> {
    return (await this.must(200, 'GET', `/v1/switches/${id}`)) as SwitchView;
  }

  /** Newest first. */
  async journal(limit = 50): Promise<JournalEntry[]> {
    return (await this.must(200, 'GET', `/v1/journal?limit=${limit}`)) as JournalEntry[];
  }

  service(name: string): Promise<ServiceView> {
    return this.#directed.daemon.service(name);
  }

  /** The DomUs by their roles now. */
  async roles(name: string): Promise<{ primary: string; secondary: string }> {
    const { primary, secondary } = await this.service(name);
    return { primary: primary.domu, secondary: secondary.domu };
  }

  testing(name: string, state: 'open' | 'closed'): Promise<unknown> {
    return this.must(200, 'PUT', `/v1/services/${name}/testing`, { state });
  }

  async must(status: number, method: string, path: string, body?: unknown): Promise<unknown> {
    const answer: ApiAnswer = await this.#directed.daemon.call(method, path, body);
    expect(answer, `${method} ${path}`).toMatchObject({ status });
    return answer.body;
  }

  /** Who answers this client's next connections to the service, by IPv4 and by IPv6. */
  async reached(client: string, service: string, timeout = 5000): Promise<(string | null)[]> {
    const ask = (family: 4 | 6) =>
      this.#directed.world.ask(client, { host: service, port: portOf(service), family, timeout });
    const answers = await Promise.all([ask(4), ask(6)]);
    return answers.map(({ domu, error }) => domu ?? error);
  }

  async expectReached(client: string, service: string, domu: string): Promise<void> {
    expect(await this.reached(client, service), `${client} to ${service}`).toEqual([domu, domu]);
  }

  /** Whoever may be on trial goes back: each test finds all services settled. */
  async settleAll(): Promise<void> {
    const views = (await this.must(200, 'GET', '/v1/services')) as ServiceView[];
    const trials = new Map(views.flatMap(({ switch: trial }) => (trial === null ? [] : [[trial.id, trial]])));
    for (const trial of trials.values()) await this.rollBack(trial);
  }
}
