/** What a machine does where something fails, is told once, or ends it. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { EXIT, UserError } from "../../../lib/core/settings/user_error.ts";
import type { SyncAction, SyncResult } from "../../../lib/core/sync/actions.ts";
import { SyncMachine } from "../../../lib/core/sync/machine.ts";
import type { SyncOptions } from "../../../lib/core/sync/options.ts";
import { idOf } from "../../support/fake_random.ts";
import { seededNumbers, seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";
import {
  newFinder,
  newPeer,
  OPTIONS,
  statusOf,
  WIREGUARD_PORT,
  World,
  type WorldHost,
} from "./world.ts";

const INTERVAL = 3;
/** What goes without where the port is borrowed. */
const HINT = ` hint="ways to peers aren't probed, and no ports are guessed or predicted: that ` +
  `needs raw sockets (root, or CAP_NET_RAW)"`;

/** A hub with peers that all know it, each at an address of its own. */
function star(count: number, options: Partial<SyncOptions> = {}): [World, WorldHost, WorldHost[]] {
  const world = new World();
  const hub = world.host("203.0.113.1:51820", { interval: INTERVAL, ...options });
  const peers = Array.from({ length: count }, (_, i) => {
    const peer = world.host(`203.0.113.${i + 2}:51820`, { interval: INTERVAL });
    peer.peers.set(hub.key, newPeer());
    peer.isThere = true;
    return peer;
  });
  for (const { key } of peers) hub.peers.set(key, newPeer());
  hub.isThere = true;
  return [world, hub, peers];
}

/** Makes an action fail where it is of this kind, and concerns this peer if one is named. */
function failing(kind: SyncAction["kind"], key?: string, error: unknown = new Error("no luck")) {
  return (action: SyncAction): unknown => {
    if (action.kind !== kind) return undefined;
    const concerned = key === undefined || ("publicKey" in action && action.publicKey === key);
    return concerned ? error : undefined;
  };
}

function count(host: WorldHost, text: string): number {
  return host.log.filter((line) => line.includes(text)).length;
}

test("sync: a peer that can't be set stops no other, and is told of once", () => {
  const [world, hub, peers] = star(5);
  const [first, ...others] = peers;
  hub.fails = failing("set-peer", first!.key);
  first!.fails = failing("set-peer");
  world.until(() => others.every((peer) => world.works(hub, peer)), 5);
  world.run(200);
  assertEquals(count(hub, "not-done"), 1);
  assert(hub.log.includes('warn not-done why="no luck"'), hub.log.join("\n"));
  assertEquals(count(hub, `endpoint-set key=${first!.key}`), 0, "what failed is not told as done");
  assertEquals(count(hub, "peer-alive"), others.length);
  // It is tried for as long as a trial lasts, and then at the next: not at each look.
  const tries = hub.all("set-peer").filter(({ publicKey }) => publicKey === first!.key).length;
  assert(tries >= 2 && tries <= 5, `${tries}`);
  hub.fails = first!.fails = () => undefined;
  world.until(() => world.works(hub, first!), 70);
});

test("sync: what fails again after it has worked is told again", () => {
  const [world, hub, peers] = star(2);
  const [first, second] = peers;
  hub.fails = failing("set-peer", first!.key);
  world.run(20);
  assertEquals(count(hub, "not-done"), 1);
  hub.fails = () => undefined;
  world.until(() => world.works(hub, first!) && world.works(hub, second!), 70);
  world.run(2 * INTERVAL);
  hub.fails = failing("set-peer");
  hub.stop();
  hub.isThere = true;
  hub.move("203.0.113.1:7");
  world.run(20);
  assertEquals(count(hub, "not-done"), 2, hub.log.join("\n"));
});

test("sync: what can't be kept on the disk is told of once, and the rest goes on", () => {
  const world = new World();
  const [alice, bob] = world.pair({ interval: INTERVAL, register: "borrow" });
  alice.notKept = "cannot write";
  world.until(() => world.works(alice, bob), 2 * INTERVAL);
  world.run(60);
  assertEquals(alice.log.filter((line) => line.includes("cannot write")), [
    'warn not-kept why="cannot write"',
  ]);
});

test("sync: two kinds of failures are told once each, whatever the texts of others", () => {
  const [world, hub, peers] = star(4);
  for (const host of [hub, ...peers]) host.fails = failing("read-addresses");
  world.until(() => peers.every((peer) => world.works(hub, peer)), 5);
  const [first] = peers;
  hub.routes = peers.map((_, i) => `203.0.113.${i + 2} via 192.168.1.1`);
  let texts = 0;
  hub.fails = (action) =>
    action.kind === "find-route" || action.kind === "set-peer" || action.kind === "nudge-peer"
      ? new Error(`${action.kind} ${++texts}`)
      : undefined;
  for (let i = 0; i < 5; i++) {
    hub.move(`203.0.113.1:${1000 + i}`);
    for (const [j, peer] of peers.entries()) peer.move(`203.0.113.${20 + j}:${1000 + i}`);
    world.run(40);
  }
  assert(texts > 10, `${texts}`);
  for (const kind of ["set-peer", "nudge-peer"]) {
    const told = count(hub, `not-done why="${kind}`);
    assert(told >= 1, `${kind}: ${hub.log.join("\n")}`);
  }
  // Each look has its first failure told at most; the others of its kind are passed over.
  const looks = hub.all("read-device").length;
  assert(count(hub, "not-done") <= 2 * looks);
  assert(first !== undefined);
});

for (const kind of ["find-route", "remove-route", "nudge-peer", "read-addresses"] as const) {
  test(`sync: where ${kind} fails, the rest of the look goes on`, () => {
    const world = new World(["a:1223", "b:1223"]);
    const [alice, bob] = world.pair({ interval: INTERVAL, mendRoutes: true });
    alice.fails = failing(kind);
    alice.routes = ["203.0.113.22 via 192.168.1.1"];
    world.until(() => alice.events.includes("peer-alive"), 10);
    alice.move("203.0.113.31:51820");
    bob.move("203.0.113.32:35436");
    world.until(() => world.works(alice, bob), 2 * INTERVAL + 30);
    world.run(30);
    assert(alice.kinds().includes(kind), kind);
    const told = alice.log.filter((line) => line.includes("not-done"));
    assertEquals(told, kind === "remove-route" ? [] : ['warn not-done why="no luck"']);
    if (kind === "remove-route") assertEquals(count(alice, "warn stale-route route="), 1);
  });
}

test("sync: a port that can't be mended is not borrowed meanwhile, and tried again", () => {
  const world = new World();
  const [alice, bob] = world.pair({ interval: INTERVAL, register: "borrow" });
  alice.borrowed = WIREGUARD_PORT;
  alice.fails = failing("mend-port");
  bob.peers.set(alice.key, newPeer(alice.publicEndpoint, 25));
  world.run(30);
  assertEquals(count(alice, "not-done"), 1);
  assert(alice.all("ask").length > 5);
  assert(alice.all("ask").every(({ question }) => question.way === "unregistered"));
  assert(world.works(alice, bob), "the peer is found all the same");
  alice.fails = () => undefined;
  world.until(
    () => count(alice, `port-mended interface=wg0 port=${WIREGUARD_PORT}`) === 1,
    2 * INTERVAL,
  );
  world.until(
    () => alice.all("ask").some(({ question }) => question.way === "borrow"),
    2 * INTERVAL,
  );
  const mends = alice.all("mend-port").length;
  world.run(60);
  assertEquals(alice.all("mend-port").length, mends, "what was mended is not mended again");
  alice.stop();
  world.run(2 * INTERVAL);
  alice.borrowed = WIREGUARD_PORT;
  alice.isThere = true;
  world.until(() => count(alice, "port-mended") === 2, 2 * INTERVAL);
});

test("sync: where raw sockets are not permitted, the port is borrowed", () => {
  for (
    const [kind, mode, why] of [
      ["find-route", "raw", "raw sockets are permitted"],
      ["try-raw", "borrow", "no raw socket: no luck"],
    ] as const
  ) {
    const world = new World();
    const [alice] = world.pair({ register: "auto" });
    alice.fails = failing(kind);
    world.run(2);
    assertEquals(
      alice.log[0],
      `info interface-found interface=wg0 port=51820 register=${mode} why="${why}"${
        mode === "raw" ? "" : HINT
      }`,
    );
    assertEquals(alice.all("ask")[0]?.question.way, mode);
    assertEquals(count(alice, "not-done"), 0);
  }
});

test("sync: name servers alone register nothing, and tunnel and none neither", () => {
  const dns = { scheme: "dns", host: "a", port: 53, zone: "z" } as const;
  const cases: readonly (readonly [Partial<SyncOptions>, string])[] = [
    [{ servers: [dns], register: "raw" }, 'register=none why="no registry is among the servers"'],
    [{ register: "tunnel" }, 'register=tunnel why="as the settings say"'],
    [{ register: "none" }, 'register=none why="as the settings say"'],
  ];
  for (const [options, text] of cases) {
    const world = new World();
    const [host] = world.pair(options);
    world.run(2);
    assert(host.log[0]?.endsWith(text), host.log[0]);
    assertEquals(host.all("ask")[0]?.question.way, "unregistered");
    assertEquals(host.all("try-raw"), []);
  }
});

test("sync: an interface that can't be read is told of once, and read again", () => {
  for (const since of [0, 20]) {
    const world = new World();
    const [alice, bob] = world.pair({ interval: INTERVAL });
    world.run(since);
    alice.fails = failing("read-device");
    world.run(100);
    assertEquals(count(alice, "not-done"), 1);
    alice.fails = () => undefined;
    world.run(80);
    assert(world.works(alice, bob));
    alice.fails = failing("read-device");
    world.run(100);
    assertEquals(count(alice, "not-done"), 2, "it is told again when it comes again");
  }
});

test("sync: a question that can't be asked is told of as what it is", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [
      new UserError("cannot find server a", EXIT.hostNotFound),
      'warn not-asked why="cannot find server a"',
    ],
    [new Error("far"), "warn not-done why=far"],
  ];
  for (const [error, line] of cases) {
    const world = new World();
    const [alice] = world.pair({ interval: INTERVAL });
    alice.fails = failing("ask", undefined, error);
    world.run(300);
    assertEquals(alice.log.slice(1), [line]);
    // 1, 2, 4 … 60 s
    const asks = alice.all("ask").length;
    assert(asks >= 8 && asks <= 13, `${asks}`);
  }
});

test("sync: what could not be added is tried soon again, and then no more often than all else", () => {
  const [world, hub, [peer]] = star(1, { addPeers: true, interval: 25 });
  const stranger = world.host("203.0.113.9:1", {});
  stranger.isThere = true;
  stranger.peers.set(hub.key, newPeer());
  const config = new Map([[stranger.key, { name: "carol", allowedIps: ["10.0.0.9/32"] }]]);
  const host = world.host("203.0.113.8:8", { addPeers: true, interval: 25, peers: config });
  host.peers.set(peer!.key, newPeer());
  peer!.peers.set(host.key, newPeer());
  host.isThere = true;
  host.fails = failing("set-peer", stranger.key);
  world.until(() => world.works(host, peer!) && host.events.includes("peer-alive"), 40);
  const alive = world.second;
  world.run(30);
  // After 1, 2, 4 s and so on.
  const soon = host.kinds(alive).filter((kind) => kind === "set-peer").length;
  assert(soon >= 3 && soon <= 6, `${soon} in 30 s`);
  world.run(600);
  assertEquals(count(host, "not-done"), 1);
  const since = world.second;
  world.run(3600);
  const tries = host.kinds(since).filter((kind) => kind === "set-peer").length;
  assert(tries > 3600 / 25 / 2 && tries < 3600 / 20, `${tries} in an hour`);
  assert(world.works(host, peer!));
  host.fails = () => undefined;
  world.until(() => count(host, "peer-added") === 1, 30);
  assert(
    host.log.includes(
      `info peer-added key=${stranger.key} name=carol endpoint=203.0.113.9:1 allowedIps=10.0.0.9/32`,
    ),
    host.log.join("\n"),
  );
  assertEquals(host.peers.get(stranger.key)?.allowedIps, ["10.0.0.9/32"]);
});

test("sync: peers that the interface lacks are told of once, and with the hint that fits", () => {
  for (const addPeers of [false, true]) {
    const world = new World();
    const [alice, bob] = world.pair({ interval: INTERVAL, addPeers });
    alice.peers.clear();
    world.run(30);
    const hint = addPeers ? "the settings name no allowed-ips for it" : "--add-peers adds those";
    assertEquals(
      count(alice, `info peer-unknown key=${bob.key} endpoint=${bob.publicEndpoint}`),
      1,
    );
    assertEquals(count(alice, hint), 1, alice.log.join("\n"));
    assertEquals(alice.all("set-peer"), []);
  }
});

test("sync: keys are asked for by name, and all where peers are added", () => {
  for (const addPeers of [false, true]) {
    const world = new World();
    const [alice, bob] = world.pair({ addPeers });
    world.run(1);
    const question = alice.all("ask")[0]?.question;
    assertEquals(question?.keys, addPeers ? undefined : [bob.key]);
    assertEquals([...question?.openTo.keys() ?? []], [bob.key]);
    assertEquals(formatKey(question?.id ?? new Uint8Array(32)), alice.key);
  }
});

test("sync: a peer that is alive where it is needs no opener, until the own endpoint moves", () => {
  const world = new World();
  const [alice, bob] = world.pair({ interval: INTERVAL });
  world.until(() => alice.events.includes("peer-alive"), 10);
  world.run(10);
  const opensTo = () => alice.all("ask").at(-1)?.question.openTo.get(bob.key);
  assertEquals(opensTo()?.port, 35_436);
  alice.move("203.0.113.31:51820");
  world.until(() => alice.all("nudge-peer").length > 0, 5);
  world.until(() => alice.all("ask").at(-1)?.question.openTo.get(bob.key) === undefined, 2);
});

test("sync: without servers the lease server's news are candidates", () => {
  const world = new World();
  const lease = { acceptRoutes: false, isTrusted: false };
  const [alice, bob] = world.pair({ servers: [], lease, interval: INTERVAL });
  world.run(2);
  assertEquals(alice.kinds().includes("ask"), false);
  const tell = (host: WorldHost, of: WorldHost) => {
    const [address = "", port = ""] = of.publicEndpoint.split(":");
    const endpoint = { host: address, port: Number(port) };
    const peers = [{ publicKey: of.key, endpoint, allowedIps: [] }];
    host.machine.heard({ kind: "lease-peers", peers }, host.now());
  };
  tell(alice, bob);
  tell(bob, alice);
  world.until(() => world.works(alice, bob), 2 + INTERVAL);
  // What was told of an interface that is gone holds no more.
  alice.stop();
  world.until(() => alice.events.at(-1) === "waiting", 2 * INTERVAL);
  alice.isThere = true;
  world.run(10);
  assertEquals(alice.endpointOf(bob), undefined);
  tell(alice, bob);
  world.until(() => world.works(alice, bob), 2 + INTERVAL);
});

test("sync: a server that has moved is told of, and what may follow is awaited", () => {
  const world = new World();
  const [alice] = world.pair();
  world.run(20);
  const addresses = ["203.0.113.11", "203.0.113.12"];
  alice.machine.heard({ kind: "server-moved", server: "vps.example", addresses }, alice.now());
  world.run(1);
  assertEquals(
    alice.log.at(-1),
    "info server-moved server=vps.example address=203.0.113.11,203.0.113.12",
  );
});

test("sync: one look ends with 0, 1, 2 or 5, and says why it could not be", () => {
  const single = (change: (world: World, alice: WorldHost, bob: WorldHost) => void) => {
    const world = new World();
    const [alice, bob] = world.pair({ once: true });
    change(world, alice, bob);
    world.until(() => alice.ended !== undefined, 10);
    return alice;
  };
  const after = single((world, alice) => {
    world.hosts.shift();
    world.run(1);
    world.hosts.push(alice);
  });
  assertEquals(statusOf(after), EXIT.ok);
  // Bob isn't in the registry yet.
  assertEquals(statusOf(single((world) => void world.hosts.pop())), EXIT.somePeersFailed);
  const silent = single(({ registries }) => registries[0]!.isUp = false);
  assertEquals(statusOf(silent), EXIT.timedOut);
  // Who hears nothing can't say that no server knows a peer.
  assertEquals(count(silent, 'hint="no server has said where it is; the lines before say why"'), 1);
  assertEquals(
    statusOf(single((_, alice) => alice.isThere = false)),
    "there is no WireGuard interface wg0; bring it up first, or leave --once out to wait",
  );
  assertEquals(
    statusOf(single((_, alice) => alice.hasKey = false)),
    "WireGuard interface wg0 has no private key; set one; or where its program doesn't tell it " +
      "(boringtun), name private-key-file or public-key in [sync.wg0] of the settings",
  );
  for (const kind of ["read-device", "ask"] as const) {
    const error = new UserError("cannot run wg");
    const host = single((_, alice) => alice.fails = failing(kind, undefined, error));
    assertEquals([statusOf(host), count(host, "not-")], ["cannot run wg", 0]);
  }
});

test("sync: where one peer of a single look fails, the others are set, and it ends with that", () => {
  const [world, hub, peers] = star(4, { once: true });
  world.run(0);
  for (const peer of peers) peer.sync();
  world.hosts.splice(0, 1);
  world.run(1);
  world.hosts.unshift(hub);
  const [first, , third] = peers;
  hub.fails = (action) =>
    failing("set-peer", first!.key, new UserError("first"))(action) ??
      failing("set-peer", third!.key, new UserError("third"))(action);
  world.until(() => hub.ended !== undefined, 10);
  assertEquals(statusOf(hub), "first");
  assertEquals(count(hub, "endpoint-set"), 2);
  assertEquals(hub.log.filter((line) => line.includes("not-done")), ["warn not-done why=third"]);
});

test("sync: one look tells of each peer that is down, and is never silent", () => {
  const [world, hub, [up, down, stranger]] = star(3, { once: true });
  world.hosts.splice(0, 1);
  world.run(1);
  world.hosts.pop();
  world.registries[0]!.records.delete(stranger!.key);
  Object.assign(hub.peers.get(up!.key)!, { latestHandshake: Math.floor(world.now.unix) });
  const before = { endpoint: { host: "192.0.2.9", port: 9 } };
  Object.assign(hub.peers.get(stranger!.key)!, {
    ...before,
    latestHandshake: Math.floor(world.now.unix) - 300,
  });
  // What is set is the endpoint that it has already: nothing else is told of.
  Object.assign(hub.peers.get(down!.key)!, {
    endpoint: { host: "203.0.113.3", port: 51_820 },
    persistentKeepalive: 25,
  });
  world.hosts.unshift(hub);
  world.until(() => hub.ended !== undefined, 10);
  assertEquals(statusOf(hub), EXIT.somePeersFailed);
  const lines = hub.log.filter((line) => /peer-down|looked|endpoint-set/.test(line));
  assertEquals(lines.map((line) => line.replace(/=30\d /, "=30… ")), [
    `warn peer-down key=${down!.key} endpoint=203.0.113.3:51820 ` +
    'hint="a server knows it; look again in some seconds"',
    `warn peer-down key=${stranger!.key} endpoint=192.0.2.9:9 sinceHandshake=30… ` +
    'hint="no server knows it; does sync run there, with the same servers and group?"',
    "info looked peers=3 down=2",
  ]);
});

test("sync: a dry run says what it would do, and does nothing", () => {
  const world = new World();
  const [alice, bob] = world.pair({ interval: INTERVAL });
  world.run(3);
  const dry = world.host("203.0.113.5:5", {
    dryRun: true,
    once: true,
    addPeers: true,
    register: "borrow",
    peers: new Map([[alice.key, { name: "alice", allowedIps: ["10.0.0.1/32"] }]]),
  });
  dry.peers.set(bob.key, newPeer());
  dry.borrowed = WIREGUARD_PORT;
  dry.isThere = true;
  world.run(3);
  assertEquals(dry.kinds(), ["read-device", "ask"]);
  assertEquals(dry.all("ask")[0]?.question.way, "unregistered");
  const hint = "no [[peer]] of the settings has this host's key; do the others' have it?";
  assertEquals(dry.log.slice(1), [
    `info own-key-unlisted key=${dry.key} hint="${hint}"`,
    `info endpoint-set key=${bob.key} endpoint=${bob.publicEndpoint} persistentKeepalive=25 dryRun=true`,
    `info peer-added key=${alice.key} name=alice endpoint=${alice.publicEndpoint} ` +
    "allowedIps=10.0.0.1/32 dryRun=true",
    `warn peer-down key=${bob.key} hint="a server knows it; look again in some seconds"`,
    "info looked peers=1 down=1",
  ]);
  assertEquals(statusOf(dry), EXIT.ok);
});

test("sync: a signal ends it while it waits, and after the round that is under way", () => {
  const world = new World();
  const [alice, bob] = world.pair();
  world.run(60);
  alice.machine.end();
  world.tick();
  assertEquals(statusOf(alice), EXIT.ok);
  world.registries[0]!.isUp = false;
  world.until(() => bob.machine.next(bob.now()).kind === "ask", 30);
  bob.machine.end();
  assertEquals(bob.machine.next(bob.now()), { kind: "wait", until: Infinity });
  bob.machine.told({ kind: "failed", error: new Error("x"), why: "x" }, bob.now());
  assertEquals(bob.machine.next(bob.now()), { kind: "end", status: EXIT.ok });
});

test("sync: a wish is a look at once, also where a poll is under way", () => {
  const world = new World();
  const [alice] = world.pair();
  world.run(60);
  for (let i = 0; i < 20; i++) {
    world.run(1.7);
    const reads = alice.all("read-device").length;
    alice.machine.look();
    world.run(0.3);
    assertEquals(alice.all("read-device").length - reads >= 1, true);
  }
});

test("sync: where the interface's end is the end of all, it is told of and ends well", () => {
  const world = new World();
  const [alice] = world.pair({ untilGone: true, interval: INTERVAL });
  alice.isThere = false;
  world.run(10);
  assertEquals([alice.ended, alice.log], [undefined, ["info waiting interface=wg0"]]);
  alice.isThere = true;
  world.run(10);
  alice.stop();
  world.until(() => alice.ended !== undefined, INTERVAL + 1);
  assertEquals([statusOf(alice), alice.log.at(-1)], [EXIT.ok, "info interface-gone interface=wg0"]);
});

test("sync: other settings hold from the next round on, and what works stays as it is", () => {
  const [world, hub, [first, second]] = star(2, { interval: 30, peers: new Map() });
  hub.peers.delete(second!.key);
  world.until(() => world.works(hub, first!), 5);
  world.run(100);
  const written = hub.all("set-peer").length;
  const told = hub.log.length;
  assert(hub.events.includes("peer-unknown"));
  const known = { name: "second", allowedIps: ["10.0.0.2/32"] };
  const options = {
    ...OPTIONS,
    interval: 5,
    addPeers: true,
    peers: new Map([[second!.key, known]]),
  };
  hub.machine.configure(options);
  const since = world.second;
  world.run(31);
  assertEquals(hub.peers.get(second!.key)?.allowedIps, ["10.0.0.2/32"]);
  assertEquals(hub.all("set-peer").length, written + 1);
  assert(hub.kinds(since).filter((kind) => kind === "read-device").length >= 5);
  assert(!hub.log.slice(told).some((line) => line.includes("interface-")), hub.log.join("\n"));
  assert(hub.log.some((line) => line.includes(" name=second ")));
  // Another way of registering is chosen anew.
  hub.machine.configure({ ...options, register: "none" });
  world.run(1);
  const ask = hub.all("ask").at(-1);
  assertEquals(ask?.question.way, "unregistered");
  assertEquals(count(hub, "interface-found"), 2);
});

for (const addRoutes of [false, true]) {
  test(`sync: what is behind a peer that is added has a route, or that is said: ${addRoutes}`, () => {
    const allowedIps = ["10.0.0.2/32", "192.168.20.0/24", "fd00::2/128", "0.0.0.0/0"];
    const peer = { name: "first", allowedIps };
    const [world, hub, [first]] = star(1, { addPeers: true, addRoutes });
    hub.peers.clear();
    hub.machine.configure({
      ...OPTIONS,
      ...{ addPeers: true, addRoutes, peers: new Map([[first!.key, peer]]) },
    });
    hub.routes = ["10.0.0.2/32 dev wg0"];
    hub.fails = (action) =>
      action.kind === "add-route" && action.prefix.includes(":") ? new Error("no luck") : undefined;
    world.run(40);
    assertEquals(hub.routes.slice(1), addRoutes ? ["192.168.20.0/24 dev wg0"] : []);
    const told = hub.log.filter((line) => / (no-route|route-added|not-done) /.test(line));
    const lacks = (prefix: string, mend: string, why = "") =>
      `warn no-route prefix=${prefix}${why} hint="what goes there leaves outside the tunnel, in ` +
      `clear: ${mend}"`;
    const more = addRoutes ? "" : " (add-routes = true in the settings does that)";
    assertEquals(told.toSorted(), [
      ...(addRoutes ? ["info route-added prefix=192.168.20.0/24 interface=wg0"] : []),
      lacks("0.0.0.0/0", "wg-quick sets what that needs, a mark and rules"),
      ...(addRoutes
        ? []
        : [lacks("192.168.20.0/24", `ip route add 192.168.20.0/24 dev wg0${more}`)]),
      lacks(
        "fd00::2/128",
        `ip -6 route add fd00::2/128 dev wg0${more}`,
        addRoutes ? ' why="no luck"' : "",
      ),
    ]);
  });
}

test("sync: an interface of which another process takes care is waited for", () => {
  const world = new World();
  const [alice, bob] = world.pair({ interval: INTERVAL });
  alice.isBusy = true;
  world.run(30);
  assertEquals(alice.log, [
    'warn interface-busy interface=wg0 hint="another wgsig sync takes care of it; this one waits ' +
    'for its end"',
  ]);
  assert(alice.kinds().every((kind) => kind === "take-lock"));
  alice.isBusy = false;
  world.until(() => world.works(alice, bob), 2 * INTERVAL);
  assertEquals(alice.kinds(31).filter((kind) => kind === "take-lock"), [], "it is kept");

  const once = world.host("203.0.113.7:7", { once: true });
  once.isBusy = true;
  world.run(1);
  assertEquals(statusOf(once), "another wgsig sync takes care of wg0 already");
});

test("sync: where there are no locks, that is told of once, and the rest goes on", () => {
  const world = new World();
  const [alice, bob] = world.pair({ interval: INTERVAL });
  alice.fails = failing("take-lock");
  world.until(() => world.works(alice, bob), 2 * INTERVAL);
  world.run(60);
  assertEquals([count(alice, "not-locked"), count(alice, "not-done")], [1, 0]);
});

test("sync: an interface without a private key is told of once, until it has one", () => {
  const world = new World();
  const [alice, bob] = world.pair({ interval: INTERVAL });
  alice.hasKey = false;
  world.run(30);
  const hint = "set one; or where its program doesn't tell it (boringtun), name private-key-file " +
    "or public-key in [sync.wg0] of the settings";
  assertEquals(alice.log.slice(1), [`warn no-private-key interface=wg0 hint="${hint}"`]);
  assertEquals(alice.all("ask"), []);
  alice.hasKey = true;
  world.until(() => world.works(alice, bob), 2 * INTERVAL);
});

test("sync: where the interface doesn't tell its key, the one that the settings name serves", () => {
  for (const register of ["raw", "borrow"] as const) {
    const world = new World();
    const [alice, bob] = world.pair({ interval: INTERVAL, register });
    alice.tellsKey = false;
    alice.namedKey = alice.key;
    world.until(() => world.works(alice, bob), 2 * INTERVAL);
    world.run(200);
    assertEquals(count(alice, "no-private-key"), 0);
    assertEquals(count(alice, "interface-"), 1, alice.log.join("\n"));
    // The file that holds it is away: that is told of, and what was known holds.
    alice.fails = failing("read-key");
    world.run(5 * INTERVAL);
    assertEquals([count(alice, "not-done"), count(alice, "no-private-key")], [1, 0]);
    alice.move("203.0.113.31:51820");
    bob.move("203.0.113.32:35436");
    world.until(() => world.works(alice, bob), 2 * INTERVAL + 60);
  }
});

test("sync: the lease client is told of each look, and of the interface's end", () => {
  const machine = new SyncMachine(OPTIONS, seededRandom(1), newFinder(1), { unix: 1.8e9, mono: 0 });
  const told: (string | undefined)[] = [];
  const takeNotes = () => {
    for (const note of machine.takeNotes()) {
      if (note.kind === "device") told.push(note.device?.publicKey);
    }
  };
  const publicKey = formatKey(idOf(1));
  const device = { publicKey, listenPort: 1, mark: 0, peers: [] };
  const now = (mono: number) => ({ unix: 1.8e9 + mono, mono });
  for (const [second, each] of [[0, undefined], [1.5, device], [9, undefined]] as const) {
    for (let step = machine.next(now(second)); step.kind !== "wait";) {
      const result: SyncResult = step.kind === "read-device"
        ? { kind: "device", device: each }
        : step.kind === "mend-port"
        ? { kind: "port", port: undefined }
        : { kind: "failed", error: new Error(step.kind), why: step.kind };
      machine.told(result, now(second));
      step = machine.next(now(second));
    }
    takeNotes();
  }
  assertEquals(told, [undefined, publicKey, undefined]);
});

test("sync: whatever comes of the actions, it neither stops, nor runs wild, nor throws", () => {
  const keys = [1, 2, 3, 4].map((number) => formatKey(idOf(number)));
  const run = (seed: number, options: Partial<SyncOptions>) => {
    const chance = seededNumbers(seed);
    const pick = <T>(all: readonly T[]): T => all[Math.floor(chance() * all.length)]!;
    const endpoint = () => ({ host: `192.0.2.${pick([1, 2, 3])}`, port: pick([1, 2]) });
    let now = { unix: 1.8e9, mono: 0 };
    const machine = new SyncMachine(
      { ...OPTIONS, ...options },
      seededRandom(seed),
      newFinder(seed),
      now,
    );
    const resultOf = (action: SyncAction): SyncResult => {
      if (chance() < 0.2) {
        const error = chance() < 0.5 ? new Error("e") : new UserError("u");
        return { kind: "failed", error, why: error.message };
      }
      switch (action.kind) {
        case "take-lock":
          return { kind: "lock", isTaken: chance() < 0.5 };
        case "read-device": {
          if (chance() < 0.1) return { kind: "device", device: undefined };
          const peers = keys.slice(1).filter(() => chance() < 0.9).map((publicKey) => ({
            publicKey,
            endpoint: chance() < 0.2 ? undefined : endpoint(),
            allowedIps: [],
            latestHandshake: chance() < 0.3 ? 0 : Math.floor(now.unix - 300 * chance()),
            received: Math.floor(5 * chance()),
            sent: 0,
            persistentKeepalive: pick([0, 25]),
          }));
          const publicKey = chance() < 0.1 ? undefined : keys[0];
          const device = { publicKey, listenPort: pick([0, 1, 1, 1]), mark: pick([0, 7]), peers };
          return { kind: "device", device };
        }
        case "read-key":
          return { kind: "key", publicKey: pick([undefined, keys[0]]) };
        case "mend-port":
          return { kind: "port", port: pick([undefined, 7]) };
        case "read-addresses":
          return { kind: "addresses", addresses: ["192.0.2.1"], tunnel: [] };
        case "find-route":
        case "find-tunnel-route":
          return { kind: "route", route: pick([undefined, "192.0.2.1 via 192.0.2.9"]) };
        case "ask": {
          const sightings = new Map(keys.map((publicKey) => [
            publicKey,
            Array.from({ length: pick([0, 1, 2]) }, () => {
              const { host: address, port } = endpoint();
              const seconds = pick([undefined, Math.floor(now.unix - 100 * chance())]);
              return { publicKey, address, port, seconds, nanoseconds: 0, isClaim: chance() < 0.2 };
            }),
          ]));
          const status = pick([EXIT.ok, EXIT.ok, EXIT.timedOut]);
          const servers = ["a", "b"].map((server) => ({
            server,
            status: pick(["ok", "no-answer"] as const),
            received: pick([0, 1]),
            expected: 1,
            ownEndpoint: pick([undefined, endpoint()]),
          }));
          const peers = [...sightings.values()].flatMap(([newest]) => newest ?? []);
          const registered = action.question.way !== "unregistered";
          const answer = { publicKey: keys[0], port: 1, unix: now.unix, warnings: [], notes: [] };
          return {
            kind: "answer",
            answer: { ...answer, servers, sightings, peers, registered, status },
          };
        }
        default:
          return { kind: "done" };
      }
    };
    let actions = 0;
    let rounds = 0;
    for (let i = 0; i < 3000; i++) {
      const step = machine.next(now);
      machine.takeNotes();
      if (step.kind === "wait") {
        assert(step.until > now.mono && step.until < now.mono + 70, `${step.until} at ${now.mono}`);
        if (chance() < 0.1) machine.look();
        const wait = chance() < 0.1 ? 0 : step.until - now.mono;
        now = { unix: now.unix + wait, mono: now.mono + wait };
        actions = 0;
        rounds++;
      } else if (step.kind === "end" || step.kind === "fail") {
        assert(options.once === true || options.untilGone === true);
        return;
      } else {
        assert(++actions < 60, "too many actions in a round");
        now = { unix: now.unix + 0.1, mono: now.mono + 0.1 };
        machine.told(resultOf(step), now);
      }
    }
    assert(options.once !== true, "one look ends");
    assert(rounds > 100, `${rounds} rounds`);
  };
  const options: fc.Arbitrary<Partial<SyncOptions>> = fc.record({
    once: fc.boolean(),
    dryRun: fc.boolean(),
    addPeers: fc.boolean(),
    untilGone: fc.boolean(),
    mendRoutes: fc.boolean(),
    movePort: fc.boolean(),
    addRoutes: fc.boolean(),
    register: fc.constantFrom("auto", "raw", "borrow", "tunnel", "none"),
    interval: fc.constantFrom(1, 25, 60),
    peers: fc.constant(
      new Map(keys.map((key) => [key, { name: "n", allowedIps: ["10.0.0.1/32"] }])),
    ),
  });
  fc.assert(fc.property(fc.nat(), options, run), { numRuns: 40 });
});
