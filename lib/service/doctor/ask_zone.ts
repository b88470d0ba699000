/**
 * Asks a name server for `wgsig doctor`, as `query` does. What that takes is loaded where there is one.
 *
 * @module
 */

import { formatServerName, type ZoneServerName } from "../../core/ask/server_name.ts";
import type { ZoneFacts } from "../../core/doctor/facts.ts";
import type { Clock } from "../../host/clock.ts";
import type { Random } from "../../host/random.ts";
import type { TcpConnecting } from "../../host/tcp.ts";
import type { Udp } from "../../host/udp.ts";
import type { TsigKey } from "../../wire/dns/tsig.ts";
import { ANSWER_TIME } from "./ask.ts";

/**
 * Asks for all peers, with the server's key where there is one.
 *
 * @param addresses Its IP addresses, at least one.
 * @param tsigKeys By the names of servers.
 * @throws What the host says where it has no socket for any of them.
 */
export async function askZone(
  host: Clock & Random & Udp & TcpConnecting,
  name: ZoneServerName,
  addresses: readonly string[],
  tsigKeys: ReadonlyMap<string, TsigKey>,
): Promise<ZoneFacts> {
  const { askZoneServer } = await import("../zone/client/server.ts");
  const startedAt = host.now().mono;
  const { outcome: { status }, peers, warning } = await askZoneServer(host, name, addresses, {
    tsigKeys,
    timeout: ANSWER_TIME,
    startedAt,
  });
  return {
    ...{ zone: name.zone, status, warning },
    key: tsigKeys.get(formatServerName(name))?.text,
    peers: new Set(peers.map(({ publicKey }) => publicKey)).size,
  };
}
