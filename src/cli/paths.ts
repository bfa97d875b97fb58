/** Paths of the API; names are encoded although they are validated already. */
export const servicePath = (service: string, ...more: string[]): string =>
  ['/v1/services', service, ...more]
    .map((part, at) => (at === 0 ? part : encodeURIComponent(part)))
    .join('/');

export const switchPath = (id: string, verb: 'confirm' | 'rollback'): string =>
  `/v1/switches/${encodeURIComponent(id)}/${verb}`;

export const domuPath = (domu: string, verb: 'console' | 'destroy'): string =>
  `/v1/domus/${encodeURIComponent(domu)}/${verb}`;

export const stagePath = (id: string): string => `/v1/stages/${encodeURIComponent(id)}`;

export function journalPath(limit: number, service?: string): string {
  const query = new URLSearchParams({ limit: String(limit), ...(service === undefined ? {} : { service }) });
  return `/v1/journal?${query.toString()}`;
}
