/**
 * Makes pictures of pages smaller: with 256 colours, and packed as well as it goes. PNG, third edition
 * (W3C, 2025).
 *
 * @module
 */

import { crc32, deflateSync, inflateSync } from "node:zlib";

/** What a file begins with. */
export const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Length, type and checksum. */
const [LENGTH_SIZE, TYPE_SIZE, CRC_SIZE] = [4, 4, 4];
const HEADER_SIZE = 13;
/** Colour types: RGB, one of a palette, and RGB with transparency. */
const [RGB, PALETTE, RGBA] = [2, 3, 6];
/** Of a palette. */
const MOST_COLOURS = 256;
/** Where red, green and blue are in 24 bits. */
const CHANNELS = [16, 8, 0];
const LEVEL = 9;

/** A part of a file. */
export interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}

/** The parts of a file. */
export function chunksOf(png: Uint8Array): readonly Chunk[] {
  const view = new DataView(png.buffer, png.byteOffset, png.length);
  const chunks: Chunk[] = [];
  let at = SIGNATURE.length;
  while (at < png.length) {
    const length = view.getUint32(at);
    const begin = at + LENGTH_SIZE + TYPE_SIZE;
    const type = new TextDecoder().decode(png.subarray(at + LENGTH_SIZE, begin));
    chunks.push({ type, data: png.subarray(begin, begin + length) });
    at = begin + length + CRC_SIZE;
  }
  return chunks;
}

/** A part, with its length and its checksum. */
export function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = joined([new TextEncoder().encode(type), data]);
  const all = new Uint8Array(LENGTH_SIZE + body.length + CRC_SIZE);
  const view = new DataView(all.buffer);
  view.setUint32(0, data.length);
  all.set(body, LENGTH_SIZE);
  view.setUint32(LENGTH_SIZE + body.length, crc32(body));
  return all;
}

/** Puts bytes together. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The predictor of filter 4. */
function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [left, up, corner].map((each) => Math.abs(guess - each)) as [
    number,
    number,
    number,
  ];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/** Takes the filters away, line by line; nothing is left of them. */
function unfilter(lines: Uint8Array, width: number, height: number, size: number): Uint8Array {
  const stride = width * size;
  const pixels = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = lines[y * (stride + 1)]!;
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x < size ? 0 : pixels[at - size]!;
      const up = y === 0 ? 0 : pixels[at - stride]!;
      const corner = x < size || y === 0 ? 0 : pixels[at - stride - size]!;
      const guesses = [0, left, up, (left + up) >> 1, paeth(left, up, corner)];
      pixels[at] = lines[y * (stride + 1) + 1 + x]! + guesses[filter]!;
    }
  }
  return pixels;
}

/**
 * The colours that are there most often, and for each colour the one of them that is nearest.
 *
 * @param colours One for each pixel, as 24 bits.
 */
function paletteOf(
  colours: readonly number[],
): { palette: readonly number[]; places: Map<number, number> } {
  const counts = new Map<number, number>();
  for (const colour of colours) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const byCount = [...counts].toSorted(([, a], [, b]) => b - a).map(([colour]) => colour);
  const palette = byCount.slice(0, MOST_COLOURS);
  const places = new Map(byCount.map((colour) => {
    let nearest = 0;
    for (const [place, other] of palette.entries()) {
      if (distance(colour, other) < distance(colour, palette[nearest]!)) nearest = place;
    }
    return [colour, nearest];
  }));
  return { palette, places };
}

function distance(a: number, b: number): number {
  return CHANNELS.reduce((sum, shift) => sum + ((a >> shift & 255) - (b >> shift & 255)) ** 2, 0);
}

/** The same picture with 256 colours. @param png Of 8 bits per channel, RGB or RGBA, not interlaced. */
export function smaller(png: Uint8Array): Uint8Array {
  const chunks = chunksOf(png);
  const header = chunks[0]!.data.slice(0, HEADER_SIZE);
  const view = new DataView(header.buffer);
  const [width, height, type] = [view.getUint32(0), view.getUint32(4), header[9]];
  if (type !== RGBA && type !== RGB) throw new TypeError(`a picture of colour type ${type}`);
  const size = type === RGBA ? 4 : 3;
  const packed = joined(chunks.filter(({ type }) => type === "IDAT").map(({ data }) => data));
  const pixels = unfilter(inflateSync(packed), width, height, size);
  const colours = Array.from(
    { length: width * height },
    (_, i) => pixels[i * size]! << 16 | pixels[i * size + 1]! << 8 | pixels[i * size + 2]!,
  );
  const { palette, places } = paletteOf(colours);
  const lines = new Uint8Array(height * (1 + width));
  // What is flat packs best without a filter.
  for (const [i, colour] of colours.entries()) {
    lines[Math.floor(i / width) * (1 + width) + 1 + i % width] = places.get(colour)!;
  }
  header[9] = PALETTE;
  return joined([
    SIGNATURE,
    chunk("IHDR", header),
    chunk(
      "PLTE",
      Uint8Array.from(palette.flatMap((each) => CHANNELS.map((shift) => each >> shift))),
    ),
    chunk("IDAT", deflateSync(lines, { level: LEVEL })),
    chunk("IEND", new Uint8Array()),
  ]);
}
