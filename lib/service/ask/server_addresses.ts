/**
 * The addresses of the servers that are to be asked.
 *
 * @module
 */

import { ADDRESS_SIZE, parseAddress } from "../../core/net/ip_address.ts";
import { formatServerName, type ServerName } from "../../core/ask/server_name.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import type { Clock } from "../../host/clock.ts";
import { explainLookUp, type Names } from "../../host/names.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/**
 * Looks the servers' names up, all at once.
 *
 * @param timeout A name server that is silent must not take longer than the whole question may; nor
 *   more than half of that where another server is found: it is to be asked in the rest.
 * @param mark Of the tunnel's own datagrams; 0 is none.
 * @returns By server: its IP addresses, none where it isn't found.
 * @throws {UserError} If none is found.
 */
export async function findServers(
  host: Clock & Names,
  servers: readonly ServerName[],
  timeout: number,
  mark: number,
): Promise<ReadonlyMap<ServerName, readonly string[]>> {
  const found = new Map<ServerName, readonly string[]>(servers.map((server) => [server, []]));
  let problem = "";
  let isFound = () => {};
  const oneIsFound = new Promise<void>((done) => void (isFound = done));
  const looks = servers.map(async (server) => {
    try {
      const literal = parseAddress(server.host, new WireBuffer(ADDRESS_SIZE), 0);
      found.set(
        server,
        literal ? [server.host] : await host.resolve(server.host, { timeout, mark }),
      );
      isFound();
    } catch (error) {
      problem = `cannot find server ${formatServerName(server)}: ${explainLookUp(error)}` +
        "; check the name and this host's DNS";
    }
  });
  let cancel = () => {};
  const isLate = new Promise<void>((done) => void (cancel = host.after(timeout / 2, done)));
  await Promise.race([Promise.all(looks), Promise.all([isLate, oneIsFound])]);
  cancel();
  if ([...found.values()].every((addresses) => addresses.length === 0)) {
    throw new UserError(problem, EXIT.hostNotFound);
  }
  // What comes after this is for the next look.
  return new Map(found);
}
