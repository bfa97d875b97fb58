/** What writes some chains whenever they are asked for. */
export interface ChainSource {
  readonly names: readonly string[];
  readonly rulesOf: (chain: string) => readonly string[];
}

/**
 * Chains by name, of which only who writes them is kept: the text of ten thousand services is a hundred megabytes, and
 * is needed where it is loaded, or differs. Each `get` writes anew.
 */
export class WrittenChains implements ReadonlyMap<string, readonly string[]> {
  readonly #sources = new Map<string, ChainSource>();

  constructor(sources: readonly ChainSource[]) {
    for (const source of sources) for (const name of source.names) this.#sources.set(name, source);
  }

  get size(): number {
    return this.#sources.size;
  }

  has(chain: string): boolean {
    return this.#sources.has(chain);
  }

  get(chain: string): readonly string[] | undefined {
    return this.#sources.get(chain)?.rulesOf(chain);
  }

  keys(): MapIterator<string> {
    return this.#sources.keys();
  }

  *entries(): MapIterator<[string, readonly string[]]> {
    for (const [chain, source] of this.#sources) yield [chain, source.rulesOf(chain)];
  }

  *values(): MapIterator<readonly string[]> {
    for (const [chain, source] of this.#sources) yield source.rulesOf(chain);
  }

  [Symbol.iterator](): MapIterator<[string, readonly string[]]> {
    return this.entries();
  }

  get [Symbol.toStringTag](): string {
    return 'WrittenChains';
  }

  forEach(
    callback: (rules: readonly string[], chain: string, all: ReadonlyMap<string, readonly string[]>) => void,
  ): void {
    for (const [chain, rules] of this.entries()) callback(rules, chain, this);
  }
}
