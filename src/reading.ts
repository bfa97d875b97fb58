import { parentPort, workerData } from 'node:worker_threads';
import { reread } from './config/reread.ts';
import type { ToRead } from './config/reread.ts';

// A thread's own program; see readInThread.
await reread(workerData as ToRead, (told) => parentPort?.postMessage(told));
