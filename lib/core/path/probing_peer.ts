/**
 * One peer: the keys of the pair, the probes and echoes that go to and fro, and the way that they show.
 *
 * @module
 */

import type { PairKeys } from "../../wire/probe/pair_keys.ts";
import {
  type Echo,
  newEcho,
  newProbe,
  openEcho,
  openProbe,
  PROBE_FLAG,
  PROBE_SIZE,
  sealEcho,
  sealProbe,
  TOKEN_SIZE,
} from "../../wire/probe/probe.ts";
import { CANDIDATE } from "../../wire/wgsig2/candidate.ts";
import { DATAGRAM_NONCE } from "../../wire/wgsig2/datagram.ts";
import { copyBytes, equalBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { type DatagramBatch, SLOT_SIZE } from "../net/datagram_batch.ts";
import { formatHostPort, type HostPort } from "../net/host_port.ts";
import { ADDRESS_SIZE } from "../net/ip_address.ts";
import type { NonceSource, RandomSource } from "../net/random.ts";
import type { Path } from "./path.ts";
import type { PeerPath } from "./peer_path.ts";
import { ProbesOut } from "./probes_out.ts";

/** Echoes per second: whoever plays a peer's probes back gets few. */
const ECHO_RATE = 50;

// Nothing of these is kept from one call to the next.
const probe = newProbe();
const echo: Echo = newEcho();
const opened = new WireBuffer(PROBE_SIZE);

/** Where a datagram came from, and to which of the own ports. */
export interface Arrival {
  readonly from: HostPort;
  /** Undefined for WireGuard's. */
  readonly port: number | undefined;
}

/** A peer that answers probes. */
export class ProbingPeer {
  /** In base64. */
  readonly publicKey: string;
  /** The way to it. */
  readonly way: PeerPath;
  /** What both have in common. */
  readonly keys: PairKeys;
  /** When it has something to do, on the monotonic clock, in seconds. */
  dueAt = -Infinity;
  /** WireGuard's, in seconds. */
  persistentKeepalive = 0;
  readonly #random: RandomSource;
  readonly #out = new ProbesOut();
  /** What it has to show for a switch: drawn anew after each, so that none is played back. */
  readonly #token = new WireBuffer(TOKEN_SIZE);
  /** What this side has to show. */
  readonly #theirToken = new WireBuffer(TOKEN_SIZE);
  /** Echoes that it may still have at this moment. */
  #echoes = ECHO_RATE;
  #echoesAt = -Infinity;

  /** Knows nothing of where it is. */
  constructor(publicKey: string, keys: PairKeys, way: PeerPath, random: RandomSource) {
    this.publicKey = publicKey;
    this.keys = keys;
    this.way = way;
    this.#random = random;
    random(this.#token.bytes);
  }

  /** The way to it, which is told something: it may have something to do then. */
  touched(): PeerPath {
    this.dueAt = -Infinity;
    return this.way;
  }

  /** Writes a probe of a path at the start of `out`, 76 bytes. */
  writeProbe(
    path: Path,
    switches: boolean,
    nonces: NonceSource,
    out: WireBuffer,
    mono: number,
  ): void {
    probe.flags = switches ? PROBE_FLAG.switch : 0;
    copyBytes(this.#theirToken, 0, probe.token, 0, TOKEN_SIZE);
    for (;;) {
      const at = nonces.next();
      if (!sealProbe(this.keys, probe, nonces.buffer, at, out, 0)) continue;
      return this.#out.add(path, nonces.buffer, at, mono);
    }
  }

  /**
   * Takes in datagram `i` of a batch, which looks like a probe.
   *
   * @returns Its echo; undefined where it isn't this peer's; null where it gets none.
   */
  hearProbe(
    batch: DatagramBatch,
    i: number,
    { from, port }: Arrival,
    nonces: NonceSource,
    mono: number,
  ): Uint8Array | undefined | null {
    const { payloads, sources } = batch;
    const at = i * SLOT_SIZE;
    copyBytes(payloads, at, opened, 0, PROBE_SIZE);
    if (!openProbe(this.keys, opened, 0, probe)) return undefined;
    // An echo would have the other side go directly.
    if (this.way.isAlwaysRelayed || !this.#mayEcho(mono)) return null;
    const path = this.touched().hear(from, port, mono);
    const isFresh = equalBytes(probe.token, 0, this.#token, 0, TOKEN_SIZE);
    const switches = isFresh && (probe.flags & PROBE_FLAG.switch) !== 0 &&
      this.way.switched(path, mono);
    if (switches) this.#random(this.#token.bytes);
    echo.flags = switches ? PROBE_FLAG.switch : 0;
    copyBytes(this.#token, 0, echo.token, 0, TOKEN_SIZE);
    echo.seen.kind = CANDIDATE.seen;
    echo.seen.port = from.port;
    copyBytes(sources, batch.sourceAt(i), echo.seen.address, 0, ADDRESS_SIZE);
    const out = new WireBuffer(PROBE_SIZE);
    for (;;) {
      const nonceAt = nonces.next();
      const asked = at + DATAGRAM_NONCE;
      if (sealEcho(this.keys, echo, payloads, asked, nonces.buffer, nonceAt, out, 0)) break;
    }
    return out.bytes;
  }

  /** Takes in datagram `i` of a batch, which looks like an echo. @returns Whether it is this peer's. */
  hearEcho({ payloads }: DatagramBatch, i: number, { from }: Arrival, mono: number): boolean {
    const out = this.#out.find(formatHostPort(from), mono, (nonce) => {
      copyBytes(payloads, i * SLOT_SIZE, opened, 0, PROBE_SIZE);
      return openEcho(this.keys, opened, 0, nonce, 0, echo);
    });
    if (out === undefined) return false;
    copyBytes(echo.token, 0, this.#theirToken, 0, TOKEN_SIZE);
    const hasSwitched = (echo.flags & PROBE_FLAG.switch) !== 0;
    this.touched().echoed(out.path, mono - out.sentAt, hasSwitched, mono);
    return true;
  }

  #mayEcho(mono: number): boolean {
    const passed = Math.min(1, mono - this.#echoesAt);
    this.#echoes = Math.min(ECHO_RATE, this.#echoes + passed * ECHO_RATE);
    this.#echoesAt = mono;
    if (this.#echoes < 1) return false;
    this.#echoes--;
    return true;
  }
}
