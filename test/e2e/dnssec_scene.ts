/**
 * What the end-to-end tests of signed zones act with: keys as `wgsig keygen zone` makes them, and
 * servers that sign with them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { otherClock } from "../support/faketime.ts";
import { BINARY, run } from "../support/program.ts";
import { type Device, freeDnsAddress, newPeer } from "./dns_scene.ts";
import type { Scene, Served } from "./scene.ts";

/** A peer with an IPv4 endpoint. */
export const alice = newPeer("198.51.100.7:4711", "10.9.0.2/32", "fd00::2/128");
/** One with an IPv6 endpoint. */
export const bob = newPeer("[2001:db8::7]:51821", "10.9.0.3/32");

/** Algorithms of keys. */
export type Algorithm = "ecdsa" | "ed25519";

/** A key of a zone, as the zone above and validators know it. */
export interface TestZoneKey {
  readonly zone: string;
  /** Its private half. */
  readonly file: string;
  /** The data of its DS record: `TAG ALGORITHM 2 DIGEST`. */
  readonly ds: string;
  /** The data of its DNSKEY record: `257 3 ALGORITHM KEY`. */
  readonly dnskey: string;
  /** The key tag. */
  readonly tag: string;
}

/** Makes a key. */
export async function newZoneKey(
  scene: Scene,
  zone: string,
  algorithm: Algorithm = "ecdsa",
): Promise<TestZoneKey> {
  const file = `${scene.folder}/${zone}-${crypto.randomUUID()}.key`;
  const argv = ["keygen", "zone", zone, "--algorithm", algorithm, "--output", file];
  const { code, out, err } = await run([BINARY, ...argv]);
  assertEquals(code, 0, err);
  const dataOf = (type: string): string => {
    const [, data = ""] = new RegExp(`^${zone}\\.\\s.*\\bIN\\s+${type}\\s+(.*)$`, "m").exec(out) ??
      [];
    assert(data !== "", out);
    return data.trim();
  };
  const ds = dataOf("DS");
  return { zone, file, ds, dnskey: dataOf("DNSKEY"), tag: ds.split(" ")[0] ?? "" };
}

/** A question: `NAME TYPE`. */
export type Question = string;

/** A zone as the settings have it. */
export interface SignedZone {
  readonly name: string;
  readonly keys: readonly TestZoneKey[];
  readonly more?: string;
}

/** What is different about a server. */
export interface ServerOptions {
  /** By how much its wall clock is off. */
  readonly clock?: string;
  /** What each source gets beyond what it sends, in bytes a second; 0, which is no limit, if not said. */
  readonly budget?: number;
}

/** Starts a server with zones of a device. */
export async function serveZones(
  scene: Scene,
  device: Device,
  zones: readonly SignedZone[],
  { clock, budget = 0 }: ServerOptions = {},
): Promise<{ server: Served; configure: (zones: readonly SignedZone[]) => Promise<void> }> {
  const address = freeDnsAddress();
  const write = (zones: readonly SignedZone[]) =>
    scene.file(
      `${address}.toml`,
      `[serve.dns]\nlisten = ["${address}"]\ninterface = "wg0"\n` +
        `answer-budget = ${budget}\n` +
        zones.map(({ name, keys, more = "" }) => {
          const files = JSON.stringify(keys.map(({ file }) => file));
          return `[[serve.dns.zone]]\nname = "${name}"\ndnssec-keys = ${files}\n${more}\n`;
        }).join(""),
    );
  const config = await write(zones);
  const env = clock === undefined ? {} : await otherClock(clock);
  const server = await device.serveWith(scene, ["--config", config], { env });
  return {
    server,
    configure: async (zones) => {
      await write(zones);
      await server.signal("SIGHUP", / info reloaded /);
    },
  };
}
