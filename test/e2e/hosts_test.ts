/**
 * The same program on Deno itself, against the binary and the other way round; and that the same
 * sources make the same bundle.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BINARY, ROUTER_BINARY, run, Running, testWith, withFolder } from "../support/program.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const DENO = [Deno.execPath(), "run", "--allow-all", `${ROOT}cli/main_deno.ts`];
const ENV = { WGSIG_CONFIG: "/dev/null" };

async function keysIn(folder: string): Promise<void> {
  await run([BINARY, "keygen", "secret", "--output", `${folder}/secret`]);
  const made = await run([BINARY, "keygen", "private"]);
  const { out } = await run([BINARY, "keygen", "public"], { input: made.out });
  await Deno.writeTextFile(`${folder}/public`, out);
}

async function answersBothFamilies(
  server: readonly string[],
  client: readonly string[],
): Promise<void> {
  await withFolder(async (folder) => {
    await keysIn(folder);
    const secret = ["--secret", `${folder}/secret`];
    const both = ["--listen", "0.0.0.0:0", "--listen", "[::]:0"];
    const serving = new Running([...server, "serve", ...both, ...secret], { env: ENV });
    try {
      const [, ipv4, ipv6] = await serving.printed(
        /address=0\.0\.0\.0:(\d+)[^]*address=\[::\]:(\d+)[^]* ready /,
      );
      const asking = [...secret, "--key", `${folder}/public`, "--json"];
      for (const [host, port] of [["127.0.0.1", ipv4], ["[::1]", ipv6]]) {
        const argv = [...client, "query", `${host}:${port}`, ...asking];
        const { code, out, err } = await run(argv, { env: ENV });
        assertEquals([code, err], [0, ""]);
        const { self: { endpoint } } = JSON.parse(out);
        assert(String(endpoint).startsWith(`${host}:`), endpoint);
      }
      serving.signal("SIGUSR2");
      const [, counters] = await serving.printed(/ counters (.*)/);
      // In wgsig 2, though each question came in both protocols.
      assertStringIncludes(counters ?? "", "answered-unproved=2");
    } finally {
      assertEquals(await serving.stop(), 0);
    }
  });
}

Deno.test("serve on Deno answers the binary's query, on IPv4 and IPv6", async () => {
  await answersBothFamilies(DENO, [BINARY]);
});

Deno.test("the binary answers query on Deno, on IPv4 and IPv6", async () => {
  await answersBothFamilies([BINARY], DENO);
});

testWith(["the router binary"], "Deno, Bun and QuickJS answer one another", async () => {
  await answersBothFamilies([ROUTER_BINARY], DENO);
  await answersBothFamilies([ROUTER_BINARY], [BINARY]);
  await answersBothFamilies(DENO, [ROUTER_BINARY]);
  await answersBothFamilies([BINARY], [ROUTER_BINARY]);
});

testWith(["the router binary"], "all hosts print the same for the same command", async () => {
  await withFolder(async (folder) => {
    await keysIn(folder);
    const settings = `${folder}/wgsig.toml`;
    await Deno.writeTextFile(settings, "[sync.wg0]\nservrs = []\n");
    const key = await Deno.readTextFile(`${folder}/public`);
    const commands: readonly (readonly string[])[] = [
      [],
      ["--help"],
      ...["serve", "query", "config", "sync", "doctor", "keygen"].map((name) => [name, "--help"]),
      ["srve"],
      ["query", "--nowhere"],
      ["query", "127.0.0.1:1", "--secret", `${folder}/none`],
      ["query", "127.0.0.1:1", "--secret", `${folder}/public`, "--key", key.trim()],
      ["query", "--config", settings],
      ["keygen", "secret", "--output", `${folder}/secret`],
      ["keygen", "public"],
      ["serve", "--listen", "nowhere:1", "--secret", `${folder}/secret`],
      ["serve", "--listen", "203.0.113.9:1", "--secret", `${folder}/secret`],
      ["config", "--server", "no-such-host.invalid", "--secret", `${folder}/secret`],
    ];
    for (const command of commands) {
      const [deno, bun, quickjs] = await Promise.all(
        [DENO, [BINARY], [ROUTER_BINARY]].map((host) =>
          run([...host, ...command], { env: ENV, cwd: folder })
        ),
      );
      assertEquals([bun, quickjs], [deno, deno], command.join(" "));
    }
  });
});

Deno.test("0.0.0.0 and :: can share a port", async () => {
  for (const server of [DENO, [BINARY]]) {
    await withFolder(async (folder) => {
      await keysIn(folder);
      const secret = ["--secret", `${folder}/secret`];
      const listener = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
      const port = listener.addr.transport === "udp" ? listener.addr.port : 0;
      listener.close();
      const both = ["--listen", `0.0.0.0:${port}`, "--listen", `[::]:${port}`];
      const serving = new Running([...server, "serve", ...both, ...secret], { env: ENV });
      try {
        await serving.printed(/ ready /);
      } finally {
        assertEquals(await serving.stop(), 0);
      }
    });
  }
});

Deno.test("the same sources make the same bundle", async () => {
  await withFolder(async (folder) => {
    for (const name of ["first.js", "second.js"]) {
      const { code, err } = await run([
        Deno.execPath(),
        "bundle",
        "--quiet",
        "--external",
        "bun:ffi",
        "--minify",
        "--output",
        `${folder}/${name}`,
        `${ROOT}cli/main_bun.ts`,
      ], { cwd: ROOT });
      assertEquals([code, err], [0, ""]);
    }
    const [first, second] = [
      await Deno.readTextFile(`${folder}/first.js`),
      await Deno.readTextFile(`${folder}/second.js`),
    ];
    assertEquals(first === second, true);
    assertEquals(first.includes(ROOT), false, "the bundle names the folder that it was made in");
  });
});
