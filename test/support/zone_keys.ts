/**
 * Keys that zones are signed with in tests.
 *
 * @module
 */

import { portableSigning } from "../../lib/wire/crypto/portable_signing.ts";
import { makeZoneKey, type ZoneKey } from "../../lib/core/zone/server/zone_key.ts";
import type { SigningAlgorithm } from "../../lib/wire/crypto/signing.ts";

/** A key of its own for each number. */
export function zoneKey(number: number, algorithm: SigningAlgorithm = 13): ZoneKey {
  return makeZoneKey(algorithm, new Uint8Array(32).fill(1 + number), portableSigning);
}

/** A key that counts how often it signs, */
export interface CountingKey extends ZoneKey {
  /** so often. */
  readonly calls: number;
}

/** A key as {@linkcode zoneKey} that counts. With `quick`, signatures are none, but their message's. */
export function countingKey(
  number: number,
  algorithm: SigningAlgorithm = 13,
  quick = false,
): CountingKey {
  const key = zoneKey(number, algorithm);
  const counting = {
    ...key,
    calls: 0,
    signing: {
      ...key.signing,
      sign(message: Uint8Array): Uint8Array {
        counting.calls++;
        return quick ? quickSignature(message) : key.signing.sign(message);
      },
    },
  };
  return counting;
}

/** 64 bytes that depend on all of a message. */
export function quickSignature(message: Uint8Array): Uint8Array {
  const signature = new Uint8Array(64);
  let sum = message.length;
  message.forEach((byte, i) => {
    sum = Math.imul(sum ^ byte, 0x0100_0193);
    signature[i % 64] = signature[i % 64]! ^ (sum >>> 24) ^ (sum & 255);
  });
  for (let i = 0; i < 256; i++) {
    sum = Math.imul(sum ^ signature[i % 64]!, 0x0100_0193);
    signature[i % 64] = sum >>> 16 & 255;
  }
  return signature;
}
