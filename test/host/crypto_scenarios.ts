/**
 * The primitives of a runtime, compared with `@noble`.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { chacha20 } from "@noble/ciphers/chacha.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import type { Primitives } from "../../lib/wire/crypto/primitives.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { key32, place } from "../support/arbitraries.ts";
import { placed, written } from "../support/bytes.ts";

/** Each compares what keys are made with there. */
export const CRYPTO_SCENARIOS: Readonly<Record<string, (given: Primitives) => void>> = {
  "the MAC is @noble/hashes's for every size from 0 to 600"({ hmacSha256 }) {
    const key = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);
    const message = Uint8Array.from({ length: 600 }, (_, i) => i * 31);
    const made = hmacSha256(key);
    for (let size = 0; size <= message.length; size++) {
      const out = new WireBuffer(32);
      made.compute(new WireBuffer(message), 0, size, out, 0);
      assertEquals(out.bytes, hmac(sha256, key, message.subarray(0, size)), `${size} bytes`);
    }
  },

  "the MAC is @noble/hashes's for random keys, messages and offsets"({ hmacSha256 }) {
    const message = fc.uint8Array({ maxLength: 600 });
    fc.assert(fc.property(key32, message, place, place, (key, bytes, from, to) => {
      const made = hmacSha256(key);
      const source = placed(bytes, from);
      const compute = () =>
        written(32, to, (out, at) => made.compute(source, from.at, bytes.length, out, at));
      const wanted = Uint8Array.from(hmac(sha256, key, bytes));
      assertEquals([compute(), compute()], [wanted, wanted]);
    }));
  },

  "keys don't disturb each other, and are not kept"({ hmacSha256 }) {
    const keys = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
    const made = keys.map((key) => hmacSha256(key.fill(key[0]!)));
    const message = new WireBuffer(Uint8Array.of(1, 2, 3));
    const wanted = keys.map((key) => Uint8Array.from(hmac(sha256, key, message.bytes)));
    for (const key of keys) key.fill(0);
    for (const i of [0, 1, 2, 1, 0, 0, 2]) {
      const out = new WireBuffer(32);
      made[i]!.compute(message, 0, message.size, out, 0);
      assertEquals(out.bytes, wanted[i]);
    }
  },

  "the cipher is @noble/ciphers's for random keys, sizes and offsets"({ chacha20: cipher }) {
    const nonce = fc.uint8Array({ minLength: 12, maxLength: 12 });
    const message = fc.uint8Array({ maxLength: 600 });
    fc.assert(
      fc.property(key32, nonce, message, place, place, (key, nonce, bytes, from, to) => {
        const made = cipher(key);
        const source = placed(bytes, from);
        const wanted = chacha20(key, nonce, bytes, undefined, 1);
        const put = written(bytes.length, to, (out, at) => {
          made.xor(new WireBuffer(nonce), 0, 1, source, from.at, out, at, bytes.length);
        });
        assertEquals(put, Uint8Array.from(wanted));
      }),
    );
  },

  "the cipher works in place"(given) {
    const cipher = given.chacha20;
    if (cipher === undefined) return;
    const key = Uint8Array.from({ length: 32 }, (_, i) => i);
    const made = cipher(key);
    key.fill(0);
    for (const size of [0, 1, 63, 64, 65, 540]) {
      // The nonce stands before the message, in the same buffer.
      const bytes = Uint8Array.from({ length: 12 + size }, (_, i) => i * 7);
      const wanted = chacha20(
        Uint8Array.from({ length: 32 }, (_, i) => i),
        bytes.slice(0, 12),
        bytes.slice(12),
        undefined,
        3,
      );
      const buffer = new WireBuffer(bytes.slice());
      made.xor(buffer, 0, 3, buffer, 12, buffer, 12, size);
      assertEquals(buffer.bytes, Uint8Array.from([...bytes.subarray(0, 12), ...wanted]));
    }
  },
};
