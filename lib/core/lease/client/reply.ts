/**
 * Reads a lease server's replies out of a stream.
 *
 * @module
 */

import { LeaseReader, parseLeaseNumber } from "../../../wire/lease/message.ts";
import { isNeverLeased, type LeaseAddress, parseLeaseIp } from "../address.ts";
import { MAX_NEWS_PEERS, MAX_ROUTES, parsePeerNews, parseRoute, type PeerNews } from "../news.ts";

/** The most lines of a reply. */
export const MAX_REPLY_LINES = 1024;

/** A reply that says what it must. */
export interface LeaseReply {
  /** The IPv4 address that is leased. */
  readonly ipv4: bigint | undefined;
  /** The IPv6 address that is leased. */
  readonly ipv6: bigint | undefined;
  /** Seconds, 1 or more where there is an address. */
  readonly leaseTime: number;
  /** 0 to 4294967295; see `LEASE_ERRNO`. */
  readonly errno: number;
  /** What the server says about it; printable ASCII, at most 200 characters. */
  readonly message: string;
  /** Prefixes, in normal form. */
  readonly routes: readonly string[];
  /** Other peers. */
  readonly peers: readonly PeerNews[];
}

const MAX_MESSAGE = 200;
const NOT_PRINTABLE = /[^\x20-\x7e]/g;

/** What stands in a reply that is not at its end. */
class Draft {
  lines = 0;
  ipv4: bigint | undefined;
  ipv6: bigint | undefined;
  leaseTime = 0;
  errno: number | undefined;
  message = "";
  readonly routes: string[] = [];
  readonly peers: PeerNews[] = [];
}

/** A stream of replies. */
export class LeaseReplyReader {
  readonly #reader = new LeaseReader();
  #draft = new Draft();
  #damaged = false;

  /**
   * Takes in bytes as they came, and returns the replies that they complete. Where something is
   * wrong, the last one is "damaged", and no more come.
   */
  push(bytes: Uint8Array): (LeaseReply | "damaged")[] {
    const replies: (LeaseReply | "damaged")[] = [];
    for (let at = 0; at < bytes.length && !this.#damaged;) {
      at = this.#reader.read(bytes, at);
      const { found } = this.#reader;
      if (found === "nothing") break;
      const reply = found === "end" ? this.#end() : undefined;
      const isRight = found === "end" ? reply !== undefined : found === "field" && this.#take();
      if (reply !== undefined) replies.push(reply);
      if (isRight) continue;
      this.#damaged = true;
      replies.push("damaged");
    }
    return replies;
  }

  /** Takes a line in. Returns whether it can stand in a reply. */
  #take(): boolean {
    const draft = this.#draft;
    const { key, value } = this.#reader;
    if (++draft.lines > MAX_REPLY_LINES) return false;
    switch (key) {
      case "ip":
        return this.#takeIp(parseLeaseIp(value));
      case "leasestart":
        // The server's clock is not this one: a lease counts from when the reply came.
        return parseLeaseNumber(value) >= 0;
      case "leasetime":
        draft.leaseTime = parseLeaseNumber(value);
        return draft.leaseTime >= 0;
      case "errno":
        draft.errno = parseLeaseNumber(value);
        return draft.errno >= 0;
      case "errmsg":
        draft.message = value.slice(0, MAX_MESSAGE).replace(NOT_PRINTABLE, "?");
        return true;
      case "route": {
        // News are a favour: one that is wrong is left out.
        const route = parseRoute(value);
        if (route !== undefined && draft.routes.length < MAX_ROUTES) draft.routes.push(route);
        return true;
      }
      case "peer": {
        const peer = parsePeerNews(value);
        if (peer !== undefined && draft.peers.length < MAX_NEWS_PEERS) draft.peers.push(peer);
        return true;
      }
      default:
        return true;
    }
  }

  #takeIp(address: LeaseAddress | undefined): boolean {
    if (address === undefined || isNeverLeased(address.family, address.value)) return false;
    if (address.family === 4) this.#draft.ipv4 = address.value;
    else this.#draft.ipv6 = address.value;
    return true;
  }

  #end(): LeaseReply | undefined {
    const { ipv4, ipv6, leaseTime, errno, message, routes, peers } = this.#draft;
    this.#draft = new Draft();
    if (errno === undefined) return undefined;
    if ((ipv4 !== undefined || ipv6 !== undefined) && leaseTime === 0) return undefined;
    return { ipv4, ipv6, leaseTime, errno, message, routes, peers };
  }
}
