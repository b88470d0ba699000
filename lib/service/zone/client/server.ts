/**
 * A name server among the servers that are asked.
 *
 * @module
 */

import type { HostPort } from "../../../core/net/host_port.ts";
import type { ServerClocks } from "../../../core/zone/client/server_clocks.ts";
import { explainRefusal } from "../../../core/zone/client/refusal_words.ts";
import {
  explainClock,
  explainForged,
  explainTsigFault,
} from "../../../core/zone/client/tsig_words.ts";
import { formatServerName, type ZoneServerName } from "../../../core/ask/server_name.ts";
import { explain } from "../../../host/error.ts";
import type { Clock } from "../../../host/clock.ts";
import type { Random } from "../../../host/random.ts";
import type { TcpConnecting } from "../../../host/tcp.ts";
import type { Udp } from "../../../host/udp.ts";
import type { ServerReply } from "../../ask/server_reply.ts";
import { RCODE } from "../../../wire/dns/answer.ts";
import type { TsigKey } from "../../../wire/dns/tsig.ts";
import { askZone, type ZoneAnswer, type ZoneDrop } from "./asker.ts";

/** Seconds that are left to ask when the names took all of the time. */
const MIN_TIMEOUT = 0.5;

/** What isn't signed, or otherwise than it has to be. */
const FORGED: readonly ZoneDrop[] = ["drop-not-signed", "drop-tsig-refused", "drop-wrong-mac"];

/** What a name server is asked. */
export interface ZoneServerQuestion {
  /** The public keys that are asked for, in base64; all where this is left out. */
  readonly keys?: readonly string[] | undefined;
  /** Of servers, by their names: with which key they are asked, and have to answer. */
  readonly tsigKeys?: ReadonlyMap<string, TsigKey> | undefined;
  /** What is known of servers' clocks from questions before; nothing where this is left out. */
  readonly clocks?: ServerClocks | undefined;
  /** In seconds. */
  readonly timeout: number;
  /** Since when it counts: seconds on the clock that never jumps. */
  readonly startedAt: number;
}

/** Asks one. @param addresses Its IP addresses. */
export async function askZoneServer(
  host: Clock & Random & Udp & TcpConnecting,
  name: ZoneServerName,
  addresses: readonly string[],
  { keys, tsigKeys, clocks, timeout, startedAt }: ZoneServerQuestion,
): Promise<ServerReply> {
  const server = formatServerName(name);
  const none = { received: undefined, expected: undefined, ownEndpoint: undefined };
  if (addresses.length === 0) {
    const warning = `cannot find server ${server}; check the name and this host's DNS`;
    return { outcome: { server, status: "not-found", ...none }, peers: [], warning };
  }
  const servers = addresses.map((host): HostPort => ({ host, port: name.port }));
  // Names may have taken their time.
  const left = Math.max(timeout - (host.now().mono - startedAt), MIN_TIMEOUT);
  const tsigKey = tsigKeys?.get(server);
  const { zone } = name;
  const answer = await askZone(host, {
    ...{ servers, zone, keys, wantsTxt: true, timeout: left },
    tsigKey,
    clockAhead: tsigKey && clocks?.ahead(server, tsigKey),
  });
  if (tsigKey !== undefined) clocks?.learn(server, tsigKey, answer.clockAhead);
  const plain = warningOf(server, name, answer, timeout);
  const warning = tsigKey === undefined
    ? plain
    : warningWithKey(server, tsigKey.text, answer, plain);
  return {
    outcome: { server, status: answer.status, ...none },
    peers: answer.peers.map(({ publicKey, address, port, allowedIps, seen }) => ({
      publicKey,
      address,
      port,
      seconds: seen,
      nanoseconds: 0,
      allowedIps,
      zone,
      // Nothing else was taken.
      isSigned: tsigKey !== undefined,
    })),
    warning,
  };
}

/** What is to be said where it was asked with a key. @param plain What there is without that. */
function warningWithKey(
  server: string,
  key: string,
  { status, tsigFault, clockAhead, dropped }: ZoneAnswer,
  plain: string | undefined,
): string | undefined {
  if (status === "not-authenticated" && tsigFault !== undefined) {
    return explainTsigFault(server, key, tsigFault);
  }
  if (status === "no-answer") return plain;
  let forged = 0;
  for (const reason of FORGED) forged += dropped.get(reason) ?? 0;
  const other = plain ?? (forged === 0 ? undefined : explainForged(server, key, forged));
  if (clockAhead === 0) return other;
  const clock = explainClock(server, clockAhead);
  return other === undefined ? clock : `${clock}; ${other}`;
}

function warningOf(
  server: string,
  { zone, port }: ZoneServerName,
  answer: ZoneAnswer,
  timeout: number,
): string | undefined {
  const { status, peers, skipped, unlocated, refusal, error } = answer;
  const seconds = Number(timeout.toFixed(3));
  switch (status) {
    case "ok":
    case "no-endpoints":
      if (unlocated > 0) return unlocatedWarning(server, answer);
      return skipped === 0
        ? undefined
        : `${server}: ${skipped} of its records are of no use, and were left out`;
    case "incomplete":
      if (unlocated > 0 && peers.length === 0) return unlocatedWarning(server, answer);
      return `${server} did not answer everything within ${seconds} s; give it longer with --timeout`;
    case "not-authenticated":
      // The key has words of its own.
    case "no-answer":
      return error === "ECONNREFUSED"
        ? `no answer from ${server}: nothing listens on that port there; start wgsig serve --dns`
        : `no answer from ${server} within ${seconds} s; check that it runs and that UDP and TCP ` +
          `port ${port} get through` + (error === undefined ? "" : ` (${explain(error)})`);
    case "refused":
      return explainRefusal(server, zone, refusal ?? RCODE.refused);
    case "no-zone":
      return `${server}: there is no zone ${zone} with WireGuard peers; check its name`;
  }
}

/** Peers are named, and of some or all nothing says where they are. */
function unlocatedWarning(server: string, { peers, unlocated }: ZoneAnswer): string {
  const what = `${server} names peers without an endpoint (${unlocated})`;
  if (peers.length > 0) return what;
  return `${what}, and none with one: a resolver on the way leaves SRV or address records out, as ` +
    "dnsmasq does with filterwin2k, filter-rr or stop-dns-rebind; let them through for this zone, " +
    "or ask its name server itself";
}
