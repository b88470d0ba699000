/**
 * The note of what an interface has from rosters, in the run folder: it goes with a restart of the
 * host, as the interface does. An interface that was made anew has what stood in wg-quick's file:
 * what of that is a registry's, the note beside it says that `wgsig join` has written.
 *
 * @module
 */

import {
  formatGiven,
  type Given,
  MAX_GIVEN_SIZE,
  NOTHING_GIVEN,
  parseGiven,
} from "../../core/roster/client/given.ts";
import { errorCode } from "../../host/error.ts";
import type { Files } from "../../host/files.ts";
import type { Processes } from "../../host/processes.ts";
import { readIndex } from "../../wireguard/addresses.ts";
import { makeFolder } from "../files/files.ts";
import { joinedNote, RUN_FOLDER } from "../files/own_folders.ts";

const MODE = 0o600;
/** A link, or one that is too large, is none of ours. */
const NO_NOTE: readonly string[] = ["ENOENT", "ENOTDIR", "EFTYPE", "EFBIG"];
/** wg-quick's folder is root's: who can't look into it has an interface of its own. */
const NOT_FOR_US: readonly string[] = ["EACCES", "EPERM"];

/**
 * Reads it.
 *
 * @param ending See `namespaceEnding`.
 * @returns For an interface that was made anew, what it has from wg-quick's file.
 */
export async function readGiven(
  host: Files & Processes,
  name: string,
  ending: string,
): Promise<Given> {
  const note = await readNote(host, noteOf(name, ending));
  const given = note === undefined ? NOTHING_GIVEN : parseGiven(note, await readIndex(host, name));
  if (given !== NOTHING_GIVEN) return given;
  const joined = await readNote(host, joinedNote(name), NOT_FOR_US);
  return joined === undefined ? NOTHING_GIVEN : parseGiven(joined, undefined);
}

async function readNote(
  host: Files,
  path: string,
  without: readonly string[] = [],
): Promise<string | undefined> {
  try {
    const { bytes } = await host.readFile(path, MAX_GIVEN_SIZE, { regular: true });
    return new TextDecoder().decode(bytes);
  } catch (error) {
    if ([...NO_NOTE, ...without].includes(errorCode(error))) return undefined;
    throw error;
  }
}

/** Writes it, at once and whole. */
export async function keepGiven(
  host: Files & Processes,
  name: string,
  ending: string,
  given: Given,
): Promise<void> {
  const index = await readIndex(host, name);
  await makeFolder(host, RUN_FOLDER);
  const bytes = new TextEncoder().encode(formatGiven(given, index));
  await host.writeFile(noteOf(name, ending), bytes, { mode: MODE });
}

function noteOf(name: string, ending: string): string {
  return `${RUN_FOLDER}/${name}${ending}.roster`;
}
