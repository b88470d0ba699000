/**
 * Devices and groups whose peers zones publish in tests.
 *
 * @module
 */

import { decodeBase64 } from "@std/encoding/base64";
import { Counters } from "../../lib/core/net/counters.ts";
import { parseHostPort } from "../../lib/core/net/host_port.ts";
import { parseIpv4 } from "../../lib/core/net/ip_address.ts";
import { NonceSource } from "../../lib/core/net/random.ts";
import { formatKey } from "../../lib/core/net/peer_key.ts";
import { RegistryGroup } from "../../lib/core/registry/group.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { DevicePeers, type DeviceSnapshot } from "../../lib/core/zone/server/peers.ts";
import { encodeBase32 } from "../../lib/wire/bytes/base32.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { countingRandom, idOf } from "./fake_random.ts";

const SEED = 0x1357_9bdf;

/** Base64 of the key of peer `number`. */
export function keyOf(number: number): string {
  return formatKey(idOf(number));
}

/** The label of a key in base64. */
export function labelOf(key: string): string {
  return encodeBase32(decodeBase64(key));
}

/** The instance name of peer `number`. */
export function instanceOf(number: number, zone = "example.com"): string {
  return `${labelOf(keyOf(number))}._wireguard._udp.${zone}`;
}

/** A peer of a device. */
export interface ScenePeer {
  readonly key: string;
  readonly endpoint?: string;
  readonly allowedIps?: readonly string[];
}

/** What a device says. */
export function snapshot(
  peers: readonly ScenePeer[],
  own?: { readonly publicKey?: string; readonly listenPort?: number },
): DeviceSnapshot {
  return {
    publicKey: own?.publicKey,
    listenPort: own?.listenPort ?? 0,
    peers: peers.map(({ key, endpoint, allowedIps = [] }) => ({
      publicKey: key,
      endpoint: endpoint === undefined ? undefined : parseHostPort(endpoint),
      allowedIps,
    })),
  };
}

/** A device that says this. */
export function deviceOf(...said: Parameters<typeof snapshot>): DevicePeers {
  const device = new DevicePeers(SEED);
  device.set(snapshot(...said));
  return device;
}

/** A group of a registry that takes peers down at once. */
export class SceneGroup {
  readonly group: RegistryGroup;
  readonly #counters = new Counters();

  constructor(maxPeers = 100_000) {
    this.group = new RegistryGroup(
      {
        id: 0,
        secrets: [new Uint8Array(32)],
        primitives: PORTABLE,
        allowed: undefined,
        maxAge: 1e9,
        window: 30,
      },
      { maxPeers, maxAnswer: 10, seed: SEED },
      new NonceSource(countingRandom()),
    );
  }

  /** Sees a peer with this 32-byte key at an endpoint. */
  see(key: Uint8Array, endpoint: string, seconds: number): void {
    const at = parseHostPort(endpoint);
    if (at === undefined) throw new SyntaxError(endpoint);
    const now = { unix: seconds, mono: seconds };
    const seen = { seconds, nanoseconds: 0 };
    const observed = {
      id: new WireBuffer(key),
      address: parseIpv4(at.host),
      port: at.port,
      seen,
    };
    this.group.observe(observed, now, this.#counters);
  }

  /** Removes the peer with this key. */
  forget(key: Uint8Array, mono: number): void {
    this.group.members.dropRow(this.group.table.find(new WireBuffer(key), 0), mono);
  }
}

/** Keys that look random and are the same in each run. */
export function* mixedKeys(count: number): Generator<Uint8Array> {
  let state = 0x9e37_79b9;
  for (let i = 0; i < count; i++) {
    const key = new Uint8Array(32);
    for (let at = 0; at < 32; at++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      key[at] = state >>> 24;
    }
    yield key;
  }
}
