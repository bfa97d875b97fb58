import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { Releaser } from '../../../src/lib/releaser.ts';
import { socketOf } from '../../../src/lab/config-file.ts';
import { startDaemon } from '../../../src/lab/daemon.ts';
import type { Daemon } from '../../../src/lab/daemon.ts';
import { must } from '../../../src/lab/run.ts';
import { World } from '../../../src/lab/world.ts';
import { DIRECTOR, LAB_SCRIPTS } from '../../e2e/support/scripts.ts';
import { browserIn } from './browser.ts';

export { ORIGIN } from './origin.ts';

export interface WebWorld {
  readonly world: World;
  readonly daemon: Daemon;
  readonly directory: string;
  /** By the name that the journal shows. */
  readonly tokens: Readonly<Record<'alice' | 'bob', string>>;
  /** A browser on the machine of this client of the lab. */
  browser(client: string): Promise<Browser>;
  end(): Promise<void>;
}

export interface WebWorldOptions {
  readonly services?: number;
  /** Merged over the configuration. */
  readonly top?: Readonly<Record<string, unknown>>;
}

/** A lab whose director serves the page over TLS, with two operators' tokens; `customer`s may enrol themselves. */
export async function webWorld({ services = 2, top = {} }: WebWorldOptions = {}): Promise<WebWorld> {
  const releaser = new Releaser();
  try {
    const directory = await mkdtemp(join(tmpdir(), 'director-web-'));
    releaser.add(() => rm(directory, { recursive: true, force: true }));
    const world = await World.create({ services, scripts: LAB_SCRIPTS });
    releaser.add(() => world.destroy());
    await Promise.all([world.serveAll(), makeCertificate(directory)]);
    const tokens = { alice: randomBytes(16).toString('hex'), bob: randomBytes(16).toString('hex') };
    const daemon = await startDaemon(world, {
      directory,
      directorArgv: DIRECTOR,
      top: {
        listen: {
          socket: socketOf(directory),
          http: '192.0.2.1:8440',
          tls: { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') },
        },
        tokens: Object.entries(tokens).map(([name, token]) => ({ name, sha256: sha256(token) })),
        qa: { enrol: '8h', from: ['198.51.100.0/24'] },
        ...top,
      },
    });
    releaser.add(() => daemon.stop());
    await daemon.healthy();
    const browser = async (client: string): Promise<Browser> => {
      const started = await browserIn(world.ns(client), directory);
      releaser.add(() => started.close());
      return started;
    };
    return { world, daemon, directory, tokens, browser, end: () => releaser.release() };
  } catch (error) {
    await releaser.release();
    throw error;
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

async function makeCertificate(directory: string): Promise<void> {
  const files = ['-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const name = ['-subj', '/CN=dom0', '-addext', 'subjectAltName=IP:192.0.2.1'];
  await must(['openssl', 'req', '-x509', ...curve, '-nodes', '-days', '2', ...name, ...files]);
}
