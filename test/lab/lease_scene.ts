/**
 * A hub that leases addresses to alice and bob, in the lab: the registry's host has a WireGuard of
 * its own, and each client a link-local address that the hub knows it by.
 *
 * @module
 */

import { BINARY, type Running, type RunOptions } from "../support/program.ts";
import { Lab, REGISTRY } from "./lab.ts";
import type { WireStep } from "./lease_wire.ts";
import { sleep } from "./namespace.ts";
import { INTERFACE, WIREGUARD_PORT, WireGuardHost } from "./wireguard_host.ts";

/** What is leased unless a test says otherwise; the hub has the first address of each. */
export const POOLS: readonly string[] = ["10.20.0.0/24", "fd00:20::/64"];
/** The shortest that there is. */
export const SHORT = "10s";
export const ALICE = "fe80::a";
export const BOB = "fe80::b";

const ROOT = new URL("../..", import.meta.url).pathname;
const ENV = { WGSIG_CONFIG: "/dev/null" };
const LEASED = /\binet6? ((?:10\.2\d\.|fd00:2\d:)\S+)/g;

/** Where a wire client speaks from, instead of its link-local address and port 970. */
export interface WireSource {
  readonly host?: string;
  readonly port?: number;
  /** So many connections, from this port and those above it. */
  readonly count?: number;
}

/** What a wire client was answered. */
export interface WireResult {
  /** What each `read` and `closed` gave. */
  readonly answers: readonly string[];
  /** Connections that were made. */
  readonly connected: number;
}

/** The scene. */
export class LeaseScene implements AsyncDisposable {
  readonly lab: Lab;
  readonly hub: WireGuardHost;
  readonly alice: WireGuardHost;
  readonly bob: WireGuardHost;

  private constructor(lab: Lab) {
    this.lab = lab;
    this.hub = new WireGuardHost(lab.registry, `${lab.folder}/registry`, "");
    this.alice = lab.alice;
    this.bob = lab.bob;
  }

  /** Builds it: all is set up, but for what `--configure` does. */
  static async open(): Promise<LeaseScene> {
    const scene = new LeaseScene(await Lab.open("preserve", "preserve"));
    try {
      const hosts = [scene.hub, scene.alice, scene.bob];
      await Promise.all(hosts.map((host) => host.makeKey()));
      await scene.raise(scene.hub);
      await Promise.all([scene.alice, scene.bob].map((host) => scene.raise(host)));
      await scene.hub.namespace.must(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
      const forward = "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
      await scene.hub.namespace.must(["sh", "-c", forward]);
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
    return scene;
  }

  linkLocal(host: WireGuardHost): string {
    return host === this.alice ? ALICE : BOB;
  }

  /** Starts a host's WireGuard, with its peers and addresses, as a configuration would. */
  async raise(host: WireGuardHost): Promise<void> {
    const { hub, alice, bob } = this;
    await host.startKeyless();
    await host.set("private-key", host.keyFile, "listen-port", `${WIREGUARD_PORT}`);
    const { namespace } = host;
    await namespace.ip(`link set ${INTERFACE} addrgenmode none up`);
    if (host === hub) {
      await hub.set("peer", alice.publicKey, "allowed-ips", `${ALICE}/128`);
      await hub.set("peer", bob.publicKey, "allowed-ips", `${BOB}/128`);
      await namespace.ip("addr add 10.20.0.1/24 dev wg0", "addr add fd00:20::1/64 dev wg0");
      return;
    }
    const allowedIps = "fe80::/128,10.16.0.0/12,fd00::/16";
    const to = ["endpoint", `${REGISTRY}:${WIREGUARD_PORT}`, "persistent-keepalive", "5"];
    await host.set("peer", hub.publicKey, ...to, "allowed-ips", allowedIps);
    await namespace.ip(
      "addr flush dev wg0 scope link",
      `addr add ${this.linkLocal(host)}/128 dev wg0`,
      "route add fe80::/128 dev wg0",
      "route add 10.16.0.0/12 dev wg0",
      "route add fd00::/16 dev wg0",
    );
  }

  /** Ends a host's WireGuard as a crash does, also where `wg` has removed its dead socket first. */
  async crash(host: WireGuardHost): Promise<void> {
    try {
      await host.stopWireGuard();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** The same, and starts it. */
  async restart(host: WireGuardHost): Promise<void> {
    await this.crash(host);
    await this.raise(host);
  }

  /** Starts the server with the usual pools, and waits until it is ready. */
  async serve(...args: readonly string[]): Promise<Running> {
    const pools = POOLS.flatMap((pool) => ["--lease", pool]);
    const time = args.includes("--lease-time") ? [] : ["--lease-time", "1h"];
    return await this.serveWith([...pools, ...time, "--configure", ...args]);
  }

  /** The same with these arguments alone. */
  async serveWith(args: readonly string[]): Promise<Running> {
    const argv = [BINARY, "serve", "--interface", INTERFACE, ...args];
    const server = this.hub.namespace.start(argv, { env: ENV });
    await server.printed(/ ready/);
    return server;
  }

  /** Starts a client. */
  sync(host: WireGuardHost, ...args: readonly string[]): Running {
    const argv = [BINARY, "sync", INTERFACE, "--lease", "--interval", "2s", ...args];
    return host.namespace.start(argv, { env: ENV });
  }

  /** Starts a client, and waits until it has its addresses; returns them, too. */
  async lease(host: WireGuardHost, ...args: readonly string[]) {
    const client = this.sync(host, ...args);
    // A WireGuard whose other side was restarted needs 15 s to notice.
    await client.printed(/ leased /, 40);
    return { client, addresses: await this.addresses(host) };
  }

  /** Writes a file of settings, and returns its path. */
  async settings(text: string): Promise<string> {
    const path = `${this.lab.folder}/wgsig.toml`;
    await Deno.writeTextFile(path, text);
    return path;
  }

  /** The addresses of a lease on a host's interface, IPv4 first. */
  async addresses(host: WireGuardHost): Promise<string[]> {
    const out = await host.namespace.must(["ip", "-o", "addr", "show", "dev", INTERFACE]);
    return [...out.matchAll(LEASED)].map(([, address = ""]) => address);
  }

  /** What the hub lets a host have, in order; undefined where it doesn't know the host. */
  async allowed(host: WireGuardHost): Promise<string[] | undefined> {
    const { peers } = await this.hub.device();
    return peers.find(({ publicKey }) => publicKey === host.publicKey)?.allowedIps.toSorted();
  }

  /** Waits until something holds, looking again and again. */
  async until(what: string, holds: () => Promise<boolean>, seconds: number): Promise<void> {
    const end = performance.now() + seconds * 1000;
    while (!await holds()) {
      if (performance.now() > end) throw new Error(`not in ${seconds} s: ${what}`);
      await sleep(0.1);
    }
  }

  /** Whether a host's address in the tunnel answers another host. */
  async reaches(host: WireGuardHost, from: string, to: string): Promise<boolean> {
    const bare = (prefix: string) => prefix.replace(/\/\d+$/, "");
    const ping = ["ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", "-I", bare(from), bare(to)];
    return (await host.namespace.run(ping)).code === 0;
  }

  /** Does as a client does that is told what to send; see {@linkcode WireStep}. */
  async wire(
    host: WireGuardHost,
    steps: readonly WireStep[],
    source: WireSource = {},
  ): Promise<WireResult> {
    const job = { host: this.linkLocal(host), port: 970, count: 1, ...source, steps };
    const program = ["run", "--config", `${ROOT}deno.json`, "--no-check", "-A"];
    const argv = [Deno.execPath(), ...program, `${ROOT}test/lab/lease_wire.ts`];
    const options: RunOptions = { env: { NO_COLOR: "1" } };
    const out = await host.namespace.must([...argv, JSON.stringify(job)], options);
    return JSON.parse(out);
  }

  /** Sends one thing, and returns the answer and whether the server closed the connection then. */
  async ask(
    host: WireGuardHost,
    text: string,
    source?: WireSource,
  ): Promise<readonly [answer: string, closed: string]> {
    const steps: WireStep[] = [["send", text], ["read"], ["closed", 0.3]];
    // Where no connection was made, the first says why.
    const { answers } = await this.wire(host, steps, source);
    return [answers[0] ?? "", answers.at(-1) ?? ""];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}

/** Runs scenes at the same time, and fails where one of them does. */
export async function together(
  scenes: Readonly<Record<string, (scene: LeaseScene) => Promise<void>>>,
): Promise<void> {
  const entries = Object.entries(scenes);
  const results = await Promise.allSettled(entries.map(async ([, run]) => {
    await using scene = await LeaseScene.open();
    await run(scene);
  }));
  const failures = results.flatMap((result, i) =>
    result.status === "rejected" ? [`${entries[i]?.[0]}: ${result.reason?.stack}`] : []
  );
  if (failures.length > 0) throw new Error(failures.join("\n\n"));
}

/** Runs a command line as it was printed, in a host's shell. */
export async function obey(host: WireGuardHost, command: string): Promise<void> {
  await host.namespace.must(["sh", "-c", command]);
}
