/** What became of an operation during which the director was killed. */
export type Outcome = 'whole' | 'absent' | 'mixed';

export interface Row {
  kills: number;
  whole: number;
  absent: number;
  lost: number;
  mixed: number;
  dark: number;
}

/** What a run was. */
export interface RunOf {
  readonly seconds: number;
  readonly seed: number;
  /** Questions of a customer's. */
  readonly asked: number;
}

/** What is counted, by operation; and everything that was wrong, in words. */
export class Tally {
  readonly #rows = new Map<string, Row>();
  readonly faults: string[] = [];

  row(name: string): Row {
    const row = this.#rows.get(name) ?? { kills: 0, whole: 0, absent: 0, lost: 0, mixed: 0, dark: 0 };
    this.#rows.set(name, row);
    return row;
  }

  get total(): Row {
    const sum = (key: keyof Row): number => [...this.#rows.values()].reduce((all, row) => all + row[key], 0);
    return {
      kills: sum('kills'),
      whole: sum('whole'),
      absent: sum('absent'),
      lost: sum('lost'),
      mixed: sum('mixed'),
      dark: sum('dark'),
    };
  }

  #lines(): string[][] {
    const head = ['operation', 'kills', 'whole', 'absent', 'acknowledged and lost', 'mixed', 'dark packets'];
    const cells = (name: string, { kills, whole, absent, lost, mixed, dark }: Row): string[] => [
      name,
      ...[kills, whole, absent, lost, mixed, dark].map(String),
    ];
    return [head, ...[...this.#rows].map(([name, row]) => cells(name, row)), cells('all', this.total)];
  }

  /** For a terminal. */
  table(): string {
    const lines = this.#lines();
    const widths = (lines[0] ?? []).map((_, column) =>
      Math.max(...lines.map((line) => line[column]?.length ?? 0)),
    );
    return lines
      .map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))))
      .map((line) => line.join('  '))
      .join('\n');
  }

  /** For the README, with what the run was; see .ci/figures.mjs. */
  markdown({ seconds, seed, asked }: RunOf): string {
    const [head = [], ...lines] = this.#lines();
    const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
    const grouped = (n: number): string => n.toLocaleString('en-US');
    return [
      `${grouped(this.total.kills)} kills in ${grouped(seconds)} s (seed ${seed}), while a customer asked ${grouped(asked)} times:`,
      '',
      row(head),
      row(head.map((_, i) => (i === 0 ? '---' : '---:'))),
      ...lines.map(row),
    ].join('\n');
  }
}
