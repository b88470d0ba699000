/**
 * Turns TypeScript into a C file with the bytecode that the engine loads.
 *
 * @module
 */

import { bundle, ROOT } from "../tools.ts";
import { runQuietly } from "./commands.ts";
import { bytecodeCompiler } from "./engine.ts";

/** What the bundle takes from the project instead: a runtime's module, and cryptography in C. */
const REPLACED = {
  "node:buffer": `${ROOT}/lib/host/quickjs/buffer.ts`,
  "@noble/curves/ed25519.js": `${ROOT}/lib/host/quickjs/x25519.ts`,
  "@noble/hashes/sha2.js": `${ROOT}/lib/host/quickjs/sha2.ts`,
};
/** What `lib/host/quickjs/main.c` calls the bytecode. */
const NAME = "wgsig_bundle";

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
 * Compiles a bundle into a C file that defines `wgsig_bundle` and `wgsig_bundle_size`. The names of
 * functions stay in it, lines and sources don't.
 *
 * @throws {Error} The engine doesn't understand the bundle, or it imports a module.
 */
export async function bytecodeFile(bundled: string, file: string): Promise<void> {
  const [folder, name] = split(bundled);
  await runQuietly({
    argv: [await bytecodeCompiler(), "-c", "-m", "-s", "-N", NAME, "-o", file, name],
    cwd: folder,
  });
  // It reports an error, but ends as if there were none.
  const text = await Deno.readTextFile(file).catch(() => "");
  if (!text.includes(`${NAME}_size`)) {
    throw new Error(`${bundled}: the engine could not compile it`);
  }
}

function split(path: string): [string, string] {
  const at = path.lastIndexOf("/");
  return [path.slice(0, at), path.slice(at + 1)];
}
