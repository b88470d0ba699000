/**
 * The router build's cache and its pinned sources, without a network.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { cached } from "../../scripts/router/cache.ts";
import { QUICKJS, sourceFolder } from "../../scripts/router/sources.ts";

/** Runs with variables of the environment, and a folder that is removed after it. */
async function withFolder(
  variables: (folder: string) => Record<string, string>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const given = variables(folder);
  const before = Object.keys(given).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(given)) Deno.env.set(name, value);
  try {
    await body(folder);
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
    await Deno.remove(folder, { recursive: true });
  }
}

const inCache = (folder: string) => ({ XDG_CACHE_HOME: folder });

Deno.test("cached: made once for the same inputs, also at the same time", () =>
  withFolder(inCache, async () => {
    let count = 0;
    const make = async (folder: string) => {
      await Deno.writeTextFile(`${folder}/file`, String(++count));
    };
    const [one, two] = await Promise.all([cached("a", [1], make), cached("a", [1], make)]);
    const other = await cached("a", [2], make);
    assertEquals(one, two);
    assert(one !== other);
    assertEquals(await Deno.readTextFile(`${one}/file`), "1");
    assertEquals(await Deno.readTextFile(`${other}/file`), "2");
  }));

Deno.test("cached: what failed leaves nothing", () =>
  withFolder(inCache, async (folder) => {
    const make = async (made: string) => {
      await Deno.writeTextFile(`${made}/file`, "half");
      throw new Error("failed");
    };
    await assertRejects(() => cached("a", [3], make), Error, "failed");
    const left = [];
    for await (const { name } of Deno.readDir(`${folder}/wgsig-router`)) left.push(name);
    assertEquals(left, []);
  }));

Deno.test("sources: a folder with other files is refused", () =>
  withFolder((folder) => ({ QUICKJS_SRC: folder }), async (folder) => {
    await Deno.writeTextFile(`${folder}/VERSION`, QUICKJS.version);
    await Deno.writeTextFile(`${folder}/quickjs.c`, "int main(void) { return 0; }\n");
    await assertRejects(() => sourceFolder(QUICKJS), Error, "QUICKJS_SRC");
  }));

Deno.test("sources: without a mirror, it says what to do", () =>
  withFolder((folder) => ({ XDG_CACHE_HOME: folder, PATH: folder, QUICKJS_SRC: "" }), async () => {
    const error: unknown = await assertRejects(() => sourceFolder(QUICKJS), Error);
    const message = error instanceof Error ? error.message : "";
    for (const part of [QUICKJS.file, QUICKJS.sha256, "QUICKJS_SRC", "wgsig-router"]) {
      assert(message.includes(part), `${part} in: ${message}`);
    }
  }));
