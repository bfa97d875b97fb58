// A DomU's server that tells every number that it is sent: `tcp 7`, `udp 8`. Run as `node recorder.mjs PORT`.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const port = Number(process.argv[2]);
const tell = (protocol, text) => process.stdout.write(`${protocol} ${text}\n`);
const ignore = () => undefined;

function converse(socket) {
  socket.on('error', ignore);
  createInterface({ input: socket })
    .on('error', ignore)
    .on('line', (line) => tell('tcp', line));
}

let missing = 4;
const listening = () => --missing === 0 && process.stdout.write('ready\n');
for (const host of ['0.0.0.0', '::']) {
  createServer(converse).listen({ host, port, ipv6Only: host === '::' }, listening);
  createSocket({ type: host === '::' ? 'udp6' : 'udp4', ipv6Only: host === '::' })
    .on('message', (payload) => tell('udp', payload.toString()))
    .bind({ port, address: host }, listening);
}
