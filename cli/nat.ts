/**
 * `wgsig query --nat`: what kind of NAT this is, and which peers are reached how. Registries alone are
 * asked, no third party.
 *
 * @module
 */

import { formatServerName } from "../lib/core/ask/server_name.ts";
import { familyOf, formatHostPort } from "../lib/core/net/host_port.ts";
import type { Means, PeerKind } from "../lib/core/path/reaches.ts";
import { type NatReport, reportNat } from "../lib/core/query/nat_report.ts";
import type { QUERY_FLAGS } from "../lib/core/settings/client_options.ts";
import type { Resolved } from "../lib/core/settings/option.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import type { Host } from "../lib/host/host.ts";
import { type TriedMapping, tryMapping } from "../lib/service/portmap/try_mapping.ts";
import { query, type QueryConfig } from "../lib/service/query/query.ts";
import { readDevice } from "../lib/wireguard/device.ts";
import { askersKeys, queriedServers, queryConfig, readAsker } from "./asking.ts";
import type { Arguments } from "./arguments.ts";

const PEERS: Readonly<Record<PeerKind, string>> = {
  lan: "in the same LAN",
  ipv6: "with IPv6",
  open: "without a NAT, or with a forwarded port",
  easy: "behind an easy NAT",
  sequential: "behind a sequential NAT",
  hard: "behind a hard NAT",
};

const MEANS: Readonly<Record<Means, string>> = {
  direct: "directly",
  punched: "punched",
  predicted: "at predicted ports",
  guessed: "at guessed ports (a second or two, once)",
  relay: "through a relay",
};

const ONE_PORT =
  "one port alone doesn't tell what kind of NAT this is: open the registry's second port in " +
  "its firewall (1224 by default), have it listen at one (serve --listen), or name another server";

/** Runs `wgsig query --nat`. */
export async function runNat(
  host: Host,
  args: Arguments,
  flags: Resolved<typeof QUERY_FLAGS>,
): Promise<ExitStatus> {
  if (flags.output === "dump" || flags["no-register"]) {
    throw new UserError("--nat cannot be combined with --dump or --no-register");
  }
  const asker = await readAsker(host, args, flags);
  const own = await askersKeys(host, asker);
  const config = await queryConfig(host, asker, queriedServers(asker), own);
  const servers = config.servers.filter(({ scheme }) => scheme === "wgsig");
  if (servers.length === 0) throw new UserError("--nat asks registries: name one (HOST:1223)");
  const question = await throughWireGuard(host, { ...config, servers }, asker.device);
  // It takes seconds, and a person may wonder.
  if (host.err.isTerminal) host.err.write(`wgsig: ${whatIsDone(question)}\n`);
  const [result, mappings] = await Promise.all([
    query(host, { ...question, looksAround: true }),
    tryMapping(host, question.through?.mark ?? 0),
  ]);
  for (const warning of result.warnings) host.err.write(`wgsig: ${warning}\n`);
  const report = reportNat({
    port: result.port,
    localAddresses: host.localAddresses(),
    servers: result.servers,
    mapsPorts: mappings.some(({ mapping }) => mapping && familyOf(mapping.endpoint) === 4),
  });
  if (report.sights.length === 0) {
    if (result.status !== EXIT.ok) return result.status;
    throw new UserError("no server has told where it sees this port", EXIT.failed);
  }
  const format = flags.output === "json" ? formatJson : formatText;
  host.out.write(format(report, result.port, mappings));
  if (report.kind !== "unknown" || report.portPreserved === undefined) return EXIT.ok;
  host.err.write(`wgsig: ${ONE_PORT}\n`);
  return EXIT.failed;
}

function whatIsDone({ servers, port, timeout }: QueryConfig): string {
  const names = servers.map(formatServerName).join(", ");
  const from = port === 0 ? "a port" : `port ${port}`;
  return `asking ${names} from ${from}, and gateways for a forwarded port; that takes some seconds, ` +
    `${Number(timeout.toFixed(3))} at most where one is silent`;
}

function formatJson(
  report: NatReport,
  port: number,
  mappings: readonly TriedMapping[],
): string {
  const { kind, isPresent, steps, portPreserved, meaning, ipv6, isIpv6Seen, isRelayed } = report;
  const json = {
    schema: 1,
    port,
    seen: report.sights.map(({ server, seen }) => ({ server, endpoint: formatHostPort(seen) })),
    nat: {
      kind,
      present: isPresent ?? null,
      steps,
      portPreserved: portPreserved ?? null,
      filtering: null,
      meaning: meaning ?? null,
    },
    ipv6: ipv6 === undefined ? null : { address: ipv6, seen: isIpv6Seen },
    portMapping: mappings.map(({ gateway, mapping, why }) => ({
      gateway,
      via: mapping?.via ?? null,
      endpoint: mapping === undefined ? null : formatHostPort(mapping.endpoint),
      why: why ?? null,
    })),
    relay: isRelayed,
    reaches: Object.fromEntries(report.reaches.map(([peer, means]) => [peer, means ?? null])),
  };
  return `${JSON.stringify(json, undefined, 2)}\n`;
}

function formatText(
  report: NatReport,
  port: number,
  mappings: readonly TriedMapping[],
): string {
  const { portPreserved, ipv6, isIpv6Seen, isRelayed } = report;
  const lines = [
    ...report.sights.map(({ server, seen }) =>
      `${server} sees port ${port} as ${formatHostPort(seen)}`
    ),
    `NAT: ${kindText(report)}`,
    ...(portPreserved === undefined ? [] : [`port preserved: ${portPreserved ? "yes" : "no"}`]),
    "filtering: not tested",
    `IPv6: ${ipv6 === undefined ? "none" : `${ipv6}${isIpv6Seen ? "" : " (no server saw it)"}`}`,
    ...portMappingTexts(mappings),
    ...report.reaches.map(([peer, means]) =>
      `reaches peers ${PEERS[peer]}: ${meansText(means, isRelayed)}`
    ),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function kindText({ kind, isPresent, steps, portPreserved }: NatReport): string {
  if (portPreserved === undefined) return "unknown (no server was asked over IPv4)";
  if (isPresent === false) return `${kind} (there is none)`;
  const signed = steps.map((step) => `${step < 0 ? "" : "+"}${step}`).join(", ");
  switch (kind) {
    case "easy":
      return "easy (the port is the same for every destination)";
    case "sequential":
      return `sequential (each destination gets the next port: ${signed})`;
    case "hard":
      return `hard (each destination gets a port that is drawn: ${signed})`;
    case "unknown":
      return "unknown (seen from one port alone)";
  }
}

function meansText(means: Means | undefined, isRelayed: boolean): string {
  if (means === undefined) return "unknown";
  return means === "relay" && !isRelayed
    ? "not at all (no server that was asked relays)"
    : MEANS[means];
}

/** What came of mapping a port for a moment, a line each. */
function portMappingTexts(mappings: readonly TriedMapping[]): readonly string[] {
  if (mappings.length === 0) return ["port mapping: none (no gateway)"];
  return mappings.map(({ gateway, mapping, why = "no answer" }) =>
    mapping === undefined
      ? `port mapping: none at ${gateway} (${why})`
      : `port mapping: ${mapping.via} ${formatHostPort(mapping.endpoint)}`
  );
}

/** With an interface, it is WireGuard's own port that is looked at. */
async function throughWireGuard(
  host: Host,
  config: QueryConfig,
  name: string | undefined,
): Promise<QueryConfig> {
  const device = name === undefined ? undefined : await readDevice(host, name);
  if (device === undefined || device.listenPort === 0) return config;
  return { ...config, port: device.listenPort, through: { raw: true, mark: device.mark } };
}
