/**
 * `wgsig query --nat`: what kind of NAT this is. Registries alone are asked, no third party.
 *
 * @module
 */

import { formatHostPort } from "../lib/core/net/host_port.ts";
import { judgeNat } from "../lib/core/ask/nat_verdict.ts";
import type { QUERY_FLAGS } from "../lib/core/settings/client_options.ts";
import type { Resolved } from "../lib/core/settings/option.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import type { Host } from "../lib/host/host.ts";
import { type TriedMapping, tryMapping } from "../lib/service/portmap/try_mapping.ts";
import { query, type QueryConfig } from "../lib/service/query/query.ts";
import { readDevice } from "../lib/wireguard/device.ts";
import { askersKeys, queriedServers, queryConfig, readAsker } from "./asking.ts";
import type { Arguments } from "./arguments.ts";

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
  const registries = config.servers.filter(({ scheme }) => scheme === "wgsig");
  const asked = new Set(registries.map(formatHostPort));
  if (asked.size < 2) {
    throw new UserError(
      "--nat needs two servers, or one that listens on two ports; name both: HOST:1223 HOST:1224",
    );
  }
  const question = await throughWireGuard(host, config, asker.device);
  const [result, mappings] = await Promise.all([
    query(host, question),
    tryMapping(host, question.through?.mark ?? 0),
  ]);
  for (const warning of result.warnings) host.err.write(`wgsig: ${warning}\n`);
  const seen = result.servers.flatMap(({ server, ownEndpoint }) =>
    ownEndpoint === undefined ? [] : [{ server, endpoint: ownEndpoint }]
  );
  if (seen.length < 2) {
    if (result.status !== EXIT.ok) return result.status;
    throw new UserError("only one server saw this socket; --nat needs two", EXIT.failed);
  }
  const verdict = judgeNat(
    result.port,
    host.localAddresses(),
    seen.map(({ endpoint }) => endpoint),
  );
  const shown = seen.map(({ server, endpoint }) => ({
    server,
    endpoint: formatHostPort(endpoint),
  }));
  if (flags.output === "json") {
    const { mapping, portPreserved, meaning } = verdict;
    const nat = { mapping, portPreserved, meaning };
    const portMapping = mappings.map(({ gateway, mapping, why }) => ({
      gateway,
      via: mapping?.via ?? null,
      endpoint: mapping === undefined ? null : formatHostPort(mapping.endpoint),
      why: why ?? null,
    }));
    const json = { schema: 1, port: result.port, seen: shown, nat, portMapping };
    host.out.write(`${JSON.stringify(json, undefined, 2)}\n`);
  } else {
    host.out.write(
      [
        ...shown.map(({ server, endpoint }) => `${server} sees port ${result.port} as ${endpoint}`),
        `mapping: ${verdict.mapping}`,
        `port preserved: ${verdict.portPreserved ? "yes" : "no"}`,
        ...portMappingTexts(mappings),
        verdict.meaning,
        "",
      ].join("\n"),
    );
  }
  return EXIT.ok;
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
