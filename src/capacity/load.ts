/**
 * What CPU time went to, in cores (1: one core all the time); the words are those of proc_stat(5) and sar(1).
 * `user` is without guests, `nice` without nice guests; where a source does not tell interrupts or guests apart,
 * they are in `system` and `user`. `routing` is what directing the machine's packets would cost this host.
 */
export const KINDS = [
  'user',
  'nice',
  'guest',
  'system',
  'irq',
  'soft',
  'steal',
  'routing',
  'iowait',
] as const;
export type Kind = (typeof KINDS)[number];
export type Load = Readonly<Record<Kind, number>>;

export const NO_LOAD = Object.freeze(loadFrom(() => 0));

export function loadFrom(valueOf: (kind: Kind) => number): Load {
  return {
    user: valueOf('user'),
    nice: valueOf('nice'),
    guest: valueOf('guest'),
    system: valueOf('system'),
    irq: valueOf('irq'),
    soft: valueOf('soft'),
    steal: valueOf('steal'),
    routing: valueOf('routing'),
    iowait: valueOf('iowait'),
  };
}

export const sumOf = (loads: readonly Load[]): Load =>
  loads.reduce((a, b) => loadFrom((kind) => a[kind] + b[kind]), NO_LOAD);

/** One times `factor` of the other: a weighted sum grows by it. */
export const plus = (a: Load, b: Load, factor = 1): Load => loadFrom((kind) => a[kind] + b[kind] * factor);

export const times = (load: Load, factor: number): Load => loadFrom((kind) => load[kind] * factor);

/**
 * Cores that would have to be there. Stolen time counts: the machine wanted it and did not get it. Waiting for a disk
 * does not, for the core is free meanwhile, unless one asks for it.
 */
export function coresOf(load: Load, withIowait: boolean): number {
  return KINDS.reduce((sum, kind) => (kind === 'iowait' && !withIowait ? sum : sum + load[kind]), 0);
}

/** In the words of sar's shorter form: nice time and guests are the user's, interrupts the system's. */
export const folded = (load: Load): Load => ({
  ...load,
  user: load.user + load.nice + load.guest,
  nice: 0,
  guest: 0,
  system: load.system + load.irq + load.soft,
  irq: 0,
  soft: 0,
});
