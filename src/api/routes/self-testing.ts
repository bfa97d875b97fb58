import type { FastifyRequest } from 'fastify';
import { formatDuration } from '../../lib/duration.ts';
import { contains, formatSource } from '../../model/address.ts';
import type { Address } from '../../model/address.ts';
import type { ServiceSnapshot } from '../../model/records.ts';
import { domuOf, liveRole } from '../../model/state.ts';
import type { Tester } from '../../model/state.ts';
import { formatPort } from '../../model/service.ts';
import type { WhoamiRow } from '../../switchover/director.ts';
import { json, problems } from '../answers.ts';
import { callerOf } from '../caller.ts';
import type { Api, App } from '../context.ts';
import { selfTestingRequest, selfTestingView } from '../contract.ts';
import type { SelfTestingView } from '../contract.ts';
import { keptDuration } from '../durations.ts';
import { HttpError } from '../http-error.ts';
import { knownName, nameParams } from '../names.ts';
import { enrollable } from './testers.ts';

const tags = ['testing'];
const ON_SOCKET =
  "you come to the director through its unix socket, or a relay to it, which does not say who you are. Open this page at the host's own address";

interface Known {
  readonly certain: Address | null;
  readonly doubt: string | null;
}

export function selfTestingRoutes(app: App, api: Api): void {
  getSelfTesting(app, api);
  putSelfTesting(app, api);
  deleteSelfTesting(app, api);
}

function getSelfTesting(app: App, api: Api): void {
  app.get(
    '/v1/whoami/testing',
    {
      schema: {
        tags,
        summary: 'Which version the caller is on, and whether it may put itself on the next one',
        response: { 200: json('One row for each service', selfTestingView), ...problems(500) },
      },
    },
    async (request) => viewFor(api, request),
  );
}

function putSelfTesting(app: App, api: Api): void {
  app.put(
    '/v1/whoami/testing/:name',
    {
      config: { selfService: true },
      schema: {
        tags,
        summary: 'Put the caller, and nobody else, on the next version for some hours',
        description: 'Needs no token, but the configuration must allow it ("qa").',
        params: nameParams,
        body: selfTestingRequest,
        response: {
          200: json('Enrolled', selfTestingView),
          ...problems(400, 403, 404, 409, 415, 422, 429, 500, 503),
        },
      },
    },
    async (request) => {
      const address = admitted(api, request);
      const name = knownName(request.params.name);
      const asked = request.body?.expiresIn;
      const ms = api.selfEnrolment.lease(asked === undefined ? null : keptDuration(asked, 'expiresIn'));
      const source = enrollable(address.text);
      const before = ownLease(await api.director.service(name), address);
      // Who was enrolled by an operator for longer keeps that.
      if (!outlasts(before, Date.now() + ms)) {
        const lease = { expiresIn: ms, note: 'enrolled on the page' };
        await api.director.enrol(name, source, lease, { by: `qa ${address.text}` });
      }
      return viewFor(api, request);
    },
  );
}

function deleteSelfTesting(app: App, api: Api): void {
  app.delete(
    '/v1/whoami/testing/:name',
    {
      config: { selfService: true },
      schema: {
        tags,
        summary: 'Put the caller back to where everybody is directed',
        params: nameParams,
        response: {
          200: json('Not a tester any more', selfTestingView),
          ...problems(403, 404, 409, 429, 500, 503),
        },
      },
    },
    async (request) => {
      const address = admitted(api, request);
      const name = knownName(request.params.name);
      const lease = ownLease(await api.director.service(name), address);
      if (lease === undefined) throw new HttpError(404, `${address.text} has not enrolled for ${name}`);
      await api.director.unenrol(name, lease.source, { by: `qa ${address.text}` });
      return viewFor(api, request);
    },
  );
}

function knownCaller({ access, trustedProxies }: Api, request: FastifyRequest): Known {
  if (access.via === 'socket') return { certain: null, doubt: ON_SOCKET };
  return callerOf(request, trustedProxies);
}

function admitted(api: Api, request: FastifyRequest): Address {
  const { certain, doubt } = knownCaller(api, request);
  if (certain === null) throw new HttpError(403, `nothing was changed: ${doubt ?? ''}`);
  api.selfEnrolment.admit(certain, Date.now());
  return certain;
}

async function viewFor(api: Api, request: FastifyRequest): Promise<SelfTestingView> {
  const { certain, doubt } = knownCaller(api, request);
  const { longest } = api.selfEnrolment;
  const rows = new Map(api.director.whoami(certain).map((row) => [row.service, row]));
  const services = await api.director.services();
  return {
    source: certain?.text ?? null,
    unknownBecause: doubt,
    longest: longest === null ? null : formatDuration(longest),
    notAllowed: certain === null ? doubt : api.selfEnrolment.refusal(certain),
    services: services.map((snapshot) => rowOf(snapshot, certain, rows.get(snapshot.state.service.name))),
  };
}

function rowOf(
  snapshot: ServiceSnapshot,
  caller: Address | null,
  row: WhoamiRow | undefined,
): SelfTestingView['services'][number] {
  const { state } = snapshot;
  const { service } = state;
  const known = caller !== null && row !== undefined;
  return {
    service: service.name,
    addresses: service.addresses.map(({ text }) => text),
    ports: service.ports.map(formatPort),
    directedTo: known ? { domu: row.domu, role: row.role, reason: row.reason } : null,
    primary: domuOf(state, 'primary').name,
    secondary: domuOf(state, 'secondary').name,
    live: liveRole(state),
    testing: state.testing,
    phase: state.trial === null ? 'settled' : 'trial',
    enrolment: caller === null ? null : enrolmentOf(snapshot, caller),
  };
}

function enrolmentOf(
  snapshot: ServiceSnapshot,
  caller: Address,
): SelfTestingView['services'][number]['enrolment'] {
  const mine = snapshot.state.testers.filter(({ source }) => contains(source, caller));
  const tester = mine.find(({ kind }) => kind === 'permanent') ?? ownLease(snapshot, caller) ?? mine[0];
  if (tester === undefined) return null;
  return {
    source: formatSource(tester.source),
    expiresAt: tester.expiresAt === null ? null : new Date(tester.expiresAt).toISOString(),
    own: tester === ownLease(snapshot, caller),
  };
}

/** A lease for precisely this address: a network's is not one tester's to end. */
const ownLease = ({ state }: ServiceSnapshot, { text }: Address): Tester | undefined =>
  state.testers.find(({ kind, source }) => kind === 'leased' && formatSource(source) === text);

const outlasts = (tester: Tester | undefined, until: number): boolean =>
  tester !== undefined && (tester.expiresAt === null || tester.expiresAt >= until);
