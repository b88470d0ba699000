/**
 * Makes the parts of QuickJS that a binary needs, and its compiler of bytecode, which runs here.
 *
 * @module
 */

import { ROOT } from "../tools.ts";
import { cached, sha256 } from "./cache.ts";
import { runAll, runQuietly } from "./commands.ts";
import { QUICKJS, sourceDigest, sourceFolder } from "./sources.ts";
import type { Toolchain } from "./toolchain.ts";

/** The files of QuickJS without its own modules `std` and `os`: the host has its own. */
const ENGINE = ["quickjs", "cutils", "dtoa", "libregexp", "libunicode"];
/** Signed numbers may overflow in it, and `char` is unsigned. Its warnings are not ours. */
const FLAGS = ["-fwrapv", "-funsigned-char", "-w", "-D_GNU_SOURCE"];
const VERSION = `-DCONFIG_VERSION="${QUICKJS.version}"`;
const REGEXP_ORDER = `${ROOT}/scripts/router/regexp_order.h`;

/** The engine's object files for a target. */
export async function engineObjects(
  tools: Pick<Toolchain, "cc" | "version" | "flags">,
  include: readonly string[],
  name: string,
): Promise<string[]> {
  const source = await sourceFolder(QUICKJS);
  const order = await sha256(await Deno.readTextFile(REGEXP_ORDER));
  const inputs = [await sourceDigest(QUICKJS), order, tools.version, tools.flags, FLAGS, include];
  const folder = await cached(`engine-${name}`, inputs, async (folder) => {
    await runAll(ENGINE.map((part) => ({
      argv: [
        tools.cc,
        ...tools.flags,
        ...FLAGS,
        VERSION,
        ...include,
        ...(part === "libregexp" ? ["-I.", "-include", REGEXP_ORDER] : []),
        "-c",
        `${part}.c`,
        "-o",
        `${folder}/${part}.o`,
      ],
      cwd: source,
    })));
  });
  return ENGINE.map((part) => `${folder}/${part}.o`);
}

/**
 * The program that turns JavaScript into bytecode. The bytecode is the same on all processors: the
 * engine writes it in little-endian order.
 */
export async function bytecodeCompiler(): Promise<string> {
  const source = await sourceFolder(QUICKJS);
  const version = await runQuietly({ argv: ["gcc", "--version"], cwd: "/" });
  const folder = await cached("qjsc", [await sourceDigest(QUICKJS), version], async (folder) => {
    await runQuietly({
      argv: [
        "gcc",
        "-O1",
        ...FLAGS,
        VERSION,
        ...["qjsc", "quickjs-libc", ...ENGINE].map((part) => `${part}.c`),
        "-o",
        `${folder}/qjsc`,
        "-lm",
        "-lpthread",
        "-ldl",
      ],
      cwd: source,
    });
  });
  return `${folder}/qjsc`;
}
