/**
 * `wgsig query --nat`: what kind of NAT this is. Registries alone are asked, no third party.
 *
 * @module
 */

import { formatHostPort } from "../lib/core/net/host_port.ts";
import { judgeNat } from "../lib/core/ask/nat_verdict.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import type { Host } from "../lib/host/host.ts";
import { loadSettings } from "../lib/service/files/files.ts";
import { query, type QueryConfig } from "../lib/service/query/query.ts";
import { readDevice } from "../lib/wireguard/device.ts";
import {
  askedServers,
  askersKey,
  interfaceSettings,
  queryConfig,
  questionConfig,
} from "./asking.ts";
import type { Arguments } from "./options.ts";

/** Runs `wgsig query --nat`. */
export async function runNat(host: Host, args: Arguments): Promise<ExitStatus> {
  if (args.has("dump") || args.has("no-register")) {
    throw new UserError("--nat goes without --dump and --no-register");
  }
  const loaded = await loadSettings(host, args.text("config"));
  const name = args.text("interface");
  const settings = interfaceSettings(loaded, name);
  const id = await askersKey(host, args, settings, loaded, name);
  const servers = askedServers(settings, args.operands);
  const question = await questionConfig(host, args, loaded, settings, servers);
  const config = queryConfig(args, loaded, settings, question, id);
  const registries = config.servers.filter(({ scheme }) => scheme === "wgsig");
  const asked = new Set(registries.map(formatHostPort));
  if (asked.size < 2) {
    throw new UserError(
      "--nat needs two servers, or one that listens on two ports; name both: HOST:1223 HOST:1224",
    );
  }
  const result = await query(host, await throughWireGuard(host, config, name));
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
  if (args.has("json")) {
    const { mapping, portPreserved, meaning } = verdict;
    const nat = { mapping, portPreserved, meaning };
    const json = { schema: 1, port: result.port, seen: shown, nat };
    host.out.write(`${JSON.stringify(json, undefined, 2)}\n`);
  } else {
    host.out.write(
      [
        ...shown.map(({ server, endpoint }) => `${server} sees port ${result.port} as ${endpoint}`),
        `mapping: ${verdict.mapping}`,
        `port preserved: ${verdict.portPreserved ? "yes" : "no"}`,
        verdict.meaning,
        "",
      ].join("\n"),
    );
  }
  return EXIT.ok;
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
