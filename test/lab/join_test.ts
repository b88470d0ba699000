/** From nothing to a tunnel: `wgsig invite` on one host, `wgsig join` and `wgsig sync` on each peer. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { BINARY, type Finished, type Running, testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS, REGISTRY } from "./lab.ts";
import { must, type Namespace } from "./namespace.ts";
import { Ping } from "./ping.ts";

/** From the first command on a peer to the first ping, in seconds, at most. */
const LIMIT = 30;
/** Until what happens at the registry is known everywhere, in seconds, at most. */
const NEWS = 15;
const ENV = { WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: "1", LOG_LEVEL: "error" };

/** A host with an `/etc` of its own, in which nothing of WireGuard's or wgsig's is. */
class Fresh {
  readonly namespace: Namespace;
  readonly #folder: string;
  /** How many commands somebody has typed here. */
  commands = 0;
  /** The own address in the tunnel. */
  address = "";
  /** Its peers' AllowedIPs before there was a `sync`. */
  joined = "";
  sync: Running | undefined;

  constructor(namespace: Namespace, folder: string) {
    this.namespace = namespace;
    this.#folder = folder;
  }

  async make(): Promise<void> {
    await must(["cp", "-a", "/etc", this.#folder]);
    await must(["rm", "-rf", `${this.#folder}/wireguard`, `${this.#folder}/wgsig`]);
  }

  #argv(args: readonly string[]): string[] {
    return ["sh", "-c", 'mount --bind "$0" /etc && exec "$@"', this.#folder, ...args];
  }

  async wgsig(args: readonly string[], input?: string): Promise<string> {
    this.commands++;
    const given = input === undefined ? {} : { input };
    return await this.namespace.must(this.#argv([BINARY, ...args]), { env: ENV, ...given });
  }

  async attempt(args: readonly string[], input: string): Promise<Finished> {
    return await this.namespace.run(this.#argv([BINARY, ...args]), { env: ENV, input });
  }

  start(...args: readonly string[]): Running {
    this.commands++;
    return this.namespace.start(this.#argv([BINARY, ...args]), { env: ENV });
  }

  /** Joins by a link, and starts `sync`. */
  async join(link: string): Promise<void> {
    const said = await this.wgsig(["join", "-", "--up"], link);
    assertMatch(
      said,
      /\nregistered, and has proved its key; [^\n]+\nwg0 is up\nnext: wgsig sync wg0\n$/,
    );
    this.address = /with ([\d.]+)\/24\n/.exec(said)?.[1] ?? "";
    this.joined = await this.peers();
    this.sync = this.start("sync", "wg0");
  }

  /** Takes the interface down and up by wg-quick alone, as a restart of the host does. */
  async restart(): Promise<void> {
    for (const word of ["down", "up"]) {
      // A userspace WireGuard would hold the pipe of what it says.
      const quietly = ["sh", "-c", 'exec wg-quick "$0" wg0 > /dev/null 2>&1', word];
      await this.namespace.must(this.#argv(quietly), { env: ENV });
    }
  }

  async ping(to: Fresh, seconds: number): Promise<void> {
    const ping = new Ping(this.namespace, to.address);
    await ping.reply(seconds);
    await ping.stop();
  }

  async peers(): Promise<string> {
    return await this.namespace.must(["wg", "show", "wg0", "allowed-ips"]);
  }
}

testWith(
  [...LAB_NEEDS, "wg-quick"],
  "lab: a link each, and peers behind two NATs reach each other; a third needs nothing of them",
  async () => {
    await using lab = await Lab.open("preserve", "eim");
    const fresh = (name: string, namespace: Namespace) =>
      new Fresh(namespace, `${lab.folder}/etc-${name}`);
    const server = fresh("registry", lab.registry);
    const alice = fresh("alice", lab.alice.namespace);
    const bob = fresh("bob", lab.bob.namespace);
    await Promise.all([server.make(), alice.make(), bob.make()]);

    const serve = server.start("serve", "--state", `${lab.folder}/state`);
    await serve.printed(/ ready/);
    const invite = (name: string) => server.wgsig(["invite", name, "--server", REGISTRY]);
    const links = [await invite("alice"), await invite("bob")];
    const start = performance.now();
    await alice.join(links[0]!);
    await bob.join(links[1]!);
    await alice.ping(bob, LIMIT);
    const seconds = (performance.now() - start) / 1000;
    assert(alice.commands <= 3 && bob.commands <= 3);
    figure(
      `join to ping between two NATs: ${alice.commands} commands a peer, ` +
        `${seconds.toFixed(1)} s in all`,
    );

    // Who has used a link can't be followed by another; nothing of that is left.
    const again = await server.attempt(["join", "-", "wg7"], links[0]!);
    assertEquals([again.code, again.out], [1, ""]);
    assertMatch(again.err, /^wgsig: this link was used already, .*; nothing was changed here\n$/);

    // A third site is one line on the registry's host; this one is that host itself.
    const carol = fresh("carol", lab.registry);
    await carol.make();
    await carol.join(await invite("carol"));
    for (const each of [alice, bob]) assert(carol.joined.includes(`${each.address}/32`));
    await Promise.all([alice.ping(carol, NEWS), bob.ping(carol, NEWS)]);

    await server.wgsig(["registry", "revoke", "bob"]);
    for (const each of [alice, carol]) {
      await each.sync!.printed(/ roster-peer-removed .*name=bob/, NEWS);
      assert(!(await each.peers()).includes(bob.address));
    }
    await alice.ping(carol, NEWS);

    // Who stands in wg-quick's file still comes back with a restart, and goes with the first answer.
    await carol.sync!.stop("SIGTERM");
    await carol.restart();
    assert((await carol.peers()).includes(bob.address));
    carol.sync = carol.start("sync", "wg0");
    await carol.sync.printed(/ roster-peer-removed /, NEWS);
    assert(!(await carol.peers()).includes(bob.address));

    for (const each of [alice, bob, carol]) await each.sync!.stop("SIGTERM");
    await serve.stop("SIGTERM");
  },
);
