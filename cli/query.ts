/**
 * `wgsig query`: asks once, prints the peers.
 *
 * @module
 */

import { formatAge } from "../lib/core/duration.ts";
import type { SeenPeer } from "../lib/core/exchange.ts";
import type { PeerSettings } from "../lib/core/settings.ts";
import { ageOf } from "../lib/core/wg_config.ts";
import type { Host } from "../lib/host/host.ts";
import { loadSettings } from "../lib/service/files.ts";
import { query, type QueryResult } from "../lib/service/query.ts";
import { type ExitStatus, UserError } from "../lib/core/user_error.ts";
import { askersKey, interfaceSettings, peersByKey, queryConfig } from "./asking.ts";
import { runNat } from "./nat.ts";
import type { Arguments } from "./options.ts";

/** Stands for what is not known, as in the dumps of `wg`. */
const NOTHING = "(none)";

/** Runs `wgsig query`. */
export async function runQuery(host: Host, args: Arguments): Promise<ExitStatus> {
  if (args.has("json") && args.has("dump")) {
    throw new UserError("--json and --dump exclude each other; give one of them");
  }
  if (args.has("nat")) return await runNat(host, args);
  const loaded = await loadSettings(host, args.text("config"));
  const named = peersByKey(loaded);
  const device = args.text("interface");
  const settings = interfaceSettings(loaded, device);
  const id = await askersKey(host, args, settings, loaded, device);
  const config = await queryConfig(host, args, loaded, settings, args.operands, id);
  // WireGuard owns its port: what is seen of another would mislead the peers of that interface.
  const elsewhere = device !== undefined && !args.has("port");
  const result = await query(host, elsewhere ? { ...config, port: 0, register: false } : config);
  for (const warning of result.warnings) host.err.write(`wgsig: ${warning}\n`);
  if (result.servers.some(({ status }) => status === "ok" || status === "incomplete")) {
    const print = args.has("json") ? formatJson : args.has("dump") ? formatDump : formatTable;
    host.out.write(print(result, named, host));
  } else if (args.has("json")) host.out.write(formatJson(result, named));
  return result.status;
}

type Named = ReadonlyMap<string, PeerSettings>;

function endpointOf(peer: SeenPeer | undefined): string | null {
  return peer === undefined ? null : `${peer.address}:${peer.port}`;
}

function split({ peers, publicKey }: QueryResult) {
  return {
    self: peers.find((peer) => peer.publicKey === publicKey),
    others: peers.filter((peer) => peer.publicKey !== publicKey),
  };
}

function formatJson(result: QueryResult, named: Named): string {
  const { self, others } = split(result);
  const shown = {
    schema: 1,
    servers: result.servers.map(({ server, status, received, expected }) => ({
      server,
      status,
      datagrams: received,
      expected: expected ?? null,
    })),
    self: { publicKey: result.publicKey, endpoint: endpointOf(self) },
    peers: others.map((peer) => ({
      publicKey: peer.publicKey,
      name: named.get(peer.publicKey)?.name ?? null,
      endpoint: endpointOf(peer),
      seen: peer.seconds,
      age: ageOf(peer, result.unix),
    })),
  };
  return `${JSON.stringify(shown, undefined, 2)}\n`;
}

/** As `wg show IF dump`: the own line first, then one a peer. */
function formatDump(result: QueryResult, named: Named): string {
  const { self, others } = split(result);
  const lines = [
    [result.publicKey, endpointOf(self) ?? NOTHING, result.port],
    ...others.map((peer) => [
      peer.publicKey,
      endpointOf(peer) ?? NOTHING,
      peer.seconds,
      ageOf(peer, result.unix),
      named.get(peer.publicKey)?.name ?? NOTHING,
    ]),
  ];
  return lines.map((fields) => `${fields.join("\t")}\n`).join("");
}

function formatTable(result: QueryResult, named: Named, host: Host): string {
  const { self, others } = split(result);
  const bold = host.out.isTerminal && !host.env("NO_COLOR");
  const rows = others
    .toSorted((a, b) => b.seconds - a.seconds)
    .map((peer) => [
      named.get(peer.publicKey)?.name ?? "",
      peer.publicKey,
      endpointOf(peer) ?? "",
      `${formatAge(ageOf(peer, result.unix))} ago`,
    ]);
  const columns = [["NAME", "PUBLIC KEY", "ENDPOINT", "SEEN"], ...rows];
  // Without settings there are no names, and then no column for them.
  const first = rows.some(([name]) => name !== "") ? 0 : 1;
  const widths = columns[0]!.map((_, i) => Math.max(...columns.map((row) => row[i]!.length)));
  const lines = columns.map((row) =>
    row.map((cell, i) => cell.padEnd(widths[i]!)).slice(first).join("  ").trimEnd()
  );
  if (bold) lines[0] = `\x1b[1m${lines[0]}\x1b[0m`;
  const head = self === undefined
    ? `This peer is not registered: ${result.publicKey}`
    : `This peer: ${result.publicKey} at ${endpointOf(self)}`;
  return `${head}\n${rows.length === 0 ? "No other peers." : lines.join("\n")}\n`;
}
