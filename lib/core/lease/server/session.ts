/**
 * The server's side of one wg-dynamic connection: bytes of a peer in, bytes for it out.
 *
 * @module
 */

import {
  encodeLeaseReply,
  LEASE_ERRNO,
  type LeaseErrno,
  LeaseReader,
  MAX_LEASE_NUMBER,
  parseLeaseNumber,
} from "../../../wire/lease/message.ts";
import { joinBytes } from "../../../wire/bytes/wire_buffer.ts";
import { formatLeaseAddress, parseLeaseIp } from "../address.ts";
import type { LeaseBook, LeaseGrant, LeaseWish } from "./book.ts";
import { LeaseBudgets } from "./budget.ts";
import { type LeaseNews, type LeaseWants, newsValues, NO_NEWS, parseWants } from "../news.ts";
import type { Now } from "../../net/clock.ts";

/** The most lines of a request. */
export const MAX_REQUEST_LINES = 64;
const COMMAND = "request_ip";
const VERSION = 1;
const NO_WANTS: LeaseWants = { routes: false, peers: false };

/** Says what a client is told besides its addresses; called only for one that wants it. */
export type NewsSource = (publicKey: string) => LeaseNews;

/** A whole request. */
export interface LeaseAsk extends LeaseWish {
  /** What it wants to be told besides addresses. */
  readonly wants: LeaseWants;
}

/** What to do with the connection. */
export interface LeaseAnswer {
  /** What to send; may be empty. The caller's. */
  readonly bytes: Uint8Array;
  /** Whether to close the connection once they are sent. */
  readonly close: boolean;
  /** Whether the connection's last request, now or before, was refused all that it asked for. */
  readonly refused: boolean;
}

/** One connection of a peer that is known. What it changes is in the book. */
export class LeaseSession {
  readonly #publicKey: string;
  readonly #book: LeaseBook;
  readonly #news: NewsSource;
  readonly #budgets: LeaseBudgets;
  readonly #reader = new LeaseReader();
  #closed = false;
  #refused = false;
  // The request that is being read.
  #lines = 0;
  #ipv4: bigint | undefined;
  #ipv6: bigint | undefined;
  #wants = NO_WANTS;

  /**
   * Starts with a new connection.
   *
   * @param publicKey Of the peer, in base64, as its whole link-local source address says.
   * @param budgets What peers may be sent; of all connections in common.
   */
  constructor(
    publicKey: string,
    book: LeaseBook,
    news: NewsSource = () => NO_NEWS,
    budgets: LeaseBudgets = new LeaseBudgets(),
  ) {
    this.#publicKey = publicKey;
    this.#book = book;
    this.#news = news;
    this.#budgets = budgets;
  }

  /**
   * Takes in bytes as they came: any pieces of any number of requests. After an answer that closes,
   * it answers nothing more. Where the client closes its side, the caller closes the connection.
   */
  receive(bytes: Uint8Array, now: Now): LeaseAnswer {
    const replies: Uint8Array[] = [];
    for (const ask of this.#asksIn(bytes)) {
      const reply = ask instanceof Uint8Array
        ? ask
        : this.mayAsk(now)
        ? this.#reply(ask, this.#book.request(this.#publicKey, ask, now.mono), now)
        : this.#refuse(LEASE_ERRNO.invalidRequest);
      replies.push(reply);
    }
    return this.#answerOf(replies);
  }

  /**
   * The same in two steps, where others decide what is granted: what is asked for in these bytes,
   * in order, which {@linkcode LeaseSession.answer} is to be called with.
   *
   * @param most With more requests than so many, it is closed.
   */
  asks(bytes: Uint8Array, most: number): (LeaseAsk | Uint8Array)[] {
    const asks: (LeaseAsk | Uint8Array)[] = [];
    for (const ask of this.#asksIn(bytes)) {
      asks.push(asks.length < most ? ask : this.#refuse(LEASE_ERRNO.invalidRequest));
    }
    return asks;
  }

  /** Whether it may be sent something just now. */
  mayAsk({ mono }: Now): boolean {
    return this.#budgets.mayAsk(this.#publicKey, mono);
  }

  /** Answers what was asked. @param grants By what was asked; where one is missing, it is refused. */
  answer(
    asks: readonly (LeaseAsk | Uint8Array)[],
    grants: ReadonlyMap<LeaseAsk, LeaseGrant>,
    now: Now,
  ): LeaseAnswer {
    return this.#answerOf(asks.map((ask) => {
      if (ask instanceof Uint8Array) return ask;
      const grant = grants.get(ask);
      return grant === undefined
        ? this.#refuse(LEASE_ERRNO.invalidRequest)
        : this.#reply(ask, grant, now);
    }));
  }

  #answerOf(replies: Uint8Array[]): LeaseAnswer {
    return { bytes: joinBytes(replies), close: this.#closed, refused: this.#refused };
  }

  /** What is asked for, or the reply to what is wrong. */
  *#asksIn(bytes: Uint8Array): Generator<LeaseAsk | Uint8Array> {
    for (let at = 0; at < bytes.length && !this.#closed;) {
      at = this.#reader.read(bytes, at);
      const { found } = this.#reader;
      if (found === "nothing") break;
      const ask = found === "field"
        ? this.#takeField()
        : found === "end"
        ? this.#endRequest()
        : this.#refuse(LEASE_ERRNO.invalidRequest);
      if (ask !== undefined) yield ask;
    }
  }

  /** Takes a line in; returns a reply where it is wrong. */
  #takeField(): Uint8Array | undefined {
    const { key, value } = this.#reader;
    const { invalidRequest, unsupportedProtocol } = LEASE_ERRNO;
    if (this.#lines++ === 0) {
      if (key !== COMMAND) return this.#refuse(unsupportedProtocol);
      const version = parseLeaseNumber(value);
      if (version === VERSION) return undefined;
      return this.#refuse(version < 0 ? invalidRequest : unsupportedProtocol);
    }
    if (this.#lines > MAX_REQUEST_LINES) return this.#refuse(invalidRequest);
    switch (key) {
      case COMMAND:
        return this.#refuse(invalidRequest);
      case "ip": {
        const address = parseLeaseIp(value);
        if (address === undefined) return this.#refuse(invalidRequest);
        if (address.family === 4) this.#ipv4 = address.value;
        else this.#ipv6 = address.value;
        return undefined;
      }
      case "leasestart":
      case "leasetime":
      case "errno":
        return parseLeaseNumber(value) < 0 ? this.#refuse(invalidRequest) : undefined;
      case "want":
        this.#wants = parseWants(value);
        return undefined;
      default:
        return undefined;
    }
  }

  #endRequest(): LeaseAsk | Uint8Array {
    if (this.#lines === 0) return this.#refuse(LEASE_ERRNO.unsupportedProtocol);
    const ask = { ipv4: this.#ipv4, ipv6: this.#ipv6, wants: this.#wants };
    this.#lines = 0;
    this.#ipv4 = undefined;
    this.#ipv6 = undefined;
    this.#wants = NO_WANTS;
    return ask;
  }

  #reply({ wants }: LeaseAsk, { ipv4, ipv6, refused, endsAt }: LeaseGrant, now: Now): Uint8Array {
    const { mono } = now;
    const hasSome = ipv4 !== undefined || ipv6 !== undefined;
    const tells = (wants.routes || wants.peers) && hasSome;
    this.#refused = refused && !hasSome;
    const reply = encodeLeaseReply({
      ipv4: ipv4 === undefined ? undefined : formatLeaseAddress({ family: 4, value: ipv4 }),
      ipv6: ipv6 === undefined ? undefined : formatLeaseAddress({ family: 6, value: ipv6 }),
      leaseStart: Math.min(MAX_LEASE_NUMBER, Math.max(0, Math.floor(now.unix))),
      leaseTime: endsAt === undefined
        ? this.#book.leaseTime
        : Math.min(MAX_LEASE_NUMBER, Math.max(0, Math.floor(endsAt - mono))),
      errno: refused ? LEASE_ERRNO.unavailable : LEASE_ERRNO.ok,
      ...newsValues(tells ? this.#news(this.#publicKey) : NO_NEWS, wants),
    });
    this.#budgets.spend(this.#publicKey, reply.length, mono);
    return reply;
  }

  #refuse(errno: LeaseErrno): Uint8Array {
    this.#closed = true;
    return encodeLeaseReply({ leaseStart: 0, leaseTime: 0, errno, routes: [], peers: [] });
  }
}
