/**
 * Answers of a signer, without a zone.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Counters } from "../../lib/core/net/counters.ts";
import { ZoneSigner } from "../../lib/core/zone/server/signer.ts";
import { Signing, type SigningBounds } from "../../lib/core/zone/server/signing.ts";
import type { ZoneKey } from "../../lib/core/zone/server/zone_key.ts";
import type { QueryPath } from "../../lib/core/zone/server/zone_view.ts";
import { AnswerWriter, MAX_TCP_SIZE } from "../../lib/wire/dns/answer.ts";
import { encodeName } from "../../lib/wire/dns/name.ts";
import { newDnsQuery, parseQuery } from "../../lib/wire/dns/query.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { queryBytes } from "./dns.ts";
import { isQuick } from "./zone_keys.ts";
import { checkSignatures, labelsOf, readSigned, type SignedMessage, type Trust } from "./dnssec.ts";

/** The zone. */
export const SIGNED_ZONE = "wg.example";
/** Where nobody looks at who asks. */
const NOWHERE = new WireBuffer(16);
const PATH = { source: NOWHERE, sourceAt: 0, local: undefined, localAt: 0 } as const;
/** What starts a message in a buffer. */
const AT = 7;

/** How a signer is asked. */
export interface SignedQuestion {
  readonly name?: string | undefined;
  readonly type?: number | undefined;
  readonly unix: number;
  readonly mono?: number | undefined;
  readonly transport?: "udp" | "tcp" | undefined;
  readonly mayWork?: boolean | undefined;
  readonly isPassing?: boolean | undefined;
  readonly limit?: number | undefined;
}

/** A signer, and what it writes to. */
export class SignedAnswers {
  readonly counters: Counters = new Counters();
  readonly signing: Signing;
  readonly keys: readonly ZoneKey[];
  signer: ZoneSigner;
  readonly writer = new AnswerWriter();
  readonly query = newDnsQuery();
  readonly #out = new WireBuffer(AT + MAX_TCP_SIZE);

  /** Whether the keys are quick ones. */
  isQuick = false;

  constructor(keys: readonly ZoneKey[], bounds?: SigningBounds, signing?: Signing) {
    this.keys = keys;
    this.signing = signing ?? new Signing(0x1234_5678, this.counters, bounds);
    this.signer = new ZoneSigner(encodeName(SIGNED_ZONE), keys, this.signing);
  }

  /** From now on, answers are those of another signer. */
  with(signer: ZoneSigner): this {
    this.signer = signer;
    return this;
  }

  /** The bytes of an answer with the sets that `write` writes. */
  answer(question: SignedQuestion, write: (answers: SignedAnswers) => void): Uint8Array {
    const { name = `a.${SIGNED_ZONE}`, type = 1 } = question;
    const bytes = queryBytes(name, type, { edns: { dnssecOk: true } });
    return this.answerTo(new WireBuffer(bytes), question, write).slice();
  }

  /** The same for a query, as long as no other is answered. */
  answerTo(
    query: WireBuffer,
    question: SignedQuestion,
    write: (answers: SignedAnswers) => void,
  ): Uint8Array {
    const { unix, mono = 1, transport = "tcp", mayWork = true, isPassing = false } = question;
    const { limit = MAX_TCP_SIZE } = question;
    assertEquals(parseQuery(query, 0, query.size, this.query), "query");
    this.writer.begin(this.query, query, this.#out, AT, limit);
    const path: QueryPath = { ...PATH, transport };
    this.signer.begin({ unix, mono }, path, () => mayWork, isPassing);
    this.writer.coverWith(this.signer);
    write(this);
    const size = this.writer.finish(this.query, 0, true);
    return this.#out.bytes.subarray(AT, AT + size);
  }

  /** The same, checked. */
  checked(question: SignedQuestion, write: (answers: SignedAnswers) => void): SignedMessage {
    const message = readSigned(this.answer(question, write));
    checkSignatures(message, this.trust(question.unix));
    return message;
  }

  /** What is believed of the zone at a time. */
  trust(now: number): Trust {
    const keys = this.keys.map(({ dnskey }) => dnskey);
    const trust = { zone: labelsOf(SIGNED_ZONE), keys, now };
    return this.isQuick ? { ...trust, isRight: isQuick } : trust;
  }

  /** Writes a set of records whose data is this. */
  set(
    section: number,
    owner: number,
    type: number,
    ttl: number,
    records: readonly Uint8Array[],
    standsFor?: WireBuffer,
  ): boolean {
    let fits = true;
    for (const data of records) {
      this.writer.open(section, owner, type, ttl);
      this.writer.bytes(data);
      fits = this.writer.close() && fits;
    }
    return this.writer.closeSet(fits, standsFor);
  }
}
