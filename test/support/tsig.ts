/**
 * Asks zones with TSIG, and checks what is signed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { checkMessage, signMessage, TSIG_FUDGE, type TsigKey } from "../../lib/wire/dns/tsig.ts";
import { newTsigFields, readTsig, type TsigFields } from "../../lib/wire/dns/tsig_record.ts";
import { type DnsReply, readReply } from "./dns.ts";

/** The question with a TSIG, and its MAC. */
export function signQuestion(
  key: TsigKey,
  question: Uint8Array,
  unix: number,
  fudge = TSIG_FUDGE,
): { bytes: Uint8Array<ArrayBuffer>; mac: Uint8Array } {
  const buffer = new WireBuffer(question.length + 512);
  buffer.bytes.set(question);
  const size = signMessage(key, buffer, 0, question.length, unix, fudge);
  const bytes = Uint8Array.from(buffer.bytes.subarray(0, size));
  return { bytes, mac: readSigned(bytes)!.tsig.mac.slice() };
}

/** The TSIG of a message and the message as it was before, or undefined where it has none. */
export function readSigned(
  message: Uint8Array,
): { tsig: TsigFields; plain: Uint8Array<ArrayBuffer> } | undefined {
  const tsig = newTsigFields();
  const status = readTsig(new WireBuffer(message), 0, message.length, tsig);
  assert(status !== "formerr", "the TSIG is not as it should be");
  if (status === "none") return undefined;
  const plain = Uint8Array.from(message.subarray(0, tsig.at));
  const { view } = new WireBuffer(plain);
  view.setUint16(10, view.getUint16(10) - 1);
  return { tsig, plain };
}

/** An answer whose TSIG is right. */
export function readAnswer(key: TsigKey, answer: Uint8Array, requestMac: Uint8Array): DnsReply & {
  /** Of the TSIG. */
  readonly error: number;
  readonly time: number;
  readonly other: Uint8Array;
} {
  const signed = readSigned(answer);
  assert(signed !== undefined, "the answer isn't signed");
  const { tsig, plain } = signed;
  assert(key.isNamedIn(tsig), "another key");
  const buffer = new WireBuffer(answer);
  assert(checkMessage(key, buffer, 0, answer.length, tsig, requestMac), "the MAC is wrong");
  assertEquals(tsig.macSize, 32);
  const { error, time, otherAt } = tsig;
  return { ...readReply(plain), size: answer.length, error, time, other: answer.slice(otherAt) };
}
