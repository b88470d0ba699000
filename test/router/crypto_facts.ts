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

/** What is asked for facts. */
export interface Cryptography {
  readonly primitives: Primitives;
  sha256(bytes: Uint8Array): Uint8Array;
  /** XChaCha20-Poly1305: the sealed message, and the tag after it. */
  seal(key: Uint8Array, nonce: Uint8Array, header: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** X25519 of 32 bytes each. */
  multiply(scalar: Uint8Array, point: Uint8Array): Uint8Array;
}

/** The lines. */
export function cryptoFacts({ primitives, sha256, seal, multiply }: Cryptography): string[] {
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
    const sealed = seal(key, draw(24), draw(round), message.bytes);
    const made = [mac.bytes, sha256(ciphered.bytes), sha256(sealed), multiply(key, draw(32))];
    return made.map((bytes) => encodeHex(bytes)).join(" ");
  });
}
