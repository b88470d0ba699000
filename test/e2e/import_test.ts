/** `wgsig config --import`: what people have today becomes settings, and comes back out of them. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Namespace } from "../lab/namespace.ts";
import { LAB_NEEDS } from "../lab/lab.ts";
import { WireGuardHost } from "../lab/wireguard_host.ts";
import { run, testWith, wgsig } from "../support/program.ts";
import { Scene } from "./scene.ts";

/** A file of wg-quick as its scripts make it, and what is secret in it. */
async function wgQuickFile(scene: Scene): Promise<{ path: string; secrets: readonly string[] }> {
  const make = async (kind: "private" | "psk") => (await wgsig(["keygen", kind])).out.trim();
  const publicKey = async () =>
    (await wgsig(["keygen", "public"], { input: await make("private") })).out.trim();
  const secrets = [await make("private"), await make("psk")];
  const text = `[Interface]
Address = 10.9.0.1/24
ListenPort = 51911
PrivateKey = ${secrets[0]}
PostUp = true

### Client bob
[Peer]
PublicKey = ${await publicKey()}
PresharedKey = ${secrets[1]}
AllowedIPs = 10.9.0.2/32, 192.168.7.0/24
PersistentKeepalive = 25

### Client alice
[Peer]
PublicKey = ${await publicKey()}
AllowedIPs = 10.9.0.3/32,fd00::3/128
`;
  return { path: await scene.file("wgt0.conf", text), secrets };
}

testWith(
  [...LAB_NEEDS, "wg-quick"],
  "settings that were imported give WireGuard what the file gave it",
  async () => {
    await using scene = await Scene.open();
    const { path, secrets } = await wgQuickFile(scene);
    const folder = path.slice(0, path.lastIndexOf("/"));
    const [toml, keys] = [`${folder}/made.toml`, `${folder}/keys`];
    const args = ["config", "--import", path, "--output", toml, "--keys", keys];
    const { code, out, err } = await wgsig(args);
    assertEquals([code, out], [0, ""], err);
    assertMatch(err, /wgt0\.conf, line 5: PostUp stays in the file/);
    const settings = await Deno.readTextFile(toml);
    for (const secret of secrets) assert(!(err + settings).includes(secret));
    for (const file of [toml, `${keys}/wgt0.key`, `${keys}/wgt0-bob.psk`]) {
      assertEquals((await Deno.stat(file)).mode! & 0o777, 0o600, file);
    }
    // Again: what is there is the same, and stays.
    assertEquals((await wgsig(args)).code, 0);
    assertEquals(await Deno.readTextFile(toml), settings);

    const server = await scene.serve();
    const made = await scene.file(
      "made.conf",
      (await wgsig([
        ...["config", "wgt0", "--config", toml, "--server", server.address, "--no-register"],
        ...[...server.pin, "--secret", scene.secretFile],
      ])).out,
    );
    const namespace = new Namespace(`wgsig-import-${crypto.randomUUID().slice(0, 8)}`, folder);
    try {
      await namespace.make();
      const host = new WireGuardHost(namespace, folder, "10.9.0.1");
      await host.startKeyless();
      const shown: string[] = [];
      for (const file of [path, made]) {
        const { code, out, err } = await run(["wg-quick", "strip", file]);
        assertEquals(code, 0, err);
        await namespace.must(["wg", "setconf", "wg0", "/dev/stdin"], { input: out });
        shown.push((await namespace.must(["wg", "showconf", "wg0"])).trim());
      }
      // wireguard-go shows its peers in no order.
      assertMatch(shown[0]!, /PresharedKey[^]*192\.168\.7\.0\/24/);
      assertMatch(shown[0]!, /fd00::3\/128/);
      const parts = shown.map((text) => text.split("\n\n").sort());
      assertEquals(parts[0], parts[1]);
    } finally {
      await namespace.remove();
    }
  },
);

Deno.test("what is there with something else is never written over", async () => {
  await using scene = await Scene.open();
  const { path } = await wgQuickFile(scene);
  const folder = path.slice(0, path.lastIndexOf("/"));
  await scene.file("wgt0-bob.psk", "another\n");
  const toml = await scene.file("mine.toml", "# mine\n");
  const args = ["config", "--import", path, "--output", toml];
  const refused = await wgsig([...args, "--keys", folder]);
  assertEquals(refused.code, 1);
  assertMatch(refused.err, /wgt0-bob\.psk: it is there, with something else/);
  await wgsig(["config", "--import", path]);
  assertEquals(await Deno.readTextFile(toml), "# mine\n");
  assertEquals(await Deno.stat(`${folder}/wgt0.key`).catch(() => "none"), "none");

  const kept = await wgsig(args);
  assertEquals(kept.code, 0);
  assertMatch(kept.err, /keys stay in .*--keys \/etc\/wgsig/);
  assertMatch(kept.err, /that is in \S+mine\.toml\.old now/);
  assertEquals(await Deno.readTextFile(`${toml}.old`), "# mine\n");
  // The file itself, and a key, are no places for settings.
  assertMatch((await wgsig(["config", "--import", path, "--output", path])).err, /name that file/);
});

Deno.test("an imported Corefile is served", async () => {
  await using scene = await Scene.open();
  const file = await scene.file(
    "Corefile",
    `.:0 {\n  bind 127.0.0.1\n  wgsd wg.example. wgsig-none {\n    self 192.0.2.1:51820\n  }\n}\n`,
  );
  const { out, err, code } = await wgsig(["config", "--import", file]);
  assertEquals([code, err], [0, ""]);
  assertMatch(out, /^listen = \["127\.0\.0\.1:0"\]\nzone = "wg\.example"$/m);
  const settings = await scene.file("made.toml", out);
  const server = await scene.serve(["--config", settings]);
  await server.running.printed(/dns-listening.*127\.0\.0\.1/);
});

Deno.test("import says what it does not take", async () => {
  await using scene = await Scene.open();
  const other = await scene.file("other", "x = 1\n");
  const { path } = await wgQuickFile(scene);
  const text = await Deno.readTextFile(path);
  const says = async (...args: string[]) => (await wgsig(["config", ...args])).err;
  assertMatch(await says("--import", other), /neither \[Interface\] nor \[Peer\]/);
  assertMatch(await says("--import", `${other}-none`), /cannot read/);
  assertMatch(await says("--import", path, "--server", "a"), /--server does nothing with --import/);
  assertMatch(await says("--import", path, "--json"), /--json does nothing with --import/);
  assertMatch(await says("--keys", "/etc/wgsig"), /--keys goes with --import/);
  assertMatch(await says("--import", path, "--keys", "here"), /from the root on/);
  const piped = await wgsig(["config", "--import", "-"], { input: text });
  assertMatch(piped.err, /which interface is that of\?/);
  const named = await wgsig(["config", "wg7", "--import", "-"], { input: text });
  assertMatch(named.out, /^\[sync\.wg7\]$/m);
});
