/**
 * WireGuard peers as a DNS zone (DNS-SD), as wgsd has it: a {@linkcode ZoneSet} is an authoritative
 * server without its sockets, a {@linkcode ZoneExchange} asks one.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { DevicePeers, Zone, ZoneExchange, ZoneSet } from "@wgsig/wgsig/dns";
 * import { Counters, DEFAULT_ANSWER_BUDGET, parseAddress } from "@wgsig/wgsig/dns";
 * import { MAX_UDP_SIZE, WireBuffer } from "@wgsig/wgsig/wire";
 *
 * const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
 * const peers = new DevicePeers(seed);
 * const publicKey = "uEN/FxDargZsj7MEVnIKmCcoN71q+0r+n7triSVeaio=";
 * const endpoint = { host: "203.0.113.21", port: 51820 };
 * peers.set({
 *   publicKey: undefined,
 *   listenPort: 0,
 *   peers: [{ publicKey, endpoint, allowedIps: ["10.0.0.2/32"] }],
 * });
 * const zones = new ZoneSet(DEFAULT_ANSWER_BUDGET, seed, new Counters());
 * zones.configure([new Zone({ name: "wg.example.com", peers: [peers] })], DEFAULT_ANSWER_BUDGET);
 *
 * // One asks the other until all is known.
 * const source = new WireBuffer(16);
 * parseAddress("198.51.100.7", source, 0);
 * const path = { transport: "udp", source, sourceAt: 0, local: undefined, localAt: 0 } as const;
 * const out = new WireBuffer(MAX_UDP_SIZE);
 * const exchange = new ZoneExchange({
 *   zone: "wg.example.com",
 *   wantsTxt: true,
 *   random: (bytes) => void crypto.getRandomValues(bytes),
 * });
 * const now = { unix: Date.now() / 1000, mono: performance.now() / 1000 };
 * while (!exchange.isComplete) {
 *   for (const { bytes, transport } of exchange.due(now.mono)) {
 *     const size = zones.answer(new WireBuffer(bytes), 0, bytes.length, path, now, out, 0, out.size);
 *     exchange.receive(out.bytes.slice(0, size), transport);
 *   }
 * }
 * const [peer] = exchange.peers();
 * assert.deepEqual([peer?.publicKey, peer?.address, peer?.port, peer?.allowedIps], [
 *   publicKey,
 *   "203.0.113.21",
 *   51820,
 *   ["10.0.0.2/32"],
 * ]);
 * ```
 *
 * @module
 */

export {
  Zone,
  type ZoneContents,
  type ZoneOptions,
  type ZoneViewRule,
} from "../core/zone/server/zone.ts";
export type { ViewMatchOptions } from "../core/zone/server/view_match.ts";
export { ChosenKeys } from "../core/zone/server/chosen_keys.ts";
export { ChosenPeers } from "../core/zone/server/chosen_peers.ts";
export {
  type NameState,
  type QueryPath,
  type ZoneOutcome,
  ZoneView,
  type ZoneViewOptions,
} from "../core/zone/server/zone_view.ts";
export { ZoneSet } from "../core/zone/server/set.ts";
export { KeyRecords, type ParentRecords } from "../core/zone/server/key_records.ts";
export { type MayWork, ZoneSigner } from "../core/zone/server/signer.ts";
export { Signing, type SigningBounds } from "../core/zone/server/signing.ts";
export { SignatureCache, type SignedWords } from "../core/zone/server/signature_cache.ts";
export { type SigningRate, signingRate, SigningWork } from "../core/zone/server/signing_work.ts";
export type { MakeSigningKey, SigningAlgorithm, SigningKey } from "../wire/crypto/signing.ts";
export { portableSigning } from "../wire/crypto/portable_signing.ts";
export { makeZoneKey, type ZoneKey } from "../core/zone/server/zone_key.ts";
export {
  DevicePeers,
  type DeviceSnapshot,
  type KeySink,
  KnownAllowedIps,
  type ZonePeers,
} from "../core/zone/server/peers.ts";
export { AllowedStrings } from "../core/zone/server/allowed_strings.ts";
export { GroupPeers } from "../core/zone/server/group_peers.ts";
export { Location } from "../core/zone/server/location.ts";
export { ZoneSelf, type ZoneSelfOptions } from "../core/zone/server/self.ts";
export {
  ZoneExchange,
  type ZoneExchangeOptions,
  type ZonePeer,
  type ZoneReceipt,
  type ZoneStatus,
} from "../core/zone/client/exchange.ts";
export type { TsigDialogOptions, TsigFault, TsigReceipt } from "../core/zone/client/tsig_dialog.ts";
export { encodeName } from "../wire/dns/name.ts";
export { TSIG_SECRET_SIZE, TsigKey } from "../wire/dns/tsig.ts";
export {
  type InstanceText,
  readInstanceText,
  readPeerCount,
} from "../core/zone/client/instance_text.ts";
export {
  instanceName,
  parseZone,
  readInstance,
  serviceName,
  subtypeName,
} from "../core/zone/name.ts";
export type { DueQuestion, Transport } from "../core/dns/question_queue.ts";
export { type AnswerBudgetOptions, DEFAULT_ANSWER_BUDGET } from "../core/net/answer_budget.ts";
export { COUNTER_NAMES, type CounterName, Counters } from "../core/net/counters.ts";
export type { HostPort } from "../core/net/host_port.ts";
export { formatAddress, parseAddress } from "../core/net/ip_address.ts";
export { NONE } from "../core/net/none.ts";
export type { Now } from "../core/net/clock.ts";
export type { RandomSource } from "../core/net/random.ts";
