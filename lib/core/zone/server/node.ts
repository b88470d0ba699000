/**
 * Which names a zone has; what they own is described in zone.ts.
 *
 * @module
 */

import { encodeLabel, isLabel } from "../../../wire/dns/name.ts";
import type { DnsQuery } from "../../../wire/dns/query.ts";
import { base32Value, KEY_LABEL_SIZE, readKeyLabel } from "../../../wire/dns/key_label.ts";
import { ID_SIZE } from "../../../wire/wgsig/record.ts";
import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { NAME_SERVER } from "./records.ts";
import { MAX_PREFIX } from "./key_list.ts";

/** The label of the protocol. */
export const UDP: Uint8Array = encodeLabel("_udp");
/** The label of the service. */
export const WIREGUARD: Uint8Array = encodeLabel("_wireguard");
const DNS_SD = encodeLabel("_dns-sd");
const SERVICES = encodeLabel("_services");
const SUB = encodeLabel("_sub");
const UNDERSCORE = 0x5f;
const CHARACTER_BITS = 5;

/**
 * What a name is: "empty" has names below it but no records; "none" does not exist; an "instance"
 * has the form of one, and exists if there is a peer.
 */
export type Node = "apex" | "name server" | "services" | "list" | "instance" | "empty" | "none";

/** A name in a zone. {@linkcode readNode} writes into one that the caller keeps. */
export interface ZoneName {
  /** Of a list: the bits of its prefix's base32 characters. */
  prefix: number;
  /** Of a list: how many characters its prefix has, 0 to 3. */
  prefixLength: number;
  /** Of an instance: its key, 32 bytes. */
  readonly key: WireBuffer;
}

/** An empty name to read into. */
export function newZoneName(): ZoneName {
  return { prefix: 0, prefixLength: 0, key: new WireBuffer(ID_SIZE) };
}

/**
 * Says what the name of `query` is in a zone of `zoneLabels` labels that holds it.
 *
 * @param from The buffer that `query` was parsed from.
 */
export function readNode(
  query: DnsQuery,
  from: WireBuffer,
  zoneLabels: number,
  name: ZoneName,
): Node {
  const depth = query.labels - zoneLabels;
  if (depth === 0) return "apex";
  const { nameAt, labelAt } = query;
  const top = nameAt + labelAt[depth - 1]!;
  if (!isLabel(from, top, UDP)) {
    return depth === 1 && isLabel(from, top, NAME_SERVER) ? "name server" : "none";
  }
  if (depth === 1) return "empty";
  const second = nameAt + labelAt[depth - 2]!;
  if (isLabel(from, second, DNS_SD)) {
    if (depth === 2) return "empty";
    return depth === 3 && isLabel(from, nameAt, SERVICES) ? "services" : "none";
  }
  if (!isLabel(from, second, WIREGUARD)) return "none";
  name.prefix = name.prefixLength = 0;
  if (depth === 2) return "list";
  if (isLabel(from, nameAt + labelAt[depth - 3]!, SUB)) {
    if (depth === 3) return "empty";
    return depth === 4 && readPrefix(from, nameAt, name) ? "list" : "none";
  }
  if (depth !== 3 || from.bytes[nameAt] !== KEY_LABEL_SIZE) return "none";
  return readKeyLabel(from, nameAt + 1, name.key, 0) ? "instance" : "none";
}

/** Reads the label `_P` at `at`. */
function readPrefix(from: WireBuffer, at: number, name: ZoneName): boolean {
  const length = from.bytes[at]! - 1;
  if (length < 1 || length > MAX_PREFIX || from.bytes[at + 1] !== UNDERSCORE) return false;
  let prefix = 0;
  for (let i = 0; i < length; i++) {
    const value = base32Value(from.bytes[at + 2 + i]!);
    if (value < 0) return false;
    prefix = (prefix << CHARACTER_BITS) | value;
  }
  name.prefix = prefix;
  name.prefixLength = length;
  return true;
}
