/**
 * Checks of AllowedIPs: against each other, against this host's networks, and against what must stay
 * outside of the tunnel; and of forwarding, where they say that this host routes.
 *
 * @module
 */

import { addressOf, IpPrefix, isNarrow, normalizePrefix } from "../net/ip_prefix.ts";
import { bad, type Check, named, ok, warn } from "./check.ts";
import { type DoctorFacts, valueOf } from "./facts.ts";

/** A prefix of a peer. */
interface Owned {
  /** In the one form. */
  readonly prefix: string;
  /** Whose. */
  readonly peer: string;
}

/** AllowedIPs against each other, and against this host's networks. */
export function checkAllowedIps(facts: DoctorFacts): Check[] {
  const { listed, networks, settings } = facts;
  if ("problem" in listed) return [bad("allowed-ips", listed.problem)];
  const own = valueOf(facts.device)?.publicKey;
  const others = listed.value.filter(({ publicKey }) => publicKey !== own);
  const names = new Map(listed.value.map(({ publicKey, name }) => [publicKey, name]));
  const inSettings = others.flatMap(({ publicKey, name = publicKey, allowedIps }) =>
    allowedIps.map((each) => ({ prefix: normalizePrefix(each), peer: name }))
  );
  const inDevice = (valueOf(facts.device)?.peers ?? []).flatMap(({ publicKey, allowedIps }) =>
    allowedIps.map((each) => ({
      prefix: normalizePrefix(each),
      peer: names.get(publicKey) ?? publicKey,
    }))
  );
  const all = [...inDevice, ...inSettings];
  if (all.length === 0) return [];
  const checks = [
    ...twiceOf(inSettings, valueOf(settings) ?? "the settings"),
    ...ownAmong(all, facts),
    ...insideOf(all),
    ...besideNetworks(all, valueOf(networks) ?? []),
    ...aroundServers(all, facts),
  ];
  return checks.length > 0
    ? checks
    : [ok("allowed-ips", "none overlaps with another, a network of this host, or a server")];
}

/** WireGuard has each prefix once: who names it last has it. */
function twiceOf(owned: readonly Owned[], file: string): Check[] {
  const owners = new Map<string, string>();
  const twice = owned.flatMap(({ prefix, peer }) => {
    const before = owners.get(prefix);
    if (before === undefined) owners.set(prefix, peer);
    return before === undefined || before === peer ? [] : [`${prefix} of ${before} and ${peer}`];
  });
  if (twice.length === 0) return [];
  return [bad("allowed-ips", `twice: ${named(twice)}; only one peer gets each`, `mend ${file}`)];
}

/** A network around the own address is a hub's; the address alone is a slip of the pen. */
function ownAmong(owned: readonly Owned[], { addresses, device }: DoctorFacts): Check[] {
  if (valueOf(device)?.publicKey === undefined) return [];
  const own = new Set(addresses.map(addressOf).map(normalizePrefix));
  const taken = new Set(
    owned.flatMap(({ prefix, peer }) => own.has(prefix) ? [`${prefix} of ${peer}`] : []),
  );
  if (taken.size === 0) return [];
  const text = `${named([...taken])} is this host's own address`;
  return [bad("allowed-ips", text, "give one of the two another address")];
}

/** What lies in a prefix of another goes elsewhere: that may be meant. */
function insideOf(owned: readonly Owned[]): Check[] {
  const owners = new Map(owned.map(({ prefix, peer }) => [prefix, peer]));
  const lengths = { ".": new Set<number>(), ":": new Set<number>() };
  const kindOf = (prefix: string) => prefix.includes(":") ? ":" : ".";
  const lengthOf = (prefix: string) => Number(prefix.slice(addressOf(prefix).length + 1));
  for (const prefix of owners.keys()) {
    if (isNarrow(prefix)) lengths[kindOf(prefix)].add(lengthOf(prefix));
  }
  const inside: string[] = [];
  for (const [prefix, peer] of owners) {
    const length = lengthOf(prefix);
    for (const shorter of lengths[kindOf(prefix)]) {
      if (shorter >= length) continue;
      const around = normalizePrefix(`${addressOf(prefix)}/${shorter}`);
      const owner = owners.get(around);
      if (owner === undefined || owner === peer) continue;
      inside.push(`${prefix} of ${peer} lies in ${around} of ${owner}`);
      break;
    }
  }
  if (inside.length === 0) return [];
  return [warn("allowed-ips", `${named(inside)}: make sure that this is intended`)];
}

function besideNetworks(owned: readonly Owned[], networks: readonly string[]): Check[] {
  const hidden: string[] = [];
  const mixed: string[] = [];
  const known = networks.map((text) => ({
    text: normalizePrefix(text),
    prefix: new IpPrefix(text),
  }));
  for (const [text, peer] of new Map(owned.map(({ prefix, peer }) => [prefix, peer]))) {
    if (!isNarrow(text)) continue;
    const prefix = new IpPrefix(text);
    const network = known.find((each) => each.prefix.overlaps(prefix));
    if (network === undefined) continue;
    const is = `${text} of ${peer} is`;
    if (network.text === text) hidden.push(`${is} a network of this host`);
    else if (network.prefix.covers(prefix)) mixed.push(`${is} a part of ${network.text} here`);
    else mixed.push(`${is} around ${network.text} of this host`);
  }
  const checks: Check[] = [];
  if (hidden.length > 0) {
    checks.push(
      bad(
        "allowed-ips",
        `${named(hidden)}: traffic for one goes to the other`,
        "give one of the two networks other addresses",
      ),
    );
  }
  if (mixed.length > 0) {
    checks.push(warn("allowed-ips", `${named(mixed)}: make sure that this is intended`));
  }
  return checks;
}

/** What asks servers must not go into the tunnel, which they are to help up; a mark keeps it out. */
function aroundServers(owned: readonly Owned[], facts: DoctorFacts): Check[] {
  const { servers, routes, name } = facts;
  const { mark = 0 } = valueOf(facts.device) ?? {};
  if (mark !== 0) return [];
  const inside = new Set(
    routes.filter(({ device }) => device === name).map(({ address }) => address),
  );
  return servers.flatMap((server) =>
    (valueOf(server.addresses) ?? []).flatMap((address) => {
      if (!inside.has(address)) return [];
      const single = new IpPrefix(address);
      const around = owned.find(({ prefix }) => new IpPrefix(prefix).covers(single));
      const why = around === undefined ? "" : ` (${around.prefix} of ${around.peer})`;
      return bad(
        "allowed-ips",
        `${server.name} (${address}) is reached through the tunnel${why}, which can't come up without it`,
        `ip route add ${address} via GATEWAY, or have wg-quick set a mark (wg set ${name} fwmark)`,
      );
    })
  );
}

/** Whether this host forwards, where others send it what is meant for a network behind it. */
export function checkForwarding(facts: DoctorFacts): Check[] {
  const name = "forwarding";
  const own = valueOf(facts.device)?.publicKey;
  const listed = valueOf(facts.listed)?.find(({ publicKey }) => publicKey === own);
  const behind = (listed?.allowedIps ?? []).map(normalizePrefix)
    .filter((prefix) => !/^[^:]*\/32$|:.*\/128$/.test(prefix));
  if (behind.length === 0) {
    // A network that the invitation named, or a phone, is in the registry's roster alone.
    const others = facts.system.forwards[4] === false
      ? "; for one of its invitation, or for phones that come through it: sysctl -w net.ipv4.ip_forward=1"
      : "";
    return [ok(name, `not needed: the settings name no network behind this host${others}`)];
  }
  return ([4, 6] as const).flatMap((family) => {
    const some = behind.filter((prefix) => prefix.includes(":") === (family === 6));
    if (some.length === 0) return [];
    switch (facts.system.forwards[family]) {
      case true:
        return ok(name, `on for ${named(some)}`);
      case false: {
        const key = family === 4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";
        return bad(name, `off, and ${named(some)} lies behind this host`, `sysctl -w ${key}=1`);
      }
      case undefined:
        return warn(name, `this system doesn't tell whether it forwards IPv${family}`);
    }
  });
}
