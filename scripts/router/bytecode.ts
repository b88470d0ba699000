/**
 * Turns TypeScript into a C file with the bytecode that the engine loads.
 *
 * @module
 */

import { deflateSync } from "node:zlib";
import { bundleInParts, ROOT } from "../tools.ts";
import { runQuietly } from "./commands.ts";
import { bytecodeCompiler } from "./engine.ts";

/** What the bundle takes from the project instead: a runtime's module, cryptography in C, and nothing. */
const REPLACED = {
  "node:buffer": `${ROOT}/lib/host/quickjs/buffer.ts`,
  "@noble/curves/ed25519.js": `${ROOT}/lib/host/quickjs/x25519.ts`,
  "@noble/hashes/sha2.js": `${ROOT}/lib/host/quickjs/sha2.ts`,
  "qr": `${ROOT}/lib/host/quickjs/no_qr.ts`,
  [`file://${ROOT}/cli/keygen_zone.ts`]: `${ROOT}/cli/no_keygen_zone.ts`,
  [`file://${ROOT}/lib/service/http/page.ts`]: `${ROOT}/lib/service/http/no_page.ts`,
  [`file://${ROOT}/lib/service/zone/server/signing_keys.ts`]:
    `${ROOT}/lib/service/zone/server/no_signing.ts`,
  [`file://${ROOT}/lib/service/zone/server/zone_signers.ts`]:
    `${ROOT}/lib/service/zone/server/no_signing.ts`,
  [`file://${ROOT}/lib/service/shared/sharing_service.ts`]:
    `${ROOT}/lib/service/shared/no_sharing.ts`,
  [`file://${ROOT}/lib/service/shared/lease_store.ts`]: `${ROOT}/lib/service/shared/no_sharing.ts`,
};
/** What the engine's compiler calls the bytecode. */
const NAME = "bytecode";
/** The level that packs best. */
const LEVEL = 9;
const PER_LINE = 16;

/** How a bundle imports a part where it needs it, and how the engine does without debug information. */
const [IMPORT, LOAD] = ['import("./', 'wgsigNative.load("./'];

/**
 * Bundles an entry point.
 *
 * @param folder Where the bundle goes, as files that import one another; nothing else is in it then.
 * @returns The files: that of the entry point first.
 * @throws {Error} Something in it is a module of a runtime, which the engine doesn't have.
 */
export async function bundleForEngine(entry: string, folder: string): Promise<string[]> {
  const settings: { imports: Record<string, string> } = JSON.parse(
    await Deno.readTextFile(`${ROOT}/deno.json`),
  );
  const map = `${folder}.imports.json`;
  await Deno.writeTextFile(map, JSON.stringify({ imports: { ...settings.imports, ...REPLACED } }));
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await bundleInParts(entry, folder, "--minify", "--platform", "browser", "--import-map", map);
  const [, name] = split(entry);
  const first = name.replace(/\.ts$/, ".js");
  const others: string[] = [];
  for await (const { name } of Deno.readDir(folder)) if (name !== first) others.push(name);
  others.sort();
  const files = [first, ...others].map((name) => `${folder}/${name}`);
  for (const file of files) {
    const text = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, text.replaceAll(IMPORT, LOAD));
  }
  return files;
}

/**
 * Compiles the files of a bundle into a C file with the packed bytecode, as `lib/host/quickjs/main.c`
 * has it. The names of functions stay in it, lines and sources don't.
 *
 * @param files Side by side in a folder; the first one is run.
 * @throws {Error} The engine doesn't understand one of them.
 */
export async function bytecodeFile(files: readonly string[], file: string): Promise<void> {
  const parts: string[] = [];
  const table: string[] = [];
  for (const [i, each] of files.entries()) {
    const bytecode = await compiled(each, file);
    const bytes = packed(bytecode);
    const [, name] = split(each);
    parts.push(definition(`part_${i}`, bytes));
    table.push(`  { ${JSON.stringify(name)}, part_${i}, ${bytes.length}, ${bytecode.length} },\n`);
  }
  await Deno.writeTextFile(
    file,
    `#include "parts.h"

${parts.join("")}
const Part parts[] = {
${table.join("")}};
const uint32_t part_count = ${files.length};
`,
  );
}

/** Packs bytecode in the zlib format (RFC 1950). A version of Deno makes the same bytes everywhere. */
export function packed(bytecode: Uint8Array): Uint8Array {
  return deflateSync(bytecode, { level: LEVEL });
}

/**
 * The bytecode of a file. The engine's compiler writes it as a C file, behind that of what the file
 * imports.
 */
async function compiled(bundled: string, file: string): Promise<Uint8Array<ArrayBuffer>> {
  const [folder, name] = split(bundled);
  await runQuietly({
    argv: [await bytecodeCompiler(), "-c", "-m", "-s", "-N", NAME, "-o", file, name],
    cwd: folder,
  });
  // It reports an error, but ends as if there were none.
  const text = await Deno.readTextFile(file).catch(() => "");
  const own = text.slice(text.indexOf(`const uint32_t ${NAME}_size = `));
  const size = Number(new RegExp(`${NAME}_size = (\\d+);`).exec(own)?.[1]);
  const bytes = Uint8Array.from(own.match(/\b0x[0-9a-f]{2}\b/g) ?? [], Number);
  if (bytes.length === 0 || bytes.length !== size) {
    throw new Error(`${bundled}: the engine could not compile it`);
  }
  return bytes;
}

function definition(name: string, bytes: Uint8Array): string {
  const lines = Array.from(
    { length: Math.ceil(bytes.length / PER_LINE) },
    (_, i) => `  ${bytes.subarray(i * PER_LINE, (i + 1) * PER_LINE).join(",")},\n`,
  );
  return `static const uint8_t ${name}[] = {\n${lines.join("")}};\n`;
}

function split(path: string): [string, string] {
  const at = path.lastIndexOf("/");
  return [path.slice(0, at), path.slice(at + 1)];
}
