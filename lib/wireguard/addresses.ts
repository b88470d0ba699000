/**
 * Addresses and routes of an interface, through `ip` (ip-address(8), ip-route(8)): iproute2's or
 * busybox's.
 *
 * @module
 */

import { EXIT, UserError } from "../core/user_error.ts";
import { errorCode, explain, type Host } from "../host/host.ts";

/** What `ip` says where there is nothing to do. */
const DONE_ALREADY = /File exists|already assigned/;
const GONE_ALREADY = /Cannot assign requested address|No such process|Cannot find device/;
const NO_PERMISSION = /Operation not permitted|Permission denied/;

/** The addresses of an interface with their prefix lengths; none where there is no such interface. */
export async function readAddresses(host: Host, name: string): Promise<string[]> {
  const { out } = await runIp(host, ["-o", "addr", "show", "dev", name]);
  return [...out.matchAll(/\binet6? ([0-9A-Fa-f.:]+(?:\/\d+)?)/g)].map(([, address]) => {
    if (address!.includes("/")) return address!;
    return `${address}/${address!.includes(":") ? 128 : 32}`;
  });
}

/** The prefixes of the IPv6 routes through an interface. */
export async function readIpv6Routes(host: Host, name: string): Promise<string[]> {
  const { out } = await runIp(host, ["-6", "route", "show", "dev", name]);
  return out.split("\n").flatMap((line) => {
    const prefix = line.trim().split(/\s+/)[0] ?? "";
    if (prefix === "") return [];
    return [prefix === "default" ? "::/0" : prefix.includes("/") ? prefix : `${prefix}/128`];
  });
}

/** Gives the interface an address. */
export async function addAddress(host: Host, name: string, address: string): Promise<void> {
  await change(host, ["addr", "add", address, "dev", name], DONE_ALREADY);
}

/** Takes an address off the interface. */
export async function removeAddress(host: Host, name: string, address: string): Promise<void> {
  await change(host, ["addr", "del", address, "dev", name], GONE_ALREADY);
}

/** Sends what goes to a prefix through the interface. */
export async function addRoute(host: Host, name: string, prefix: string): Promise<void> {
  await change(host, [family(prefix), "route", "add", prefix, "dev", name], DONE_ALREADY);
}

/** Does so no more. */
export async function removeRoute(host: Host, name: string, prefix: string): Promise<void> {
  await change(host, [family(prefix), "route", "del", prefix, "dev", name], GONE_ALREADY);
}

function family(prefix: string): string {
  return prefix.includes(":") ? "-6" : "-4";
}

async function change(host: Host, args: readonly string[], harmless: RegExp): Promise<void> {
  const { code, err } = await runIp(host, args);
  if (code === 0 || harmless.test(err)) return;
  const why = err.trim().split("\n").at(-1) ?? "";
  const hint = NO_PERMISSION.test(why) ? "; run this as root, or with CAP_NET_ADMIN" : "";
  throw new UserError(`ip ${args.join(" ")}: ${why}${hint}`, EXIT.failed);
}

async function runIp(host: Host, args: readonly string[]) {
  try {
    return await host.run(["ip", ...args]);
  } catch (error) {
    const hint = errorCode(error) === "ENOENT" ? "; install iproute2" : "";
    throw new UserError(`cannot run ip: ${explain(error)}${hint}`, EXIT.failed);
  }
}
