/**
 * What uses the library from an empty folder, far from this repository: the examples of its entry
 * points, and of its documentation.
 *
 * @module
 */

import { assert } from "@std/assert";
import { npmFile, ROOT } from "../../scripts/tools.ts";

/** The version of Node that the library is tried with; `node_*.lock` pin it. */
const NODE_VERSION = "22.23.3";
const EXAMPLE = /^```ts\n([^]*?)^```$/gm;

/** The library's name, as its users import it. */
export const NAME = "@wgsig/wgsig";

/** Its entry points in this repository: `.` and so on, each with its file. */
export async function entryPoints(): Promise<[string, string][]> {
  const settings: { exports: Record<string, string> } = JSON.parse(
    await Deno.readTextFile(`${ROOT}/deno.json`),
  );
  return Object.entries(settings.exports);
}

/** The examples in the first comment of a module. */
export async function examplesOf(path: string): Promise<string[]> {
  const text = await Deno.readTextFile(`${ROOT}/${path}`);
  const [comment = ""] = /^\/\*\*\n[^]*?^ \*\/$/m.exec(text) ?? [];
  return examplesIn(comment.replaceAll(/^ \* ?/gm, ""));
}

/** The examples in a Markdown text. */
export function examplesIn(markdown: string): string[] {
  return [...markdown.matchAll(EXAMPLE)].map(([, code = ""]) => code);
}

/** The registry that docs/library.md shows. */
export async function documentedRegistry(): Promise<string> {
  const examples = examplesIn(await Deno.readTextFile(`${ROOT}/docs/library.md`));
  const found = examples.find((code) => code.includes("answerOne"));
  assert(found !== undefined, "docs/library.md shows no registry");
  return found;
}

/**
 * Writes all examples into a folder, the registry as `registry.ts`, and `main.ts`, which runs the
 * examples of the entry points and says at its end `all done`.
 *
 * @param resolve What the library's entry points are imported by.
 */
export async function writeConsumer(
  folder: string,
  resolve: (entry: string) => string = (entry) => entry.replace(".", NAME),
): Promise<void> {
  const imported = (code: string) =>
    code.replaceAll(
      / from "@wgsig\/wgsig(.*)";$/gm,
      (_, rest) => ` from "${resolve(`.${rest}`)}";`,
    );
  let main = "";
  for (const [entry, path] of await entryPoints()) {
    const examples = await examplesOf(path);
    assert(examples.length > 0, `${path} has no example`);
    for (const [i, code] of examples.entries()) {
      const file = `${entry.replaceAll(/\W/g, "")}${i}.ts`;
      await Deno.writeTextFile(`${folder}/${file}`, imported(code));
      main += `import "./${file}";\n`;
    }
  }
  await Deno.writeTextFile(`${folder}/main.ts`, `${main}console.log("all done");\n`);
  await Deno.writeTextFile(`${folder}/registry.ts`, imported(await documentedRegistry()));
}

/** Node's program for this machine, from the npm registry. */
export function nodeProgram(): Promise<string> {
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "x64";
  const lock = `${ROOT}/test/library/node_${arch}.lock`;
  const flags = ["--no-config", "--frozen", `--lock=${lock}`];
  return npmFile(`node-linux-${arch}`, NODE_VERSION, "bin/node", flags);
}
