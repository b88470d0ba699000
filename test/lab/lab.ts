/**
 * A small internet in network namespaces: a registry, and two hosts with WireGuard (alice has
 * 10.9.0.1 in the tunnel, bob 10.9.0.2), each behind a NAT router.
 *
 * Everything is removed with the lab: `await using lab = await Lab.open("preserve", "eim");`. The
 * namespaces that a killed process has left are removed by the next one.
 *
 * @module
 */

import { BINARY, run, type Running, type RunOptions } from "../support/program.ts";
import { BridgeNetwork } from "./bridge_network.ts";
import { must, Namespace } from "./namespace.ts";
import type { NatKind } from "./nat_rules.ts";
import { type MakeNamespace, type Network, REGISTRY } from "./network.ts";
import { Ping } from "./ping.ts";
import { RoutedNetwork } from "./routed_network.ts";
import type { Router } from "./router.ts";
import type { Kinds } from "./site.ts";
import { INTERFACE, WIREGUARD_PORT, WireGuardHost } from "./wireguard_host.ts";

export { OTHER_REGISTRY, REGISTRY, REGISTRY_IPV6 } from "./network.ts";

/** What the lab needs of the machine. */
export const LAB_NEEDS: readonly string[] = [
  "root",
  "network namespaces",
  "ip",
  "nft",
  "conntrack",
  "wireguard-go",
  "wg",
  "ping",
];
/** The registry's name, as far as a host knows it. */
export const REGISTRY_NAME = "registry.example";

const PREFIX = "wgsig";
/** What runs in the lab must not read the settings of this machine. */
const ENV = { WGSIG_CONFIG: "/dev/null" };

let labs = 0;
let cleaned: Promise<void> | undefined;

/** The lab. */
export class Lab {
  readonly folder: string;
  readonly alice: WireGuardHost;
  readonly bob: WireGuardHost;
  readonly #network: Network;

  private constructor(folder: string, network: Network) {
    this.folder = folder;
    this.#network = network;
    this.alice = new WireGuardHost(network.alice, `${folder}/alice`, "10.9.0.1");
    this.bob = new WireGuardHost(network.bob, `${folder}/bob`, "10.9.0.2");
  }

  get registry(): Namespace {
    return this.#network.registry;
  }

  get routerA(): Router {
    return this.#network.routerA;
  }

  get routerB(): Router {
    return this.#network.routerB;
  }

  /** Builds the network; nothing runs in it yet. */
  static async open(a: NatKind = "preserve", b: NatKind = "preserve"): Promise<Lab> {
    return await Lab.#in((namespace) => new BridgeNetwork(namespace, a, b));
  }

  /** Builds a network with hops between two sites, or with both hosts at one, and WireGuard in it. */
  static async between(...kinds: Kinds): Promise<Lab> {
    return await Lab.apart(0, ...kinds);
  }

  /** The same with so many milliseconds between a site and the registry; twice as many to a peer. */
  static async apart(delay: number, ...kinds: Kinds): Promise<Lab> {
    const lab = await Lab.#in((namespace) => new RoutedNetwork(namespace, kinds, delay));
    return await lab.#startWireGuard();
  }

  static async #in(build: (namespace: MakeNamespace) => Network): Promise<Lab> {
    await (cleaned ??= removeLeftovers());
    const folder = await Deno.makeTempDir({ prefix: "wgsig-lab-" });
    const name = `${PREFIX}-${Deno.pid}-${++labs}`;
    const network = build((role) => new Namespace(`${name}-${role}`, `${folder}/${role}`));
    const lab = new Lab(folder, network);
    try {
      await Promise.all(network.namespaces.map((namespace) => namespace.make()));
      await network.connect();
      const secret = await must([BINARY, "keygen", "secret"]);
      await Deno.writeTextFile(lab.secretFile, secret, { mode: 0o600 });
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return lab;
  }

  /** The same, with WireGuard on both hosts, which know each other's key and no endpoint. */
  static async withWireGuard(a?: NatKind, b?: NatKind): Promise<Lab> {
    return await (await Lab.open(a, b)).#startWireGuard();
  }

  async #startWireGuard(): Promise<Lab> {
    try {
      const { alice, bob } = this;
      await Promise.all([alice.makeKey(), bob.makeKey()]);
      alice.peer = bob;
      bob.peer = alice;
      await Promise.all([alice.startWireGuard(), bob.startWireGuard()]);
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
    return this;
  }

  get secretFile(): string {
    return `${this.folder}/secret`;
  }

  /**
   * Gives all of them IPv6 as well, without NAT: routers let in only what was asked for.
   *
   * @param only Whether alice and bob have nothing else then.
   */
  async useIpv6(only = false): Promise<void> {
    await this.#network.useIpv6(only);
  }

  /** Starts the registry, and waits until it answers. */
  async serve(address: string = REGISTRY, ...args: readonly string[]): Promise<Running> {
    const listen = address.includes(":") ? `[${address}]:1223` : `${address}:1223`;
    const argv = ["serve", "--listen", listen, "--secret", this.secretFile, ...args];
    const server = this.registry.start([Deno.env.get("WGSIG_SERVER") ?? BINARY, ...argv], {
      env: ENV,
    });
    await server.printed(/ ready/);
    return server;
  }

  /** From now on the registry hears only the first protocol: what is longer is none of that. */
  async hearOnlyFirst(isOn = true): Promise<void> {
    const rules = `table inet first; delete table inet first;
      table inet first { chain i { type filter hook input priority 0;
        ${isOn ? "udp dport 1223 udp length > 140 drop" : ""}
      }; }`;
    await this.registry.must(["nft", "-f", "-"], { input: rules });
  }

  /** Starts WireGuard beside the registry, with a tunnel to both hosts. */
  async openHub(): Promise<WireGuardHost> {
    const hub = new WireGuardHost(this.registry, `${this.folder}/registry`, "10.9.0.254");
    await hub.makeKey();
    await hub.startWireGuard();
    const endpoint = `${REGISTRY}:${WIREGUARD_PORT}`;
    for (const host of [this.alice, this.bob]) {
      await hub.setPeer(host);
      await host.setPeer(hub, "endpoint", endpoint, "persistent-keepalive", "25");
    }
    return hub;
  }

  /** What follows `wgsig` to synchronise the interface. */
  syncArgs(...args: readonly string[]): string[] {
    return this.#syncArgs(INTERFACE, args);
  }

  #syncArgs(name: string, args: readonly string[]): string[] {
    return [
      "sync",
      name,
      "--secret",
      this.secretFile,
      ...(args.includes("--server") ? [] : ["--server", REGISTRY]),
      ...args,
    ];
  }

  /** Starts `wgsig sync` on a host. */
  sync(host: WireGuardHost, ...args: readonly string[]): Running {
    return this.syncWith(host, args);
  }

  /** The same with an environment, or through another program. */
  syncWith(
    host: WireGuardHost,
    args: readonly string[],
    { through = [], binary = BINARY, env = {} }: {
      through?: readonly string[];
      binary?: string;
      env?: RunOptions["env"];
    } = {},
  ): Running {
    const argv = [...through, binary, ...this.#syncArgs(host.interface, args)];
    return host.namespace.start(argv, { env: { ...ENV, ...env } });
  }

  /** Runs `wgsig sync --once` on a host. */
  async syncOnce(host: WireGuardHost, ...args: readonly string[]) {
    const argv = [BINARY, ...this.syncArgs("--once", ...args)];
    return await host.namespace.run(argv, { env: ENV });
  }

  /**
   * Brings the tunnel up: registry, `sync` on both hosts, until a ping from alice comes back.
   *
   * @param args Of both `sync`.
   */
  async bringUp(...args: readonly string[]): Promise<Tunnel> {
    const server = await this.serve();
    const alice = this.sync(this.alice, ...args);
    const bob = this.sync(this.bob, ...args);
    const ping = new Ping(this.alice.namespace, this.bob.address);
    await ping.reply(15);
    // From now on they hold the path to be good.
    await alice.printed(/ peer-alive /);
    await bob.printed(/ peer-alive /);
    return { server, alice, bob, ping };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const removals = this.#network.namespaces.map((namespace) => namespace.remove());
    const failed = (await Promise.allSettled(removals)).find(({ status }) => status === "rejected");
    await Deno.remove(this.folder, { recursive: true });
    if (failed?.status === "rejected") throw failed.reason;
  }
}

/** What runs when the tunnel is up. */
export interface Tunnel {
  readonly server: Running;
  readonly alice: Running;
  readonly bob: Running;
  /** From alice to bob. */
  readonly ping: Ping;
}

/** Prints a figure. */
export function figure(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`lab: ${text}\n`));
}

/** Namespaces of test runs that were killed. */
async function removeLeftovers(): Promise<void> {
  const { out } = await run(["ip", "netns", "list"]);
  for (const [, name, pid] of out.matchAll(new RegExp(`^(${PREFIX}-(\\d+)-\\d+-\\S+)`, "gm"))) {
    const lives = await Deno.stat(`/proc/${pid}`).then(() => true, () => false);
    if (!lives && name !== undefined) await Namespace.removeNamed(name);
  }
}
