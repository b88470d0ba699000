/**
 * What `wgsig invite` and `wgsig registry` ask of a running server: who is invited, who is in the
 * roster, and under which name.
 *
 * @module
 */

import { JOIN_TOKEN_SIZE } from "../../../wire/wgsig2/join_keys.ts";
import type { TunnelPrefix } from "../../../wire/wgsig2/name.ts";
import { formatHostPort, type HostPort, parseHostPort } from "../../net/host_port.ts";
import { formatKey, parseKey } from "../../net/peer_key.ts";
import type { RandomSource } from "../../net/random.ts";
import { formatLink, isLinkable } from "../link.ts";
import { formatTunnelPrefix, hostOf, parseTunnelPrefix } from "../prefix.ts";
import {
  type Added,
  type AddRequest,
  type Changed,
  type Configured,
  type Invited,
  type InviteRequest,
  type Listed,
  type ListRequest,
  type RemoveRequest,
  type RenameRequest,
  REQUESTS,
  type WgConfRequest,
} from "../requests.ts";
import { UserError } from "../../settings/user_error.ts";
import type { DeskWord } from "./desk_words.ts";
import { chooseHub, type SeenPeer } from "./hub.ts";
import { type Invitation, joinerOf } from "./invitations.ts";
import type { Roster, RosterEntry } from "./roster.ts";
import type { Rosters } from "./rosters.ts";
import { addedOf, factsOf, listedGroup, ownAddresses, reachedOf, readPrefix } from "./told.ts";

/** How long an invitation lasts where nothing is said, in seconds. */
const DEFAULT_LIFETIME = 86_400;

/** What the desk needs to know of the server. */
export interface DeskParts {
  readonly rosters: Rosters;
  /** Draws tokens, and networks. */
  readonly random: RandomSource;
  /** The groups that are served. */
  groupIds(): readonly number[];
  /** What is known of a registered peer, by its public key. */
  seen(group: number, key: Uint8Array): SeenPeer | undefined;
  /** Where strangers reach this server; undefined where that is not known. */
  publicAddress(): HostPort | undefined;
  /** Its first port, which a link has whose server was named without one. */
  port(): number;
  /** The addresses of this host, none of which is given to a peer. */
  ownAddresses(): readonly string[];
}

/** Answers requests. */
export class RosterDesk {
  readonly #parts: DeskParts;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    parts.rosters.keptFree = () =>
      parts.ownAddresses().flatMap((each) => parseTunnelPrefix(each) ?? []);
  }

  /**
   * Answers one.
   *
   * @param body As it came: nobody has looked at it.
   * @param unix The wall clock, in seconds.
   * @throws {UserError} It is refused, on one line for who asks.
   */
  answer(word: DeskWord, body: unknown, unix: number): object {
    try {
      return this.#answer(word, body, unix);
    } catch (error) {
      throw error instanceof SyntaxError ? new UserError(error.message) : error;
    }
  }

  #answer(word: DeskWord, body: unknown, unix: number): object {
    switch (word) {
      case "invite":
        return this.#invite(REQUESTS.invite(body), unix);
      case "add":
        return this.#add(REQUESTS.add(body), unix);
      case "wg-conf":
        return this.#configure(REQUESTS["wg-conf"](body), unix);
      case "list":
        return this.#list(REQUESTS.list(body), unix);
      case "rename":
        return this.#rename(REQUESTS.rename(body), unix);
      case "forget":
        return this.#remove(REQUESTS.forget(body), false, unix);
      case "revoke":
        return this.#remove(REQUESTS.revoke(body), true, unix);
    }
  }

  #invite(request: InviteRequest, unix: number): Invited {
    const { rosters, random } = this.#parts;
    const group = this.#served(request.group);
    const name = required(request.name, "name");
    const { uses = 1, lifetime = DEFAULT_LIFETIME, addresses = [], prefixes = [] } = request;
    const server = this.#serverOf(request.server, name);
    this.#refuseTaken(group, name, unix);
    const isNewNetwork = this.#drawNetwork(group, addresses);
    const roster = rosters.of(group);
    const token = new Uint8Array(JOIN_TOKEN_SIZE);
    random(token);
    const invitation = rosters.invite(
      {
        ...{ group, name, uses, endsAt: unix + lifetime, prefixes: prefixes.map(readPrefix) },
        ...addresses.length === 0 ? {} : { addresses: ownAddresses(addresses, roster) },
      },
      token,
      unix,
    );
    return {
      ...factsOf(invitation),
      link: formatLink({ ...server, serverKey: rosters.serverKey, token }),
      network: roster.networks.map(formatTunnelPrefix),
      isNewNetwork,
    };
  }

  #add(request: AddRequest, unix: number): Added {
    const group = this.#served(request.group);
    const name = required(request.name, "name");
    const key = parseKey(required(request.publicKey, "publicKey"));
    const prefixes = (request.prefixes ?? []).map(readPrefix);
    const roster = this.#parts.rosters.of(group);
    const via = request.via === undefined ? undefined : roster.named(request.via);
    const entry = this.#put(roster, { key, name, prefixes, via: via?.key }, unix);
    return addedOf(group, entry, via?.name ?? null);
  }

  #configure(request: WgConfRequest, unix: number): Configured {
    const { rosters } = this.#parts;
    const group = this.#served(request.group);
    const name = required(request.name, "name");
    const key = parseKey(required(request.publicKey, "publicKey"));
    const { addresses: given = [], prefixes = [], via, endpoint } = request;
    const roster = rosters.of(group);
    this.#refuseTaken(group, name, unix);
    const candidates = roster.entries().map((entry) => {
      return { entry, seen: this.#parts.seen(group, entry.key) };
    });
    const publicAddress = this.#parts.publicAddress();
    const hub = chooseHub(group, candidates, { via, endpoint, publicAddress });
    const isNewNetwork = this.#drawNetwork(group, given);
    const addresses = given.length > 0
      ? ownAddresses(given, roster)
      : rosters.nextAddresses(group, unix);
    const own = [...addresses.map(hostOf), ...prefixes.map(readPrefix)];
    const entry = this.#put(roster, { key, name, prefixes: own, via: hub.entry.key }, unix);
    return {
      ...addedOf(group, entry, hub.entry.name),
      via: hub.entry.name,
      addresses: addresses.map(formatTunnelPrefix),
      network: roster.networks.map(formatTunnelPrefix),
      isNewNetwork,
      hubKey: formatKey(hub.entry.key),
      endpoint: hub.endpoint,
      allowedIps: reachedOf(roster, hub.entry).map(formatTunnelPrefix),
      why: hub.why,
    };
  }

  #list({ group }: ListRequest, unix: number): Listed {
    const ids = group === undefined ? this.#parts.groupIds() : [this.#served(group)];
    const { rosters } = this.#parts;
    const groups = ids.map((id) =>
      listedGroup(
        rosters.of(id),
        rosters.invitations.list(id),
        (key) => this.#parts.seen(id, key),
        unix,
      )
    );
    return { groups, unix };
  }

  #rename(request: RenameRequest, unix: number): Changed {
    const group = this.#served(request.group);
    const name = required(request.name, "name");
    const to = required(request.to, "to");
    const roster = this.#parts.rosters.of(group);
    roster.named(name);
    if (name !== to) this.#refuseTaken(group, to, unix);
    roster.rename(name, to, unix);
    return { group, name: to, peer: true, invitations: 0 };
  }

  /**
   * Takes a peer away, and the invitations with its name; where it is revoked, also those that it has
   * come with, by which it could come again with another key.
   */
  #remove(request: RemoveRequest, isRevoked: boolean, unix: number): Changed {
    const { rosters } = this.#parts;
    const group = this.#served(request.group);
    const name = required(request.name, "name");
    const roster = rosters.of(group);
    // Whoever has no name is revoked by its key.
    const entry = roster.byName(name) ?? entryOfKey(roster, name);
    const key = entry?.key ?? (isRevoked ? parseKey(name) : undefined);
    const isOf = (each: Invitation) =>
      each.name === name ||
      (isRevoked && key !== undefined && joinerOf(each, key) !== undefined);
    const open = rosters.invitations.open(group, unix).filter(isOf);
    if (key === undefined && open.length === 0) {
      throw new UserError(
        `group ${group} has no peer and no open invitation with the name ${name}; ` +
          "see: wgsig registry list",
      );
    }
    for (const each of open) rosters.invitations.revoke(each, unix);
    if (key !== undefined) roster.remove(key, isRevoked, unix);
    return { group, name: entry?.name ?? name, peer: key !== undefined, invitations: open.length };
  }

  /** The group that is meant. @throws {UserError} It isn't served, or it can't be said which it is. */
  #served(group: number | undefined): number {
    const ids = this.#parts.groupIds();
    const [first] = ids;
    if (first === undefined) throw new UserError("this wgsig serve has no group");
    if (group === undefined && ids.length === 1) return first;
    const known = ids.length === 1 ? `group ${first}` : `groups ${ids.join(", ")}`;
    if (group === undefined) {
      throw new UserError(`this wgsig serve has ${known}; say which: --group ${first}`);
    }
    if (ids.includes(group)) return group;
    throw new UserError(`this wgsig serve has no group ${group}; it has ${known}`);
  }

  #refuseTaken(group: number, name: string, unix: number): void {
    const { rosters } = this.#parts;
    const entry = rosters.of(group).byName(name);
    if (entry !== undefined) {
      const where = entry.prefixes.map(formatTunnelPrefix).join(", ");
      throw new UserError(
        `the name ${name} is taken by a peer of group ${group} (${where || "no addresses"}, key ` +
          `${formatKey(entry.key)}); choose another one, or: wgsig registry rename|forget|revoke`,
      );
    }
    if (rosters.invitations.openNamed(group, name, unix) === undefined) return;
    throw new UserError(
      `${name} is invited already; if that link is lost, first: wgsig registry revoke ${name}`,
    );
  }

  #serverOf(given: string | undefined, name: string): HostPort {
    const address = given === undefined ? this.#parts.publicAddress() : parseHostPort(given, 0);
    if (given === undefined && address === undefined) {
      throw new UserError(
        "it is not known where strangers reach this host, which has no public address: say it once " +
          `(wgsig invite ${name} --server HOST), or in the settings (public-address in [serve])`,
      );
    }
    const port = address?.port === 0 ? this.#parts.port() : address?.port;
    const server = address === undefined || port === undefined ? undefined : { ...address, port };
    if (server !== undefined && isLinkable(server)) return server;
    const shown = server === undefined ? given : formatHostPort(server);
    throw new UserError(`no link can name the server ${shown}: expected a name or an IP address`);
  }

  /** Draws a network where a group has none. @returns Whether it has drawn one. */
  #drawNetwork(group: number, addresses: readonly string[]): boolean {
    const { rosters, random } = this.#parts;
    if (rosters.of(group).networks.length > 0) return false;
    if (addresses.length > 0) {
      throw new UserError(
        `group ${group} has no network yet in which ${addresses[0]} could be; set "network" in ` +
          "[[serve.group]], or leave --address out",
      );
    }
    const other = rosters.of(group).entries().find(({ prefixes }) => prefixes.length > 0);
    if (other !== undefined) {
      const where = other.prefixes.map(formatTunnelPrefix).join(", ");
      throw new UserError(
        `group ${group} has peers already (${other.name}: ${where}), and it is not known in which ` +
          'network they are: set "network" in [[serve.group]], such as ["10.9.0.0/24"]',
      );
    }
    rosters.drawNetwork(group, random);
    return true;
  }

  #put(
    roster: Roster,
    { key, name, prefixes, via }: {
      readonly key: Uint8Array | undefined;
      readonly name: string;
      readonly prefixes: readonly TunnelPrefix[];
      readonly via: Uint8Array | undefined;
    },
    unix: number,
  ): RosterEntry {
    if (key === undefined) throw new UserError("this is no public key of WireGuard");
    const known = roster.byKey(key);
    if (known !== undefined) {
      throw new UserError(
        `this key is in the roster already, as ${known.name}; forget or rename that peer first`,
      );
    }
    this.#refuseTaken(roster.group, name, unix);
    roster.checkPrefixes(prefixes);
    this.#parts.rosters.checkReserved(roster.group, prefixes, unix);
    return roster.put({ key, name, prefixes, ...via === undefined ? {} : { via } }, unix);
  }
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new UserError(`a request without ${what}`);
  return value;
}

function entryOfKey(roster: Roster, text: string): RosterEntry | undefined {
  const key = parseKey(text);
  return key && roster.byKey(key);
}
