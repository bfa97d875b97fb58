import { parentPort } from 'node:worker_threads';
import { relaySockets } from './kernel/netlink/relay.ts';

// A thread's own program; see SocketThread.
if (parentPort !== null) relaySockets(parentPort);
