/**
 * Makes a `libstdc++.so.6` for musl of what Debian has: as much of GCC's library as Bun's musl
 * binaries use, and nothing of what it would need besides musl. For systems that bring no such
 * library themselves (Alpine has libstdc++, OpenWrt libstdcpp6), and for the tests.
 *
 * As a script: `deno run -A scripts/package/musl/libstdcxx.ts BINARY FOLDER`. It needs musl-gcc
 * (Debian's musl-tools), g++ and nm.
 *
 * @module
 */

import { output, ROOT, run, say } from "../../tools.ts";

const NAME = "libstdc++.so.6";
const SHIM = `${ROOT}/scripts/package/musl/libgcc_needs.c`;
/** Names that a C++ library has: what is mangled, and what its ABI calls by plain names. */
const CXX_NAME =
  /^(?:_Z|__cxa_(?!atexit|finalize|thread_atexit_impl)|__gxx_|__dynamic_cast|__once_)/;

/** Symbols that a binary takes from libstdc++. */
export async function neededSymbols(binary: string): Promise<string[]> {
  const lines = (await output(["nm", "--dynamic", binary])).split("\n");
  const undefinedNames = lines.map((line) => /^\s+[UVvw] (\S+?)(?:@.*)?$/.exec(line)?.[1] ?? "");
  // Of virtual tables, the binary has copies of its own, which the library must fill.
  const copies = lines.map((line) =>
    /^\S+ [BV] (_ZTVN10__cxxabiv1\S+?)(?:@.*)?$/.exec(line)?.[1] ?? ""
  );
  return [...undefinedNames, ...copies].filter((name) => CXX_NAME.test(name)).sort();
}

/** Makes the library in a folder, and returns its path. */
export async function makeLibrary(binary: string, folder: string): Promise<string> {
  const symbols = await neededSymbols(binary);
  const version = `${folder}/symbols`;
  const exported = symbols.map((name) => `${name};`).join(" ");
  await Deno.writeTextFile(version, `{ global: ${exported} local: *; };\n`);
  const archives: string[] = [];
  for (const name of ["libstdc++.a", "libgcc_eh.a", "libgcc.a"]) {
    archives.push((await output(["g++", `-print-file-name=${name}`])).trim());
  }
  const file = `${folder}/${NAME}`;
  await run([
    ...["musl-gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-s", "-o", file, SHIM],
    ...symbols.map((name) => `-Wl,--undefined=${name}`),
    ...["-Wl,--start-group", ...archives, "-Wl,--end-group"],
    ...[
      `-Wl,-soname,${NAME}`,
      `-Wl,--version-script=${version}`,
      "-Wl,--gc-sections",
      "-Wl,--eh-frame-hdr",
    ],
  ]);
  await Deno.remove(version);
  return file;
}

if (import.meta.main) {
  const [binary, folder] = Deno.args;
  if (binary === undefined || folder === undefined) {
    say("usage: deno run -A scripts/package/musl/libstdcxx.ts BINARY FOLDER");
    Deno.exit(6);
  }
  say(await makeLibrary(binary, folder));
}
