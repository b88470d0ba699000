/**
 * The program's own folders.
 *
 * @module
 */

import type { Files } from "../../host/files.ts";
import { makeFolder } from "./files.ts";

/** Notes and locks that go with a restart of the host are here. */
export const RUN_FOLDER = "/var/run/wgsig";
/** Folders that the program makes. */
const OWN_FOLDERS = ["/etc/wgsig", "/var/lib/wgsig", "/run/wgsig", RUN_FOLDER] as const;

/**
 * Makes the folder of a file where it is one of the program's own: those that its documentation and
 * its defaults name, and that a fresh host lacks. A folder with another name may be a mistake.
 */
export async function makeOwnFolder(host: Pick<Files, "makeFolder">, path: string): Promise<void> {
  const folder = OWN_FOLDERS.find((each) => path.startsWith(`${each}/`));
  if (folder !== undefined) await makeFolder(host, path.slice(0, path.lastIndexOf("/")));
}
