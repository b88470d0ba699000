/**
 * The file with the token that is asked for over HTTP.
 *
 * @module
 */

import { parseToken, TOKEN_FORM } from "../../core/http/access.ts";
import { UserError } from "../../core/settings/user_error.ts";
import type { Files, Input } from "../../host/files.ts";
import type { System } from "../../host/host.ts";
import { readPrivate } from "./files.ts";

/** Where it is looked for by custom. */
export const DEFAULT_TOKEN_FILE = "/etc/wgsig/status-token";

/** Reads the token that is asked for over HTTP. */
export async function readToken(host: System & Files & Input, path: string): Promise<Uint8Array> {
  const bytes = await readPrivate(
    host,
    path,
    "token file",
    `make one with: wgsig keygen secret --output ${path}`,
  );
  const token = parseToken(bytes);
  if (token !== undefined) return token;
  throw new UserError(`token file ${path}: expected ${TOKEN_FORM}`);
}
