/**
 * Runs scripts and tests on QuickJS, in a program that ends where the C code of the host does what
 * it must not (AddressSanitizer, UndefinedBehaviorSanitizer).
 *
 * @module
 */

import { bundle, ROOT } from "../../../scripts/tools.ts";
import { type Finished, run, type RunOptions, SANITIZED_QUICKJS } from "../program.ts";

/** Memory that is there when the process ends is no leak: it ends without tidying up. */
const ENV = { ASAN_OPTIONS: "detect_leaks=0" };
const HERE = `${ROOT}/test/support/quickjs`;

/** What bundles take in the place of a runtime's modules. */
const REPLACED = {
  "node:buffer": `${ROOT}/lib/host/quickjs/buffer.ts`,
  "node:fs": `${HERE}/fs.ts`,
  "node:fs/promises": `${HERE}/fs.ts`,
  "node:os": `${HERE}/fs.ts`,
};

/** Bundles a script that begins with an import of `shims.ts`, for QuickJS. */
export async function bundleForQuickjs(
  entry: string,
  file: string,
  replaced: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { imports }: { imports: Record<string, string> } = JSON.parse(
    await Deno.readTextFile(`${ROOT}/deno.json`),
  );
  const map = `${file}.imports.json`;
  const all = { ...imports, ...REPLACED, ...replaced };
  await Deno.writeTextFile(map, JSON.stringify({ imports: all }));
  await bundle(entry, file, "--platform", "browser", "--import-map", map, "--external", "bun:test");
}

/** The text of a script: it has the `host`. */
export function quickjsScript(script: string): string {
  return `import "${HERE}/shims.ts";
    import { quickjsHost } from "${ROOT}/lib/host/quickjs/quickjs.ts";
    const host = quickjsHost();
    ${script}`;
}

/** Runs a script that has the `host`, to its end. `folder` is for its files. */
export async function runQuickjsScript(
  folder: string,
  script: string,
  { args = [], before = [], ...options }: RunOptions & {
    readonly args?: readonly string[];
    /** What the program is started with. */
    readonly before?: readonly string[];
  } = {},
): Promise<Finished> {
  await Deno.writeTextFile(`${folder}/script.ts`, quickjsScript(script));
  await bundleForQuickjs(`${folder}/script.ts`, `${folder}/script.js`);
  const env = { ...ENV, ...options.env };
  return await run([...before, SANITIZED_QUICKJS, `${folder}/script.js`, ...args], {
    ...options,
    env,
  });
}

/** Runs all tests of some files, and those that `more` declares. */
export async function runQuickjsTests(
  folder: string,
  files: readonly string[],
  more = "",
  replaced: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const imports = files.map((file) => `import "${file}";\n`).join("");
  await Deno.writeTextFile(
    `${folder}/tests.ts`,
    `import { runTests } from "${HERE}/shims.ts";\n${imports}${more}\nawait runTests();\n`,
  );
  await bundleForQuickjs(`${folder}/tests.ts`, `${folder}/tests.js`, replaced);
  return await run([SANITIZED_QUICKJS, `${folder}/tests.js`], { env: ENV });
}
