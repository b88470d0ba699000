/**
 * Addresses and routes of an interface, through `ip` (ip-address(8), ip-route(8)): iproute2's or
 * busybox's.
 *
 * @module
 */

import { formatLeaseAddress, parseLeasePrefix } from "../core/lease/address.ts";
import { EXIT, UserError } from "../core/settings/user_error.ts";
import { errorCode, explain } from "../host/error.ts";
import type { Processes } from "../host/processes.ts";

/** What `ip` says where there is nothing to do. */
const DONE_ALREADY = /File exists|already assigned/;
const GONE_ALREADY =
  /Cannot assign requested address|ddress not found|No such process|Cannot find device/;
/** Not the other end's, which follows `peer`. */
const ADDRESS = /\binet6? ([0-9A-Fa-f.:]+(?:\/\d+)?)/g;
/** The own address with the prefix length of its network, and the other end's. */
const NETWORK = /\b(?:inet6?|peer) ([0-9A-Fa-f.:]+(?:\/\d+)?)/g;
const GATEWAY = /\bvia (?:inet6 )?([0-9A-Fa-f.:]+)/g;
const LINK_LOCAL = /^fe[89ab]/i;
/** Prefixes this long have no anycast address (RFC 6164). */
const POINT_TO_POINT = 127;
const OF_THE_SYSTEM = /\bproto kernel\b/;
/** What `ip` says of a route, and doesn't take. */
const ROUTE_STATE = /\s(?:linkdown|dead|offload|trap)\b/g;
const NO_PERMISSION = /Operation not permitted|Permission denied/;

/** An interface as `ip` knows it. */
export interface Link {
  /** The system's number of it, another one whenever it is made anew; undefined without addresses. */
  readonly index: number | undefined;
  /** Its addresses with their prefix lengths. */
  readonly addresses: readonly string[];
}

/** An interface with its addresses; it has none where there is no such interface. */
export async function readLink(host: Processes, name: string): Promise<Link> {
  const { out } = await runIp(host, ["-o", "addr", "show", "dev", name]);
  const index = /^(\d+):/.exec(out)?.[1];
  const addresses = [...out.matchAll(ADDRESS)].map(([, address = ""]) => {
    if (address.includes("/")) return address;
    return `${address}/${address.includes(":") ? 128 : 32}`;
  });
  return { index: index === undefined ? undefined : Number(index), addresses };
}

/** The system's number of an interface, with addresses or without; undefined where there is none. */
export async function readIndex(host: Processes, name: string): Promise<number | undefined> {
  const { out } = await runIp(host, ["-o", "link", "show", "dev", name]);
  const index = /^(\d+):/.exec(out)?.[1];
  return index === undefined ? undefined : Number(index);
}

/**
 * The networks of this host's other interfaces, and gateways, which may lie in none of them; as
 * prefixes, without link-local ones.
 */
export async function readOtherNetworks(host: Processes, name: string): Promise<string[]> {
  const { out } = await runIp(host, ["-o", "addr", "show"]);
  const found = out.split("\n").flatMap((line) => {
    const device = /^\d+:\s+([^\s:@]+)/.exec(line)?.[1];
    if (device === undefined || device === name || device === "lo") return [];
    return [...line.matchAll(NETWORK)].map(([, network = ""]) => network);
  });
  for (const family of ["-4", "-6"]) {
    const { out } = await runIp(host, [family, "route", "show", "default"]);
    found.push(...[...out.matchAll(GATEWAY)].map(([, gateway = ""]) => gateway));
  }
  return found.filter((network) => !LINK_LOCAL.test(network));
}

/** The prefixes of the IPv6 routes through an interface. */
export async function readIpv6Routes(host: Processes, name: string): Promise<string[]> {
  const { out } = await runIp(host, ["-6", "route", "show", "dev", name]);
  return out.split("\n").flatMap((line) => {
    const prefix = line.trim().split(/\s+/)[0] ?? "";
    if (prefix === "") return [];
    return [prefix === "default" ? "::/0" : prefix.includes("/") ? prefix : `${prefix}/128`];
  });
}

/**
 * Those of an interface's addresses that make another address an anycast one: on a router, the first
 * of a prefix belongs to all routers there (RFC 4291, section 2.6.1), and Linux takes no TCP on it.
 *
 * @param first An IPv6 address.
 * @param addresses With their prefix lengths.
 */
export async function anycastBy(
  host: Processes,
  name: string,
  first: string,
  addresses: readonly string[],
): Promise<string[]> {
  const those = addresses.filter((each) => {
    const { family, length, first: value } = parseLeasePrefix(each);
    return family === 6 && length < POINT_TO_POINT && value === parseLeasePrefix(first).first;
  });
  if (those.length === 0) return [];
  const { out } = await runIp(host, ["-6", "route", "show", "table", "local", "dev", name]);
  return out.split("\n").some((line) => line.startsWith(`anycast ${first} `)) ? those : [];
}

/** Gives the interface an address. */
export async function addAddress(host: Processes, name: string, address: string): Promise<void> {
  await change(host, ["addr", "add", address, "dev", name], DONE_ALREADY);
}

/**
 * Takes an address off the interface, and leaves the routes: Linux removes all of IPv4 from all
 * tables with the last IPv4 address, such as those that wg-quick makes.
 */
export async function removeAddress(host: Processes, name: string, address: string): Promise<void> {
  const before = address.includes(":") ? [] : await readIpv4Routes(host, name);
  await change(host, ["addr", "del", address, "dev", name], GONE_ALREADY);
  const lost = new Set(before);
  if (lost.size > 0) { for (const route of await readIpv4Routes(host, name)) lost.delete(route); }
  const source = ` src ${address.replace(/\/.*/, "")} `;
  for (const route of lost) {
    // The system's own ones come and go with an address.
    if (OF_THE_SYSTEM.test(route) || `${route} `.includes(source)) continue;
    await change(host, ["-4", "route", "add", ...route.split(" "), "dev", name], DONE_ALREADY);
  }
}

/** The IPv4 routes through an interface, as `ip route add` takes them. */
async function readIpv4Routes(host: Processes, name: string): Promise<string[]> {
  const { out } = await runIp(host, ["-4", "route", "show", "table", "all", "dev", name]);
  return out.split("\n").map((line) => line.replace(ROUTE_STATE, " ").trim().replace(/\s+/g, " "))
    .filter((line) => line !== "");
}

/**
 * Sends what goes to a prefix through the interface.
 *
 * @returns Whether that is new: another route to the same prefix stays as it is.
 */
export async function addRoute(host: Processes, name: string, prefix: string): Promise<boolean> {
  return await change(host, [family(prefix), "route", "add", prefix, "dev", name], DONE_ALREADY);
}

/**
 * The route to the first host of a prefix as `ip route get` has it, if it leads into the interface.
 * Rules count, such as those of wg-quick for all traffic.
 */
export async function findRouteInto(
  host: Processes,
  name: string,
  prefix: string,
): Promise<string | undefined> {
  const address = firstHost(prefix);
  const { code, out } = await runIp(host, [family(prefix), "route", "get", address]);
  const [line = ""] = out.split("\n");
  const words = line.trim().split(/\s+/);
  return code === 0 && words[words.indexOf("dev") + 1] === name ? line.trim() : undefined;
}

/** The first address of a prefix isn't a host's, unless the prefix is one host. */
function firstHost(prefix: string): string {
  const { family, first, last } = parseLeasePrefix(prefix);
  return formatLeaseAddress({ family, value: first === last ? first : first + 1n });
}

/** Does so no more. */
export async function removeRoute(host: Processes, name: string, prefix: string): Promise<void> {
  await change(host, [family(prefix), "route", "del", prefix, "dev", name], GONE_ALREADY);
}

function family(prefix: string): string {
  return prefix.includes(":") ? "-6" : "-4";
}

/** Returns whether something was done. */
async function change(
  host: Processes,
  args: readonly string[],
  harmless: RegExp,
): Promise<boolean> {
  const { code, err } = await runIp(host, args);
  if (code === 0) return true;
  if (harmless.test(err)) return false;
  const why = err.trim().split("\n").at(-1) ?? "";
  const hint = NO_PERMISSION.test(why) ? "; run this as root, or with CAP_NET_ADMIN" : "";
  throw new UserError(`ip ${args.join(" ")}: ${why}${hint}`, EXIT.failed);
}

async function runIp(host: Processes, args: readonly string[]) {
  try {
    return await host.run(["ip", ...args]);
  } catch (error) {
    const hint = errorCode(error) === "ENOENT" ? "; install iproute2" : "";
    throw new UserError(`cannot run ip: ${explain(error)}${hint}`, EXIT.failed);
  }
}
