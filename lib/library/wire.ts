/**
 * The bytes of all protocols that `wgsig` speaks: requests, responses and envelopes of the wgsig
 * protocol, datagrams of its second version, probes between peers, WireGuard's hole-punching example,
 * wg-dynamic's leases, and DNS.
 *
 * A codec reads from a {@linkcode WireBuffer} and writes into one, at an offset, and keeps neither.
 * Where something doesn't fit, it throws a RangeError; where bytes of the network mean nothing, it
 * says so with what it returns.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   decodeRequest,
 *   encodeRequest,
 *   KEEP_ENDPOINT,
 *   MacKey,
 *   newRequest,
 *   PORTABLE,
 *   REQUEST_SIZE,
 *   verifyRequest,
 *   WireBuffer,
 * } from "@wgsig/wgsig/wire";
 *
 * const key = new MacKey(new Uint8Array(32).fill(0x17), PORTABLE);
 * const request = newRequest();
 * request.id.bytes.fill(1);
 * request.seconds = 1_700_000_000;
 * request.flags = KEEP_ENDPOINT;
 * const datagram = new WireBuffer(REQUEST_SIZE);
 * encodeRequest(request, key, datagram, 0);
 *
 * const read = newRequest();
 * assert.ok(verifyRequest(key, datagram, 0));
 * assert.ok(decodeRequest(datagram, 0, datagram.size, read));
 * assert.deepEqual(read, request);
 * ```
 *
 * @module
 */

export { copyBytes, equalBytes, joinBytes, WireBuffer } from "../wire/bytes/wire_buffer.ts";
export { AEAD_KEY_SIZE, AeadKey, LONG_NONCE_SIZE, TAG_SIZE } from "../wire/crypto/aead_key.ts";
export { CIPHER_KEY_SIZE, CipherKey, NONCE_SIZE } from "../wire/crypto/cipher_key.ts";
export { EXCHANGE_KEY_SIZE, ExchangeKey } from "../wire/crypto/exchange_key.ts";
export { MAC_SIZE, MacKey, SECRET_SIZE } from "../wire/crypto/mac.ts";
export { PORTABLE } from "../wire/crypto/portable.ts";
export type { Aead, Hmac, Primitives, Scalar, StreamCipher } from "../wire/crypto/primitives.ts";

export {
  ENVELOPE_SIZE,
  envelopeKey,
  openEnvelope,
  readEnvelopeGroup,
  sealEnvelope,
} from "../wire/wgsig/envelope.ts";
export * from "../wire/wgsig/record.ts";
export * from "../wire/wgsig/request.ts";
export * from "../wire/wgsig/response.ts";
export * from "../wire/wgsig/tai64n.ts";

export * from "../wire/wgsig2/answer.ts";
export {
  CANDIDATE,
  type Candidate,
  type CandidateList,
  MAX_CANDIDATES,
  newCandidate,
} from "../wire/wgsig2/candidate.ts";
export {
  DATAGRAM,
  DATAGRAM_NONCE,
  DATAGRAM_PAYLOAD,
  type DatagramType,
  MAX_DATAGRAM_SIZE,
  MAX_PAYLOAD_END,
  openDatagram,
  readDatagramGroup,
  readDatagramType,
  sealDatagram,
  writeDatagramHeader,
} from "../wire/wgsig2/datagram.ts";
export * from "../wire/wgsig2/join.ts";
export * from "../wire/wgsig2/join_keys.ts";
export * from "../wire/wgsig2/keys.ts";
export { isName, MAX_NAME_SIZE, type TunnelPrefix } from "../wire/wgsig2/name.ts";
export * from "../wire/wgsig2/nat.ts";
export {
  type OptionalBytes,
  type PortList,
  PREFIX_SIZE,
  type PrefixList,
} from "../wire/wgsig2/option.ts";
export * from "../wire/wgsig2/push.ts";
export {
  decodeQuestion,
  encodeQuestion,
  MIN_QUESTION_SIZE,
  newQuestion,
  proveQuestion,
  type Question,
  QUESTION_FLAG,
  verifyProof,
} from "../wire/wgsig2/question.ts";
export {
  newPeerNews,
  type PeerNews,
  peerNewsSize,
  readPeerNews,
  RECORD_FLAG,
  writePeerNews,
} from "../wire/wgsig2/record.ts";
export * from "../wire/wgsig2/retry.ts";
export {
  decodeRosterAnswer,
  decodeRosterQuestion,
  encodeRosterAnswer,
  encodeRosterQuestion,
  entrySize,
  ROSTER_ANSWER_FLAG,
  ROSTER_QUESTION_FLAG,
  type RosterAnswer,
  type RosterQuestion,
  type WireEntry,
  writeRosterVersion,
} from "../wire/wgsig2/roster.ts";

export * from "../wire/probe/pair_keys.ts";
export * from "../wire/probe/probe.ts";

export * from "../wire/lease/message.ts";
export * from "../wire/punch/message.ts";

export {
  ADDITIONAL,
  ANSWER,
  AnswerWriter,
  AUTHORITY,
  MAX_TCP_SIZE,
  MAX_UDP_SIZE,
  MIN_ANSWER_ROOM,
  PLAIN_UDP_SIZE,
  QUESTION_NAME,
  RCODE,
  type SetCover,
  udpAnswerSize,
} from "../wire/dns/answer.ts";
export { frameMessage, MessageReader } from "../wire/dns/frame.ts";
export * from "../wire/dns/message.ts";
export {
  DNS_HEADER_SIZE,
  type DnsQuery,
  newDnsQuery,
  parseQuery,
  type QueryStatus,
} from "../wire/dns/query.ts";
export { checkMessage, signMessage, TSIG_FUDGE, TsigKey } from "../wire/dns/tsig.ts";
export {
  isInTime,
  newTsigFields,
  readServerTime,
  readTsig,
  TSIG_ERROR,
  type TsigFields,
} from "../wire/dns/tsig_record.ts";
