import { createColors } from 'picocolors';

export type Colors = ReturnType<typeof createColors>;

export interface ScreenOptions {
  readonly color: boolean;
  /** Whether a line can be redrawn in place. */
  readonly tty: boolean;
  readonly columns: number;
}

/** Lines that stay, and below them one that is redrawn in place (on a terminal; elsewhere it is not shown). */
export class Screen {
  readonly colors: Colors;
  readonly color: boolean;
  readonly #options: ScreenOptions;
  readonly #write: (text: string) => void;
  #status = '';

  constructor(options: ScreenOptions, write: (text: string) => void) {
    this.#options = options;
    this.#write = write;
    this.color = options.color;
    this.colors = createColors(options.color);
  }

  line(text = ''): void {
    this.#write(`${this.#clear()}${text}\n${this.#status}`);
  }

  /** Without colours, so that its width is known. */
  status(text: string): void {
    if (!this.#options.tty) return;
    const clear = this.#clear();
    this.#status = this.colors.dim(text.slice(0, Math.max(this.#options.columns - 1, 20)));
    this.#write(`${clear}${this.#status}`);
  }

  #clear(): string {
    return this.#status === '' ? '' : '\r\u001b[2K';
  }

  /** Leaves the terminal as it was found. */
  end(): void {
    this.#write(this.#clear());
    this.#status = '';
  }
}
