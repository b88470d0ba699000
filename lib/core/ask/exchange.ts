/**
 * A client's side of the wgsig protocol: one question to one server, until its whole answer is here.
 *
 * Pure: the caller sends what {@linkcode Exchange.writeRequest} wrote, again when no answer comes,
 * and hands in what it received from the server's address.
 *
 * @module
 */

import {
  ENVELOPE_SIZE,
  envelopeKey,
  openEnvelope,
  sealEnvelope,
} from "../../wire/wgsig/envelope.ts";
import { readEnvelopeGroup } from "../../wire/wgsig/envelope.ts";
import { MAC_SIZE, MacKey } from "../../wire/crypto/mac.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import { newRecord } from "../../wire/wgsig/record.ts";
import {
  encodeRequest,
  KEEP_ENDPOINT,
  newRequest,
  REQUEST_SIZE,
} from "../../wire/wgsig/request.ts";
import {
  decodeResponseRecord,
  decodeTrailer,
  RECORDS_PER_RESPONSE,
  RESPONSE_MAC,
  RESPONSE_SIZE,
  verifyResponse,
} from "../../wire/wgsig/response.ts";
import { compareLabels, type Label, labelOf } from "../../wire/wgsig/tai64n.ts";
import { equalBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { formatIpv4 } from "../net/ip_address.ts";
import type { NonceSource } from "../net/random.ts";
import { formatKey } from "../net/peer_key.ts";

/** Size of the largest request that {@linkcode Exchange.writeRequest} writes, in bytes. */
export const MAX_REQUEST_SIZE: number = ENVELOPE_SIZE + REQUEST_SIZE;
/** The most peers that a client keeps. */
const MAX_PEERS_KEPT = 100_000;
/** How far ahead a label can be, in seconds: two clocks may be off by the server's window each. */
const MAX_AHEAD = 120;
/** The most response datagrams that a client keeps: 100 000 peers. */
const MAX_RESPONSES_KEPT = 10_000;

/** A peer as a server told of it. */
export interface SeenPeer extends Label {
  /** The WireGuard public key in base64. */
  readonly publicKey: string;
  /** IPv4 address. */
  readonly address: string;
  /** UDP port. */
  readonly port: number;
}

/** What to ask, and how. */
export interface ExchangeOptions {
  /** The own WireGuard public key, 32 bytes. */
  readonly id: Uint8Array;
  /** The group secret, 32 bytes. Not kept. */
  readonly secret: Uint8Array;
  /** What the keys of the secret are made with. */
  readonly primitives: Primitives;
  /** GROUP, 0 to 0xffffffff. */
  readonly group: number;
  /** CLFLG of the request. */
  readonly flags: number;
  /** Whether to encrypt; an answer is taken only in the form of the request. */
  readonly encrypt: boolean;
  /** Records older than this, in seconds, are left out. */
  readonly maxAge: number;
}

/** What became of a datagram that was received. */
export type Receipt =
  | "accepted"
  | "duplicate"
  | "drop-too-short"
  | "drop-group-mismatch"
  | "drop-bad-mac"
  | "drop-replayed"
  | "drop-too-many";

/** One question to one server. */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #publicKey: string;
  readonly #macKey: MacKey;
  readonly #cipherKey: ReturnType<typeof envelopeKey>;
  readonly #nonces: NonceSource;
  readonly #request = newRequest();
  readonly #record = newRecord();
  readonly #trailer = { extensions: 0, others: 0, group: 0 };
  readonly #plain = new WireBuffer(RESPONSE_SIZE);
  /** The label of the first request: an answer to any of ours has the own record not older. */
  #firstLabel: Label | undefined;
  #lastLabel: Label = { seconds: 0, nanoseconds: -1 };
  /** MACs of the datagrams received since the last request. */
  readonly #sinceRequest = new Set<string>();
  /** Those of them in whose place another came: they are of another answer. */
  readonly #outdated = new Set<string>();
  /** Per public key, the MAC of the datagram that showed it last since the last request. */
  readonly #shownIn = new Map<string, string>();
  readonly #peers = new Map<string, SeenPeer>();
  #expected: number | undefined;
  #received = 0;
  #isComplete = false;

  /** Prepares a question. Nonces are drawn only where it is encrypted. */
  constructor(options: ExchangeOptions, nonces: NonceSource) {
    this.#options = options;
    this.#publicKey = formatKey(options.id);
    this.#macKey = new MacKey(options.secret, options.primitives);
    this.#cipherKey = envelopeKey(options.secret, options.primitives);
    this.#nonces = nonces;
    this.#request.id.bytes.set(options.id);
    this.#request.flags = options.flags;
    this.#request.group = options.group;
  }

  /** From the next request on, the server is to leave the registered endpoint as it is. */
  keepEndpoint(): void {
    this.#request.flags |= KEEP_ENDPOINT;
  }

  /** How many datagrams the answer has, as far as is known. */
  get expected(): number | undefined {
    return this.#expected;
  }

  /** How many different datagrams were accepted. */
  get received(): number {
    return this.#received;
  }

  /**
   * Writes a new request at the start of `out`. Its label is later than that of every request
   * before.
   *
   * @param out At least {@linkcode MAX_REQUEST_SIZE} bytes.
   * @param unix The wall clock.
   * @returns The request's size.
   */
  writeRequest(out: WireBuffer, unix: number): number {
    let label = labelOf(unix);
    const last = this.#lastLabel;
    if (compareLabels(label, last) <= 0) {
      label = last.nanoseconds < 999_999_999
        ? { seconds: last.seconds, nanoseconds: last.nanoseconds + 1 }
        : { seconds: last.seconds + 1, nanoseconds: 0 };
    }
    this.#lastLabel = label;
    this.#firstLabel ??= label;
    this.#sinceRequest.clear();
    this.#outdated.clear();
    this.#shownIn.clear();
    this.#request.seconds = label.seconds;
    this.#request.nanoseconds = label.nanoseconds;
    if (!this.#options.encrypt) {
      encodeRequest(this.#request, this.#macKey, out, 0);
      return REQUEST_SIZE;
    }
    encodeRequest(this.#request, this.#macKey, out, ENVELOPE_SIZE);
    sealEnvelope(
      this.#cipherKey,
      this.#options.group,
      this.#nonces.buffer,
      this.#nonces.next(),
      out,
      ENVELOPE_SIZE,
      REQUEST_SIZE,
      out,
      0,
    );
    return MAX_REQUEST_SIZE;
  }

  /** Takes in a datagram that came from the server's address. */
  receive(buffer: WireBuffer, at: number, length: number): Receipt {
    const { encrypt, group } = this.#options;
    if (length < (encrypt ? ENVELOPE_SIZE : 0) + RESPONSE_SIZE) return "drop-too-short";
    if (encrypt) {
      if (readEnvelopeGroup(buffer, at) !== group) return "drop-group-mismatch";
      openEnvelope(this.#cipherKey, buffer, at, RESPONSE_SIZE, this.#plain, 0);
      buffer = this.#plain;
      at = 0;
    }
    decodeTrailer(buffer, at, RESPONSE_SIZE, this.#trailer);
    if (!verifyResponse(this.#macKey, buffer, at)) return "drop-bad-mac";
    if (this.#trailer.group !== group) return "drop-group-mismatch";
    if (this.#isOlderThanQuestion(buffer, at)) return "drop-replayed";
    const mac = formatKey(buffer.bytes.slice(at + RESPONSE_MAC, at + RESPONSE_MAC + MAC_SIZE));
    if (this.#sinceRequest.has(mac)) return "duplicate";
    if (this.#sinceRequest.size >= MAX_RESPONSES_KEPT) return "drop-too-many";
    this.#sinceRequest.add(mac);
    for (let i = 0; i < RECORDS_PER_RESPONSE; i++) {
      if (decodeResponseRecord(buffer, at, i, this.#record)) this.#keep(mac);
    }
    const expected = this.#trailer.others + 1;
    this.#expected = expected;
    const received = this.#sinceRequest.size - this.#outdated.size;
    this.#received = Math.max(this.#received, received);
    this.#isComplete ||= received >= expected ||
      this.#peers.size > RECORDS_PER_RESPONSE * (expected - 1);
    return "accepted";
  }

  /**
   * Whether everything was received that the server has. Either all datagrams of one answer came;
   * or, over several answers that each lost some, so many peers that no datagram can be missing
   * (a server fills all datagrams but one with ten records). It stays so, whatever comes late.
   */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /**
   * All peers received so far, the own record among them, in the order in which they came; stale
   * ones left out.
   *
   * @param unixSeconds The wall clock.
   */
  peers(unixSeconds: number): SeenPeer[] {
    const { maxAge } = this.#options;
    return [...this.#peers.values()].filter(({ seconds }) =>
      unixSeconds - seconds <= maxAge && seconds - unixSeconds <= MAX_AHEAD
    );
  }

  /**
   * Answers are not bound to requests. But an answer to one of ours shows the own record with the
   * label of that request: an older one there is an answer to an older question, played back.
   */
  #isOlderThanQuestion(buffer: WireBuffer, at: number): boolean {
    const first = this.#firstLabel;
    if (first === undefined) return true;
    for (let i = 0; i < RECORDS_PER_RESPONSE; i++) {
      if (!decodeResponseRecord(buffer, at, i, this.#record)) continue;
      if (!equalBytes(this.#record.id, 0, this.#request.id, 0, this.#request.id.size)) continue;
      return compareLabels(this.#record, first) < 0;
    }
    return false;
  }

  /** Keeps the record that was read from the datagram with this MAC. */
  #keep(mac: string): void {
    const { address, port, seconds, nanoseconds } = this.#record;
    const publicKey = formatKey(this.#record.id.bytes);
    // Datagrams of one answer share no peer. Of two that do, one is of another answer, and must
    // not count in place of one that is missing.
    const other = this.#shownIn.get(publicKey);
    if (other !== undefined && other !== mac) this.#outdated.add(other);
    this.#shownIn.set(publicKey, mac);
    if (Number.isNaN(seconds) || !isUsable(address, port)) return;
    const known = this.#peers.get(publicKey);
    if (known !== undefined && compareLabels(this.#record, known) <= 0) return;
    if (known === undefined && this.#peers.size >= MAX_PEERS_KEPT) return;
    this.#peers.set(publicKey, {
      publicKey,
      address: formatIpv4(address),
      port,
      seconds,
      nanoseconds,
    });
  }

  /** What was told of one peer, however old it is. @param publicKey In base64. */
  peer(publicKey: string): SeenPeer | undefined {
    return this.#peers.get(publicKey);
  }

  /** The own WireGuard public key in base64. */
  get publicKey(): string {
    return this.#publicKey;
  }
}

/** Whether an endpoint can be that of a host: no port 0, no network 0, no group of hosts. */
function isUsable(address: number, port: number): boolean {
  const network = address >>> 24;
  return port > 0 && network > 0 && network < 224;
}
