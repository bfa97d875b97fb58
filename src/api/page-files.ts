import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

export type Encoding = 'br' | 'gzip' | 'identity';

export interface PageFile {
  readonly type: string;
  readonly etag: string;
  /** Named by its content: it never changes. */
  readonly immutable: boolean;
  bytes(encoding: Encoding): Promise<Buffer>;
}

/** By path, such as `/index.html` and `/assets/page-Ab12.js`. */
export type PageFiles = ReadonlyMap<string, PageFile>;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** All files of the built page, in memory: nothing that a request says ever becomes a file's name. Null: not built. */
export async function readPage(directory: string): Promise<PageFiles | null> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && extname(entry.name) in TYPES);
  const read = files.map(async ({ parentPath, name }): Promise<[string, PageFile]> => {
    const path = join(parentPath, name);
    const url = path.slice(directory.length).replace(/^\/?/, '/');
    return [url, pageFile(url, await readFile(path))];
  });
  const found = new Map(await Promise.all(read));
  return found.has('/index.html') ? found : null;
}

function pageFile(url: string, content: Buffer): PageFile {
  const made = new Map<Encoding, Promise<Buffer>>();
  return {
    type: TYPES[extname(url)] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`,
    immutable: url.startsWith('/assets/'),
    bytes: (encoding) => {
      const bytes = made.get(encoding) ?? compress(content, encoding);
      made.set(encoding, bytes);
      return bytes;
    },
  };
}

/** Compressed when it is first asked for: most daemons that are started are never looked at. */
function compress(content: Buffer, encoding: Encoding): Promise<Buffer> {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
  if (encoding === 'br') return promisify(brotliCompress)(content, { params });
  return encoding === 'gzip' ? promisify(gzip)(content, { level: 9 }) : Promise.resolve(content);
}
