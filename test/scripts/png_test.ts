/** A picture with fewer colours is the same picture, where it has few. */

import { assert, assertEquals } from "@std/assert";
import { deflateSync, inflateSync } from "node:zlib";
import fc from "fast-check";
import { chunk, chunksOf, joined, SIGNATURE, smaller } from "../../scripts/png.ts";

const COLOURS = [[0, 0, 0], [255, 255, 255], [31, 95, 191], [0, 1, 0]] as const;

/** A picture as browsers make them: RGBA, each line with a filter of its own. */
function picture(width: number, places: readonly number[], filters: readonly number[]): Uint8Array {
  const height = places.length / width;
  const header = new Uint8Array([0, 0, 0, width, 0, 0, 0, height, 8, 6, 0, 0, 0]);
  const pixels = Uint8Array.from(places.flatMap((place) => [...COLOURS[place]!, 255]));
  const stride = 4 * width;
  const lines: number[] = [];
  for (let y = 0; y < height; y++) {
    const filter = filters[y % filters.length]!;
    lines.push(filter);
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const a = x < 4 ? 0 : pixels[at - 4]!;
      const b = y === 0 ? 0 : pixels[at - stride]!;
      const c = x < 4 || y === 0 ? 0 : pixels[at - stride - 4]!;
      const p = a + b - c;
      const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
      const paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
      const guess = [0, a, b, Math.floor((a + b) / 2), paeth][filter]!;
      lines.push(pixels[at]! - guess & 255);
    }
  }
  const parts = [chunk("IHDR", header), chunk("IDAT", deflateSync(Uint8Array.from(lines)))];
  return joined([SIGNATURE, ...parts, chunk("IEND", new Uint8Array())]);
}

Deno.test("png: what has few colours keeps them, whatever its lines were filtered by", () => {
  const width = fc.integer({ min: 1, max: 9 });
  const cases = width.chain((width) =>
    fc.record({
      width: fc.constant(width),
      places: fc.array(fc.array(fc.nat(3), { minLength: width, maxLength: width }), {
        minLength: 1,
        maxLength: 9,
      }).map((lines) => lines.flat()),
      filters: fc.array(fc.nat(4), { minLength: 1, maxLength: 5 }),
    })
  );
  fc.assert(fc.property(cases, ({ width, places, filters }) => {
    const [header, palette, data] = chunksOf(smaller(picture(width, places, filters)));
    assertEquals([header?.type, palette?.type, data?.type], ["IHDR", "PLTE", "IDAT"]);
    assertEquals(header?.data[9], 3);
    const lines = inflateSync(data!.data);
    const shown = places.map((_, i) => {
      const at = 3 * lines[Math.floor(i / width) * (width + 1) + 1 + i % width]!;
      return [...palette!.data.subarray(at, at + 3)];
    });
    assertEquals(shown, places.map((place) => [...COLOURS[place]!]));
  }));
});

Deno.test("png: a picture of the page in docs/ is small, and one", async () => {
  for (const name of ["status-page", "status-page-serve"]) {
    const bytes = await Deno.readFile(new URL(`../../docs/${name}.png`, import.meta.url));
    assert(bytes.length < 150_000, `${name} has ${bytes.length} bytes`);
    assertEquals(chunksOf(bytes).map(({ type }) => type), ["IHDR", "PLTE", "IDAT", "IEND"]);
  }
});
