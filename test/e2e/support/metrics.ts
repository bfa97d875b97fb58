import { http } from './http.ts';

type Labels = Readonly<Record<string, string>>;

/** One scrape of a director's own metrics. */
export class Metrics {
  readonly #series: ReadonlyMap<string, number>;

  private constructor(text: string) {
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    this.#series = new Map(
      lines.map((line) => {
        const [, name = '', labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
        return [keyOf(name, labels.split(',')), Number(value)];
      }),
    );
  }

  static async of(socket: string): Promise<Metrics> {
    return new Metrics((await http(socket, 'GET', '/metrics')).text);
  }

  /** Null where there is no such series. */
  value(name: string, labels: Labels): number | null {
    const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return this.#series.get(keyOf(`dom0_director_${name}`, pairs)) ?? null;
  }

  /** NaN where one of the two has no such series. */
  growth(before: Metrics, name: string, labels: Labels): number {
    return (this.value(name, labels) ?? NaN) - (before.value(name, labels) ?? NaN);
  }
}

/** Labels have no order. */
const keyOf = (name: string, labels: readonly string[]): string =>
  `${name}{${labels.filter(Boolean).toSorted().join()}}`;
