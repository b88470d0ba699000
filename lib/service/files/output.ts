/**
 * The file that a command is asked to write: it never takes the place of what is precious.
 *
 * @module
 */

import { marked, mayReplace } from "../../core/ask/made_file.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { Files } from "../../host/files.ts";
import { fileOf } from "./identity.ts";

const OWNER_ONLY = 0o600;
/** The most that a file may have of which a copy is kept. */
const MAX_FORMER_SIZE = 16 * 1024 * 1024;
/** How many copies of former files there can be. */
const MAX_COPIES = 100;
/** The name that stands for standard output. */
const STANDARD_OUTPUT = "-";
/** How hosts name the file that stands beside another until it is whole. */
const UNFINISHED = ".new";

/** The file that was named for what is to be written; undefined where that is standard output. */
export function outputFile(named: string | undefined): string | undefined {
  return named === STANDARD_OUTPUT ? undefined : named;
}

/**
 * Reads the file that is to be replaced; undefined where there is none.
 *
 * @param named The files that arguments and settings name: to write one of them is refused, under
 *   whatever name it has here.
 * @throws {UserError} Where it is one of those, or no regular file: links are not followed.
 */
export async function readFormer(
  host: Files,
  path: string,
  named: readonly string[],
): Promise<Uint8Array | undefined> {
  for (const each of [path, `${path}${UNFINISHED}`]) await refuseNamed(host, each, named);
  try {
    return (await host.readFile(path, MAX_FORMER_SIZE, { regular: true })).bytes;
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") return undefined;
    throw code === "EFTYPE"
      ? new UserError(
        `cannot write ${path}: it is a link, a pipe or a device; name a file, or - for standard ` +
          `output`,
      )
      : unwritable(path, error);
  }
}

/**
 * Writes a configuration at once and whole, for its owner alone: what was there before stays until
 * then. Unless that was made by this program, and is unchanged, a copy of it stays beside it.
 *
 * @returns The name of the copy, where one was made.
 */
export async function writeOutput(
  host: Files,
  path: string,
  text: string,
  named: readonly string[],
): Promise<string | undefined> {
  const former = await readFormer(host, path, named);
  const isLost = former !== undefined && !mayReplace(new TextDecoder().decode(former), text);
  const copy = isLost ? await keepCopy(host, path, former) : undefined;
  try {
    await host.writeFile(path, new TextEncoder().encode(marked(text)), { mode: OWNER_ONLY });
  } catch (error) {
    throw unwritable(path, error);
  }
  return copy;
}

async function refuseNamed(host: Files, path: string, named: readonly string[]): Promise<void> {
  // What can't be found can't be written over either.
  const own = await fileOf(host, path);
  for (const each of named) {
    if (each !== path && (own === undefined || own !== await fileOf(host, each))) continue;
    throw new UserError(`cannot write ${path}: arguments or settings name that file as ${each}`);
  }
}

/** Keeps a copy under the first name that is free, or that has the same already. */
async function keepCopy(host: Files, path: string, bytes: Uint8Array): Promise<string> {
  for (let i = 1; i <= MAX_COPIES; i++) {
    const copy = i === 1 ? `${path}.old` : `${path}.old${i}`;
    try {
      await host.writeFile(copy, bytes, { mode: OWNER_ONLY, exclusive: true });
      return copy;
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw unwritable(copy, error);
    }
    if (await hasBytes(host, copy, bytes)) return copy;
  }
  throw new UserError(
    `cannot write ${path}: there are ${MAX_COPIES} copies beside it; remove some`,
  );
}

async function hasBytes(host: Files, path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    const there = (await host.readFile(path, bytes.length, { regular: true })).bytes;
    return there.length === bytes.length && there.every((byte, i) => byte === bytes[i]);
  } catch {
    return false;
  }
}

function unwritable(path: string, error: unknown): UserError {
  const hint = errorCode(error) === "ENOENT" ? "; make its folder first" : "";
  return new UserError(`cannot write ${path}: ${explain(error)}${hint}`, EXIT.failed);
}
