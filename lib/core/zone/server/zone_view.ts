/**
 * What a zone says to those who have one view of it: which names there are, and what they own. Both
 * are described in zone.ts.
 *
 * It is a little longer than a file should be because a name, its types and what they own are decided
 * together.
 *
 * @module
 */

import {
  ADDITIONAL,
  ANSWER,
  type AnswerWriter,
  AUTHORITY,
  QUESTION_NAME,
} from "../../../wire/dns/answer.ts";
import type { DnsQuery } from "../../../wire/dns/query.ts";
import { copyBytes, WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { Now } from "../../net/clock.ts";
import { ADDRESS_SIZE, isWildcard } from "../../net/ip_address.ts";
import { NONE } from "../../net/none.ts";
import { Location } from "./location.ts";
import {
  OF_DUAL_INSTANCE,
  OF_EMPTY,
  OF_EMPTY_LIST,
  OF_IPV4_HOST,
  OF_IPV4_INSTANCE,
  OF_IPV6_HOST,
  OF_IPV6_INSTANCE,
  OF_LIST,
  OF_SERVICES,
} from "./name_types.ts";
import { newZoneName, type Node, readNode, WIREGUARD } from "./node.ts";
import type { ZonePeers } from "./peers.ts";
import {
  addressType,
  COUNT_SIZE,
  NAME_SERVER,
  PTR_SIZE,
  STATIC_TTL,
  TYPE,
  writeAddress,
  writeCount,
  writeInstancePtr,
  writeInstanceText,
  writeSoa,
} from "./records.ts";
import { isSameKey, KeyList, LIST_IDENTITY_SIZE, prefixOf } from "./key_list.ts";
import type { ZoneSelf } from "./self.ts";

/** What a view shows. */
export interface ZoneViewOptions {
  /** How many labels the zone's name has, without the root. */
  readonly labels: number;
  /** Its peers. Of a peer of several, the first source's counts. */
  readonly peers: readonly ZonePeers[];
  /** The device itself, where it is published. It counts before `peers`. */
  readonly self: ZoneSelf | undefined;
  /** TTL of what is said of peers, in seconds. */
  readonly ttl: number;
  /** How many views the zone has: all of them may be asked for their lists. */
  readonly views: number;
}

/** How a query came. The caller keeps one, and changes it. */
export interface QueryPath {
  /** Over which transport. */
  transport: "udp" | "tcp";
  /** Holds the sender's address, 16 bytes (IPv4-mapped for IPv4), at `sourceAt`. */
  source: WireBuffer;
  /** Offset in `source`. */
  sourceAt: number;
  /** Holds the address that it came to, likewise; undefined (or a wildcard) where it isn't known. */
  local: WireBuffer | undefined;
  /** Offset in `local`. */
  localAt: number;
}

/** What became of a question: also the name of its counter. */
export type ZoneOutcome = "dns-answered" | "dns-nodata" | "dns-nxdomain" | "dns-servfail";

/** Seconds of which `seen` is a multiple in signed answers: else each registration would be signed. */
const SEEN_STEP = 600;

/** One view of a zone. */
export class ZoneView {
  readonly #labels: number;
  readonly #sources: readonly ZonePeers[];
  readonly #self: ZoneSelf | undefined;
  readonly #ttl: number;
  readonly #keyList: KeyList;
  readonly #listIdentity = new WireBuffer(LIST_IDENTITY_SIZE);
  // Of the question that is being answered:
  #node: Node = "none";
  readonly #asked = newZoneName();
  readonly #location = new Location();
  /** Where the instance is from; undefined is the device itself. */
  #source: ZonePeers | undefined;
  #peer = NONE;

  /** Makes a view. */
  constructor({ labels, peers, self, ttl, views }: ZoneViewOptions) {
    this.#labels = labels;
    this.#sources = peers;
    this.#self = self;
    this.#ttl = ttl;
    this.#keyList = new KeyList(peers, views);
  }

  /**
   * Answers a question of class IN for a name in this zone, and of no type that is for questions
   * alone but ANY. A negative answer is left to the caller, with {@linkcode writeSoa}.
   *
   * @param from The buffer that `query` was parsed from.
   */
  answer(
    query: DnsQuery,
    from: WireBuffer,
    path: QueryPath,
    now: Now,
    writer: AnswerWriter,
  ): ZoneOutcome {
    const { type } = query;
    this.#node = readNode(query, from, this.#labels, this.#asked);
    switch (this.#node) {
      case "apex":
        if (type === TYPE.ns) return this.#answerNs(query, path, writer);
        if (type !== TYPE.soa && type !== TYPE.any) return "dns-nodata";
        return answered(writer, writeSoa(writer, ANSWER, this.#offsetOf(query, 0)));
      case "name server":
        return this.#hasLocal(path) ? this.#answerAddress(type, STATIC_TTL, writer) : "dns-nodata";
      case "services":
        if (type !== TYPE.ptr && type !== TYPE.any) return "dns-nodata";
        writer.open(ANSWER, QUESTION_NAME, TYPE.ptr, STATIC_TTL);
        writer.bytes(WIREGUARD);
        writer.pointer(this.#offsetOf(query, 1));
        return answered(writer, writer.closeSet(writer.close()));
      case "list":
        if (this.#knowsNobody()) return "dns-servfail";
        this.#keyList.refresh(now.mono);
        // Those who would be in it may be the ones that can't be read.
        if (this.#countList(path) === 0 && this.#sources.some(isUnknown)) return "dns-servfail";
        if (type === TYPE.ptr) return this.#answerList(query, path, writer);
        if (type !== TYPE.txt && type !== TYPE.any) return "dns-nodata";
        return answered(writer, writeCount(writer, ANSWER, this.#ttl, this.#countList(path)));
      case "instance":
        if (this.#find(path)) return this.#answerInstance(query, from, now, writer);
        return this.#sources.some(isUnknown) ? "dns-servfail" : "dns-nxdomain";
      case "empty":
        return "dns-nodata";
      case "none":
        return "dns-nxdomain";
    }
  }

  /**
   * Writes the SOA into the negative answer to a question for a name in this zone.
   *
   * @returns Whether it fits.
   */
  writeSoa(query: DnsQuery, writer: AnswerWriter): boolean {
    return writeSoa(writer, AUTHORITY, this.#offsetOf(query, 0));
  }

  /**
   * Which types the name has that was asked for last, as an NSEC says it: one that exists, and that
   * isn't the zone's own.
   */
  typesOf(path: QueryPath): Uint8Array {
    switch (this.#node) {
      case "name server":
        if (!this.#hasLocal(path)) return OF_EMPTY;
        return this.#isIpv4 ? OF_IPV4_HOST : OF_IPV6_HOST;
      case "services":
        return OF_SERVICES;
      case "list":
        return this.#countList(path) === 0 ? OF_EMPTY_LIST : OF_LIST;
      case "instance":
        if (this.#location.isDual) return OF_DUAL_INSTANCE;
        return this.#isIpv4 ? OF_IPV4_INSTANCE : OF_IPV6_INSTANCE;
      default:
        return OF_EMPTY;
    }
  }

  get #isIpv4(): boolean {
    return addressType(this.#location.address) === TYPE.a;
  }

  /** The offset in the message of the zone's name with `more` of the labels before it. */
  #offsetOf(query: DnsQuery, more: number): number {
    return QUESTION_NAME + query.labelAt[query.labels - this.#labels - more]!;
  }

  /** Finds the peer whose key was asked for, and where it is. */
  #find(path: QueryPath): boolean {
    const { key } = this.#asked;
    const own = this.#self?.key;
    if (own !== undefined && isSameKey(own, 0, key, 0)) {
      this.#source = undefined;
      this.#location.port = this.#selfPort(path);
      if (this.#location.port !== 0) return true;
    }
    for (const source of this.#sources) {
      const peer = source.find(key, 0);
      if (peer === NONE) continue;
      this.#source = source;
      this.#peer = peer;
      source.locate(peer, this.#location);
      return true;
    }
    return false;
  }

  /** The port of the device itself, or 0 where it is not published; sets the address. */
  #selfPort(path: QueryPath): number {
    this.#location.isDual = false;
    return this.#self?.endpoint(path.local, path.localAt, this.#location.address, 0) ?? 0;
  }

  /** Whether the address that was asked is known; sets the address. */
  #hasLocal({ local, localAt }: QueryPath): boolean {
    if (local === undefined || isWildcard(local, localAt)) return false;
    copyBytes(local, localAt, this.#location.address, 0, ADDRESS_SIZE);
    this.#location.isDual = false;
    return true;
  }

  #answerNs(query: DnsQuery, path: QueryPath, writer: AnswerWriter): ZoneOutcome {
    const zone = this.#offsetOf(query, 0);
    writer.open(ANSWER, zone, TYPE.ns, STATIC_TTL);
    const server = writer.offset;
    writer.bytes(NAME_SERVER);
    writer.pointer(zone);
    if (!writer.closeSet(writer.close())) return answered(writer, false);
    if (this.#hasLocal(path)) {
      writeAddress(writer, ADDITIONAL, server, STATIC_TTL, this.#location.address);
    }
    return "dns-answered";
  }

  #answerAddress(type: number, ttl: number, writer: AnswerWriter): ZoneOutcome {
    const { address, isDual, ipv6 } = this.#location;
    const isFirst = type === addressType(address) || type === TYPE.any;
    if (!isFirst && !(isDual && type === TYPE.aaaa)) return "dns-nodata";
    const asked = isFirst ? address : ipv6;
    return answered(writer, writeAddress(writer, ANSWER, QUESTION_NAME, ttl, asked));
  }

  #answerInstance(
    query: DnsQuery,
    from: WireBuffer,
    now: Now,
    writer: AnswerWriter,
  ): ZoneOutcome {
    const { address, port, isDual, ipv6 } = this.#location;
    switch (query.type) {
      case TYPE.srv:
      case TYPE.any:
        writer.open(ANSWER, QUESTION_NAME, TYPE.srv, this.#ttl);
        // Priority and weight.
        writer.uint32(0);
        writer.uint16(port);
        writer.copy(from, query.nameAt, query.nameSize);
        if (!writer.closeSet(writer.close())) return answered(writer, false);
        writeAddress(writer, ADDITIONAL, QUESTION_NAME, this.#ttl, address);
        // Who validates asks for it anyway; it changes too often to be signed for those who don't.
        if (!writer.isCovered) this.#writeText(now, writer, ADDITIONAL);
        if (isDual) writeAddress(writer, ADDITIONAL, QUESTION_NAME, this.#ttl, ipv6);
        return "dns-answered";
      case TYPE.txt:
        return answered(writer, this.#writeText(now, writer, ANSWER));
      default:
        return this.#answerAddress(query.type, this.#ttl, writer);
    }
  }

  /** Writes the TXT of the instance that was found. */
  #writeText(now: Now, writer: AnswerWriter, section: number): boolean {
    const { key } = this.#asked;
    const source = this.#source;
    if (source !== undefined) {
      const list = source.allowedOf(this.#peer);
      const step = writer.isCovered ? SEEN_STEP : 1;
      const seen = Math.floor(source.seen(this.#peer, now) / step) * step;
      return writeInstanceText(writer, section, this.#ttl, key, source.allowed, list, seen);
    }
    const { allowed } = this.#self!;
    return writeInstanceText(writer, section, this.#ttl, key, allowed, 0, NaN);
  }

  /** The device's own key, if it is in the list that was asked for. */
  #listedSelf(path: QueryPath): WireBuffer | undefined {
    const own = this.#self?.key;
    if (own === undefined || this.#selfPort(path) === 0) return undefined;
    return prefixOf(own, 0, this.#asked.prefixLength) === this.#asked.prefix ? own : undefined;
  }

  #knowsNobody(): boolean {
    return this.#sources.length > 0 && this.#sources.every(isUnknown);
  }

  /** How many instances that list has. */
  #countList(path: QueryPath): number {
    const count = this.#keyList.countOf(this.#asked.prefix, this.#asked.prefixLength);
    const own = this.#listedSelf(path);
    return own !== undefined && !this.#keyList.has(own, 0) ? count + 1 : count;
  }

  #answerList(query: DnsQuery, path: QueryPath, writer: AnswerWriter): ZoneOutcome {
    const total = this.#countList(path);
    if (total === 0) return "dns-nodata";
    const isWhole = total * PTR_SIZE <= writer.roomOf(1);
    if (isWhole || path.transport === "tcp") {
      const most = isWhole ? total : Math.floor((writer.roomOf(2) - COUNT_SIZE) / PTR_SIZE);
      const own = this.#listedSelf(path);
      const { prefix, prefixLength } = this.#asked;
      this.#writeList(most, this.#offsetOf(query, 2), own, writer);
      this.#keyList.identify(prefix, prefixLength, most, own, this.#listIdentity);
      if (!writer.closeSet(true, this.#listIdentity)) return answered(writer, false);
    } else writer.truncate();
    if (!isWhole) writeCount(writer, ADDITIONAL, this.#ttl, total);
    return "dns-answered";
  }

  /** Writes `most` instances, the device itself first. `service` is the offset of that name. */
  #writeList(
    most: number,
    service: number,
    own: WireBuffer | undefined,
    writer: AnswerWriter,
  ): void {
    const list = this.#keyList;
    const { prefix, prefixLength } = this.#asked;
    let left = most;
    if (own !== undefined && left-- > 0) writeInstancePtr(writer, this.#ttl, own, 0, service);
    if (prefixLength === 0 && (own === undefined || !list.has(own, 0))) {
      writer.records(list.records(this.#ttl), PTR_SIZE, left);
      return;
    }
    for (let i = 0; left > 0; i++) {
      const at = list.keyAt(prefix, prefixLength, i);
      if (own !== undefined && isSameKey(own, 0, list.keys, at)) continue;
      writeInstancePtr(writer, this.#ttl, list.keys, at, service);
      left--;
    }
  }
}

/** A record set that doesn't fit is not answered in part: the client asks again over TCP. */
export function answered(writer: AnswerWriter, fits: boolean): ZoneOutcome {
  if (!fits) writer.truncate();
  return "dns-answered";
}

function isUnknown({ isKnown }: ZonePeers): boolean {
  return !isKnown;
}
