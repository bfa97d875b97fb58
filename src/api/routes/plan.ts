import { json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import { planView as planSchema } from '../contract.ts';
import { planView } from '../plan-view.ts';

export function planRoutes(app: App, { director }: Api): void {
  app.get(
    '/v1/plan',
    {
      schema: {
        tags: ['daemon'],
        summary: 'What the next reconcile would change, and why',
        response: {
          200: json('No changes: the kernel holds what it should', planSchema),
          ...problems(500, 503),
        },
      },
    },
    async () => planView(await director.plan()),
  );
}
