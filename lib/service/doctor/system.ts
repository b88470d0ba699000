/**
 * What this host says of itself.
 *
 * @module
 */

import type { LinkFacts, RouteFacts, SystemFacts } from "../../core/doctor/facts.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { Clock } from "../../host/clock.ts";
import type { Files } from "../../host/files.ts";
import type { Processes } from "../../host/processes.ts";
import { attempt } from "./attempt.ts";

const MAX_FILE = 65_536;
/** A program has so many seconds. */
const TIMEOUT = 2;
const IP_FORWARD = "/proc/sys/net/ipv4/ip_forward";
const IPV6_FORWARDING = "/proc/sys/net/ipv6/conf/all/forwarding";
const PORT_RANGE = "/proc/sys/net/ipv4/ip_local_port_range";

/** Reads it. @param wgsig This program, with its version. */
export async function readSystem(
  host: Clock & Files & Processes,
  wgsig: string,
): Promise<SystemFacts> {
  const [status, ipv4, ipv6, range, nft, iptables, ip6tables, wg, kernel] = await Promise.all([
    readText(host, "/proc/self/status"),
    readText(host, IP_FORWARD),
    readText(host, IPV6_FORWARDING),
    readText(host, PORT_RANGE),
    printed(host, ["nft", "list", "ruleset"]),
    printed(host, ["iptables", "-S"]),
    printed(host, ["ip6tables", "-S"]),
    attempt(host, TIMEOUT, () => wgVersion(host)),
    printed(host, ["uname", "-r"]),
  ]);
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(status ?? "")?.[1];
  const [, first, last] = /^(\d+)\s+(\d+)/.exec(range ?? "") ?? [];
  return {
    capabilities: capabilities === undefined ? undefined : BigInt(`0x${capabilities}`),
    forwards: { 4: isOn(ipv4), 6: isOn(ipv6) },
    portRange: last === undefined ? undefined : [Number(first), Number(last)],
    nft,
    iptables: [iptables, ip6tables].filter((each) => each !== undefined),
    wg,
    kernel: kernel?.trim(),
    wgsig,
  };
}

function isOn(text: string | undefined): boolean | undefined {
  return text === undefined ? undefined : Number(text) !== 0;
}

async function readText(host: Files, path: string): Promise<string | undefined> {
  try {
    const { bytes } = await host.readFile(path, MAX_FILE, { beginning: true });
    return new TextDecoder().decode(bytes);
  } catch {
    return undefined;
  }
}

/** What a program prints; undefined where it fails, or there is none. */
async function printed(host: Processes, argv: readonly string[]): Promise<string | undefined> {
  try {
    const { code, out } = await host.run(argv, { timeout: TIMEOUT });
    return code === 0 ? out : undefined;
  } catch {
    return undefined;
  }
}

async function wgVersion(host: Processes): Promise<string> {
  try {
    const { out } = await host.run(["wg", "--version"], { timeout: TIMEOUT });
    return out;
  } catch (error) {
    const hint = errorCode(error) === "ENOENT" ? "; install wireguard-tools" : "";
    throw new Error(`cannot run wg: ${explain(error)}${hint}`);
  }
}

/** What `ip link` says of an interface; undefined where there is none. */
export async function readLinkState(
  host: Processes,
  name: string,
): Promise<LinkFacts | undefined> {
  const out = await printed(host, ["ip", "-o", "link", "show", "dev", name]);
  // 4: wg0: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1420 qdisc noqueue state UNKNOWN …
  const [, flags = "", mtu] = /<([^>]*)>.*?\bmtu (\d+)/.exec(out ?? "") ?? [];
  return mtu === undefined
    ? undefined
    : { isUp: flags.split(",").includes("UP"), mtu: Number(mtu) };
}

/** The way to an address; undefined where there is none. */
export async function readRoute(
  host: Processes,
  address: string,
): Promise<RouteFacts | undefined> {
  const family = address.includes(":") ? "-6" : "-4";
  const out = await printed(host, ["ip", family, "route", "get", address]);
  const device = /\bdev (\S+)/.exec(out ?? "")?.[1];
  if (device === undefined) return undefined;
  const link = await readLinkState(host, device);
  return { address, device, mtu: link?.mtu };
}
