import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { hashId } from "../../../lib/core/net/id_hash.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { test } from "../../testing.ts";

const ID = new Uint8Array(32).map((_, i) => i * 7 + 1);

function hashOf(id: Uint8Array, seed: number): number {
  return hashId(new WireBuffer(id), 0, seed);
}

/** HalfSipHash-1-3 as its authors write it down, on little-endian words of any bytes. */
function twin(message: Uint8Array, seed: number): number {
  const rotated = (x: number, by: number) => (x << by) | (x >>> (32 - by));
  const key = [seed | 0, (seed / 2 ** 32) | 0] as const;
  const v = new Int32Array([key[0], key[1], 0x6c796765 ^ key[0], 0x74656462 ^ key[1]]);
  const round = () => {
    v[0]! += v[1]!;
    v[1] = rotated(v[1]!, 5) ^ v[0]!;
    v[0] = rotated(v[0]!, 16);
    v[2]! += v[3]!;
    v[3] = rotated(v[3]!, 8) ^ v[2]!;
    v[0]! += v[3]!;
    v[3] = rotated(v[3]!, 7) ^ v[0]!;
    v[2]! += v[1]!;
    v[1] = rotated(v[1]!, 13) ^ v[2]!;
    v[2] = rotated(v[2]!, 16);
  };
  const view = new DataView(message.buffer);
  const words = [0, 4, 8, 12, 16, 20, 24, 28].map((at) => view.getInt32(at, true));
  for (const word of [...words, message.length << 24]) {
    v[3]! ^= word;
    round();
    v[0]! ^= word;
  }
  v[2]! ^= 0xff;
  round();
  round();
  round();
  return v[1]! ^ v[3]!;
}

test("hashId is HalfSipHash-1-3 of the ID's words", () => {
  // hashId reads its words big-endian: the twin gets them turned round.
  const turned = ID.map((_, i) => ID[(i & ~3) + 3 - (i & 3)]!);
  for (const seed of [0, 1, -1, 0x1234_5678_9abc, 2 ** 53 - 1]) {
    assertEquals(hashOf(ID, seed), twin(turned, seed));
  }
});

test("hashId sees every bit of the ID", () => {
  const hashes = new Set([hashOf(ID, 5)]);
  for (let bit = 0; bit < 256; bit++) {
    const id = ID.slice();
    id[bit >> 3]! ^= 1 << (bit & 7);
    hashes.add(hashOf(id, 5));
  }
  assertEquals(hashes.size, 257);
});

test("hashId sees all 53 bits of the seed", () => {
  for (let bit = 0; bit < 53; bit++) assertNotEquals(hashOf(ID, 0), hashOf(ID, 2 ** bit));
});

test("hashId has no pair of IDs that collides under every seed", () => {
  const other = ID.slice();
  other[0]! ^= 0x80;
  other[4]! ^= 0x80;
  other[5]! ^= 0x01;
  let same = 0;
  for (let seed = 0; seed < 1000; seed++) {
    if (hashOf(ID, seed * 0x1_0000_0001) === hashOf(other, seed * 0x1_0000_0001)) same++;
  }
  assert(same < 3, `${same} of 1000 seeds`);
});
