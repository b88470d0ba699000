/**
 * What a host does in a process of its own, on Deno and on Bun; and node_test.ts on Bun.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { isRunning, run, withFolder } from "../support/program.ts";
import { bundle, bunProgram, DENO, ownTarget, ROOT } from "../../scripts/tools.ts";
import { CRYPTO_SCENARIOS } from "./crypto_scenarios.ts";
import { SIGNING_SCENARIOS } from "./signing_scenarios.ts";

Deno.test("files and programs are the same on Bun", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/node.test.js`;
    await bundle(`${ROOT}/test/host/node/node_test.ts`, file, "--external", "bun:test");
    const bun = await bunProgram(ownTarget());
    const { code, err } = await run([bun, "test", file], { cwd: folder, env: { NO_COLOR: "1" } });
    assertEquals(code, 0, err);
    assertMatch(err, /\b[1-9]\d+ pass\n +0 fail\n/);
  });
});

Deno.test("what Bun computes faster is the same", async () => {
  await withFolder(async (folder) => {
    const script = `import { BUN_PRIMITIVES } from "${ROOT}/lib/host/bun/crypto.ts";
      import { CRYPTO_SCENARIOS } from "${ROOT}/test/host/crypto_scenarios.ts";
      import { nodeSigning } from "${ROOT}/lib/host/node/signing.ts";
      import { SIGNING_SCENARIOS } from "${ROOT}/test/host/signing_scenarios.ts";
      import { test } from "${ROOT}/test/testing.ts";
      for (const [name, run] of Object.entries(CRYPTO_SCENARIOS)) test(name, () => run(BUN_PRIMITIVES));
      for (const [name, run] of Object.entries(SIGNING_SCENARIOS)) test(name, () => run(nodeSigning));`;
    await Deno.writeTextFile(`${folder}/script.ts`, script);
    const file = `${folder}/script.test.js`;
    await bundle(`${folder}/script.ts`, file, "--external", "bun:test");
    const bun = await bunProgram(ownTarget());
    const { code, err } = await run([bun, "test", file], { cwd: folder, env: { NO_COLOR: "1" } });
    assertEquals(code, 0, err);
    const count = Object.keys({ ...CRYPTO_SCENARIOS, ...SIGNING_SCENARIOS }).length;
    assertMatch(err, new RegExp(String.raw`\b${count} pass\n +0 fail\n`));
  });
});

/** The host of each runtime, and what runs a bundle there. */
const RUNTIMES = [
  {
    name: "Deno",
    make: "denoHost",
    file: "deno/deno.ts",
    start: () => [DENO, "run", "--allow-all"],
  },
  {
    name: "Bun",
    make: "bunHost",
    file: "bun/bun.ts",
    start: async () => [await bunProgram(ownTarget())],
  },
] as const;

for (const { name, make, file, start } of RUNTIMES) {
  /** Runs a script that has the `host`. */
  const runScript = async (script: string, input?: string) => {
    let finished = { code: -1, out: "", err: "" };
    await withFolder(async (folder) => {
      const head = `import { ${make} } from "${ROOT}/lib/host/${file}";\nconst host = ${make}();\n`;
      await Deno.writeTextFile(`${folder}/script.ts`, head + script);
      await bundle(`${folder}/script.ts`, `${folder}/script.js`);
      const argv = [...await start(), `${folder}/script.js`, "one", "two"];
      finished = await run(argv, {
        env: { VARIABLE: "yes" },
        ...(input === undefined ? {} : { input }),
      });
    });
    return finished;
  };

  Deno.test(`on ${name} nothing that a program left keeps the process`, async () => {
    const start = performance.now();
    const finished = await runScript(`
      const gone = await host.run(["/nowhere/wg"], { timeout: 30 }).catch(({ code }) => code);
      const late = await host.run(["sh", "-c", "sleep 30 & wait"], { timeout: 0.1 });
      host.out.write(gone + " " + late.code + "\\n");
    `);
    assertEquals(finished, { code: 0, out: "ENOENT 124\n", err: "" });
    assert(performance.now() - start < 20_000, "it waited");
  });

  Deno.test(`on ${name} what is stopped is stopped with what it has started`, async () => {
    const { code, out, err } = await runScript(`
      // Each says which process it has started, and waits for that.
      const argv = ["sh", "-c", "sleep 300 & echo $!; wait"];
      const late = await host.run(argv, { timeout: 1 });
      const stop = new Promise((resolve) => setTimeout(resolve, 1000));
      const stopped = await host.run(argv, { timeout: 300, stop });
      for (const { code, out } of [late, stopped]) host.out.write(code + " " + out);
    `);
    assertEquals([code, err], [0, ""]);
    const stopped = [...out.matchAll(/^124 (\d+)$/gm)].map(([, pid]) => pid!);
    assertEquals(stopped.length, 2, out);
    for (const pid of stopped) assertEquals(await isRunning(pid), false, `${pid} runs`);
  });

  Deno.test(`on ${name} standard input, the command line and the environment are read`, async () => {
    const script = `
      const texts = [];
      for (const limit of [4, 5]) {
        texts.push(new TextDecoder().decode(await host.readInput(limit)));
      }
      host.out.write(JSON.stringify({ texts, args: host.args, env: host.env("VARIABLE") }));
      host.err.writeBytes(Uint8Array.of(104, 105));
    `;
    const { code, out, err } = await runScript(script, "four");
    assertEquals([code, err], [0, "hi"]);
    assertEquals<unknown>(JSON.parse(out), {
      texts: ["four", "four"],
      args: ["one", "two"],
      env: "yes",
    });
    const tooLarge = await runScript(
      "host.out.write(await host.readInput(3).catch(({ code }) => code));",
      "four",
    );
    assertEquals([tooLarge.code, tooLarge.out], [0, "EFBIG"]);
  });
}
