/**
 * Compiles the native module and links it with the engine and the bytecode.
 *
 * @module
 */

import { ROOT } from "../tools.ts";
import { namesIn, runAll, runQuietly } from "./commands.ts";
import { cryptoObjects } from "./crypto.ts";
import { engineObjects } from "./engine.ts";
import { inflateObjects } from "./inflate.ts";
import { muslFolder } from "./musl.ts";
import { softFloatLibrary } from "./soft_float.ts";
import { BEARSSL, QUICKJS, sourceFolder, ZLIB } from "./sources.ts";
import type { RouterTarget } from "./targets.ts";
import { compilerFile, type Toolchain, toolchain } from "./toolchain.ts";

/** The folder of the native module. */
const NATIVE = `${ROOT}/lib/host/quickjs`;
/**
 * What the engine calls for `Atomics` on 64 bits, where the processor can't. The program has one
 * thread, and nothing in it uses them: it would end there.
 */
const ATOMICS = [
  "compare_exchange",
  "exchange",
  "fetch_add",
  "fetch_and",
  "fetch_or",
  "fetch_sub",
  "fetch_xor",
  "load",
  "store",
].map((name) => `-Wl,--defsym=__atomic_${name}_8=abort`);
/**
 * How a binary is linked that is loaded anywhere. Packed relocations are 40 KB less on x86-64; for
 * aarch64, binutils knows them from 2.42 on and passes over the option before.
 */
const PIE = ["-static-pie", "-Wl,-z,relro,-z,now", "-Wl,-z,pack-relative-relocs"];
/** What makes a binary whose clock tests can move. */
const MOVABLE_CLOCK = {
  source: `${ROOT}/scripts/router/movable_clock.c`,
  link: ["-Wl,--wrap=clock_gettime"],
};
/** All of its warnings are errors. */
const STRICT = ["-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"];

/**
 * Makes a static binary.
 *
 * @param bytecode The C file that `bytecodeFile` wrote.
 * @param file Where it goes.
 * @param folder A folder for the object files.
 * @param clockMoves Whether it is for tests that move its clock.
 */
export async function staticBinary(
  target: RouterTarget,
  bytecode: string,
  file: string,
  folder: string,
  clockMoves = false,
): Promise<void> {
  const tools = await toolchain(target);
  const musl = await muslFolder(tools);
  const include = [
    "-nostdinc",
    "-isystem",
    `${musl}/include`,
    "-isystem",
    await compilerFile(tools, "include"),
  ];
  const more = clockMoves ? [bytecode, MOVABLE_CLOCK.source] : [bytecode];
  const objects = await compileAll(tools, include, more, folder);
  const fast = { ...tools, flags: [...tools.flags, target.engine] };
  const engine = await engineObjects(fast, include, target.name);
  const crypto = await cryptoObjects(fast, include, target.name, target.unevenMultiply);
  const inflate = await inflateObjects(tools, include, target.name);
  const float = target.softFloat ? [await softFloatLibrary(tools, include)] : [];
  const made = `${file}.made`;
  await runQuietly({
    argv: [
      tools.cc,
      ...tools.flags,
      "-nostdlib",
      ...(target.pie ? PIE : ["-static", "-no-pie"]),
      "-Wl,--gc-sections",
      "-Wl,--build-id=none",
      "-Wl,-z,noexecstack",
      "-Wl,-z,noseparate-code",
      ...(target.atomic64 ? [] : ATOMICS),
      ...(clockMoves ? MOVABLE_CLOCK.link : []),
      "-s",
      `${musl}/lib/${target.pie ? "rcrt1.o" : "crt1.o"}`,
      `${musl}/lib/crti.o`,
      ...objects,
      ...engine,
      ...crypto,
      ...inflate,
      ...float,
      `${musl}/lib/libc.a`,
      "-lgcc",
      `${musl}/lib/libc.a`,
      `${musl}/lib/crtn.o`,
      "-o",
      made,
    ],
    cwd: folder,
  });
  await Deno.rename(made, file);
}

/**
 * Makes a program for this machine that ends where the native module reads or writes out of bounds,
 * uses memory that was freed, or does what C doesn't define.
 *
 * @param bytecode As for {@linkcode staticBinary}; without it, the program runs the script that its
 *   command line names.
 */
export async function sanitizedBinary(
  bytecode: string | undefined,
  file: string,
  folder: string,
): Promise<void> {
  const version = await runQuietly({ argv: ["gcc", "--version"], cwd: "/" });
  const flags = ["-O1", "-g", "-std=gnu11", "-fno-omit-frame-pointer", "-fsanitize=address"];
  const tools = { cc: "gcc", version, flags };
  const ours = ["-fsanitize=undefined", "-fno-sanitize-recover=all"];
  const objects = await compileAll(
    { cc: "gcc", flags: [...flags, ...ours] },
    bytecode === undefined ? ["-DWGSIG_SCRIPT"] : [],
    bytecode === undefined ? [] : [bytecode],
    folder,
  );
  const engine = await engineObjects(tools, [], "sanitized");
  const crypto = await cryptoObjects(tools, [], "sanitized", false);
  const inflate = await inflateObjects(tools, [], "sanitized");
  const libraries = [...engine, ...crypto, ...inflate, "-lm"];
  const made = `${file}.made`;
  await runQuietly({
    argv: ["gcc", ...flags, ...ours, ...objects, ...libraries, "-o", made],
    cwd: folder,
  });
  await Deno.rename(made, file);
}

async function compileAll(
  tools: Pick<Toolchain, "cc" | "flags">,
  include: readonly string[],
  more: readonly string[],
  folder: string,
): Promise<string[]> {
  const sources = (await namesIn(NATIVE))
    .filter((name) => name.endsWith(".c"))
    .map((name) => `${NATIVE}/${name}`);
  const all = [...sources, ...more];
  const objects = all.map((path) => `${folder}/${path.slice(path.lastIndexOf("/") + 1, -2)}.o`);
  const quickjs = await sourceFolder(QUICKJS);
  const bearssl = await sourceFolder(BEARSSL);
  const zlib = await sourceFolder(ZLIB);
  await runAll(all.map((path, i) => ({
    argv: [
      tools.cc,
      ...tools.flags,
      ...STRICT,
      ...include,
      "-iquote",
      NATIVE,
      // Their headers are not ours to mend.
      "-isystem",
      quickjs,
      "-isystem",
      `${bearssl}/inc`,
      "-isystem",
      zlib,
      `-DCONFIG_VERSION="${QUICKJS.version}"`,
      "-c",
      path.slice(path.lastIndexOf("/") + 1),
      "-o",
      objects[i] ?? "",
    ],
    cwd: path.slice(0, path.lastIndexOf("/")),
  })));
  return objects;
}
