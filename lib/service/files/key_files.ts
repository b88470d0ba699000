/**
 * New files with keys: none takes the place of another.
 *
 * @module
 */

import type { KeyFile } from "../../core/import/imported.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { Files } from "../../host/files.ts";
import { makeFolder } from "./files.ts";
import { makeOwnFolder } from "./own_folders.ts";

const OWNER_ONLY = 0o600;
/** How to mend it where a new file can't be written. */
const HINTS: Readonly<Record<string, string>> = {
  ENOENT: "; make its folder first",
  EEXIST: "; name another, or remove it first",
};

/**
 * Finds out which of the files are to be written: those that are not there.
 *
 * @throws {UserError} Where one is there and has anything else.
 */
export async function missingKeyFiles(
  host: Files,
  files: readonly KeyFile[],
): Promise<readonly KeyFile[]> {
  const missing: KeyFile[] = [];
  for (const file of files) {
    const { path, text } = file;
    try {
      const { bytes } = await host.readFile(path, text.length, { regular: true, beginning: true });
      if (new TextDecoder().decode(bytes).trim() === text.trim()) continue;
    } catch (error) {
      const code = errorCode(error);
      if (code !== "EFTYPE" && code !== "ENOENT") throw unwritable(path, error);
      if (code === "ENOENT") {
        missing.push(file);
        continue;
      }
    }
    throw new UserError(
      `cannot write ${path}: it is there, with something else; move it away, or name another folder`,
      EXIT.failed,
    );
  }
  return missing;
}

/** Writes files that are not there, for their owner alone, into a folder that is made where it lacks. */
export async function writeKeyFiles(
  host: Files,
  folder: string,
  files: readonly KeyFile[],
): Promise<void> {
  if (files.length > 0) await makeFolder(host, folder);
  for (const { path, text } of files) {
    await writeKeyFile(host, path, new TextEncoder().encode(text));
  }
}

/**
 * Writes a file that is not there, for its owner alone, and overwrites the bytes in memory. Its folder
 * is made where it is one of the program's own.
 */
export async function writeKeyFile(host: Files, path: string, bytes: Uint8Array): Promise<void> {
  try {
    await makeOwnFolder(host, path);
    await host.writeFile(path, bytes, { mode: OWNER_ONLY, exclusive: true });
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw unwritable(path, error, HINTS[errorCode(error)]);
  } finally {
    bytes.fill(0);
  }
}

function unwritable(path: string, error: unknown, hint = ""): UserError {
  return new UserError(`cannot write ${path}: ${explain(error)}${hint}`, EXIT.failed);
}
