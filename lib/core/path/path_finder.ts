/**
 * Ways to all peers of an interface: probes between them, and what follows from their echoes.
 *
 * The driver does what {@linkcode PathFinder.next} says, hands in what comes to WireGuard's port, and
 * the interface whenever it was read. Nothing is believed, and nothing answered, that the keys of a
 * pair don't open. It is long for all that is told goes through here, to one peer or to each.
 *
 * @module
 */

import type { ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import { LONG_NONCE_SIZE } from "../../wire/crypto/aead_key.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { PairKeys } from "../../wire/probe/pair_keys.ts";
import { PROBE_SIZE, readProbeTag, readProbeType } from "../../wire/probe/probe.ts";
import { DATAGRAM } from "../../wire/wgsig2/datagram.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Now } from "../net/clock.ts";
import { type DatagramBatch, SLOT_SIZE } from "../net/datagram_batch.ts";
import type { Device, DevicePeer } from "../net/device.ts";
import type { HostPort } from "../net/host_port.ts";
import { formatAddress } from "../net/ip_address.ts";
import { formatKey, parseKey } from "../net/peer_key.ts";
import { NonceSource, type RandomSource } from "../net/random.ts";
import type { FinderStep, FoundPath, PathFinderOptions } from "./finder_step.ts";
import { HardTurn, HardWay } from "./hard_way.ts";
import type { Path } from "./path.ts";
import type { OwnMapping, ToldPeer } from "./path_step.ts";
import { KeylessPeers } from "./keyless_peers.ts";
import { PeerPath } from "./peer_path.ts";
import { type Arrival, ProbingPeer } from "./probing_peer.ts";

/** Something that waits to be sent. */
interface Reply {
  readonly bytes: Uint8Array;
  readonly to: HostPort;
  readonly from: number | undefined;
}

/** Echoes that wait, with what else waits. */
const MOST_REPLIES = 256;
/** Between two probes of one way in use, in seconds, per peer. */
const WATCH = 0.05;
const SHORTEST_WATCH = 2;
/** Size of what is sent by hundreds to get through a hard NAT. */
const BYTE = 1;
const BYTE_SENT = new Uint8Array(BYTE);
const PROBE_KINDS: ReadonlySet<number> = new Set([DATAGRAM.probe, DATAGRAM.echo]);

/** Decides for all of them. */
export class PathFinder {
  #options: PathFinderOptions;
  readonly #random: RandomSource;
  readonly #primitives: Primitives;
  readonly #nonces: NonceSource;
  readonly #peers = new Map<string, ProbingPeer>();
  readonly #byTag = new Map<number, ProbingPeer[]>();
  /** What is told of peers, by public key. */
  #told: ReadonlyMap<string, ToldPeer> = new Map();
  /** Those of the interface that have no keys yet. */
  readonly #keyless = new KeylessPeers();
  readonly #turn = new HardTurn();
  #own: OwnMapping = { nat: "unknown", seen: "" };
  /** Whether no other port can be taken for WireGuard's. */
  #movesNone = false;
  #device: Device | undefined;
  readonly #replies: Reply[] = [];
  /** What is to be undone of those that are gone. */
  readonly #undone: FinderStep[] = [];
  readonly #buffer = new WireBuffer(PROBE_SIZE);
  #tells = false;
  #isReading = false;
  #dropped = 0;

  /** Knows of nobody. */
  constructor(options: PathFinderOptions, random: RandomSource, primitives: Primitives) {
    this.#options = options;
    this.#random = random;
    this.#primitives = primitives;
    this.#nonces = new NonceSource(random, LONG_NONCE_SIZE);
  }

  /** Datagrams that looked like probes and were none. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Replaces the settings. */
  configure(options: PathFinderOptions, { mono }: Now): void {
    this.#options = options;
    for (const peer of this.#peers.values()) {
      const way = peer.touched();
      way.configure(options.hard);
      way.setRelay(options.relayOf(peer.publicKey), mono);
    }
  }

  /** The public keys of those that are wanted through the relay, in base64. */
  get relays(): readonly string[] {
    return [...this.#peers.values()].flatMap(({ publicKey, way }) =>
      way.wantsRelay ? [publicKey] : []
    );
  }

  /** The public keys of those to which a direct way is proved while they are relayed. */
  get directs(): readonly string[] {
    return [...this.#peers.values()].flatMap(({ publicKey, way }) =>
      way.isDirect ? [publicKey] : []
    );
  }

  /** Whether a peer's endpoint is decided on here, and by nobody else. */
  owns(publicKey: string, { mono }: Now): boolean {
    const way = this.#peers.get(publicKey)?.way;
    // Its keys are just being made.
    if (way === undefined) return this.#keyless.isAwaited(publicKey);
    return !way.isVain(mono);
  }

  /** The way to a peer; undefined where it is not known here. */
  wayTo(publicKey: string): PeerPath | undefined {
    return this.#peers.get(publicKey)?.way;
  }

  /** Ways that were taken since this was last called. */
  takeFound(): readonly FoundPath[] {
    return [...this.#peers.values()].flatMap(({ publicKey, way }) =>
      way.takeChanges().map((change) => ({ publicKey, ...change }))
    );
  }

  /** The interface is another one, or gone. */
  forget(): void {
    for (const publicKey of [...this.#peers.keys()]) this.#remove(publicKey);
    this.#keyless.forget();
    this.#device = undefined;
    this.#replies.length = 0;
  }

  /** Takes in the interface. @param isAlive Whether the last handshake of one says that it is reached. */
  see(device: Device, isAlive: (peer: DevicePeer) => boolean, { mono }: Now): void {
    this.#device = device;
    this.#isReading = false;
    const present = new Set(device.peers.map(({ publicKey }) => publicKey));
    for (const publicKey of [...this.#peers.keys()]) {
      if (!present.has(publicKey)) this.#remove(publicKey);
    }
    this.#keyless.keep(present);
    this.#meet();
    const interval = Math.max(SHORTEST_WATCH, WATCH * this.#peers.size);
    for (const peer of device.peers) {
      const known = this.#peers.get(peer.publicKey);
      if (known === undefined) continue;
      known.persistentKeepalive = peer.persistentKeepalive;
      const way = known.touched();
      way.setWatchInterval(interval);
      way.see({ ...peer, isAlive: isAlive(peer) }, mono);
    }
  }

  /** Takes in what registries tell, of those that answer probes. */
  tell(told: ReadonlyMap<string, ToldPeer>, { mono }: Now): void {
    this.#told = told;
    this.#meet();
    for (const peer of this.#peers.values()) {
      const known = told.get(peer.publicKey);
      if (known !== undefined) peer.touched().tell(known, mono);
    }
  }

  /** Takes in how the own port is seen from outside. */
  setOwn(own: OwnMapping): void {
    this.#own = own;
    for (const peer of this.#peers.values()) peer.touched().setOwn(own);
  }

  /** No other port can be taken for WireGuard's on this host. */
  cannotMove(): void {
    this.#movesNone = true;
    for (const peer of this.#peers.values()) peer.touched().cannotMove();
  }

  /** WireGuard could not be given a way. */
  refused(publicKey: string, path: Path, { mono }: Now): void {
    this.#peers.get(publicKey)?.touched().refused(path, mono);
  }

  /** The own side has moved. */
  ownMoved({ mono }: Now): void {
    for (const peer of this.#peers.values()) peer.touched().doubt(mono);
  }

  /** Makes the keys that are still missing. @param own Undefined where the key could not be read. */
  agree(own: ExchangeKey | undefined, { mono }: Now): void {
    const device = this.#device;
    // With another key than the interface's nobody would understand it.
    if (own === undefined || formatKey(own.publicKey.bytes) !== device?.publicKey) {
      return this.#keyless.unreadable(mono);
    }
    for (const publicKey of this.#keyless.take(mono)) {
      const bytes = parseKey(publicKey);
      const keys = bytes && PairKeys.agree(own, bytes, this.#primitives);
      if (keys === undefined) {
        this.#keyless.hopeless(publicKey);
        continue;
      }
      this.#add(publicKey, keys);
      const seen = device.peers.find((peer) => peer.publicKey === publicKey);
      const peer = this.#peers.get(publicKey);
      if (peer !== undefined && seen !== undefined) {
        peer.persistentKeepalive = seen.persistentKeepalive;
        const told = this.#told.get(publicKey);
        if (told !== undefined) peer.touched().tell(told, mono);
      }
    }
    // Whether they are alive is known from the interface alone.
    this.#isReading = true;
  }

  /** Registries have been told, or could not be. */
  toldRegistries(isDone: boolean, { mono }: Now): void {
    for (const peer of this.#peers.values()) peer.touched().toldRegistries(isDone, mono);
  }

  /**
   * Takes in what came to WireGuard's port, and to others that are heard.
   *
   * @param ports To which port each datagram came.
   * @param own WireGuard's port.
   */
  receive(batch: DatagramBatch, ports: Uint16Array, own: number, { mono }: Now): void {
    for (let i = 0; i < batch.count; i++) {
      const length = batch.lengths[i]!;
      if (length === BYTE) this.#hearByte(batch, i, ports[i] === own ? undefined : ports[i]);
      if (length !== PROBE_SIZE) continue;
      const at = i * SLOT_SIZE;
      const type = readProbeType(batch.payloads, at, length);
      if (!PROBE_KINDS.has(type)) continue;
      const from = senderOf(batch, i);
      const arrival = { from, port: ports[i] === own ? undefined : ports[i] };
      const candidates = this.#byTag.get(readProbeTag(batch.payloads, at)) ?? [];
      const isKnown = type === DATAGRAM.probe
        ? candidates.some((peer) => this.#answer(peer, batch, i, arrival, mono))
        : candidates.some((peer) => peer.hearEcho(batch, i, arrival, mono));
      if (!isKnown) this.#dropped++;
    }
  }

  /** Says what to do. */
  next(now: Now): FinderStep {
    const reply = this.#replies.shift();
    if (reply !== undefined) return { kind: "send", ...reply, hops: undefined };
    const undone = this.#undone.shift();
    if (undone !== undefined) return undone;
    if (this.#keyless.isDue(now.mono)) return { kind: "agree" };
    if (this.#isReading) {
      this.#isReading = false;
      return { kind: "read" };
    }
    let until = this.#keyless.nextAt;
    for (const peer of this.#peers.values()) {
      if (now.mono >= peer.dueAt) {
        const step = this.#nextOf(peer, now);
        if (step.kind !== "wait") return step;
        peer.dueAt = step.until;
      }
      until = Math.min(until, peer.dueAt);
    }
    if (this.#tells) {
      this.#tells = false;
      return { kind: "tell" };
    }
    return { kind: "wait", until };
  }

  #nextOf(peer: ProbingPeer, { mono, unix }: Now): FinderStep {
    for (;;) {
      const step = peer.way.next(mono);
      switch (step.kind) {
        case "probe":
          peer.writeProbe(step.path, step.switches, this.#nonces, this.#buffer, mono);
          return {
            kind: "send",
            bytes: this.#buffer.bytes,
            to: step.path.endpoint,
            from: step.path.from,
            hops: step.hops,
          };
        case "set": {
          const { persistentKeepalive: wanted } = this.#options;
          const isNeeded = peer.persistentKeepalive === 0 && wanted > 0;
          return {
            kind: "set",
            publicKey: peer.publicKey,
            path: step.path,
            persistentKeepalive: isNeeded ? wanted : undefined,
          };
        }
        case "punch":
          for (const { to, from } of step.datagrams) {
            this.#replies.push({ bytes: BYTE_SENT, to, from });
          }
          return this.next({ mono, unix });
        case "unmove":
          return { kind: "unmove", publicKey: peer.publicKey };
        case "tell":
          // All peers have their turn first: one word to registries does for all.
          this.#tells = true;
          break;
        default:
          return step;
      }
    }
  }

  /** Anybody can send a byte: it counts only while hundreds of ports are tried with a peer. */
  #hearByte(batch: DatagramBatch, i: number, port: number | undefined): void {
    const { holder } = this.#turn;
    if (holder === undefined) return;
    this.#peers.get(holder)?.touched().heardByte(senderOf(batch, i), port);
  }

  #answer(
    peer: ProbingPeer,
    batch: DatagramBatch,
    i: number,
    arrival: Arrival,
    mono: number,
  ): boolean {
    const bytes = peer.hearProbe(batch, i, arrival, this.#nonces, mono);
    if (bytes instanceof Uint8Array && this.#replies.length < MOST_REPLIES) {
      this.#replies.push({ bytes, to: arrival.from, from: arrival.port });
    }
    return bytes !== undefined;
  }

  /** Who is on the interface, and is told of. */
  #meet(): void {
    for (const { publicKey } of this.#device?.peers ?? []) {
      if (!this.#told.has(publicKey) || this.#peers.has(publicKey)) continue;
      this.#keyless.add(publicKey);
    }
  }

  #add(publicKey: string, keys: PairKeys): void {
    const { relayOf, hard } = this.#options;
    const { isSmaller } = keys;
    const hardWay = new HardWay({ publicKey, isFirst: isSmaller }, hard, this.#turn, this.#random);
    const way = new PeerPath(isSmaller, relayOf(publicKey), hardWay);
    way.setOwn(this.#own);
    if (this.#movesNone) way.cannotMove();
    const peer = new ProbingPeer(publicKey, keys, way, this.#random);
    this.#peers.set(publicKey, peer);
    const others = this.#byTag.get(keys.receiveTag);
    if (others === undefined) this.#byTag.set(keys.receiveTag, [peer]);
    else others.push(peer);
  }

  #remove(publicKey: string): void {
    const peer = this.#peers.get(publicKey);
    if (peer === undefined) return;
    this.#peers.delete(publicKey);
    if (this.#turn.leave(publicKey)) this.#undone.push({ kind: "hear", first: 0, count: 0 });
    if (peer.way.isMoved) this.#undone.push({ kind: "unmove", publicKey });
    const { receiveTag } = peer.keys;
    const others = this.#byTag.get(receiveTag)?.filter((each) => each !== peer) ?? [];
    if (others.length > 0) this.#byTag.set(receiveTag, others);
    else this.#byTag.delete(receiveTag);
  }
}

function senderOf(batch: DatagramBatch, i: number): HostPort {
  return {
    host: formatAddress(batch.sources, batch.sourceAt(i)),
    port: batch.sourcePort(i),
  };
}
