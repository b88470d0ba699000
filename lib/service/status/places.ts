/**
 * Where running programs answer `wgsig status`: sockets in the run folder, a name for each interface and
 * each server.
 *
 * @module
 */

import type { Files } from "../../host/files.ts";
import type { Processes } from "../../host/processes.ts";
import { errorCode } from "../../host/error.ts";
import { namespaceEnding, RUN_FOLDER } from "../files/own_folders.ts";

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

/** Where a program answers. @param namespace See {@linkcode namespaceEnding}. */
export function statusPlace(kind: Answering, name: string, namespace: string): StatusPlace {
  return { kind, name, path: `${RUN_FOLDER}/${name}${ending(kind, namespace)}` };
}

/** All places of this network namespace; whether somebody answers there is not known. */
export async function statusPlaces(host: Files & Processes): Promise<readonly StatusPlace[]> {
  const namespace = await namespaceEnding(host);
  let names: readonly string[];
  try {
    names = await host.listFolder(RUN_FOLDER);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
  return names.toSorted().flatMap((file) => {
    const kind = KINDS.find((each) => file.endsWith(ending(each, namespace)));
    if (kind === undefined) return [];
    const name = file.slice(0, -ending(kind, namespace).length);
    return [{ kind, name, path: `${RUN_FOLDER}/${file}` }];
  });
}

function ending(kind: Answering, namespace: string): string {
  return `${namespace}.${kind}.sock`;
}
