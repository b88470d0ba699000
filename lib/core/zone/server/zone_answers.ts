/**
 * Answers to questions for names in a zone: what a view of it says, and in a signed zone (RFC 4035) the
 * signatures, the records of its keys, and the proof of what isn't there (RFC 9824).
 *
 * | question in a signed zone     | answer                                                           |
 * | ----------------------------- | ---------------------------------------------------------------- |
 * | with DO                       | RRSIG of each set; without a record: SOA, and NSEC of that name  |
 * | with DO, for no name          | NOERROR, or NXDOMAIN where CO is set, with an NSEC of that name  |
 * | DNSKEY, CDS, CDNSKEY          | those of the zone's keys, at its own name                        |
 * | DS of a zone of this server   | that of its keys, or that it has none: unsigned, or cds "delete"  |
 * | NSEC                          | that of the name                                                 |
 * | RRSIG                         | the signatures of what ANY is answered with, else those of NSEC  |
 *
 * The records of DNSSEC are added only where DO is set, but are answered without it, too. Where too
 * much would have to be signed, an answer over UDP is empty and truncated, and one over TCP is SERVFAIL.
 *
 * @module
 */

import { ANSWER, type AnswerWriter, AUTHORITY, QUESTION_NAME } from "../../../wire/dns/answer.ts";
import { TYPE_NSEC, TYPE_RRSIG } from "../../../wire/dns/dnssec.ts";
import type { DnsQuery } from "../../../wire/dns/query.ts";
import type { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { Now } from "../../net/clock.ts";
import { OF_DELEGATION, OF_EMPTY, OF_NOTHING } from "./name_types.ts";
import { TYPE } from "./records.ts";
import type { ZoneSigner } from "./signer.ts";
import type { Zone } from "./zone.ts";
import { ZoneIndex } from "./zone_index.ts";
import { answered, type QueryPath, type ZoneOutcome, type ZoneView } from "./zone_view.ts";

/** Answers for all zones of a server. */
export class ZoneAnswers {
  readonly #query: DnsQuery;
  readonly #writer: AnswerWriter;
  #zones = new ZoneIndex([]);

  /** Answers what is in `query`, each time, with `writer`. */
  constructor(query: DnsQuery, writer: AnswerWriter) {
    this.#query = query;
    this.#writer = writer;
  }

  /** Takes over all zones of the server: some lie below others. */
  configure(zones: ZoneIndex): void {
    this.#zones = zones;
  }

  /**
   * Answers a question of class IN for a name in `zone`, and of no type that is for questions alone
   * but ANY. `query.type` isn't kept.
   *
   * @param view What of the zone is shown.
   * @param message The buffer that the query was parsed from.
   * @param mayWork Whether something may be signed anew.
   */
  answer(
    zone: Zone,
    view: ZoneView,
    message: WireBuffer,
    path: QueryPath,
    now: Now,
    mayWork: boolean,
  ): ZoneOutcome {
    const query = this.#query;
    const writer = this.#writer;
    const { signer } = zone;
    if (signer === undefined) return this.#answerPlain(view, message, path, now);
    const { type } = query;
    const isOfSignatures = type === TYPE_RRSIG;
    if (query.dnssecOk || isOfSignatures) {
      signer.begin(now, path.transport, mayWork);
      writer.coverWith(signer, isOfSignatures);
    }
    if (isOfSignatures) query.type = TYPE.any;
    const outcome = this.#answerSigned(type, zone, signer, view, message, path, now);
    if (!writer.isCovered || !signer.isLimited) return outcome;
    if (path.transport === "udp") {
      writer.truncate();
      return outcome;
    }
    writer.clear();
    return "dns-servfail";
  }

  #answerPlain(view: ZoneView, message: WireBuffer, path: QueryPath, now: Now): ZoneOutcome {
    const outcome = view.answer(this.#query, message, path, now, this.#writer);
    if (outcome === "dns-answered" || outcome === "dns-servfail") return outcome;
    view.writeSoa(this.#query, this.#writer);
    return outcome === "dns-nxdomain" && this.#zones.isAbove(this.#query, message)
      ? "dns-nodata"
      : outcome;
  }

  /** @param asked The type that was asked for: that of `query` may be another. */
  #answerSigned(
    asked: number,
    zone: Zone,
    signer: ZoneSigner,
    view: ZoneView,
    message: WireBuffer,
    path: QueryPath,
    now: Now,
  ): ZoneOutcome {
    const query = this.#query;
    const writer = this.#writer;
    const isApex = query.labels === zone.labels;
    const hasKeys = isApex ? signer.writeKeys(asked, QUESTION_NAME, writer) : undefined;
    if (hasKeys !== undefined) return answered(writer, hasKeys);
    const child = asked === TYPE.ds && !isApex ? this.#zones.at(query, message) : undefined;
    const hasDs = child?.signer && signer.writeDs(QUESTION_NAME, child.signer, writer);
    if (hasDs !== undefined) return answered(writer, hasDs);
    const found = child === undefined
      ? view.answer(query, message, path, now, writer)
      : "dns-nodata";
    if (found === "dns-answered" || found === "dns-servfail") return found;
    if (found === "dns-nodata") {
      const types = child !== undefined
        ? OF_DELEGATION
        : isApex
        ? signer.apexBitmap
        : view.typesOf(path);
      return this.#deny(asked, found, types, signer, view);
    }
    return this.#zones.isAbove(this.#query, message)
      ? this.#deny(asked, "dns-nodata", OF_EMPTY, signer, view)
      : this.#deny(asked, found, OF_NOTHING, signer, view);
  }

  /** Says that there is nothing, and proves it with the types of the name. */
  #deny(
    asked: number,
    found: "dns-nodata" | "dns-nxdomain",
    types: Uint8Array,
    signer: ZoneSigner,
    view: ZoneView,
  ): ZoneOutcome {
    const query = this.#query;
    const writer = this.#writer;
    const isProof = asked === TYPE_NSEC || asked === TYPE_RRSIG;
    if (isProof && (found === "dns-nodata" || query.dnssecOk)) {
      return answered(writer, signer.writeDenial(query, writer, ANSWER, types));
    }
    // Who asked for signatures alone, and not for a proof, is told as others are.
    if (!query.dnssecOk) writer.coverWith(undefined);
    const fits = view.writeSoa(query, writer) &&
      (!query.dnssecOk || signer.writeDenial(query, writer, AUTHORITY, types));
    if (!fits) writer.truncate();
    return found;
  }
}
