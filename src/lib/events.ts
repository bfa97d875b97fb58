/** Typed events. A listener that throws does not stop the others, nor the one who emits. */
export class Events<Types extends object> {
  readonly #listeners = new Map<keyof Types, Set<(value: never) => void>>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void = () => undefined) {
    this.#onError = onError;
  }

  on<Name extends keyof Types>(name: Name, listener: (value: Types[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(name, listeners);
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof Types>(name: Name, value: Types[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        (listener as (value: Types[Name]) => void)(value);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
