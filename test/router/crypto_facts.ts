/**
 * What cryptographic primitives make of some keys and messages, as lines of text: the same on all
 * processors, whatever their byte order and however they multiply.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import type { Primitives } from "../../lib/wire/crypto/primitives.ts";
import { seededNumbers } from "../support/seeded_random.ts";

const ROUNDS = 24;
const DIGEST_SIZE = 32;
const TAG_SIZE = 16;

/** What is asked for facts. */
export interface Cryptography {
  readonly primitives: Primitives;
  sha256(bytes: Uint8Array): Uint8Array;
}

/** The lines. */
export function cryptoFacts({ primitives, sha256 }: Cryptography): string[] {
  const next = seededNumbers(9);
  const draw = (size: number) => Uint8Array.from({ length: size }, () => Math.floor(next() * 256));
  return Array.from({ length: ROUNDS }, (_, round) => {
    const key = draw(32);
    const message = new WireBuffer(draw(23 * round));
    const mac = new WireBuffer(new Uint8Array(DIGEST_SIZE));
    primitives.hmacSha256(key).compute(message, 0, message.size, mac, 0);
    const nonce = new WireBuffer(draw(12));
    const ciphered = new WireBuffer(new Uint8Array(message.size));
    primitives.chacha20(key).xor(nonce, 0, round, message, 0, ciphered, 0, message.size);
    const sealed = new WireBuffer(Uint8Array.from([...message.bytes, ...new Uint8Array(TAG_SIZE)]));
    const [long, header] = [24, round].map((size) => new WireBuffer(draw(size)));
    const aead = primitives.xchacha20Poly1305(key);
    aead.seal(long!, 0, header!, 0, round, sealed, 0, message.size);
    const digests = [ciphered, sealed].map(({ bytes }) => sha256(bytes));
    const opened = [0, 1].map((change) => {
      sealed.bytes[sealed.size - 1]! ^= change;
      const is = aead.open(long!, 0, header!, 0, round, sealed, 0, message.size);
      if (is) aead.seal(long!, 0, header!, 0, round, sealed, 0, message.size);
      return is;
    });
    const product = new Uint8Array(DIGEST_SIZE);
    primitives.x25519(key).multiply(draw(DIGEST_SIZE), product);
    const made = [mac.bytes, ...digests, product].map((bytes) => encodeHex(bytes));
    return [...made, ...opened].join(" ");
  });
}
