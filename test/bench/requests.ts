/**
 * Requests of many peers for the benches.
 *
 * @module
 */

import { BATCH_SIZE, type DatagramBatch, SLOT_SIZE } from "../../lib/core/net/datagram_batch.ts";
import { writeIpv4 } from "../../lib/core/net/ip_address.ts";
import { NonceSource } from "../../lib/core/net/random.ts";
import { Registry } from "../../lib/core/registry/registry.ts";
import { RegistryGroup } from "../../lib/core/registry/group.ts";
import { ENVELOPE_SIZE, envelopeKey, sealEnvelope } from "../../lib/wire/wgsig/envelope.ts";
import { MacKey } from "../../lib/wire/crypto/mac.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { encodeRequest, newRequest, REQUEST_SIZE } from "../../lib/wire/wgsig/request.ts";
import { LABEL_SIZE, writeLabel } from "../../lib/wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";

/** The secret of the benches' group. */
export const SECRET: Uint8Array = new Uint8Array(32).fill(0x42);
/** When the benches take place. */
export const UNIX = 1_700_000_000;

const macKey = new MacKey(SECRET, PORTABLE);
const cipherKey = envelopeKey(SECRET, PORTABLE);
const nonces = new NonceSource((bytes) => void crypto.getRandomValues(bytes));
const request = newRequest();
const plain = new WireBuffer(REQUEST_SIZE);
let nanoseconds = 0;

/** Peers of the zones, and of the server's group. */
export const PEERS = 1000;
/** Datagrams of an answer with all of {@linkcode PEERS} and up to ten clients. */
export const FULL_ANSWER = PEERS / 10 + 1;
/** So many different ports have the peers, all at 127.0.0.1. */
const PORTS = 60_000;

/** Writes the public key of a peer of {@linkcode registryOf}, 32 bytes, over zeros. */
export function writeId(peer: number, id: WireBuffer): void {
  id.view.setUint32(0, peer);
}

/** The port of a peer of {@linkcode registryOf}. */
export function portOf(peer: number): number {
  return 1024 + peer % PORTS;
}

/**
 * A registry with one group that has `peers` peers, all seen at {@linkcode UNIX}.
 *
 * @param secrets The group's, among them {@linkcode SECRET}.
 */
export function registryOf(
  peers: number,
  maxAnswer: number,
  secrets: readonly Uint8Array[] = [SECRET],
): Registry {
  const registry = new Registry({ encryption: "auto", window: 1e9 }, {
    endpointChanged() {},
    dropped() {},
  });
  const options = {
    id: 0,
    secrets,
    primitives: PORTABLE,
    allowed: undefined,
    maxAge: 1e9,
    window: 1e9,
  };
  const group = new RegistryGroup(options, { maxPeers: 100_000, maxAnswer, seed: 1 }, nonces);
  registry.setGroup(group);
  const id = new WireBuffer(32);
  const label = new WireBuffer(LABEL_SIZE);
  writeLabel(label, 0, { seconds: UNIX, nanoseconds: 0 });
  for (let i = 0; i < peers; i++) {
    writeId(i, id);
    const peer = group.table.add(id, 0, 0);
    group.table.setEndpoint(peer, 0x7f00_0001, portOf(i));
    group.table.setLabel(peer, label, 0);
  }
  return registry;
}

/** Fills a batch with requests of `count` peers of `peers`, each with a label later than before. */
export function fillBatch(
  batch: DatagramBatch,
  peers: number,
  encrypt: boolean,
  count: number = BATCH_SIZE,
): void {
  batch.count = count;
  for (let i = 0; i < count; i++) {
    const peer = (nanoseconds * 7919 + i) % peers;
    writeId(peer, request.id);
    nanoseconds = (nanoseconds + 1) % 1_000_000_000;
    request.seconds = UNIX + Math.floor(nanoseconds / 500_000_000);
    request.nanoseconds = nanoseconds;
    const at = i * SLOT_SIZE;
    if (encrypt) {
      encodeRequest(request, macKey, plain, 0);
      const nonceAt = nonces.next();
      sealEnvelope(
        cipherKey,
        0,
        nonces.buffer,
        nonceAt,
        plain,
        0,
        REQUEST_SIZE,
        batch.payloads,
        at,
      );
    } else encodeRequest(request, macKey, batch.payloads, at);
    batch.lengths[i] = encrypt ? ENVELOPE_SIZE + REQUEST_SIZE : REQUEST_SIZE;
    writeIpv4(batch.sources, batch.sourceAt(i), 0x7f00_0001);
    batch.setSourcePort(i, portOf(peer));
  }
}
