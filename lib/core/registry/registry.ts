/**
 * The server's side of the wgsig protocol: which requests are let in (SC1 to SC5 of the protocol
 * text), what they change, and what they are answered.
 *
 * Pure: time and randomness are arguments. A batch of requests is admitted first; then every
 * answer datagram that changed is sealed once, for the whole batch; then the answers are handed out.
 *
 * @module
 */

import { ENVELOPE_SIZE, openEnvelope, readEnvelopeGroup } from "../../wire/wgsig/envelope.ts";
import {
  KEEP_ENDPOINT,
  KEEP_LABEL,
  REQUEST_FLAGS,
  REQUEST_GROUP,
  REQUEST_ID,
  REQUEST_LABEL,
  REQUEST_SIZE,
  verifyRequest,
} from "../../wire/wgsig/request.ts";
import { NANOSECONDS_PER_SECOND, readNanoseconds, readSeconds } from "../../wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import { type CounterName, Counters } from "../net/counters.ts";
import {
  BATCH_SIZE,
  type DatagramBatch,
  type ReplyBatch,
  SLOT_SIZE,
} from "../net/datagram_batch.ts";
import { isIpv4, readIpv4 } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import type { RegistryGroup } from "./group.ts";

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

/** A registry of groups. */
export class Registry {
  /** What happened to all datagrams so far. */
  readonly counters: Counters = new Counters();
  readonly #groups = new Map<number, RegistryGroup>();
  readonly #observer: RegistryObserver;
  #options: RegistryOptions;
  // By datagram of the batch: the group that answers it, and in which form.
  readonly #answering: (RegistryGroup | undefined)[] = new Array(BATCH_SIZE).fill(undefined);
  readonly #sealed = new Uint8Array(BATCH_SIZE);
  readonly #opened = new WireBuffer(REQUEST_SIZE);

  /** Makes a registry without groups. */
  constructor(options: RegistryOptions, observer: RegistryObserver) {
    this.#options = options;
    this.#observer = observer;
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

  /** Removes the peers that were not seen for longer than their group's maximal age. */
  expire(now: Now): void {
    for (const group of this.#groups.values()) {
      this.counters.add("expired", group.expire(now.mono));
    }
  }

  /** Takes a batch of datagrams in, and fills `replies` with what is to be sent for them. */
  answer(batch: DatagramBatch, now: Now, replies: ReplyBatch): void {
    replies.count = 0;
    this.counters.add("received", batch.count);
    for (let i = 0; i < batch.count; i++) {
      const refusal = this.#admit(batch, i, now);
      if (refusal === undefined) continue;
      this.#answering[i] = undefined;
      this.counters.add(refusal);
      this.#observer.dropped(refusal, batch, i);
    }
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
        openEnvelope(group.cipherKey, batch.payloads, at, REQUEST_SIZE, this.#opened, 0);
        if (this.#opened.view.getUint32(REQUEST_GROUP) === group.id) {
          if (encryption === "off") return "drop-encrypted";
          this.#sealed[i] = 1;
          return this.#admitRequest(group, this.#opened, 0, batch, i, now);
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
    let peer = table.find(request, idAt);
    if (peer === NONE) {
      if (group.replays.isReplay(request, idAt, seconds, nanoseconds)) return "drop-replayed";
    } else if (
      !isLater(seconds, nanoseconds, table.labelSeconds(peer), table.labelNanoseconds(peer))
    ) {
      return "drop-replayed";
    }
    if (!verifyRequest(group.macKey, request, at)) return "drop-bad-mac";

    this.#answering[i] = group;
    const flags = request.view.getUint16(at + REQUEST_FLAGS);
    const sourceAt = batch.sourceAt(i);
    const fromIpv4 = isIpv4(batch.sources, sourceAt);
    if (!fromIpv4) this.counters.add("ipv6-source");
    const keepEndpoint = (flags & KEEP_ENDPOINT) !== 0 || !fromIpv4;
    const keepLabel = (flags & KEEP_ENDPOINT) !== 0 && (flags & KEEP_LABEL) !== 0;

    const isNew = peer === NONE;
    if (isNew && !keepEndpoint) {
      peer = group.admitPeer(request, idAt, now.mono, this.counters);
      if (peer === NONE) this.counters.add("no-room");
    }
    if (peer === NONE) {
      group.replays.note(request, idAt, seconds, nanoseconds, now.mono);
      return undefined;
    }
    table.setHighestLabel(peer, seconds, nanoseconds);
    group.changed = true;
    if (keepLabel) return undefined;
    if (!isNew) table.touch(peer, now.mono);
    table.setLabel(peer, request, labelAt);
    this.counters.add(isNew ? "registered" : "updated");
    if (keepEndpoint) return undefined;
    const moved = group.setEndpoint(peer, readIpv4(batch.sources, sourceAt), batch.sourcePort(i));
    if (isNew || moved) this.#observer.endpointChanged(group, peer, isNew);
    return undefined;
  }
}

function isLater(
  seconds: number,
  nanoseconds: number,
  thanSeconds: number,
  thanNanoseconds: number,
): boolean {
  return seconds > thanSeconds || (seconds === thanSeconds && nanoseconds > thanNanoseconds);
}
