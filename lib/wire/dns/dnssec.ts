/**
 * The keys of DNSSEC as records have them: DNSKEY, and DS at the parent (RFC 4034, sections 2 and 5).
 * One key signs everything of a zone: it is zone key and secure entry point.
 *
 * @module
 */

import { encodeBase64 } from "@std/encoding/base64";
import { encodeHex } from "@std/encoding/hex";
import { sha256 } from "@noble/hashes/sha2.js";
import { joinBytes } from "../bytes/wire_buffer.ts";

/** Type of the record at the parent that says which key a zone has (RFC 4034, section 5). */
export const TYPE_DS = 43;
/** Type of a signature (RFC 4034, section 3). */
export const TYPE_RRSIG = 46;
/** Type of the record that says what there isn't (RFC 4034, section 4). */
export const TYPE_NSEC = 47;
/** Type of a key (RFC 4034, section 2). */
export const TYPE_DNSKEY = 48;
/** Type of the DS that a zone asks its parent for (RFC 7344, section 3.1). */
export const TYPE_CDS = 59;
/** Type of the DNSKEY that a zone asks its parent to make a DS of (RFC 7344, section 3.2). */
export const TYPE_CDNSKEY = 60;
/** The type that a name has that doesn't exist (RFC 9824, section 2). */
export const TYPE_NXNAME = 128;

/** The flags of a key that signs its zone and that the parent names: ZONE and SEP. */
export const KEY_FLAGS = 257;
const KEY_PROTOCOL = 3;
const SHA_256 = 2;
/** Flags, protocol and algorithm of a DNSKEY, before the public key. */
const DNSKEY_FIELDS = 4;
const DIGEST_SIZE = 32;
/** Key tag, algorithm and kind of digest of a DS, before the digest. */
const DS_FIELDS = 4;
/** Size of a DS's data with SHA-256, in bytes. */
export const DS_SIZE = DS_FIELDS + DIGEST_SIZE;

/** The data of the DNSKEY of a public key. */
export function dnskeyData(
  { algorithm, publicKey }: { readonly algorithm: number; readonly publicKey: Uint8Array },
): Uint8Array {
  return joinBytes([
    Uint8Array.of(KEY_FLAGS >> 8, KEY_FLAGS & 0xff, KEY_PROTOCOL, algorithm),
    publicKey,
  ]);
}

/** The number of a DNSKEY, of its data (RFC 4034, appendix B): not every key has another. */
export function keyTag(dnskey: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < dnskey.length; i++) sum += i % 2 === 0 ? dnskey[i]! << 8 : dnskey[i]!;
  return (sum + (sum >> 16)) & 0xffff;
}

/**
 * The data of the DS of a DNSKEY, with SHA-256 (RFC 4509).
 *
 * @param zone The zone's name as messages have it, in lower case.
 * @param dnskey The data of the DNSKEY.
 */
export function dsData(zone: Uint8Array, dnskey: Uint8Array): Uint8Array {
  const tag = keyTag(dnskey);
  const fields = Uint8Array.of(tag >> 8, tag & 0xff, dnskey[DNSKEY_FIELDS - 1]!, SHA_256);
  return joinBytes([fields, sha256(joinBytes([zone, dnskey]))]);
}

/** The data of a DNSKEY, as zone files and forms have it: `257 3 13 BASE64`. */
export function dnskeyText(dnskey: Uint8Array): string {
  const [high = 0, low = 0, protocol, algorithm] = dnskey;
  const key = encodeBase64(dnskey.subarray(DNSKEY_FIELDS));
  return `${high << 8 | low} ${protocol} ${algorithm} ${key}`;
}

/** The data of a DS, as zone files and forms have it: `12345 13 2 HEX`, in capitals. */
export function dsText(ds: Uint8Array): string {
  const [high = 0, low = 0, algorithm, digest] = ds;
  const hex = encodeHex(ds.subarray(DS_FIELDS)).toUpperCase();
  return `${high << 8 | low} ${algorithm} ${digest} ${hex}`;
}
