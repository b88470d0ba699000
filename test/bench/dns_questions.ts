/**
 * What DNS clients ask of the zone of the benches, and whether an answer is right. Runs anywhere.
 *
 * @module
 */

import { COUNT_SIZE, PTR_SIZE } from "../../lib/core/zone/server/records.ts";
import { encodeBase32 } from "../../lib/wire/bytes/base32.ts";
import { MAX_TCP_SIZE } from "../../lib/wire/dns/answer.ts";
import { encodeQuestion } from "../../lib/wire/dns/message.ts";
import {
  FLAG_AUTHORITATIVE,
  FLAG_RESPONSE,
  FLAG_TRUNCATED,
  OPT_DNSSEC_OK,
  OPT_SIZE,
} from "../../lib/wire/dns/query.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { portOf, writeId } from "./requests.ts";

/** The zone of the benches. */
export const ZONE = "bench.example";
/** The name that lists its peers. */
export const SERVICE = `_wireguard._udp.${ZONE}`;
/** Flags that say whether an answer is one, and the RCODE. */
const FLAGS = FLAG_RESPONSE | FLAG_AUTHORITATIVE | FLAG_TRUNCATED | 0x000f;
const GOOD = FLAG_RESPONSE | FLAG_AUTHORITATIVE;
const COUNTS = 6;
/** Where the flags are in an OPT: after the root, type, class, RCODE and version. */
const OPT_FLAGS = 1 + 2 + 2 + 2;
/** From a record's owner, a pointer, to the port in an SRV: fields, priority, weight. */
const SRV_PORT = 2 + 10 + 4;

/** Has a query with an OPT ask for signatures (DO). */
export function askForSignatures(query: Uint8Array): void {
  const { buffer, byteOffset, length } = query;
  new DataView(buffer, byteOffset).setUint16(length - OPT_SIZE + OPT_FLAGS, OPT_DNSSEC_OK);
}

/** Queries for the SRV of peers, with an OPT, all of the same size. */
export class SrvQuestions {
  /** The size of each query. */
  readonly size: number;
  readonly #queries: readonly Uint8Array[];
  readonly #answers: number;

  /** @param isSigned Whether they ask for signatures. */
  constructor(peers: number, isSigned = false) {
    const id = new WireBuffer(32);
    this.#queries = Array.from({ length: peers }, (_, peer) => {
      writeId(peer, id);
      const name = `${encodeBase32(id.bytes)}.${SERVICE}`;
      const query = encodeQuestion({ id: 0, name, type: "SRV", edns: true });
      if (isSigned) askForSignatures(query);
      return query;
    });
    this.#answers = isSigned ? 2 : 1;
    this.size = this.#queries[0]!.length;
  }

  /** Writes the query for `peer` at `at`. */
  write(peer: number, id: number, out: WireBuffer, at: number): void {
    out.bytes.set(this.#queries[peer]!, at);
    out.view.setUint16(at, id);
  }

  /** Whether the message of `length` bytes at `at` has the answer, with the port of `peer`. */
  isAnswer(peer: number, id: number, { view }: WireBuffer, at: number, length: number): boolean {
    const record = this.size - OPT_SIZE;
    return length > record + SRV_PORT + 2 &&
      view.getUint16(at) === id &&
      (view.getUint16(at + 2) & FLAGS) === GOOD &&
      view.getUint16(at + COUNTS) === this.#answers &&
      view.getUint16(at + record + SRV_PORT) === portOf(peer);
  }
}

/** The query for the list of all peers. */
export class ListQuestion {
  /** Without an OPT. */
  readonly query: Uint8Array = encodeQuestion({ id: 0, name: SERVICE, type: "PTR", edns: false });
  /** How many of many a message holds. */
  readonly count: number = Math.floor((MAX_TCP_SIZE - this.query.length - COUNT_SIZE) / PTR_SIZE);

  /** Whether an answer of `length` bytes, of which the header is at `at`, has as many as it holds. */
  isAnswer(id: number, { view }: WireBuffer, at: number, length: number): boolean {
    return length > this.query.length + this.count * PTR_SIZE &&
      view.getUint16(at) === id &&
      (view.getUint16(at + 2) & FLAGS) === GOOD &&
      view.getUint16(at + COUNTS) === this.count;
  }
}
