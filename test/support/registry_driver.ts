/**
 * Drives a registry as a host would, and takes its answers apart with the slow twins.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { CounterName } from "../../lib/core/net/counters.ts";
import {
  BATCH_SIZE,
  DatagramBatch,
  ReplyBatch,
  SLOT_SIZE,
} from "../../lib/core/net/datagram_batch.ts";
import { formatAddress, parseAddress } from "../../lib/core/net/ip_address.ts";
import { KeySet } from "../../lib/core/net/key_set.ts";
import { NonceSource, type RandomSource } from "../../lib/core/net/random.ts";
import { formatKey } from "../../lib/core/net/peer_key.ts";
import { type EncryptionPolicy, Registry } from "../../lib/core/registry/registry.ts";
import {
  type GroupOptions,
  type ProofPolicy,
  RegistryGroup,
} from "../../lib/core/registry/group.ts";
import type { RelayOptions } from "../../lib/core/relay/relay.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { hex } from "./bytes.ts";
import { countingRandom } from "./fake_random.ts";
import { seededRandom } from "./seeded_random.ts";
import {
  twinDecodeResponse,
  twinEnvelope,
  twinMac,
  twinOpen,
  type TwinRecord,
  type TwinRequest,
  twinRequest,
} from "./twins.ts";

/** 2023-11-14 22:13:20 UTC. */
export const T0 = 1_700_000_000;
/** The secret of groups that name no other. */
export const SECRET: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => 0x40 + i);

/** The registry's own key pair. */
export const SERVER_KEY: ExchangeKey = new ExchangeKey(new Uint8Array(32).fill(0x5e), PORTABLE);

const SEED = 0x1234_5678;

/** Settings of a group; what is left out has the value that most tests want. */
export interface DriverGroup {
  readonly id?: number;
  readonly secret?: Uint8Array;
  /** The one before, if it is understood too. */
  readonly formerSecret?: Uint8Array;
  readonly allowed?: readonly Uint8Array[];
  readonly maxAge?: number;
  readonly maxPeers?: number;
  readonly maxAnswer?: number;
  readonly proof?: ProofPolicy;
}

/** Settings of a driver. */
export interface DriverOptions {
  readonly encryption?: EncryptionPolicy;
  readonly groups?: readonly DriverGroup[];
  /** Where nonces come from; a source that never repeats itself if left out. */
  readonly random?: RandomSource;
  /** What wgsig 2 draws from: another process draws something else. */
  readonly seed?: number;
  /** What is relayed; nothing if left out. */
  readonly relay?: RelayOptions;
}

/** A datagram on its way to the registry. */
export interface Sent {
  readonly payload: Uint8Array;
  /** `address port`, the address IPv4 or IPv6. */
  readonly from?: string;
}

/** A datagram that was passed on. */
export interface Relayed {
  readonly payload: Uint8Array;
  /** `address port` */
  readonly to: string;
  readonly socket: number;
}

/** A request to make. */
export interface Asked extends Partial<TwinRequest> {
  readonly from?: string;
  readonly secret?: Uint8Array;
  /** Encrypts it; the number is its nonce. */
  readonly sealed?: number;
  /** SGROUP, where it is not GROUP. */
  readonly envelopeGroup?: number;
  /** Bytes after it. */
  readonly padding?: Uint8Array;
}

/** An answer: its datagrams, their records in order. */
export interface Answer {
  readonly sealed: boolean;
  /** Each datagram as it was sent. */
  readonly datagrams: readonly Uint8Array[];
  /** Each datagram decrypted. */
  readonly plains: readonly Uint8Array[];
  readonly records: readonly TwinRecord[];
}

/** A request's datagram. */
export function requestOf(asked: Asked): Sent {
  const secret = asked.secret ?? SECRET;
  const group = asked.group ?? 0;
  const plain = twinRequest({
    id: asked.id ?? new Uint8Array(32).fill(1),
    seconds: asked.seconds ?? T0,
    nanoseconds: asked.nanoseconds ?? 0,
    flags: asked.flags ?? 0,
    group,
  }, secret);
  const payload = asked.sealed === undefined
    ? plain
    : twinEnvelope(plain, asked.envelopeGroup ?? group, nonceOf(asked.sealed), secret);
  return {
    payload: Uint8Array.from([...payload, ...asked.padding ?? []]),
    ...(asked.from === undefined ? {} : { from: asked.from }),
  };
}

function nonceOf(number: number): Uint8Array {
  return Uint8Array.from({ length: 12 }, (_, i) => (number + 1) * (i + 17));
}

/** A record as text that can be compared: `ID address:port seconds.nanoseconds`. */
export function recordText(record: TwinRecord): string {
  const { id, address, port, seconds, nanoseconds } = record;
  return `${formatKey(id)} ${address.join(".")}:${port} ${seconds}.${nanoseconds}`;
}

/** A registry with its clocks. */
export class RegistryDriver {
  readonly registry: Registry;
  /** Whether an answer may be its first datagram alone. */
  mayCut = false;
  /** Seconds since 1970. */
  unix = T0;
  /** The monotonic clock. */
  mono = 5000;
  /** `new 0 ID` or `moved 0 ID`, with the group's number, as the observer was told. */
  readonly changes: string[] = [];
  /** Reasons and datagrams, as the observer was told. */
  readonly drops: { readonly reason: CounterName; readonly i: number }[] = [];
  /** Ciphertexts by secret and nonce, of all answers. */
  readonly ciphertexts = new Map<string, string>();
  readonly #batch = new DatagramBatch();
  readonly #replies = new ReplyBatch();
  readonly #nonces: NonceSource;
  readonly #secrets = new Map<number, readonly Uint8Array[]>();

  constructor(options: DriverOptions = {}) {
    this.#nonces = new NonceSource(options.random ?? countingRandom());
    this.registry = new Registry({ encryption: options.encryption ?? "auto", window: 30 }, {
      endpointChanged: (group, peer, isNew) => {
        const at = group.table.recordAt(peer);
        const id = formatKey(group.table.pages.bytes.slice(at, at + 32));
        this.changes.push(`${isNew ? "new" : "moved"} ${group.id} ${id}`);
      },
      ipv6EndpointChanged: (group, peer, isNew) => {
        const { ids } = group.members.directory!;
        const id = formatKey(ids.bytes.slice(32 * peer, 32 * peer + 32));
        this.changes.push(`${isNew ? "new" : "moved"} ${group.id} ${id} IPv6`);
      },
      dropped: (reason, _batch, i) => this.drops.push({ reason, i }),
    });
    this.registry.answerQuestions(seededRandom(options.seed ?? 1));
    this.registry.relayWith(options.relay, seededRandom(options.seed ?? 1));
    for (const group of options.groups ?? [{}]) this.addGroup(group);
  }

  /** Adds a group. */
  addGroup(group: DriverGroup): RegistryGroup {
    const options = groupOptions(group);
    const { maxPeers = 1000, maxAnswer = 1000 } = group;
    const added = new RegistryGroup(options, { maxPeers, maxAnswer, seed: SEED }, this.#nonces);
    this.registry.setGroup(added);
    this.#secrets.set(options.id, options.secrets);
    return added;
  }

  /** Changes the settings of a group. */
  configureGroup(group: DriverGroup): void {
    const options = groupOptions(group);
    this.group(options.id).configure(options, this.mono);
    this.#secrets.set(options.id, options.secrets);
  }

  /** The settings of a group, as a registry gets them. */
  optionsOf(group: DriverGroup): GroupOptions {
    return groupOptions(group);
  }

  /** The group with this number. */
  group(id = 0): RegistryGroup {
    const group = this.registry.groups.get(id);
    assert(group !== undefined, `no group ${id}`);
    return group;
  }

  /** Lets both clocks go on. */
  pass(seconds: number): void {
    this.unix += seconds;
    this.mono += seconds;
  }

  /** Sends one request and returns its answer. Its label is the server's time unless it says. */
  ask(asked: Asked): Answer | undefined {
    return this.send([requestOf({ seconds: Math.floor(this.unix), ...asked })])[0];
  }

  /** The reason for which a request is dropped; undefined if it is answered. */
  reasonFor(asked: Asked | Sent): CounterName | undefined {
    const before = this.drops.length;
    const answer = "payload" in asked ? this.send([asked])[0] : this.ask(asked);
    const reason = this.drops[before]?.reason;
    assertEquals(answer === undefined, reason !== undefined);
    return reason;
  }

  /** Sends a batch of datagrams and returns their answers, checked to be whole and valid. */
  send(datagrams: readonly Sent[]): (Answer | undefined)[] {
    this.#deliver(datagrams);
    const answers = new Array<Answer | undefined>(datagrams.length).fill(undefined);
    for (let k = 0; k < this.#replies.count; k++) {
      const to = this.#replies.to[k]!;
      assertEquals(answers[to], undefined, "answered twice");
      answers[to] = this.#takeApart(k, datagrams[to]!.payload);
    }
    return answers;
  }

  /** Sends a batch of datagrams, and returns what is relayed: to where, and through which socket. */
  relay(datagrams: readonly Sent[], socket = 0): Relayed[] {
    this.#deliver(datagrams, socket);
    const relayed: Relayed[] = [];
    const take = (through: number, replies: ReplyBatch) => {
      for (let k = 0; k < replies.count; k++) {
        const to = replies.to[k]!;
        if (to < BATCH_SIZE) continue;
        const at = replies.offsets[k]!;
        assertEquals(replies.runs[k], 1);
        const address = formatAddress(replies.destinations, replies.destinationAt(to));
        relayed.push({
          payload: replies.buffers[k]!.slice(at, at + replies.sizes[k]!),
          to: `${address} ${replies.destinationPort(to)}`,
          socket: through,
        });
      }
    };
    take(socket, this.#replies);
    this.registry.relay?.sendOthers(take);
    return relayed;
  }

  /** Sends a batch of datagrams and returns what is sent for each, as it is. */
  exchange(datagrams: readonly Sent[], socket = 0): Uint8Array[][] {
    this.#deliver(datagrams, socket);
    const { to, buffers, offsets, sizes, runs, count } = this.#replies;
    const sent: Uint8Array[][] = datagrams.map(() => []);
    for (let k = 0; k < count; k++) {
      assert(to[k]! < BATCH_SIZE, "it was relayed");
      for (let i = 0; i < runs[k]!; i++) {
        const at = offsets[k]! + i * sizes[k]!;
        sent[to[k]!]!.push(buffers[k]!.slice(at, at + sizes[k]!));
      }
    }
    return sent;
  }

  #deliver(datagrams: readonly Sent[], socket = 0): void {
    const batch = this.#batch;
    batch.count = datagrams.length;
    datagrams.forEach(({ payload, from = "192.0.2.7 51820" }, i) => {
      const [address, port] = from.split(" ");
      batch.payloads.bytes.set(payload.subarray(0, SLOT_SIZE), i * SLOT_SIZE);
      batch.lengths[i] = payload.length;
      assert(parseAddress(address!, batch.sources, batch.sourceAt(i)), `bad address ${from}`);
      batch.setSourcePort(i, Number(port));
    });
    this.registry.answer(batch, { unix: this.unix, mono: this.mono }, this.#replies, socket);
  }

  /** The texts of the records that a group holds, newest first, in its answers or not. */
  held(id = 0): string[] {
    const { table } = this.group(id);
    const texts: string[] = [];
    for (let peer = table.oldest; peer !== -1; peer = table.newerThan(peer)) {
      const at = table.recordAt(peer);
      const page = new Uint8Array(540);
      page.set(table.pages.bytes.subarray(at, at + 50));
      texts.unshift(...twinDecodeResponse(page, SECRET).records.map(recordText));
    }
    return texts;
  }

  /** The bytes of a group's records, to see whether something changed. */
  snapshot(id = 0): string {
    const { table } = this.group(id);
    return `${table.count} ${hex(table.pages.bytes)} ${this.held(id).join()}`;
  }

  #takeApart(k: number, request: Uint8Array): Answer {
    const size = this.#replies.sizes[k]!;
    const run = this.#replies.runs[k]!;
    const offset = this.#replies.offsets[k]!;
    const sealed = size === 556;
    assert(sealed || size === 540, `datagrams of ${size} bytes`);
    const datagrams = Array.from({ length: run }, (_, i) => {
      const at = offset + i * size;
      const datagram = this.#replies.buffers[k]!.slice(at, at + size);
      assertEquals(datagram.length, size);
      return datagram;
    });
    const [id, secret] = this.#groupOf(sealed, request);
    const plains = datagrams.map((datagram) => {
      if (!sealed) return datagram;
      const opened = twinOpen(datagram, secret);
      assertEquals(opened.group, id);
      this.#noteNonce(secret, opened.nonce, datagram);
      return opened.payload;
    });
    const records: TwinRecord[] = [];
    plains.forEach((plain, i) => {
      const response = twinDecodeResponse(plain, secret);
      assert(response.macValid, "a MAC is wrong");
      const isCut = this.mayCut && run === 1;
      const others = isCut ? response.others : run - 1;
      assertEquals([response.extensions, response.others, response.group], [0, others, id]);
      if (i < others) assertEquals(response.records.length, 10, "a gap before the last datagram");
      records.push(...response.records);
    });
    assertEquals(new Set(records.map(({ id }) => hex(id))).size, records.length, "an ID twice");
    return { sealed, datagrams, plains, records };
  }

  /** A nonce must not be used for two plaintexts, or the XOR of both is known. */
  #noteNonce(secret: Uint8Array, nonce: Uint8Array, datagram: Uint8Array): void {
    const key = `${hex(secret)} ${hex(nonce)}`;
    const known = this.ciphertexts.get(key);
    const ciphertext = hex(datagram);
    assert(known === undefined || known === ciphertext, "a nonce was used for two plaintexts");
    this.ciphertexts.set(key, ciphertext);
  }

  /** The group that a request was for, and the secret that it was made with: so is the answer. */
  #groupOf(sealed: boolean, request: Uint8Array): [number, Uint8Array] {
    for (const [id, secrets] of this.#secrets) {
      for (const secret of secrets) {
        const plain = (sealed ? twinOpen(request, secret).payload : request).slice(0, 82);
        const claimed = new DataView(plain.buffer).getUint32(46);
        const mac = twinMac(secret, plain.slice(0, 50));
        if (claimed === id && hex(mac) === hex(plain.slice(50))) return [id, secret];
      }
    }
    throw new RangeError("Cannot tell the group of an answer");
  }
}

function groupOptions(group: DriverGroup): GroupOptions {
  const { formerSecret } = group;
  return {
    id: group.id ?? 0,
    secrets: [group.secret ?? SECRET, ...formerSecret === undefined ? [] : [formerSecret]],
    primitives: PORTABLE,
    allowed: group.allowed && new KeySet(group.allowed, SEED),
    maxAge: group.maxAge ?? 300,
    window: 30,
    serverKey: SERVER_KEY,
    proof: group.proof ?? "auto",
  };
}
