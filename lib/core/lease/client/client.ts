/**
 * The client's side of wg-dynamic: what to ask, when, and what comes of it.
 *
 * The caller loops over {@linkcode LeaseClient.next}: it asks, waits or hangs up as told, hands over
 * what comes in, says when a connection is over, and takes the events. All times are seconds of one
 * monotonic clock. A lease counts from the moment its reply came in, whatever the server's clock says.
 *
 * @module
 */

import { encodeLeaseRequest, LEASE_ERRNO } from "../../../wire/lease/message.ts";
import {
  type Family,
  formatLeaseAddress,
  formatLeaseCidr,
  type LeaseAddress,
  parseLeaseIp,
} from "../address.ts";
import { formatWants, type LeaseWants, NO_NEWS, type PeerNews } from "../news.ts";
import { type Bounds, siftReply } from "./bounds.ts";
import { type LeaseReply, LeaseReplyReader } from "./reply.ts";

/** After a refusal it is asked again, in seconds. */
export const REFUSED_RETRY = 30;
/** The longest wait after a connection that failed, in seconds; the first is one second. */
const MAX_FAILED_RETRY = 30;
/** So long before the end a lease is renewed, or half of what is left, whichever is less. */
const RENEW_BEFORE = 30;
/** How long an answer may take, in seconds. */
const REPLY_TIMEOUT = 10;
/** A lease counts for a day at most, in seconds: then it is asked for again. */
export const MAX_LEASE_TIME = 86_400;
/** After an error that is not a refusal: without what may have caused it, it is tried soon. */
const FALLBACK_RETRY = 1;

/** What a client asks for. */
export interface LeaseClientOptions {
  /** What it wants to be told besides its addresses. */
  readonly wants: LeaseWants;
  /**
   * Addresses (of a lease before a restart) to ask for again, a prefix length being ignored. They
   * count as held until the first answer: where that refuses them, they are given up at once.
   */
  readonly held?: readonly string[];
  /** What is taken of what the server says; everything where this is left out. */
  readonly bounds?: Bounds;
}

/** What to do next. */
export type LeaseStep =
  /** Send these bytes, over a new connection where there is none. */
  | { readonly kind: "ask"; readonly bytes: Uint8Array }
  /** Close the connection and call `next` again: the server is silent, or says what it may not. */
  | { readonly kind: "hang-up" }
  /** Nothing, until this time or until something comes in. */
  | { readonly kind: "wait"; readonly until: number };

/** What happened. */
export type LeaseEvent =
  /** The addresses to have, as /32 and /128, and those that are to be removed, first. */
  | {
    readonly kind: "addresses";
    readonly addresses: readonly string[];
    readonly gone: readonly string[];
    readonly why: "leased" | "expired" | "refused" | "released";
  }
  /** The lease was renewed or granted, for so many seconds. */
  | { readonly kind: "leased"; readonly leaseTime: number; readonly renewAt: number }
  /** All routes through the tunnel that the server tells. */
  | { readonly kind: "routes"; readonly routes: readonly string[] }
  /** All peers that the server tells of. */
  | { readonly kind: "peers"; readonly peers: readonly PeerNews[] }
  /** The server said no, to all or to a family. What is held stays until it ends. */
  | {
    readonly kind: "refused";
    readonly errno: number;
    readonly message: string;
    readonly retryAt: number;
  }
  /** Addresses and routes that the server named and this host must not have: none where that is over. */
  | { readonly kind: "not-taken"; readonly prefixes: readonly string[] }
  /** The connection ended before the answer, or no answer came in time. */
  | { readonly kind: "no-answer"; readonly retryAt: number }
  /** The answer was none. */
  | { readonly kind: "bad-reply"; readonly retryAt: number };

interface Held {
  readonly address: LeaseAddress;
  /** When it ends; undefined where no answer has confirmed it yet. */
  readonly until: number | undefined;
}

const ANY: Readonly<Record<Family, string>> = { 4: "0.0.0.0", 6: "::" };

/** One client of one server. */
export class LeaseClient {
  readonly #held = new Map<Family, Held>();
  #wants: LeaseWants;
  #bounds: Bounds | undefined;
  /** Whether the server has to be asked for addresses alone. */
  #isPlain = false;
  #reader = new LeaseReplyReader();
  /** When the question was sent that is not answered yet. */
  #askedAt: number | undefined;
  /** When to ask next. */
  #askAt = -Infinity;
  /** Connections in a row that failed. */
  #failures = 0;
  /** Answers in a row that granted one family and refused the other. */
  #refusals = 0;
  #hangsUp = false;
  #ended = false;
  #routes: readonly string[] = [];
  #peers: readonly PeerNews[] = [];
  #notTaken: readonly string[] = [];
  #events: LeaseEvent[] = [];

  /** Makes a client that will ask at once. */
  constructor(options: LeaseClientOptions) {
    this.#wants = options.wants;
    this.#bounds = options.bounds;
    for (const text of options.held ?? []) {
      const address = parseLeaseIp(text);
      if (address !== undefined) this.#held.set(address.family, { address, until: undefined });
    }
  }

  /** The addresses that are held, as /32 and /128. */
  get addresses(): string[] {
    return ([4, 6] as const).flatMap((family) => this.#held.get(family) ?? [])
      .map(({ address }) => formatLeaseCidr(address));
  }

  /**
   * Says what it wants to be told from now on. What it did not want before is asked for at once, but
   * not of a server that is away, or has refused all.
   */
  want(wants: LeaseWants, mono: number): void {
    if (this.#isPlain || this.#ended) return;
    const { routes, peers } = this.#wants;
    const wantsMore = (wants.routes && !routes) || (wants.peers && !peers);
    this.#wants = wants;
    if (wantsMore && this.#failures === 0 && this.#held.size > 0) {
      this.#askAt = Math.min(this.#askAt, mono);
    }
  }

  /** Says what is taken from now on of what the server says. */
  bind(bounds: Bounds): void {
    this.#bounds = bounds;
  }

  /** What happened since this was last called, in order. */
  takeEvents(): LeaseEvent[] {
    const events = this.#events;
    if (events.length > 0) this.#events = [];
    return events;
  }

  /** Says what to do. A question that it returns counts as asked. */
  next(mono: number): LeaseStep {
    this.#expire(mono);
    if (this.#hangsUp) {
      this.#hangsUp = false;
      this.#reader = new LeaseReplyReader();
      return { kind: "hang-up" };
    }
    if (this.#ended) return { kind: "wait", until: Infinity };
    if (this.#askedAt !== undefined) {
      const deadline = this.#askedAt + REPLY_TIMEOUT;
      if (mono < deadline) return { kind: "wait", until: Math.min(deadline, this.#firstEnd()) };
      this.#fail("no-answer", mono);
      this.#reader = new LeaseReplyReader();
      return { kind: "hang-up" };
    }
    if (mono < this.#askAt) {
      return { kind: "wait", until: Math.min(this.#askAt, this.#firstEnd()) };
    }
    this.#askedAt = mono;
    return { kind: "ask", bytes: this.#request() };
  }

  /** Takes in bytes as they came. What was not asked for is passed over. */
  receive(bytes: Uint8Array, mono: number): void {
    this.#expire(mono);
    for (const reply of this.#reader.push(bytes)) {
      if (reply === "damaged") {
        this.#hangsUp = true;
        if (this.#askedAt !== undefined) this.#fail("bad-reply", mono);
      } else if (this.#askedAt !== undefined && !this.#hangsUp) {
        this.#askedAt = undefined;
        this.#failures = 0;
        this.#adopt(reply, mono);
      }
    }
  }

  /** Says that a connection is over, or could not be made. */
  lost(mono: number): void {
    this.#reader = new LeaseReplyReader();
    this.#hangsUp = false;
    if (this.#askedAt !== undefined) this.#fail("no-answer", mono);
  }

  /**
   * Gives all up: nothing is asked any more.
   *
   * @returns What to send to the server before the connection is closed; nothing where it holds
   *   nothing.
   */
  end(): Uint8Array {
    if (this.#ended) return new Uint8Array(0);
    this.#ended = true;
    const mayHold = this.#held.size > 0 || this.#askedAt !== undefined;
    this.#askedAt = undefined;
    this.#change("released", () => this.#held.clear());
    this.#tell([], this.#peers);
    return mayHold ? encodeLeaseRequest({}) : new Uint8Array(0);
  }

  #request(): Uint8Array {
    const textOf = (family: Family) => {
      const held = this.#held.get(family);
      return held === undefined ? ANY[family] : formatLeaseAddress(held.address);
    };
    return encodeLeaseRequest({
      ipv4: textOf(4),
      ipv6: textOf(6),
      want: formatWants(this.#wants),
    });
  }

  #adopt(reply: LeaseReply, mono: number): void {
    const { errno, message } = reply;
    const leaseTime = Math.min(reply.leaseTime, MAX_LEASE_TIME);
    if (errno !== LEASE_ERRNO.ok && errno !== LEASE_ERRNO.unavailable) {
      this.#fallBack(errno, message, mono);
      return;
    }
    const { granted, routes, notTaken } = siftReply(reply, this.#wants.routes, this.#bounds);
    this.#tellNotTaken(notTaken);
    let givesUp = false;
    this.#change(granted.size > 0 ? "leased" : "refused", () => {
      for (const [family, value] of granted) {
        this.#held.set(family, { address: { family, value }, until: mono + leaseTime });
      }
      for (const [family, { until }] of this.#held) {
        if (until !== undefined) continue;
        this.#held.delete(family);
        givesUp = true;
      }
    });

    const renewAt = mono + leaseTime - Math.min(RENEW_BEFORE, leaseTime / 2);
    this.#askAt = granted.size > 0 ? renewAt : Infinity;
    if (granted.size < 2) this.#askAt = Math.min(this.#askAt, mono + this.#refusedRetry(granted));
    else this.#refusals = 0;
    // Any other address will do.
    if (givesUp) this.#askAt = mono;
    if (granted.size > 0) {
      this.#events.push({ kind: "leased", leaseTime, renewAt: this.#askAt });
      this.#tell(routes, reply.peers);
    }
    if (reply.ipv4 === undefined || reply.ipv6 === undefined) {
      this.#events.push({ kind: "refused", errno, message, retryAt: this.#askAt });
    }
  }

  /**
   * How long to wait after a refusal. A server that has addresses of one family alone refuses the
   * other again and again: it is asked less and less often, at renewals at least.
   */
  #refusedRetry(granted: ReadonlyMap<Family, bigint>): number {
    if (granted.size === 0) return REFUSED_RETRY;
    return REFUSED_RETRY * 2 ** Math.min(this.#refusals++, 16);
  }

  /** The server did not understand: perhaps what was asked for besides addresses. */
  #fallBack(errno: number, message: string, mono: number): void {
    const asksLess = this.#wants.routes || this.#wants.peers;
    this.#wants = { routes: false, peers: false };
    this.#isPlain = true;
    this.#askAt = mono + (asksLess ? FALLBACK_RETRY : REFUSED_RETRY);
    this.#events.push({ kind: "refused", errno, message, retryAt: this.#askAt });
    // The server closes the connection, too.
    this.#hangsUp = true;
  }

  #fail(kind: "no-answer" | "bad-reply", mono: number): void {
    this.#askedAt = undefined;
    this.#askAt = mono + Math.min(MAX_FAILED_RETRY, 2 ** Math.min(this.#failures++, 16));
    this.#events.push({ kind, retryAt: this.#askAt });
  }

  /** When the first lease ends that is held, on the monotonic clock; undefined where that isn't known. */
  get endsAt(): number | undefined {
    const end = this.#firstEnd();
    return end === Infinity ? undefined : end;
  }

  /** When the first lease ends that is held. */
  #firstEnd(): number {
    return Math.min(...Array.from(this.#held.values(), ({ until }) => until ?? Infinity));
  }

  #expire(mono: number): void {
    if (this.#firstEnd() > mono) return;
    this.#change("expired", () => {
      for (const [family, { until }] of this.#held) {
        if (until !== undefined && until <= mono) this.#held.delete(family);
      }
    });
    if (this.#held.size === 0) this.#tell([], this.#peers);
    // A refused address has ended: any other will do. A server that is away gets no more questions.
    if (this.#failures === 0) this.#askAt = Math.min(this.#askAt, mono);
  }

  /** Changes what is held, and says so. */
  #change(why: "leased" | "expired" | "refused" | "released", change: () => void): void {
    const before = this.addresses;
    change();
    const addresses = this.addresses;
    const gone = before.filter((address) => !addresses.includes(address));
    const isNew = addresses.some((address) => !before.includes(address));
    if (gone.length > 0 || isNew) this.#events.push({ kind: "addresses", addresses, gone, why });
  }

  #tellNotTaken(prefixes: readonly string[]): void {
    if (isSame(this.#notTaken, prefixes)) return;
    this.#notTaken = prefixes;
    this.#events.push({ kind: "not-taken", prefixes });
  }

  #tell(routes: readonly string[], peers: readonly PeerNews[]): void {
    const wanted = {
      routes: this.#wants.routes ? routes : NO_NEWS.routes,
      peers: this.#wants.peers ? peers : NO_NEWS.peers,
    };
    if (!isSame(this.#routes, wanted.routes)) {
      this.#routes = wanted.routes;
      this.#events.push({ kind: "routes", routes: wanted.routes });
    }
    if (!isSame(this.#peers, wanted.peers)) {
      this.#peers = wanted.peers;
      this.#events.push({ kind: "peers", peers: wanted.peers });
    }
  }
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
