/**
 * A small internet in network namespaces: a registry, and two hosts with WireGuard, each behind a
 * NAT router.
 *
 * ```
 *                     203.0.113.0/24
 *   ─────┬──────────────────┬─────────────────┬─────
 *        │ .10, .11         │ .21, .31        │ .22, .32
 *     registry           routerA           routerB
 *                           │ 192.168.1.1     │ 192.168.2.1
 *                         alice             bob
 *                    wg0 10.9.0.1       wg0 10.9.0.2
 * ```
 *
 * Everything is removed with the lab: `await using lab = await Lab.open("preserve", "eim");`. The
 * namespaces that a killed process has left are removed by the next one.
 *
 * @module
 */

import { BINARY, run, type Running, type RunOptions } from "../support/program.ts";
import { type NatKind, ruleset } from "./nat_rules.ts";
import { must, Namespace } from "./namespace.ts";
import { Ping } from "./ping.ts";
import { INTERFACE, WIREGUARD_PORT, WireGuardHost } from "./wireguard_host.ts";

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
/** The registry's addresses: the usual one, and one to move to. */
export const REGISTRY = "203.0.113.10";
export const OTHER_REGISTRY = "203.0.113.11";
/** The same over IPv6, where the lab has that. */
export const REGISTRY_IPV6 = "2001:db8::10";
/** The registry's name, as far as a host knows it. */
export const REGISTRY_NAME = "registry.example";

const FORWARD_IPV6 = "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
const IPV6_FIREWALL = `table ip6 firewall {
    chain forward { type filter hook forward priority filter; policy drop
      iifname lan accept
      ct state established,related accept
    }
  }`;
const BACKBONE = "203.0.113.1";
const PREFIX = "wgsig";
/** What runs in the lab must not read the settings of this machine. */
const ENV = { WGSIG_CONFIG: "/dev/null" };

let labs = 0;
let cleaned: Promise<void> | undefined;

/** A router, with its kind and its public address. */
export class Router {
  readonly namespace: Namespace;
  readonly #inside: string;
  #kind: NatKind;
  #address: string;

  constructor(namespace: Namespace, inside: string, kind: NatKind, address: string) {
    this.namespace = namespace;
    this.#inside = inside;
    this.#kind = kind;
    this.#address = address;
  }

  get kind(): NatKind {
    return this.#kind;
  }

  get address(): string {
    return this.#address;
  }

  /** Makes it another kind of NAT, which knows of no connection. */
  async setKind(kind: NatKind): Promise<void> {
    this.#kind = kind;
    await this.apply();
  }

  /**
   * Gives it another public address, as a provider does at night.
   *
   * @param keeps Whether it knows of all connections still.
   */
  async move(address: string, keeps = false): Promise<void> {
    await this.namespace.ip(
      `addr del ${this.#address}/24 dev wan`,
      `addr add ${address}/24 dev wan`,
      `route replace default via ${BACKBONE}`,
    );
    this.#address = address;
    await this.apply(keeps);
  }

  /** Puts the rules in force, and forgets all connections, unless it `keeps` them. */
  async apply(keeps = false): Promise<void> {
    const input = ruleset(this.#kind, this.#address, this.#inside);
    await this.namespace.must(["nft", "-f", "-"], { input });
    if (!keeps) await this.namespace.must(["conntrack", "--flush"]);
  }
}

/** The lab. */
export class Lab {
  readonly folder: string;
  readonly registry: Namespace;
  readonly routerA: Router;
  readonly routerB: Router;
  readonly alice: WireGuardHost;
  readonly bob: WireGuardHost;
  readonly #backbone: Namespace;
  readonly #namespaces: readonly Namespace[];

  private constructor(folder: string, name: string, a: NatKind, b: NatKind) {
    const namespace = (role: string) => new Namespace(`${name}-${role}`, `${folder}/${role}`);
    this.folder = folder;
    this.#backbone = namespace("backbone");
    this.registry = namespace("registry");
    this.routerA = new Router(namespace("router-a"), "192.168.1.2", a, "203.0.113.21");
    this.routerB = new Router(namespace("router-b"), "192.168.2.2", b, "203.0.113.22");
    this.alice = new WireGuardHost(namespace("alice"), `${folder}/alice`, "10.9.0.1");
    this.bob = new WireGuardHost(namespace("bob"), `${folder}/bob`, "10.9.0.2");
    this.#namespaces = [
      this.#backbone,
      this.registry,
      ...[this.routerA, this.routerB, this.alice, this.bob].map(({ namespace }) => namespace),
    ];
  }

  /** Builds the network; nothing runs in it yet. */
  static async open(a: NatKind = "preserve", b: NatKind = "preserve"): Promise<Lab> {
    await (cleaned ??= removeLeftovers());
    const folder = await Deno.makeTempDir({ prefix: "wgsig-lab-" });
    const lab = new Lab(folder, `${PREFIX}-${Deno.pid}-${++labs}`, a, b);
    try {
      await Promise.all(lab.#namespaces.map((namespace) => namespace.make()));
      await lab.#connect();
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
    const lab = await Lab.open(a, b);
    try {
      const { alice, bob } = lab;
      await Promise.all([alice.makeKey(), bob.makeKey()]);
      alice.peer = bob;
      bob.peer = alice;
      await Promise.all([alice.startWireGuard(), bob.startWireGuard()]);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return lab;
  }

  get secretFile(): string {
    return `${this.folder}/secret`;
  }

  async #connect(): Promise<void> {
    const { registry, routerA, routerB, alice, bob } = this;
    await this.#backbone.ip(
      "link add br0 type bridge",
      `addr add ${BACKBONE}/24 dev br0`,
      "link set br0 up",
      `link add registry type veth peer name eth0 netns ${registry.name}`,
      `link add router-a type veth peer name wan netns ${routerA.namespace.name}`,
      `link add router-b type veth peer name wan netns ${routerB.namespace.name}`,
      ...["registry", "router-a", "router-b"].map((link) => `link set ${link} master br0 up`),
    );
    await registry.ip(
      `addr add ${REGISTRY}/24 dev eth0`,
      `addr add ${OTHER_REGISTRY}/24 dev eth0`,
      "link set eth0 up",
      `route add default via ${BACKBONE}`,
    );
    const sides = [
      { router: routerA, host: alice.namespace, net: "192.168.1" },
      { router: routerB, host: bob.namespace, net: "192.168.2" },
    ];
    for (const { router, host, net } of sides) {
      await router.namespace.ip(
        `link add lan type veth peer name eth0 netns ${host.name}`,
        `addr add ${router.address}/24 dev wan`,
        "link set wan up",
        `addr add ${net}.1/24 dev lan`,
        "link set lan up",
        `route add default via ${BACKBONE}`,
      );
      await host.ip(
        `addr add ${net}.2/24 dev eth0`,
        "link set eth0 up",
        `route add default via ${net}.1`,
      );
      await router.namespace.must(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
      await router.apply();
    }
  }

  /**
   * Gives all of them IPv6 as well, without NAT: routers let in only what was asked for.
   *
   * @param only Whether alice and bob have nothing else then.
   */
  async useIpv6(only = false): Promise<void> {
    const { registry, alice, bob } = this;
    const sides = [
      { router: this.routerA, host: alice.namespace, side: 1, own: "2001:db8::21" },
      { router: this.routerB, host: bob.namespace, side: 2, own: "2001:db8::22" },
    ];
    await this.#backbone.ip(
      "addr add 2001:db8::1/64 dev br0 nodad",
      ...sides.map(({ side, own }) => `route add 2001:db8:${side}::/64 via ${own}`),
    );
    await registry.ip(
      `addr add ${REGISTRY_IPV6}/64 dev eth0 nodad`,
      "route add default via 2001:db8::1",
    );
    await this.#backbone.must(["sh", "-c", FORWARD_IPV6]);
    for (const { router, host, side, own } of sides) {
      await router.namespace.ip(
        `addr add ${own}/64 dev wan nodad`,
        `addr add 2001:db8:${side}::1/64 dev lan nodad`,
        "route add default via 2001:db8::1",
      );
      await router.namespace.must(["sh", "-c", FORWARD_IPV6]);
      await router.namespace.must(["nft", "-f", "-"], { input: IPV6_FIREWALL });
      if (only) await host.must(["ip", "-4", "addr", "flush", "dev", "eth0"]);
      await host.ip(
        `addr add 2001:db8:${side}::2/64 dev eth0 nodad`,
        `route add default via 2001:db8:${side}::1`,
      );
    }
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
    return [
      "sync",
      INTERFACE,
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
    const argv = [...through, binary, ...this.syncArgs(...args)];
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
    const removals = this.#namespaces.map((namespace) => namespace.remove());
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
