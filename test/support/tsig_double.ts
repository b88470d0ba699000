/**
 * A zone that answers with TSIG, as a server does that has the key.
 *
 * @module
 */

import type { Transport } from "../../lib/core/dns/question_queue.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { encodeName } from "../../lib/wire/dns/name.ts";
import {
  checkMessage,
  signMessage,
  TSIG_FUDGE,
  TsigKey,
  tsigSize,
  writeServerTime,
  writeTsigError,
} from "../../lib/wire/dns/tsig.ts";
import {
  newTsigFields,
  readTsig,
  SERVER_TIME_SIZE,
  TSIG_ERROR,
} from "../../lib/wire/dns/tsig_record.ts";
import { FLAGS } from "./dns_messages.ts";
import { type DoublePeer, ZoneDouble } from "./zone_double.ts";

/** NOTAUTH (RFC 8945, section 5.2). */
const NOTAUTH = 9;

/** A key of that name whose secret is this byte 32 times. */
export function tsigKey(name = "wg.example.com", byte = 7): TsigKey {
  return new TsigKey(encodeName(name), new Uint8Array(32).fill(byte), PORTABLE);
}

/** Signs the answers of a zone. */
export class TsigDouble {
  readonly #zone: ZoneDouble;
  readonly #key: TsigKey;
  /** The server's time, in Unix seconds. */
  unix: number;
  /** How many questions were signed rightly. */
  signed = 0;
  /** The times of all questions. */
  readonly times: number[] = [];

  constructor(zone: ZoneDouble, key: TsigKey, unix: number) {
    this.#zone = zone;
    this.#key = key;
    this.unix = unix;
  }

  /** The answer to a question, which must be signed. */
  answer(question: Uint8Array, transport: Transport): Uint8Array {
    const message = new WireBuffer(question);
    const tsig = newTsigFields();
    if (readTsig(message, 0, question.length, tsig) !== "tsig") throw new Error("not signed");
    const bare = new WireBuffer(bareQuestion(question));
    this.times.push(tsig.time);
    if (!this.#key.isNamedIn(tsig)) return this.#refuse(bare, message, tsig, TSIG_ERROR.badkey);
    if (!checkMessage(this.#key, message, 0, question.length, tsig)) {
      return this.#refuse(bare, message, tsig, TSIG_ERROR.badsig);
    }
    const mac = tsig.mac.slice();
    if (Math.abs(this.unix - tsig.time) > tsig.fudge) {
      const other = new Uint8Array(SERVER_TIME_SIZE);
      writeServerTime(this.unix, other);
      const refusal = headOf(bare, NOTAUTH);
      return this.sign(refusal, mac, tsig.time, TSIG_ERROR.badtime, other);
    }
    this.signed++;
    return this.sign(this.#zone.answer(bare.bytes, transport), mac);
  }

  /** Signs an answer to the question with this MAC. */
  sign(
    answer: Uint8Array,
    requestMac: Uint8Array,
    time = this.unix,
    error = 0,
    other?: Uint8Array,
  ): Uint8Array {
    const message = new WireBuffer(answer.length + tsigSize(this.#key, other?.length));
    message.bytes.set(answer);
    signMessage(
      ...[
        this.#key,
        message,
        0,
        answer.length,
        time,
        TSIG_FUDGE,
        requestMac,
        error,
        other,
      ] as const,
    );
    return message.bytes;
  }

  #refuse(
    bare: WireBuffer,
    question: WireBuffer,
    tsig: ReturnType<typeof newTsigFields>,
    error: number,
  ): Uint8Array {
    const head = headOf(bare, NOTAUTH);
    const message = new WireBuffer(2048);
    message.bytes.set(head);
    const size = writeTsigError(tsig, question, message, 0, head.length, this.unix, error);
    return message.bytes.slice(0, size);
  }
}

/** A refusal with the question in it, and nothing else. */
function headOf(bare: WireBuffer, rcode: number): Uint8Array {
  let end = 12;
  while (bare.bytes[end] !== 0) end += 1 + bare.bytes[end]!;
  const head = new WireBuffer(bare.bytes.slice(0, end + 5));
  head.view.setUint16(2, 0x8000 | FLAGS.aa | rcode);
  head.view.setUint16(10, 0);
  return head.bytes;
}

/** The MAC of a question that is signed. */
export function macOf(question: Uint8Array): Uint8Array {
  const tsig = newTsigFields();
  readTsig(new WireBuffer(question), 0, question.length, tsig);
  return tsig.mac.slice();
}

/** A signed question without its TSIG. */
export function bareQuestion(question: Uint8Array): Uint8Array {
  const tsig = newTsigFields();
  if (readTsig(new WireBuffer(question), 0, question.length, tsig) !== "tsig") {
    throw new Error("not signed");
  }
  const bare = question.slice(0, tsig.at);
  bare[11]!--;
  return bare;
}

/**
 * What somebody on the way answers who hasn't the key: other endpoints for all peers and refusals, not
 * signed and signed otherwise.
 */
export function forgeries(
  question: Uint8Array,
  peers: readonly DoublePeer[],
): readonly Uint8Array[] {
  const forger = new ZoneDouble({
    peers: peers.map((peer) => ({
      ...peer,
      addresses: ["192.0.2.66"],
      txt: ["allowed=0.0.0.0/0"],
    })),
  });
  const bare = forger.answer(bareQuestion(question), "tcp");
  const refused = bare.slice();
  refused[3] = 5;
  const other = new TsigDouble(forger, tsigKey(undefined, 8), 0);
  const unknown = new TsigDouble(forger, tsigKey("other.test"), 0);
  const mac = macOf(question);
  return [
    ...[bare, refused, other.answer(question, "udp"), unknown.answer(question, "udp")],
    ...[other.sign(bare, mac), unknown.sign(bare, mac)],
  ];
}
