/**
 * The TSIG keys with which name servers are asked.
 *
 * @module
 */

import { formatServerName, type ServerName } from "../lib/core/ask/server_name.ts";
import type { TsigFile } from "../lib/core/settings/tsig_file.ts";
import { UserError } from "../lib/core/settings/user_error.ts";
import type { Host } from "../lib/host/host.ts";
import { readTsigKey } from "../lib/service/files/tsig_file.ts";
import { encodeName } from "../lib/wire/dns/name.ts";
import { TsigKey } from "../lib/wire/dns/tsig.ts";

/**
 * Reads the keys of the name servers that are asked, by the names of these. One for a zone that nobody
 * is asked for is a slip of the pen, by which another one would be asked without.
 */
export async function tsigKeysOf(
  host: Host,
  { servers: settings, "tsig-files": files }: {
    readonly servers: readonly ServerName[];
    readonly "tsig-files": readonly TsigFile[];
  },
  servers: readonly ServerName[],
): Promise<Map<string, TsigKey>> {
  const keys = new Map<string, TsigKey>();
  const known = [...servers, ...settings].flatMap((each) => each.scheme === "dns" ? each.zone : []);
  for (const { zone } of files) {
    if (zone !== undefined && !known.includes(zone)) {
      throw new UserError(
        `tsig-files has a key for ${zone}, and no dns:// server is asked for that`,
      );
    }
    if (files.filter((each) => each.zone === zone).length > 1) {
      const whose = zone === undefined ? "all zones" : zone;
      throw new UserError(
        `tsig-files has two keys for ${whose}: leave one out, or write ZONE=FILE`,
      );
    }
  }
  const read = new Map<string, TsigKey>();
  for (const server of servers) {
    if (server.scheme !== "dns") continue;
    const file = (files.find(({ zone }) => zone === server.zone) ??
      files.find(({ zone }) => zone === undefined))?.file;
    if (file === undefined) continue;
    // A pipe can be read once.
    const key = read.get(file) ?? await keyIn(host, file);
    read.set(file, key);
    keys.set(formatServerName(server), key);
  }
  return keys;
}

async function keyIn(host: Host, file: string): Promise<TsigKey> {
  const { name, secret } = await readTsigKey(host, file);
  const key = new TsigKey(encodeName(name), secret, host.primitives);
  secret.fill(0);
  return key;
}
