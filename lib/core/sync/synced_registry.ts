/**
 * A registry that is asked for an interface again and again, and tells of changes in between.
 *
 * It is a little longer than a file should be because what it has said, in whichever protocol, is told
 * here alone.
 *
 * @module
 */

import type { RegistryStatus } from "../ask/asked_registry.ts";
import type { Hearing } from "../ask/conversation.ts";
import type { Exchange } from "../ask/exchange.ts";
import type { Inquiry } from "../ask/inquiry.ts";
import type { KnownRegistry } from "../ask/registry_memory.ts";
import { ServerAddresses } from "../ask/server_addresses.ts";
import type { Roster } from "../roster/client/entry.ts";
import type { ServerKeyNote } from "../ask/server_key.ts";
import type { RegistryName } from "../ask/server_name.ts";
import { type Became, Standing } from "../ask/standing.ts";
import { ownSighting, type Sighting, sightingsOf } from "../ask/sighting.ts";
import { type DatagramBatch, SLOT_SIZE } from "../net/datagram_batch.ts";
import type { Now } from "../net/clock.ts";
import { type Family, familyOf, formatHostPort, type HostPort } from "../net/host_port.ts";
import { formatAddress } from "../net/ip_address.ts";
import { OFFER } from "../../wire/wgsig2/answer.ts";
import { readDatagramType } from "../../wire/wgsig2/datagram.ts";
import { OwnMapping } from "../ask/own_mapping.ts";
import { type RoundOptions, type RoundStep, ServerRound } from "./server_round.ts";

/** After so many questions that were refused, nothing is there. */
const MAX_REFUSED = 4;

/** What is asked. */
export interface AskedRound extends
  Pick<
    RoundOptions,
    "registers" | "subscribes" | "followsRoster" | "own" | "startsIn" | "endsAt"
  > {
  /** The own public key in base64. */
  readonly publicKey: string;
  /** Makes a question of the first protocol, where it is spoken. */
  readonly newExchange: (registers: boolean) => Exchange;
  /** Whether to ask in the first protocol through another port as well, to compare. */
  readonly compares: boolean;
}

/** A word of wgsig 2: something that opened. */
const WORDS: ReadonlySet<Hearing> = new Set([
  "answer",
  "retry",
  "push",
  "roster",
  "duplicate",
  "drop-key-refused",
]);

/** A registry. */
export class SyncedRegistry {
  readonly name: RegistryName;
  /** How WireGuard's port is mapped, as it sees it. */
  readonly mapping: OwnMapping = new OwnMapping();
  /** Its addresses. */
  readonly addresses: ServerAddresses;
  /** An address that was not asked, from which datagrams came. */
  stranger: string | undefined;
  /** How often the system said that nothing listens on the port that was asked. */
  refused = 0;
  readonly #known: KnownRegistry;
  #asked: AskedRound | undefined;
  /** The same as it is wanted where it is of use. */
  #wanted: AskedRound | undefined;
  /** The questions of the first protocol in this round. */
  #exchange: Exchange | undefined;
  #beside: Exchange | undefined;
  #round: ServerRound | undefined;
  /** Families over which it was silent while it has answered over the other. */
  readonly #silent = new Set<Family>();
  readonly #standing = new Standing();
  #badMac = false;
  #answeredFrom: string | undefined;
  /** Which of its addresses has told another key than the pinned one. */
  #otherKeyFrom: string | undefined;
  /** By family: the address from which it has answered to WireGuard's port in this round. */
  readonly #ownSenders = new Map<Family, HostPort>();
  /** What of its directory was told to others. */
  #toldRevision = 0;

  /** @param known What is remembered of it. */
  constructor(name: RegistryName, known: KnownRegistry) {
    this.name = name;
    this.#known = known;
    this.addresses = new ServerAddresses([], name.port);
  }

  /** Whether it was of no use the last time that it was asked: silent, refused, or not believed. */
  get hasFailed(): boolean {
    return this.#standing.hasFailed;
  }

  /** Whether it is asked to register WireGuard's port, in this round. */
  get registers(): boolean {
    return !this.#standing.isAside && this.#asked?.registers === true;
  }

  /** Says which peers are wanted from now on, in base64: these, or the whole group. */
  want(publicKeys: Iterable<string> | undefined): void {
    this.#known.conversation.want(publicKeys);
  }

  /** Wants to be told everything anew: also when peers were heard that have not moved. */
  forget(): void {
    this.#standing.hurry();
    this.#known.conversation.forget();
  }

  /**
   * Begins to ask it. One that was of no use the last time is asked aside while others answer: now and
   * again whether it is there, through the port of our own, where its answer is heard also when the
   * round is over.
   *
   * @param hosts Its IP addresses.
   * @param othersAnswer Whether there are others which were of use the last time.
   */
  begin(hosts: readonly string[], asked: AskedRound, othersAnswer: boolean, now: Now): void {
    // One that is found at another address has cost no time there.
    if (this.addresses.begin(hosts)) this.#standing.hurry();
    if (this.#standing.begin(othersAnswer, now) !== "not") this.#ask(asked, now);
  }

  #ask(wanted: AskedRound, now: Now): void {
    const { isAside, how, patience } = this.#standing;
    const { endsAt: latest } = wanted;
    const endsAt = how === "briefly" ? Math.min(latest, now.mono + patience) : latest;
    const asked = { ...wanted, endsAt, registers: wanted.registers && !isAside };
    this.stranger = undefined;
    this.refused = 0;
    this.#badMac = false;
    this.#ownSenders.clear();
    this.mapping.begin();
    if (isAside) this.addresses.giveUp();
    this.#asked = asked;
    this.#wanted = wanted;
    const { conversation, spoken } = this.#known;
    const protocols = spoken.asks(now);
    const { registers, compares, newExchange } = asked;
    this.#exchange = protocols.v1 ? newExchange(registers) : undefined;
    this.#beside = protocols.v1 && registers && compares ? newExchange(false) : undefined;
    this.#round = new ServerRound({
      ...asked,
      conversation,
      mapping: this.mapping,
      protocols,
      exchange: this.#exchange,
      beside: this.#beside,
      addresses: this.addresses,
      atOnce: isAside,
      silent: new Set(this.#silent),
    }, now);
  }

  /**
   * Asks once more beside the rounds, to say at once what this peer has to say; undefined where it is
   * not known to speak wgsig 2, or was silent.
   */
  inquire(now: Now): Inquiry | undefined {
    const isThere = this.#known.spoken.known === 2 && !this.hasFailed;
    return isThere && this.addresses.all.length > 0 ? this.#round?.inquire(now) : undefined;
  }

  /** What to do for it now. */
  next(now: Now): RoundStep {
    if (this.#wanted !== undefined && this.#standing.takeBack()) this.#ask(this.#wanted, now);
    const hasAddress = this.addresses.all.length > 0;
    if (this.#round === undefined || this.#standing.how === "not" || !hasAddress) {
      return { kind: "done" };
    }
    if (this.refused >= MAX_REFUSED && this.addresses.areRefused) this.#round.giveUp();
    const step = this.#round.next(now);
    if (step.kind === "send" && step.port !== undefined) this.addresses.accept(step.port);
    return step;
  }

  /** What the system said of one of its addresses. */
  noteProblem(host: string, code: string, now: Now): void {
    const family = familyOf({ host });
    if (code === "ECONNREFUSED") {
      this.refused++;
      this.addresses.noteRefused(host);
    } else {
      this.addresses.noteProblem(host, code);
      if (!this.addresses.works(family)) this.#round?.cannotSend(family);
    }
    this.#round?.moveOn(family, now);
  }

  /** There is no socket for a family. */
  noteNoSocket(family: Family, code: string, now: Now): void {
    for (const each of this.addresses.all) {
      if (familyOf(each) === family) this.noteProblem(each.host, code, now);
    }
  }

  /** Notes who answers from the port that was asked, but from another address. */
  noteStranger(batch: DatagramBatch, i: number): void {
    if (batch.sourcePort(i) !== this.name.port) return;
    const host = formatAddress(batch.sources, batch.sourceAt(i));
    this.stranger = formatHostPort({ host, port: this.name.port });
  }

  /**
   * Takes in datagram `i`, which comes from one of its addresses.
   *
   * @param isOwn Whether it came to WireGuard's port.
   * @returns Whether it was for it alone.
   */
  receive(batch: DatagramBatch, i: number, isOwn: boolean, now: Now): boolean {
    const at = i * SLOT_SIZE;
    const length = batch.lengths[i]!;
    const { conversation, spoken } = this.#known;
    const isSecond = readDatagramType(batch.payloads, at, length) !== 0;
    const hearing = isSecond
      ? conversation.receive(batch.payloads, at, length, now)
      : "drop-not-wgsig2";
    if (WORDS.has(hearing)) {
      spoken.heard(2, now);
      if (hearing === "drop-key-refused") this.#noteOtherKey(batch, i, now);
      else if (hearing === "push") this.#standing.heard(!this.isProofRefused);
      // Anyone on the way can send a copy of what was heard, from wherever it likes.
      else if (hearing !== "duplicate") this.#noteSender(batch, i, isOwn);
      return true;
    }
    if (this.#asked === undefined || this.protocol === 2 || conversation.isPinned) return false;
    const exchange = this.#exchange;
    const asked = this.#asked.registers && !isOwn ? this.#beside : exchange;
    const receipt = asked?.receive(batch.payloads, at, length);
    if (receipt === "accepted") this.#noteSender(batch, i, isOwn);
    // What looks like wgsig 2 and didn't open is late, most likely.
    const isBad = receipt === "drop-bad-mac" || receipt === "drop-group-mismatch";
    if (isBad && !isSecond) this.#badMac = true;
    if (exchange?.isComplete) spoken.heard(1, now);
    return false;
  }

  /** Takes in that it is asked no more. */
  finish(now: Now): void {
    const round = this.#round;
    if (round === undefined || this.#standing.how === "not") return;
    this.mapping.finish();
    const answered = [...round.registering].filter(([, { isHeard }]) => isHeard);
    if (answered.length > 0) {
      for (const [family, { isHeard }] of round.registering) {
        if (isHeard) this.#silent.delete(family);
        else this.#silent.add(family);
      }
    }
    const hasAddress = this.addresses.all.length > 0;
    if (this.protocol === undefined && hasAddress) this.#known.spoken.wasSilent(now);
    this.#standing.finish(this.#became, now);
    this.takeTold();
  }

  get #became(): Became {
    if (this.status === "ok" || this.status === "incomplete") return "answered";
    return this.ownEndpoints.length > 0 ? "in-part" : "nothing";
  }

  /** Whether it has told of something since this was last called. */
  takeTold(): boolean {
    const { revision } = this.#known.conversation.directory;
    const isNews = revision !== this.#toldRevision;
    this.#toldRevision = revision;
    return isNews;
  }

  /** Whether it has told of a change, and of others before it that were lost; or is there again. */
  get isBehind(): boolean {
    const { conversation } = this.#known;
    const hasMore = this.#asked?.followsRoster === true && conversation.roster.isBehind;
    return conversation.isBehind || hasMore || this.#standing.isBack;
  }

  /** What it has told of the peers that it knows by name; undefined before it has. */
  get roster(): Roster | undefined {
    const { roster } = this.#known.conversation;
    return roster.isComplete ? roster : undefined;
  }

  /** The IP address that it has answered from last. */
  get answeredFrom(): string | undefined {
    return this.#answeredFrom;
  }

  /** The protocol in which it has answered in this round. */
  get protocol(): 1 | 2 | undefined {
    if (this.#round?.isHeard === true) return 2;
    const received = (this.#exchange?.received ?? 0) + (this.#beside?.received ?? 0);
    return this.#exchange?.isComplete || received > 0 ? 1 : undefined;
  }

  /** How many datagrams came of the answer: to WireGuard's port, where that is registered. */
  get received(): number {
    // What came to a port of our own says nothing of WireGuard's.
    if (this.#standing.isAside) return 0;
    const round = this.#round;
    if (this.protocol !== 2) return this.#exchange?.received ?? 0;
    if (this.#asked?.registers !== true) return this.besideReceived;
    const inquiries = [...round?.registering.values() ?? []];
    return inquiries.reduce((sum, { received }) => sum + received, 0);
  }

  /** How many it has, as far as is known. */
  get expected(): number | undefined {
    if (this.protocol !== 2) return this.#exchange?.expected;
    return this.#asked?.registers === true ? this.received : this.#round?.asking?.expected;
  }

  /** How many datagrams came to a port of our own that was asked through at the same time. */
  get besideReceived(): number {
    if (this.protocol !== 2) return this.#beside?.received ?? 0;
    return this.#round?.asking?.received ?? 0;
  }

  /** Whether what came to a port of our own can be compared with what came to WireGuard's. */
  get isCompared(): boolean {
    return this.protocol === 2 || this.#beside !== undefined;
  }

  /** The registry's public key, 32 bytes, as far as it is known in wgsig 2. */
  get serverKey(): Uint8Array | undefined {
    return this.protocol === 2 ? this.#known.conversation.serverKey : undefined;
  }

  /** Whether its key is pinned. */
  get isPinned(): boolean {
    return this.#known.conversation.isPinned;
  }

  /** Whether it wants a proof: there was none, or not the right one. */
  get isProofRefused(): boolean {
    const { asking, registering } = this.#round ?? {};
    return [asking, ...registering?.values() ?? []].some((each) => each?.isProofRefused);
  }

  /** Where it has registered this peer, IPv4 first. */
  get ownEndpoints(): readonly HostPort[] {
    if (this.#asked?.registers !== true) return [];
    if (this.protocol !== 2) {
      const own = this.#exchange?.peer(this.#asked.publicKey);
      return own === undefined ? [] : [{ host: own.address, port: own.port }];
    }
    return [...this.#round?.registering ?? []].toSorted(([a], [b]) => a - b)
      .flatMap(([, { isRegistered, seen }]) => isRegistered && seen !== undefined ? [seen] : []);
  }

  /** Seconds to its answer, where it has answered in wgsig 2 in this round. */
  get roundTrip(): number | undefined {
    const { asking, registering } = this.#round ?? {};
    const all = [asking, ...registering?.values() ?? []].flatMap((each) => each?.roundTrip ?? []);
    return all.length === 0 ? undefined : Math.min(...all);
  }

  /** Where it relays, which is where WireGuard's port has asked it; undefined where it doesn't. */
  get relay(): HostPort | undefined {
    const registered = this.#round?.registered;
    if (registered === undefined || (registered.offers & OFFER.relays) === 0) return undefined;
    return this.#ownSenders.get(registered.wish.family);
  }

  /** At which other ports of that address it listens. */
  get also(): readonly number[] {
    return this.#round?.registered?.also ?? [];
  }

  /** What is to be said of the registry's key, once; and where that was told. */
  takeNote(): ServerKeyNote & { readonly from?: string | undefined } | undefined {
    const note = this.#known.conversation.takeNote();
    const isRefused = note?.kind === "server-key-refused";
    return note && { ...note, from: isRefused ? this.#otherKeyFrom : this.#answeredFrom };
  }

  /** What became of it in this round. */
  get status(): RegistryStatus {
    if (this.addresses.all.length === 0) return "not-found";
    const round = this.#round;
    if (this.protocol === 2) {
      const { asking } = round ?? {};
      if (asking?.isAnswered === true) return "ok";
      if (asking?.isCut === true || (asking?.received ?? 0) > 0) return "incomplete";
      const all = [asking, ...round?.registering.values() ?? []];
      if (all.some((each) => each?.isKeyRefused)) return "wrong-key";
      return this.isProofRefused ? "not-authenticated" : "no-answer";
    }
    if (this.#exchange?.isComplete || this.#beside?.isComplete) return "ok";
    if ((this.#exchange?.received ?? 0) > 0) return "incomplete";
    return this.#badMac ? "not-authenticated" : "no-answer";
  }

  /**
   * What it has told of peers, the own record among them. In wgsig 2 it says when a peer is gone; only
   * the first protocol leaves it to the client to tell by the age.
   */
  sightings(now: Now): readonly Sighting[] {
    if (this.#asked === undefined) return [];
    const { publicKey: own } = this.#asked;
    const { directory } = this.#known.conversation;
    if (this.#known.spoken.known !== 2) {
      const isAnswered = (this.#exchange?.received ?? 0) > 0 || this.#beside === undefined;
      return (isAnswered ? this.#exchange : this.#beside)?.peers(now.unix) ?? [];
    }
    const here = this.ownEndpoints.map((each) => ownSighting(own, each, now));
    const told = [...directory.peers()].filter(({ publicKey }) => publicKey !== own);
    return [...here, ...told.flatMap((peer) => sightingsOf(peer, now))];
  }

  #noteOtherKey(batch: DatagramBatch, i: number, now: Now): void {
    const sender = this.addresses.senderOf(batch, i);
    if (sender === undefined) return;
    this.addresses.noteOtherKey(sender.host);
    this.#otherKeyFrom = sender.host;
    this.#round?.moveOn(familyOf(sender), now);
  }

  /** Notes who has answered; not who pushes, since one that was left does so for a while. */
  #noteSender(batch: DatagramBatch, i: number, isOwn: boolean): void {
    const sender = this.addresses.senderOf(batch, i);
    if (sender === undefined) return;
    this.addresses.heard(sender.host);
    this.#standing.heard(!this.isProofRefused);
    this.#answeredFrom = sender.host;
    if (isOwn) this.#ownSenders.set(familyOf(sender), sender);
  }
}
