import type { Service } from '../model/service.ts';

/** A service of which only what is right is known. */
export type ServiceDraft = { readonly name: string } & {
  readonly [Key in keyof Omit<Service, 'name'>]?: Service[Key] | undefined;
};

export interface HostDraft {
  readonly uplink?: string | null | undefined;
  readonly markMask?: number | undefined;
}
