/**
 * `wgsig query`: asks once, prints the peers.
 *
 * @module
 */

import { formatAge } from "../lib/core/settings/duration.ts";
import { QUERY_FLAGS } from "../lib/core/settings/client_options.ts";
import { resolve } from "../lib/core/settings/option.ts";
import { ageOf, endpointOf, newestFirst, type Sighting } from "../lib/core/ask/sighting.ts";
import type { Host } from "../lib/host/host.ts";
import type { QueryResult } from "../lib/core/query/query_result.ts";
import { query } from "../lib/service/query/query.ts";
import type { ExitStatus } from "../lib/core/settings/user_error.ts";
import {
  askersKeys,
  namesKey,
  needsKey,
  peersByKey,
  queriedServers,
  queryConfig,
  readAsker,
} from "./asking.ts";
import { hasColours } from "./colours.ts";
import { withoutOwnSync } from "./own_sync.ts";
import { namesOf, rosterOf } from "./roster_peers.ts";
import { runNat } from "./nat.ts";
import type { Arguments } from "./arguments.ts";

/** Stands for what is not known, as in the dumps of `wg`. */
const NOTHING = "(none)";

/** Runs `wgsig query`. */
export async function runQuery(host: Host, args: Arguments): Promise<ExitStatus> {
  const flags = resolve(QUERY_FLAGS, args);
  if (flags.nat) return await runNat(host, args, flags);
  const asker = await readAsker(host, args, flags);
  const configured = peersByKey(asker.loaded);
  const servers = queriedServers(asker);
  // Who only asks name servers need not say who it is.
  const own = needsKey(servers) || namesKey(asker) ? await askersKeys(host, asker) : {};
  const config = await queryConfig(host, asker, servers, own);
  // WireGuard owns its port: what is seen of another would mislead the peers of that interface.
  const elsewhere = asker.device !== undefined && config.anyPort;
  const result = await query(host, elsewhere ? { ...config, port: 0, register: false } : config);
  const warnings = await withoutOwnSync(host, result.warnings, config.port);
  for (const warning of warnings) host.err.write(`wgsig: ${warning}\n`);
  const isAnswered = result.servers.some(({ status }) =>
    status === "ok" || status === "incomplete"
  );
  const named = namesOf(configured, rosterOf(result));
  if (isAnswered || flags.output === "json") {
    host.out.write(FORMATS[flags.output](result, named, host));
  }
  return result.status;
}

const FORMATS = { table: formatTable, json: formatJson, dump: formatDump };

/** By public key. */
type Named = ReadonlyMap<string, string>;

function split({ peers, publicKey }: QueryResult) {
  return {
    self: peers.find((peer) => peer.publicKey === publicKey),
    others: peers.filter((peer) => peer.publicKey !== publicKey),
  };
}

/** The places of a peer, the one that is taken first: of several servers, each once. */
function placesOf({ sightings }: QueryResult, { publicKey }: Sighting): readonly Sighting[] {
  const places = new Map<string, Sighting>();
  for (const each of sightings.get(publicKey) ?? []) {
    const text = `${each.kind ?? "seen"} ${endpointOf(each)}`;
    if (!places.has(text)) places.set(text, each);
  }
  return [...places.values()];
}

function formatJson(result: QueryResult, named: Named): string {
  const { self, others } = split(result);
  const { unix } = result;
  const candidatesOf = (peer: Sighting) =>
    placesOf(result, peer).map((each) => ({
      kind: each.kind ?? "seen",
      endpoint: endpointOf(each),
      age: each.confirmed === undefined
        ? ageOf(each, unix) ?? null
        : Math.max(0, Math.floor(unix) - each.confirmed),
      server: each.server ?? null,
    }));
  const shown = {
    schema: 2,
    servers: result.servers.map(({ server, status, protocol, serverKey, received, expected }) => ({
      server,
      status,
      protocol: protocol ?? null,
      serverKey: serverKey ?? null,
      datagrams: received ?? null,
      expected: expected ?? null,
    })),
    self: {
      publicKey: result.publicKey ?? null,
      endpoint: self ? endpointOf(self) : null,
      candidates: self ? candidatesOf(self) : [],
    },
    peers: others.map((peer) => ({
      publicKey: peer.publicKey,
      name: named.get(peer.publicKey) ?? null,
      endpoint: endpointOf(peer),
      candidates: candidatesOf(peer),
      proved: peer.isProved ?? false,
      near: peer.isNear ?? false,
      probes: peer.probes ?? false,
      nat: peer.nat ?? null,
      seen: peer.seconds ?? null,
      age: ageOf(peer, unix) ?? null,
      ...(peer.allowedIps === undefined ? {} : { allowedIps: peer.allowedIps }),
    })),
  };
  return `${JSON.stringify(shown, undefined, 2)}\n`;
}

/** As `wg show IF dump`: the own line first, then one a peer. */
function formatDump(result: QueryResult, named: Named): string {
  const { self, others } = split(result);
  const lines = [
    [result.publicKey ?? NOTHING, self ? endpointOf(self) : NOTHING, result.port],
    ...others.map((peer) => [
      peer.publicKey,
      endpointOf(peer),
      peer.seconds ?? NOTHING,
      ageOf(peer, result.unix) ?? NOTHING,
      named.get(peer.publicKey) ?? NOTHING,
    ]),
  ];
  return lines.map((fields) => `${fields.join("\t")}\n`).join("");
}

function formatTable(result: QueryResult, named: Named, host: Host): string {
  const { self, others } = split(result);
  const bold = hasColours(host);
  const rows = others.toSorted(newestFirst).flatMap((peer) => {
    const name = named.get(peer.publicKey) ?? "";
    const first = [name, peer.publicKey, endpointOf(peer), peer.kind ?? "", seenText(peer, result)];
    // What only the first protocol tells is one place for each peer.
    const [, ...more] = placesOf(result, peer).filter(({ kind }) => kind !== undefined);
    return [first, ...more.map((each) => ["", "", endpointOf(each), each.kind ?? "", ""])];
  });
  const columns = [["NAME", "PUBLIC KEY", "ENDPOINT", "KIND", "SEEN"], ...rows];
  const widths = columns[0]!.map((_, i) => Math.max(...columns.map((row) => row[i]!.length)));
  // Without settings there are no names, and then no column for them; nor is there one for kinds.
  const isShown = columns[0]!.map((_, i) =>
    i !== 0 && i !== 3 || rows.some((row) => row[i] !== "")
  );
  const lines = columns.map((row) =>
    row.map((cell, i) => cell.padEnd(widths[i]!)).filter((_, i) => isShown[i]).join("  ").trimEnd()
  );
  if (bold) lines[0] = `\x1b[1m${lines[0]}\x1b[0m`;
  const list = `${rows.length === 0 ? "No other peers." : lines.join("\n")}\n`;
  if (result.publicKey === undefined) return list;
  const head = self === undefined
    ? `This peer is not registered: ${result.publicKey}`
    : `This peer: ${result.publicKey} at ${endpointOf(self)}`;
  return `${head}\n${list}`;
}

function seenText(peer: Sighting, { unix }: QueryResult): string {
  const age = ageOf(peer, unix);
  return age === undefined ? "" : `${formatAge(age)} ago`;
}
