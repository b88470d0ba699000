/**
 * The program's own folders.
 *
 * @module
 */

import type { Files } from "../../host/files.ts";
import type { Processes } from "../../host/processes.ts";
import { makeFolder } from "./files.ts";

/** Notes and locks that go with a restart of the host are here. */
export const RUN_FOLDER = "/var/run/wgsig";
/** The same of a server that systemd runs: the service's unit has it. */
export const SERVICE_RUN_FOLDER = "/run/wgsig-status";
/** Where wg-quick looks for what it brings up. */
export const QUICK_FOLDER = "/etc/wireguard";
const NAMESPACE = "/proc/self/ns/net";
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

/**
 * What a file in the run folder has behind its name: a dot and the number of the network namespace,
 * where the system has them. They may share the folder, and each have an interface of one name.
 */
export async function namespaceEnding(host: Processes): Promise<string> {
  try {
    const { out } = await host.run(["readlink", NAMESPACE]);
    const number = /^net:\[(\d+)\]$/.exec(out.trim())?.[1];
    return number === undefined ? "" : `.${number}`;
  } catch {
    return "";
  }
}

/** The note of which peers in wg-quick's file for an interface are a registry's. */
export function joinedNote(name: string): string {
  return `${QUICK_FOLDER}/${name}.roster`;
}
