/**
 * The secret of a group of which nothing was said: made at a registry's first start, so that a server
 * takes two commands.
 *
 * @module
 */

import { formatKey } from "../../core/net/peer_key.ts";
import { SECRET_SIZE } from "../../wire/crypto/mac.ts";
import type { Files } from "../../host/files.ts";
import type { Random } from "../../host/random.ts";
import { fileOf } from "../files/identity.ts";
import { makeOwnFolder } from "../files/own_folders.ts";
import type { ServeConfig } from "./config.ts";

const OWNER_ONLY = 0o600;

/** A secret that was made. */
export interface MadeSecret {
  readonly group: number;
  readonly file: string;
}

/**
 * Makes the file of a group's secret where it has none, nobody has named one, and the state file is
 * new as well: a registry that has served before had a secret, which is missing.
 *
 * @returns Undefined where nothing was made, or nothing can be: that the file is missing is said by
 *   whoever reads it.
 */
export async function makeGroupSecret(
  host: Files & Random,
  { groups, state }: Pick<ServeConfig, "groups" | "state">,
): Promise<MadeSecret | undefined> {
  const [group, another] = groups;
  if (state === undefined || group === undefined || another !== undefined) return undefined;
  const [file] = group.secretFiles;
  if (file === undefined || !group.isUsualSecret || group.secretFiles.length > 1) return undefined;
  if (await fileOf(host, file) !== undefined || await fileOf(host, state) !== undefined) {
    return undefined;
  }
  const secret = new Uint8Array(SECRET_SIZE);
  host.random(secret);
  const bytes = new TextEncoder().encode(`${formatKey(secret)}\n`);
  try {
    await makeOwnFolder(host, file);
    await host.writeFile(file, bytes, { mode: OWNER_ONLY, exclusive: true });
    return { group: group.id, file };
  } catch {
    // A service that systemd has shut off from /etc, or no root: whoever reads the file says what to do.
    return undefined;
  } finally {
    secret.fill(0);
    bytes.fill(0);
  }
}
