import { deflateSync, inflateSync, crc32 } from 'node:zlib';

/** Bytes of a pixel by colour type (PNG, ISO/IEC 15948, table 11.1): what a browser's screenshot is written as. */
const PIXEL: Readonly<Record<number, number>> = { 2: 3, 6: 4 };
const MOST_COLOURS = 256;
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** The same picture with at most 256 colours, the frequent ones exact: a page's picture becomes a third of its size. */
export function paletted(png: Buffer): Buffer {
  const { width, height, pixels } = decode(png);
  const colours = coloursOf(pixels);
  const nearest = new Map<number, number>();
  const indexed = Buffer.alloc(height * (width + 1));
  for (let i = 0; i < pixels.length; i++) {
    const colour = pixels[i] ?? 0;
    const index = nearest.get(colour) ?? closest(colours, colour);
    nearest.set(colour, index);
    // Each line begins with its filter: none, which suits a palette.
    indexed[i + Math.floor(i / width) + 1] = index;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const palette = Buffer.from(colours.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  const parts = [
    chunk('IHDR', header),
    chunk('PLTE', palette),
    chunk('IDAT', deflateSync(indexed, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ];
  return Buffer.concat([SIGNATURE, ...parts]);
}

/** Each pixel as 0xRRGGBB. */
function decode(png: Buffer): { width: number; height: number; pixels: Uint32Array } {
  const [width, height, type] = [png.readUInt32BE(16), png.readUInt32BE(20), png[25] ?? 0];
  const size = PIXEL[type];
  if (size === undefined) throw new Error(`a picture of colour type ${type} was not expected`);
  const lines = unfiltered(inflateSync(Buffer.concat(dataOf(png))), width * size, size);
  const pixels = new Uint32Array(width * height);
  for (let i = 0; i < pixels.length; i++) pixels[i] = lines.readUIntBE(i * size, 3);
  return { width, height, pixels };
}

function dataOf(png: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = SIGNATURE.length; at < png.length;) {
    const length = png.readUInt32BE(at);
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') found.push(png.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  return found;
}

/** Clause 9 of the standard: each byte is told as its difference to what its neighbours foretell. */
function unfiltered(data: Buffer, stride: number, size: number): Buffer {
  const out = Buffer.alloc((data.length / (stride + 1)) * stride);
  for (let row = 0; row * stride < out.length; row++) {
    const filter = data[row * (stride + 1)] ?? 0;
    for (let i = 0; i < stride; i++) {
      const here = row * stride + i;
      const left = i < size ? 0 : (out[here - size] ?? 0);
      const up = row === 0 ? 0 : (out[here - stride] ?? 0);
      const corner = i < size || row === 0 ? 0 : (out[here - stride - size] ?? 0);
      const foretold = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter] ?? 0;
      out[here] = (data[row * (stride + 1) + 1 + i] ?? 0) + foretold;
    }
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/** So alike are the shades at the edges of letters that one of them stands for the others. */
const ALIKE = 260;

/** The frequent ones, each unlike those before it: a button's colour is not to lose against the edges of letters. */
function coloursOf(pixels: Uint32Array): number[] {
  const counts = new Map<number, number>();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const frequent = [...counts].toSorted((a, b) => b[1] - a[1]).map(([colour]) => colour);
  const chosen: number[] = frequent.slice(0, MOST_COLOURS / 8);
  for (const colour of frequent) {
    if (chosen.length === MOST_COLOURS) break;
    if (chosen.every((other) => distance(other, colour) > ALIKE)) chosen.push(colour);
  }
  return chosen;
}

function distance(a: number, b: number): number {
  const red = (a >> 16) - (b >> 16);
  const green = ((a >> 8) & 255) - ((b >> 8) & 255);
  const blue = (a & 255) - (b & 255);
  return 2 * red * red + 4 * green * green + 3 * blue * blue;
}

function closest(colours: readonly number[], colour: number): number {
  let [best, least] = [0, Infinity];
  for (const [index, other] of colours.entries()) {
    const far = distance(other, colour);
    if (far < least) [best, least] = [index, far];
  }
  return best;
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const whole = Buffer.alloc(named.length + 8);
  whole.writeUInt32BE(data.length, 0);
  named.copy(whole, 4);
  whole.writeUInt32BE(crc32(named), named.length + 4);
  return whole;
}
