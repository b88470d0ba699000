/**
 * `dist/SHA256SUMS`: what `sha256sum --check` reads.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";

/** Binaries, packages and licenses, by the folder of `dist/` that they are in. */
const RELEASED: Readonly<Record<string, RegExp>> = {
  "": /^(?:wgsig-[a-z0-9_-]+(?:\.exe)?|wgsig[-_][^/]*\.(?:deb|ipk|apk|tgz))$/,
  "router/": /^(?:wgsig-(?:x86_64|aarch64|armhf|armel|mips|mipsel)|LICENSES)$/,
};

/**
 * Writes `SHA256SUMS` into a folder: one line for each binary and package that is there, sorted by
 * name. What was built for this machine alone (`wgsig`, `wgsig.js`) is left out.
 *
 * @returns Its lines.
 */
export async function writeChecksums(dist: string): Promise<string[]> {
  const names: string[] = [];
  for (const [folder, pattern] of Object.entries(RELEASED)) {
    for (const name of await namesIn(`${dist}/${folder}`)) {
      if (pattern.test(name)) names.push(`${folder}${name}`);
    }
  }
  const lines: string[] = [];
  for (const name of names.sort()) {
    const bytes = await Deno.readFile(`${dist}/${name}`);
    const digest = encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
    lines.push(`${digest}  ${name}\n`);
  }
  await Deno.writeTextFile(`${dist}/SHA256SUMS`, lines.join(""));
  return lines;
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) if (isFile) names.push(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names;
}
