/**
 * Where running programs answer `wgsig status`: sockets in the run folder, a name for each interface and
 * each server.
 *
 * @module
 */

import type { Files } from "../../host/files.ts";
import type { System } from "../../host/host.ts";
import type { Processes } from "../../host/processes.ts";
import { errorCode } from "../../host/error.ts";
import { namespaceEnding, RUN_FOLDER, SERVICE_RUN_FOLDER } from "../files/own_folders.ts";

/** Programs that answer. */
export type Answering = "sync" | "serve";

/** A socket that may answer. */
export interface StatusPlace {
  readonly kind: Answering;
  /** Of the interface, or of the server. */
  readonly name: string;
  readonly path: string;
}

const KINDS: readonly Answering[] = ["sync", "serve"];
/** Where systemd says that a service may have its sockets. */
const RUNTIME_DIRECTORY = "RUNTIME_DIRECTORY";
/** Where a user's programs have theirs. */
const USER_FOLDER = "XDG_RUNTIME_DIR";

/** Where a program answers. @param namespace See {@linkcode namespaceEnding}. */
export function statusPlace(
  kind: Answering,
  name: string,
  namespace: string,
  folder: string = RUN_FOLDER,
): StatusPlace {
  return { kind, name, path: `${folder}/${name}${ending(kind, namespace)}` };
}

/** The folder in which a server of this process has its socket. */
export function serveFolder(host: System): string {
  const [folder] = (host.env(RUNTIME_DIRECTORY) ?? "").split(":");
  if (folder !== undefined && folder !== "") return folder;
  return userFolder(host) ?? RUN_FOLDER;
}

/** All places of this network namespace; whether somebody answers there is not known. */
export async function statusPlaces(
  host: Files & Processes & System,
): Promise<readonly StatusPlace[]> {
  const namespace = await namespaceEnding(host);
  const folders = new Set([RUN_FOLDER, SERVICE_RUN_FOLDER, userFolder(host) ?? RUN_FOLDER]);
  const places: StatusPlace[] = [];
  let problem: unknown;
  for (const folder of folders) {
    try {
      places.push(...placesIn(folder, await host.listFolder(folder), namespace));
    } catch (error) {
      // Another one may have what is looked for.
      if (errorCode(error) !== "ENOENT") problem ??= error;
    }
  }
  if (places.length === 0 && problem !== undefined) throw problem;
  return places;
}

function placesIn(
  folder: string,
  names: readonly string[],
  namespace: string,
): readonly StatusPlace[] {
  return names.toSorted().flatMap((file) => {
    const kind = KINDS.find((each) => file.endsWith(ending(each, namespace)));
    if (kind === undefined) return [];
    const name = file.slice(0, -ending(kind, namespace).length);
    return [{ kind, name, path: `${folder}/${file}` }];
  });
}

/** That of a user who is not the superuser. */
function userFolder(host: System): string | undefined {
  const folder = host.env(USER_FOLDER);
  const isOwn = host.user !== undefined && host.user !== 0;
  return isOwn && folder?.startsWith("/") ? `${folder}/wgsig` : undefined;
}

function ending(kind: Answering, namespace: string): string {
  return `${namespace}.${kind}.sock`;
}
