import { assertEquals } from "@std/assert";
import { poly1305 as noble } from "@noble/ciphers/_poly1305.js";
import fc from "fast-check";
import { Poly1305 } from "../../../lib/wire/crypto/poly1305.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { key32 } from "../../support/arbitraries.ts";
import { hex, ODD_PLACE, placed, unhex } from "../../support/bytes.ts";
import { test } from "../../testing.ts";

const P = 2n ** 130n - 5n;

/** The tag, which must be the same however the message is cut. */
function tagOf(key: Uint8Array, message: Uint8Array, cuts: readonly number[] = [0]): string {
  const { view } = new WireBuffer(key);
  const words = Int32Array.from({ length: 8 }, (_, i) => view.getInt32(4 * i, true));
  const mac = new Poly1305();
  const { at } = ODD_PLACE;
  const buffer = placed(message, ODD_PLACE);
  const out = new WireBuffer(16);
  const results = cuts.map((cut) => {
    const first = cut * 16 % (message.length + 16);
    mac.start(words);
    mac.update(buffer, at, first);
    mac.update(buffer, at + first, message.length - first);
    const tag = new Int32Array(4);
    mac.finish(tag);
    tag.forEach((word, i) => out.view.setInt32(4 * i, word, true));
    return hex(out.bytes);
  });
  assertEquals(new Set(results).size, 1);
  return results[0]!;
}

function number(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n);
}

/** RFC 8439, section 2.5.1, as it stands there. */
function twin(key: Uint8Array, message: Uint8Array): string {
  const r = number(key.slice(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    sum = r * (sum + 2n ** 128n + number(message.slice(at, at + 16))) % P;
  }
  sum += number(key.slice(16));
  return hex(Uint8Array.from({ length: 16 }, (_, i) => Number(sum >> BigInt(8 * i) & 0xffn)));
}

const block = (...bytes: readonly number[]) =>
  hex(Uint8Array.from([...bytes, ...new Uint8Array(16)]).slice(0, 16));
const full = "ff".repeat(16);

/** RFC 8439, appendix A.3: vectors 7 to 11, which are there for mistakes with carries. */
const EXAMPLES = [
  { r: block(2), s: block(), message: full, tag: block(3) },
  { r: block(2), s: full, message: block(2), tag: block(3) },
  { r: block(1), s: block(), message: full + `f0${"ff".repeat(15)}` + block(0x11), tag: block(5) },
  {
    r: block(1),
    s: block(),
    message: full + `fb${"fe".repeat(15)}` + "01".repeat(16),
    tag: block(),
  },
  { r: block(2), s: block(), message: `fd${"ff".repeat(15)}`, tag: `fa${"ff".repeat(15)}` },
];

test("the examples of RFC 8439, appendix A.3 come out", () => {
  for (const { r, s, message, tag } of EXAMPLES) {
    assertEquals(tagOf(unhex(r + s), unhex(message)), tag);
    assertEquals(twin(unhex(r + s), unhex(message)), tag);
  }
});

test("the tag is that of its twin and of @noble/ciphers, for random keys and messages", () => {
  const blocks = fc.nat(20).chain((count) =>
    fc.uint8Array({ minLength: 16 * count, maxLength: 16 * count })
  );
  const cuts = fc.array(fc.nat(20), { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(key32, blocks, cuts, (key, message, cuts) => {
    const tag = tagOf(key, message, cuts);
    assertEquals(tag, twin(key, message));
    assertEquals(tag, hex(noble(message, key)));
  }));
});

test("the tag is that of its twin where numbers are as large and as near the prime as they get", () => {
  const byte = fc.constantFrom(0, 1, 2, 4, 5, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfe, 0xff);
  const run = fc.tuple(byte, fc.integer({ min: 1, max: 16 }));
  const extreme = (size: number) =>
    fc.array(run, { minLength: size, maxLength: size }).map((runs) =>
      Uint8Array.from(runs.flatMap(([value, count]) => new Array<number>(count).fill(value))).slice(
        0,
        size,
      )
    );
  const message = fc.nat(6).chain((count) => extreme(16 * count));
  fc.assert(
    fc.property(extreme(32), message, (key, message) => {
      assertEquals(tagOf(key, message), twin(key, message));
    }),
    { numRuns: 3000 },
  );
  const most = new Uint8Array(1600).fill(0xff);
  assertEquals(tagOf(most.slice(0, 32), most), twin(most.slice(0, 32), most));
});
