/**
 * The rosters of a registry's groups with the invitations to them: who is invited, and who joins.
 *
 * A group that is not served any more keeps its roster: it is there again when the group is.
 *
 * @module
 */

import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { Primitives } from "../../../wire/crypto/primitives.ts";
import { MAX_JOIN_ADDRESSES } from "../../../wire/wgsig2/join.ts";
import { isName, MAX_NAME_SIZE, type TunnelPrefix } from "../../../wire/wgsig2/name.ts";
import { MAX_ENTRY_PREFIXES } from "../../../wire/wgsig2/roster.ts";
import type { RandomSource } from "../../net/random.ts";
import { MAX_USES } from "../../settings/common_options.ts";
import { UserError } from "../../settings/user_error.ts";
import {
  covers,
  formatTunnelAddress,
  formatTunnelPrefix,
  hostOf,
  networkOf,
  overlap,
} from "../prefix.ts";
import { type Invitation, Invitations, joinerOf, stateOf } from "./invitations.ts";
import { nextAddress } from "./next_address.ts";
import { Roster, type RosterEntry, type RosterKeeper } from "./roster.ts";

/** What a new invitation is to be. */
export interface Invited {
  /** GROUP. */
  readonly group: number;
  /** See `isName`. */
  readonly name: string;
  /** The own addresses in the tunnel; the next free ones of the group's networks where left out. */
  readonly addresses?: readonly TunnelPrefix[];
  /** What else its AllowedIPs are. */
  readonly prefixes: readonly TunnelPrefix[];
  /** How many keys may use it, 1 to 100. */
  readonly uses: number;
  /** Until when, in Unix seconds. */
  readonly endsAt: number;
}

/** What comes of a join. */
export type JoinOutcome =
  | {
    readonly result: "joined";
    readonly entry: RosterEntry;
    readonly addresses: readonly TunnelPrefix[];
    /** Whether something has changed, which is to be on the disk before it is said. */
    readonly isNew: boolean;
  }
  | { readonly result: "used" | "ended" | "revoked" | "busy" };

/** The rosters of all groups. */
export class Rosters {
  /** Public S of the registry, 32 bytes. */
  readonly serverKey: Uint8Array;
  /** The invitations to all groups. */
  readonly invitations: Invitations;
  /** What else is given to nobody, such as addresses of this host: asked whenever one is given. */
  keptFree: () => readonly TunnelPrefix[] = () => [];
  readonly #rosters = new Map<number, Roster>();
  readonly #seed: number;
  readonly #keepers: RosterKeeper[] = [];
  readonly #tell: RosterKeeper = {
    changed: (...of) => this.#keepers.forEach((each) => each.changed(...of)),
    gone: (...of) => this.#keepers.forEach((each) => each.gone(...of)),
    revoked: (...of) => this.#keepers.forEach((each) => each.revoked(...of)),
    networks: (...of) => this.#keepers.forEach((each) => each.networks(...of)),
  };

  /**
   * Nobody is in any, and nobody invited.
   *
   * @param serverKey Public S of the registry, 32 bytes.
   * @param seed Random, so that nobody can choose keys that collide.
   */
  constructor(serverKey: Uint8Array, primitives: Primitives, seed: number) {
    this.serverKey = serverKey;
    this.invitations = new Invitations(serverKey, primitives);
    this.#seed = seed;
  }

  /** Has all changes told to another one, too, from now on. */
  keep(keeper: RosterKeeper): void {
    this.#keepers.push(keeper);
  }

  /** The roster of a group. */
  of(group: number): Roster {
    const known = this.#rosters.get(group);
    if (known !== undefined) return known;
    const roster = new Roster(group, this.#seed);
    roster.keeper = this.#tell;
    this.#rosters.set(group, roster);
    return roster;
  }

  /** All of them, also of groups that are not served now. */
  all(): readonly Roster[] {
    return [...this.#rosters.values()];
  }

  /**
   * What may not be given to a new peer of a group: the AllowedIPs of those that are there, and what
   * open invitations reserve.
   */
  taken(group: number, unix: number): TunnelPrefix[] {
    const entries = this.of(group).entries().flatMap(({ prefixes }) => prefixes);
    const reserved = this.invitations.open(group, unix).flatMap(reservedBy);
    return [...entries, ...reserved];
  }

  /**
   * The next free address of each network of a group.
   *
   * @throws {UserError} If one has none, or there are more than a peer can have addresses of.
   */
  nextAddresses(group: number, unix: number): TunnelPrefix[] {
    const { networks } = this.of(group);
    if (networks.length > MAX_JOIN_ADDRESSES) {
      throw new UserError(
        `group ${group} has ${networks.length} networks, and a peer has ${MAX_JOIN_ADDRESSES} ` +
          "addresses at most",
      );
    }
    const taken = [...this.taken(group, unix), ...this.keptFree()];
    return networks.map((network) => {
      const address = nextAddress(network, taken);
      // One of them may lie in another.
      if (address !== undefined) {
        taken.push(hostOf(address));
        return address;
      }
      throw new UserError(`no address of ${formatTunnelPrefix(network)} is free`);
    });
  }

  /** Draws a network for a group that has none: 10.x.y.0/24. */
  drawNetwork(group: number, random: RandomSource): TunnelPrefix {
    const drawn = new Uint8Array(2);
    random(drawn);
    // Neither 10.0 nor 10.255: they are what others take first.
    const network = { address: Uint8Array.of(10, 1 + drawn[0]! % 254, drawn[1]!, 0), length: 24 };
    this.of(group).setNetworks([network]);
    return network;
  }

  /** Whether a peer or an open invitation of a group has this name. */
  isNameTaken(group: number, name: string, unix: number): boolean {
    return this.of(group).byName(name) !== undefined ||
      this.invitations.openNamed(group, name, unix) !== undefined;
  }

  /**
   * Invites.
   *
   * @param token 16 random bytes.
   * @throws {UserError} If the name or an address is taken, there is no room, or a field is none.
   */
  invite(invited: Invited, token: Uint8Array, unix: number): Invitation {
    const { group, name, prefixes, uses, endsAt } = invited;
    const roster = this.of(group);
    if (!(Number.isInteger(uses) && uses >= 1 && uses <= MAX_USES)) {
      throw new UserError(`an invitation is for 1 to ${MAX_USES} peers`);
    }
    if (uses > 1 && (prefixes.length > 0 || invited.addresses !== undefined)) {
      throw new UserError("addresses and AllowedIPs are those of one peer: invite each by itself");
    }
    if (!(endsAt > unix)) throw new UserError("an invitation has to end later than now");
    if (!isName(name) || (uses > 1 && !isName(numbered(name, uses)))) {
      throw new UserError(
        `a name has 1 to ${MAX_NAME_SIZE} bytes, and neither control characters nor spaces around it`,
      );
    }
    if (roster.byName(name) !== undefined) {
      throw new UserError(
        `there is a peer ${name} in the roster already; forget or rename it first`,
      );
    }
    if (this.invitations.openNamed(group, name, unix) !== undefined) {
      throw new UserError(`${name} is invited already; revoke that invitation first`);
    }
    const addresses = invited.addresses ?? this.nextAddresses(group, unix);
    const wanted = [...addresses.map(hostOf), ...prefixes];
    if (addresses.length > MAX_JOIN_ADDRESSES || wanted.length > MAX_ENTRY_PREFIXES) {
      throw new UserError(
        `a peer has ${MAX_JOIN_ADDRESSES} addresses and ${MAX_ENTRY_PREFIXES} AllowedIPs at most`,
      );
    }
    roster.checkPrefixes(wanted);
    this.checkReserved(group, wanted, unix);
    const invitation = {
      ...{ token, group, name, addresses, uses, endsAt, joiners: [], revokedAt: undefined },
      prefixes: prefixes.map(networkOf),
    };
    this.invitations.add(invitation, unix);
    return invitation;
  }

  /**
   * Takes a peer into the roster that has shown the token of an invitation, and that it has its key.
   * Who has joined already is told the same again.
   */
  join(invitation: Invitation, key: Uint8Array, unix: number): JoinOutcome {
    const { group, prefixes } = invitation;
    const roster = this.of(group);
    const known = joinerOf(invitation, key);
    const state = stateOf(invitation, unix);
    if (state === "revoked" || roster.isRevoked(new WireBuffer(key), 0)) {
      return { result: "revoked" };
    }
    if (known !== undefined) {
      const entry = roster.byKey(key);
      // It was taken away: a link that was used doesn't bring it back.
      if (entry === undefined) return { result: "revoked" };
      // Since then, it may have come by another link, and have other addresses.
      const addresses = known.addresses.filter((each) =>
        entry.prefixes.some((own) => covers(own, hostOf(each)))
      );
      if (addresses.length === 0 && known.addresses.length > 0) return { result: "revoked" };
      return { result: "joined", entry, addresses, isNew: false };
    }
    if (state !== "open") return { result: state };
    try {
      const isFirst = invitation.joiners.length === 0;
      // Only who uses it first has what it reserves.
      const name = isFirst ? invitation.name : this.#nextName(invitation, unix);
      const addresses = isFirst ? invitation.addresses : this.nextAddresses(group, unix);
      const entry = roster.put(
        { key, name, prefixes: [...addresses.map(hostOf), ...prefixes] },
        unix,
      );
      const joiners = [...invitation.joiners, { key: entry.key, addresses }];
      this.invitations.replace({ ...invitation, joiners });
      return { result: "joined", entry, addresses, isNew: true };
    } catch (error) {
      // There is no room, or somebody has taken its place by hand.
      if (error instanceof UserError) return { result: "busy" };
      throw error;
    }
  }

  /** The next name of an invitation that several use. */
  #nextName({ group, name, uses }: Invitation, unix: number): string {
    for (let i = 2; i <= uses; i++) {
      const next = numbered(name, i);
      if (!this.isNameTaken(group, next, unix)) return next;
    }
    throw new UserError(`all names from ${name} to ${numbered(name, uses)} are taken`);
  }

  /** Whether no open invitation keeps such prefixes. @throws {UserError} If one does. */
  checkReserved(group: number, wanted: readonly TunnelPrefix[], unix: number): void {
    for (const other of this.invitations.open(group, unix)) {
      for (const theirs of reservedBy(other)) {
        const mine = wanted.find((each) => overlap(each, theirs));
        if (mine === undefined) continue;
        throw new UserError(
          `${formatTunnelPrefix(mine)} is reserved for ${other.name}, who is invited (` +
            `${formatTunnelAddress(theirs.address)})`,
        );
      }
    }
  }
}

/** What an open invitation keeps for who uses it first. */
function reservedBy({ addresses, prefixes, joiners }: Invitation): TunnelPrefix[] {
  return joiners.length > 0 ? [] : [...addresses.map(hostOf), ...prefixes];
}

function numbered(name: string, i: number): string {
  return `${name}-${i}`;
}
