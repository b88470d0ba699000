/**
 * The server's side of the wgsig protocol: which requests are let in (SC1 to SC5 of the protocol
 * text), what they change, and what they are answered.
 *
 * Pure: time and randomness are arguments. A batch of requests is admitted first; then every
 * answer datagram that changed is authenticated once, for the whole batch; then the answers are
 * handed out.
 *
 * It is a little longer than a file should be because whose a datagram is, in which protocol, and what
 * comes of it are decided together.
 *
 * @module
 */

import { ENVELOPE_SIZE, readEnvelopeGroup } from "../../wire/wgsig/envelope.ts";
import { REQUEST_SIZE } from "../../wire/wgsig/request.ts";
import { MIN_QUESTION_SIZE } from "../../wire/wgsig2/question.ts";
import type { Now } from "../net/clock.ts";
import { type CounterName, Counters } from "../net/counters.ts";
import {
  BATCH_SIZE,
  type DatagramBatch,
  type ReplyBatch,
  SLOT_SIZE,
} from "../net/datagram_batch.ts";
import type { AnswerBudget } from "../net/answer_budget.ts";
import { NONE } from "../net/none.ts";
import { drawSeed, type RandomSource } from "../net/random.ts";
import type { Relay, RelayedPair, RelayOptions } from "../relay/relay.ts";
import type { GateMaker } from "./gate_maker.ts";
import type { RegistryGroup } from "./group.ts";
import type { GroupSharing } from "./group_sharing.ts";
import type { Kept } from "./members.ts";
import type { DiskNeeds } from "./peer_changes.ts";
import { OtherPorts } from "./other_ports.ts";
import { ParsedRequest } from "./parsed_request.ts";
import type { WrittenPush } from "./pusher.ts";
import { QuestionDesk } from "./question_desk.ts";
import { RelayDesk } from "./relay_desk.ts";
import type { RosterGate } from "./roster_gate.ts";

/** Which payloads are let in: both forms (answered in the form of the request), or one. */
export type EncryptionPolicy = "auto" | "required" | "off";

/** Seconds between two looks at which records have become too old. */
const EXPIRY_INTERVAL = 0.5;
/** So many peers of a group are removed at once: that takes a few milliseconds. */
const EXPIRED_AT_ONCE = 256;
/** Where more are left, the next ones go so many seconds later, if nothing is to be answered before. */
const EXPIRY_TURN = 0.02;

/** Settings that hold for all groups. */
export interface RegistryOptions {
  /** Which payloads are let in. */
  readonly encryption: EncryptionPolicy;
  /** How far a label may be from the server's clock, in seconds (SC3). */
  readonly window: number;
}

/** Told of what happened, for the log. Called inside {@linkcode Registry.answer}. */
export interface RegistryObserver {
  /** A peer is new or its endpoint another. The record is in the group's table until returned. */
  endpointChanged(group: RegistryGroup, peer: number, isNew: boolean): void;
  /**
   * The same of its IPv6 endpoint, which is among the places of the group's directory; `peer` is its
   * number in that.
   */
  ipv6EndpointChanged?(group: RegistryGroup, peer: number, isNew: boolean): void;
  /** Datagram `i` of the batch was dropped, its answer cut, or its secret a former one. */
  dropped(reason: CounterName, batch: DatagramBatch, i: number): void;
}

/** A registry of groups. */
export class Registry {
  /** What happened to all datagrams so far. */
  readonly counters: Counters = new Counters();
  /** Where it is asked; who knows that configures it. */
  readonly otherPorts: OtherPorts = new OtherPorts();
  /** The numbers of the sockets that it is served through: whether they are of IPv4. */
  readonly sockets: Map<number, boolean> = new Map();
  readonly #groups = new Map<number, RegistryGroup>();
  /** Groups that are gone; what labels their peers have used is known for a while. */
  readonly #former = new Map<number, { readonly group: RegistryGroup; readonly goneAt: number }>();
  readonly #needs = new Map<Kept, DiskNeeds>();
  #expiredAt = -Infinity;
  #budget: AnswerBudget | undefined;
  /** Answers questions of wgsig 2. */
  #desk: QuestionDesk | undefined;
  /** Where rosters meet groups, if there are any. */
  #gate: RosterGate | undefined;
  /** Shares peers with other registries, if anything does. */
  #sharing: GroupSharing | undefined;
  /** Relays, if anything does. */
  #relays: RelayDesk | undefined;
  #socket = 0;
  readonly #observer: RegistryObserver;
  #options: RegistryOptions;
  readonly #request = new ParsedRequest();
  // By datagram of the batch: the group that answers it, with which secret, and in which form.
  readonly #answering: (RegistryGroup | undefined)[] = new Array(BATCH_SIZE).fill(undefined);
  readonly #secrets = new Uint8Array(BATCH_SIZE);
  readonly #encrypted = new Uint8Array(BATCH_SIZE);

  /** Makes a registry without groups. */
  constructor(options: RegistryOptions, observer: RegistryObserver) {
    this.#options = options;
    this.#observer = observer;
  }

  /** Replaces the settings; the groups stay. */
  configure(options: RegistryOptions): void {
    this.#options = options;
    if (this.#desk !== undefined) this.#desk.window = options.window;
  }

  /**
   * Answers questions of wgsig 2 from now on, to groups that have the registry's key pair.
   *
   * @param random Fills an array with bytes that nobody can guess.
   */
  answerQuestions(random: RandomSource): void {
    this.#desk = new QuestionDesk(random, this.counters, this.otherPorts);
    this.#desk.window = this.#options.window;
    this.#desk.limitAnswers(this.#budget);
    this.#desk.relays = this.#relays;
  }

  /**
   * Has groups know peers by name from now on, and takes in who joins. Questions are answered already.
   *
   * @param make Makes what takes joins, and questions about rosters.
   */
  keepRosters(make: GateMaker): void {
    if (this.#desk === undefined) return;
    const { counters } = this;
    const gate = make({ groups: this.#groups, counters, ...this.#desk.replying });
    const { rosters } = gate;
    this.#gate = this.#desk.gate = gate;
    for (const group of this.#groups.values()) group.roster = rosters.of(group.id);
  }

  /** Where rosters meet its groups, if there are any. */
  get gate(): RosterGate | undefined {
    return this.#gate;
  }

  /**
   * Relays from now on between peers that speak wgsig 2, or with undefined not any more.
   *
   * @param random Fills an array with bytes that nobody can guess.
   */
  relayWith(options: RelayOptions | undefined, random: RandomSource): void {
    if (options !== undefined && this.#relays !== undefined) {
      return this.#relays.relay.configure(options);
    }
    this.#relays?.close();
    this.#relays = options &&
      new RelayDesk(options, this.sockets, drawSeed(random), this.counters);
    if (this.#desk !== undefined) this.#desk.relays = this.#relays;
  }

  /** What passes WireGuard's datagrams on; undefined where nothing does. */
  get relay(): Relay | undefined {
    return this.#relays?.relay;
  }

  /** Which of the groups a relayed pair belongs to; undefined where it is none any more. */
  groupOfPair({ group }: RelayedPair): number | undefined {
    return this.#relays?.numberOf(group);
  }

  /**
   * Limits what each source prefix gets: once its budget is spent, it gets the first datagram of each
   * answer alone, so that nobody with the secret can have others flooded. No limit before.
   */
  limitAnswers(budget: AnswerBudget): void {
    this.#budget = budget;
    this.#desk?.limitAnswers(budget);
  }

  /** The groups, by number. */
  get groups(): ReadonlyMap<number, RegistryGroup> {
    return this.#groups;
  }

  /** How many peers there are in all groups. */
  get peerCount(): number {
    let count = 0;
    for (const { members } of this.#groups.values()) count += members.count;
    return count;
  }

  /** Notes from now on what is to go to the disk. */
  keepChanges(of: Kept): DiskNeeds {
    const known = this.#needs.get(of);
    if (known !== undefined) return known;
    const needs = { patience: Infinity, wentOn: false, gone: [] };
    this.#needs.set(of, needs);
    for (const { members } of this.#groups.values()) members.keepChanges(of, needs);
    return needs;
  }

  /** Tells of its groups from now on, the present ones first; with undefined not any more. */
  shareGroups(sharing: GroupSharing | undefined): void {
    this.#sharing = sharing;
    for (const group of this.#groups.values()) sharing?.added(group);
  }

  /** Adds a group, or puts it in place of the one with the same number. */
  setGroup(group: RegistryGroup): void {
    this.#groups.set(group.id, group);
    group.roster = this.#gate?.rosters.of(group.id);
    for (const [of, needs] of this.#needs) group.members.keepChanges(of, needs);
    this.#sharing?.added(group);
  }

  /**
   * Adds a group while the registry serves. What labels its peers have used before is not known, unless
   * there was such a group just now.
   *
   * @param mono The monotonic clock, in seconds.
   */
  addGroup(group: RegistryGroup, mono: number): void {
    group.distrustBefore(mono, this.#former.get(group.id)?.group);
    this.setGroup(group);
  }

  /**
   * Removes a group with all its peers, and returns how many these were.
   *
   * @param mono The monotonic clock, in seconds.
   */
  removeGroup(id: number, mono: number): number {
    const group = this.#groups.get(id);
    if (group === undefined) return 0;
    this.#former.set(id, { group, goneAt: mono });
    this.#relays?.forgetGroup(group);
    this.#sharing?.removed(group);
    this.#groups.delete(id);
    this.forgetSaved(id);
    return group.members.count;
  }

  /** Has the disk forget a group that there is no more. */
  forgetSaved(id: number): void {
    for (const needs of this.#needs.values()) {
      needs.gone.push(id);
      needs.patience = 0;
    }
  }

  /**
   * The same as `expire`, but twice a second at most: for whenever something is to be answered. Where
   * many are to go at once, some of them go each time.
   */
  expireInTime(now: Now): void {
    if (now.mono - this.#expiredAt >= EXPIRY_INTERVAL) this.expire(now, EXPIRED_AT_ONCE);
  }

  /**
   * Removes the peers that were not seen for longer than their group's maximal age.
   *
   * @param most So many of each group at most; the others the next time.
   */
  expire(now: Now, most = Infinity): void {
    this.#expiredAt = now.mono;
    this.#gate?.settle(now);
    const longestUse = 2 * this.#options.window + 1;
    for (const [id, { goneAt }] of this.#former) {
      if (now.mono - goneAt > longestUse) this.#former.delete(id);
    }
    for (const group of this.#groups.values()) {
      const expired = group.expire(now.mono, most);
      this.counters.add("expired", expired);
      // Peers or rows may be left that are too old.
      const isBehind = expired >= most || group.members.expiresIn(now.mono) === 0;
      if (isBehind) this.#expiredAt = -Infinity;
    }
    this.relay?.expire(now.mono);
  }

  /**
   * Takes a batch of datagrams in, and fills `replies` with what is to be sent for them.
   *
   * @param socket A number for the socket that it came through: pushes go that way, too.
   */
  answer(batch: DatagramBatch, now: Now, replies: ReplyBatch, socket = 0): void {
    replies.clear();
    this.counters.add("received", batch.count);
    this.#socket = socket;
    this.#desk?.begin(socket);
    this.relay?.begin(socket, replies);
    for (let i = 0; i < batch.count; i++) {
      const refusal = this.#take(batch, i, now, replies);
      if (refusal === undefined) continue;
      this.counters.add(refusal);
      this.#observer.dropped(refusal, batch, i);
    }
    let answered = 0;
    for (let i = 0; i < batch.count; i++) {
      const group = this.#answering[i];
      if (group === undefined) continue;
      const encrypt = this.#encrypted[i] !== 0;
      const isCut = this.#isOverBudget(batch, i, group.answers.sizeAfterFirst(encrypt), now);
      group.answers.answer(i, this.#secrets[i]!, encrypt, isCut, replies);
      this.#answering[i] = undefined;
      answered++;
    }
    let sent = 0;
    for (let i = 0; i < replies.count; i++) {
      if (replies.to[i]! < BATCH_SIZE) sent += replies.runs[i]!;
    }
    this.counters.add("answered", answered);
    this.counters.add("sent", sent);
  }

  /** Begins a turn of {@linkcode nextPush}: a short one, whatever is to be pushed. */
  beginPushes(): void {
    this.#desk?.pusher.begin();
  }

  /** The next datagram that is to be sent without being asked for; undefined where this turn ends. */
  nextPush({ mono }: Now): WrittenPush | undefined {
    return this.#desk?.pusher.nextOf(this.#groups, mono);
  }

  /**
   * In how many seconds there may be something to push, if nothing comes in before that; Infinity where
   * nobody has subscribed.
   */
  pushDueIn({ mono }: Now): number {
    let due = Infinity;
    const least = this.#expiredAt === -Infinity ? EXPIRY_TURN : EXPIRY_INTERVAL;
    for (const { members } of this.#groups.values()) {
      const untilGone = Math.max(least, members.expiresIn(mono));
      due = Math.min(due, members.pushDueIn(mono, untilGone));
    }
    return due;
  }

  /** Whether who asked with datagram `i` has had too much to get so many bytes more. */
  #isOverBudget(batch: DatagramBatch, i: number, bytes: number, now: Now): boolean {
    if (bytes === 0 || this.#budget === undefined) return false;
    if (this.#budget.spend(batch.sources, batch.sourceAt(i), bytes, now.mono)) return false;
    this.counters.add("answer-cut");
    this.#observer.dropped("answer-cut", batch, i);
    return true;
  }

  /** Passes datagram `i` on where it is WireGuard's, else answers it; or says why not. */
  #take(batch: DatagramBatch, i: number, now: Now, replies: ReplyBatch): CounterName | undefined {
    const relayed = this.relay?.take(batch, i, now.mono) ?? "other";
    if (relayed === "done") return undefined;
    const isStranger = relayed === "relay-drop-stranger";
    if (relayed !== "other" && !isStranger) return relayed;
    // Once in 2^30, what looks like WireGuard's is something else.
    const refusal = this.#answerOne(batch, i, now, replies);
    return isStranger && refusal !== undefined ? relayed : refusal;
  }

  /** Answers datagram `i` where it is a question of wgsig 2, else lets it in; or says why not. */
  #answerOne(
    batch: DatagramBatch,
    i: number,
    now: Now,
    replies: ReplyBatch,
  ): CounterName | undefined {
    const desk = this.#desk;
    if (desk === undefined || batch.lengths[i]! < MIN_QUESTION_SIZE) {
      return this.#admit(batch, i, now);
    }
    const outcome = desk.take(this.#groups, batch, i, now, replies);
    if (outcome === "other" || outcome === "not-opened" || outcome === "unknown-tag") {
      const refusal = this.#admit(batch, i, now);
      if (refusal !== "drop-unknown-group" || outcome === "other") return refusal;
      return outcome === "not-opened" ? "drop-not-opened" : "drop-join-unknown";
    }
    if (outcome === "taken") return undefined;
    if (outcome !== "done") return outcome;
    if (desk.isFormerSecret) this.#noteFormerSecret(batch, i);
    this.#tellOfPeer(desk);
    return undefined;
  }

  #tellOfPeer({ asked, registrar }: QuestionDesk): void {
    const { group } = registrar;
    if (group === undefined || !(registrar.isNew || registrar.isMoved)) return;
    if (!asked.isIpv4) this.#observer.ipv6EndpointChanged?.(group, asked.peer, registrar.isNew);
    else this.#observer.endpointChanged(group, registrar.row, registrar.isNew);
  }

  /** Lets datagram `i` in, with the change that it asks for, or says why not (SC1 to SC5). */
  #admit(batch: DatagramBatch, i: number, now: Now): CounterName | undefined {
    const request = this.#request;
    const group = this.#read(batch, i);
    if (typeof group === "string") return group;
    const refusal = group.judge(request, now, this.#options.window);
    if (refusal !== undefined) return refusal;
    if (!group.isAuthentic(request)) return "drop-bad-mac";
    this.#answering[i] = group;
    this.#secrets[i] = request.secret;
    this.#encrypted[i] = Number(request.isEncrypted);
    if (request.secret > 0) this.#noteFormerSecret(batch, i);
    if (!request.isIpv4) this.counters.add("ipv6-source");
    const change = group.accept(request, now, this.counters);
    this.#tellRelay(group, request, now.mono);
    if (change === undefined) return undefined;
    this.#observer.endpointChanged(group, request.peer, change === "new");
    return undefined;
  }

  #tellRelay(group: RegistryGroup, request: ParsedRequest, mono: number): void {
    const { peer: row, sources, sourceAt } = request;
    if (this.#relays === undefined || row === NONE) return;
    const peer = group.members.directory?.peerOf(row);
    if (peer === undefined) return;
    this.#relays.registered(group, peer, sources, sourceAt, this.#socket, mono);
  }

  /**
   * Takes datagram `i` apart, and returns the group that it is for, or why it is dropped. The cheap
   * checks come first.
   */
  #read(batch: DatagramBatch, i: number): RegistryGroup | CounterName {
    const request = this.#request;
    const length = batch.lengths[i]!;
    if (length < REQUEST_SIZE) return "drop-too-short";
    if (length > SLOT_SIZE) return "drop-too-long";
    request.readSource(batch, i);
    if (request.port === 0) return "drop-source-port-0";
    const { encryption } = this.#options;
    let mismatch = false;
    if (length >= ENVELOPE_SIZE + REQUEST_SIZE) {
      const at = i * SLOT_SIZE;
      const group = this.#groups.get(readEnvelopeGroup(batch.payloads, at));
      if (group !== undefined) {
        if (this.#opens(group, batch, i)) return encryption === "off" ? "drop-encrypted" : group;
        // Else it is encrypted with another secret, or a plain request with something after it
        // whose bytes happen to fit.
        mismatch = true;
      }
    }
    request.readPlain(batch, i);
    const group = this.#groups.get(request.group);
    if (group === undefined) return mismatch ? "drop-group-mismatch" : "drop-unknown-group";
    return encryption === "required" ? "drop-not-encrypted" : group;
  }

  /** Decrypts datagram `i` with the secret of the group that it opens with, if it does. */
  #opens({ id, secrets }: RegistryGroup, batch: DatagramBatch, i: number): boolean {
    for (let secret = 0; secret < secrets.length; secret++) {
      this.#request.readEncrypted(batch, i, secrets[secret]!.cipher);
      this.#request.secret = secret;
      if (this.#request.group === id) return true;
    }
    return false;
  }

  /** Whoever changes a secret wants to know who still has the former one. */
  #noteFormerSecret(batch: DatagramBatch, i: number): void {
    this.counters.add("former-secret");
    this.#observer.dropped("former-secret", batch, i);
  }
}
