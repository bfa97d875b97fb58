import { z } from 'zod';

/**
 * The HTTP contract, once: validation, types and OpenAPI all come from here. Clients (command line, page, lab)
 * import only this file from the daemon.
 */
export const DEFAULT_SOCKET = '/run/dom0-director/director.sock';

const SERVICE_NAME = /^[a-z][a-z0-9-]{0,15}$/;
const DURATION = /^(0|[1-9]\d{0,9})(ms|s|m|h|d)$/;

export const serviceName = z
  .string()
  .regex(SERVICE_NAME, 'a service name is 1 to 16 of a-z, 0-9 and -, and begins with a letter')
  .meta({ description: 'Name of a service', example: 'mail' });
export const duration = z
  .string()
  .regex(DURATION, 'a duration is a whole number and ms, s, m, h or d, such as 500ms, 30s, 5m, 2h')
  .meta({ description: 'A duration', example: '10m' });
const durationOrNever = z.union([duration, z.literal('never')]);
const instant = z.iso.datetime().meta({ description: 'A point in time, ISO 8601 in UTC' });
const reason = z.string().max(500).meta({ description: 'Why, for the journal' });

export const role = z.enum(['primary', 'secondary']);
export const connections = z.enum(['drain', 'cut']).meta({
  description:
    'What happens to TCP connections that are open at the flip: they stay until they end, or are ended at once',
});
export const health = z.enum(['healthy', 'degraded', 'unhealthy', 'unknown']).meta({
  description:
    'healthy: every TCP port of the service accepts; degraded: some do; unhealthy: none does; unknown: not checked',
});

export const domainView = z
  .object({
    name: z.string().meta({ description: "Xen's name of it" }),
    state: z.enum(['running', 'paused', 'crashed', 'shutdown', 'absent', 'unknown']).meta({
      description: 'absent: there is no domain of this name; unknown: Xen does not answer now',
    }),
    domid: z.number().int().nullable().meta({ description: 'Another one after each start' }),
    since: instant.nullable(),
  })
  .meta({ id: 'Domain' });

export const domuView = z
  .object({
    domu: z.string(),
    addresses: z.array(z.string()),
    health,
    healthReason: z.string().nullable(),
    flows: z.number().int().meta({ description: 'Conntrack entries that were directed to this DomU' }),
    domain: domainView
      .nullable()
      .meta({ description: 'What Xen says of it; null where this host is no Dom0 of Xen' }),
  })
  .meta({ id: 'Domu' });

export const testerView = z
  .object({
    source: z.string().meta({ description: 'An address or a network', example: '198.51.100.0/24' }),
    kind: z
      .enum(['permanent', 'leased'])
      .meta({ description: 'From the configuration, or enrolled over the API' }),
    expiresAt: instant.nullable(),
    note: z.string().nullable(),
  })
  .meta({ id: 'Tester' });

export const switchState = z.enum(['trial', 'confirmed', 'rolled-back', 'expired', 'failed']);
export const switchView = z
  .object({
    id: z.string(),
    services: z.array(serviceName),
    to: role,
    state: switchState,
    committedAt: instant.nullable(),
    confirmBy: instant
      .nullable()
      .meta({ description: 'When the trial rolls itself back; null where it never does' }),
    endedAt: instant.nullable(),
    connections,
    drainUntil: instant
      .nullable()
      .meta({ description: 'When connections that still drain are cut; null: never' }),
    kernel: z.object({
      flipMicros: z
        .number()
        .nullable()
        .meta({ description: "The one kernel message's time, in microseconds" }),
      familySkewMicros: z
        .number()
        .nullable()
        .meta({ description: 'Between IPv4 and IPv6; 0: both are in the same message' }),
    }),
    flows: z.object({
      kept: z.number().int().meta({ description: 'TCP connections left to drain on the DomU that was live' }),
      cut: z.number().int().meta({ description: 'TCP connections ended' }),
      udpFlushed: z.number().int().meta({ description: 'UDP flows ended, so that their senders follow' }),
    }),
    by: z.string(),
    reason: z.string().nullable(),
    error: z.string().nullable().meta({ description: 'Why it failed, or was rolled back by itself' }),
  })
  .meta({ id: 'Switch' });

export const drainView = z
  .object({
    domu: z.string(),
    flows: z.number().int().meta({ description: 'How many are left; those of testers are not among them' }),
    until: instant.nullable().meta({ description: 'When they are cut; null: they stay until they end' }),
  })
  .meta({
    id: 'Draining',
    description: 'TCP connections from before a switch, on the DomU that is dark since',
  });

export const serviceView = z
  .object({
    name: serviceName,
    phase: z.enum(['settled', 'trial']),
    testing: z.enum(['open', 'closed']),
    held: z.boolean(),
    heldUntil: instant.nullable(),
    live: role,
    primary: domuView,
    secondary: domuView,
    addresses: z.array(z.string()),
    ports: z.array(z.string()),
    bridge: z.string(),
    testers: z.array(testerView),
    switch: switchView.nullable(),
    draining: drainView.nullable().meta({ description: 'null where no old connection is left' }),
    source: z
      .enum(['file', 'api'])
      .meta({ description: 'Who defined it last: the configuration file, or the API' }),
    generation: z
      .number()
      .int()
      .meta({ description: 'Goes up with every change of the service; also its ETag' }),
  })
  .meta({ id: 'Service' });

export const guestInterface = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/,
    'an interface is 1 to 15 letters, digits, dots, underscores and hyphens',
  )
  .meta({ description: 'What the guest calls its interface', example: 'enX0' });

export const guestView = z
  .object({
    service: serviceName,
    domu: z.string(),
    bridge: z.string(),
    vifs: z.array(
      z.object({
        name: z.string().nullable().meta({ description: 'null where the configuration names none' }),
        mac: z.string(),
        ip: z.array(z.string()),
      }),
    ),
    addresses: z.array(z.string()).meta({ description: 'With prefix lengths' }),
    gateways: z.array(z.string()),
    xl: z.string().meta({ description: "The line for the DomU's xl.cfg(5)" }),
    interfaces: z.string().meta({ description: "For the guest's /etc/network/interfaces" }),
    networkd: z.string().meta({ description: "For the guest's /etc/systemd/network" }),
    notes: z.array(z.string()),
  })
  .meta({ id: 'Guest' });

export const switchRequest = z
  .strictObject({
    services: z.array(serviceName).min(1).max(10_000),
    to: role,
    connections: connections.optional(),
    drainFor: durationOrNever.optional(),
    confirmWithin: durationOrNever.optional(),
    hold: duration.optional().meta({
      description:
        'Packets of these services wait while everybody is moved and old connections are cut, for so long at the most',
    }),
    force: z.boolean().optional().meta({ description: 'Switch although the target is not healthy' }),
    reason: reason.optional(),
  })
  .meta({
    id: 'SwitchRequest',
    examples: [{ services: ['mail'], to: 'secondary', confirmWithin: '10m', reason: 'mail 2.0' }],
  });

const milliseconds = z.number().int().nullable();
export const previewView = z
  .object({
    connections,
    drainFor: milliseconds.meta({ description: 'Milliseconds; null: until they end' }),
    confirmWithin: milliseconds.meta({ description: 'Milliseconds; null: never' }),
    hold: milliseconds.meta({ description: 'Milliseconds; null: no hold' }),
    services: z.array(
      z.object({
        service: serviceName,
        from: z.string().meta({ description: 'The DomU that everybody leaves' }),
        target: z.string().meta({ description: 'The DomU that everybody goes to' }),
        health,
        healthReason: z.string().nullable(),
        flows: z.object({
          stay: z.number().int().meta({ description: 'TCP connections that stay where they are' }),
          cut: z.number().int().meta({ description: 'TCP connections that are ended' }),
          udp: z
            .number()
            .int()
            .meta({ description: 'UDP flows that are ended, so that their senders follow' }),
          target: z.number().int().meta({ description: 'Flows that the target has already' }),
        }),
      }),
    ),
    refusals: z.array(
      z.object({
        service: serviceName.nullable(),
        text: z.string(),
        forceable: z.boolean().meta({ description: 'Whether force would switch all the same' }),
      }),
    ),
  })
  .meta({ id: 'SwitchPreview' });

export const endRequest = z.strictObject({ reason: reason.optional() }).nullish();
export const holdRequest = z
  .strictObject({ for: duration, reason: reason.optional() })
  .meta({ id: 'HoldRequest', examples: [{ for: '5s' }] });
export const testerRequest = z
  .strictObject({ expiresIn: duration.optional(), note: z.string().max(200).optional() })
  .nullish()
  .meta({ examples: [{ expiresIn: '8h', note: 'the mail team' }] });
export const testingRequest = z
  .strictObject({
    state: z.enum(['open', 'closed']),
    reason: reason.optional(),
  })
  .meta({ id: 'TestingRequest', examples: [{ state: 'open' }] });

const portText = z
  .string()
  .meta({ description: 'A port or a range with its protocol', example: '8000-8009/tcp' });
/** The shape of a service's definition, as in the file; what it means is checked by the same code as the file. */
export const serviceDefinition = z
  .looseObject({
    addresses: z.array(z.string()),
    announce: z.boolean().optional(),
    ports: z.array(z.union([portText, z.looseObject({ port: portText, to: z.number().int() })])),
    bridge: z.looseObject({ name: z.string(), gateway: z.array(z.string()) }),
    domus: z.array(
      z.looseObject({
        name: z.string(),
        addresses: z.array(z.string()),
        vifs: z.array(z.string()).optional(),
        domain: z.string().optional(),
        macs: z.array(z.string()).optional(),
      }),
    ),
    testers: z.array(z.string()).optional(),
    admins: z.array(z.string()).optional(),
    cutover: z
      .looseObject({
        connections: connections.optional(),
        drainFor: durationOrNever.optional(),
        confirmWithin: durationOrNever.optional(),
      })
      .optional(),
  })
  .meta({
    id: 'ServiceDefinition',
    description: "A service's definition, as under `services:` in the configuration file",
    examples: [
      {
        addresses: ['192.0.2.25', '2001:db8::25'],
        ports: ['25/tcp'],
        bridge: { name: 'br-mail', gateway: ['10.50.0.1/24', 'fd00:50::1/64'] },
        domus: [
          { name: 'mail-a', addresses: ['10.50.0.2', 'fd00:50::2'], vifs: ['vif1.0'] },
          { name: 'mail-b', addresses: ['10.50.0.3', 'fd00:50::3'], vifs: ['vif2.0'] },
        ],
      },
    ],
  });

export const whoamiView = z
  .object({
    source: z.string().nullable().meta({ description: 'null: this host itself' }),
    services: z.array(
      z.object({
        service: serviceName,
        domu: z.string(),
        role,
        live: z.boolean().meta({ description: 'Whether that is where everybody goes' }),
        testing: z.enum(['open', 'closed']),
        reason: z.string(),
      }),
    ),
  })
  .meta({ id: 'Whoami' });

export const selfTestingView = z
  .object({
    source: z
      .string()
      .nullable()
      .meta({ description: 'Where the caller comes from; null where that cannot be known' }),
    unknownBecause: z.string().nullable(),
    longest: duration
      .nullable()
      .meta({ description: 'The longest that one may enrol for; null: nobody may' }),
    notAllowed: z.string().nullable().meta({ description: 'Why this caller may not enrol; null: it may' }),
    services: z.array(
      z.object({
        service: serviceName,
        addresses: z.array(z.string()),
        ports: z.array(z.string()),
        directedTo: z
          .object({ domu: z.string(), role, reason: z.string() })
          .nullable()
          .meta({ description: 'Where the caller is directed; null where it is not known who it is' }),
        primary: z.string(),
        secondary: z.string(),
        live: role,
        testing: z.enum(['open', 'closed']),
        phase: z.enum(['settled', 'trial']),
        enrolment: z
          .object({ source: z.string(), expiresAt: instant.nullable(), own: z.boolean() })
          .nullable()
          .meta({ description: 'What makes the caller a tester; own: it can be ended here' }),
      }),
    ),
  })
  .meta({ id: 'SelfTesting' });
export const selfTestingRequest = z
  .strictObject({ expiresIn: duration.optional() })
  .nullish()
  .meta({ examples: [{ expiresIn: '4h' }] });

export const sessionView = z
  .object({
    by: z
      .string()
      .nullable()
      .meta({ description: "The token's name, or the socket; null: no token was sent" }),
    needsToken: z.boolean().meta({ description: 'Whether changing something from here needs a token' }),
    version: z.string(),
    now: instant,
  })
  .meta({ id: 'Session' });

export const rulesView = z
  .object({
    rules: z.array(
      z.object({
        family: z.literal([4, 6]),
        table: z.string(),
        rule: z.string().meta({ description: 'As iptables -S writes it' }),
      }),
    ),
    sets: z.array(
      z.object({
        name: z.string(),
        elements: z.array(z.object({ element: z.string(), expiresAt: instant.nullable() })),
      }),
    ),
  })
  .meta({ id: 'Rules' });

export const greetingView = z
  .object({
    domu: z.string(),
    role,
    says: z.array(
      z.object({
        endpoint: z.string(),
        text: z.string().nullable().meta({ description: 'The first line; of HTTP also who serves' }),
        error: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'Greeting' });

const carried = z.object({ packets: z.number(), bytes: z.number() });
export const trafficView = z
  .object({
    at: instant,
    domus: z.array(
      z.object({
        domu: z.string(),
        carried: z
          .object({ in: carried, out: carried })
          .nullable()
          .meta({ description: 'Since its vifs are there; in: towards it. null: no vif of it is known' }),
      }),
    ),
  })
  .meta({ id: 'Traffic' });

export const flowHistoryView = z
  .object({
    at: z.array(instant),
    services: z.record(z.string(), z.record(z.string(), z.array(z.number().int().nullable()))).meta({
      description: 'By service and DomU: flows at each of these moments; null: there was none of it',
    }),
  })
  .meta({ id: 'FlowHistory' });

export const planView = z
  .object({
    changes: z.array(z.object({ kind: z.string(), what: z.string(), why: z.string() })),
    services: z.array(serviceName).meta({ description: 'Whose rules, sets, bridge or addresses these are' }),
    restore: z
      .object({ ipv4: z.string(), ipv6: z.string() })
      .meta({ description: 'What iptables-restore would be given' }),
  })
  .meta({ id: 'Plan' });

const volumeCheck = z.object({
  verdict: z.enum(['clean', 'unclear', 'damaged', 'unchecked']),
  text: z.string(),
});
export const stageState = z.enum(['staging', 'staged', 'unstaging', 'kept', 'failed', 'gone']).meta({
  description:
    'staging, unstaging: under way; kept: taken away, but its volumes are kept for a time; failed: see error, and left for what is still there',
});
export const stageView = z
  .object({
    id: z.string(),
    service: z.string(),
    domu: z.string().meta({ description: 'The DomU that is made' }),
    from: z.string().meta({ description: 'The live one that it is made from' }),
    state: stageState,
    doing: z.string().meta({ description: 'What is under way now, or was when it ended' }),
    startedAt: instant,
    endedAt: instant.nullable(),
    volumes: z.array(
      z.object({
        device: z.string().meta({ example: '/dev/vg0/mail-b_stage_20261123T120000_xvda' }),
        target: z.string().meta({ description: 'What the guest calls it', example: 'xvda' }),
        origin: z.string().meta({ description: "The live DomU's volume", example: 'vg0/mail-a' }),
        thin: z.boolean(),
        isThere: z.boolean().meta({ description: 'false: not yet, or not any more' }),
        check: volumeCheck.nullable(),
      }),
    ),
    error: z.string().nullable(),
    hint: z.string().nullable().meta({ description: 'What to do about it' }),
    left: z.array(z.string()).meta({ description: 'What could not be taken away, and why' }),
    notes: z.array(z.string()),
    by: z.string(),
    reason: z.string().nullable(),
  })
  .meta({ id: 'Stage' });
export const stageRequest = z
  .strictObject({
    wait: z
      .boolean()
      .optional()
      .meta({ description: 'false: it is done when the DomU was started, healthy or not' }),
    reason: reason.optional(),
  })
  .nullish()
  .meta({ examples: [{ reason: 'mail 2.0' }] });

export const domuName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, "a DomU's name is 1 to 63 letters, digits, dots, _ and -")
  .meta({ description: 'Name of a DomU', example: 'mail-b' });
export const domuRow = z
  .object({
    domu: z.string(),
    service: serviceName,
    role,
    live: z.boolean(),
    state: z
      .enum(['running', 'paused', 'crashed', 'shutdown', 'absent'])
      .nullable()
      .meta({ description: 'What Xen says; null: there is no Xen to ask' }),
    domid: z.number().int().nullable(),
    stage: z.string().nullable().meta({ description: 'The stage that made it' }),
  })
  .meta({ id: 'DomuState' });
export const consoleView = z
  .object({ domu: z.string(), lines: z.array(z.string()) })
  .meta({ id: 'Console', description: 'The last lines that the DomU wrote to its console, oldest first' });

export const journalEntry = z
  .object({
    id: z.number().int(),
    at: instant,
    kind: z.string().meta({
      description:
        'start, stop, switch, confirm, rollback, expire, fail, drained, hold, release, tester-add, tester-remove, tester-expire, testing, define, remove, reload, repair, domu, stage, staged, stage-fail, unstage, prune, destroy, error',
    }),
    services: z.array(z.string()),
    by: z.string(),
    text: z.string().meta({ description: 'What happened, in a sentence' }),
    why: z.string().nullable(),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'JournalEntry' });

const perSecond = z.number().nullable();
export const capacityView = z
  .object({
    at: instant,
    seconds: z.number().meta({ description: 'For how long the host was looked at' }),
    cores: z.number().int(),
    cpu: z
      .object({
        user: z.number(),
        nice: z.number(),
        guest: z.number(),
        system: z.number(),
        irq: z.number(),
        soft: z.number(),
        steal: z.number(),
        iowait: z.number(),
        idle: z.number(),
      })
      .meta({ description: 'In cores: together they are all cores' }),
    domus: z
      .array(
        z.object({
          service: serviceName,
          domu: z.string(),
          role,
          vifs: z.array(z.string()),
          packetsIn: perSecond,
          packetsOut: perSecond,
          bytesIn: perSecond,
          bytesOut: perSecond,
        }),
      )
      .meta({
        description: 'A second, as the DomU sees it; null: its vifs are not listed, or were not there',
      }),
  })
  .meta({ id: 'Capacity' });

export const readyView = z
  .object({ ready: z.boolean(), problems: z.array(z.string()), since: instant })
  .meta({ id: 'Ready' });

const seconds = (description: string) => z.number().meta({ description: `${description}; seconds` });
const share = (description: string) =>
  z.number().meta({ description: `${description}, over the last interval: a part of one core` });

export const cpuBaseline = z
  .object({
    smallNanos: z.number().meta({ description: 'A small packet; nanoseconds' }),
    bulkNanos: z.number().meta({ description: 'A packet of bulk TCP; nanoseconds' }),
    measuredAt: instant,
    measured: z
      .boolean()
      .meta({ description: 'false: typical figures, since this host could not measure its own' }),
  })
  .meta({ id: 'CpuBaseline', description: 'What a plain bridge costs; the overhead is what is above it' });

export const cpuFlow = z
  .object({
    service: serviceName,
    role,
    domu: z.string(),
    direction: z.enum(['in', 'out']).meta({ description: 'As the DomU sees it: in is towards it' }),
    packets: z.number().int().meta({ description: "Since the meter began, by the links' own counters" }),
    bytes: z.number().int(),
    cpuSeconds: seconds('CPU time since the meter began'),
    overheadSeconds: seconds('Of it, what is more than a plain bridge would have taken'),
    packetsPerSecond: z.number(),
    cpuShare: share('CPU'),
    overheadShare: share('Overhead'),
    nanosPerPacket: z.number().nullable().meta({ description: 'As last measured; null: never yet' }),
    samples: z.number().int().meta({ description: 'Packets that were timed' }),
  })
  .meta({ id: 'CpuFlow' });

export const cpuView = z
  .object({
    at: instant,
    mode: z.enum(['windows', 'always', 'sampler', 'model', 'off']),
    forced: z.boolean().meta({ description: 'The configuration asked for this mode' }),
    why: z.string().meta({ description: 'Why this mode and no truer one; empty for the truest' }),
    interval: seconds('Length of the last interval'),
    cores: z.number().int(),
    baseline: cpuBaseline.nullable(),
    flows: z.array(cpuFlow),
    unmeasured: z.array(z.object({ service: serviceName, role, domu: z.string(), why: z.string() })).meta({
      description:
        'DomUs whose packets nobody sees, and why: the configuration names no vifs, or none is there',
    }),
    netback: z
      .array(z.object({ domu: z.string(), service: serviceName, seconds: z.number() }))
      .meta({ description: "Xen: CPU time of the kernel threads of each DomU's vifs" }),
    softirq: z.object({
      tickSeconds: seconds('All softirqs since boot, by ticks'),
      exactSeconds: z.number().nullable().meta({
        description: 'Network softirqs since the meter began, timed in windows and scaled; seconds',
      }),
      whyNotExact: z.string().meta({ description: 'Why there is no such figure; empty where there is' }),
    }),
    softnet: z.object({ dropped: z.number().int(), squeezed: z.number().int() }),
    probe: z
      .object({
        costSeconds: seconds('What measuring took'),
        windows: z.number().int(),
        samples: z.number().int(),
        clipped: z
          .number()
          .int()
          .meta({ description: 'Packets whose time is not known: the CPU was taken away' }),
        failures: z.number().int(),
      })
      .meta({ description: 'What the meter did, and itself cost' }),
    check: z
      .object({ cpuSeconds: z.number(), overheadSeconds: z.number() })
      .nullable()
      .meta({ description: 'What another way of measuring found for all services together' }),
  })
  .meta({ id: 'Cpu' });

/** RFC 9457. */
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    hint: z.string().optional().meta({ description: 'What to do about it' }),
    code: z
      .string()
      .optional()
      .meta({ description: "The kernel's error, such as EBUSY, where it was the kernel that refused" }),
    errors: z.array(
      z.object({
        path: z.string(),
        message: z.string(),
        line: z.number().optional(),
        column: z.number().optional(),
      }),
    ),
  })
  .meta({ id: 'Problem' });

export type GuestView = z.infer<typeof guestView>;
export type ServiceView = z.infer<typeof serviceView>;
export type DomuView = z.infer<typeof domuView>;
export type TesterView = z.infer<typeof testerView>;
export type SwitchView = z.infer<typeof switchView>;
export type SwitchRequest = z.infer<typeof switchRequest>;
export type HoldRequest = z.infer<typeof holdRequest>;
export type TesterRequest = z.infer<typeof testerRequest>;
export type TestingRequest = z.infer<typeof testingRequest>;
export type WhoamiView = z.infer<typeof whoamiView>;
export type CpuView = z.infer<typeof cpuView>;
export type CpuFlowView = z.infer<typeof cpuFlow>;
export type PreviewView = z.infer<typeof previewView>;
export type SelfTestingView = z.infer<typeof selfTestingView>;
export type SessionView = z.infer<typeof sessionView>;
export type RulesView = z.infer<typeof rulesView>;
export type GreetingView = z.infer<typeof greetingView>;
export type TrafficView = z.infer<typeof trafficView>;
export type FlowHistoryView = z.infer<typeof flowHistoryView>;
export type PlanView = z.infer<typeof planView>;
export type StageView = z.infer<typeof stageView>;
export type StageRequest = z.infer<typeof stageRequest>;
export type DomuRowView = z.infer<typeof domuRow>;
export type ConsoleView = z.infer<typeof consoleView>;
export type JournalEntry = z.infer<typeof journalEntry>;
export type CapacityView = z.infer<typeof capacityView>;
export type ReadyView = z.infer<typeof readyView>;
export type Problem = z.infer<typeof problem>;
