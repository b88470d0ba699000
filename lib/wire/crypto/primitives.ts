/**
 * The cryptographic primitives that run for every datagram. The ones of this folder run everywhere;
 * a runtime that has faster ones puts them in their place before the first key is made. They are the
 * same functions: no byte depends on which is used.
 *
 * @module
 */

import { ChaCha20 } from "./chacha20.ts";
import { HmacSha256 } from "./hmac_sha256.ts";
import type { WireBuffer } from "../bytes/wire_buffer.ts";

/** HMAC-SHA256 (RFC 2104) with one key. The caller has checked that everything lies in its buffer. */
export interface Hmac {
  /** Writes the MAC of `length` bytes at `at` to `out` at `outAt` (32 bytes). */
  compute(message: WireBuffer, at: number, length: number, out: WireBuffer, outAt: number): void;
}

/** A stream cipher with one key. The caller has checked that everything lies in its buffer. */
export interface StreamCipher {
  /** Encrypts or decrypts `length` bytes from `from` into `to`, which may be the same place. */
  xor(
    nonce: WireBuffer,
    nonceAt: number,
    counter: number,
    from: WireBuffer,
    fromAt: number,
    to: WireBuffer,
    toAt: number,
    length: number,
  ): void;
}

/** What a runtime may have faster. */
export interface Primitives {
  /** HMAC-SHA256 with a key of 32 bytes, which is not kept. */
  hmacSha256(key: Uint8Array): Hmac;
  /** ChaCha20 (RFC 8439) with a key of 32 bytes, which is not kept. */
  chacha20(key: Uint8Array): StreamCipher;
}

const PORTABLE: Primitives = {
  hmacSha256: (key) => new HmacSha256(key),
  chacha20: (key) => new ChaCha20(key),
};

let current = PORTABLE;

/** Those that keys are made with. */
export function primitives(): Primitives {
  return current;
}

/** Takes others for the keys that are made from now on; what is left out is portable. */
export function usePrimitives(faster: Partial<Primitives>): void {
  current = { ...PORTABLE, ...faster };
}
