/**
 * Reads the vectors of wgsig 2 and checks the fields that it hands out: they are outside data.
 *
 * @module
 */

import json from "../vectors/wgsig2.json" with { type: "json" };
import { unhex } from "./bytes.ts";

/** What was sealed with which key. */
export type VectorKey = "question" | "answer" | "peer";

/** A datagram that means something. */
export interface Wgsig2Datagram {
  readonly name: string;
  readonly type: number;
  readonly group: number;
  readonly nonce: Uint8Array;
  /** The nonce of the question that it belongs to. */
  readonly asked: Uint8Array | undefined;
  readonly key: VectorKey;
  readonly payload: Uint8Array;
  readonly datagram: Uint8Array;
  readonly isCanonical: boolean;
  /** Whether its proof is right; undefined where it has none. */
  readonly proof: boolean | undefined;
  /** Bytes are hexadecimal digits; what is left out is null. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A datagram that means nothing. */
export interface Wgsig2Refused {
  readonly name: string;
  readonly type: number;
  readonly asked: Uint8Array | undefined;
  readonly key: VectorKey;
  readonly opens: boolean;
  readonly datagram: Uint8Array;
}

function keyOf(text: string): VectorKey {
  if (text === "question" || text === "answer" || text === "peer") return text;
  throw new TypeError(`Cannot read a vector: ${text} is no key`);
}

function bytesOf(text: string | null): Uint8Array | undefined {
  return text === null ? undefined : unhex(text);
}

/** What the keys of groups are. */
export const wgsig2Groups = json.groups.map(({ group, secret, question, answer }) => ({
  group,
  secret: unhex(secret),
  question: unhex(question),
  answer: unhex(answer),
}));

/** What the keys of peers are. */
export const wgsig2Peers = json.peers.map((peer) => ({
  privateKey: unhex(peer.private),
  publicKey: unhex(peer.public),
  serverPrivate: unhex(peer.serverPrivate),
  serverPublic: unhex(peer.serverPublic),
  secret: unhex(peer.secret),
  prove: unhex(peer.prove),
  answer: unhex(peer.answer),
}));

/** Public keys that there are no keys with. */
export const wgsig2LowOrder: readonly Uint8Array[] = json.lowOrder.map(unhex);

/** Datagrams of the first group and the first peer. */
export const wgsig2Datagrams: readonly Wgsig2Datagram[] = json.datagrams.map((each) => ({
  name: each.name,
  type: each.type,
  group: each.group,
  nonce: unhex(each.nonce),
  asked: bytesOf(each.asked),
  key: keyOf(each.key),
  payload: unhex(each.payload),
  datagram: unhex(each.datagram),
  isCanonical: each.canonical,
  proof: each.proof ?? undefined,
  fields: each.fields,
}));

/** Those that mean nothing. */
export const wgsig2Refused: readonly Wgsig2Refused[] = json.refused.map((each) => ({
  name: each.name,
  type: each.type,
  asked: bytesOf(each.asked),
  key: keyOf(each.key),
  opens: each.opens,
  datagram: unhex(each.datagram),
}));

/** Requests of the first protocol with the header of a question. */
export const wgsig2Lookalikes = json.first.map(({ name, encrypted, request, datagram }) => ({
  name,
  isEncrypted: encrypted,
  request: unhex(request),
  datagram: unhex(datagram),
}));
