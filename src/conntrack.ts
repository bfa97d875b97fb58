import { parentPort } from 'node:worker_threads';
import { serveConntrack } from './kernel/netlink/conntrack/serve.ts';

// A thread's own program; see ConntrackThread.
if (parentPort !== null) serveConntrack(parentPort);
