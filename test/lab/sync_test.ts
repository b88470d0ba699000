/** What `wgsig sync` takes and tells, with real interfaces. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { BINARY, type Running, testWith } from "../support/program.ts";
import { Lab, LAB_NEEDS, REGISTRY } from "./lab.ts";
import { must, sleep } from "./namespace.ts";
import { CLOCK_NEED, OtherClock } from "./other_clock.ts";
import { Ping } from "./ping.ts";

const ALICE = "203.0.113.21:51820";
const BOB = "203.0.113.22:35436";
const LIMIT = 5;

/** A line of JSON that sync prints, or gives to a hook. */
interface Told {
  readonly [field: string]: unknown;
  readonly event: string;
}

function parseLines(text: string): Told[] {
  return text.split("\n").filter((line) => line !== "").map((line): Told => JSON.parse(line));
}

/** Waits until a file has as many lines. */
async function linesOf(file: string, count: number): Promise<Told[]> {
  const until = performance.now() + LIMIT * 1000;
  for (;;) {
    const text = await Deno.readTextFile(file).catch(() => "");
    const lines = parseLines(text);
    if (lines.length >= count) return lines;
    if (performance.now() > until) throw new Error(`not ${count} lines in ${file}: ${text}`);
    await sleep(0.02);
  }
}

testWith(LAB_NEEDS, "lab: --once ends with 0, 1, 2, 5", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const { alice, bob } = lab;
  const silent = await lab.syncOnce(alice, "--timeout", "500ms");
  assertEquals(silent.code, 2, silent.out + silent.err);
  await lab.serve();
  // The peer is not in the registry yet.
  const alone = await lab.syncOnce(alice);
  assertEquals(alone.code, 5, alone.out + alone.err);
  const second = await lab.syncOnce(bob);
  assertEquals([second.code, second.err], [0, ""], second.out);
  assertMatch(second.out, new RegExp(` endpoint-set key=\\S+ endpoint=${ALICE} `));
  const first = await lab.syncOnce(alice);
  assertEquals([first.code, first.err], [0, ""], first.out);
  assertMatch(first.out, new RegExp(` endpoint-set key=\\S+ endpoint=${BOB} `));
  // Two looks were enough.
  await new Ping(bob.namespace, alice.address).reply(LIMIT * 2);

  await bob.stopWireGuard();
  const { code, out, err } = await lab.syncOnce(bob);
  assertEquals([code, out], [1, ""]);
  assertMatch(err, /^wgsig: there is no WireGuard interface wg0; .*\n$/);
});

testWith(LAB_NEEDS, "lab: sync without wg, without rights, without a key is one line", async () => {
  await using lab = await Lab.open();
  const { alice } = lab;
  const once = [BINARY, ...lab.syncArgs("--once")];
  const noWg = await alice.namespace.run(["env", "PATH=/nowhere", ...once]);
  assertEquals([noWg.code, noWg.err.split("\n").length], [1, 2], noWg.err);
  assertMatch(noWg.err, /^wgsig: cannot run wg: .*; install wireguard-tools\n$/);
  await alice.startKeyless();
  const noKey = await lab.syncOnce(alice);
  assertEquals([noKey.code, noKey.err.split("\n").length], [1, 2], noKey.err);
  assertMatch(noKey.err, /^wgsig: .*wg0 has no (private )?key/);
});

testWith(
  LAB_NEEDS,
  "lab: of two on one interface, the second waits for the first's end",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    const { alice } = lab;
    await lab.serve();
    const first = lab.sync(alice, "--register", "borrow");
    await first.printed(/ own-endpoint /, LIMIT);
    const second = lab.sync(alice);
    await second.printed(/ warn interface-busy interface=wg0 /, LIMIT);
    const once = await lab.syncOnce(alice);
    assertEquals([once.code, once.err], [
      1,
      "wgsig: another wgsig sync takes care of wg0 already\n",
    ]);
    const dry = await lab.syncOnce(alice, "--dry-run");
    assertEquals(dry.code, 5, dry.err);
    await first.stop("SIGKILL");
    await second.printed(/ interface-found .*\n[^]* own-endpoint /, LIMIT);
    assertEquals(second.out.match(/ interface-busy /g)?.length, 1);
  },
);

testWith(LAB_NEEDS, "lab: SIGHUP reads a secret that has come right", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const { alice } = lab;
  await lab.serve();
  const secret = `${lab.folder}/other`;
  await Deno.writeTextFile(secret, await must(["wg", "genkey"]), { mode: 0o600 });
  const config = `${lab.folder}/wgsig.toml`;
  const settings = (servers: string) =>
    Deno.writeTextFile(config, `[sync.wg0]\nservers = ${servers}\nsecret-file = "${secret}"\n`);
  await settings(`["${REGISTRY}"]`);
  const argv = [BINARY, "sync", "wg0", "--config", config, "--timeout", "1s"];
  const sync = alice.namespace.start(argv);
  await sync.printed(/ warn server why="no answer from /, LIMIT);
  await settings(`"none"`);
  sync.signal("SIGHUP");
  await sync.printed(/ error not-reloaded why=".*servers: expected a list/, LIMIT);
  await settings(`["${REGISTRY}"]`);
  await Deno.copyFile(lab.secretFile, secret);
  sync.signal("SIGHUP");
  await sync.printed(/ info reloaded servers=1\n/, LIMIT);
  await sync.printed(/ own-endpoint endpoint=203\.0\.113\.21:51820\n/, LIMIT);
});

testWith(LAB_NEEDS, "lab: sync waits for the interface, and follows it", async () => {
  await using lab = await Lab.open("preserve", "eim");
  const { alice, bob } = lab;
  await Promise.all([alice.makeKey(), bob.makeKey()]);
  alice.peer = bob;
  bob.peer = alice;
  await lab.serve();
  const sync = lab.sync(alice);
  await sync.printed(/ info waiting interface=wg0\n/);
  await alice.startWireGuard();
  await sync.printed(/ info interface-found interface=wg0 port=51820 /);
  await sync.printed(/ own-endpoint /);
  await alice.stopWireGuard();
  await sync.printed(/ interface-found [^]* info waiting interface=wg0\n/);
  await bob.startWireGuard();
  lab.sync(bob);
  await alice.startWireGuard();
  await new Ping(bob.namespace, alice.address).reply(LIMIT * 2);
  assertEquals(sync.out.match(/ waiting /g)?.length, 2);
  // A signal ends it also while it waits.
  await alice.stopWireGuard();
  await sync.printed(/( waiting [^]*){3}/, LIMIT * 6);
  assertEquals(await sync.stop(), 0);
});

testWith(LAB_NEEDS, "lab: --add-peers adds those that the settings know", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const { alice, bob } = lab;
  await lab.serve();
  await lab.sync(alice).printed(/ own-endpoint /);
  await bob.set("peer", alice.publicKey, "remove");
  const config = `${lab.folder}/wgsig.toml`;
  const peer = `[[peer]]\nname = "alice"\npublic-key = "${alice.publicKey}"\n`;
  const once = (...args: readonly string[]) => lab.syncOnce(bob, "--config", config, ...args);
  const peersOf = async () => (await bob.device()).peers;

  await Deno.writeTextFile(config, peer);
  const told = await once();
  const unknown = new RegExp(
    ` peer-unknown key=\\S+ name=alice endpoint=${ALICE} hint=.*--add-peers`,
  );
  assertMatch(told.out, unknown);
  const bare = await once("--add-peers");
  assertMatch(bare.out, / peer-unknown .* hint=".*allowed-ips/);
  assertEquals(await peersOf(), []);

  await Deno.writeTextFile(config, `${peer}allowed-ips = ["${alice.address}/32"]\n`);
  const dry = await once("--add-peers", "--dry-run");
  assertMatch(dry.out, / peer-added .*dryRun=true/);
  assertEquals(await peersOf(), []);
  const sync = lab.sync(bob, "--config", config, "--add-peers");
  await sync.printed(
    new RegExp(` peer-added key=\\S+ name=alice endpoint=${ALICE} allowedIps=10.9.0.1/32`),
  );
  await new Ping(bob.namespace, alice.address).reply(LIMIT * 2);
  const [added] = await peersOf();
  assertEquals([added?.allowedIps, added?.persistentKeepalive], [[`${alice.address}/32`], 25]);
});

testWith(
  LAB_NEEDS,
  "lab: what is behind a peer that is added gets a route, or is named",
  async () => {
    await using lab = await Lab.withWireGuard("preserve", "eim");
    const { alice, bob } = lab;
    await lab.serve();
    await lab.sync(alice).printed(/ own-endpoint /);
    const config = `${lab.folder}/wgsig.toml`;
    await Deno.writeTextFile(
      config,
      `[[peer]]\npublic-key = "${alice.publicKey}"\n` +
        `allowed-ips = ["${alice.address}/32", "192.168.77.0/24"]\n`,
    );
    const once = async (...args: readonly string[]) => {
      await bob.set("peer", alice.publicKey, "remove");
      return (await lab.syncOnce(bob, "--config", config, "--add-peers", ...args)).out;
    };
    const routes = () => bob.namespace.must(["ip", "route", "get", "192.168.77.9"]);
    const bare = await once();
    // The address of the interface brings a route to the others of its network.
    assertEquals(
      bare.match(/ no-route prefix=(\S+) hint="[^"]*ip route add 192.168.77.0\/24 dev wg0 /g)
        ?.length,
      1,
    );
    assertEquals(bare.match(/ no-route /g)?.length, 1, bare);
    assertMatch(await routes(), / dev eth0 /);
    const routed = await once("--add-routes");
    assertMatch(routed, / route-added prefix=192\.168\.77\.0\/24 interface=wg0\n/);
    assertEquals(routed.includes("no-route"), false);
    assertMatch(await routes(), / dev wg0 /);
    assertEquals(/ (route-added|no-route) /.test(await once("--add-routes")), false);
  },
);

testWith(LAB_NEEDS, "lab: --dry-run says what it would do, and does nothing", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const { alice, bob } = lab;
  const server = await lab.serve();
  await lab.syncOnce(alice);
  const before = await bob.device();
  const dry = await lab.syncOnce(bob, "--dry-run", "--register", "borrow");
  assertEquals([dry.code, dry.err], [0, ""], dry.out);
  assertMatch(dry.out, new RegExp(` endpoint-set key=\\S+ endpoint=${ALICE} .*dryRun=true\n`));
  assertEquals(await bob.device(), before);
  // The registry doesn't know of it either.
  server.signal("SIGUSR1");
  await server.printed(/ counters peers=1 /);
});

testWith(LAB_NEEDS, "lab: --json prints lines of JSON", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  await lab.serve();
  const syncs = [lab.sync(lab.alice, "--json"), lab.sync(lab.bob, "--json")];
  await Promise.all(syncs.map((sync) => sync.printed(/"peer-alive"/, LIMIT * 2)));
  for (const sync of syncs) {
    assertEquals(await sync.stop(), 0);
    const told = parseLines(sync.out);
    const events = told.map(({ event }) => event);
    assertEquals(
      // A way may be proved a moment later: an endpoint that is tried is set again then, and whether that
      // is told before the end is a matter of who is sooner.
      events.filter((event, i) =>
        event !== "path" && (event !== "endpoint-set" || events[i - 1] !== event)
      ),
      // What the server's key is, is said once.
      ["interface-found", "server", "own-endpoint", "endpoint-set", "peer-alive", "stopped"],
    );
    assert(
      told.every(({ event, level, time }) =>
        level === (event === "server" ? "warn" : "info") && !Number.isNaN(Date.parse(`${time}`))
      ),
    );
    assertEquals(sync.err, "");
  }
  const [, , own, set] = parseLines(syncs[0]!.out);
  assertEquals(own!.endpoint, ALICE);
  assertEquals([set!.key, set!.endpoint], [lab.bob.publicKey, BOB]);
  assertEquals((await lab.alice.device()).peers[0]?.persistentKeepalive, 25);
});

testWith(LAB_NEEDS, "lab: hooks get each change, and do no harm", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  const { alice, bob } = lab;
  const told = `${lab.folder}/told`;
  await lab.serve();
  const failing = lab.sync(alice, "--hook", `cat >> ${told}; echo no luck >&2; exit 3`);
  const hanging = lab.sync(bob, "--hook", "sleep 1000");
  await new Ping(bob.namespace, alice.address).reply(LIMIT * 2);
  await failing.printed(/ warn hook-failed status=3 why="no luck"\n/);
  const lines = await linesOf(told, 3);
  assertEquals(
    lines.map(({ schema, event }) => [schema, event]),
    [[1, "own-endpoint"], [1, "endpoint-set"], [1, "peer-alive"]],
  );
  assertEquals([lines[1]!.key, lines[1]!.endpoint], [bob.publicKey, BOB]);
  // It has 2 s left; those that wait for it are left out when sync ends.
  await assertEndsSoon(hanging, 8);
  assertMatch(
    hanging.out,
    / warn hook-failed status=124 why="stopped 2 s after the end had come"\n/,
  );
  await assertEndsSoon(failing, 2);
});

/** Asserts that a signal ends it well, in so many seconds. */
async function assertEndsSoon(program: Running, seconds: number): Promise<void> {
  const start = performance.now();
  assertEquals(await program.stop(), 0);
  const took = (performance.now() - start) / 1000;
  assert(took < seconds, `it took ${took} s to end`);
}

testWith([...LAB_NEEDS, CLOCK_NEED], "lab: a clock at 1970 is said, and waited for", async () => {
  await using lab = await Lab.withWireGuard("preserve", "eim");
  // Only wgsig 2 does without.
  await lab.hearOnlyFirst();
  const server = await lab.serve();
  lab.sync(lab.bob);
  // The interface's handshakes have the right time; only wgsig's clock is set back.
  const clock = await OtherClock.in1970(lab.folder);
  const alice = await clock.sync(lab, lab.alice, "--timeout", "1s");
  await alice.printed(
    /^1970-01-01T\S+ error clock-wrong clock=1970-\S+ hint="[^"]*set the clock"$/m,
  );
  await server.printed(/ drop-outside-window/, 10);
  await clock.setRight();
  await alice.printed(/ info clock-set clock=2/, 10);
  await new Ping(lab.bob.namespace, lab.alice.address).reply(15);
  assertEquals(alice.out.split("clock-wrong").length, 2, alice.out);
});
