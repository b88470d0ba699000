/**
 * TCP on Deno and on Bun; with link-local addresses in a network namespace.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { bundle, bunProgram, DENO, ownTarget, ROOT } from "../../../scripts/tools.ts";
import { denoHost } from "../../../lib/host/deno/deno.ts";
import { tcpHost } from "../../../lib/host/node/tcp.ts";
import { run, testWith, withFolder } from "../../support/program.ts";
import { OWN_LINK, SCENARIOS } from "../tcp_scenarios.ts";

/** What Deno's `node:net` can't do alone; elsewhere than on Linux it has no help. */
const NOT_ALONE = ["IPv6 alone", "what the system refuses"];

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  Deno.test(`TCP on Deno: ${name}`, () => scenario(denoHost()));
  if (NOT_ALONE.some((start) => name.startsWith(start))) continue;
  Deno.test(`TCP on Deno without FFI: ${name}`, () => scenario({ ...denoHost(), ...tcpHost() }));
}

/** Bundles a script. */
async function withScript(
  script: string,
  test: (file: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/script.ts`, script);
    const file = `${folder}/script.test.js`;
    await bundle(`${folder}/script.ts`, file, "--external", "bun:test");
    await test(file);
  });
}

Deno.test("TCP is the same on Bun", async () => {
  const script = `import { bunHost } from "${ROOT}/lib/host/bun/bun.ts";
    import { SCENARIOS } from "${ROOT}/test/host/tcp_scenarios.ts";
    import { test } from "${ROOT}/test/testing.ts";
    for (const [name, run] of Object.entries(SCENARIOS)) test(name, () => run(bunHost()));`;
  await withScript(script, async (file) => {
    const argv = [await bunProgram(ownTarget()), "test", "--timeout", "60000", file];
    const { code, err } = await run(argv, { env: { NO_COLOR: "1" } });
    assertEquals(code, 0, err);
    const count = Object.keys(SCENARIOS).length;
    assertMatch(err, new RegExp(`\\b${count} pass\\n +0 fail\\n`));
  });
});

for (const runtime of ["Deno", "Bun"] as const) {
  testWith(
    ["network namespaces", "ip"],
    `TCP on ${runtime} over a link-local address with its scope, from a given port`,
    async () => {
      const name = runtime.toLowerCase();
      const script = `import { ${name}Host } from "${ROOT}/lib/host/${name}/${name}.ts";
        import { overLink } from "${ROOT}/test/host/tcp_scenarios.ts";
        const host = ${name}Host();
        await overLink(host, "near", "192.0.2.2");
        host.out.write("done");`;
      await withScript(script, async (file) => {
        const start = runtime === "Deno"
          ? [DENO, "run", "--allow-all"]
          : [await bunProgram(ownTarget())];
        const argv = [...OWN_LINK, ...start, file];
        assertEquals(await run(argv), { code: 0, out: "done", err: "" });
      });
    },
  );
}
