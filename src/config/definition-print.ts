import { createHash } from 'node:crypto';
import type { Service } from '../model/service.ts';
import { describeService } from './describe-service.ts';

const prints = new WeakMap<Service, string>();

/** Equal for services of equal definitions; made once of each. */
export function definitionPrint(service: Service): string {
  const known = prints.get(service);
  if (known !== undefined) return known;
  const print = createHash('sha256')
    .update(JSON.stringify(describeService(service)))
    .digest('hex');
  prints.set(service, print);
  return print;
}
