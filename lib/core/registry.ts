/**
 * The server's side of the wgsig protocol: which requests are let in (SC1 to SC5 of the protocol
 * text), what they change, and what they are answered.
 *
 * Pure: time and randomness are arguments. A batch of requests is admitted first; then every
 * answer datagram that changed is sealed once, for the whole batch; then the answers are handed out.
 *
 * @module
 */

import { ENVELOPE_SIZE, openEnvelope, readEnvelopeGroup } from "../wire/envelope.ts";
import {
  KEEP_ENDPOINT,
  KEEP_LABEL,
  REQUEST_FLAGS,
  REQUEST_GROUP,
  REQUEST_ID,
  REQUEST_LABEL,
  REQUEST_SIZE,
  verifyRequest,
} from "../wire/request.ts";
import { NANOSECONDS_PER_SECOND, readNanoseconds, readSeconds } from "../wire/tai64n.ts";
import { WireBuffer } from "../wire/wire_buffer.ts";
import { type CounterName, Counters } from "./counters.ts";
import { BATCH_SIZE, type DatagramBatch, type ReplyBatch, SLOT_SIZE } from "./datagram_batch.ts";
import { isIpv4, readIpv4 } from "./ip_address.ts";
import { NONE } from "./peer_table.ts";
import type { RegistryGroup } from "./registry_group.ts";

/** What the clocks say, in seconds. */
export interface Now {
  /** Unix time, with fractions. */
  readonly unix: number;
  /** A clock that never jumps, from any start. */
  readonly mono: number;
}

/** Which payloads are let in: both forms (answered in the form of the request), or one. */
export type EncryptionPolicy = "auto" | "required" | "off";

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
  /** Datagram `i` of the batch was dropped. */
  dropped(reason: CounterName, batch: DatagramBatch, i: number): void;
}

/**
 * Told of every request that was let in, after what it changed, so that a registry with the same
 * peers can repeat it ({@linkcode Registry.repeat}). Called inside {@linkcode Registry.answer}.
 */
export interface RegistryJournal {
  /**
   * Takes down that a request was let in.
   *
   * @param request The plain request at `at`, until returned.
   * @param address Its source, IPv4 as a number.
   * @param port Its source port; 0 where the source is no IPv4 address.
   * @param mono When it was let in, on the caller's monotonic clock, in seconds.
   */
  accepted(request: WireBuffer, at: number, address: number, port: number, mono: number): void;
}

/** A registry of groups. */
export class Registry {
  /** What happened to all datagrams so far. */
  readonly counters: Counters;
  readonly #groups = new Map<number, RegistryGroup>();
  readonly #observer: RegistryObserver;
  #options: RegistryOptions;
  #journal: RegistryJournal | undefined;
  /** What is repeated was counted where it happened. */
  #repeated: Counters | undefined;
  // By datagram of the batch: the group that answers it, and in which form.
  readonly #answering: (RegistryGroup | undefined)[] = new Array(BATCH_SIZE).fill(undefined);
  readonly #sealed = new Uint8Array(BATCH_SIZE);
  /** A decrypted request; of a batch that is examined, each in its place. */
  #opened = new WireBuffer(REQUEST_SIZE);
  /** Whether a request that may be let in is only noted: see {@linkcode examine}. */
  #examining = false;
  readonly #refusals: (CounterName | undefined)[] = new Array(BATCH_SIZE).fill(undefined);

  /** Makes a registry without groups. @param counters Where it counts, if others look at them too. */
  constructor(
    options: RegistryOptions,
    observer: RegistryObserver,
    counters: Counters = new Counters(),
  ) {
    this.#options = options;
    this.#observer = observer;
    this.counters = counters;
  }

  /** Replaces the settings; the groups stay. */
  configure(options: RegistryOptions): void {
    this.#options = options;
  }

  /** The groups, by number. */
  get groups(): ReadonlyMap<number, RegistryGroup> {
    return this.#groups;
  }

  /** Adds a group, or puts it in place of the one with the same number. */
  setGroup(group: RegistryGroup): void {
    this.#groups.set(group.id, group);
  }

  /** Removes a group with all its peers. */
  removeGroup(id: number): void {
    this.#groups.delete(id);
  }

  /** Has every request that is let in told to `journal` from now on, if to any. */
  keepJournal(journal: RegistryJournal | undefined): void {
    this.#journal = journal;
  }

  /**
   * Removes the peers that were not seen for longer than their group's maximal age.
   *
   * @param counters Where they are counted; the registry's own if left out.
   * @returns How many there were.
   */
  expire(now: Pick<Now, "mono">, counters: Counters = this.counters): number {
    let removed = 0;
    for (const group of this.#groups.values()) removed += group.expire(now.mono);
    counters.add("expired", removed);
    return removed;
  }

  /**
   * Repeats what a request changed that another registry with the same peers has let in: in the
   * order of all changes there, this one stays the same. Nothing is checked and nothing counted.
   * See {@linkcode RegistryJournal} for the arguments; of the request, the MAC is not read.
   */
  repeat(request: WireBuffer, at: number, address: number, port: number, mono: number): void {
    const group = this.#groups.get(request.view.getUint32(at + REQUEST_GROUP));
    if (group === undefined) return;
    const peer = group.table.find(request, at + REQUEST_ID);
    const labelAt = at + REQUEST_LABEL;
    const seconds = readSeconds(request, labelAt);
    const nanoseconds = readNanoseconds(request, labelAt);
    const counters = this.#repeated ??= new Counters();
    this.#accept(
      group,
      peer,
      request,
      at,
      seconds,
      nanoseconds,
      address,
      port,
      mono,
      counters,
    );
  }

  /** Takes a batch of datagrams in, and fills `replies` with what is to be sent for them. */
  answer(batch: DatagramBatch, now: Now, replies: ReplyBatch): void {
    this.counters.add("received", batch.count);
    for (let i = 0; i < batch.count; i++) this.#conclude(batch, i, this.#admit(batch, i, now));
    this.#reply(batch, replies);
  }

  /**
   * Does of {@linkcode answer} what takes most of its time and changes nothing: it checks MACs. What
   * is a replay may change until `answerExamined`; settings may not, or it is to be done again. A
   * request that is both forged and a replay may count as either.
   */
  examine(batch: DatagramBatch, now: Now): void {
    const size = BATCH_SIZE * REQUEST_SIZE;
    if (this.#opened.size < size) this.#opened = new WireBuffer(size);
    this.#examining = true;
    for (let i = 0; i < batch.count; i++) this.#refusals[i] = this.#admit(batch, i, now);
    this.#examining = false;
  }

  /** Does the rest of {@linkcode answer}, for the batch that was examined last. */
  answerExamined(batch: DatagramBatch, now: Now, replies: ReplyBatch): void {
    this.counters.add("received", batch.count);
    for (let i = 0; i < batch.count; i++) {
      this.#conclude(batch, i, this.#refusals[i] ?? this.#admitExamined(batch, i, now));
    }
    this.#reply(batch, replies);
  }

  /** Counts and tells what has become of datagram `i`, if it was dropped. */
  #conclude(batch: DatagramBatch, i: number, refusal: CounterName | undefined): void {
    if (refusal === undefined) return;
    this.#answering[i] = undefined;
    this.counters.add(refusal);
    this.#observer.dropped(refusal, batch, i);
  }

  /** Answers those that were let in. */
  #reply(batch: DatagramBatch, replies: ReplyBatch): void {
    replies.count = 0;
    for (let i = 0; i < batch.count; i++) {
      const group = this.#answering[i];
      if (group === undefined) continue;
      if (this.#sealed[i] !== 0) group.addEncryptedReply(i, replies);
      else group.addPlainReply(i, replies);
      this.#answering[i] = undefined;
      this.counters.add("answered");
    }
    for (let i = 0; i < replies.count; i++) this.counters.add("sent", replies.runs[i]!);
  }

  /** Lets datagram `i` in, or says why not. The cheap checks come first. */
  #admit(batch: DatagramBatch, i: number, now: Now): CounterName | undefined {
    const length = batch.lengths[i]!;
    if (length < REQUEST_SIZE) return "drop-too-short";
    if (length > SLOT_SIZE) return "drop-too-long";
    if (batch.sourcePort(i) === 0) return "drop-source-port-0";
    const { encryption } = this.#options;
    const at = i * SLOT_SIZE;
    let mismatch = false;
    if (length >= ENVELOPE_SIZE + REQUEST_SIZE) {
      const group = this.#groups.get(readEnvelopeGroup(batch.payloads, at));
      if (group !== undefined) {
        const opened = this.#opened;
        const openedAt = this.#examining ? i * REQUEST_SIZE : 0;
        openEnvelope(group.cipherKey, batch.payloads, at, REQUEST_SIZE, opened, openedAt);
        if (opened.view.getUint32(openedAt + REQUEST_GROUP) === group.id) {
          if (encryption === "off") return "drop-encrypted";
          this.#sealed[i] = 1;
          return this.#admitRequest(group, opened, openedAt, batch, i, now);
        }
        // Else it is encrypted with another secret, or a plain request with something after it
        // whose bytes happen to fit.
        mismatch = true;
      }
    }
    const group = this.#groups.get(batch.payloads.view.getUint32(at + REQUEST_GROUP));
    if (group === undefined) return mismatch ? "drop-group-mismatch" : "drop-unknown-group";
    if (encryption === "required") return "drop-not-encrypted";
    this.#sealed[i] = 0;
    return this.#admitRequest(group, batch.payloads, at, batch, i, now);
  }

  /** SC2 to SC5 for the plain request at `at`, and the update that it asks for. */
  #admitRequest(
    group: RegistryGroup,
    request: WireBuffer,
    at: number,
    batch: DatagramBatch,
    i: number,
    now: Now,
  ): CounterName | undefined {
    const { table } = group;
    const idAt = at + REQUEST_ID;
    const labelAt = at + REQUEST_LABEL;
    if (!group.allows(request, idAt)) return "drop-not-allowed";
    const seconds = readSeconds(request, labelAt);
    const nanoseconds = readNanoseconds(request, labelAt);
    if (Number.isNaN(seconds) || nanoseconds >= NANOSECONDS_PER_SECOND) return "drop-bad-label";
    if (!(Math.abs(seconds - Math.floor(now.unix)) <= this.#options.window)) {
      return "drop-outside-window";
    }
    const peer = table.find(request, idAt);
    if (isReplay(group, peer, request, idAt, seconds, nanoseconds)) return "drop-replayed";
    if (!verifyRequest(group.macKey, request, at)) return "drop-bad-mac";
    this.#answering[i] = group;
    if (!this.#examining) {
      this.#letIn(group, peer, request, at, seconds, nanoseconds, batch, i, now.mono);
    }
    return undefined;
  }

  /** The same for datagram `i`, which was examined: what may have changed since is its label. */
  #admitExamined(batch: DatagramBatch, i: number, now: Now): CounterName | undefined {
    const group = this.#answering[i];
    if (group === undefined) return "drop-unknown-group";
    const isSealed = this.#sealed[i] !== 0;
    const request = isSealed ? this.#opened : batch.payloads;
    const at = i * (isSealed ? REQUEST_SIZE : SLOT_SIZE);
    const idAt = at + REQUEST_ID;
    const seconds = readSeconds(request, at + REQUEST_LABEL);
    const nanoseconds = readNanoseconds(request, at + REQUEST_LABEL);
    const peer = group.table.find(request, idAt);
    if (isReplay(group, peer, request, idAt, seconds, nanoseconds)) return "drop-replayed";
    this.#letIn(group, peer, request, at, seconds, nanoseconds, batch, i, now.mono);
    return undefined;
  }

  /** Does what the authentic request of datagram `i` asks for, and tells it to the journal. */
  #letIn(
    group: RegistryGroup,
    peer: number,
    request: WireBuffer,
    at: number,
    seconds: number,
    nanoseconds: number,
    batch: DatagramBatch,
    i: number,
    mono: number,
  ): void {
    const sourceAt = batch.sourceAt(i);
    const fromIpv4 = isIpv4(batch.sources, sourceAt);
    if (!fromIpv4) this.counters.add("ipv6-source");
    const address = fromIpv4 ? readIpv4(batch.sources, sourceAt) : 0;
    const port = fromIpv4 ? batch.sourcePort(i) : 0;
    const { counters } = this;
    this.#accept(
      group,
      peer,
      request,
      at,
      seconds,
      nanoseconds,
      address,
      port,
      mono,
      counters,
    );
    this.#journal?.accepted(request, at, address, port, mono);
  }

  /** Changes what an authentic request of `peer` (or NONE) asks for. */
  #accept(
    group: RegistryGroup,
    peer: number,
    request: WireBuffer,
    at: number,
    seconds: number,
    nanoseconds: number,
    address: number,
    port: number,
    mono: number,
    counters: Counters,
  ): void {
    const { table } = group;
    const idAt = at + REQUEST_ID;
    const flags = request.view.getUint16(at + REQUEST_FLAGS);
    const keepEndpoint = (flags & KEEP_ENDPOINT) !== 0 || port === 0;
    const keepLabel = (flags & KEEP_ENDPOINT) !== 0 && (flags & KEEP_LABEL) !== 0;

    const isNew = peer === NONE;
    if (isNew && !keepEndpoint) {
      peer = group.admitPeer(request, idAt, mono, counters);
      if (peer === NONE) counters.add("no-room");
    }
    if (peer === NONE) {
      group.replays.note(request, idAt, seconds, nanoseconds, mono);
      return;
    }
    table.setHighestLabel(peer, seconds, nanoseconds);
    group.changed = true;
    if (keepLabel) return;
    if (!isNew) table.touch(peer, mono);
    table.setLabel(peer, request, at + REQUEST_LABEL);
    counters.add(isNew ? "registered" : "updated");
    if (keepEndpoint) return;
    const moved = group.setEndpoint(peer, address, port);
    if (isNew || moved) this.#observer.endpointChanged(group, peer, isNew);
  }
}

/** SC4: whether a label is no later than the last of who sent it. */
function isReplay(
  group: RegistryGroup,
  peer: number,
  request: WireBuffer,
  idAt: number,
  seconds: number,
  nanoseconds: number,
): boolean {
  const { table } = group;
  return peer === NONE
    ? group.replays.isReplay(request, idAt, seconds, nanoseconds)
    : !isLater(seconds, nanoseconds, table.labelSeconds(peer), table.labelNanoseconds(peer));
}

function isLater(
  seconds: number,
  nanoseconds: number,
  thanSeconds: number,
  thanNanoseconds: number,
): boolean {
  return seconds > thanSeconds || (seconds === thanSeconds && nanoseconds > thanNanoseconds);
}
