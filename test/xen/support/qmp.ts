import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

interface Reply {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

/** QEMU's monitor (qemu-qmp-ref(7)): lines of JSON over a unix socket. */
export class Qmp {
  readonly #socket: Socket;
  readonly #waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  #next = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    createInterface({ input: socket }).on('line', (line) => this.#hear(JSON.parse(line) as Reply));
    const gone = (): void => {
      for (const { reject } of this.#waiting.values()) reject(new Error('QEMU has closed its monitor'));
      this.#waiting.clear();
    };
    socket.on('error', gone).on('close', gone);
  }

  static async connect(path: string): Promise<Qmp> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    const qmp = new Qmp(socket);
    await qmp.execute('qmp_capabilities');
    return qmp;
  }

  execute(command: string, args: object = {}): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  #hear({ id, return: value, error }: Reply): void {
    const asker = id === undefined ? undefined : this.#waiting.get(id);
    if (id === undefined || asker === undefined) return;
    this.#waiting.delete(id);
    if (error === undefined) asker.resolve(value);
    else asker.reject(new Error(`QEMU: ${error.desc}`));
  }
}
