import { z } from 'zod';
import { serviceView } from '../api/contract.ts';
import type { ServiceView } from '../api/contract.ts';
import type { Context } from './context.ts';
import { servicePath } from './paths.ts';

export const serviceViews = z.array(serviceView);

export async function fetchServices({ client }: Context): Promise<ServiceView[]> {
  return (await client.get('/v1/services')).as(serviceViews);
}

export async function fetchService({ client }: Context, name: string): Promise<ServiceView> {
  return (await client.get(servicePath(name))).as(serviceView);
}

/**
 * The services that something was just done to, for the names in what is told of it. What was done stays done
 * when they cannot be had: then there are none.
 */
export async function viewsAfter(context: Context, names: readonly string[]): Promise<ServiceView[]> {
  const [first] = names;
  if (first === undefined) return [];
  try {
    if (names.length === 1) return [await fetchService(context, first)];
    const all = new Map((await fetchServices(context)).map((view) => [view.name, view]));
    return names.flatMap((name) => all.get(name) ?? []);
  } catch {
    return [];
  }
}
