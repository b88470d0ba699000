/**
 * The gateways of this host, from what Linux tells of its routes: those of the default routes, one of
 * IPv4 and one of IPv6. Sources: proc(5); fib_trie.c and route.c of Linux for the columns.
 *
 * ```
 * /proc/net/route       Iface Destination Gateway Flags RefCnt Use Metric Mask …   of 32 bits in the
 *                                                                                machine's order
 * /proc/net/ipv6_route  destination length source length gateway metric refs use flags Iface
 * ```
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Family } from "../net/host_port.ts";
import {
  ADDRESS_SIZE,
  formatAddress,
  formatIpv4,
  isIpv4,
  parseAddress,
} from "../net/ip_address.ts";
import { PrefixSet } from "../net/ip_prefix.ts";
import { reachOf } from "../net/reach.ts";

/** A router that this host sends to what has no route of its own. */
export interface Gateway {
  readonly family: Family;
  /** IP address; a link-local one with its scope. */
  readonly address: string;
  /** The own address that it sees, or that of any (`0.0.0.0`) where that isn't known. */
  readonly from: string;
  /** The prefixes that are on the same link. */
  readonly near: readonly string[];
}

const UP = 1;
const GATEWAY = 2;
const REJECTS = 0x200;
/** Lines of a file that are read: on a host with a table of the internet, the rest is passed over. */
const MAX_LINES = 1000;
/** The most prefixes of one link that matter. */
const MAX_NEAR = 16;
const HEX_ADDRESS = /^[0-9a-fA-F]{32}$/;
const HEX = /^[0-9a-fA-F]{1,8}$/;
const NAME = /^[^\s%/]{1,15}$/;

/** Whether this machine's numbers begin with their lowest byte. */
const IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

interface Route {
  /** As a prefix; undefined where it is the default one. */
  readonly prefix: string | undefined;
  /** IP address; undefined where it is on the link. */
  readonly gateway: string | undefined;
  readonly metric: number;
  readonly name: string;
}

/**
 * Finds the gateways.
 *
 * @param ipv4 The text of /proc/net/route; empty where there is none.
 * @param ipv6 The text of /proc/net/ipv6_route.
 * @param addresses The addresses of this host.
 * @param isLittle Whether the machine is little-endian.
 */
export function findGateways(
  ipv4: string,
  ipv6: string,
  addresses: readonly string[],
  isLittle = IS_LITTLE,
): readonly Gateway[] {
  return [
    ...gatewayOf(4, ipv4Routes(ipv4, isLittle), addresses),
    ...gatewayOf(6, ipv6Routes(ipv6), addresses),
  ];
}

/** Whether two are the same, seen from the same address. */
export function isSameGateway(a: Gateway, b: Gateway): boolean {
  return a.address === b.address && a.from === b.from && a.near.join() === b.near.join();
}

/** Whether an address is on the gateway's link, and in nobody else's reach. */
export function isNear({ near }: Gateway, host: string): boolean {
  return reachOf(host) === 1 && isIn(near, host);
}

function gatewayOf(
  family: Family,
  routes: readonly Route[],
  addresses: readonly string[],
): readonly Gateway[] {
  let best: Route | undefined;
  for (const route of routes) {
    const isDefault = route.prefix === undefined && route.gateway !== undefined;
    if (isDefault && (best === undefined || route.metric < best.metric)) best = route;
  }
  if (best?.gateway === undefined) return [];
  const { gateway, name } = best;
  const near = routes.flatMap((each) =>
    each.name === name && each.gateway === undefined && each.prefix !== undefined
      ? [each.prefix]
      : []
  ).slice(0, MAX_NEAR);
  const own = addresses.filter((each) => isIn(near, each));
  if (family === 4) return [{ family, address: gateway, from: own[0] ?? "0.0.0.0", near }];
  // What is open to others has an address that they can reach.
  const from = own.find((each) => reachOf(each) === 2);
  if (from === undefined) return [];
  const address = /^fe[89ab]/i.test(gateway) ? `${gateway}%${name}` : gateway;
  return [{ family, address, from, near }];
}

function isIn(prefixes: readonly string[], host: string): boolean {
  const address = new WireBuffer(ADDRESS_SIZE);
  return parseAddress(host, address, 0) && new PrefixSet(prefixes).contains(address, 0);
}

function ipv4Routes(text: string, isLittle: boolean): readonly Route[] {
  return linesOf(text).flatMap((line): readonly Route[] => {
    const [name = "", to = "", gateway = "", flags = "", , , metric = "", mask = ""] = line;
    const isRead = NAME.test(name) && [to, gateway, flags, mask].every((each) => HEX.test(each));
    const bits = parseInt(flags, 16);
    if (!isRead || !/^\d{1,10}$/.test(metric) || (bits & UP) === 0 || bits & REJECTS) return [];
    const read = (hex: string) => isLittle ? swapped(parseInt(hex, 16)) : parseInt(hex, 16);
    const length = 32 - Math.log2(2 ** 32 - read(mask));
    return [{
      prefix: read(to) === 0 && length === 0 ? undefined : `${formatIpv4(read(to))}/${length}`,
      gateway: bits & GATEWAY ? formatIpv4(read(gateway)) : undefined,
      metric: Number(metric),
      name,
    }];
  }).filter(({ prefix }) => prefix === undefined || /\/\d+$/.test(prefix));
}

function ipv6Routes(text: string): readonly Route[] {
  return linesOf(text).flatMap((line): readonly Route[] => {
    const [to = "", length = "", , , gateway = "", metric = "", , , flags = "", name = ""] = line;
    const isRead = NAME.test(name) && [to, gateway].every((each) => HEX_ADDRESS.test(each)) &&
      [length, metric, flags].every((each) => HEX.test(each));
    const bits = parseInt(flags, 16);
    const prefixLength = parseInt(length, 16);
    if (!isRead || (bits & UP) === 0 || bits & REJECTS || prefixLength > 128) return [];
    const prefix = `${ipv6Of(to)}/${prefixLength}`;
    return [{
      prefix: prefix === "::/0" ? undefined : prefix,
      gateway: bits & GATEWAY ? ipv6Of(gateway) : undefined,
      metric: parseInt(metric, 16),
      name,
    }];
  });
}

function linesOf(text: string): readonly (readonly string[])[] {
  return text.split("\n", MAX_LINES).map((line) => line.trim().split(/\s+/));
}

function swapped(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>>
    0;
}

function ipv6Of(hex: string): string {
  const address = new WireBuffer(ADDRESS_SIZE);
  for (let i = 0; i < ADDRESS_SIZE; i++) {
    address.bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  }
  // Nothing of IPv4 is in this table.
  return isIpv4(address, 0) ? "::" : formatAddress(address, 0);
}
