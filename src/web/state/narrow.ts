import { signal } from '@preact/signals';

const query = matchMedia('(max-width: 47.9375rem)');

/** A phone's width, as in the style sheet. */
export const narrow = signal(query.matches);
query.addEventListener('change', ({ matches }) => (narrow.value = matches));
