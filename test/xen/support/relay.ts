import { connect, createServer } from 'node:net';

/** A unix socket that leads to a TCP port of the loopback, for as long as this process lives; answers its path. */
export async function relay(path: string, port: number): Promise<string> {
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    near.pipe(far).pipe(near);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve);
  });
  server.unref();
  return path;
}
