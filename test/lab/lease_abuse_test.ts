/** The lease server's bytes on the wire, and clients that break the rules. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { testWith } from "../support/program.ts";
import { LAB_NEEDS } from "./lab.ts";
import { BOB, type LeaseScene, together } from "./lease_scene.ts";

const SOAK = Deno.env.get("WGSIG_SOAK") === "1";
const MANY = SOAK ? 10_000 : 300;
const INVALID = "errno=1\nerrmsg=Invalid request\n\n";
const UNSUPPORTED = "errno=2\nerrmsg=Unsupported protocol\n\n";
const TAKEN = "errno=3\nerrmsg=Chosen IP(s) unavailable\n\n";
const BOTH = "request_ip=1\nip=0.0.0.0/32\nip=::/128\nleasestart=0\nleasetime=0\n\n";

/** An answer with its time left out, which must be the present. */
function timeless(answer: string): string {
  return answer.replace(/leasestart=(\d+)/, (_, start) => {
    const age = Date.now() / 1000 - Number(start);
    assert(age > -2 && age < 60, `leasestart is ${age} s ago`);
    return "leasestart=NOW";
  });
}

async function exchanges(scene: LeaseScene): Promise<void> {
  const { alice, bob } = scene;
  await scene.serve("--lease-time", "20s");
  const { answers: [first = "", renewed = "", open = ""] } = await scene.wire(alice, [
    ["send", BOTH],
    ["read"],
    ["send", BOTH.replace("0.0.0.0/32", "10.20.0.0/32")],
    ["read"],
    ["closed", 0.3],
    ["reset"],
  ]);
  const [, ipv4 = "", ipv6 = ""] = /^ip=(\S+)\/32\nip=(\S+)\/128\n/.exec(first) ?? [];
  const granted = `ip=${ipv4}/32\nip=${ipv6}/128\nleasestart=NOW\nleasetime=20\nerrno=0\n\n`;
  assertEquals(timeless(first), granted);
  assertMatch(ipv4, /^10\.20\.0\.\d+$/);
  assertMatch(ipv6, /^fd00:20::[0-9a-f:]+$/);
  // IPv4 was refused, and IPv6 drawn anew.
  assertMatch(renewed, /^ip=fd00:20::\S+\/128\nleasestart=\d+\nleasetime=20\nerrno=3\nerrmsg=/);
  assertEquals(open, "open");

  const held = (await scene.allowed(alice) ?? []).filter((prefix) => !prefix.startsWith("fe80"));
  const [four = "", six = ""] = held;
  const same = `request_ip=1\nip=${four}\nip=${six}\nleasestart=0\nleasetime=0\n\n`;
  const [renewal, afterRenewal] = await scene.ask(alice, same);
  assertEquals(
    timeless(renewal),
    `ip=${four}\nip=${six}\nleasestart=NOW\nleasetime=20\nerrno=0\n\n`,
  );
  assertEquals(afterRenewal, "open");

  assertEquals(await scene.ask(bob, same), [TAKEN, "open"]);
  const [partial] = await scene.ask(bob, `request_ip=1\nip=0.0.0.0\nip=${six}\n\n`);
  assertMatch(
    partial,
    /^ip=10\.20\.0\.\d+\/32\nleasestart=\d+\nleasetime=20\nerrno=3\nerrmsg=Chosen IP\(s\) unavailable\n\n$/,
  );
  assertEquals((await scene.allowed(bob))?.length, 2);
  assertEquals(await scene.ask(bob, "request_ip=1\n\n"), ["errno=0\n\n", "open"]);
  assertEquals(await scene.allowed(bob), [`${BOB}/128`]);
  // What is wrong is answered, and the connection closed.
  for (
    const [request, answer] of [
      ["request_ip=1\nfoo\n\n", INVALID],
      ["request_ip=1\n=x\n\n", INVALID],
      ["request_ip=1\nip=10.20.0.300\n\n", INVALID],
      ["request_ip=1\nleasetime=4294967296\n\n", INVALID],
      ["request_ip=1\nip=10.20.0.9\0\n\n", INVALID],
      [`request_ip=1\n${"x".repeat(4096)}\n`, INVALID],
      [`request_ip=1\nx=${"y".repeat(4094)}`, INVALID],
      ["hello=1\n\n", UNSUPPORTED],
      ["Request_ip=1\n\n", UNSUPPORTED],
      ["request_ip=2\nip=0.0.0.0\n\n", UNSUPPORTED],
      ["\n", UNSUPPORTED],
    ] as const
  ) {
    assertEquals(await scene.ask(bob, request), [answer, "closed"], JSON.stringify(request));
  }
  const longest = `request_ip=1\nx=${"y".repeat(4093)}\n\n`;
  assertEquals(await scene.ask(bob, longest), ["errno=0\n\n", "open"]);
  assertEquals(await scene.allowed(alice), [...held, "fe80::a/128"].toSorted());
}

async function pieces(scene: LeaseScene): Promise<void> {
  const { alice, bob } = scene;
  const server = await scene.serve();
  const release = "request_ip=1\n\n";
  const { answers } = await scene.wire(alice, [
    ["drip", BOTH, 2],
    ["read"],
    ["send", release + release + "request_ip=1\nip=10.20.0.77\n\n" + "request_ip=1\nip=10"],
    ["read"],
    ["read"],
    ["read"],
    ["send", ".20.0.78\n\nfoo\n\n" + BOTH],
    ["read"],
    ["read"],
    ["closed", 1],
  ]);
  assertEquals(answers.map(timeless).slice(1), [
    "errno=0\n\n",
    "errno=0\n\n",
    "ip=10.20.0.77/32\nleasestart=NOW\nleasetime=3600\nerrno=0\n\n",
    "ip=10.20.0.78/32\nleasestart=NOW\nleasetime=3600\nerrno=0\n\n",
    INVALID,
    "closed",
  ]);
  assertMatch(answers[0] ?? "", /^ip=10\.20\.0\.\d+\/32\nip=fd00:20::/);
  assertEquals(await scene.allowed(alice), ["10.20.0.78/32", "fe80::a/128"]);
  // Closed in mid-line, reset in mid-line, an answer that nobody waits for, an end of one side.
  await scene.wire(bob, [["send", "request_ip=1\nip=10.2"], ["end"], ["closed", 1]]);
  await scene.wire(bob, [["send", "request_ip=1\nip=10.2"], ["sleep", 0.1], ["reset"]]);
  for (let i = 0; i < 3; i++) await scene.wire(bob, [["send", BOTH], ["reset"]]);
  const half = await scene.wire(bob, [["send", release], ["end"], ["read"], ["closed", 1]]);
  assertEquals(half.answers, ["errno=0\n\n", "closed"]);
  await scene.until(
    "bob's lease is off",
    async () => `${await scene.allowed(bob)}` === `${BOB}/128`,
    5,
  );
  // A new connection takes the place of an older one.
  const [answer] = await scene.ask(bob, BOTH);
  assertMatch(answer, /^ip=10\.20\.0\.\d+\/32\nip=fd00:20::/);
  assertEquals(server.err, "");
  assertEquals(await server.stop("SIGTERM"), 0);
}

async function strangers(scene: LeaseScene): Promise<void> {
  const { hub, alice, bob } = scene;
  // The low half of bob's address is alice's identity; a link-local net of his is none.
  await hub.set("peer", bob.publicKey, "allowed-ips", `${BOB}/128,fe80::5:0/112`);
  const config = await scene.settings(
    `[serve.lease]\ninterface = "wg0"\npools = ["10.20.0.0/24", "fd00:20::/64"]\n` +
      `configure = true\n[[peer]]\npublic-key = "${bob.publicKey}"\nlease = ["fd00:20::a"]\n`,
  );
  const server = await scene.serveWith(["--config", config]);
  await hub.namespace.ip("route add fe80::5:0/112 dev wg0");
  const [a, b] = await Promise.all([scene.lease(alice), scene.lease(bob)]);
  assertEquals(b.addresses[1], "fd00:20::a/128");
  await bob.namespace.ip("addr add fe80::5:6/128 dev wg0", "addr add fd00:20::b/128 dev wg0");
  for (const host of ["fd00:20::a", "fe80::5:6"]) {
    const [answer, end] = await scene.ask(bob, "request_ip=1\n\n", { host });
    assert(!answer.includes("errno") && end !== "open", `${host}: ${answer} ${end}`);
  }
  // Another port than 970 says nothing about a peer, however often it comes.
  const refused = await scene.wire(bob, [["send", BOTH], ["read"]], { port: 20_000, count: MANY });
  assertEquals(new Set(refused.answers.filter((each) => !/^E/.test(each))), new Set([""]));
  assertEquals(await scene.addresses(alice), a.addresses);
  assertEquals(await scene.allowed(alice), [...a.addresses, "fe80::a/128"].toSorted());
  await a.client.stop("SIGTERM");
  assertEquals(await scene.allowed(alice), ["fe80::a/128"]);
  const again = await scene.lease(alice);
  assertEquals(again.addresses.length, 2);
  assertEquals(server.err, "");
  await server.stop("SIGTERM");
  assertMatch(server.out, / lease-stranger=[2-9]/);
  const [, count] = / lease-refused=(\d+)/.exec(server.out) ?? [];
  assert(Number(count) >= MANY * 0.9, `${count} of ${MANY} were refused`);
}

async function fullDisk(scene: LeaseScene): Promise<void> {
  const { alice } = scene;
  const folder = `${scene.lab.folder}/kept`;
  await Deno.mkdir(folder);
  const server = await scene.serve("--state", `${folder}/state`);
  await Deno.remove(folder, { recursive: true });
  const { client, addresses } = await scene.lease(alice);
  await server.printed(/ state-not-saved file=\S+ why="no such file or directory"\n/);
  assertEquals(await scene.allowed(alice), [...addresses, "fe80::a/128"].toSorted());
  await Deno.mkdir(folder);
  await server.printed(/ state-saved-again /);
  await client.stop("SIGTERM");
  assertEquals(await server.stop("SIGTERM"), 0);
}

testWith(LAB_NEEDS, "lab: the lease protocol byte for byte, and who breaks it", async () => {
  await together({ exchanges, pieces, strangers, fullDisk });
});
