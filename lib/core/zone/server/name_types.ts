/**
 * Which types the names of a signed zone have, as an NSEC record says it (RFC 4034, section 4.1.2).
 *
 * @module
 */

import { TYPE_NSEC, TYPE_NXNAME, TYPE_RRSIG } from "../../../wire/dns/dnssec.ts";
import { typeBitmap } from "../../../wire/dns/nsec.ts";
import { TYPE } from "./records.ts";

function typesOf(...types: readonly number[]): Uint8Array {
  return typeBitmap([...types, TYPE_RRSIG, TYPE_NSEC]);
}

/** A name with names below it, and without records. */
export const OF_EMPTY: Uint8Array = typesOf();
/** A name that doesn't exist (RFC 9824, section 3.1). */
export const OF_NOTHING: Uint8Array = typesOf(TYPE_NXNAME);
/** The name of another zone that isn't signed, as the one above has it. */
export const OF_DELEGATION: Uint8Array = typesOf(TYPE.ns);
/** A name with an IPv4 address alone. */
export const OF_IPV4_HOST: Uint8Array = typesOf(TYPE.a);
/** A name with an IPv6 address alone. */
export const OF_IPV6_HOST: Uint8Array = typesOf(TYPE.aaaa);
/** The name that lists the services. */
export const OF_SERVICES: Uint8Array = typesOf(TYPE.ptr);
/** A list of instances. */
export const OF_LIST: Uint8Array = typesOf(TYPE.ptr, TYPE.txt);
/** A list without any. */
export const OF_EMPTY_LIST: Uint8Array = typesOf(TYPE.txt);
/** An instance that is reached over IPv4. */
export const OF_IPV4_INSTANCE: Uint8Array = typesOf(TYPE.a, TYPE.txt, TYPE.srv);
/** An instance that is reached over IPv6. */
export const OF_IPV6_INSTANCE: Uint8Array = typesOf(TYPE.txt, TYPE.aaaa, TYPE.srv);
/** An instance that is reached over both. */
export const OF_DUAL_INSTANCE: Uint8Array = typesOf(TYPE.a, TYPE.txt, TYPE.aaaa, TYPE.srv);
