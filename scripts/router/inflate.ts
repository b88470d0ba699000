/**
 * Makes the parts of zlib with which a binary unpacks its bytecode.
 *
 * @module
 */

import { libraryObjects } from "./objects.ts";
import { ZLIB } from "./sources.ts";
import type { Toolchain } from "./toolchain.ts";

/** The files of zlib with `inflate`, and what they call. */
const PARTS = ["adler32", "inffast", "inflate", "inftrees", "zutil"];
/** The zlib format only, whose checksum needs no table. */
const FLAGS = ["-DNO_GZIP"];

/** The object files for a target. */
export async function inflateObjects(
  tools: Pick<Toolchain, "cc" | "version" | "flags">,
  include: readonly string[],
  name: string,
): Promise<string[]> {
  const library = { source: ZLIB, parts: PARTS, flags: FLAGS };
  return await libraryObjects(library, tools, include, `inflate-${name}`);
}
