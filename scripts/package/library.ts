/**
 * The library as a package for npm, and as a folder that can be imported as it is: modules for
 * Deno, Bun, Node and bundlers, with types, that need nothing else.
 *
 * `deno pack` makes modules and types of the sources. What they import of other packages it leaves
 * under the names of this repository's import map, which nobody else has; so those parts are bundled
 * into `vendor/`, in the versions of deno.lock, and with their licenses.
 *
 * @module
 */

import { bundle, DENO, ROOT, run } from "../tools.ts";
import { RELEASE } from "./release.ts";
import { archive } from "./tree.ts";

/** The oldest Node that has all that is used (ArrayBuffer.prototype.transfer). */
const OLDEST_NODE = ">=22";
/** What the sources are made into; what else `deno pack` packs belongs to no entry point. */
const MADE = /\.(?:js|d\.ts)$/;
/** A module that another one imports: the names that it takes of it, and its own. */
const PACKAGE_IMPORT = /^((?: \*\/ )?import (.+) from ")([^."][^"]*)";$/gm;
/** A path into Deno's cache of npm, as bundles have it: package, version, file. */
const CACHED = /(?:\.\.\/)*[^\s"]*\/npm\/[^/\s"]+\/((?:@[^/]+\/)?[^/]+)\/([^/]+)\/([^\s"]+)/g;

/** How the library is packed. */
export interface LibraryOptions {
  /** Where its folder and its package are put. */
  readonly folder: string;
  /** Unix seconds: the time of everything in the package. */
  readonly date: number;
}

/** Where the library was put. */
export interface BuiltLibrary {
  /** The folder, as it lies in a consumer's `node_modules`. */
  readonly folder: string;
  /** The package, as `npm pack` names it. */
  readonly tarball: string;
}

/** A package of which something is bundled. */
interface Bundled {
  readonly version: string;
  /** Where it lies, with a slash at its end. */
  readonly folder: string;
  /** What is bundled of it. */
  readonly files: Set<string>;
}

/** Makes the folder `library`, and of it `wgsig-wgsig-VERSION.tgz`. */
export async function buildLibrary({ folder, date }: LibraryOptions): Promise<BuiltLibrary> {
  const library = `${folder}/library`;
  const work = await Deno.makeTempDir();
  try {
    const packed = `${work}/packed.tgz`;
    const argv = [DENO, "pack", "--quiet", "--allow-dirty", "--no-source-maps", "--output", packed];
    await run(argv);
    await run(["tar", "-xzf", packed, "-C", work]);
    const root = `${work}/package`;
    const modules = await filesIn(root);
    for (const path of modules.filter((path) => !MADE.test(path))) {
      if (path.startsWith("lib/")) await Deno.remove(`${root}/${path}`);
    }
    await replacePackages(root, modules.filter((path) => path.endsWith(".js")), work);
    await Deno.copyFile(`${ROOT}/docs/library.md`, `${root}/README.md`);
    await nameTypes(root, modules);
    await finishManifest(root);
    // What is left out leaves folders, and modes are those of whoever builds.
    await run(["find", root, "-type", "d", "-empty", "-delete"]);
    await run(["chmod", "-R", "u=rwX,go=rX", root]);
    const tarball = `${folder}/${RELEASE.name}-${RELEASE.name}-${RELEASE.version}.tgz`;
    await Deno.mkdir(folder, { recursive: true });
    await archive(work, ["package"], tarball, date);
    await Deno.remove(library, { recursive: true }).catch(ignoreMissing);
    await run(["cp", "-r", root, library]);
    return { folder: library, tarball };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** The files below a folder, by their paths in it. */
async function filesIn(root: string, folder = ""): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${root}/${folder}`)) {
    const path = `${folder}${name}`;
    if (isDirectory) files.push(...await filesIn(root, `${path}/`));
    else files.push(path);
  }
  return files.sort();
}

/** Puts what modules import of packages into `vendor/`, and lets them import it from there. */
async function replacePackages(
  root: string,
  modules: readonly string[],
  work: string,
): Promise<void> {
  const clauses = new Map<string, Set<string>>();
  for (const path of modules) {
    const up = "../".repeat(path.split("/").length - 1) || "./";
    const text = await Deno.readTextFile(`${root}/${path}`);
    const replaced = text.replaceAll(
      PACKAGE_IMPORT,
      (all: string, head: string, clause: string, specifier: string) => {
        if (specifier.startsWith("node:")) return all;
        const names = clauses.get(specifier) ?? new Set();
        clauses.set(specifier, names);
        for (const name of namesIn(clause)) names.add(name);
        return `${head}${up}vendor/${vendorName(specifier)}";`;
      },
    );
    if (replaced !== text) await Deno.writeTextFile(`${root}/${path}`, replaced);
  }
  await Deno.mkdir(`${root}/vendor`);
  const bundled = new Map<string, Bundled>();
  for (const [specifier, names] of [...clauses].sort()) {
    const entry = `${work}/entry.ts`;
    const file = `${root}/vendor/${vendorName(specifier)}`;
    const source = `export { ${[...names].sort().join(", ")} } from "${specifier}";\n`;
    await Deno.writeTextFile(entry, source);
    await bundle(entry, file, "--config", `${ROOT}/deno.json`);
    const text = await Deno.readTextFile(file);
    for (const [path, name = "", version = "", inside = ""] of text.matchAll(CACHED)) {
      const folder = new URL(path.slice(0, -inside.length), `file://${ROOT}/`).pathname;
      const { files } = bundled.get(name) ?? { files: new Set() };
      bundled.set(name, { version, folder, files: files.add(inside) });
    }
    const clean = text.replaceAll(CACHED, "npm:$1@$2/$3").replaceAll(/^\/\/ .*\/entry\.ts\n/gm, "");
    await Deno.writeTextFile(file, clean);
  }
  await Deno.writeTextFile(`${root}/vendor/LICENSES`, await licenses(bundled));
}

/** The names of a module that `{ a as b, c }` or a default import takes. */
function namesIn(clause: string): string[] {
  const [, list] = /^\{ (.+) \}$/.exec(clause) ?? [];
  if (list === undefined) return ["default"];
  return list.split(", ").map((each) => each.split(" as ")[0]!);
}

function vendorName(specifier: string): string {
  return `${specifier.replace(/^@/, "").replace(/\.js$/, "").replaceAll("/", "-")}.js`;
}

/** What their licenses want to be told: the license where a package holds it, else what its files say. */
async function licenses(packages: ReadonlyMap<string, Bundled>): Promise<string> {
  const parts: string[] = [];
  for (const [name, { version, folder, files }] of [...packages].sort()) {
    const manifest: { license?: unknown } = JSON.parse(
      await Deno.readTextFile(`${folder}package.json`),
    );
    const terms = await Deno.readTextFile(`${folder}LICENSE`)
      .catch((error) => {
        ignoreMissing(error);
        return copyrights(folder, files);
      });
    parts.push(`${name} ${version}, license: ${manifest.license}\n\n${terms.trim()}\n`);
  }
  return parts.join(`\n${"-".repeat(80)}\n\n`);
}

/** The lines with which files begin that say whose they are. */
async function copyrights(folder: string, files: ReadonlySet<string>): Promise<string> {
  const lines = new Set<string>();
  for (const file of [...files].sort()) {
    const text = await Deno.readTextFile(`${folder}${file}`);
    for (const line of text.split("\n")) {
      if (!line.startsWith("// ")) break;
      if (/copyright|license/i.test(line)) lines.add(line.slice("// ".length));
    }
  }
  return [...lines].join("\n");
}

/** Completes `package.json`. */
async function finishManifest(root: string): Promise<void> {
  const file = `${root}/package.json`;
  const { dependencies: _, ...manifest }: Record<string, unknown> = JSON.parse(
    await Deno.readTextFile(file),
  );
  const finished = {
    ...manifest,
    description: "WireGuard peers find each other: the protocols, without sockets",
    sideEffects: false,
    engines: { node: OLDEST_NODE },
  };
  await Deno.writeTextFile(file, `${JSON.stringify(finished, undefined, 2)}\n`);
}

/** Says where each module's types are: Deno, given the address of a file, looks nowhere else. */
async function nameTypes(root: string, modules: readonly string[]): Promise<void> {
  for (const types of modules.filter((path) => path.endsWith(".d.ts"))) {
    const file = `${root}/${types.replace(/\.d\.ts$/, ".js")}`;
    const head = `// @ts-self-types="./${types.slice(types.lastIndexOf("/") + 1)}"\n`;
    await Deno.writeTextFile(file, head + await Deno.readTextFile(file));
  }
}
