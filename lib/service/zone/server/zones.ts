/**
 * Zones as they are configured.
 *
 * @module
 */

import type { AnswerBudgetOptions } from "../../../core/net/answer_budget.ts";
import { formatHostPort, type HostPort } from "../../../core/net/host_port.ts";
import { UserError } from "../../../core/settings/user_error.ts";
import type { ChosenKeys } from "../../../core/zone/server/chosen_keys.ts";
import { DevicePeers } from "../../../core/zone/server/peers.ts";
import { ZoneSelf } from "../../../core/zone/server/self.ts";
import type { ParentRecords } from "../../../core/zone/server/key_records.ts";
import type { ZoneSigner } from "../../../core/zone/server/signer.ts";
import {
  viewProblem,
  type ViewRule,
  type ZoneSources,
  zoneViews,
} from "../../../core/zone/server/view_rules.ts";
import { Zone } from "../../../core/zone/server/zone.ts";
import type { TsigKey } from "../../../wire/dns/tsig.ts";
import { checkInterfaceName } from "../../../wireguard/device.ts";

/** A zone as it is configured. */
export interface ServedZone {
  readonly name: string;
  /** A WireGuard interface of this host, whose peers are published. */
  readonly interface: string | undefined;
  /** Groups of the registry, whose peers are published. Of a peer of several, the first's word counts. */
  readonly groups: readonly number[];
  /** Whether the interface itself is published, and where it is, unless that is where it was asked. */
  readonly self: { readonly endpoint: HostPort | undefined } | undefined;
  readonly selfAllowedIps: readonly string[];
  /** Who may ask; undefined is everybody. */
  readonly allowFrom: readonly string[] | undefined;
  /** Files of TSIG keys with which questions may be signed. */
  readonly tsigFiles: readonly string[];
  /** Whether nobody may ask without a TSIG. */
  readonly requireTsig: boolean;
  /** Seconds for which what is said of peers may be kept. */
  readonly ttl: number;
  /** Files of the keys that it is signed with; none for a zone that isn't signed. */
  readonly dnssecKeys: readonly string[];
  /** What it tells the zone above about these keys. */
  readonly cds: ParentRecords;
  /** Who sees which of them; undefined is everybody all. */
  readonly views: readonly ViewRule[] | undefined;
}

/** The zones, and where they are served. */
export interface DnsConfig {
  readonly listen: readonly HostPort[];
  readonly zones: readonly ServedZone[];
  readonly budget: AnswerBudgetOptions;
  /** AllowedIPs that the settings know, by public key. */
  readonly allowedIps: ReadonlyMap<string, readonly string[]>;
}

/** Looks for what is wrong with zones. @param groups The registry's. */
export function checkZones({ listen, zones }: DnsConfig, groups: readonly number[]): void {
  const addresses = listen.map(formatHostPort);
  const twice = addresses.find((address, i) => addresses.indexOf(address) < i);
  if (twice !== undefined && !twice.endsWith(":0")) {
    throw new UserError(`DNS on ${twice} is there twice; leave one of them out`);
  }
  const names = new Set<string>();
  for (const zone of zones) {
    const { name } = zone;
    const fail = (why: string): never => {
      throw new UserError(`DNS zone ${name}: ${why}`);
    };
    if (names.has(name)) fail("it is there twice; give each zone another name");
    names.add(name);
    if (zone.interface !== undefined) checkInterfaceName(zone.interface);
    if (zone.interface === undefined && zone.groups.length === 0) {
      fail("it has no peers; name an interface, or a group of the registry");
    }
    for (const [i, group] of zone.groups.entries()) {
      if (!groups.includes(group)) {
        fail(`there is no group ${group} here; add a [[serve.group]] with this id`);
      }
      if (zone.groups.indexOf(group) < i) {
        fail(`group ${group} is there twice; leave one of them out`);
      }
    }
    if (zone.self !== undefined && zone.interface === undefined) {
      fail("self needs an interface to publish");
    }
    const { views, allowFrom } = zone;
    const hasInterface = zone.interface !== undefined;
    const why = views && viewProblem(views, { hasInterface, groups: zone.groups, allowFrom });
    if (why !== undefined) fail(why);
    if (zone.requireTsig && zone.tsigFiles.length === 0 && zone.groups.length === 0) {
      fail("nobody can ask with a TSIG, which require-tsig wants; name a key's file with --tsig");
    }
    newZone(zone, { interface: new DevicePeers(0), groups: new Map() }, 0);
  }
}

/** Where a zone's peers come from. */
export interface ServedSources extends ZoneSources {
  readonly interface: DevicePeers | undefined;
}

/** What of a zone is in its files. */
export interface ZoneSecrets {
  /** Keys with which questions may be signed. */
  readonly tsig: readonly TsigKey[];
  /** What signs it, if anything does. */
  readonly signer: ZoneSigner | undefined;
}

const NO_SECRETS: ZoneSecrets = { tsig: [], signer: undefined };

/**
 * Makes a zone.
 *
 * @param seed Random.
 * @throws {UserError} If something is wrong with its settings.
 */
export function newZone(
  zone: ServedZone,
  sources: ServedSources,
  seed: number,
  { tsig, signer }: ZoneSecrets = NO_SECRETS,
): Zone {
  const { name, self, selfAllowedIps: allowedIps, ttl, allowFrom, requireTsig, views } = zone;
  const device = sources.interface;
  const newSelf = (chosen?: ChosenKeys) =>
    self && device && new ZoneSelf(device, { endpoint: self.endpoint, allowedIps }, chosen);
  try {
    return new Zone({
      name,
      peers: device === undefined
        ? [...sources.groups.values()]
        : [device, ...sources.groups.values()],
      self: newSelf(),
      views: views && zoneViews(views, sources, newSelf, seed),
      ttl,
      allowFrom,
      signer,
      keys: tsig,
      requireTsig,
    });
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    throw new UserError(`DNS zone ${name}: ${error.message}`);
  }
}
