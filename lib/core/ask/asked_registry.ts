/**
 * A registry while it is being asked, in whichever protocols it may speak: what is to be sent to it
 * and when, and what it has answered.
 *
 * Where its protocol is not known, each question goes out in both at the same moment. Any word of
 * wgsig 2 settles that; so does a whole answer in the first protocol, if that is here before. The file
 * is longer than others, since what is asked in one protocol ends what is asked in the other.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { readDatagramType } from "../../wire/wgsig2/datagram.ts";
import type { Now } from "../net/clock.ts";
import { type DatagramBatch, SLOT_SIZE } from "../net/datagram_batch.ts";
import { type Family, familyOf, formatHostPort, type HostPort } from "../net/host_port.ts";
import { formatAddress } from "../net/ip_address.ts";
import { areRefused, type AskedInquiry } from "./asked_inquiry.ts";
import type { Hearing } from "./conversation.ts";
import type { Exchange } from "./exchange.ts";
import { Inquiry } from "./inquiry.ts";
import { LookAround } from "./look_around.ts";
import type { PortSight } from "./nat_verdict.ts";
import type { Wish } from "./question_writer.ts";
import type { KnownRegistry } from "./registry_memory.ts";
import type { Roster } from "../roster/client/entry.ts";
import type { FollowerStep } from "../roster/client/follower.ts";
import type { ServerKeyNote } from "./server_key.ts";
import { ServerAddresses } from "./server_addresses.ts";
import type { RegistryName } from "./server_name.ts";
import { isOutdated, ownSighting, type Sighting, sightingsOf } from "./sighting.ts";

const FIRST_RETRY = 0.5;
const LAST_RETRY = 4;
/** The other family of addresses is tried after so long without a word, in seconds. */
const OTHER_FAMILY = 0.3;
/** Where all is known, so long is waited for the other family to be registered, in seconds. */
const GRACE = 1;
/** After so many questions that were refused, nothing is there. */
const MAX_REFUSED = 3;

/** What became of one registry. */
export type RegistryStatus =
  | "ok"
  | "incomplete"
  | "no-answer"
  | "not-authenticated"
  | "wrong-key"
  | "not-found";

/** A datagram to send. */
export interface Outgoing {
  readonly to: HostPort;
  /** Its size, in bytes. */
  readonly size: number;
}

/** Words of wgsig 2: what has opened. */
const WORDS = new Set<Hearing>([
  "answer",
  "retry",
  "push",
  "roster",
  "duplicate",
  "drop-key-refused",
]);

/** A registry while it is being asked. */
export class AskedRegistry {
  readonly name: RegistryName;
  /** The question in the first protocol. */
  readonly exchange: Exchange;
  readonly addresses: ServerAddresses;
  readonly #known: KnownRegistry;
  /** An address that was not asked, from which datagrams came. */
  stranger: string | undefined;
  /** Whether it answered with a wrong MAC, or for another group, in the first protocol. */
  badMac = false;
  /** How often the system said that nothing listens on the port that was asked. */
  refused = 0;
  #registers: boolean;
  /** When it is asked first: the monotonic clock. */
  #startsAt = Infinity;
  #triesSecond = true;
  #attempts = 0;
  #firstAt = 0;
  /** What is asked in wgsig 2 over a family of addresses each. */
  readonly #asking: AskedInquiry[] = [];
  /** How the own NAT maps, where that is looked at. */
  #look: LookAround | undefined;
  #followsRoster = false;
  #isSecondHeard = false;
  /** When all was known, in wgsig 2. */
  #knownAt = Infinity;
  #answeredFrom: string | undefined;
  /** Which of its addresses has told another key than the pinned one. */
  #otherKeyFrom: string | undefined;

  /**
   * @param exchange The question in the first protocol, of the same client.
   * @param hosts Its IP addresses.
   * @param registers Whether it is to note where the questions come from.
   */
  constructor(
    name: RegistryName,
    exchange: Exchange,
    known: KnownRegistry,
    hosts: readonly string[],
    registers: boolean,
  ) {
    this.name = name;
    this.exchange = exchange;
    this.#known = known;
    this.addresses = new ServerAddresses(hosts, name.port);
    this.#registers = registers;
  }

  /** Leaves the registered endpoint as it is, from the next question on. */
  keepEndpoint(): void {
    this.#registers = false;
    this.exchange.keepEndpoint();
  }

  /**
   * Asks its other ports as well, if it tells of any: how the own NAT maps the port that asks. In wgsig
   * 2, nothing is registered then: what this peer has told of itself stays as it is.
   */
  lookAround(): void {
    this.#look = new LookAround(this.#known.conversation);
  }

  /** Asks for its roster as well: of the peers that it knows by name. */
  followRoster(): void {
    this.#followsRoster = true;
  }

  /** What it has told of the peers that it knows by name; undefined where it has not. */
  get roster(): Roster | undefined {
    const { roster } = this.#known.conversation;
    return roster.isComplete ? roster : undefined;
  }

  /** Asks from this time of the monotonic clock on. */
  start(at: number, now: Now): void {
    this.#startsAt = this.#firstAt = at;
    this.#triesSecond = this.#known.spoken.asks(now).v2;
  }

  /**
   * Writes the next datagram that is due at the start of `out`, which has 1232 bytes. What is sent in
   * wgsig 2 comes before the same in the first protocol.
   *
   * @returns Undefined where none is due.
   */
  write(out: WireBuffer, now: Now): Outgoing | undefined {
    if (now.mono < this.#startsAt || this.isDone(now)) return undefined;
    // Who has always spoken the first protocol, and is silent, is asked again in both.
    if (this.#attempts > 0 && now.mono >= this.#firstAt) this.#triesSecond = true;
    if (this.#asksSecond) {
      this.#startAsking(now);
      for (const asking of this.#asking) {
        if (asking.inquiry.next(now).kind !== "ask" || this.#isGivenUp(asking.family)) continue;
        const to = this.addresses.toAsk(now.mono, asking.family);
        return this.#send(asking, to, out, now);
      }
      if (this.#rosterStep(now)?.kind === "ask") {
        const { conversation } = this.#known;
        const { family } = this.#asking.find(({ inquiry }) => inquiry.isDone) ?? this.#asking[0]!;
        const to = this.addresses.toAsk(now.mono, family);
        return { to, size: conversation.writeRoster(out, now) };
      }
      const looking = this.#look?.due(now);
      if (looking !== undefined) {
        const to = this.#look?.placeOf(looking) ??
          this.addresses.toAsk(now.mono, looking.family, looking.port ?? this.name.port);
        this.addresses.accept(to.port);
        return this.#send(looking, to, out, now);
      }
    }
    if (!this.#asksFirst(now) || now.mono < this.#firstAt) return undefined;
    const to = this.addresses.toAsk(now.mono, this.#registers ? 4 : undefined);
    const doublings = Math.floor(this.#attempts++ / this.addresses.countOf(familyOf(to)));
    this.#firstAt = now.mono + Math.min(FIRST_RETRY * 2 ** doublings, LAST_RETRY);
    const { labels } = this.#known.conversation;
    return { to, size: this.exchange.writeRequest(out, labels.timeAt(now.unix)) };
  }

  /** What there is to do about the roster, once its version was told; undefined for nothing. */
  #rosterStep(now: Now): FollowerStep | undefined {
    if (!this.#followsRoster || this.#knownAt === Infinity) return undefined;
    const step = this.#known.conversation.roster.next(now);
    return step.kind === "done" ? undefined : step;
  }

  #send(asking: AskedInquiry, to: HostPort, out: WireBuffer, now: Now): Outgoing {
    asking.attempts++;
    this.#look?.note(asking, to, now);
    return { to, size: asking.inquiry.write(out, now) };
  }

  /** When {@linkcode write} has something again, or it is done, unless something comes: monotonic. */
  dueAt(now: Now): number {
    if (now.mono < this.#startsAt) return this.#startsAt;
    const due = [this.#knownAt + GRACE, this.#look?.until ?? Infinity];
    if (this.#asksFirst(now)) due.push(this.#firstAt);
    const roster = this.#rosterStep(now);
    if (roster?.kind === "wait") due.push(roster.until);
    if (this.#asksSecond) {
      due.push(this.#startsAt + OTHER_FAMILY);
      for (const { family, inquiry } of this.#asking) {
        const step = inquiry.next(now);
        if (step.kind === "wait" && !this.#isGivenUp(family)) due.push(step.until);
      }
    }
    return Math.min(...due.filter((at) => at > now.mono));
  }

  /** Whether all is here that is to come, or nothing can. */
  isDone(now: Now): boolean {
    const { all, families } = this.addresses;
    if (all.length === 0) return true;
    const asking = this.#asking;
    const isClosed = this.refused >= MAX_REFUSED && this.addresses.areRefused;
    const isRefused = isClosed || asking.length > 0 && areRefused(asking, this.addresses, now.mono);
    const tries = Math.max(this.#attempts, ...asking.map(({ attempts }) => attempts));
    if (isRefused && tries >= MAX_REFUSED) return true;
    if (!this.#isSecondHeard) return this.exchange.isComplete;
    if (this.#rosterStep(now) !== undefined) return false;
    if (this.#look?.isOver(now, this.#knownAt) === false) return false;
    if (!this.#registers && this.#look === undefined) return this.#knownAt < Infinity;
    const isSettled = (family: Family) => {
      const its = asking.find((each) => each.family === family);
      return its?.inquiry.isDone ?? this.#isGivenUp(family);
    };
    return now.mono >= this.#knownAt + GRACE ||
      this.#knownAt < Infinity &&
        families.every((each) => isSettled(each) || this.#isGivenUp(each));
  }

  /** Takes in datagram `i`, which comes from one of its addresses. Returns whether it was for it alone. */
  receive(batch: DatagramBatch, i: number, now: Now): boolean {
    const at = i * SLOT_SIZE;
    const length = batch.lengths[i]!;
    const isSecond = readDatagramType(batch.payloads, at, length) !== 0;
    const hearing = isSecond
      ? this.#known.conversation.receive(batch.payloads, at, length, now)
      : "drop-not-wgsig2";
    if (WORDS.has(hearing)) {
      this.#isSecondHeard = true;
      this.#known.spoken.heard(2, now);
      if (hearing === "drop-key-refused") this.#noteOtherKey(batch, i, now);
      // Anyone on the way can send a copy of what was heard, from wherever it likes.
      else if (hearing !== "duplicate") this.#noteSender(batch, i);
      const isKnown = this.#asking.some(({ inquiry }) => inquiry.isDone && inquiry.wish.asks);
      if (isKnown && this.#knownAt === Infinity) this.#knownAt = now.mono;
      this.#look?.follow(this.#asking.find(({ family }) => family === 4)?.inquiry, now);
      return true;
    }
    if (this.#isSecondHeard || this.#known.conversation.isPinned) return false;
    const receipt = this.exchange.receive(batch.payloads, at, length);
    if (receipt === "accepted") this.#noteSender(batch, i);
    // What looks like wgsig 2 and didn't open is late, most likely.
    if (!isSecond && (receipt === "drop-bad-mac" || receipt === "drop-group-mismatch")) {
      this.badMac = true;
    }
    if (this.exchange.isComplete) this.#known.spoken.heard(1, now);
    return false;
  }

  /** Takes in that it is asked no more. */
  finish(now: Now): void {
    const hasAsked = this.#attempts > 0 || this.#asking.length > 0;
    if (hasAsked && this.protocol === undefined) this.#known.spoken.wasSilent(now);
  }

  /** What the system said of one of its addresses, with one of the codes of sockets. */
  noteProblem(host: string, code: string, now: Now): void {
    if (code === "ECONNREFUSED") {
      this.refused++;
      this.addresses.noteRefused(host);
    } else this.addresses.noteProblem(host, code);
    this.#moveOn(familyOf({ host }), now);
  }

  /** Notes who answers from the port that was asked, but from another address. */
  noteStranger(batch: DatagramBatch, i: number): void {
    if (batch.sourcePort(i) !== this.name.port) return;
    const host = formatAddress(batch.sources, batch.sourceAt(i));
    this.stranger = formatHostPort({ host, port: this.name.port });
  }

  /** The IP address that it has answered from last. */
  get answeredFrom(): string | undefined {
    return this.#answeredFrom;
  }

  /** The protocol in which it has answered. */
  get protocol(): 1 | 2 | undefined {
    return this.#isSecondHeard ? 2 : this.exchange.received > 0 ? 1 : undefined;
  }

  /** How many datagrams of its answer came. */
  get received(): number {
    return this.#isSecondHeard ? this.#told.received : this.exchange.received;
  }

  /** How many it has, as far as is known. */
  get expected(): number | undefined {
    return this.#isSecondHeard ? this.#told.expected : this.exchange.expected;
  }

  /** The registry's public key, 32 bytes, as far as it is known in wgsig 2. */
  get serverKey(): Uint8Array | undefined {
    return this.#isSecondHeard ? this.#known.conversation.serverKey : undefined;
  }

  /** Whether its key is pinned. */
  get isPinned(): boolean {
    return this.#known.conversation.isPinned;
  }

  /** Whether it wants a proof: there was none, or not the right one. */
  get isProofRefused(): boolean {
    return this.#asking.some(({ inquiry }) => inquiry.isProofRefused);
  }

  /** Where it has registered this peer, IPv4 first. */
  get ownEndpoints(): readonly HostPort[] {
    if (!this.#registers) return [];
    if (this.protocol === 1) {
      const { publicKey } = this.exchange;
      const own = this.exchange.peer(publicKey);
      return own === undefined ? [] : [{ host: own.address, port: own.port }];
    }
    return this.#asking.toSorted((a, b) => a.family - b.family).flatMap(({ inquiry }) =>
      inquiry.isRegistered && inquiry.seen !== undefined ? [inquiry.seen] : []
    );
  }

  /** Where each port of it that was asked has seen the port that asks, over each family. */
  get sights(): readonly PortSight[] {
    if (this.protocol === 1) {
      const host = this.#answeredFrom ?? this.name.host;
      return this.ownEndpoints.map((seen) => ({
        server: formatHostPort(this.name),
        registry: { host, port: this.name.port },
        seen,
        askedAt: this.#startsAt,
      }));
    }
    return this.#look?.sights(this.name) ?? [];
  }

  /** Where it relays, if it does, and that was looked for. */
  get relay(): HostPort | undefined {
    return this.#look?.relay;
  }

  /** What is to be said of the registry's key, once; and where that was told. */
  takeNote(): ServerKeyNote & { readonly from?: string | undefined } | undefined {
    const note = this.#known.conversation.takeNote();
    const isRefused = note?.kind === "server-key-refused";
    return note && { ...note, from: isRefused ? this.#otherKeyFrom : this.#answeredFrom };
  }

  /** What it has told of peers, the own record among them. @param maxAge Of records, in seconds. */
  sightings(now: Now, maxAge: number): readonly Sighting[] {
    if (this.protocol !== 2) return this.exchange.peers(now.unix);
    if (this.received === 0) return [];
    const { publicKey } = this.exchange;
    const own = this.ownEndpoints.map((endpoint) => ownSighting(publicKey, endpoint, now));
    const told = [...this.#known.conversation.directory.peers()]
      .filter((peer) => own.length === 0 || peer.publicKey !== publicKey)
      .flatMap((peer) => sightingsOf(peer, now))
      .filter((each) => !isOutdated(each, now.unix, maxAge));
    return [...own, ...told];
  }

  /** What became of it so far. */
  get status(): RegistryStatus {
    if (this.addresses.all.length === 0) return "not-found";
    if (this.#isSecondHeard) {
      const inquiries = this.#asking.map(({ inquiry }) => inquiry);
      if (this.#knownAt < Infinity && !inquiries.some(({ isCut }) => isCut)) return "ok";
      if (this.#told.received > 0) return "incomplete";
      if (inquiries.some(({ isKeyRefused }) => isKeyRefused)) return "wrong-key";
      return this.isProofRefused ? "not-authenticated" : "no-answer";
    }
    if (this.exchange.isComplete) return "ok";
    if (this.exchange.received > 0) return "incomplete";
    return this.badMac ? "not-authenticated" : "no-answer";
  }

  /** What has told most of the peers. */
  get #told(): Pick<Inquiry, "received" | "expected"> {
    const inquiries = this.#asking.map(({ inquiry }) => inquiry).filter(({ wish }) => wish.asks);
    return inquiries.find(({ isDone }) => isDone) ??
      inquiries.toSorted((a, b) => b.received - a.received)[0] ??
      { received: 0, expected: undefined };
  }

  #asksFirst(now: Now): boolean {
    return !this.#isSecondHeard && !this.exchange.isComplete && this.#known.spoken.asks(now).v1;
  }

  get #asksSecond(): boolean {
    return this.#isSecondHeard || this.#triesSecond && !this.exchange.isComplete;
  }

  /** Whether the system can't send to a family, and can to the other. */
  #isGivenUp(family: Family): boolean {
    return !this.addresses.works(family) && this.addresses.works(family === 4 ? 6 : 4);
  }

  /**
   * Starts with the first family; with the other one when that has told everything, to register there
   * as well, or when it is silent.
   */
  #startAsking(now: Now): void {
    const [first, other] = this.addresses.families;
    const [before] = this.#asking;
    if (before === undefined) this.#startOver(first!, true, now);
    if (before === undefined || other === undefined || this.#asking.length > 1) return;
    const isSilent = !before.inquiry.isHeard &&
      (now.mono >= this.#startsAt + OTHER_FAMILY || this.#isGivenUp(before.family));
    const wantsBoth = this.#registers || this.#look !== undefined;
    if (isSilent || wantsBoth && this.#knownAt < Infinity) {
      this.#startOver(other, isSilent, now);
    }
  }

  #startOver(family: Family, asks: boolean, now: Now): void {
    const registers = this.#registers && this.#look === undefined;
    const wish: Wish = { family, registers, asks, roster: asks && this.#followsRoster };
    const count = this.addresses.countOf(family);
    const inquiry = new Inquiry(this.#known.conversation, wish, now, count);
    this.#asking.push({ family, inquiry, isOwn: true, attempts: 0 });
  }

  /** Asks another address at once, if there is one of that family that nothing speaks against. */
  #moveOn(family: Family, now: Now): void {
    if (!this.addresses.hasOther(now.mono, family)) return;
    for (const { inquiry, family: its } of this.#asking) if (its === family) inquiry.moveOn(now);
    if (this.#attempts > 0 && this.#attempts < this.addresses.countOf(family)) {
      this.#firstAt = now.mono;
    }
  }

  #noteOtherKey(batch: DatagramBatch, i: number, now: Now): void {
    const sender = this.addresses.senderOf(batch, i);
    if (sender === undefined) return;
    this.addresses.noteOtherKey(sender.host);
    this.#otherKeyFrom = sender.host;
    this.#moveOn(familyOf(sender), now);
  }

  #noteSender(batch: DatagramBatch, i: number): void {
    const sender = this.addresses.senderOf(batch, i);
    if (sender === undefined) return;
    this.addresses.heard(sender.host);
    this.#answeredFrom = sender.host;
  }
}
