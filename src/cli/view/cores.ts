/** `0.61`, `12.40`: cores. */
export const cores = (value: number): string => value.toFixed(2);

/** `2992`, `770,000`: whole numbers with their thousands apart. */
export const whole = (value: number): string =>
  Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');

/** Two digits that count, for what is said with "about": `772,311` is `770,000`. */
export function about(value: number): string {
  if (value < 100) return whole(value);
  const unit = 10 ** (Math.floor(Math.log10(value)) - 1);
  return whole(Math.round(value / unit) * unit);
}

export const percent = (share: number): string => `${Math.round(share * 100)}%`;
