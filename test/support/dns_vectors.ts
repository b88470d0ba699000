/**
 * Reads the recorded exchanges with wgsd, and the state of the devices that it published.
 *
 * @module
 */

import { assert } from "@std/assert";
import { formatKey } from "../../lib/core/net/peer_key.ts";
import { parseHostPort } from "../../lib/core/net/host_port.ts";
import type { DeviceSnapshot } from "../../lib/core/zone/server/peers.ts";
import json from "../vectors/wgsd-dns.json" with { type: "json" };
import { unhex } from "./bytes.ts";

/** An exchange of one or, over TCP, several messages. */
export interface DnsExchange {
  readonly name: string;
  readonly transport: "udp" | "tcp";
  /** The address that was asked, where the server listened on it alone. */
  readonly local: string | undefined;
  readonly queries: readonly Uint8Array[];
  /** As many as there are; a query without a response is the last. */
  readonly responses: readonly Uint8Array[];
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  assert(typeof value === "object" && value !== null);
  return value as Fields;
}

function list(value: unknown): readonly unknown[] {
  assert(Array.isArray(value));
  return value;
}

function text(value: unknown): string {
  assert(typeof value === "string");
  return value;
}

const file = fieldsOf(json);

/** Base64 of the named keys. */
export function vectorKey(name: string): string {
  return text(fieldsOf(fieldsOf(file["keys"])[name])["base64"]);
}

/** Base32 of the named keys. */
export function vectorLabel(name: string): string {
  return text(fieldsOf(fieldsOf(file["keys"])[name])["base32"]);
}

/** What the named device said (the protocol of `wg` with userspace devices). */
export function vectorDevice(name: string, publicKey: string | undefined): DeviceSnapshot {
  const state = text(fieldsOf(fieldsOf(file["devices"])[name])["wg_uapi_get"]);
  const peers: {
    publicKey: string;
    endpoint: ReturnType<typeof parseHostPort>;
    allowedIps: string[];
  }[] = [];
  let listenPort = 0;
  for (const line of state.split("\n")) {
    const [key = "", value = ""] = line.split("=");
    const peer = peers.at(-1);
    if (key === "listen_port") listenPort = Number(value);
    else if (key === "public_key") {
      peers.push({ publicKey: formatKey(unhex(value)), endpoint: undefined, allowedIps: [] });
    } else if (peer !== undefined && key === "endpoint") peer.endpoint = parseHostPort(value);
    else if (peer !== undefined && key === "allowed_ip") peer.allowedIps.push(value);
  }
  return { publicKey, listenPort, peers };
}

function exchange(value: unknown, bound: boolean): DnsExchange {
  const fields = fieldsOf(value);
  const name = text(fields["name"]);
  if (fields["transport"] === "tcp-stream") {
    return {
      name,
      transport: "tcp",
      local: undefined,
      queries: unframed(unhex(list(fields["chunks_hex"]).map(text).join(""))),
      responses: list(fields["responses_hex"]).map((each) => unhex(text(each))),
    };
  }
  assert(fields["transport"] === "udp");
  const response = fields["response_hex"];
  return {
    name,
    transport: "udp",
    local: bound ? text(fields["server"]) : undefined,
    queries: [unhex(text(fields["query_hex"]))],
    responses: response === null ? [] : [unhex(text(response))],
  };
}

function unframed(stream: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < stream.length;) {
    const end = at + 2 + (stream[at]! << 8) + stream[at + 1]!;
    messages.push(stream.subarray(at + 2, end));
    at = end;
  }
  return messages;
}

/** All recorded exchanges. */
export const dnsExchanges: readonly DnsExchange[] = [
  ...list(file["vectors"]).map((each) => exchange(each, false)),
  ...list(fieldsOf(file["bind"])["vectors"]).map((each) => exchange(each, true)),
];
