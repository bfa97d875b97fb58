import type { Fault } from '../lib/errors.ts';

/** Where text goes: process.stdout and process.stderr, or anything of this shape. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

export interface CliIo {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin?: (NodeJS.ReadableStream & { readonly isTTY?: boolean }) | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
  /** Ends `watch` and `journal --follow`, as an interrupt (SIGINT, SIGTERM) does. */
  readonly signal?: AbortSignal | undefined;
}

/** Verbs that are no calls to the daemon; the program that starts the command line gives them. */
export interface LocalCommands {
  readonly version: string;
  /** Runs the daemon until it is stopped; answers the exit code. */
  serve(options: { config: string }): Promise<number>;
  /** Validates a configuration file. `text` is for people, `json` for `--json`. */
  check(file: string): Promise<{ ok: boolean; text: string; json: unknown }>;
  /** What a DomU of a configuration file is told of its network, without a daemon. */
  vif(wanted: {
    config: string;
    service: string;
    domu: string;
    interface?: string | undefined;
  }): Promise<{ readonly network: unknown } | { readonly faults: readonly Fault[] }>;
  /** Plays a whole Dom0 in namespaces; answers the exit code. */
  lab(options: { tour: boolean; args: string[] }): Promise<number>;
  /** Is this host fit to be directed, and for this configuration? */
  doctor(options: { config?: string | undefined }): Promise<Diagnosis>;
}

export interface Diagnosis {
  readonly fit: boolean;
  readonly findings: readonly {
    /** The kind of thing that was looked at: a short name. */
    readonly check: string;
    readonly grade: 'ok' | 'warning' | 'unknown' | 'fault';
    readonly what: string;
    /** Lines. */
    readonly why: string | null;
    /** A command line that mends it, or shows more. */
    readonly command: string | null;
  }[];
}
