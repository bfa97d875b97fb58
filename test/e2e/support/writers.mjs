// A client that writes all the time, each write one higher than the one before, over whichever connection it goes: by
// connections that are kept (and made again when they are cut), by new ones, and by datagrams of old and new sources.
// Run as `node writers.mjs '{"hosts": [..], "port": 1, "kept": 2}'`. Prints `writing` when all that is kept is open,
// and at SIGTERM one line of JSON: how often a kept connection was cut, and every connection that could not be opened.
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';

const { hosts, port, kept } = JSON.parse(process.argv[2] ?? '');
const EVERY = 2;
const ignore = () => undefined;
const failed = [];
let cut = 0;
let ended = false;
let last = 0;
const next = () => `${++last}`;

let missing = hosts.length * kept;
const open = () => --missing === 0 && process.stdout.write('writing\n');

/** A number is taken when it is written, and not before there is a connection: then what is later is higher. */
function keep(host, opened) {
  let connected = false;
  const socket = connect({ host, port, noDelay: true }, () => {
    connected = true;
    opened();
  });
  const timer = setInterval(() => connected && socket.writable && socket.write(`${next()}\n`), EVERY);
  socket.on('data', ignore).on('error', ({ code }) => connected || failed.push(code));
  socket.on('close', () => {
    clearInterval(timer);
    if (ended) return;
    cut++;
    setTimeout(() => keep(host, ignore), EVERY);
  });
}

function renew(host) {
  let connected = false;
  const socket = connect({ host, port, noDelay: true }, () => {
    connected = true;
    socket.end(`${next()}\n`);
  });
  socket.on('data', ignore).on('error', ({ code }) => connected || failed.push(code));
  socket.on('close', () => ended || setTimeout(() => renew(host), EVERY));
}

/** Connected, so that it is sent when it is numbered: to a name or address it would be looked up first. */
function datagrams(host, each) {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  socket.on('error', ignore).connect(port, host, () => each(socket));
}

const sendForEver = (socket) => setInterval(() => socket.send(next(), ignore), EVERY);
const sendOnce = (host) => (socket) =>
  socket.send(next(), () => {
    socket.close();
    setTimeout(() => datagrams(host, sendOnce(host)), EVERY);
  });

for (const host of hosts) {
  for (let n = 0; n < kept; n++) keep(host, open);
  renew(host);
  datagrams(host, sendForEver);
  datagrams(host, sendOnce(host));
}

process.on('SIGTERM', () => {
  ended = true;
  process.stdout.write(`${JSON.stringify({ cut, failed })}\n`, () => process.exit(0));
});
