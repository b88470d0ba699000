/**
 * Random fields and places for property tests.
 *
 * @module
 */

import fc from "fast-check";
import type { Place } from "./bytes.ts";
import type { TwinRecord, TwinRequest, TwinTrailer } from "./twins.ts";

/** Any bytes of this size. */
export function bytesOf(size: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: size, maxLength: size });
}

/** A peer ID, a secret or a key. */
export const key32: fc.Arbitrary<Uint8Array> = bytesOf(32);
/** A nonce. */
export const nonce12: fc.Arbitrary<Uint8Array> = bytesOf(12);
/** A 16-bit field. */
export const uint16: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffff });
/** A 32-bit field. */
export const uint32: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffff_ffff });
/** Unix seconds that a number holds exactly. */
export const unixSeconds: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.maxSafeNat(),
);
/** Nanoseconds of a second. */
export const nanoseconds: fc.Arbitrary<number> = fc.integer({ min: 0, max: 999_999_999 });

/** Where bytes lie in a buffer; never at its start. */
export const place: fc.Arbitrary<Place> = fc.record({
  shift: fc.integer({ min: 1, max: 9 }),
  at: fc.integer({ min: 1, max: 40 }),
  tail: fc.integer({ min: 0, max: 40 }),
});

/** A record's fields. The ID is not zero: a record that is all zero is none. */
export const record: fc.Arbitrary<TwinRecord> = fc.record({
  id: key32.filter((id) => id.some((byte) => byte !== 0)),
  address: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 }),
  port: uint16,
  seconds: unixSeconds,
  nanoseconds,
});

/** A request's fields. */
export const request: fc.Arbitrary<TwinRequest> = fc.record({
  id: key32,
  seconds: unixSeconds,
  nanoseconds,
  flags: uint16,
  group: uint32,
});

/** What a response says besides its records. */
export const trailer: fc.Arbitrary<TwinTrailer> = fc.record({
  extensions: uint16,
  others: uint16,
  group: uint32,
});
