/**
 * What a zone says to those who have one view of it: which names there are, and what they own. Both
 * are described in zone.ts.
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
import { copyBytes, type WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
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
  NAME_SERVER,
  STATIC_TTL,
  TYPE,
  writeAddress,
  writeInstanceText,
  writeSoa,
} from "./records.ts";
import { isSameKey } from "./key_list.ts";
import type { ZoneSelf } from "./self.ts";
import { ZoneLists } from "./zone_lists.ts";

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

/**
 * What a name is to who asks: the zone's own, or another one that exists, "passing" if it is one of the
 * many whose lists are empty; or it doesn't exist; or that isn't known, because a device can't be read.
 */
export type NameState = "apex" | "present" | "passing" | "absent" | "unknown";

/** Seconds of which `seen` is a multiple in signed answers: else each registration would be signed. */
const SEEN_STEP = 600;

/** One view of a zone. A name is looked for with {@linkcode ZoneView.find}, all else is said of it. */
export class ZoneView {
  readonly #labels: number;
  readonly #sources: readonly ZonePeers[];
  readonly #self: ZoneSelf | undefined;
  readonly #ttl: number;
  readonly #lists: ZoneLists;
  // Of the name that was looked for last:
  #node: Node = "none";
  readonly #asked = newZoneName();
  /** Of an instance, and of the name server. */
  readonly #location = new Location();
  /** Whether the name server has an address. */
  #hasAddress = false;
  /** Where the instance is from; undefined is the device itself. */
  #source: ZonePeers | undefined;
  #peer = NONE;

  /** Makes a view. */
  constructor({ labels, peers, self, ttl, views }: ZoneViewOptions) {
    this.#labels = labels;
    this.#sources = peers;
    this.#self = self;
    this.#ttl = ttl;
    this.#lists = new ZoneLists(peers, ttl, views);
  }

  /**
   * Looks for the name of a question, which lies in this zone.
   *
   * @param from The buffer that `query` was parsed from.
   */
  find(query: DnsQuery, from: WireBuffer, path: QueryPath, now: Now): NameState {
    this.#node = readNode(query, from, this.#labels, this.#asked);
    switch (this.#node) {
      case "apex":
        this.#hasAddress = this.#takeLocal(path);
        return "apex";
      case "name server":
        this.#hasAddress = this.#takeLocal(path);
        return "present";
      case "services":
      case "empty":
        return "present";
      case "list":
        return this.#findList(path, now.mono);
      case "instance":
        if (this.#findPeer(path)) return "present";
        return this.#sources.some(isUnknown) ? "unknown" : "absent";
      case "none":
        return "absent";
    }
  }

  /**
   * Answers the question for the name that was found last, which exists, with its records of `type`:
   * none that is for questions alone but ANY.
   *
   * @returns Whether it has some.
   */
  answer(
    type: number,
    query: DnsQuery,
    from: WireBuffer,
    transport: "udp" | "tcp",
    now: Now,
    writer: AnswerWriter,
  ): boolean {
    switch (this.#node) {
      case "apex":
        if (type === TYPE.ns) return this.#answerNs(query, writer);
        if (type !== TYPE.soa && type !== TYPE.any) return false;
        return answered(writer, writeSoa(writer, ANSWER, this.#offsetOf(query, 0)));
      case "name server":
        return this.#hasAddress && this.#answerAddress(type, STATIC_TTL, writer);
      case "services":
        if (type !== TYPE.ptr && type !== TYPE.any) return false;
        writer.open(ANSWER, QUESTION_NAME, TYPE.ptr, STATIC_TTL);
        writer.bytes(WIREGUARD);
        writer.pointer(this.#offsetOf(query, 1));
        return answered(writer, writer.closeSet(writer.close()));
      case "list":
        if (type === TYPE.ptr && this.#lists.count > 0) {
          return answered(writer, this.#lists.write(transport, this.#offsetOf(query, 2), writer));
        }
        if (type !== TYPE.txt && type !== TYPE.any) return false;
        return answered(writer, this.#lists.writeCount(writer));
      case "instance":
        return this.#answerInstance(type, query, from, now, writer);
      case "empty":
      case "none":
        return false;
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
   * Which types the name has that was found last, as an NSEC says it: one that exists, and that isn't
   * the zone's own.
   */
  get types(): Uint8Array {
    switch (this.#node) {
      case "name server":
        if (!this.#hasAddress) return OF_EMPTY;
        return this.#isIpv4 ? OF_IPV4_HOST : OF_IPV6_HOST;
      case "services":
        return OF_SERVICES;
      case "list":
        return this.#lists.count === 0 ? OF_EMPTY_LIST : OF_LIST;
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

  #findList(path: QueryPath, mono: number): NameState {
    if (this.#sources.length > 0 && this.#sources.every(isUnknown)) return "unknown";
    const own = this.#self?.key;
    const published = own === undefined || this.#selfPort(path) === 0 ? undefined : own;
    const count = this.#lists.find(this.#asked, published, mono);
    // Those who would be in it may be the ones that can't be read.
    if (count === 0 && this.#sources.some(isUnknown)) return "unknown";
    return count === 0 && this.#asked.prefixLength > 0 ? "passing" : "present";
  }

  /** Finds the peer whose key was asked for, and where it is. */
  #findPeer(path: QueryPath): boolean {
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
  #takeLocal({ local, localAt }: QueryPath): boolean {
    if (local === undefined || isWildcard(local, localAt)) return false;
    copyBytes(local, localAt, this.#location.address, 0, ADDRESS_SIZE);
    this.#location.isDual = false;
    return true;
  }

  #answerNs(query: DnsQuery, writer: AnswerWriter): boolean {
    const zone = this.#offsetOf(query, 0);
    writer.open(ANSWER, zone, TYPE.ns, STATIC_TTL);
    const server = writer.offset;
    writer.bytes(NAME_SERVER);
    writer.pointer(zone);
    if (!writer.closeSet(writer.close())) return answered(writer, false);
    if (this.#hasAddress) {
      writeAddress(writer, ADDITIONAL, server, STATIC_TTL, this.#location.address);
    }
    return true;
  }

  #answerAddress(type: number, ttl: number, writer: AnswerWriter): boolean {
    const { address, isDual, ipv6 } = this.#location;
    const isFirst = type === addressType(address) || type === TYPE.any;
    if (!isFirst && !(isDual && type === TYPE.aaaa)) return false;
    const asked = isFirst ? address : ipv6;
    return answered(writer, writeAddress(writer, ANSWER, QUESTION_NAME, ttl, asked));
  }

  #answerInstance(
    type: number,
    query: DnsQuery,
    from: WireBuffer,
    now: Now,
    writer: AnswerWriter,
  ): boolean {
    const { address, port, isDual, ipv6 } = this.#location;
    switch (type) {
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
        return true;
      case TYPE.txt:
        return answered(writer, this.#writeText(now, writer, ANSWER));
      default:
        return this.#answerAddress(type, this.#ttl, writer);
    }
  }

  /** Writes the TXT of the instance that was found. */
  #writeText(now: Now, writer: AnswerWriter, section: number): boolean {
    const { key } = this.#asked;
    const source = this.#source;
    if (source !== undefined) {
      const list = source.allowedOf(this.#peer);
      const seen = source.seen(this.#peer, now);
      const said = writer.isCovered ? Math.floor(seen / SEEN_STEP) * SEEN_STEP : seen;
      return writeInstanceText(writer, section, this.#ttl, key, source.allowed, list, said);
    }
    const { allowed } = this.#self!;
    return writeInstanceText(writer, section, this.#ttl, key, allowed, 0, NaN);
  }
}

/** Answers with a record set: one that doesn't fit is not answered in part, but asked for over TCP. */
export function answered(writer: AnswerWriter, fits: boolean): true {
  if (!fits) writer.truncate();
  return true;
}

function isUnknown({ isKnown }: ZonePeers): boolean {
  return !isKnown;
}
