/**
 * Where the router build keeps what it need not make again: sources, C libraries, objects.
 *
 * Each thing has a folder named by a digest of all that it was made of. It appears whole or not at
 * all, so that builds at the same time don't disturb each other.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";

/** The folder: `$XDG_CACHE_HOME/wgsig-router`, or `~/.cache/wgsig-router`. */
export function cacheFolder(): string {
  const given = Deno.env.get("XDG_CACHE_HOME") ?? "";
  const base = given.startsWith("/") ? given : `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  return `${base}/wgsig-router`;
}

/** The SHA-256 of bytes or of a text, in hexadecimal digits. */
export async function sha256(bytes: Uint8Array<ArrayBuffer> | string): Promise<string> {
  const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  return encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
}

const inProgress = new Map<string, Promise<string>>();

/**
 * The folder of a thing, which is made first where it isn't there.
 *
 * @param name What it is, for the folder's name.
 * @param inputs All that it depends on: commands, flags, digests of sources.
 * @param make Makes it in the empty folder that it gets.
 */
export async function cached(
  name: string,
  inputs: unknown,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const digest = await sha256(JSON.stringify(inputs));
  const folder = `${cacheFolder()}/${name}-${digest.slice(0, 16)}`;
  // Several targets may ask for it at once.
  const before = inProgress.get(folder);
  if (before !== undefined) return await before;
  const made = madeFolder(folder, make);
  inProgress.set(folder, made);
  return await made;
}

async function madeFolder(
  folder: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  if (await isFolder(folder)) return folder;
  await Deno.mkdir(cacheFolder(), { recursive: true });
  const made = await Deno.makeTempDir({ dir: cacheFolder(), prefix: ".making-" });
  try {
    await make(made);
    await Deno.rename(made, folder);
  } catch (error) {
    // Another build may have made it meanwhile.
    if (!await isFolder(folder)) throw error;
  } finally {
    await Deno.remove(made, { recursive: true }).catch(() => {});
  }
  return folder;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}
