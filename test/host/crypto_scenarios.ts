/**
 * The primitives of a runtime, compared with `@noble`.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { chacha20, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import type { Primitives } from "../../lib/wire/crypto/primitives.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { key32, place } from "../support/arbitraries.ts";
import { placed, written } from "../support/bytes.ts";
import { SMALL_ORDER } from "../support/points.ts";

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

  "the MAC is @noble/hashes's with every key of 1 to 64 bytes"({ hmacSha256 }) {
    const message = Uint8Array.of(1, 2, 3);
    for (let size = 1; size <= 64; size++) {
      const key = Uint8Array.from({ length: size }, (_, i) => 255 - i);
      const out = new WireBuffer(32);
      hmacSha256(key).compute(new WireBuffer(message), 0, message.length, out, 0);
      assertEquals(out.bytes, hmac(sha256, key, message), `${size} bytes`);
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

  "what takes another key is as if it were made with it"(given) {
    const [one, two] = [1, 2].map((byte) => new Uint8Array(32).fill(byte));
    const keys = new WireBuffer(Uint8Array.from([0, ...one!, ...two!]));
    const mac = given.hmacSha256(new Uint8Array(32));
    const aead = given.xchacha20Poly1305(new Uint8Array(32));
    const message = new WireBuffer(1300);
    const results = () => {
      const out = new WireBuffer(1000);
      for (const [at, size] of [[0, 3], [32, 1300], [64, 600]] as const) {
        mac.compute(message, 0, size, out, at);
      }
      aead.seal(message, 0, message, 0, 5, out, 100, 200);
      return out.bytes;
    };
    results();
    for (const [key, at] of [[one!, 1], [two!, 33], [one!, 1]] as const) {
      mac.rekey(keys, at);
      aead.rekey(keys, at);
      const sealed = xchacha20poly1305(key, new Uint8Array(24), new Uint8Array(5));
      const wanted = new Uint8Array(1000);
      [3, 1300, 600].forEach((size, i) => {
        wanted.set(hmac(sha256, key, new Uint8Array(size)), 32 * i);
      });
      wanted.set(sealed.encrypt(new Uint8Array(200)), 100);
      assertEquals(results(), wanted);
    }
  },

  "what is sealed is @noble/ciphers's, and opens, for random keys, sizes and offsets"(given) {
    const nonce = fc.uint8Array({ minLength: 24, maxLength: 24 });
    const message = fc.uint8Array({ maxLength: 700 });
    const head = fc.uint8Array({ maxLength: 70 });
    fc.assert(
      fc.property(
        key32,
        nonce,
        head,
        message,
        place,
        place,
        (key, nonce, head, bytes, one, two) => {
          const made = given.xchacha20Poly1305(key);
          const wanted = xchacha20poly1305(key, nonce, head).encrypt(bytes);
          const nonces = placed(nonce, one);
          const heads = placed(head, two);
          const size = bytes.length;
          const put = written(wanted.length, one, (out, at) => {
            out.bytes.set(bytes, at);
            made.seal(nonces, one.at, heads, two.at, head.length, out, at, size);
          });
          assertEquals(put, Uint8Array.from(wanted));
          const opened = written(wanted.length, two, (out, at) => {
            out.bytes.set(wanted, at);
            assertEquals(
              made.open(nonces, one.at, heads, two.at, head.length, out, at, size),
              true,
            );
          });
          assertEquals(opened, Uint8Array.from([...bytes, ...wanted.subarray(size)]));
        },
      ),
    );
  },

  "what was changed doesn't open, and stays as it was"(given) {
    const nonce = new WireBuffer(Uint8Array.from({ length: 24 }, (_, i) => 90 + i));
    const key = Uint8Array.from({ length: 32 }, (_, i) => i);
    const made = given.xchacha20Poly1305(key);
    key.fill(0);
    for (const size of [0, 1, 15, 16, 17, 63, 64, 65, 300]) {
      const buffer = new WireBuffer(Uint8Array.from({ length: 20 + size + 16 }, (_, i) => i * 3));
      const before = buffer.bytes.slice();
      made.seal(nonce, 0, buffer, 0, 20, buffer, 20, size);
      const sealed = buffer.bytes.slice();
      for (let at = 0; at < buffer.size; at++) {
        buffer.bytes[at]! ^= 1 << (at % 8);
        const changed = buffer.bytes.slice();
        assertEquals(made.open(nonce, 0, buffer, 0, 20, buffer, 20, size), false, `byte ${at}`);
        assertEquals(buffer.bytes, changed);
        buffer.bytes.set(sealed);
      }
      assertEquals(made.open(nonce, 0, buffer, 0, 20, buffer, 20, size), true);
      assertEquals(buffer.bytes.slice(0, 20 + size), before.slice(0, 20 + size));
    }
  },

  "X25519 is @noble/curves's, and zeros for points of small order"({ x25519: make }) {
    let point = new Uint8Array(32).fill(9, 0, 1);
    for (let i = 0; i < 20; i++) {
      const key = Uint8Array.from({ length: 32 }, (_, k) => (point[k]! * 7 + i) & 0xff);
      const made = make(key);
      const wanted = x25519.getSharedSecret(key, point);
      key.fill(0);
      const product = new Uint8Array(32);
      made.multiply(point, product);
      assertEquals(product, Uint8Array.from(wanted));
      for (const each of SMALL_ORDER) {
        made.multiply(each, product.fill(1));
        assertEquals(product, new Uint8Array(32));
      }
      point = Uint8Array.from(wanted);
    }
  },
};
