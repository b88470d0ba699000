/**
 * The library behind `wgsig`, without its sockets, clocks and files: bytes, the time and randomness
 * go in as arguments, nothing is sent. These are the wgsig protocol and wgsig 2, both sides; the rest
 * has entry points of its own:
 *
 * - `@wgsig/wgsig/wire`: the bytes of all protocols;
 * - `@wgsig/wgsig/registry`: a registry of any number of groups, its batches, its saved state;
 * - `@wgsig/wgsig/dns`: WireGuard peers as a DNS zone, and the asking of one;
 * - `@wgsig/wgsig/lease`: addresses from inside the tunnel, server and client.
 *
 * A registry answers a peer that asks it:
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   Exchange,
 *   MAX_REQUEST_SIZE,
 *   NonceSource,
 *   oneGroupRegistry,
 *   PORTABLE,
 *   Responder,
 *   WireBuffer,
 * } from "@wgsig/wgsig";
 *
 * const secret = new Uint8Array(32).fill(0x17);
 * const random = (bytes: Uint8Array) => void crypto.getRandomValues(bytes);
 * const responder = new Responder(oneGroupRegistry({ secret, random }));
 *
 * const exchange = new Exchange({
 *   id: new Uint8Array(32).fill(1),
 *   secret,
 *   primitives: PORTABLE,
 *   group: 0,
 *   flags: 0,
 *   encrypt: true,
 *   maxAge: 600,
 * }, new NonceSource(random));
 * const now = { unix: Date.now() / 1000, mono: performance.now() / 1000 };
 * const request = new WireBuffer(MAX_REQUEST_SIZE);
 * const size = exchange.writeRequest(request, now.unix);
 *
 * const source = { address: "203.0.113.21", port: 51820 };
 * for (const datagram of responder.answerOne(request.bytes.subarray(0, size), source, now)) {
 *   assert.equal(exchange.receive(new WireBuffer(datagram), 0, datagram.length), "accepted");
 * }
 * const [peer] = exchange.peers(now.unix);
 * assert.deepEqual([peer?.address, peer?.port], ["203.0.113.21", 51820]);
 * ```
 *
 * In wgsig 2, the peer proves that its key is its own, and nobody but the registry can answer it. An
 * {@linkcode Inquiry} says when to ask, and follows what the registry says on the way:
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   Conversation,
 *   GroupKeys,
 *   Inquiry,
 *   MAX_QUESTION_SIZE,
 *   oneGroupRegistry,
 *   PORTABLE,
 *   Prover,
 *   Responder,
 *   WireBuffer,
 * } from "@wgsig/wgsig";
 *
 * const secret = new Uint8Array(32).fill(0x17);
 * const random = (bytes: Uint8Array) => void crypto.getRandomValues(bytes);
 * const serverKey = new Uint8Array(32).fill(0x51);
 * const responder = new Responder(oneGroupRegistry({ secret, random, serverKey }));
 *
 * const prover = new Prover(new Uint8Array(32).fill(0x0a), secret, PORTABLE);
 * const keys = new GroupKeys(secret, 0, PORTABLE);
 * const id = prover.publicKey.bytes;
 * const conversation = new Conversation({ id, group: 0, keys, prover }, random);
 * const now = () => ({ unix: Date.now() / 1000, mono: performance.now() / 1000 });
 * const inquiry = new Inquiry(conversation, { family: 4, registers: true, asks: true }, now());
 * const question = new WireBuffer(MAX_QUESTION_SIZE);
 *
 * const source = { address: "203.0.113.21", port: 51820 };
 * while (inquiry.next(now()).kind === "ask") {
 *   const size = inquiry.write(question, now());
 *   for (const datagram of responder.answerOne(question.bytes.subarray(0, size), source, now())) {
 *     conversation.receive(new WireBuffer(datagram), 0, datagram.length, now());
 *   }
 * }
 * assert.ok(inquiry.isRegistered);
 * assert.deepEqual(inquiry.seen, { host: "203.0.113.21", port: 51820 });
 * for (const { isProved } of conversation.directory.peers()) assert.ok(isProved);
 * ```
 *
 * @module
 */

export {
  Exchange,
  type ExchangeOptions,
  MAX_REQUEST_SIZE,
  type Receipt,
  type SeenPeer,
} from "./lib/core/ask/exchange.ts";
export {
  Conversation,
  type ConversationOptions,
  type Hearing,
} from "./lib/core/ask/conversation.ts";
export { Inquiry, type InquiryStep } from "./lib/core/ask/inquiry.ts";
export {
  type AskedAbout,
  AskedQuestion,
  type PartReceipt,
  type QuestionOwner,
  type RetryCause,
} from "./lib/core/ask/asked_question.ts";
export {
  type CandidateKind,
  Directory,
  type PeerCandidate,
  type PeerRecord,
  type Telling,
} from "./lib/core/ask/directory.ts";
export type { Roster, RosterEntry } from "./lib/core/roster/client/entry.ts";
export {
  type FollowerStep,
  RosterFollower,
  type RosterPart,
  type RosterRequest,
} from "./lib/core/roster/client/follower.ts";
export { LabelSequence } from "./lib/core/ask/label_sequence.ts";
export { Prover } from "./lib/core/ask/prover.ts";
export type { NatKind, OwnCandidate, OwnReach } from "./lib/core/ask/own_reach.ts";
export { MAX_QUESTION_SIZE, type Wish } from "./lib/core/ask/question_writer.ts";
export type { ServerKeyNote } from "./lib/core/ask/server_key.ts";
export { type AskedProtocols, SpokenProtocol } from "./lib/core/ask/spoken_protocol.ts";
export { judgeNat, type NatVerdict } from "./lib/core/ask/nat_verdict.ts";
export {
  DEFAULT_PORT,
  DNS_PORT,
  formatServerName,
  parseServerName,
  PUNCH_PORT,
  type PunchServerName,
  type RegistryName,
  type ServerName,
  type ZoneServerName,
} from "./lib/core/ask/server_name.ts";
export {
  type Family,
  formatHostPort,
  type HostPort,
  parseHostPort,
} from "./lib/core/net/host_port.ts";
export { formatKey, KEY_SIZE, parseKey, parseSecret } from "./lib/core/net/peer_key.ts";
export { NonceSource, type RandomSource } from "./lib/core/net/random.ts";
export type { Now } from "./lib/core/net/clock.ts";
export type { EncryptionPolicy, Registry, RegistryObserver } from "./lib/core/registry/registry.ts";
export {
  type DatagramSource,
  type OneGroupOptions,
  oneGroupRegistry,
  Responder,
} from "./lib/core/registry/responder.ts";
export { WireBuffer } from "./lib/wire/bytes/wire_buffer.ts";
export { PORTABLE } from "./lib/wire/crypto/portable.ts";
export type { Hmac, Primitives, StreamCipher } from "./lib/wire/crypto/primitives.ts";
export { GroupKeys, PeerKeys } from "./lib/wire/wgsig2/keys.ts";
export { KEEP_ENDPOINT, KEEP_LABEL } from "./lib/wire/wgsig/request.ts";
export type { Label } from "./lib/wire/wgsig/tai64n.ts";
