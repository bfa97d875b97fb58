/** Seconds since the epoch as their file wrote them: `2026-11-20 09:35`. */
export const moment = (at: number): string =>
  new Date(at * 1000).toISOString().slice(0, 16).replace('T', ' ');

/** `2026-11-20`. */
export const date = (at: number): string => moment(at).slice(0, 10);

/** `09:35`. */
export const timeOfDay = (at: number): string => moment(at).slice(11);
