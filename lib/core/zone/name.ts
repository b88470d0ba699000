/**
 * The names under which a zone publishes WireGuard peers (DNS-SD, RFC 6763):
 *
 * ```
 * _wireguard._udp.ZONE                  PTR  every instance; TXT how many there are
 * _P._sub._wireguard._udp.ZONE          PTR  those whose key begins with P, 1 to 3 base32 digits
 * BASE32KEY._wireguard._udp.ZONE        SRV, TXT, A, AAAA of one peer
 * ```
 *
 * @module
 */

import { decodeBase32, encodeBase32 } from "../../wire/bytes/base32.ts";
import { isDnsName } from "../../wire/dns/message.ts";
import { MAX_LABEL_SIZE } from "../../wire/dns/name.ts";
import { formatKey, KEY_SIZE } from "../net/peer_key.ts";

const SERVICE = "_wireguard._udp";
const SUBTYPE = "_sub";
/** Characters of the longest zone. */
const MAX_ZONE = 180;
/** Base32 digits of a key, with their padding. */
const KEY_DIGITS = 56;
/** The digits of base32, with which keys are written here. */
export const BASE32_DIGITS = "abcdefghijklmnopqrstuvwxyz234567";
/** The longest beginning of a key, in digits, that has a list of its own. */
export const MAX_PREFIX = 3;

/**
 * A zone's name as it is used here: in lower case, without a dot at its end. Undefined where the
 * text is none, has a label `*`, which stands for the names in a zone (RFC 4592), or is so long that a
 * peer has no name in it (more than 180 characters).
 */
export function parseZone(text: string): string | undefined {
  if (zoneProblem(text) !== undefined) return undefined;
  const zone = text.replace(/\.$/, "").toLowerCase();
  return isDnsName(zone) && isDnsName(`${"a".repeat(KEY_DIGITS)}.${serviceName(zone)}`)
    ? zone
    : undefined;
}

/** Why {@linkcode parseZone} takes a text for no name of a zone, as far as that can be told. */
export function zoneProblem(text: string): string | undefined {
  const zone = text.replace(/\.$/, "");
  const labels = zone.split(".");
  if (labels.includes("*")) return "a label * stands for names in a zone, and names none";
  const long = labels.find((label) => label.length > MAX_LABEL_SIZE);
  if (long !== undefined) {
    return `its label ${
      long.slice(0, 8)
    }… has ${long.length} characters, and ${MAX_LABEL_SIZE} are the most`;
  }
  return zone.length > MAX_ZONE
    ? `it has ${zone.length} characters, and ${MAX_ZONE} are the most`
    : undefined;
}

/** The name of the service, which lists the instances. */
export function serviceName(zone: string): string {
  return `${SERVICE}.${zone}`;
}

/** The name that lists the instances whose key begins with `prefix`, 1 to 3 base32 digits. */
export function subtypeName(prefix: string, zone: string): string {
  return `_${prefix}.${SUBTYPE}.${serviceName(zone)}`;
}

/** The name of a peer's instance. */
export function instanceName(key: Uint8Array, zone: string): string {
  return `${encodeBase32(key)}.${serviceName(zone)}`;
}

/**
 * The public key, in base64, of the peer whose instance has this name (in lower case), in whatever
 * zone. Undefined where it is the name of something else.
 */
export function readInstance(name: string): string | undefined {
  if (!name.startsWith(`.${SERVICE}.`, KEY_DIGITS)) return undefined;
  const key = decodeBase32(name.slice(0, KEY_DIGITS));
  return key?.length === KEY_SIZE ? formatKey(key) : undefined;
}
