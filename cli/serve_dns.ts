/**
 * The DNS part of `wgsig serve`: flags and settings in, the zones' configuration out.
 *
 * @module
 */

import { DEFAULT_ANSWER_BUDGET } from "../lib/core/net/answer_budget.ts";
import { DNS_PORT } from "../lib/core/ask/server_name.ts";
import {
  type DnsSettings,
  selfEndpoint,
  zoneName,
  type ZoneSettings,
} from "../lib/core/settings/settings.ts";
import { addressPort, cidr, duration } from "../lib/core/settings/reader.ts";
import { UserError } from "../lib/core/settings/user_error.ts";
import type { DnsConfig, ServedZone } from "../lib/service/zone/server/service.ts";
import type { LoadedSettings } from "../lib/service/files/files.ts";
import type { ServedGroup } from "../lib/service/serve/serve.ts";
import { type Arguments, commaList } from "./options.ts";

/** Flags that describe a zone. */
const ZONE_FLAGS = ["zone", "self", "self-allowed-ips", "allow-from", "ttl"] as const;

/** Whether DNS is asked for. */
export function wantsDns(args: Arguments, { settings }: LoadedSettings): boolean {
  return args.has("dns") || settings.serve?.dns !== undefined ||
    ZONE_FLAGS.some((name) => args.has(name));
}

/** The zones that are to be served. @param groups Those of the registry, the default one first. */
export function dnsConfig(
  args: Arguments,
  loaded: LoadedSettings,
  groups: readonly ServedGroup[],
): DnsConfig {
  const settings = loaded.settings.serve?.dns ?? {};
  const listen = args.readAll("dns", addressPort(DNS_PORT)) ?? settings.listen ?? [];
  if (listen.length === 0) {
    throw new UserError(
      "where is DNS to be served? Give --dns ADDRESS:PORT, or listen in [serve.dns] of the settings",
    );
  }
  const bytesPerSecond = settings["answer-budget"] ?? DEFAULT_ANSWER_BUDGET.bytesPerSecond;
  const known = (loaded.settings.peer ?? []).flatMap((peer) => {
    const allowed = peer["allowed-ips"];
    const key = peer["public-key"];
    return key === undefined || allowed === undefined ? [] : [[key, allowed] as const];
  });
  return {
    listen,
    zones: servedZones(args, settings, groups),
    budget: { ...DEFAULT_ANSWER_BUDGET, bytesPerSecond },
    allowedIps: new Map(known),
  };
}

/** The flags describe one zone; what they leave out comes from the settings. */
function servedZones(
  args: Arguments,
  settings: DnsSettings,
  groups: readonly ServedGroup[],
): ServedZone[] {
  const { zone } = settings;
  const configured = typeof zone === "string" ? [{ name: zone }] : zone ?? [];
  const flagged = ZONE_FLAGS.some((name) => args.has(name)) || args.has("interface");
  const name = args.read("zone", zoneName) ??
    (flagged && configured.length === 1 ? configured[0]?.name : undefined);
  if (name === undefined && (flagged || configured.length === 0)) {
    throw new UserError(
      "which zone is to be served? Name it with --zone ZONE, or zone in [serve.dns] of the settings",
    );
  }
  const chosen: readonly (ZoneSettings & { name?: string })[] = name === undefined
    ? configured
    : [{ ...configured.find((each) => each.name === name), name }];
  return chosen.map((each, i) => {
    if (each.name === undefined) {
      throw new UserError(`serve.dns.zone[${i}]: name is missing`);
    }
    return servedZone(args, each.name, { ...settings, ...each }, groups);
  });
}

function servedZone(
  args: Arguments,
  name: string,
  settings: ZoneSettings,
  groups: readonly ServedGroup[],
): ServedZone {
  const device = args.text("interface") ?? settings.interface;
  const named = settings.group ??
    (args.has("group") || args.has("secret") ? groups[0]?.id : undefined);
  const self = args.has("self") ? selfFlag(args) : settings.self;
  return {
    name,
    interface: device,
    // With an interface it is as wgsd has it; without one, the registry's peers are what there is.
    group: named ?? (device === undefined ? groups[0]?.id : undefined),
    self: self === false ? undefined : self,
    selfAllowedIps: args.read("self-allowed-ips", commaList(cidr)) ??
      settings["self-allowed-ips"] ?? [],
    allowFrom: args.read("allow-from", commaList(cidr)) ?? settings["allow-from"],
    ttl: Math.round(args.read("ttl", duration) ?? settings.ttl ?? 0),
  };
}

function selfFlag(args: Arguments) {
  return args.text("self") === "" ? { endpoint: undefined } : args.read("self", selfEndpoint);
}
