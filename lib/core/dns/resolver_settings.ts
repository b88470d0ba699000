/**
 * The files that say how names are looked up: /etc/resolv.conf (resolv.conf(5)) and /etc/hosts
 * (hosts(5)).
 *
 * @module
 */

import { ADDRESS_SIZE, parseAddress } from "../net/ip_address.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/** More servers are not asked, as with the C libraries. */
const MAX_SERVERS = 3;
const MAX_SEARCH = 6;
const MAX_NDOTS = 15;
const MAX_SECONDS = 60;
const DEFAULT_SECONDS = 5;
const DEFAULT_ATTEMPTS = 2;
const MAX_ATTEMPTS = 10;

/** How names are looked up. */
export interface ResolverSettings {
  /** The IP addresses of name servers, at least one. */
  readonly servers: readonly string[];
  /** Domains in which a name is looked for, too. */
  readonly search: readonly string[];
  /** From so many dots on, a name is first looked for as it is. */
  readonly ndots: number;
  /** How long a name's answer is waited for, in seconds. */
  readonly patience: number;
}

/** Reads /etc/resolv.conf. What is not understood is passed over. */
export function parseResolverSettings(text: string): ResolverSettings {
  const servers: string[] = [];
  let search: readonly string[] = [];
  let ndots = 1;
  let seconds = DEFAULT_SECONDS;
  let attempts = DEFAULT_ATTEMPTS;
  for (const line of text.split("\n")) {
    if (/^[#;]/.test(line)) continue;
    const [keyword, ...values] = line.trim().split(/\s+/);
    const [first = ""] = values;
    switch (keyword) {
      case "nameserver":
        if (servers.length < MAX_SERVERS && isAddress(first)) servers.push(first);
        break;
      case "domain":
        search = [first];
        break;
      case "search":
        search = values.slice(0, MAX_SEARCH);
        break;
      case "options":
        for (const value of values) {
          ndots = Math.min(optionOf(value, "ndots") ?? ndots, MAX_NDOTS);
          seconds = Math.min(optionOf(value, "timeout") ?? seconds, MAX_SECONDS);
          attempts = Math.min(optionOf(value, "attempts") ?? attempts, MAX_ATTEMPTS);
        }
    }
  }
  return {
    // Where nothing is said, there is one on this host.
    servers: servers.length > 0 ? servers : ["127.0.0.1"],
    search: search.map((domain) => domain.replace(/\.$/, "")).filter((domain) => domain !== ""),
    ndots,
    patience: Math.max(seconds, 1) * Math.max(attempts, 1),
  };
}

/** Whether /etc/resolv.conf names a name server: else the one on this host is asked, if there is any. */
export function namesServer(text: string): boolean {
  return /^[ \t]*nameserver[ \t]/m.test(text);
}

function optionOf(text: string, name: string): number | undefined {
  const value = text.startsWith(`${name}:`) ? text.slice(name.length + 1) : "";
  return /^\d+$/.test(value) ? Number(value) : undefined;
}

/** The addresses that /etc/hosts gives a name, in its order. */
export function findInHosts(text: string, name: string): string[] {
  const wanted = name.toLowerCase();
  const found: string[] = [];
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (!names.some((each) => each.toLowerCase() === wanted)) continue;
    if (isAddress(address) && !found.includes(address)) found.push(address);
  }
  return found;
}

/** The names to ask for, one after the other, without a dot at their end. */
export function candidateNames(name: string, { search, ndots }: ResolverSettings): string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const longer = search.map((domain) => `${name}.${domain}`);
  const dots = name.split(".").length - 1;
  return dots >= ndots ? [name, ...longer] : [...longer, name];
}

function isAddress(text: string): boolean {
  return parseAddress(text, new WireBuffer(ADDRESS_SIZE), 0);
}
