/**
 * Makes the C library for a target: headers, start files and `libc.a`.
 *
 * It is made from source for all targets in the same way: Debian has none for MIPS, where floating
 * point must be done in software, and its packages change with each update of the release.
 *
 * @module
 */

import { cached } from "./cache.ts";
import { namesIn, runQuietly } from "./commands.ts";
import { MUSL, sourceDigest, sourceFolder } from "./sources.ts";
import type { Toolchain } from "./toolchain.ts";

/** Folders of the source that nothing in the program uses. Leaving them out saves time only. */
const UNUSED = [
  "aio",
  "complex",
  "crypt",
  "ipc",
  "legacy",
  "mq",
  "passwd",
  "regex",
  "search",
];

/** The folder with `include` and `lib` of the C library. */
export async function muslFolder(tools: Toolchain): Promise<string> {
  const source = await sourceFolder(MUSL);
  const inputs = [await sourceDigest(MUSL), tools.version, tools.flags, UNUSED];
  return await cached(
    `musl-${tools.target.name}`,
    inputs,
    (folder) => build(tools, source, folder),
  );
}

async function build(tools: Toolchain, source: string, folder: string): Promise<void> {
  const work = await Deno.makeTempDir();
  const folders = (await namesIn(`${source}/src`))
    .filter((name) => !UNUSED.includes(name))
    .map((name) => `src/${name}`);
  try {
    await runQuietly({
      argv: [
        `${source}/configure`,
        "--disable-shared",
        `--target=${tools.target.triplet}`,
        "--prefix=",
      ],
      cwd: work,
      env: {
        CC: tools.cc,
        AR: tools.ar,
        RANLIB: tools.ar.replace(/ar$/, "ranlib"),
        CFLAGS: tools.flags.join(" "),
      },
    });
    await runQuietly({
      argv: [
        "make",
        `-j${navigator.hardwareConcurrency}`,
        `DESTDIR=${folder}`,
        `SRC_DIRS=$(addprefix $(srcdir)/,${folders.join(" ")} src/malloc/mallocng crt)`,
        "install-headers",
        "install-libs",
      ],
      cwd: work,
    });
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
