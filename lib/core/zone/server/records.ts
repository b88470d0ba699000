/**
 * The records of a zone that publishes WireGuard peers, as they are written into an answer. What
 * they say is described in zone.ts.
 *
 * Each function but those of a PTR to an instance writes a whole set. It returns whether that fits, with
 * its cover; one that doesn't leaves no trace.
 *
 * @module
 */

import { BASE64_KEY_SIZE, writeBase64 } from "../../../wire/bytes/base64.ts";
import {
  ANSWER,
  type AnswerWriter,
  CLASS_IN,
  POINTER,
  QUESTION_NAME,
} from "../../../wire/dns/answer.ts";
import { encodeLabel } from "../../../wire/dns/name.ts";
import { KEY_LABEL_SIZE, writeKeyLabel } from "../../../wire/dns/key_label.ts";
import type { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { AllowedStrings } from "./allowed_strings.ts";
import { ADDRESS_SIZE, isIpv4 } from "../../net/ip_address.ts";
import { NONE } from "../../net/none.ts";

/** Types of records (RFC 1035, 2782, 3596, 4034), and of questions alone. */
export const TYPE = {
  a: 1,
  ns: 2,
  soa: 6,
  ptr: 12,
  txt: 16,
  aaaa: 28,
  srv: 33,
  ds: 43,
  ixfr: 251,
  axfr: 252,
  mailb: 253,
  maila: 254,
  any: 255,
} as const;

/** TTL of what stays as it is, and of negative answers (RFC 2308), in seconds. */
export const STATIC_TTL = 60;
/** The label of the name server. */
export const NAME_SERVER: Uint8Array = encodeLabel("ns1");
/** Size of a PTR to an instance: two pointers, the fields between, and the key's label. */
export const PTR_SIZE: number = 2 + 10 + 1 + KEY_LABEL_SIZE + 2;
/** More than {@linkcode writeCount} ever takes. */
export const COUNT_SIZE = 64;

const MAILBOX = encodeLabel("postmaster");
const SERIAL = 1;
const REFRESH = 86_400;
const RETRY = 7200;
const EXPIRE = 3_600_000;
const IPV4_SIZE = 4;

const VERSION_STRING = string("txtvers=1");
const PEERS_STRING = string("peers=");
const SEEN_STRING = string("seen=");
const PUB_STRING = string("pub=");

/** A string of TXT data with its length before it. */
function string(text: string): Uint8Array {
  return Uint8Array.of(text.length, ...new TextEncoder().encode(text));
}

/** The SOA of the zone whose name is at offset `zone` of the message. */
export function writeSoa(writer: AnswerWriter, section: number, zone: number): boolean {
  writer.open(section, zone, TYPE.soa, STATIC_TTL);
  writer.bytes(NAME_SERVER);
  writer.pointer(zone);
  writer.bytes(MAILBOX);
  writer.pointer(zone);
  writer.uint32(SERIAL);
  writer.uint32(REFRESH);
  writer.uint32(RETRY);
  writer.uint32(EXPIRE);
  writer.uint32(STATIC_TTL);
  return writer.closeSet(writer.close());
}

/** A PTR from the name that was asked to the instance of a key; `service` is that name's offset. */
export function writeInstancePtr(
  writer: AnswerWriter,
  ttl: number,
  key: WireBuffer,
  at: number,
  service: number,
): boolean {
  writer.open(ANSWER, QUESTION_NAME, TYPE.ptr, ttl);
  const to = writer.take(1 + KEY_LABEL_SIZE);
  if (to >= 0) {
    writer.buffer.bytes[to] = KEY_LABEL_SIZE;
    writeKeyLabel(key, at, writer.buffer, to + 1);
  }
  writer.pointer(service);
  return writer.close();
}

/**
 * The same as it stands in an answer to a question for the service's name itself, {@linkcode
 * PTR_SIZE} bytes at `at`.
 */
export function writePtrRecord(
  to: WireBuffer,
  at: number,
  ttl: number,
  key: WireBuffer,
  keyAt: number,
): void {
  const { view } = to;
  view.setUint16(at, POINTER | QUESTION_NAME);
  view.setUint16(at + 2, TYPE.ptr);
  view.setUint16(at + 4, CLASS_IN);
  view.setUint32(at + 6, ttl);
  view.setUint16(at + 10, 1 + KEY_LABEL_SIZE + 2);
  view.setUint8(at + 12, KEY_LABEL_SIZE);
  writeKeyLabel(key, keyAt, to, at + 13);
  view.setUint16(at + 13 + KEY_LABEL_SIZE, POINTER | QUESTION_NAME);
}

/** The TXT of a list: how many instances it has. */
export function writeCount(
  writer: AnswerWriter,
  section: number,
  ttl: number,
  count: number,
): boolean {
  writer.open(section, QUESTION_NAME, TYPE.txt, ttl);
  writer.bytes(VERSION_STRING);
  writer.numberString(PEERS_STRING, count);
  return writer.closeSet(writer.close());
}

/** An A or AAAA with the address of 16 bytes in `address`. */
export function writeAddress(
  writer: AnswerWriter,
  section: number,
  owner: number,
  ttl: number,
  address: WireBuffer,
): boolean {
  const size = isIpv4(address, 0) ? IPV4_SIZE : ADDRESS_SIZE;
  writer.open(section, owner, addressType(address), ttl);
  writer.copy(address, ADDRESS_SIZE - size, size);
  return writer.closeSet(writer.close());
}

/** The type of the record that carries an address of 16 bytes. */
export function addressType(address: WireBuffer): number {
  return isIpv4(address, 0) ? TYPE.a : TYPE.aaaa;
}

/**
 * The TXT of an instance.
 *
 * @param list Which one of `allowed` is the instance's, or NONE.
 * @param seen Unix seconds, or NaN.
 */
export function writeInstanceText(
  writer: AnswerWriter,
  section: number,
  ttl: number,
  key: WireBuffer,
  allowed: AllowedStrings,
  list: number,
  seen: number,
): boolean {
  writer.open(section, QUESTION_NAME, TYPE.txt, ttl);
  writer.bytes(VERSION_STRING);
  const to = writer.take(PUB_STRING.length + BASE64_KEY_SIZE);
  if (to >= 0) {
    const { buffer } = writer;
    buffer.bytes.set(PUB_STRING, to);
    buffer.bytes[to] = PUB_STRING.length - 1 + BASE64_KEY_SIZE;
    writeBase64(key, 0, buffer, to + PUB_STRING.length);
  }
  if (list !== NONE) writer.copy(allowed.bytes, allowed.startOf(list), allowed.sizeOf(list));
  if (seen >= 0) writer.numberString(SEEN_STRING, seen);
  return writer.closeSet(writer.close());
}
