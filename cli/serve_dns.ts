/**
 * The DNS part of `wgsig serve`: flags and settings in, the zones' configuration out.
 *
 * @module
 */

import { DEFAULT_ANSWER_BUDGET } from "../lib/core/net/answer_budget.ts";
import {
  givenValue,
  type InFile,
  isGiven,
  NO_FLAGS,
  resolve,
} from "../lib/core/settings/option.ts";
import { GROUP } from "../lib/core/settings/serve_options.ts";
import { DNS, VIEW, ZONE, ZONE_NAME } from "../lib/core/settings/zone_options.ts";
import { UserError } from "../lib/core/settings/user_error.ts";
import type { DnsConfig, ServedZone } from "../lib/service/zone/server/zones.ts";
import type { LoadedSettings } from "../lib/service/files/files.ts";
import type { ServedGroup } from "../lib/service/serve/config.ts";
import type { Arguments } from "./arguments.ts";

/** Flags that describe a zone. */
const ZONE_FLAGS = [
  ...[ZONE_NAME, ZONE.self, ZONE["self-allowed-ips"], ZONE["allow-from"], ZONE.ttl],
  ...[ZONE["tsig-files"], ZONE["require-tsig"], ZONE["dnssec-keys"]],
];

type ZoneSettings = InFile<typeof ZONE> & { readonly name?: string };

/** Whether DNS is asked for. */
export function wantsDns(args: Arguments, { settings }: LoadedSettings): boolean {
  return isGiven(args, DNS.listen, ...ZONE_FLAGS) || settings.serve?.dns !== undefined;
}

/** The zones that are to be served. @param groups Those of the registry, the default one first. */
export function dnsConfig(
  args: Arguments,
  loaded: LoadedSettings,
  groups: readonly ServedGroup[],
): DnsConfig {
  const settings = loaded.settings.serve?.dns ?? {};
  const { listen, "answer-budget": bytesPerSecond } = resolve(DNS, args, settings);
  if (listen.length === 0) {
    throw new UserError(
      "where is DNS to be served? Give --dns ADDRESS:PORT, or listen in [serve.dns] of the settings",
    );
  }
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
  settings: InFile<typeof DNS>,
  groups: readonly ServedGroup[],
): ServedZone[] {
  const { zone } = settings;
  const configured = typeof zone === "string" ? [{ name: zone }] : zone ?? [];
  const flagged = isGiven(args, ...ZONE_FLAGS, ZONE.interface);
  const name = givenValue(args, ZONE_NAME) ??
    (flagged && configured.length === 1 ? configured[0]?.name : undefined);
  if (name === undefined && (flagged || configured.length === 0)) {
    throw new UserError(
      "which zone is to be served? Name it with --zone ZONE, or zone in [serve.dns] of the settings",
    );
  }
  const chosen: readonly ZoneSettings[] = name === undefined
    ? configured
    : [{ ...configured.find((each) => each.name === name), name }];
  const served = chosen.map((each, i) => {
    if (each.name === undefined) {
      throw new UserError(`serve.dns.zone[${i}]: name is missing`);
    }
    const zone = servedZone(args, each.name, { ...settings, ...each }, groups);
    if (each.cds !== undefined && !isSigned(zone)) {
      throw new UserError(`DNS zone ${zone.name}: cds is for ${UNSIGNED}`);
    }
    return zone;
  });
  // It may hold for some of the zones.
  if (settings.cds === undefined || served.some(isSigned)) return served;
  throw new UserError(`serve.dns.cds is for ${UNSIGNED}`);
}

const UNSIGNED = "a zone that is signed: name its keys in dnssec-keys, or leave cds out";

function isSigned({ dnssecKeys }: ServedZone): boolean {
  return dnssecKeys.length > 0;
}

function servedZone(
  args: Arguments,
  name: string,
  settings: ZoneSettings,
  groups: readonly ServedGroup[],
): ServedZone {
  const options = resolve(ZONE, args, settings);
  const { interface: device, self } = options;
  const first = groups.slice(0, 1).map(({ id }) => id);
  const named = options.group ??
    (isGiven(args, GROUP.id, GROUP["secret-files"]) ? first : undefined);
  return {
    name,
    interface: device,
    // With an interface it is as wgsd has it; without one, the registry's peers are what there is.
    groups: named ?? (device === undefined ? first : []),
    self: self === false ? undefined : self,
    selfAllowedIps: options["self-allowed-ips"],
    allowFrom: options["allow-from"],
    tsigFiles: options["tsig-files"],
    requireTsig: options["require-tsig"],
    ttl: Math.round(options.ttl),
    dnssecKeys: options["dnssec-keys"],
    cds: options.cds,
    views: options.view?.map((view) => resolve(VIEW, NO_FLAGS, view)),
  };
}
