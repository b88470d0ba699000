/**
 * Files of TSIG keys.
 *
 * @module
 */

import { UserError } from "../../core/settings/user_error.ts";
import { isTsigKey, parseTsigKey, type TsigKeyText } from "../../core/zone/tsig_key.ts";
import type { Files, Input } from "../../host/files.ts";
import type { System } from "../../host/host.ts";
import { readPrivate } from "./files.ts";

const WHAT = "TSIG key file";

/**
 * Reads the key in a file that nobody but its owner may read. Whoever has it wipes its secret.
 *
 * @throws {UserError} It can't be read, or holds no key.
 */
export async function readTsigKey(
  host: System & Files & Input,
  path: string,
): Promise<TsigKeyText> {
  if (isTsigKey(path)) {
    throw new UserError(
      `expected the name of a ${WHAT}, got what belongs into it; write that to a file`,
    );
  }
  const make = `make one with: wgsig keygen tsig NAME --output ${path}`;
  const bytes = await readPrivate(host, path, WHAT, make);
  try {
    return parseTsigKey(bytes);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(`${WHAT} ${path}: ${error.message}`);
  } finally {
    bytes.fill(0);
  }
}
