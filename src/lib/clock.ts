/** Time is passed in: tests turn it by hand. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once, after `ms`; answers how to cancel it. Does not keep the process alive. */
  after(ms: number, callback: () => void): () => void;
}

/** setTimeout's own limit (2^31 - 1 ms, about 24.8 days); longer waits are made of several. */
const LONGEST = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    let timer: NodeJS.Timeout;
    const wait = (left: number): void => {
      timer = setTimeout(
        () => (left > LONGEST ? wait(left - LONGEST) : callback()),
        Math.min(Math.max(left, 0), LONGEST),
      );
      timer.unref();
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
};
