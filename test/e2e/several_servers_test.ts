/**
 * Several servers, and one name with several addresses, some of them dead: what is asked is counted at
 * the dead ones, and where peers are registered is asked at the others.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { BINARY, type Finished, run, type Running, testWith } from "../support/program.ts";
import { Device, DEVICE_NEEDS } from "./dns_scene.ts";
import { isWgsig2, randomBytes, Scene, type UdpEnd, until } from "./scene.ts";

const NAME = "registries.example";
const NEEDS = ["root", "unshare", "mount"];
const HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
const ENV = { WGSIG_CONFIG: "/dev/null" };

/** One name, three addresses, and what is there. */
class Several implements AsyncDisposable {
  readonly scene: Scene;
  readonly port: number;
  readonly #hosts: string;
  readonly #key: string;

  private constructor(scene: Scene, port: number, hosts: string, key: string) {
    this.scene = scene;
    this.port = port;
    this.#hosts = hosts;
    this.#key = key;
  }

  static async open(): Promise<Several> {
    const scene = await Scene.open();
    const lines = HOSTS.map((host) => `${host} ${NAME}\n`);
    const hosts = await scene.file("hosts", lines.join(""));
    const key = await scene.file("key", await makeKey());
    return new Several(scene, await scene.freePort(), hosts, key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]();
  }

  /** The servers' public key. */
  async publicKey(): Promise<string> {
    const input = await Deno.readTextFile(this.#key);
    return (await run([BINARY, "keygen", "public"], { input, env: ENV })).out.trim();
  }

  /** Nobody answers at an address, and what comes is kept. */
  silent(host: string): UdpEnd {
    return this.scene.end(host, this.port);
  }

  /** Starts a server at an address, with the key that all have, or another one. */
  async serve(host: string, key = this.#key): Promise<Running> {
    const listen = ["--listen", `${host}:${this.port}`];
    const argv = [BINARY, "serve", ...listen, "--secret", this.scene.secretFile, "--key", key];
    const server = this.scene.start(argv, { env: ENV });
    await server.printed(/ ready /);
    return server;
  }

  /** The command line that runs `argv` where the name has its three addresses. */
  named(argv: readonly string[]): string[] {
    const script = 'mount --bind "$0" /etc/hosts && exec "$@"';
    return ["unshare", "--mount", "sh", "-c", script, this.#hosts, ...argv];
  }

  /** Asks the name for the peers, with a new key. */
  async query(...args: readonly string[]): Promise<Finished> {
    const key = await this.scene.file(`own-${crypto.randomUUID()}`, await makeKey());
    const asked = ["--secret", this.scene.secretFile, "--private-key", key, ...args];
    const argv = [BINARY, "query", `${NAME}:${this.port}`, ...asked];
    return await run(this.named(argv), { env: ENV });
  }

  /** Whether a peer is registered at an address. */
  async knows(host: string, publicKey: string): Promise<boolean> {
    const asked = ["--no-register", "--key", encodeBase64(randomBytes(32)), "--json"];
    const { out } = await this.scene.query([`${host}:${this.port}`, ...asked]);
    return out.includes(publicKey);
  }
}

async function makeKey(): Promise<string> {
  return (await run([BINARY, "keygen", "private"], { env: ENV })).out;
}

/** How many questions of each protocol came. */
async function asked(end: UdpEnd): Promise<number[]> {
  const all = (await end.drain()).map(({ bytes }) => isWgsig2(bytes));
  return [all.filter((is) => !is).length, all.filter((is) => is).length];
}

testWith(NEEDS, "of the addresses of one name, a dead one costs query one question", async () => {
  await using several = await Several.open();
  const dead = several.silent(HOSTS[0]!);
  await several.serve(HOSTS[1]!);
  const { code, err, out } = await several.query("--json", "--timeout", "10s");
  assertEquals(code, 0, err);
  assertEquals(JSON.parse(out).servers.map(({ status }: { status: string }) => status), ["ok"]);
  assertEquals(await asked(dead), [1, 1]);
  // With a pinned key nobody asks in the first protocol; where nothing listens it costs no time.
  const pinned = await several.query("--server-key", await several.publicKey());
  assertEquals([pinned.code, pinned.err], [0, ""]);
  assertEquals(await asked(dead), [0, 1]);
  await dead.close();
  assertEquals((await several.query("--server-key", await several.publicKey())).code, 0);
});

testWith(
  NEEDS,
  "of the addresses of one name, another key than the pinned is said in a line",
  async () => {
    await using several = await Several.open();
    const other = await several.scene.file("other", await makeKey());
    await several.serve(HOSTS[0]!, other);
    await several.serve(HOSTS[1]!);
    const key = await several.publicKey();
    const { code, err } = await several.query("--server-key", key);
    assertEquals(code, 0);
    const line = new RegExp(
      `^wgsig: ${NAME}:\\d+ \\(127\\.0\\.0\\.1\\) has the key \\S+=, not the one that server-key names: ` +
        `.*if several servers have the name ${NAME}, give them one key \\(serve --key\\).*\\n$`,
    );
    assertMatch(err, line);
    // With one key, nothing is said.
    await using same = await Several.open();
    for (const host of HOSTS) await same.serve(host);
    const { code: ok, err: nothing } = await same.query("--server-key", await same.publicKey());
    assertEquals([ok, nothing], [0, ""]);
  },
);

testWith(
  [...new Set([...NEEDS, ...DEVICE_NEEDS])],
  "sync: a dead server is asked aside, and one of several addresses stands in for another",
  async () => {
    await using several = await Several.open();
    await using device = await Device.with();
    const own = device.host.publicKey;
    const alone = "127.0.0.9";
    const dead = several.silent(alone);
    const pair = HOSTS.slice(0, 2);
    const servers = await Promise.all(pair.map((host) => several.serve(host)));
    const sync = several.scene.start(
      device.beside(several.named([
        ...[BINARY, "sync", "wg0", "--secret", several.scene.secretFile],
        ...["--server", `${NAME}:${several.port}`, "--server", `${alone}:${several.port}`],
        ...["--server-key", await several.publicKey(), "--timeout", "1s", "--interval", "500ms"],
      ])),
      { env: ENV },
    );
    const isAt = (host: string) => async () => await several.knows(host, own) || undefined;
    // Which one it asks first is the resolver's affair.
    const first = await until("registered at one address", async () => {
      for (const [i, host] of pair.entries()) if (await several.knows(host, own)) return i + 1;
      return undefined;
    }) - 1;
    const second = pair[1 - first]!;
    await sync.printed(/no answer from 127\.0\.0\.9/);
    const [, before] = await asked(dead);
    assert(before !== undefined && before > 0 && before <= 4, `${before}`);
    // Rounds go on, and it is not asked in them: the first time after five seconds.
    await new Promise((done) => setTimeout(done, 1500));
    assertEquals(await asked(dead), [0, 0]);
    assertEquals(await several.knows(second, own), false);
    // The next address stands in for the one that dies.
    await servers[first]!.stop("SIGKILL");
    await until("registered at the second address", isAt(second));
    // The one that was dead is there, and that is noticed.
    await dead.close();
    await several.serve(alone);
    await until("registered at the other server", isAt(alone), 20);
    assertEquals(await sync.stop(), 0);
  },
);
