/** The library's sources: what is published of them, and the examples in them. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DENO, ROOT } from "../../scripts/tools.ts";
import { run, withFolder } from "../support/program.ts";
import { entryPoints, NAME } from "./consumer.ts";

/** A folder that takes the library from its sources. */
function withSources(test: (folder: string) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const imports = { [NAME]: `jsr:${NAME}@^0.1.0` };
    const settings = { imports, links: [ROOT] };
    await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(settings));
    await test(folder);
  });
}

Deno.test("every example runs, and every entry point has one", () =>
  withSources(async (folder) => {
    const config = `--config=${folder}/deno.json`;
    const argv = [DENO, "test", "--doc", "--allow-all", "--no-lock", config];
    const sources = ["mod.ts", "lib"].map((path) => `${ROOT}/${path}`);
    const { code, out, err } = await run([...argv, ...sources], {
      cwd: folder,
      env: { NO_COLOR: "1" },
    });
    assertEquals(code, 0, out + err);
    for (const [, path] of await entryPoints()) {
      const file = path.replace("./", "/").replaceAll(".", "\\.");
      assertMatch(out, new RegExp(`^file://.*${file}#\\d+-\\d+\\.ts \\.\\.\\. ok`, "m"), path);
    }
  }));

Deno.test("an example that is wrong would be seen", () =>
  withFolder(async (folder) => {
    for (const example of [`throw new Error("not so");`, `export const n: number = "5";`]) {
      const text = `/**\n * \`\`\`ts\n * ${example}\n * \`\`\`\n * @module\n */\n\nexport {};\n`;
      await Deno.writeTextFile(`${folder}/wrong.ts`, text);
      const argv = [DENO, "test", "--doc", "--no-config", "wrong.ts"];
      assertEquals((await run(argv, { cwd: folder })).code, 1, example);
    }
  }));

Deno.test("what is published are the pure sources, README and license, with whole types", async () => {
  const argv = [DENO, "publish", "--dry-run", "--allow-dirty", "--no-check"];
  const { code, err } = await run(argv, { cwd: ROOT, env: { NO_COLOR: "1" } });
  assertEquals(code, 0, err);
  assertStringIncludes(err, "Checking for slow types");
  const files = [...err.matchAll(/^ +file:\/\/(\S+) \(/gm)].map(([, path = ""]) =>
    path.slice(ROOT.length + 1)
  );
  for (const path of ["README.md", "LICENSE", "deno.json", "mod.ts"]) {
    assert(files.includes(path), `${path} is missing`);
  }
  const pure = /^lib\/(?:wire|core|library)\/[a-z0-9_/]+\.ts$/;
  const others = files.filter((path) => !pure.test(path));
  assertEquals(others.sort(), ["LICENSE", "README.md", "deno.json", "mod.ts"]);
});
