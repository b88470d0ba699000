/**
 * The addresses of the servers that are to be asked.
 *
 * @module
 */

import { ADDRESS_SIZE, parseAddress } from "../../core/net/ip_address.ts";
import { formatServerName, type ServerName } from "../../core/ask/server_name.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { codedError, explain } from "../../host/error.ts";
import type { Clock } from "../../host/clock.ts";
import type { Names } from "../../host/names.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

type Found = readonly [ServerName, readonly string[]];

/**
 * Looks the servers' names up, all at once.
 *
 * @param timeout A name server that is silent must not take longer than the whole question may.
 * @returns By server: its IP addresses, none where it isn't found.
 * @throws {UserError} If none is found.
 */
export async function findServers(
  host: Clock & Names,
  servers: readonly ServerName[],
  timeout: number,
): Promise<ReadonlyMap<ServerName, readonly string[]>> {
  let problem = "";
  const found = await Promise.all(servers.map(async (server): Promise<Found> => {
    try {
      const literal = parseAddress(server.host, new WireBuffer(ADDRESS_SIZE), 0);
      return [
        server,
        literal ? [server.host] : await lookUp(host, server.host, timeout),
      ];
    } catch (error) {
      problem = `cannot find server ${formatServerName(server)}: ${explain(error)}` +
        "; check the name and this host's DNS";
      return [server, []];
    }
  }));
  if (found.every(([, addresses]) => addresses.length === 0)) {
    throw new UserError(problem, EXIT.hostNotFound);
  }
  return new Map(found);
}

async function lookUp(host: Clock & Names, name: string, timeout: number): Promise<string[]> {
  let cancel = () => {};
  const late = new Promise<never>((_, reject) => {
    cancel = host.after(timeout, () => reject(codedError("ETIMEDOUT")));
  });
  try {
    return await Promise.race([host.resolve(name), late]);
  } finally {
    cancel();
  }
}
