/**
 * Reads what a running program has answered: it may be of another release.
 *
 * @module
 */

import { type Fields, fieldsOf, flag, list, maybe, number, oneOf, text } from "../net/fields.ts";
import { PATH_KINDS } from "../path/path.ts";
import { readServeReport } from "./read_serve_report.ts";
import {
  type CandidateReport,
  type InterfaceReport,
  type LeaseReport,
  OUTCOMES,
  type PeerReport,
  REACHED_BY,
  type Report,
  SCHEMA,
  type ServerReport,
} from "./report.ts";

/** The report that fields are; undefined where they are none of this schema. */
export function readReport(value: unknown): Report | undefined {
  try {
    const fields = fieldsOf(value);
    if (fields["schema"] !== SCHEMA) return undefined;
    if (fields["kind"] === "serve") return readServeReport(fields);
    return fields["kind"] === "sync" ? interfaceOf(fields) : undefined;
  } catch {
    return undefined;
  }
}

function interfaceOf(fields: Fields): InterfaceReport {
  return {
    kind: "sync",
    interface: text(fields["interface"]),
    present: flag(fields["present"]),
    publicKey: maybe(text, fields["publicKey"]),
    port: maybe(number, fields["port"]),
    register: maybe(text, fields["register"]),
    endpoints: list(text, fields["endpoints"]),
    mapped: list(text, fields["mapped"]),
    nat: text(fields["nat"]),
    servers: list(serverOf, fields["servers"]),
    lease: maybe(leaseOf, fields["lease"]),
    peers: list(peerOf, fields["peers"]),
    more: number(fields["more"]),
  };
}

function leaseOf(value: unknown): LeaseReport {
  const fields = fieldsOf(value);
  return {
    addresses: list(text, fields["addresses"]),
    endsIn: maybe(number, fields["endsIn"]),
  };
}

function serverOf(value: unknown): ServerReport {
  const fields = fieldsOf(value);
  return {
    server: text(fields["server"]),
    status: text(fields["status"]),
    protocol: maybe(number, fields["protocol"]),
    relays: flag(fields["relays"]),
    age: maybe(number, fields["age"]),
    roundTrip: maybe(number, fields["roundTrip"]),
  };
}

function peerOf(value: unknown): PeerReport {
  const fields = fieldsOf(value);
  return {
    publicKey: text(fields["publicKey"]),
    name: maybe(text, fields["name"]),
    alive: flag(fields["alive"]),
    path: oneOf(REACHED_BY, fields["path"]),
    endpoint: maybe(text, fields["endpoint"]),
    why: text(fields["why"]),
    roundTrip: maybe(number, fields["roundTrip"]),
    handshakeAge: maybe(number, fields["handshakeAge"]),
    received: number(fields["received"]),
    sent: number(fields["sent"]),
    candidates: list(candidateOf, fields["candidates"]),
  };
}

function candidateOf(value: unknown): CandidateReport {
  const fields = fieldsOf(value);
  return {
    kind: oneOf(PATH_KINDS, fields["kind"]),
    endpoint: text(fields["endpoint"]),
    outcome: oneOf(OUTCOMES, fields["outcome"]),
    roundTrip: maybe(number, fields["roundTrip"]),
  };
}
