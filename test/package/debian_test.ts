/** The Debian package, in a Debian that has nothing of this project. */

import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../cli/version.ts";
import { buildDeb } from "../../scripts/package/deb.ts";
import { BINARY, run, Running, testWith, withFolder } from "../support/program.ts";
import { CleanRoot } from "./clean_root.ts";

const DATE = Date.UTC(2026, 1, 3) / 1000;
/** A small program in the place of the real one, where the program doesn't matter. */
const SMALL = "/bin/true";
const ROOT_TOOLS = ["root", "mmdebstrap", "dpkg-deb"];

/** The key and the endpoint of each line of `query --dump`, the own one first. */
function seen(dump: string): string[][] {
  return dump.trimEnd().split("\n").map((line) => line.split("\t").slice(0, 2));
}

testWith(["dpkg-deb"], "the same program makes the same package, byte for byte", async () => {
  await withFolder(async (folder) => {
    const packages: Uint8Array[] = [];
    for (const name of ["a", "b"]) {
      await Deno.mkdir(`${folder}/${name}`);
      const options = { binary: SMALL, folder: `${folder}/${name}`, level: 1 };
      packages.push(await Deno.readFile(await buildDeb({ ...options, date: DATE })));
      await new Promise<void>((resolve) => setTimeout(resolve, 1100));
    }
    assertEquals(packages[0], packages[1]);
  });
});

testWith(["dpkg-deb", "musl-gcc"], "a package of a static program needs no library", async () => {
  await withFolder(async (folder) => {
    const depends = async (binary: string) => {
      const file = await buildDeb({ binary, folder, date: DATE, level: 1 });
      return (await run(["dpkg-deb", "--field", file, "Depends"])).out.trim();
    };
    assertEquals(await depends(SMALL), "libc6 (>= 2.17)");
    await Deno.writeTextFile(`${folder}/program.c`, "int main(void) { return 0; }\n");
    const binary = `${folder}/program`;
    await run(["musl-gcc", "-static", "-o", binary, `${folder}/program.c`]);
    assertEquals(await depends(binary), "");
  });
});

testWith(["dpkg-deb", "lintian"], "lintian finds nothing wrong with the package", async () => {
  await withFolder(async (folder) => {
    const file = await buildDeb({ binary: SMALL, folder, date: DATE });
    const { code, out } = await run([
      ...["timeout", "100", "lintian", "--allow-root", "--fail-on", "error,warning"],
      ...["--suppress-tags", "hardening-no-fortify-functions", file],
    ]);
    assertEquals([code, out], [0, ""]);
  });
});

testWith(ROOT_TOOLS, "a Debian without this project installs, runs and forgets it", async () => {
  await using root = await CleanRoot.open();
  const before = await root.paths();
  await withFolder(async (folder) => {
    const file = await buildDeb({ binary: BINARY, folder, date: DATE, level: 1 });
    await root.install(file);
  });
  assertNotEquals(await root.paths(), before);
  assertEquals(await root.run(["dpkg", "--verify", "wgsig"]), { code: 0, out: "", err: "" });
  assertStringIncludes(await root.must(["wgsig", "--version"]), `wgsig ${VERSION} (`);

  const key = async () => await root.must(["wgsig", "keygen", "public"], await privateKey(root));
  const [alice, bob] = [(await key()).trim(), (await key()).trim()];
  const server = new Running(root.inside(["wgsig", "serve", "--listen", "127.0.0.1:0"]), {
    env: { WGSIG_CONFIG: "" },
  });
  try {
    // The first start makes the secret.
    await server.printed(/group-secret-made group=0 file=\/etc\/wgsig\/secret/);
    const [, port] = await server.printed(/listening address=127\.0\.0\.1:(\d+)[^]*ready/);
    const ask = (who: string) =>
      root.must(["wgsig", "query", `127.0.0.1:${port}`, "--key", who, "--dump"]);
    const [[, endpoint = ""] = []] = seen(await ask(alice));
    assertEquals(seen(await ask(bob))[1], [alice, endpoint]);
  } finally {
    assertEquals(await server.stop(), 0);
  }
  assert((await Deno.stat(`${root.folder}/var/lib/wgsig/state`)).size > 32);

  await root.must(["dpkg", "--remove", "wgsig"]);
  const left = (await root.paths()).filter((path) => path.includes("wgsig"));
  assertEquals(left.map((path) => path.split(" ")[0]), [
    "/etc/wgsig",
    "/etc/wgsig/secret",
    "/etc/wgsig/wgsig.toml",
    "/var/lib/wgsig",
    "/var/lib/wgsig/state",
    "/var/lib/wgsig/state.key",
    "/var/lib/wgsig/state.lock",
  ]);
  await root.must(["dpkg", "--purge", "wgsig"]);
  assertEquals(await root.paths(), before);
});

async function privateKey(root: CleanRoot): Promise<string> {
  return await root.must(["wgsig", "keygen", "private"]);
}

testWith(ROOT_TOOLS, "settings that were changed stay over an upgrade", async () => {
  await using root = await CleanRoot.open();
  await withFolder(async (folder) => {
    const options = { binary: SMALL, folder, date: DATE, level: 1 };
    const file = await buildDeb(options);
    await root.install(file);
    const settings = `${root.folder}/etc/wgsig/wgsig.toml`;
    await Deno.writeTextFile(settings, "# mine\n", { append: true });
    const mine = await Deno.readTextFile(settings);
    await root.install(file);
    assertEquals(await Deno.readTextFile(settings), mine);
    const { out } = await root.run(["dpkg", "--verify", "wgsig"]);
    assertEquals(out.trim().split(/\s+/), ["??5??????", "c", "/etc/wgsig/wgsig.toml"]);
  });
});
