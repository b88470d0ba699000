/**
 * What the end-to-end tests of DNS act with: a WireGuard device in a network namespace, and
 * `wgsig serve` in front of it.
 *
 * The server runs in the namespace of the machine (unless a test starts it in the device's), but with
 * the `/var/run` in which `wg` finds the device: its interface never is one of the machine's.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { Namespace } from "../lab/namespace.ts";
import { INTERFACE, WireGuardHost } from "../lab/wireguard_host.ts";
import { instanceOf } from "../support/dns_messages.ts";
import { BINARY, type Running, type RunOptions } from "../support/program.ts";
import { type Counts, randomBytes, type Scene, Served } from "./scene.ts";

/** What a device needs of the machine. */
export const DEVICE_NEEDS: readonly string[] = [
  "root",
  "network namespaces",
  "ip",
  "wireguard-go",
  "wg",
];
/** The zone of the tests. */
export const ZONE = "wg.example.com";
/** The name that lists its peers. */
export const SERVICE = `_wireguard._udp.${ZONE}`;
/** The SOA record of every negative answer. */
export const SOA = `${ZONE}. 60 SOA ns1.${ZONE}. postmaster.${ZONE}. 1 86400 7200 3600000 60`;

/** A peer of the device. */
export interface TestPeer {
  readonly publicKey: string;
  /** None is a peer that is nowhere. */
  readonly endpoint: string | undefined;
  readonly allowedIps: readonly string[];
}

/** A peer with a random key. */
export function newPeer(endpoint?: string, ...allowedIps: readonly string[]): TestPeer {
  return { publicKey: encodeBase64(randomBytes(32)), endpoint, allowedIps };
}

/** Many, each at another address. */
export function newPeers(count: number): TestPeer[] {
  return Array.from(
    { length: count },
    (_, i) => newPeer(`198.18.${i >> 8}.${i & 255}:${1024 + i}`, `10.${i >> 8}.${i & 255}.1/32`),
  );
}

/** The name of a peer's instance, as the tools print it. */
export function instance({ publicKey }: TestPeer, zone: string = ZONE): string {
  return `${instanceOf(publicKey, zone)}.`;
}

/** The records of the list of peers, as the tools print them, sorted. */
export function listRecords(peers: readonly TestPeer[], ttl = 0, zone: string = ZONE): string[] {
  return peers.map((peer) => `_wireguard._udp.${zone}. ${ttl} PTR ${instance(peer, zone)}`).sort();
}

/** The TXT record of a peer of the device. */
export function textRecord(peer: TestPeer, ttl = 0): string {
  const strings = ["txtvers=1", `pub=${peer.publicKey}`, `allowed=${peer.allowedIps.join()}`];
  return `${instance(peer)} ${ttl} TXT ${strings.map((each) => `"${each}"`).join(" ")}`;
}

/** The SRV record of a peer. */
export function serviceRecord(peer: TestPeer, ttl = 0): string {
  const name = instance(peer);
  return `${name} ${ttl} SRV 0 0 ${peer.endpoint?.replace(/^.*:/, "")} ${name}`;
}

/** The address record of a peer. */
export function addressRecord(peer: TestPeer, ttl = 0): string {
  const address = peer.endpoint?.replace(/:\d+$/, "").replace(/[[\]]/g, "");
  return `${instance(peer)} ${ttl} ${address?.includes(":") ? "AAAA" : "A"} ${address}`;
}

let devices = 0;

/** A WireGuard interface, wg0, alone in a namespace. It never is up: it is only looked at. */
export class Device implements AsyncDisposable {
  readonly host: WireGuardHost;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    // The lab removes namespaces with such names that a killed process has left.
    const namespace = new Namespace(`wgsig-${Deno.pid}-${++devices}-dns`, folder);
    this.host = new WireGuardHost(namespace, folder, "10.9.0.1");
  }

  /** Makes the namespace; the interface isn't there yet. */
  static async absent(): Promise<Device> {
    const device = new Device(await Deno.makeTempDir({ prefix: "wgsig-dns-" }));
    try {
      await device.host.namespace.make();
      await device.host.makeKey();
    } catch (error) {
      await device[Symbol.asyncDispose]();
      throw error;
    }
    return device;
  }

  /** Makes the interface, with peers. */
  static async with(...peers: readonly TestPeer[]): Promise<Device> {
    const device = await Device.absent();
    try {
      await device.start();
      await device.setPeers(peers);
    } catch (error) {
      await device[Symbol.asyncDispose]();
      throw error;
    }
    return device;
  }

  get namespace(): Namespace {
    return this.host.namespace;
  }

  /** Makes the interface. */
  async start(): Promise<void> {
    await this.host.startKeyless();
  }

  /** Makes these its peers, and no others. */
  async setPeers(peers: readonly TestPeer[]): Promise<void> {
    const lines = peers.flatMap(({ publicKey, endpoint, allowedIps }) => [
      "[Peer]",
      `PublicKey = ${publicKey}`,
      ...(endpoint === undefined ? [] : [`Endpoint = ${endpoint}`]),
      ...(allowedIps.length === 0 ? [] : [`AllowedIPs = ${allowedIps.join()}`]),
    ]);
    const key = (await Deno.readTextFile(this.host.keyFile)).trim();
    const own = ["[Interface]", `PrivateKey = ${key}`, "ListenPort = 51820"];
    await this.namespace.must(["wg", "setconf", INTERFACE, "/dev/stdin"], {
      input: [...own, ...lines, ""].join("\n"),
    });
  }

  /** The command line that runs `argv` where its `wg` finds the device, and nothing else changes. */
  beside(argv: readonly string[]): string[] {
    const script = 'mount --bind "$0" /var/run && exec "$@"';
    return ["unshare", "--mount", "sh", "-c", script, this.namespace.runFolder, ...argv];
  }

  /** Starts `wgsig serve` for the interface, on a port of 127.0.0.1. */
  async serve(
    scene: Scene,
    args: readonly string[] = [],
    { env = {} }: RunOptions = {},
  ): Promise<Served> {
    const flags = ["--dns", freeDnsAddress(), "--zone", ZONE, "--interface", INTERFACE];
    return await this.serveWith(scene, [...flags, ...args], { env });
  }

  /** The same with nothing but what is given. */
  async serveWith(
    scene: Scene,
    args: readonly string[],
    { env = {} }: RunOptions = {},
  ): Promise<Served> {
    const running = scene.start(this.beside([BINARY, "serve", ...args]), { env });
    return await dnsServer(running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.namespace.remove();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/**
 * An address of this host with a port that is free for UDP and TCP. It is none of those that the
 * system gives to clients: one of them may have been taken, or not yet be free again, for TCP alone.
 */
export function freeDnsAddress(hostname = "127.0.0.1"): string {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    try {
      using _tcp = Deno.listen({ hostname, port });
      Deno.listenDatagram({ transport: "udp", hostname, port }).close();
      return `${hostname}:${port}`;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** A server that was started, with the port of its DNS, once it answers. */
export async function dnsServer(running: Running): Promise<Served> {
  const [, port] = await running.printed(/ dns-listening address=\S+:(\d+)\n[^]* ready /);
  return new Served(running, Number(port));
}

/** A `wg` before the real one that notes when it is run; `before` is what it does first. */
export async function countingWg(
  scene: Scene,
  before = "",
): Promise<{ env: Record<string, string>; runs: () => Promise<number> }> {
  const folder = `${scene.folder}/counting`;
  const log = `${folder}/runs`;
  await Deno.mkdir(folder);
  await Deno.writeTextFile(log, "");
  const script = `#!/bin/sh\necho "$*" >> ${log}\n${before}\nPATH="\${PATH#*:}"\nexec wg "$@"\n`;
  await Deno.writeTextFile(`${folder}/wg`, script, { mode: 0o755 });
  return {
    env: { PATH: `${folder}:${Deno.env.get("PATH")}` },
    runs: async () => (await Deno.readTextFile(log)).split("\n").length - 1,
  };
}

/** The counters of which every message has exactly one. */
const OUTCOMES = ["answered", "nodata", "nxdomain", "servfail", "refused", "formerr", "notimp"]
  .concat("badvers", "notauth", "drop-short", "drop-response");

/** Asserts that of every message that came in it was counted what became of it, and returns how many. */
export function assertBalanced(counts: Counts): number {
  const sum = OUTCOMES.reduce((total, name) => total + (counts[`dns-${name}`] ?? 0), 0);
  const received = counts["dns-received"] ?? 0;
  assertEquals(sum, received, JSON.stringify(counts));
  return received;
}

/** Prints a figure. */
export function figure(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`dns: ${text}\n`));
}
