/** Two lease servers on one real Redis, with real WireGuard: who asks either has one address. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { BINARY, type Running, testWith } from "../support/program.ts";
import { LAB_NEEDS } from "./lab.ts";
import { ALICE, BOB, LeaseScene } from "./lease_scene.ts";
import { must } from "./namespace.ts";
import { REGISTRY } from "./network.ts";
import { INTERFACE, WireGuardHost } from "./wireguard_host.ts";

const ANY = "request_ip=1\nip=0.0.0.0\nip=::\n\n";
const TIME = 60;
const PORT = "6379";
const CLIENT_ALLOWED = "fe80::/128,10.16.0.0/12,fd00::/16";

/** Both servers, and the store. */
class SharedScene implements AsyncDisposable {
  readonly scene: LeaseScene;
  readonly other: WireGuardHost;
  redis: Running;
  readonly key: string;

  private constructor(scene: LeaseScene, other: WireGuardHost, redis: Running, key: string) {
    this.scene = scene;
    this.other = other;
    this.redis = redis;
    this.key = key;
  }

  static async open(): Promise<SharedScene> {
    const scene = await LeaseScene.open();
    try {
      const { hub, alice, bob, lab } = scene;
      // The second server's interface is beside the first one's.
      const other = new WireGuardHost(lab.registry, `${lab.folder}/registry`, "", 1);
      await other.makeKey();
      await other.startKeyless();
      await other.set("private-key", other.keyFile, "listen-port", `${other.port}`);
      await hub.namespace.ip(
        `link set ${other.interface} addrgenmode none up`,
        // The first server sets the same ones.
        ...[ALICE, BOB].map((to) => `route add ${to}/128 dev ${other.interface} metric 2048`),
      );
      await other.set("peer", alice.publicKey, "allowed-ips", `${ALICE}/128`);
      await other.set("peer", bob.publicKey, "allowed-ips", `${BOB}/128`);
      const key = `${lab.folder}/server-key`;
      await Deno.writeTextFile(key, await must(["wg", "genkey"]), { mode: 0o600 });
      return new SharedScene(scene, other, await startRedis(scene), key);
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
  }

  async serve(name: string): Promise<Running> {
    const store = ["--store", `redis://127.0.0.1:${PORT}`, "--key", this.key];
    const pools = [
      "--lease",
      "10.20.0.0/24",
      "--lease",
      "fd00:20::/64",
      "--lease-time",
      `${TIME}s`,
    ];
    const server = this.scene.hub.namespace.start(
      [BINARY, "serve", "--interface", name, "--configure", ...pools, ...store],
      { env: { WGSIG_CONFIG: "/dev/null" } },
    );
    await server.printed(/ ready/);
    return server;
  }

  /** Has a client ask the second server from now on. */
  async move(host: WireGuardHost): Promise<void> {
    const endpoint = ["endpoint", `${REGISTRY}:${this.other.port}`, "persistent-keepalive", "5"];
    await host.set("peer", this.other.publicKey, ...endpoint, "allowed-ips", CLIENT_ALLOWED);
  }

  /** What a server lets a host have. */
  async allowed(server: WireGuardHost, host: WireGuardHost): Promise<string> {
    const { peers } = await server.device();
    const peer = peers.find(({ publicKey }) => publicKey === host.publicKey);
    return `${peer?.allowedIps.filter((each) => !each.startsWith("fe80")).toSorted()}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]();
  }
}

async function startRedis(scene: LeaseScene): Promise<Running> {
  const settings = ["--port", PORT, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const redis = scene.hub.namespace.start(["redis-server", ...settings, "--dir", scene.lab.folder]);
  await redis.printed(/Ready to accept connections/i);
  return redis;
}

function ipsOf(answer: string): string[] {
  return [...answer.matchAll(/^ip=(\S+)$/gm)].map(([, ip = ""]) => ip).toSorted();
}

function secondsOf(answer: string): number {
  return Number(/^leasetime=(\d+)$/m.exec(answer)?.[1]);
}

async function oneTable(): Promise<void> {
  await using shared = await SharedScene.open();
  const { scene, other } = shared;
  const { hub, alice, bob } = scene;
  const [first, second] = await Promise.all([shared.serve(INTERFACE), shared.serve("wg1")]);
  // A store that is new gives nothing for some seconds: the client comes back.
  const { client, addresses } = await scene.lease(alice);
  const leased = `${addresses.toSorted()}`;
  assertEquals(await shared.allowed(hub, alice), leased);
  await scene.until(
    "the second server knows it",
    async () => await shared.allowed(other, alice) === leased,
    5,
  );
  await client.stop("SIGKILL");
  await shared.move(alice);
  const [answer] = await scene.ask(alice, ANY);
  assertEquals(`${ipsOf(answer)}`, leased);
  // Both want the same one of two servers at the same time.
  const wish = "request_ip=1\nip=10.20.0.77\n\n";
  const both = await Promise.all([alice, bob].map((host) => scene.ask(host, wish)));
  const won = both.filter(([answer]) => answer.includes("ip=10.20.0.77/32\n"));
  const lost = both.filter(([answer]) => answer.includes("errno=3\n"));
  assertEquals([won.length, lost.length], [1, 1], JSON.stringify(both));
  // Who got it at its server has it at both, and the other one at none.
  const winner = both[0] === won[0] ? alice : bob;
  const loser = winner === alice ? bob : alice;
  const isThere = async () =>
    await shared.allowed(hub, winner) === "10.20.0.77/32" &&
    await shared.allowed(other, winner) === "10.20.0.77/32";
  await scene.until("both servers have it", isThere, 5);
  assert(!(await shared.allowed(hub, loser)).includes("10.20.0.77/32"));
  assertEquals(await first.stop("SIGTERM"), 0);
  assertEquals(await second.stop("SIGTERM"), 0);
}

async function storeAway(): Promise<void> {
  await using shared = await SharedScene.open();
  const { scene } = shared;
  const { alice, bob } = scene;
  const [first] = await Promise.all([shared.serve(INTERFACE), shared.serve("wg1")]);
  const { client, addresses } = await scene.lease(alice);
  await client.stop("SIGKILL");
  const leased = `${addresses.toSorted()}`;
  const renewal = `request_ip=1\n${addresses.map((each) => `ip=${each}\n`).join("")}\n`;
  const [before] = await scene.ask(alice, renewal);
  assert(secondsOf(before) > TIME - 5, before);
  const away = async () => {
    // What is left, and no more; and nothing that is new.
    const [left] = await scene.ask(alice, renewal);
    assertEquals(`${ipsOf(left)}`, leased);
    assert(secondsOf(left) <= secondsOf(before), left);
    assertEquals((await scene.ask(bob, ANY))[0], "");
  };
  shared.redis.signal("SIGSTOP");
  await away();
  shared.redis.signal("SIGCONT");
  await first.printed(/ lease-store-back /, 15);
  const [after] = await scene.ask(alice, renewal);
  assert(secondsOf(after) > TIME - 5, after);
  await shared.redis.stop("SIGKILL");
  await away();
  assertEquals(first.out.match(/ lease-store-away /g)?.length, 2);
  // It comes back empty: what there was is put back, and is the same peer's at the other server.
  shared.redis = await startRedis(scene);
  await first.printed(/ lease-store-back .* lease-store-back /s, 15);
  await shared.move(alice);
  const [again] = await scene.ask(alice, ANY);
  assertEquals(`${ipsOf(again)}`, leased);
  assertMatch(again, /errno=0\n/);
}

/** Both servers are restarted, one after the other, while leases run. */
async function rolling(): Promise<void> {
  await using shared = await SharedScene.open();
  const { scene, other } = shared;
  const { hub, alice, bob } = scene;
  let [first, second] = await Promise.all([shared.serve(INTERFACE), shared.serve("wg1")]);
  const leased: string[] = [];
  for (const host of [alice, bob]) {
    const { client, addresses } = await scene.lease(host);
    await client.stop("SIGKILL");
    leased.push(`${addresses.toSorted()}`);
  }
  assert(leased[0] !== leased[1]);
  const asked = async () => {
    const answers = await Promise.all([alice, bob].map((host) => scene.ask(host, ANY)));
    return answers.map(([answer]) => `${ipsOf(answer)}`);
  };
  const has = (server: WireGuardHost) =>
    scene.until("it has both leases", async () => {
      const found = await Promise.all([alice, bob].map((host) => shared.allowed(server, host)));
      return `${found}` === `${leased}`;
    }, 10);
  assertEquals(await second.stop("SIGTERM"), 0);
  assertEquals(await asked(), leased);
  second = await shared.serve("wg1");
  await has(other);
  for (const host of [alice, bob]) await shared.move(host);
  assertEquals(await first.stop("SIGTERM"), 0);
  assertEquals(await asked(), leased);
  first = await shared.serve(INTERFACE);
  await has(hub);
  assertEquals(await asked(), leased);
  for (const server of [first, second]) assertEquals(await server.stop("SIGTERM"), 0);
}

testWith(
  [...LAB_NEEDS, "redis-server"],
  "lab: leases that two servers share in a Redis, also while that is away",
  async () => {
    const results = await Promise.allSettled([oneTable(), storeAway(), rolling()]);
    const failures = results.flatMap((each) => each.status === "rejected" ? [each.reason] : []);
    if (failures.length > 0) throw new AggregateError(failures, failures.join("\n\n"));
  },
);
