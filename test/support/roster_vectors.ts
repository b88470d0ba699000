/**
 * Reads the vectors of joining and of the roster, and checks the fields that it hands out: they are
 * outside data.
 *
 * @module
 */

import json from "../vectors/roster.json" with { type: "json" };
import { unhex } from "./bytes.ts";

/** What was sealed with which key. */
export type RosterVectorKey = "token" | "join" | "question" | "peer";

function keyOf(text: string): RosterVectorKey {
  if (text === "token" || text === "join" || text === "question" || text === "peer") return text;
  throw new TypeError(`Cannot read a vector: ${text} is no key`);
}

/** What tokens make. */
export const tokenVectors = json.tokens.map(({ token, server, join, tag }) => ({
  token: unhex(token),
  server: unhex(server),
  join: unhex(join),
  tag,
}));

/** What a peer and a registry have in common. */
export const joinPairs = json.pairs.map((pair) => ({
  privateKey: unhex(pair.private),
  publicKey: unhex(pair.public),
  serverPrivate: unhex(pair.serverPrivate),
  serverPublic: unhex(pair.serverPublic),
  token: unhex(pair.token),
  prove: unhex(pair.prove),
  answer: unhex(pair.answer),
}));

/** Links and what they say. */
export const linkVectors = json.links.map(({ host, port, serverKey, token, link }) => ({
  server: { host, port },
  serverKey: unhex(serverKey),
  token: unhex(token),
  link,
}));

/** Public keys that there are no keys with. */
export const rosterLowOrder: readonly Uint8Array[] = json.lowOrder.map(unhex);

/** What proves a join, and a question about the roster. */
export const rosterProofs = {
  join: unhex(json.prove.join),
  question: unhex(json.prove.question),
} as const;

/** What datagrams are sealed with. */
export const rosterKeys: Readonly<Record<RosterVectorKey, Uint8Array>> = {
  token: unhex(json.keys.token),
  join: unhex(json.keys.join),
  question: unhex(json.keys.question),
  peer: unhex(json.keys.peer),
};

/** A datagram that opens. */
export interface RosterDatagram {
  readonly name: string;
  readonly type: number;
  readonly key: RosterVectorKey;
  readonly asked: Uint8Array | undefined;
  readonly datagram: Uint8Array;
}

/** Those that mean something. */
export const rosterDatagrams = json.datagrams.map((each) => ({
  name: each.name,
  type: each.type,
  number: each.number,
  nonce: unhex(each.nonce),
  asked: each.asked === null ? undefined : unhex(each.asked),
  key: keyOf(each.key),
  proof: each.proof ?? undefined,
  isCanonical: each.canonical,
  datagram: unhex(each.datagram),
  /** Bytes are hexadecimal digits; what is left out is null. */
  fields: each.fields as Readonly<Record<string, unknown>>,
}));

/** Those that open and mean nothing. */
export const rosterRefused: readonly RosterDatagram[] = json.refused.map((each) => ({
  name: each.name,
  type: each.type,
  key: keyOf(each.key),
  asked: each.asked === null ? undefined : unhex(each.asked),
  datagram: unhex(each.datagram),
}));
