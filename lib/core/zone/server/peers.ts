/**
 * Where a DNS zone's peers come from, and one such source: a WireGuard device. A group of a registry is
 * another one, in `group_peers.ts`.
 *
 * @module
 */

import { ID_SIZE } from "../../../wire/wgsig/record.ts";
import { copyBytes, WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { AllowedStrings } from "./allowed_strings.ts";
import { ChosenKeys } from "./chosen_keys.ts";
import type { Now } from "../../net/clock.ts";
import type { HostPort } from "../../net/host_port.ts";
import { ADDRESS_SIZE, parseAddress } from "../../net/ip_address.ts";
import { normalizePrefix } from "../../net/ip_prefix.ts";
import { KeyIndex } from "../../net/key_index.ts";
import { parseKey } from "../../net/peer_key.ts";
import type { Location } from "./location.ts";

/**
 * A source of peers with endpoints. A peer is known by a number, which is only good until the
 * source changes. Nothing is made to ask it.
 */
export interface ZonePeers {
  /** Whether it is known who they are: not while a device can't be read. */
  readonly isKnown: boolean;
  /** The peer whose key stands at `at`, or NONE where there is none with an endpoint. */
  find(key: WireBuffer, at: number): number;
  /** Says where `peer` is. */
  locate(peer: number, into: Location): void;
  /** The AllowedIPs that are known. */
  readonly allowed: AllowedStrings;
  /** Which list of {@linkcode allowed} is that of `peer`, or NONE where none is known. */
  allowedOf(peer: number): number;
  /** When `peer` was last seen, in whole Unix seconds, or NaN where that is not published. */
  seen(peer: number, now: Now): number;
  /** Gives `to` the keys of all peers, those that were seen last at the end. */
  list(to: KeySink): void;
}

/** Takes keys. */
export interface KeySink {
  /** Takes the 32-byte key at `at`. */
  add(keys: WireBuffer, at: number): void;
}

/** What is published of a WireGuard device, as `wg show IF dump` says it. */
export interface DeviceSnapshot {
  /** In base64; undefined where it has none. */
  readonly publicKey: string | undefined;
  /** The UDP port; 0 where it has none. */
  readonly listenPort: number;
  /** Its peers. */
  readonly peers: readonly {
    /** In base64. */
    readonly publicKey: string;
    readonly endpoint: HostPort | undefined;
    /** As `wg` shows them. */
    readonly allowedIps: readonly string[];
  }[];
}

const NO_DEVICE: DeviceSnapshot = { publicKey: undefined, listenPort: 0, peers: [] };

/** The peers of a WireGuard device, as they were when it was last read. */
export class DevicePeers implements ZonePeers {
  readonly #seed: number;
  #ownKey: WireBuffer | undefined;
  #listenPort = 0;
  #isKnown = false;
  #count = 0;
  #keys = new WireBuffer(0);
  #addresses = new WireBuffer(0);
  #ports = new Uint16Array(0);
  #allowed = new AllowedStrings([]);
  #index: KeyIndex;

  /**
   * Makes a source without peers.
   *
   * @param seed Random, so that nobody can choose keys that collide.
   */
  constructor(seed: number) {
    this.#seed = seed;
    this.#index = new KeyIndex(this.#keys, 0, seed);
  }

  /**
   * Takes what the device says now, or undefined where it can't be read. Peers without an endpoint, or with one
   * whose host is no IP address, are left out. Meant to be called about once a second: it makes
   * everything anew.
   */
  set(found: DeviceSnapshot | undefined): void {
    this.#isKnown = found !== undefined;
    const device = found ?? NO_DEVICE;
    const own = device.publicKey === undefined ? undefined : parseKey(device.publicKey);
    this.#ownKey = own === undefined ? undefined : new WireBuffer(own);
    this.#listenPort = device.listenPort;
    const most = device.peers.length;
    const keys = new WireBuffer(most * ID_SIZE);
    const addresses = new WireBuffer(most * ADDRESS_SIZE);
    const ports = new Uint16Array(most);
    const allowed: (readonly string[])[] = [];
    let count = 0;
    for (const { publicKey, endpoint, allowedIps } of device.peers) {
      const key = parseKey(publicKey);
      if (key === undefined || endpoint === undefined || endpoint.port === 0) continue;
      if (!parseAddress(endpoint.host, addresses, count * ADDRESS_SIZE)) continue;
      keys.bytes.set(key, count * ID_SIZE);
      ports[count] = endpoint.port;
      allowed.push(allowedIps);
      count++;
    }
    this.#count = count;
    this.#keys = keys;
    this.#addresses = addresses;
    this.#ports = ports;
    this.#allowed = new AllowedStrings(allowed);
    this.#index = new KeyIndex(keys, count, this.#seed);
  }

  /** See {@linkcode ZonePeers.isKnown}. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** The device's own public key, 32 bytes, or undefined. */
  get ownKey(): WireBuffer | undefined {
    return this.#ownKey;
  }

  /** The device's UDP port, or 0. */
  get listenPort(): number {
    return this.#listenPort;
  }

  /** See {@linkcode ZonePeers.allowed}. */
  get allowed(): AllowedStrings {
    return this.#allowed;
  }

  /** See {@linkcode ZonePeers.find}. */
  find(key: WireBuffer, at: number): number {
    return this.#index.find(key, at);
  }

  /** See {@linkcode ZonePeers.locate}. A device knows one endpoint of a peer: the one in use. */
  locate(peer: number, into: Location): void {
    copyBytes(this.#addresses, peer * ADDRESS_SIZE, into.address, 0, ADDRESS_SIZE);
    into.port = this.#ports[peer]!;
    into.isDual = false;
  }

  /** See {@linkcode ZonePeers.allowedOf}. */
  allowedOf(peer: number): number {
    return peer;
  }

  /** A device's peers are in use: that says more than a time. */
  seen(_peer: number, _now: Now): number {
    return NaN;
  }

  /** See {@linkcode ZonePeers.list}. A device's peers have no order of time. */
  list(to: KeySink): void {
    for (let peer = 0; peer < this.#count; peer++) to.add(this.#keys, peer * ID_SIZE);
  }
}

/** AllowedIPs by public key, from the settings: a registry doesn't know them. */
export class KnownAllowedIps {
  /** The strings, by place. */
  readonly strings: AllowedStrings;
  readonly #keys: ChosenKeys;

  /**
   * Takes the AllowedIPs (addresses without a prefix length are single hosts) by base64 key.
   *
   * @param seed Random, so that nobody can choose keys that collide.
   * @throws {SyntaxError} Where a key or a prefix is none.
   */
  constructor(known: ReadonlyMap<string, readonly string[]>, seed: number) {
    this.#keys = new ChosenKeys([...known.keys()], seed);
    this.strings = new AllowedStrings(
      [...known.values()].map((list) => list.map(normalizePrefix)),
    );
  }

  /** Which list of {@linkcode strings} is that of the key at `at`, or NONE. */
  find(key: WireBuffer, at: number): number {
    return this.#keys.find(key, at);
  }
}
