// Serves what a meter would tell, by the compiled renderer: not every kernel lets packets be timed. Two DomUs of mail.
import { createServer } from 'node:http';
import { Metrics } from '../../../dist/metrics/metrics.js';

const begun = Date.now();

function flow(role, direction) {
  const packets = Math.round((Date.now() - begun) * (role === 'primary' ? 4 : 0.5));
  const [nanos, baseline] = direction === 'in' ? [2100, 700] : [1900, 700];
  return {
    service: 'mail',
    role,
    domu: role === 'primary' ? 'mail-a' : 'mail-b',
    direction,
    packets,
    bytes: packets * 700,
    cpuSeconds: (packets * nanos) / 1e9,
    overheadSeconds: (packets * (nanos - baseline)) / 1e9,
    packetsPerSecond: 4000,
    cpuShare: 0.01,
    overheadShare: 0.006,
    nanosPerPacket: nanos,
    samples: Math.round(packets / 50),
  };
}

function report() {
  const seconds = (Date.now() - begun) / 1000;
  return {
    at: new Date().toISOString(),
    mode: 'windows',
    forced: false,
    why: '',
    interval: 1,
    cores: 2,
    baseline: { smallNanos: 540, bulkNanos: 740, measuredAt: new Date(begun).toISOString(), measured: true },
    flows: ['primary', 'secondary'].flatMap((role) =>
      ['in', 'out'].map((direction) => flow(role, direction)),
    ),
    netback: [{ domu: 'mail-a', service: 'mail', seconds: seconds / 100 }],
    softirq: { tickSeconds: seconds / 20, exactSeconds: seconds / 25 },
    softnet: { dropped: 0, squeezed: Math.round(seconds) },
    probe: {
      costSeconds: seconds / 1000,
      windows: Math.round(seconds),
      samples: Math.round(seconds * 100),
      clipped: 0,
      failures: 0,
    },
  };
}

const snapshot = async () => ({ ready: true, writable: true, conntrack: null, services: [], cpu: report() });
const metrics = new Metrics({ version: 'stand-in', snapshot });
createServer(async (request, response) => {
  const { contentType, body } = await metrics.render();
  response.writeHead(200, { 'content-type': contentType }).end(body);
}).listen(8441, '127.0.0.1', () => console.log('ready'));
