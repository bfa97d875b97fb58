import { signal } from '@preact/signals';
import { signedIn } from './session.ts';

export interface Asking {
  readonly services: readonly string[];
  readonly done: () => void;
}

/** The services whose switch is being prepared; null: none. */
export const switching = signal<Asking | null>(null);

/** Whoever is to switch signs in first. */
export function askToSwitch(services: readonly string[], done: () => void = () => undefined): void {
  signedIn(() => (switching.value = { services, done }));
}
