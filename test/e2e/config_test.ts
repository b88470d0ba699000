/** `wgsig config`: a WireGuard configuration that WireGuard's own tools take. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { BINARY, type Finished, run, testWith, wgsig } from "../support/program.ts";
import { doublePeer, ZONE, ZoneDouble } from "../support/zone_double.ts";
import { ZoneServer } from "../support/zone_server.ts";
import { KEEP_ENDPOINT, type Peer, randomBytes, recordAt, recordOf, Scene } from "./scene.ts";

/** A key pair, the private half in a file. */
async function keyPair(scene: Scene): Promise<{ file: string; secret: string; key: string }> {
  const secret = (await wgsig(["keygen", "private"])).out;
  const file = await scene.file("private", secret);
  const key = (await wgsig(["keygen", "public"], { input: secret })).out.trim();
  return { file, secret: secret.trim(), key };
}

/** Runs `wgsig config` with the scene's secret. */
async function config(scene: Scene, args: readonly string[]): Promise<Finished> {
  return await wgsig(["config", "--secret", scene.secretFile, ...args]);
}

/** Runs a program that must succeed, and returns what it printed. */
async function output(argv: readonly string[]): Promise<string> {
  const { code, out, err } = await run(argv);
  assertEquals(code, 0, `${argv.join(" ")}: ${err}`);
  return out;
}

function peerSettings(peer: Pick<Peer, "publicKey">, ...lines: readonly string[]): string {
  return ["[[peer]]", `public-key = "${peer.publicKey}"`, ...lines, ""].join("\n");
}

/** Numbers that count seconds since a moment ago, as one. */
function withoutAges(text: string): string {
  return text.replace(/Seen \d+ s/g, "Seen N s");
}

Deno.test("bare, it prints what wgsigc prints", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const key = encodeBase64(randomBytes(32));
  const port = await scene.freePort();
  const args = ["--key", key, "--server", fake.endpoint, "--port", `${port}`];
  const finished = config(scene, args);
  const { from, request } = await fake.question();
  assertEquals([from.port, request.publicKey], [port, key]);
  const [a, b] = [recordAt("192.0.2.7:51820", 40), recordAt("198.51.100.9:1", 5)];
  await fake.reply(from, ...fake.answer(request, [a, fake.own(request, from), b]));
  const { code, out, err } = await finished;
  assertEquals([code, err], [0, ""]);
  assertEquals(
    withoutAges(out),
    `[Peer]
# Seen N s ago
PublicKey = ${encodeBase64(a.id)}
Endpoint = 192.0.2.7:51820

# Public endpoint = 127.0.0.1:${port}

[Peer]
# Seen N s ago
PublicKey = ${encodeBase64(b.id)}
Endpoint = 198.51.100.9:1

[Interface]
ListenPort = ${port}
`,
  );
  const ages = [...out.matchAll(/Seen (\d+) s/g)].map(([, age]) => Number(age));
  assert(ages[0]! >= 40 && ages[0]! < 100 && ages[1]! >= 5 && ages[1]! < 65, `${ages}`);
});

Deno.test("bare, without registering, it leaves the port out", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const [peer, own] = [scene.peer(), scene.peer()];
  await peer.ask(server.port);
  await own.ask(server.port);
  const args = ["--key", own.publicKey, "--server", server.address, ...server.pin, "--no-register"];
  const { code, out } = await config(scene, args);
  assertEquals(code, 0);
  const parts = withoutAges(out).split("\n\n").toSorted();
  assertEquals(parts, [
    "",
    `# Public endpoint = ${own.endpoint}`,
    `[Peer]\n# Seen N s ago\nPublicKey = ${peer.publicKey}\nEndpoint = ${peer.endpoint}`,
  ]);
});

Deno.test("with a private key, addresses and settings it prints a whole file", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const { file, secret, key } = await keyPair(scene);
  const [alice, stranger, absent] = [scene.peer(), scene.peer(), scene.peer()];
  await alice.ask(server.port);
  await stranger.ask(server.port);
  const psk = (await wgsig(["keygen", "psk"])).out;
  await scene.file("psk", psk);
  const settings = await scene.file(
    "wgsig.toml",
    peerSettings(
      alice,
      `name = "alice"`,
      `allowed-ips = ["10.0.0.2/32", "fd00::2/128"]`,
      `persistent-keepalive = 0`,
      `preshared-key-file = "psk"`,
    ) + peerSettings(absent, `name = "bob"`, `allowed-ips = ["10.0.0.3"]`) +
      peerSettings({ publicKey: key }, `name = "own"`),
  );
  const port = await scene.freePort();
  const args = ["--config", settings, "--private-key", file, "--port", `${port}`];
  const addresses = ["--address", "10.0.0.1/24", "--address", "fd00::1/64"];
  const { code, out, err } = await config(
    scene,
    [...args, ...addresses, "--server", server.address, ...server.pin],
  );
  assertEquals([code, err], [0, ""]);
  const [head, ...peers] = withoutAges(out).trimEnd().split("\n\n");
  assertEquals(
    head,
    `[Interface]
# PublicKey = ${key}
# Public endpoint = 127.0.0.1:${port}
PrivateKey = ${secret}
Address = 10.0.0.1/24, fd00::1/64
ListenPort = ${port}`,
  );
  assertEquals(
    peers.toSorted(),
    [
      `[Peer]
# alice
# Seen N s ago
PublicKey = ${alice.publicKey}
PresharedKey = ${psk.trim()}
AllowedIPs = 10.0.0.2/32, fd00::2/128
Endpoint = ${alice.endpoint}`,
      `[Peer]
# Seen N s ago
PublicKey = ${stranger.publicKey}
# AllowedIPs: not known; see [[peer]] in the settings
Endpoint = ${stranger.endpoint}
PersistentKeepalive = 25`,
      `[Peer]
# bob
PublicKey = ${absent.publicKey}
AllowedIPs = 10.0.0.3
# Endpoint: not known; this peer is not registered
PersistentKeepalive = 25`,
    ].toSorted(),
  );
  assert(out.endsWith("\n") && !out.endsWith("\n\n"));
});

Deno.test("what is not known is said in comments", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const { file, key } = await keyPair(scene);
  const common = ["--server", server.address, ...server.pin, "--no-register"];
  const noAddress = await config(scene, [...common, "--private-key", file]);
  assertEquals(
    noAddress.out.split("\n").filter((line) => !line.startsWith("PrivateKey")),
    ["[Interface]", `# PublicKey = ${key}`, "# Address: not given; see --address", ""],
  );
  const noKey = await config(scene, [...common, "--key", key, "--address", "10.0.0.1/24"]);
  assertEquals(
    noKey.out,
    `[Interface]\n# PublicKey = ${key}\n# PrivateKey: not given; see --private-key\n` +
      `Address = 10.0.0.1/24\n`,
  );
});

Deno.test("all of it can come from [sync.INTERFACE]", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const { secret, key } = await keyPair(scene);
  const peer = scene.peer();
  await peer.ask(server.port);
  const port = await scene.freePort();
  const settings = await scene.file(
    "wgsig.toml",
    `[sync.wg0]
servers = ["${server.address}"]
server-key = "${server.key}"
secret-file = "secret"
private-key-file = "private"
address = ["10.0.0.1/24"]
port = ${port}
persistent-keepalive = 7
[sync.wg1]
servers = ["127.0.0.1:9"]
${peerSettings(peer, `persistent-keepalive = 3`)}
${peerSettings({ publicKey: key })}`,
  );
  const { code, out, err } = await wgsig(["config", "wg0", "--config", settings]);
  assertEquals([code, err], [0, ""]);
  for (
    const line of [
      `# PublicKey = ${key}`,
      `PrivateKey = ${secret}`,
      `Address = 10.0.0.1/24`,
      `ListenPort = ${port}`,
      `PublicKey = ${peer.publicKey}`,
      `PersistentKeepalive = 3`,
    ]
  ) assertStringIncludes(out, `\n${line}\n`);
  // The interface's own keepalive is for peers that have none of their own.
  await scene.file("wgsig.toml", (await Deno.readTextFile(settings)).replace(/\S+ = 3\n/, ""));
  const again = await wgsig(["config", "wg0", "--config", settings]);
  assertStringIncludes(again.out, "PersistentKeepalive = 7\n");
});

for (const spelling of [["--json"], ["--format", "json"]]) {
  Deno.test(`${spelling.join(" ")} says the same without secrets`, async () => {
    await using scene = await Scene.open();
    const server = await scene.serve();
    const { file, secret, key } = await keyPair(scene);
    const [alice, absent] = [scene.peer(), scene.peer()];
    const answer = await alice.ask(server.port);
    const psk = (await wgsig(["keygen", "psk"])).out;
    await scene.file("psk", psk);
    const settings = await scene.file(
      "wgsig.toml",
      peerSettings(
        alice,
        `name = "alice"`,
        `allowed-ips = ["10.0.0.2/32"]`,
        `preshared-key-file = "psk"`,
      ) + peerSettings(absent) + peerSettings({ publicKey: key }),
    );
    const port = await scene.freePort();
    const { code, out, err } = await config(scene, [
      ...["--config", settings, "--server", server.address, ...server.pin, "--private-key", file],
      ...["--address", "10.0.0.1/24", "--port", `${port}`, ...spelling],
    ]);
    assertEquals([code, err], [0, ""]);
    const { peers, ...rest }: { peers: Record<string, unknown>[] } = JSON.parse(out);
    assertEquals(rest as Record<string, unknown>, {
      schema: 1,
      interface: {
        publicKey: key,
        endpoint: `127.0.0.1:${port}`,
        addresses: ["10.0.0.1/24"],
        listenPort: port,
      },
    });
    const [{ age, seen, ...first } = { age: -1, seen: -1 }, second] = peers;
    assert(typeof age === "number" && age >= 0 && age < 60);
    // Registries tell ages in whole seconds.
    const { seconds } = recordOf(answer, alice)!;
    assert(typeof seen === "number" && Math.abs(seen - seconds) <= 1);
    assertEquals(first, {
      publicKey: alice.publicKey,
      name: "alice",
      endpoint: alice.endpoint,
      allowedIps: ["10.0.0.2/32"],
      persistentKeepalive: 25,
    });
    assertEquals(second, {
      publicKey: absent.publicKey,
      name: null,
      endpoint: null,
      seen: null,
      age: null,
      allowedIps: null,
      persistentKeepalive: 25,
    });
    for (const hidden of [secret, psk.trim()]) assertEquals(out.includes(hidden), false);
  });
}

Deno.test("where no server answers, nothing is printed", async () => {
  await using scene = await Scene.open();
  const silent = scene.end();
  const { file } = await keyPair(scene);
  const { code, out, err } = await config(
    scene,
    ["--private-key", file, "--server", silent.endpoint, "--timeout", "300ms"],
  );
  assertEquals([code, out], [2, ""]);
  assertMatch(err, /^wgsig: no answer from .*\n$/);
});

Deno.test("a preshared key file that others can read is refused before anything is asked", async () => {
  await using scene = await Scene.open();
  const fake = scene.fakeServer();
  const peer = scene.peer();
  const { file } = await keyPair(scene);
  await scene.file("psk", (await wgsig(["keygen", "psk"])).out, 0o644);
  const settings = await scene.file(
    "wgsig.toml",
    peerSettings(peer, `preshared-key-file = "psk"`),
  );
  const { code, err } = await config(
    scene,
    ["--config", settings, "--private-key", file, "--server", fake.endpoint],
  );
  assertEquals(code, 6);
  assertMatch(err, /^wgsig: preshared key file .*\/psk can be read by others .*chmod 600 .*\n$/);
  assertEquals(await fake.drain(), []);
});

/** A network namespace of its own. */
class Namespace implements AsyncDisposable {
  readonly #name: string;
  readonly #files: string[] = [];

  private constructor(name: string) {
    this.#name = name;
  }

  static async make(): Promise<Namespace> {
    const namespace = new Namespace(`wgsig-test-${Deno.pid}`);
    await output(["ip", "netns", "add", namespace.#name]);
    await output(["ip", "-n", namespace.#name, "link", "set", "lo", "up"]);
    return namespace;
  }

  /** A command line that runs in it. */
  inside(...argv: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.#name, ...argv];
  }

  /** `wg-quick up`. Without WireGuard in the kernel, that starts wireguard-go. */
  async up(file: string): Promise<void> {
    this.#files.push(file);
    await output(this.inside("wg-quick", "up", file));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files) {
      // Ends wireguard-go as well; the second is for a device that wg-quick didn't finish.
      await run(this.inside("wg-quick", "down", file));
      const device = file.replace(/^.*\/|\.conf$/g, "");
      await run(this.inside("ip", "link", "delete", "dev", device));
    }
    await run(["ip", "netns", "delete", this.#name]);
  }
}

testWith(["wg", "wg-quick"], "wg-quick strip takes the whole file", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const { file, secret } = await keyPair(scene);
  const peer = scene.peer();
  await peer.ask(server.port);
  const port = await scene.freePort();
  const { out } = await config(scene, [
    ...["--server", server.address, ...server.pin, "--private-key", file],
    ...["--address", "10.0.0.1/24", "--port", `${port}`],
  ]);
  const stripped = await output(["wg-quick", "strip", await scene.file("wgt0.conf", out)]);
  assertEquals(
    stripped.split("\n").filter((line) => line !== "" && !line.startsWith("#")),
    [
      "[Interface]",
      `PrivateKey = ${secret}`,
      `ListenPort = ${port}`,
      "[Peer]",
      `PublicKey = ${peer.publicKey}`,
      `Endpoint = ${peer.endpoint}`,
      "PersistentKeepalive = 25",
    ],
  );
});

testWith(
  ["root", "ip", "wg", "wg-quick", "wireguard-go"],
  "a real device takes the whole file, and gives its key to wgsig query",
  async () => {
    await using scene = await Scene.open();
    await using namespace = await Namespace.make();
    const server = await scene.serve();
    const { file, secret, key } = await keyPair(scene);
    const [alice, bob, absent] = [scene.peer(), scene.peer(), scene.peer()];
    await alice.ask(server.port);
    await bob.ask(server.port);
    const psk = (await wgsig(["keygen", "psk"])).out;
    await scene.file("psk", psk);
    const settings = await scene.file(
      "wgsig.toml",
      peerSettings(
        alice,
        `name = "alice's [Peer] = #1"`,
        `allowed-ips = ["10.88.1.0/24", "fd88::2/128"]`,
        `preshared-key-file = "psk"`,
        `persistent-keepalive = 11`,
      ) + peerSettings(absent, `allowed-ips = ["10.88.2.1"]`, `persistent-keepalive = 0`) +
        peerSettings({ publicKey: key }),
    );
    const port = await scene.freePort();
    const { code, out, err } = await config(scene, [
      ...["--config", settings, "--server", server.address, ...server.pin, "--private-key", file],
      ...["--address", "10.88.0.1/24", "--address", "fd88::1/64", "--port", `${port}`],
    ]);
    assertEquals([code, err], [0, ""]);
    const device = `wgt${Deno.pid}`;
    await namespace.up(await scene.file(`${device}.conf`, out));

    const dump = await output(namespace.inside("wg", "show", device, "dump"));
    const [own, ...peers] = dump.trimEnd().split("\n").map((line) => line.split("\t"));
    assertEquals(own, [secret, key, `${port}`, "off"]);
    // Key, preshared key, endpoint, allowed IPs, handshake, received, sent, keepalive.
    const shown = new Map(
      peers.map(([id = "", preshared, endpoint, ips, _handshake, _received, _sent, keepalive]) => [
        id,
        [preshared, endpoint, ips, keepalive],
      ]),
    );
    assertEquals(shown.size, 3);
    assertEquals(
      shown.get(alice.publicKey),
      [psk.trim(), alice.endpoint, "10.88.1.0/24,fd88::2/128", "11"],
    );
    assertEquals(shown.get(bob.publicKey), ["(none)", bob.endpoint, "(none)", "25"]);
    assertEquals(shown.get(absent.publicKey), ["(none)", "(none)", "10.88.2.1/32", "off"]);
    const addresses = await output(namespace.inside("ip", "-o", "address", "show", "dev", device));
    assertStringIncludes(addresses, " 10.88.0.1/24 ");
    assertStringIncludes(addresses, " fd88::1/64 ");
    const conf = await output(namespace.inside("wg", "showconf", device));
    assertEquals(conf.match(/^\[Peer\]$/gm)?.length, 3);

    // The interface's key is found by name, and its endpoint not overwritten with another port's.
    const inner = scene.start(
      namespace.inside(
        ...[BINARY, "serve", "--listen", "127.0.0.1:0", "--secret", scene.secretFile],
      ),
    );
    const [, innerPort] = await inner.printed(/listening address=127\.0\.0\.1:(\d+)/);
    const query = namespace.inside(BINARY, "query", "--secret", scene.secretFile);
    const asked = await run([...query, "--interface", device, "--dump", `127.0.0.1:${innerPort}`]);
    assertEquals([asked.code, asked.err], [0, ""]);
    assertMatch(asked.out, new RegExp(`^${key.replaceAll("+", "\\+")}\t\\(none\\)\t\\d+\n$`));
    const busy = await run(
      [...query, "--interface", device, "--port", `${port}`, `127.0.0.1:${innerPort}`],
    );
    assertEquals(busy.code, 1);
    assertMatch(busy.err, /^wgsig: cannot use UDP port \d+: .*is WireGuard using it\?.*\n$/);
    // Its private key, in a file that anybody may read, is no public key.
    const copy = await scene.file("copy", `${secret}\n`, 0o644);
    const told = await run([...query, "--key", copy, `127.0.0.1:${innerPort}`]);
    assertEquals([told.code, told.out], [6, ""]);
    assertMatch(told.err, /^wgsig: .* is a private key, which must not be told to anyone: .*\n$/);
    const absentDevice = await run([...query, "--interface", "wgt-none", "127.0.0.1:9"]);
    assertEquals(absentDevice.code, 1);
    assertMatch(absentDevice.err, /^wgsig: there is no WireGuard interface wgt-none; .*\n$/);
  },
);

testWith(
  ["root", "ip", "wg", "wg-quick", "wireguard-go"],
  "a peer whose settings allow no addresses makes no file that wg refuses",
  async () => {
    await using scene = await Scene.open();
    await using namespace = await Namespace.make();
    const server = await scene.serve();
    const { file } = await keyPair(scene);
    const peer = scene.peer();
    await peer.ask(server.port);
    await peer.ask(server.port, { flags: KEEP_ENDPOINT });
    const settings = await scene.file("wgsig.toml", peerSettings(peer, "allowed-ips = []"));
    const { out } = await config(scene, [
      ...["--config", settings, "--server", server.address, ...server.pin, "--private-key", file],
    ]);
    const device = `wgu${Deno.pid}`;
    await namespace.up(await scene.file(`${device}.conf`, out));
    const shown = await output(namespace.inside("wg", "show", device, "allowed-ips"));
    assertEquals(shown, `${peer.publicKey}\t(none)\n`);
  },
);

Deno.test("--output writes a whole file, or leaves what there was", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const { file, secret } = await keyPair(scene);
  const path = await scene.file("wg0.conf", "# mine\n", 0o644);
  const args = ["--private-key", file, "--address", "10.0.0.1/24", "--output", path];
  const silent = await config(scene, [...args, "--server", "127.0.0.1:9", "--timeout", "300ms"]);
  assertEquals([silent.code, silent.out], [2, ""]);
  assertEquals(await Deno.readTextFile(path), "# mine\n");
  const { code, out, err } = await config(scene, [
    ...args,
    "--server",
    server.address,
    ...server.pin,
  ]);
  assertEquals([code, out], [0, ""]);
  assertEquals(err, `wgsig: ${path} had what wgsig did not write: that is in ${path}.old now\n`);
  assertEquals(await Deno.readTextFile(`${path}.old`), "# mine\n");
  assertStringIncludes(await Deno.readTextFile(path), `PrivateKey = ${secret}\n`);
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  const away = ["--output", `${path}/nowhere`, "--server", server.address, ...server.pin];
  const refused = await config(scene, ["--private-key", file, ...away]);
  assertEquals([refused.code, refused.out], [1, ""]);
  assertMatch(refused.err, /^wgsig: cannot write \S+\/nowhere: .*\n$/);
  assert(!refused.err.includes(secret));
});

Deno.test("--output keeps a copy of what wgsig did not write, or whose private key goes", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const { file, secret } = await keyPair(scene);
  const path = `${scene.folder}/wg0.conf`;
  const make = async (...more: readonly string[]) => {
    const args = ["--server", server.address, ...server.pin, "--output", path, ...more];
    const { code, out, err } = await config(scene, ["--private-key", file, ...args]);
    assertEquals([code, out], [0, ""], err);
    return err;
  };
  const text = () => Deno.readTextFile(path);
  const said = (copy: string) =>
    `wgsig: ${path} had what wgsig did not write: that is in ${copy} now\n`;
  assertEquals([await make(), await make("--address", "10.0.0.1/24"), await make()], ["", "", ""]);
  assertMatch(await text(), /^# Made by wgsig config \(checksum [0-9a-f]{8}\)\n\[Interface\]\n/);
  // A file of its own that was changed, twice; the same copy is not made again.
  const changed = `${await text()}PostUp = iptables -A FORWARD -i wg0 -j ACCEPT\n`;
  await Deno.writeTextFile(path, changed);
  assertEquals(await make(), said(`${path}.old`));
  await Deno.writeTextFile(path, changed);
  assertEquals(await make(), said(`${path}.old`));
  await Deno.writeTextFile(path, `${changed}Table = off\n`);
  assertEquals(await make(), said(`${path}.old2`));
  assertEquals(await Deno.readTextFile(`${path}.old`), changed);
  assertEquals(await Deno.readTextFile(`${path}.old2`), `${changed}Table = off\n`);
  assertEquals((await Deno.stat(`${path}.old`)).mode! & 0o777, 0o600);
  // Another private key.
  const former = await text();
  assertStringIncludes(former, secret);
  await Deno.writeTextFile(file, (await wgsig(["keygen", "private"])).out);
  assertEquals(await make(), said(`${path}.old3`));
  assertEquals(await Deno.readTextFile(`${path}.old3`), former);
  // JSON has no private key: that one is kept, and the JSON after it is not.
  assertEquals([await make("--json"), await make("--json")], [said(`${path}.old4`), ""]);
});

Deno.test("--output writes no link, pipe, or file that arguments or settings name; - is standard output", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const { file, secret } = await keyPair(scene);
  const lists = [await scene.file("allow", "# nobody\n"), await scene.file("psk", secret)];
  for (const name of ["new", "old"]) lists.push((await scene.secretIn(name)).path);
  const group = `[[serve.group]]\nsecret-file = "${scene.secretFile}"\nallow-file = "allow"\n`;
  const settings = await scene.file(
    "wgsig.toml",
    `[serve]\nstate = "state"\n${group}[[serve.group]]\nsecret-files = ["new", "old"]\n` +
      `[sync.wg0]\nservers = ["${server.address}"]\nprivate-key-file = "${file}"\n` +
      peerSettings(scene.peer(), 'preshared-key-file = "psk"'),
  );
  const state = await scene.file("state", "peers\n");
  const asked = ["--config", settings];
  const precious = [file, scene.secretFile, settings, ...lists, state];
  const before = await Promise.all(precious.map((path) => Deno.readTextFile(path)));
  await Deno.link(file, `${scene.folder}/same`);
  await Deno.mkdir(`${scene.folder}/down`);
  const again = `${scene.folder}/down/../private`;
  for (const path of [...precious, `${scene.folder}/same`, again]) {
    const { code, out, err } = await config(scene, [...asked, "--output", path]);
    assertEquals([code, out], [6, ""], path);
    assertMatch(err, /^wgsig: cannot write \S+: arguments or settings name that file as \S+\n$/);
  }
  // What is written first has that name, until it is whole.
  await Deno.copyFile(file, `${scene.folder}/wg0.new`);
  const beside = ["--private-key", `${scene.folder}/wg0.new`, "--output", `${scene.folder}/wg0`];
  assertEquals((await config(scene, [...asked, ...beside])).code, 6);
  assertEquals(await Deno.readTextFile(`${scene.folder}/wg0.new`), before[0]);
  assertEquals(await Promise.all(precious.map((path) => Deno.readTextFile(path))), before);

  const [pipe, link, conf] = ["pipe", "link", "conf"].map((name) => `${scene.folder}/${name}`);
  await output(["mkfifo", pipe!]);
  await Deno.writeTextFile(conf!, "# mine\n");
  await Deno.symlink(conf!, link!);
  for (const path of [pipe!, link!]) {
    const { code, out, err } = await config(scene, [...asked, "--output", path]);
    assertEquals([code, out], [6, ""], path);
    assertMatch(
      err,
      /^wgsig: cannot write \S+: it is a link, a pipe or a device; name a file, .*\n$/,
    );
  }
  assert((await Deno.lstat(pipe!)).isFifo && (await Deno.lstat(link!)).isSymlink);
  assertEquals(await Deno.readTextFile(conf!), "# mine\n");

  const printed = await wgsig(
    ["config", "--secret", scene.secretFile, ...asked, "--output", "-"],
    { cwd: scene.folder },
  );
  assertEquals(printed.code, 0);
  assertStringIncludes(printed.out, `[Interface]\n# PublicKey`);
  assert(!await Deno.stat(`${scene.folder}/-`).then(() => true, () => false));
});

Deno.test("AllowedIPs of a zone stand only where the settings trust it, and no other peer has them", async () => {
  await using scene = await Scene.open();
  const { file, key } = await keyPair(scene);
  const [bob, forger] = [doublePeer(7), doublePeer(8)];
  const txt = ["txtvers=1", "allowed=0.0.0.0/1,128.0.0.0/1,10.0.0.2/32,10.0.0.8/32"];
  await using zone = new ZoneServer({
    zone: new ZoneDouble({ peers: [bob, { ...forger, txt }] }),
  });
  const make = async (trusted: string, json = false) => {
    const settings = await scene.file(
      "wgsig.toml",
      `[sync.wg0]\ntrust-allowed-ips = [${trusted}]\n[[peer]]\npublic-key = "${bob.publicKey}"\n` +
        `allowed-ips = ["10.0.0.2/32"]\n${peerSettings({ publicKey: key })}`,
    );
    return await config(scene, [
      ...["--config", settings, "--private-key", file, "--address", "10.0.0.1/24"],
      ...["--server", `dns://127.0.0.1:${zone.port}/${ZONE}`],
      ...(json ? ["--format", "json"] : []),
    ]);
  };
  const allowed = (text: string) => [...text.matchAll(/^AllowedIPs = (.*)$/gm)].map(([, ip]) => ip);
  for (const trusted of ["", '"other.test"']) {
    const { code, out, err } = await make(trusted);
    assertEquals([code, allowed(out)], [0, ["10.0.0.2/32"]], err);
    assertMatch(err, /^wgsig: the AllowedIPs that the zone example\.com names are left out, .*\n$/);
    const { out: json } = await make(trusted, true);
    assertEquals(json.includes("128.0.0.0"), false);
  }
  const { code, out, err } = await make(`"${ZONE}"`);
  assertEquals([code, allowed(out)], [0, ["10.0.0.2/32", "128.0.0.0/1, 10.0.0.8/32"]]);
  assertEquals(
    err,
    `wgsig: AllowedIPs that other peers have are left out: 0.0.0.0/1, 10.0.0.2/32 of ` +
      `${forger.publicKey}\n`,
  );
});

Deno.test("--key of another than the private key makes no file", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const { file, key } = await keyPair(scene);
  const other = scene.peer().publicKey;
  const settings = await scene.file("wgsig.toml", `[sync.wg0]\nprivate-key-file = "${file}"\n`);
  const args = ["--server", server.address, ...server.pin, "--key", other];
  for (const named of [["--config", settings], ["--private-key", file]]) {
    const { code, out, err } = await config(scene, [...named, ...args]);
    assertEquals([code, out], [6, ""]);
    assertEquals(
      err,
      `wgsig: the private key in ${file} is that of ${key}, not of ${other}, which --key or the ` +
        "interface names; leave one of them out\n",
    );
  }
});

Deno.test("settings without the own key, or without the interface that is named, are told of", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const { file, key } = await keyPair(scene);
  const peer = scene.peer();
  const settings = await scene.file(
    "wgsig.toml",
    `[sync.wg0]\nservers = ["127.0.0.1:9"]\n[sync.wg1]\n${peerSettings(peer)}`,
  );
  const args = [
    "--config",
    settings,
    "--private-key",
    file,
    "--server",
    server.address,
    ...server.pin,
  ];
  const section =
    `wgsig: ${settings} has no [sync.wg5], only [sync.wg0], [sync.wg1]; that is not used\n`;
  const unlisted = `wgsig: no [[peer]] of ${settings} has this host's key ${key}; ` +
    `do the others' have it?\n`;
  const { code, err } = await config(scene, ["wg5", "--key", key, ...args]);
  assertEquals([code, err], [0, section + unlisted]);
  const known = await config(scene, ["wg0", "--key", peer.publicKey, ...args.toSpliced(2, 2)]);
  assertEquals([known.code, known.err], [0, ""]);
  // What sync says where it runs is an event of its log.
  for (const json of [true, false]) {
    const args = ["sync", "wg5", "--once", "--config", settings, "--server", "127.0.0.1:9"];
    const { out, err } = await wgsig(
      [...args, "--secret", scene.secretFile, ...(json ? ["--json"] : [])],
    );
    const why = section.slice("wgsig: ".length).trim();
    assertEquals(err.includes("has no [sync.wg5]"), false, err);
    if (json) assertEquals(JSON.parse(out.split("\n")[0]!).why, why);
    else assertMatch(out, / warn settings-not-used why=".* has no \[sync\.wg5\], .*"\n/);
  }
  for (const command of [["query", "--interface", "wg5"], ["sync", "wg5"]]) {
    const { err } = await wgsig([...command, "--config", settings]);
    assertEquals(err.startsWith(section), true, err);
  }
});

Deno.test("what is doubtful in [[peer]] is said", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve();
  const [own, bob, eve] = [scene.peer(), scene.peer(), scene.peer()];
  const file = await scene.file(
    "wgsig.toml",
    peerSettings(own, 'name = "me"', 'allowed-ips = ["10.0.0.1"]') +
      peerSettings(bob, 'name = "bob"', 'allowed-ips = ["10.0.0.2/32", "10.0.0.1/32"]') +
      peerSettings(eve, 'name = "bob"', 'allowed-ips = ["10.0.0.2", "10.0.0.0/24"]'),
  );
  const args = ["--config", file, "--key", own.publicKey, "--address", "10.0.0.1/24"];
  const asked = ["--server", server.address, ...server.pin, "--no-register"];
  const { code, err } = await config(scene, [...args, ...asked]);
  assertEquals(code, 0);
  assertMatch(err, /^wgsig: peers with one name can't be told apart by it: "bob"$/m);
  assertMatch(err, /^wgsig: WireGuard gives .*: 10\.0\.0\.1\/32 of me .*10\.0\.0\.2\/32 of bob/m);
  assertMatch(err, /^wgsig: what a peer has is this host's own address: 10\.0\.0\.1\/32 of bob$/m);
});
