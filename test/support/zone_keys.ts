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

/**
 * A key as {@linkcode zoneKey} that counts. With `quick`, its signatures are none, but hashes that
 * {@linkcode isQuick} knows.
 */
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

/** For the checker: whether a signature is one of quick keys. */
export function isQuick(_key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return quickSignature(message).every((byte, i) => byte === signature[i]);
}

/** 64 bytes that depend on all of a message. */
function quickSignature(message: Uint8Array): Uint8Array {
  const signature = new Uint8Array(64);
  let sum = message.length;
  for (let i = 0; i < message.length; i++) {
    sum = Math.imul(sum ^ message[i]!, 0x0100_0193);
    signature[i & 63] = signature[i & 63]! ^ (sum >>> 24);
  }
  for (let i = 0; i < 64; i++) {
    sum = Math.imul(sum ^ signature[i]!, 0x0100_0193);
    signature[i] = signature[i]! ^ (sum >>> 16);
  }
  return signature;
}
