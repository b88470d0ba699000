/**
 * The note of what an interface has from rosters, in the run folder: it goes with a restart of the
 * host, as the interface does.
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
import { RUN_FOLDER } from "../files/own_folders.ts";

const MODE = 0o600;

/** Reads it. @param ending See `namespaceEnding`. @returns Nothing for an interface that was made anew. */
export async function readGiven(
  host: Files & Processes,
  name: string,
  ending: string,
): Promise<Given> {
  try {
    const { bytes } = await host.readFile(noteOf(name, ending), MAX_GIVEN_SIZE, { regular: true });
    return parseGiven(new TextDecoder().decode(bytes), await readIndex(host, name));
  } catch (error) {
    const code = errorCode(error);
    // A link, or one that is too large, is none of ours.
    if (["ENOENT", "ENOTDIR", "EFTYPE", "EFBIG"].includes(code)) return NOTHING_GIVEN;
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
