/**
 * Compiles the C files of a library that a binary needs.
 *
 * @module
 */

import { cached } from "./cache.ts";
import { runAll } from "./commands.ts";
import { type Source, sourceDigest, sourceFolder } from "./sources.ts";
import type { Toolchain } from "./toolchain.ts";

/** Files of a library. */
export interface Library {
  readonly source: Source;
  /** The files, as paths in the source without `.c`. */
  readonly parts: readonly string[];
  /** What they are compiled with beside what all code of a binary is. */
  readonly flags: readonly string[];
}

/**
 * The object files.
 *
 * @param name The library's and the target's, for the cache.
 */
export async function libraryObjects(
  { source, parts, flags }: Library,
  tools: Pick<Toolchain, "cc" | "version" | "flags">,
  include: readonly string[],
  name: string,
): Promise<string[]> {
  const path = await sourceFolder(source);
  const all = [...tools.flags, "-w", ...flags, ...include];
  const objects = parts.map((part) => `${part.slice(part.lastIndexOf("/") + 1)}.o`);
  const inputs = [await sourceDigest(source), parts, tools.version, all];
  const folder = await cached(name, inputs, async (folder) => {
    await runAll(parts.map((part, i) => ({
      argv: [tools.cc, ...all, "-c", `${part}.c`, "-o", `${folder}/${objects[i]}`],
      cwd: path,
    })));
  });
  return objects.map((object) => `${folder}/${object}`);
}
