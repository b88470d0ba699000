/**
 * The library as others get it: in an empty folder, on Deno, on Bun and on Node, without this
 * repository's import map.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { buildLibrary } from "../../scripts/package/library.ts";
import { bunProgram, DENO, ownTarget } from "../../scripts/tools.ts";
import { run, Running, wgsig, withFolder } from "../support/program.ts";
import { NAME, nodeProgram, writeConsumer } from "./consumer.ts";

/** What a module imports or exports of another one, outside of comments. */
const IMPORT = /^(?: ?\*\/ )?(?:import|export)\b[^;"]*? from "([^"]+)"|^import "([^"]+)"/gm;
const BUILT_IN = /^node:(?:buffer|module)$/;
const SECRET = "FxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxc=";
const KEY = "uEN/FxDargZsj7MEVnIKmCcoN71q+0r+n7triSVeaio=";
/** Nothing but what is in the folder: no configuration, no registry of packages. */
const ALONE = ["--no-config", "--no-lock", "--no-npm", "--no-remote", "--check", "--allow-all"];

/** Files below a folder. */
function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

/** The documented registry, run by `argv` in `folder`, answers the program's client. */
async function checkRegistry(folder: string, argv: readonly string[]): Promise<void> {
  await Deno.writeTextFile(`${folder}/secret`, SECRET, { mode: 0o600 });
  const registry = new Running([...argv, "secret", "0"], { cwd: folder });
  try {
    const [, port] = await registry.printed(/listening on port (\d+)/, 30);
    const asked = ["query", `127.0.0.1:${port}`, "--secret", `${folder}/secret`, "--key", KEY];
    const { code, out, err } = await wgsig([...asked, "--dump"]);
    assertEquals([code, err], [0, ""]);
    assertMatch(out, /^uEN\/FxDargZsj7MEVnIKmCcoN71q\+0r\+n7triSVeaio=\t127\.0\.0\.1:\d+\t/);
  } finally {
    await registry.stop();
  }
}

Deno.test("the library works in an empty folder", async (t) => {
  const built = await Deno.makeTempDir();
  const { folder: library, tarball } = await buildLibrary({ folder: built, date: 1_700_000_000 });
  const manifest: {
    exports: Record<string, { types: string; import: string }>;
    dependencies?: unknown;
  } = JSON.parse(await Deno.readTextFile(`${library}/package.json`));

  /** A folder in which the package is installed, as every package manager would. */
  const withPackage = (test: (folder: string) => Promise<void>) =>
    withFolder(async (folder) => {
      const target = `${folder}/node_modules/${NAME}`;
      await Deno.mkdir(target, { recursive: true });
      const untar = ["tar", "-xzf", tarball, "-C", target, "--strip-components=1"];
      assertEquals(await run(untar), { code: 0, out: "", err: "" });
      const dependencies = { [NAME]: "*" };
      await Deno.writeTextFile(
        `${folder}/package.json`,
        JSON.stringify({ type: "module", dependencies }),
      );
      await writeConsumer(folder);
      await test(folder);
    });

  await t.step("its modules and types import nothing that isn't in it", () => {
    assertEquals(manifest.dependencies, undefined);
    const modules = filesIn(library).filter((path) => /\.(?:js|ts)$/.test(path));
    assert(modules.length > 60, `only ${modules.length} modules`);
    const imported = new Set<string>();
    for (const path of modules) {
      for (const [, from, bare] of Deno.readTextFileSync(path).matchAll(IMPORT)) {
        const specifier = from ?? bare!;
        if (path.endsWith(".js") && BUILT_IN.test(specifier)) continue;
        assert(specifier.startsWith("."), `${path} imports ${specifier}`);
        const target = new URL(specifier, `file://${path}`).pathname;
        const file = path.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target;
        assert(modules.includes(file), `${path} imports ${specifier}`);
        imported.add(file);
      }
    }
    const entries = Object.values(manifest.exports).flatMap((entry) => [entry.import, entry.types])
      .map((path) => new URL(path, `file://${library}/`).pathname);
    // Where only types are taken of a module, only its types are imported.
    const used = (path: string) => entries.includes(path) || imported.has(path);
    const unused = modules.filter((path) =>
      !used(path) && !used(path.replace(/(?<!\.d)\.(?:js|ts)$/, ".d.ts"))
    );
    assertEquals(unused, []);
  });

  await t.step("it says nothing of where it was made, and whose the bundled parts are", () => {
    for (const path of filesIn(library)) {
      const text = Deno.readTextFileSync(path);
      for (const trace of [library, DENO, "/.cache/", "npmjs", "entry.ts"]) {
        assert(!text.includes(trace), `${path} has ${trace}`);
      }
    }
    const licenses = Deno.readTextFileSync(`${library}/vendor/LICENSES`);
    for (const name of ["@noble/hashes", "deno-std", "dns-packet", "@leichtgewicht/ip-codec"]) {
      assertMatch(licenses, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+, license: MIT\\n\\n.`, "m"));
    }
    assertMatch(licenses, /Paul Miller[^]*the Deno authors[^]*Mathias Buus/);
  });

  await t.step("the same sources make the same package", () =>
    withFolder(async (folder) => {
      const again = await buildLibrary({ folder, date: 1_700_000_000 });
      assertEquals(await Deno.readFile(again.tarball), await Deno.readFile(tarball));
    }));

  await t.step("Deno runs it by the addresses of its files", () =>
    withFolder(async (folder) => {
      const address = (entry: string) => `file://${library}/${manifest.exports[entry]!.import}`;
      await writeConsumer(folder, address);
      const { code, out, err } = await run([DENO, "run", ...ALONE, "main.ts"], { cwd: folder });
      assertEquals([code, out], [0, "all done\n"], err);
      await checkRegistry(folder, [DENO, "run", ...ALONE, "registry.ts"]);
      // Its types are in force.
      await Deno.writeTextFile(
        `${folder}/wrong.ts`,
        `import { Responder } from "${address(".")}";\nnew Responder("no registry");\n`,
      );
      const wrong = await run([DENO, "check", "--no-config", "wrong.ts"], { cwd: folder });
      assertEquals(wrong.code, 1);
      assertStringIncludes(wrong.err, "'string' is not assignable to parameter of type 'Registry'");
    }));

  await t.step("Deno runs it as a package", () =>
    withPackage(async (folder) => {
      const argv = [DENO, "run", "--no-lock", "--no-remote", "--cached-only", "-A"];
      const { code, out, err } = await run([...argv, "main.ts"], { cwd: folder });
      assertEquals([code, out], [0, "all done\n"], err);
      await checkRegistry(folder, [...argv, "registry.ts"]);
      await Deno.writeTextFile(
        `${folder}/wrong.ts`,
        `import { MacKey, PORTABLE } from "${NAME}/wire";\nnew MacKey("no secret", PORTABLE);\n`,
      );
      const wrong = await run([DENO, "check", "--no-lock", "wrong.ts"], { cwd: folder });
      assertEquals(wrong.code, 1);
      assertStringIncludes(
        wrong.err,
        "'string' is not assignable to parameter of type 'Uint8Array",
      );
    }));

  await t.step("Bun runs it as a package", () =>
    withPackage(async (folder) => {
      const bun = await bunProgram(ownTarget());
      assertEquals(await run([bun, "main.ts"], { cwd: folder }), ALL_DONE);
      await checkRegistry(folder, [bun, "registry.ts"]);
    }));

  await t.step("Node runs it as a package", () =>
    withPackage(async (folder) => {
      const argv = [await nodeProgram(), "--disable-warning=ExperimentalWarning"];
      assertEquals(await run([...argv, "main.ts"], { cwd: folder }), ALL_DONE);
      await checkRegistry(folder, [...argv, "registry.ts"]);
    }));

  await t.step(
    "bundled into one file it runs on Node, Bun and Deno",
    () =>
      withPackage(async (folder) => {
        const bun = await bunProgram(ownTarget());
        const build = [bun, "build", "--target=node", "--outfile=bundle.mjs", "main.ts"];
        const { code, err } = await run(build, { cwd: folder });
        assertEquals(code, 0, err);
        await withFolder(async (empty) => {
          await Deno.copyFile(`${folder}/bundle.mjs`, `${empty}/bundle.mjs`);
          for (const argv of [[await nodeProgram()], [bun], [DENO, "run", "--no-config"]]) {
            assertEquals(await run([...argv, "bundle.mjs"], { cwd: empty }), ALL_DONE);
          }
        });
      }),
  );

  await t.step(
    "npm installs it, and has nothing else to fetch",
    () =>
      withFolder(async (folder) => {
        const argv = ["npm", "install", "--offline", "--no-audit", "--no-fund", tarball];
        const { code, err } = await run(argv, { cwd: folder });
        assertEquals(code, 0, err);
        const installed = await Array.fromAsync(Deno.readDir(`${folder}/node_modules`));
        const names = installed.map(({ name }) => name).filter((name) => !name.startsWith("."));
        assertEquals(names, ["@wgsig"]);
      }),
  );

  await Deno.remove(built, { recursive: true });
});

const ALL_DONE = { code: 0, out: "all done\n", err: "" };
