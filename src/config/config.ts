import type { Network } from '../model/address.ts';
import type { Service } from '../model/service.ts';

export interface Token {
  readonly name: string;
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

/** A configuration file, validated and frozen. */
export interface Config {
  readonly file: string;
  readonly listen: {
    readonly socket: string;
    readonly http: { readonly host: string; readonly port: number } | null;
    /** Absolute paths of PEM files. */
    readonly tls: { readonly cert: string; readonly key: string } | null;
    /** Lower case. */
    readonly names: readonly string[];
    readonly trustedProxies: readonly Network[];
  };
  /** Absolute path of the store's directory. */
  readonly state: string;
  /** Null only where no service announces. */
  readonly uplink: string | null;
  readonly iptables: 'auto' | 'nft' | 'legacy';
  /** Whether Xen is asked of the DomUs, where there is one. */
  readonly xen: 'auto' | 'off';
  readonly markMask: number;
  /** Milliseconds that entries of the journal, and switches that have ended, are kept; null: for ever. */
  readonly journalKeep: number | null;
  readonly cpu: {
    readonly meter: 'auto' | 'windows' | 'always' | 'sampler' | 'model' | 'off';
    /** Milliseconds. */
    readonly interval: number;
  };
  readonly tokens: readonly Token[];
  /** Who may enrol themselves as testers, and for how long (milliseconds) at the most; null: nobody. */
  readonly qa: { readonly enrol: number; readonly from: readonly Network[] } | null;
  /** In the file's order. */
  readonly services: readonly Service[];
}
