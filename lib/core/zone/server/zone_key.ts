/**
 * A key that a zone is signed with.
 *
 * @module
 */

import type { MakeSigningKey, SigningAlgorithm, SigningKey } from "../../../wire/crypto/signing.ts";
import { dnskeyData, keyTag } from "../../../wire/dns/dnssec.ts";

/** A key, and what its records say of it. */
export interface ZoneKey {
  /** Its number in RRSIG and DS. */
  readonly tag: number;
  /** 13 or 15. */
  readonly algorithm: SigningAlgorithm;
  /** The data of its DNSKEY. */
  readonly dnskey: Uint8Array;
  /** What signs with it. */
  readonly signing: SigningKey;
}

/**
 * Makes a zone's key of a private key of 32 bytes, which is not kept.
 *
 * @throws {RangeError} It is no private key of that algorithm.
 */
export function makeZoneKey(
  algorithm: SigningAlgorithm,
  privateKey: Uint8Array,
  make: MakeSigningKey,
): ZoneKey {
  const signing = make(algorithm, privateKey);
  const dnskey = dnskeyData(signing);
  return { tag: keyTag(dnskey), algorithm, dnskey, signing };
}
