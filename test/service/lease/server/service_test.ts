/** The lease service on a host whose `wg` and `ip` are scripted: what goes wrong, and is made up for. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { MAX_LEASE_CONNECTIONS } from "../../../../lib/core/lease/server/connection_table.ts";
import { idOf } from "../../../support/fake_random.ts";
import { ALICE, ANY, BOB, CONFIG, HUB, Scene, started } from "./scene.ts";

Deno.test("a grant that wg refuses is not answered, and is made up for", async () => {
  const scene = await started();
  const connection = scene.connect("fe80::a");
  scene.fails = "Unable to modify interface: Out of memory\n";
  await scene.send(connection, ANY);
  assertEquals([connection.text, connection.state], ["", "aborted"]);
  assertMatch(scene.log, / lease-not-applied key=\S+ why="[^"]*Out of memory"/);
  assertEquals(scene.peers?.get(ALICE), ["fe80::a/128"]);
  scene.fails = "";
  await scene.look();
  const [, address = ""] = scene.peers?.get(ALICE) ?? [];
  assertMatch(address, /^10\.20\.0\.\d+\/32$/);
  const again = scene.connect("fe80::a");
  await scene.send(again, `request_ip=1\nip=${address}\n\n`);
  assertMatch(again.text, new RegExp(`^ip=${address}\n.*errno=0\n\n$`, "s"));
  await scene.service.close();
});

Deno.test("an end that wg refuses doesn't become an address of the admin", async () => {
  const scene = await started();
  const connection = scene.connect("fe80::b");
  await scene.send(connection, ANY);
  assertEquals(scene.peers?.get(BOB)?.length, 3);
  connection.abort();
  scene.fails = "Unable to modify interface: Out of memory\n";
  await scene.look(61);
  await scene.look();
  assertEquals(scene.peers?.get(BOB)?.length, 3);
  assertEquals(scene.log.split("lease-not-applied").length, 2);
  // It is still its own, if it asks for it.
  const again = scene.connect("fe80::b");
  await scene.send(again, `request_ip=1\nip=${scene.peers?.get(BOB)?.[2]}\n\n`);
  assertMatch(again.text, /errno=0\n\n$/);
  again.abort();
  await scene.look(61);
  assertEquals(scene.peers?.get(BOB)?.length, 3);
  scene.fails = "";
  await scene.look();
  assertEquals(scene.peers?.get(BOB), ["fe80::b/128", "192.168.7.0/24"]);
  await scene.service.close();
});

Deno.test("a device that goes during a request takes no lease with it", async () => {
  const scene = await started();
  const connection = scene.connect("fe80::a");
  await scene.send(connection, ANY);
  const held = scene.peers?.get(ALICE)?.[1] ?? "";
  assertMatch(held, /^10\./);
  const { peers } = scene;
  scene.peers = undefined;
  await scene.send(connection, ANY);
  await scene.look();
  assertEquals(scene.listening, undefined);
  assertMatch(scene.log, / lease-waiting interface=wg0 why="there is no such interface yet"\n/);
  assert(!scene.log.includes("lease-forgotten"), scene.log);
  peers?.set(ALICE, ["fe80::a/128"]);
  scene.peers = peers;
  await scene.look();
  assertEquals(scene.peers?.get(ALICE)?.length, 2);
  await scene.service.close();
});

Deno.test("an interface that was made anew is listened on anew", async () => {
  const scene = await started();
  assertEquals(scene.listened, 1);
  await scene.look();
  assertEquals(scene.listened, 1);
  scene.index++;
  await scene.look();
  assertEquals(scene.listened, 2);
  await scene.service.close();
  await scene.look();
  assertEquals([scene.listening, scene.timers.size], [undefined, 0]);
});

Deno.test("an address that was added just now is listened on in a moment", async () => {
  const scene = new Scene();
  scene.unheard.push("EADDRNOTAVAIL", "EADDRNOTAVAIL");
  const start = scene.service.start();
  for (let i = 0; i < 2; i++) {
    await scene.settle();
    assertEquals(scene.listened, 0);
    await scene.wait(0.1);
  }
  await start;
  assertEquals(scene.listened, 1);
  assertMatch(scene.log, /^\S+ info lease-listening /m);
  assert(!scene.log.includes("lease-waiting"), scene.log);
  await scene.service.close();

  // It is not waited for where it can't come, nor for ever.
  for (const [code, count] of [["EADDRINUSE", 1], ["EADDRNOTAVAIL", 20]] as const) {
    const other = new Scene();
    other.unheard.push(...Array.from({ length: count }, () => code));
    const begun = other.service.start();
    for (let i = 0; i < count; i++) await other.wait(0.1);
    await begun;
    assertEquals(other.listened, 0);
    assertMatch(other.log, / lease-waiting interface=wg0 why=/);
    assert(other.unheard.length < count);
    await other.service.close();
  }
});

Deno.test("wg that can't be read ends the request, and not the service", async () => {
  const scene = await started();
  const connection = scene.connect("fe80::a");
  await scene.settle();
  scene.elapsed += 5;
  const { peers } = scene;
  scene.peers = new Map([["no key", []]]);
  await scene.send(connection, ANY);
  assertEquals([connection.text, connection.state], ["", "aborted"]);
  scene.peers = peers;
  await scene.look();
  const again = scene.connect("fe80::a");
  await scene.send(again, ANY);
  assertMatch(again.text, /errno=0\n\n$/);
  await scene.service.close();
});

Deno.test("an address that has gone to another peer is no identity of the old one", async () => {
  const scene = await started();
  const connection = scene.connect("fe80::a");
  await scene.send(connection, ANY);
  scene.peers?.set(ALICE, []);
  scene.peers?.set(BOB, ["fe80::a/128"]);
  scene.elapsed += 5;
  const before = connection.text;
  await scene.send(connection, "request_ip=1\n\n");
  assertEquals([connection.text, connection.state], [before, "aborted"]);
  await scene.service.close();
});

Deno.test("of two requests of one peer, each is told what is true just then", async () => {
  const scene = new Scene({ pools: ["10.20.0.0/16"] });
  Object.assign(scene, { random: (bytes: Uint8Array) => void crypto.getRandomValues(bytes) });
  scene.peers?.set(ALICE, ["fe80::a/128", "fe80::c/128"]);
  await scene.service.start();
  const connections = ["fe80::a", "fe80::c"].map((address) => scene.connect(address));
  const onDevice: boolean[] = [];
  for (const connection of connections) {
    connection.write = (bytes) => {
      const [, address = ""] = /^ip=(\S+)\n/.exec(new TextDecoder().decode(bytes)) ?? [];
      if (bytes.length > 0) onDevice.push(scene.peers?.get(ALICE)?.includes(address) === true);
    };
    connection.events?.onData(new TextEncoder().encode(ANY));
  }
  await scene.settle();
  assertEquals(onDevice, [true, true]);
  assertEquals(scene.peers?.get(ALICE)?.length, 3);
  await scene.service.close();
});

Deno.test("what this host has itself is not leased, nor what a peer was given", async () => {
  const scene = new Scene({ pools: ["10.20.0.0/29"] });
  scene.localAddresses = () => ["10.20.0.1", "10.20.0.2", "fe80::1%wg0"];
  scene.peers?.set(BOB, ["fe80::b/128", "10.20.0.3/32", "10.0.0.0/8", "10.20.0.4/31"]);
  await scene.service.start();
  const connection = scene.connect("fe80::a");
  await scene.send(connection, ANY);
  assertMatch(connection.text, /^ip=10\.20\.0\.6\/32\n/);
  await scene.service.close();
});

Deno.test("settings without any static address are taken over as well", async () => {
  const scene = new Scene();
  scene.peers = new Map();
  await scene.service.start();
  scene.localAddresses = () => [];
  await scene.look();
  scene.service.configure({ ...CONFIG, pools: ["10.21.0.0/24"] });
  scene.peers.set(ALICE, ["fe80::a/128"]);
  await scene.look();
  const connection = scene.connect("fe80::a");
  await scene.send(connection, ANY);
  assertMatch(connection.text, /^ip=10\.21\.0\./);
  await scene.service.close();
});

Deno.test("without a state file, leases outlive the process in /var/run", async () => {
  const scene = await started({ state: undefined });
  const connection = scene.connect("fe80::a");
  await scene.send(connection, ANY);
  const path = `/var/run/wgsig/wg0-${HUB.replace(/\W/g, "")}.leases`;
  const { bytes } = await scene.readFile(path, 1 << 20);
  const next = new Scene({ state: undefined }, { [path]: { content: bytes } });
  next.peers = scene.peers;
  const [, address = ""] = scene.peers?.get(ALICE) ?? [];
  await next.service.start();
  const again = next.connect("fe80::a");
  await next.send(again, `request_ip=1\nip=${address}\n\n`);
  assertMatch(again.text, /errno=0\n\n$/);
  await next.service.close();
  // Where it can't be kept, that is said.
  const refused = new Scene({ state: undefined });
  refused.refuses = { makeFolder: "EROFS" };
  await refused.service.start();
  assertMatch(refused.log, / leases-not-kept why="\S+: read-only file system" hint=/);
  await refused.service.close();
  await scene.service.close();
});

Deno.test("a full house closes who is silent for longest", async () => {
  const scene = new Scene();
  const address = (i: number) => `fe80::1:${i.toString(16)}`;
  const all = MAX_LEASE_CONNECTIONS + 5;
  scene.peers = new Map();
  for (let i = 0; i < all; i++) scene.peers.set(formatKey(idOf(100 + i)), [`${address(i)}/128`]);
  await scene.service.start();
  const connections = Array.from({ length: 3 }, (_, i) => scene.connect(address(i)));
  // The first is answered, and again after the second.
  for (const i of [0, 1, 0]) await scene.send(connections[i]!, "request_ip=1\n\n");
  for (let i = 3; i < MAX_LEASE_CONNECTIONS; i++) connections.push(scene.connect(address(i)));
  assertEquals(connections.map(({ state }) => state).indexOf("aborted"), 1);
  assertEquals(scene.connect(address(all - 2)).state, "open");
  assertEquals(connections[0]?.state, "aborted");
  // The rest has not been answered yet: who comes now must wait.
  assertEquals(scene.connect(address(all - 1)).state, "aborted");
  await scene.service.close();
});

Deno.test("who was refused all can ask again on a new connection", async () => {
  const scene = await started({ pools: ["10.20.0.2/32"] });
  const alice = scene.connect("fe80::a");
  await scene.send(alice, ANY);
  assertMatch(alice.text, /^ip=10\.20\.0\.2\/32\n/);
  // The C client leaves this connection as it is, and has one port for that of 30 s later.
  const bob = scene.connect("fe80::b");
  await scene.send(bob, ANY);
  assertEquals(bob.text, "errno=3\nerrmsg=Chosen IP(s) unavailable\n\n");
  assertEquals(bob.state, "open");
  await scene.wait(25);
  assertEquals([alice.state, bob.state], ["open", "aborted"]);

  await scene.send(alice, "request_ip=1\n\n");
  const again = scene.connect("fe80::b");
  await scene.send(again, "request_ip=1\nip=10.20.0.3\n\n");
  // Not so where nothing was asked for, nor where only the other half was refused.
  await scene.send(again, "request_ip=1\nip=0.0.0.0\nip=::\n\n");
  assertMatch(again.text, /^errno=3\n.*\n\nip=10\.20\.0\.2\/32\n.*\n.*\nerrno=3\n/);
  await scene.wait(25);
  assertEquals([alice.state, again.state], ["open", "open"]);
  await scene.service.close();
});

Deno.test("an error's answer is followed by an end that doesn't wait for ever", async () => {
  const scene = await started();
  const connection = scene.connect("fe80::a");
  await scene.send(connection, "hello=1\n\nrequest_ip=1\n\n");
  assertEquals(connection.text, "errno=2\nerrmsg=Unsupported protocol\n\n");
  assertEquals([connection.state, connection.paused], ["ended", false]);
  await scene.send(connection, ANY);
  assertEquals(connection.text, "errno=2\nerrmsg=Unsupported protocol\n\n");
  await scene.look();
  assertEquals(connection.state, "aborted");
  const gone = scene.connect("fe80::a");
  gone.events?.onEnd();
  gone.abort();
  await scene.settle();
  const wrong = scene.connect("fe80::a", 971);
  assertEquals(wrong.state, "aborted");
  await scene.service.close();
  assertEquals(scene.timers.size, 0);
});
