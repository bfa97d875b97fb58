import { X509Certificate } from 'node:crypto';
import { lstat, mkdir, readFile, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect, isIP } from 'node:net';
import { dirname } from 'node:path';
import { DirectorError, messageOf } from '../lib/errors.ts';
import type { TlsFiles } from './app.ts';

/** Only the owner and the group may connect: 0660, and so from the first moment on. */
const SOCKET_UMASK = 0o117;

/**
 * Listens on a unix socket of mode 0660. A socket that a daemon left behind is taken over; one that somebody answers
 * on, or a file that is no socket, is left alone: DirectorError.
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await removeStale(path);
  await listening(server, `unix socket ${path}`, () => {
    // Node binds before listen() returns, so that nobody else's file meets this umask.
    const before = process.umask(SOCKET_UMASK);
    try {
      server.listen({ path });
    } finally {
      process.umask(before);
    }
  });
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw new DirectorError(`${path} cannot be looked at: ${messageOf(error)}`, { cause: error });
  });
  if (found === null) return;
  if (!found.isSocket()) {
    throw new DirectorError(`${path} exists and is not a socket; it was left alone`, {
      hint: 'choose another path for listen.socket, or remove the file',
    });
  }
  if (await somebodyAnswers(path)) {
    throw new DirectorError(`another daemon answers on ${path}; nothing was changed`, {
      hint: 'only one director can run on a host: stop the other one first',
    });
  }
  await unlink(path);
}

function somebodyAnswers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      if (codeOf(error) === 'ECONNREFUSED' || codeOf(error) === 'ENOENT') resolve(false);
      // A full backlog (EAGAIN) is somebody who is very busy.
      else if (codeOf(error) === 'EAGAIN') resolve(true);
      else reject(new DirectorError(`${path} cannot be tried: ${error.message}`, { cause: error }));
    });
  });
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/** Listens on TCP; beyond loopback only with TLS: tokens must not travel in the clear. Answers where. */
export async function listenOnTcp(
  server: Server,
  { host, port }: { host: string; port: number },
  tls: boolean,
): Promise<{ host: string; port: number }> {
  if (!tls && !isLoopback(host)) {
    throw new DirectorError(`listening on ${host}:${port} needs TLS: tokens would travel in the clear`, {
      hint: 'configure listen.tls, or listen on 127.0.0.1',
    });
  }
  await listening(server, `${host}:${port}`, () => server.listen({ host, port }));
  const address = server.address();
  return typeof address === 'object' && address !== null
    ? { host: address.address, port: address.port }
    : { host, port };
}

export async function readTls(files: { cert: string; key: string }): Promise<TlsFiles> {
  const read = (file: string): Promise<Buffer> =>
    readFile(file).catch((error: unknown) => {
      throw new DirectorError(`${file} (listen.tls) cannot be read: ${messageOf(error)}`, { cause: error });
    });
  return { cert: await read(files.cert), key: await read(files.key) };
}

/** The configured host and names; with TLS also the certificate's names, which a foreign page's browser would not accept. */
export function hostCheck(
  host: string,
  tls: TlsFiles | null,
  names: readonly string[] = [],
): (name: string) => boolean {
  const certificate = tls === null ? null : new X509Certificate(tls.cert);
  return (name) =>
    name === host.toLowerCase() || names.includes(name) || certificate?.checkHost(name) !== undefined;
}

function listening(server: Server, where: string, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      reject(new DirectorError(`cannot listen on ${where}: ${error.message}`, { cause: error }));
    };
    server.once('error', failed);
    server.once('listening', () => {
      server.off('error', failed);
      resolve();
    });
    listen();
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}
