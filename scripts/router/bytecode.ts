/**
 * Turns TypeScript into a C file with the bytecode that the engine loads.
 *
 * @module
 */

import { deflateSync } from "node:zlib";
import { bundle, ROOT } from "../tools.ts";
import { runQuietly } from "./commands.ts";
import { bytecodeCompiler } from "./engine.ts";

/** What the bundle takes from the project instead: a runtime's module, and cryptography in C. */
const REPLACED = {
  "node:buffer": `${ROOT}/lib/host/quickjs/buffer.ts`,
  "@noble/curves/ed25519.js": `${ROOT}/lib/host/quickjs/x25519.ts`,
  "@noble/hashes/sha2.js": `${ROOT}/lib/host/quickjs/sha2.ts`,
};
/** What the engine's compiler calls the bytecode. */
const NAME = "bytecode";
/** The level that packs best. */
const LEVEL = 9;
const PER_LINE = 16;

/**
 * Bundles an entry point.
 *
 * @param file Where the bundle goes: a `.js` file. Other files of the build are put beside it.
 * @throws {Error} Something in it is a module of a runtime, which the engine doesn't have.
 */
export async function bundleForEngine(entry: string, file: string): Promise<void> {
  const settings: { imports: Record<string, string> } = JSON.parse(
    await Deno.readTextFile(`${ROOT}/deno.json`),
  );
  const map = file.replace(/\.js$/, ".imports.json");
  await Deno.writeTextFile(map, JSON.stringify({ imports: { ...settings.imports, ...REPLACED } }));
  await bundle(entry, file, "--minify", "--platform", "browser", "--import-map", map);
}

/**
 * Compiles a bundle into a C file with the packed bytecode, as `lib/host/quickjs/main.c` has it. The
 * names of functions stay in it, lines and sources don't.
 *
 * @throws {Error} The engine doesn't understand the bundle, or it imports a module.
 */
export async function bytecodeFile(bundled: string, file: string): Promise<void> {
  const bytecode = await compiled(bundled, file);
  await Deno.writeTextFile(file, definitions(bytecode.length, packed(bytecode)));
}

/** Packs bytecode in the zlib format (RFC 1950). A version of Deno makes the same bytes everywhere. */
export function packed(bytecode: Uint8Array): Uint8Array {
  return deflateSync(bytecode, { level: LEVEL });
}

/** The bytecode of a bundle. The engine's compiler writes it as a C file. */
async function compiled(bundled: string, file: string): Promise<Uint8Array<ArrayBuffer>> {
  const [folder, name] = split(bundled);
  await runQuietly({
    argv: [await bytecodeCompiler(), "-c", "-m", "-s", "-N", NAME, "-o", file, name],
    cwd: folder,
  });
  // It reports an error, but ends as if there were none.
  const text = await Deno.readTextFile(file).catch(() => "");
  const size = Number(new RegExp(`${NAME}_size = (\\d+);`).exec(text)?.[1]);
  const bytes = Uint8Array.from(text.match(/\b0x[0-9a-f]{2}\b/g) ?? [], Number);
  if (bytes.length === 0 || bytes.length !== size) {
    throw new Error(`${bundled}: the engine could not compile it`);
  }
  return bytes;
}

function definitions(size: number, bytes: Uint8Array): string {
  const lines = Array.from(
    { length: Math.ceil(bytes.length / PER_LINE) },
    (_, i) => `  ${bytes.subarray(i * PER_LINE, (i + 1) * PER_LINE).join(",")},\n`,
  );
  return `#include <stdint.h>

const uint32_t wgsig_bytecode_size = ${size};
const uint32_t wgsig_bundle_size = ${bytes.length};
const uint8_t wgsig_bundle[${bytes.length}] = {
${lines.join("")}};
`;
}

function split(path: string): [string, string] {
  const at = path.lastIndexOf("/");
  return [path.slice(0, at), path.slice(at + 1)];
}
