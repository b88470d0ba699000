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
import type { MayWork, ZoneSigner } from "./signer.ts";
import type { Zone } from "./zone.ts";
import { ZoneIndex } from "./zone_index.ts";
import {
  answered,
  type NameState,
  type QueryPath,
  type ZoneOutcome,
  type ZoneView,
} from "./zone_view.ts";

/** What a name is: as its view says; or that of another zone; or it exists because one is below. */
type Name = Exclude<NameState, "unknown"> | "delegated" | "above";

/** Answers for all zones of a server. */
export class ZoneAnswers {
  readonly #query: DnsQuery;
  readonly #writer: AnswerWriter;
  readonly #mayWork: MayWork;
  #zones = new ZoneIndex([]);

  /**
   * Answers what is in `query`, each time, with `writer`.
   *
   * @param mayWork Asked before something is signed anew.
   */
  constructor(query: DnsQuery, writer: AnswerWriter, mayWork: MayWork) {
    this.#query = query;
    this.#writer = writer;
    this.#mayWork = mayWork;
  }

  /** Takes over all zones of the server: some lie below others. */
  configure(zones: ZoneIndex): void {
    this.#zones = zones;
  }

  /**
   * Answers a question of class IN for a name in `zone`, and of no type that is for questions alone
   * but ANY.
   *
   * @param view What of the zone is shown.
   * @param message The buffer that the query was parsed from.
   */
  answer(
    zone: Zone,
    view: ZoneView,
    message: WireBuffer,
    path: QueryPath,
    now: Now,
  ): ZoneOutcome {
    const query = this.#query;
    const writer = this.#writer;
    const { type } = query;
    const { signer } = zone;
    const { transport } = path;
    const child = this.#childOf(zone, message);
    const name = child === undefined ? this.#find(view, message, path, now) : "delegated";
    if (name === "unknown") return "dns-servfail";
    const asksSignatures = signer !== undefined && type === TYPE_RRSIG;
    // Who asks for signatures alone is told as others are that there is no such name.
    if (signer !== undefined && (query.dnssecOk || asksSignatures && name !== "absent")) {
      signer.begin(now, path, this.#mayWork, name === "passing" || name === "absent");
      writer.coverWith(signer, asksSignatures);
    }
    const shown = asksSignatures ? TYPE.any : type;
    const isAnswered = signer !== undefined && this.#answerKeys(name, signer, child) ||
      isOwn(name) && view.answer(shown, query, message, transport, now, writer);
    const outcome = isAnswered ? "dns-answered" : this.#deny(name, signer, view);
    if (!writer.isCovered || signer?.isLimited !== true) return outcome;
    if (transport === "udp") {
      writer.truncate();
      return outcome;
    }
    writer.clear();
    return "dns-servfail";
  }

  /** The zone of this server whose name was asked for, if what is asked is its DS in `zone`. */
  #childOf(zone: Zone, message: WireBuffer): Zone | undefined {
    const { type, labels } = this.#query;
    return type === TYPE.ds && labels > zone.labels
      ? this.#zones.at(this.#query, message)
      : undefined;
  }

  #find(view: ZoneView, message: WireBuffer, path: QueryPath, now: Now): Name | "unknown" {
    const name = view.find(this.#query, message, path, now);
    return name === "absent" && this.#zones.isAbove(this.#query, message) ? "above" : name;
  }

  /** Answers with what there is of keys: the zone's own, or those of `child`. */
  #answerKeys(name: Name, signer: ZoneSigner, child: Zone | undefined): boolean {
    const writer = this.#writer;
    const fits = name === "apex"
      ? signer.records.write(this.#query.type, QUESTION_NAME, writer)
      : child?.signer?.records.writeDs(QUESTION_NAME, writer);
    return fits !== undefined && answered(writer, fits);
  }

  /** Says that there is nothing, and proves it where that is wanted, or is what was asked. */
  #deny(name: Name, signer: ZoneSigner | undefined, view: ZoneView): ZoneOutcome {
    const query = this.#query;
    const writer = this.#writer;
    const isAbsent = name === "absent";
    const asksProof = query.type === TYPE_NSEC || query.type === TYPE_RRSIG;
    if (signer !== undefined && asksProof && (writer.isCovered || !isAbsent)) {
      const types = typesOf(name, signer, view);
      answered(writer, signer.writeDenial(query, writer, ANSWER, types));
      return "dns-answered";
    }
    let isWhole = view.writeSoa(query, writer);
    if (isWhole && signer !== undefined && writer.isCovered) {
      isWhole = signer.writeDenial(query, writer, AUTHORITY, typesOf(name, signer, view));
    }
    if (!isWhole) writer.truncate();
    return isAbsent ? "dns-nxdomain" : "dns-nodata";
  }
}

/** Whether a view says what the name owns. */
function isOwn(name: Name): boolean {
  return name === "apex" || name === "present" || name === "passing";
}

/** Which types a name has, as an NSEC says it. */
function typesOf(name: Name, signer: ZoneSigner, view: ZoneView): Uint8Array {
  switch (name) {
    case "apex":
      return signer.records.apexTypes;
    case "present":
    case "passing":
      return view.types;
    case "delegated":
      return OF_DELEGATION;
    case "above":
      return OF_EMPTY;
    case "absent":
      return OF_NOTHING;
  }
}
