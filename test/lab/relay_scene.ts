/**
 * Tunnels over the relay, and what they go over at a moment.
 *
 * @module
 */

import { formatHostPort } from "../../lib/core/net/host_port.ts";
import type { Running } from "../support/program.ts";
import { Lab, OTHER_REGISTRY, REGISTRY, REGISTRY_IPV6, REGISTRY_NAME } from "./lab.ts";
import { sleep } from "./namespace.ts";
import { Ping } from "./ping.ts";
import type { Kinds } from "./site.ts";
import { WireGuardHost } from "./wireguard_host.ts";

/** What kind of endpoint a WireGuard has of its peer. */
export type Way = "relay" | "ipv6" | "lan" | "direct" | "none";

const RELAYS = [`${REGISTRY}:`, `${OTHER_REGISTRY}:`, `[${REGISTRY_IPV6}]:`];

export function wayOf(endpoint: string | undefined): Way {
  if (endpoint === undefined) return "none";
  if (RELAYS.some((relay) => endpoint.startsWith(relay))) return "relay";
  if (endpoint.startsWith("[")) return "ipv6";
  return endpoint.startsWith("192.168.") ? "lan" : "direct";
}

/** The endpoint that a host's WireGuard has of its peer. */
export async function endpointOf(host: WireGuardHost): Promise<string | undefined> {
  const [, endpoint = "(none)"] = (await host.endpoints()).trim().split("\t");
  return endpoint === "(none)" ? undefined : endpoint;
}

/** A registry that listens on two ports of both families shows what a NAT does. */
const LISTEN = [
  `${REGISTRY}:1224`,
  `[${REGISTRY_IPV6}]:1223`,
  `[${REGISTRY_IPV6}]:1224`,
].flatMap((address) => ["--listen", address]);

/** Starts a registry that relays, and says to both hosts where it is. */
export async function serveRelay(lab: Lab, ...args: readonly string[]): Promise<Running> {
  for (const host of [lab.alice, lab.bob]) {
    await host.namespace.setHosts({ [REGISTRY_NAME]: [REGISTRY, REGISTRY_IPV6] });
  }
  return await lab.serve(REGISTRY, ...LISTEN, "--relay", ...args);
}

/** For the first answer, in seconds. */
const FIRST_LIMIT = 15;
const PINGS_A_SECOND = 20;

/** A lab with registries that relay, and `sync` on both hosts. */
export class RelayScene {
  readonly lab: Lab;
  readonly #servers: Running[];
  readonly alice: Running;
  readonly bob: Running;
  /** From alice to bob. */
  readonly ping: Ping;

  private constructor(lab: Lab, servers: readonly Running[], args: readonly string[]) {
    this.lab = lab;
    this.#servers = [...servers];
    this.alice = lab.sync(lab.alice, ...args);
    this.bob = lab.sync(lab.bob, ...args);
    this.ping = new Ping(lab.alice.namespace, lab.bob.address, 1 / PINGS_A_SECOND);
  }

  /**
   * Opens it with a registry that keeps its key, and waits for the first answer.
   *
   * @param args Of both `sync`.
   */
  static async open(
    kinds: Kinds,
    ...args: readonly string[]
  ): Promise<RelayScene> {
    const lab = await Lab.between(...kinds);
    try {
      const server = await serveRelay(lab, ...stateOf(lab));
      return await RelayScene.among(lab, [server], "--server", REGISTRY_NAME, ...args);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The same in a lab with the registries that there are. */
  static async among(
    lab: Lab,
    servers: readonly Running[],
    ...args: readonly string[]
  ): Promise<RelayScene> {
    const scene = new RelayScene(lab, servers, args);
    await scene.ping.reply(FIRST_LIMIT).catch(scene.explain);
    return scene;
  }

  /** Has a registry end as by a power cut. */
  async killServer(index = 0): Promise<void> {
    await this.#servers[index]?.stop("SIGKILL");
  }

  /** Starts the only one anew. */
  async serveAgain(): Promise<void> {
    this.#servers.push(await serveRelay(this.lab, ...stateOf(this.lab)));
  }

  /** The endpoints that alice's WireGuard has of bob, and bob's of alice. */
  async endpoints(): Promise<(string | undefined)[]> {
    return await Promise.all([this.lab.alice, this.lab.bob].map(endpointOf));
  }

  /** How both sides reach each other at the moment: one word where they agree. */
  async way(): Promise<string> {
    const ways = (await this.endpoints()).map(wayOf);
    return [...new Set(ways)].join("/");
  }

  /** The address of the relay that both use. */
  async relayInUse(): Promise<string> {
    const hosts = (await this.endpoints()).map((each) => each?.replace(/:\d+$/, ""));
    return [...new Set(hosts)].join();
  }

  /** Waits until both sides reach each other this way; says how many seconds that took. */
  async goes(way: Way, limit: number): Promise<number> {
    const start = performance.now();
    const since = () => (performance.now() - start) / 1000;
    for (;;) {
      const is = await this.way();
      if (is === way) return since();
      if (since() > limit) return this.explain(`${is} instead of ${way} after ${limit} s`);
      await sleep(0.2);
    }
  }

  /** Waits for an answer that is none of before; says how many seconds that took. */
  async comesBack(limit: number): Promise<number> {
    const underWay = 0.2;
    await sleep(underWay);
    return underWay + await this.ping.reply(limit).catch(this.explain) / 1000;
  }

  /** How many pings of 20 a second get no answer in so many seconds. */
  async lostIn(seconds: number): Promise<number> {
    const { alice, bob } = this.lab;
    const count = seconds * PINGS_A_SECOND;
    const ping = new Ping(alice.namespace, bob.address, 1 / PINGS_A_SECOND, count);
    return (await ping.count(seconds * 2 + 20)).unanswered.length;
  }

  /** Fails, with what all have logged. */
  explain = (error: unknown): never => {
    const logs = [["alice", this.alice], ["bob", this.bob]] as const;
    const registries = this.#servers.map((server) => ["registry", server] as const);
    throw new Error(
      [`${error}`, ...[...logs, ...registries].map(([of, { out, err }]) => `${of}:\n${out}${err}`)]
        .join("\n"),
    );
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}

/** Where a registry keeps its key, and its peers. */
function stateOf(lab: Lab): string[] {
  return ["--state", `${lab.folder}/registry.state`];
}

/** Some interfaces on each of two hosts; each has all those of the other host as peers. */
export class RelayCrowd {
  readonly lab: Lab;
  /** Those on alice's host, and on bob's. */
  readonly sides: readonly [readonly WireGuardHost[], readonly WireGuardHost[]];

  private constructor(lab: Lab, a: number, b: number) {
    this.lab = lab;
    const hosts = (of: WireGuardHost, side: string, count: number) =>
      Array.from(
        { length: count },
        (_, i) => new WireGuardHost(of.namespace, `${lab.folder}/${side}`, "", i + 1),
      );
    this.sides = [hosts(lab.alice, "alice", a), hosts(lab.bob, "bob", b)];
  }

  /** Makes the interfaces: `a` on alice's host, `b` on bob's. */
  static async open(lab: Lab, a: number, b: number): Promise<RelayCrowd> {
    const crowd = new RelayCrowd(lab, a, b);
    const all = crowd.sides.flat();
    for (const host of all) {
      await host.makeKey();
      await host.startKeyless();
      await host.set("private-key", host.keyFile, "listen-port", `${host.port}`);
      await host.namespace.ip(`link set ${host.interface} up`);
    }
    for (const [i, first] of crowd.sides[0].entries()) {
      for (const [j, second] of crowd.sides[1].entries()) {
        const net = netOf(i, j);
        await first.set("peer", second.publicKey, "allowed-ips", `${net}.2/32`);
        await second.set("peer", first.publicKey, "allowed-ips", `${net}.1/32`);
        await first.namespace.ip(`addr add ${net}.1/30 dev ${first.interface}`);
        await second.namespace.ip(`addr add ${net}.2/30 dev ${second.interface}`);
      }
    }
    return crowd;
  }

  /** Starts `sync` on all. */
  sync(...args: readonly string[]): Running[] {
    return this.sides.flat().map((host) => this.lab.sync(host, ...args));
  }

  /** A ping for each pair, from alice's host. */
  pings(interval: number, count?: number): Ping[] {
    return this.sides[0].flatMap((_, i) =>
      this.sides[1].map((_, j) =>
        new Ping(this.lab.alice.namespace, `${netOf(i, j)}.2`, interval, count)
      )
    );
  }

  /** How all reach their peers at the moment: how many each way. */
  async ways(): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    for (const host of this.sides.flat()) {
      for (const { endpoint } of (await host.device()).peers) {
        const way = wayOf(endpoint && formatHostPort(endpoint));
        counts[way] = (counts[way] ?? 0) + 1;
      }
    }
    return counts;
  }
}

/** The network of a pair, which has two addresses. */
function netOf(i: number, j: number): string {
  return `10.${100 + i}.${j}`;
}
