/**
 * Makes the arithmetic of floating point numbers for processors that have none.
 *
 * A compiler that is made for such processors brings it in its own library (libgcc). Debian's
 * compilers for MIPS are made for others: their functions of the same names use the registers that
 * aren't there. So these are linked before that library.
 *
 * @module
 */

import { cached } from "./cache.ts";
import { namesIn, runAll, runQuietly } from "./commands.ts";
import { GLIBC, sourceDigest, sourceFolder } from "./sources.ts";
import type { Toolchain } from "./toolchain.ts";

/** Functions of `float` and `double` among themselves and with integers of up to 64 bits. */
const WANTED = /^[a-z]+(sf|df)[a-z0-9]*\.c$/;
/** What else is there: 16, 80 and 128 bits, which C on these processors doesn't have. */
const UNWANTED = /tf|hf|xf|ti/;
/** What the C library's own build gives these files. */
const FLAGS = [
  "-w",
  "-D_LIBC",
  "-Dstrong_alias(name,other)=extern __typeof(name) other __attribute__((alias(#name)))",
  "-Isoft-fp",
  "-Isysdeps/mips/mips32",
  "-I.",
];

/** The library, for targets without floating point. */
export async function softFloatLibrary(
  tools: Toolchain,
  include: readonly string[],
): Promise<string> {
  const source = await sourceFolder(GLIBC);
  const inputs = [await sourceDigest(GLIBC), tools.version, tools.flags, include, FLAGS];
  const folder = await cached(`float-${tools.target.name}`, inputs, async (folder) => {
    const files = (await namesIn(`${source}/soft-fp`))
      .filter((name) => WANTED.test(name) && !UNWANTED.test(name));
    const objects = files.map((name) => `${folder}/${name.replace(/c$/, "o")}`);
    await runAll(files.map((name, i) => ({
      argv: [
        tools.cc,
        ...tools.flags,
        "-O2",
        ...include,
        ...FLAGS,
        "-c",
        `soft-fp/${name}`,
        "-o",
        objects[i] ?? "",
      ],
      cwd: source,
    })));
    await runQuietly({ argv: [tools.ar, "rcsD", "libfloat.a", ...objects], cwd: folder });
  });
  return `${folder}/libfloat.a`;
}
