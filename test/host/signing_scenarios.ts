/**
 * What a runtime signs with, compared with `@noble/curves`.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseKeyFile } from "../../lib/core/zone/server/key_file.ts";
import { portableSigning, verifySignature } from "../../lib/wire/crypto/portable_signing.ts";
import { ECDSA_P256, ED25519, type MakeSigningKey } from "../../lib/wire/crypto/signing.ts";
import { key32 } from "../support/arbitraries.ts";
import { KEY_VECTORS } from "../support/dnssec_vectors.ts";

const ALGORITHMS = [ECDSA_P256, ED25519] as const;

/** Each compares the keys that are made there. */
export const SIGNING_SCENARIOS: Readonly<Record<string, (make: MakeSigningKey) => void>> = {
  "public keys are @noble/curves's, and it finds signatures right, for random keys"(make) {
    const message = fc.uint8Array({ maxLength: 700 });
    const algorithms = fc.constantFrom(...ALGORITHMS);
    fc.assert(
      fc.property(algorithms, key32, message, (algorithm, privateKey, message) => {
        const other = portableSigning(algorithm, privateKey);
        const key = make(algorithm, privateKey);
        assertEquals(key.algorithm, algorithm);
        assertEquals(key.publicKey, other.publicKey);
        const before = message.slice();
        const signature = key.sign(message);
        assertEquals([message, signature.length], [before, 64]);
        assert(verifySignature(algorithm, key.publicKey, message, signature));
        if (algorithm === ED25519) assertEquals(Uint8Array.from(signature), other.sign(message));
      }),
      { numRuns: 40 },
    );
  },

  "a part of a larger array is signed as if it stood alone"(make) {
    const whole = Uint8Array.from({ length: 400 }, (_, i) => i * 7);
    for (const algorithm of ALGORITHMS) {
      const key = make(algorithm, new Uint8Array(32).fill(9));
      const part = whole.subarray(13, 300);
      assert(verifySignature(algorithm, key.publicKey, part.slice(), key.sign(part)));
    }
  },

  "keys don't disturb each other, and what they were made of may be overwritten"(make) {
    const message = Uint8Array.of(1, 2, 3);
    const bytes = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
    const keys = bytes.flatMap((each) => ALGORITHMS.map((algorithm) => make(algorithm, each)));
    for (const each of bytes) each.fill(0);
    for (const { algorithm, publicKey, sign } of keys) {
      const first = sign(message);
      const kept = first.slice();
      sign(Uint8Array.of(4));
      assertEquals(first, kept, "a signature is the caller's");
      assert(verifySignature(algorithm, publicKey, message, first));
    }
  },

  "the keys of the RFCs, BIND and ldns are taken"(make) {
    for (const { source, file } of KEY_VECTORS) {
      const { algorithm, privateKey } = parseKeyFile(new TextEncoder().encode(file));
      const key = make(algorithm, privateKey);
      assertEquals(key.publicKey, portableSigning(algorithm, privateKey).publicKey, source);
    }
  },

  "what is no private key is refused"(make) {
    assertThrows(() => make(ECDSA_P256, new Uint8Array(32)), RangeError);
    assertThrows(() => make(ECDSA_P256, new Uint8Array(32).fill(255)), RangeError);
    for (const algorithm of ALGORITHMS) {
      for (const size of [0, 31, 33, 64]) {
        assertThrows(() => make(algorithm, new Uint8Array(size).fill(1)), RangeError);
      }
    }
  },
};
