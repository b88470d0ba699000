/**
 * Leases and claims as they are in the store.
 *
 * ```
 * claim    kind (u8) | for so many seconds (f64) | public key (32) | address (16)
 * table    address (16) → public key (32) | ends (f64) | given back with this entry of the log (f64)
 * log      public key (32) | address (16) | ends (f64) | whether it was given back (u8) | written at (f64)
 * ```
 *
 * Numbers are big-endian; IPv4 addresses are IPv4-mapped, and times Unix seconds by the store's clock.
 * What was not given back has 0 there. What a store says is anybody's who can write to it: what is no
 * lease is passed over.
 *
 * @module
 */

import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { ADDRESS_SIZE } from "../../net/ip_address.ts";
import { formatKey, KEY_SIZE, parseKey } from "../../net/peer_key.ts";
import { isNeverLeased, readLeaseAddress, writeLeaseAddress } from "../address.ts";
import type { ClaimKind, LeaseClaim, SharedLease } from "./claims.ts";

/** Size of a claim, in bytes. */
export const CLAIM_SIZE: number = 1 + 8 + KEY_SIZE + ADDRESS_SIZE;
/** Size of an entry of the table, without its address, in bytes. */
export const TABLED_SIZE: number = KEY_SIZE + 16;
/** Size of an entry of the log, in bytes. */
export const LOGGED_SIZE: number = KEY_SIZE + ADDRESS_SIZE + 17;

const KINDS: Readonly<Record<ClaimKind, number>> = {
  any: 1,
  exact: 2,
  "put-back": 3,
  release: 4,
  hold: 5,
};
const CLAIM_KEY = 9;
const LOGGED_ENDS = KEY_SIZE + ADDRESS_SIZE;
const LOGGED_RELEASED = LOGGED_ENDS + 8;
const TABLED_RELEASED = KEY_SIZE + 8;

/** A claim in bytes; undefined where its key is none. The caller's. */
export function encodeClaim(
  { kind, publicKey, address, time }: LeaseClaim,
): Uint8Array | undefined {
  const key = parseKey(publicKey);
  if (key === undefined) return undefined;
  const claim = new WireBuffer(CLAIM_SIZE);
  claim.view.setUint8(0, KINDS[kind]);
  claim.view.setFloat64(1, time);
  claim.bytes.set(key, CLAIM_KEY);
  writeLeaseAddress(address, claim, CLAIM_KEY + KEY_SIZE);
  return claim.bytes;
}

/** An entry of the log; undefined where it is none. */
export function decodeLogged(bytes: Uint8Array): SharedLease | undefined {
  if (bytes.length !== LOGGED_SIZE) return undefined;
  const { view } = new WireBuffer(bytes);
  const isReleased = view.getUint8(LOGGED_RELEASED) !== 0;
  return leaseOf(
    bytes,
    bytes.subarray(KEY_SIZE, LOGGED_ENDS),
    view.getFloat64(LOGGED_ENDS),
    isReleased,
  );
}

/** An entry of the table; undefined where it is none. */
export function decodeTabled(address: Uint8Array, bytes: Uint8Array): SharedLease | undefined {
  if (address.length !== ADDRESS_SIZE || bytes.length !== TABLED_SIZE) return undefined;
  const { view } = new WireBuffer(bytes);
  return leaseOf(bytes, address, view.getFloat64(KEY_SIZE), view.getFloat64(TABLED_RELEASED) !== 0);
}

function leaseOf(
  key: Uint8Array,
  addressBytes: Uint8Array,
  ends: number,
  isReleased: boolean,
): SharedLease | undefined {
  const address = readLeaseAddress(new WireBuffer(addressBytes), 0);
  if (!Number.isFinite(ends) || isNeverLeased(address.family, address.value)) return undefined;
  return { publicKey: formatKey(key.subarray(0, KEY_SIZE)), address, ends, isReleased };
}
