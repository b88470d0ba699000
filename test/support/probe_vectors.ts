/**
 * Reads the vectors of probes and echoes.
 *
 * @module
 */

import json from "../vectors/probe.json" with { type: "json" };
import { unhex } from "./bytes.ts";

/** A probe or an echo that was sent. */
export interface ProbeDatagram {
  readonly name: string;
  readonly type: number;
  /** Which side of the first pair has sent it. */
  readonly sender: number;
  readonly nonce: Uint8Array;
  /** The nonce of the probe that an echo belongs to. */
  readonly asked: Uint8Array | undefined;
  readonly datagram: Uint8Array;
  readonly isCanonical: boolean;
  /** Bytes are hexadecimal digits. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What is none. */
type RefusedProbe = Pick<
  ProbeDatagram,
  "name" | "type" | "sender" | "asked" | "datagram"
>;

/** The two sides of each pair, and what each sends with. */
export const probePairs = json.pairs.map(({ keys }) =>
  keys.map((side) => ({
    privateKey: unhex(side.private),
    publicKey: unhex(side.public),
    key: unhex(side.key),
    tag: side.tag,
  }))
);

/** Public keys that there are no keys with. */
export const probeLowOrder: readonly Uint8Array[] = json.lowOrder.map(unhex);

/** What means something, of the first pair. */
export const probeDatagrams: readonly ProbeDatagram[] = json.datagrams.map((each) => ({
  name: each.name,
  type: each.type,
  sender: each.sender,
  nonce: unhex(each.nonce),
  asked: each.asked === null ? undefined : unhex(each.asked),
  datagram: unhex(each.datagram),
  isCanonical: each.canonical,
  fields: each.fields,
}));

/** What means nothing. */
export const probeRefused: readonly RefusedProbe[] = json.refused.map((each) => ({
  name: each.name,
  type: each.type,
  sender: each.sender,
  asked: each.asked === null ? undefined : unhex(each.asked),
  datagram: unhex(each.datagram),
}));
