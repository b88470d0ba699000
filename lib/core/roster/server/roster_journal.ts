/**
 * What is kept over a restart of rosters and invitations.
 *
 * ```
 * part "rost": lines of JSON, each with a `kind`:
 *   roster      group, version, floor, networks   all but what follows
 *   peer        group, version, key, name, prefixes, via, addedAt
 *   gone        group, version, key
 *   revoked     group, key, isRevoked             whether the key is refused
 *   invitation  token, group, name, addresses, prefixes, uses, endsAt, revokedAt, joiners
 *   forgotten   token
 * ```
 *
 * The last word on a key or a token counts. What has changed is to go to the disk at once; and who
 * joins, or makes a link, is told nothing before it is there. A line that is none is passed over.
 *
 * @module
 */

import type { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { MAX_JOIN_ADDRESSES } from "../../../wire/wgsig2/join.ts";
import { JOIN_TOKEN_SIZE } from "../../../wire/wgsig2/join_keys.ts";
import { isName, type TunnelPrefix } from "../../../wire/wgsig2/name.ts";
import { MAX_ENTRY_PREFIXES } from "../../../wire/wgsig2/roster.ts";
import type { Now } from "../../net/clock.ts";
import { type Fields, fieldsOf, flag, list, maybe, number, oneOf, text } from "../../net/fields.ts";
import { formatKey, parseKey } from "../../net/peer_key.ts";
import { type Batch, type JournalEnd, MAX_CONTENT_SIZE } from "../../store/journal_file.ts";
import type { Journaled, Pieces, Restored } from "../../store/journaled.ts";
import { formatTunnelPrefix, parseTunnelPrefix } from "../prefix.ts";
import { formatToken, type Invitation, type Joiner } from "./invitations.ts";
import type { GoneEntry, Roster, RosterEntry } from "./roster.ts";
import type { Rosters } from "./rosters.ts";

const KINDS = ["roster", "peer", "gone", "revoked", "invitation", "forgotten"] as const;
const NEWLINE = 0x0a;
const MAX_GROUP = 0xffff_ffff;
const HEX = /^[0-9a-f]{32}$/;

/** The rosters and invitations of a registry. */
export class RosterJournal implements Journaled {
  readonly part = "rost";
  readonly formerMagics: readonly string[] = [];
  readonly wentOn = false;
  readonly #rosters: Rosters;
  #changed: Fields[] = [];

  /** Has all changes told to it from now on. */
  constructor(rosters: Rosters) {
    this.#rosters = rosters;
    const note = (line: Fields) => {
      this.#changed.push(line);
    };
    rosters.keep({
      changed: (group, entry) => note(peerLine(group, entry)),
      gone: (group, gone) => note(goneLine(group, gone)),
      revoked: (group, key, isRevoked) => note(revokedLine(group, key, isRevoked)),
      networks: (group) => note(rosterLine(rosters.of(group))),
    });
    rosters.invitations.keeper = {
      changed: (invitation) => note(invitationLine(invitation)),
      forgotten: (token) => note({ kind: "forgotten", token: formatToken(token) }),
    };
  }

  get patience(): number {
    return this.#changed.length > 0 ? 0 : Infinity;
  }

  all(): Pieces {
    const lines = this.#rosters.all().flatMap((roster) => [
      rosterLine(roster),
      ...roster.entries().map((entry) => () => peerLine(roster.group, entry)),
      ...roster.gone.map((gone) => () => goneLine(roster.group, gone)),
      ...roster.revokedKeys.map((key) => () => revokedLine(roster.group, key, true)),
    ]);
    const invitations = this.#rosters.invitations.list().map((each) => () => invitationLine(each));
    return new LinePieces([...lines, ...invitations]);
  }

  changes(): Pieces {
    const changed = this.#changed;
    this.#changed = [];
    return new LinePieces(changed);
  }

  restore(file: WireBuffer, batches: readonly Batch[], { unix }: Now): Restored | undefined {
    let damaged = 0;
    for (const { at, end } of batches) {
      for (const line of new TextDecoder().decode(file.bytes.subarray(at, end)).split("\n")) {
        if (line === "") continue;
        try {
          this.#take(fieldsOf(JSON.parse(line)));
        } catch (error) {
          if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
          damaged++;
        }
      }
    }
    for (const roster of this.#rosters.all()) roster.sort();
    this.#rosters.invitations.expire(unix);
    const peers = this.#rosters.all().reduce((sum, { count }) => sum + count, 0);
    const invitations = this.#rosters.invitations.count;
    if (batches.length === 0) return undefined;
    const counts = { peers, invitations, ...damaged > 0 && { damaged } };
    return { event: "roster-restored", counts };
  }

  restoreFormer(): Restored & JournalEnd {
    throw new SyntaxError("there were no such files before");
  }

  /** Takes a line over. @throws {TypeError} If it is none. */
  #take(line: Fields): void {
    const { invitations } = this.#rosters;
    const kind = oneOf(KINDS, line.kind);
    if (kind === "invitation") return invitations.restore(readInvitation(line));
    if (kind === "forgotten") return invitations.forget(readToken(line.token));
    const roster = this.#rosters.of(natural(line.group, MAX_GROUP));
    if (kind === "peer") return roster.restore(readPeer(line));
    if (kind === "gone") {
      return roster.restoreGone({ key: readKey(line.key), version: natural(line.version) });
    }
    if (kind === "revoked") return roster.restoreRevoked(readKey(line.key), flag(line.isRevoked));
    const networks = list(readPrefix, line.networks);
    roster.restoreState(networks, natural(line.version), natural(line.floor));
  }
}

/** Lines in pieces that are no larger than a batch. */
class LinePieces implements Pieces {
  readonly #lines: readonly (Fields | (() => Fields))[];
  #next = 0;

  constructor(lines: readonly (Fields | (() => Fields))[]) {
    this.#lines = lines;
  }

  next(): Uint8Array | undefined {
    if (this.#next === this.#lines.length) return undefined;
    const encoder = new TextEncoder();
    const content = new Uint8Array(MAX_CONTENT_SIZE);
    let size = 0;
    for (; this.#next < this.#lines.length; this.#next++) {
      const line = this.#lines[this.#next]!;
      const bytes = encoder.encode(JSON.stringify(typeof line === "function" ? line() : line));
      if (size + bytes.length + 1 > content.length) break;
      content.set(bytes, size);
      size += bytes.length;
      content[size++] = NEWLINE;
    }
    return content.slice(0, size);
  }
}

function rosterLine({ group, version, floor, networks }: Roster): Fields {
  return { kind: "roster", group, version, floor, networks: networks.map(formatTunnelPrefix) };
}

function peerLine(
  group: number,
  { key, name, prefixes, via, version, addedAt }: RosterEntry,
): Fields {
  return {
    ...{ kind: "peer", group, version, name, addedAt },
    key: formatKey(key),
    via: via === undefined ? null : formatKey(via),
    prefixes: prefixes.map(formatTunnelPrefix),
  };
}

function goneLine(group: number, { key, version }: GoneEntry): Fields {
  return { kind: "gone", group, version, key: formatKey(key) };
}

function revokedLine(group: number, key: Uint8Array, isRevoked: boolean): Fields {
  return { kind: "revoked", group, key: formatKey(key), isRevoked };
}

function invitationLine(invitation: Invitation): Fields {
  const { token, group, name, addresses, prefixes, uses, endsAt, revokedAt, joiners } = invitation;
  return {
    ...{ kind: "invitation", group, name, uses, endsAt },
    token: formatToken(token),
    addresses: addresses.map(formatTunnelPrefix),
    prefixes: prefixes.map(formatTunnelPrefix),
    revokedAt: revokedAt ?? null,
    joiners: joiners.map((each) => ({
      key: formatKey(each.key),
      addresses: each.addresses.map(formatTunnelPrefix),
    })),
  };
}

function readToken(value: unknown): Uint8Array {
  const digits = text(value);
  if (!HEX.test(digits)) throw new TypeError("no token");
  return Uint8Array.from(
    { length: JOIN_TOKEN_SIZE },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

function readKey(value: unknown): Uint8Array {
  const key = parseKey(text(value));
  if (key === undefined) throw new TypeError("no key");
  return key;
}

function readName(value: unknown): string {
  const name = text(value);
  if (!isName(name)) throw new TypeError("no name");
  return name;
}

function readPrefix(value: unknown): TunnelPrefix {
  const prefix = parseTunnelPrefix(text(value));
  if (prefix === undefined) throw new TypeError("no prefix");
  return prefix;
}

function readPrefixes(value: unknown, most: number = MAX_ENTRY_PREFIXES): readonly TunnelPrefix[] {
  const prefixes = list(readPrefix, value);
  if (prefixes.length > most) throw new TypeError("too many prefixes");
  return prefixes;
}

/** No more than an answer to a join has room for. */
function readAddresses(value: unknown): readonly TunnelPrefix[] {
  return readPrefixes(value, MAX_JOIN_ADDRESSES);
}

function natural(value: unknown, most: number = Number.MAX_SAFE_INTEGER): number {
  const given = number(value);
  if (!Number.isInteger(given) || given < 0 || given > most) {
    throw new TypeError("no natural number");
  }
  return given;
}

function readPeer({ version, key, name, prefixes, via, addedAt }: Fields): RosterEntry {
  return {
    version: natural(version),
    key: readKey(key),
    name: readName(name),
    prefixes: readPrefixes(prefixes),
    via: maybe(readKey, via) ?? undefined,
    addedAt: number(addedAt),
  };
}

function readJoiner(value: unknown): Joiner {
  const { key, addresses } = fieldsOf(value);
  return { key: readKey(key), addresses: readAddresses(addresses) };
}

function readInvitation(line: Fields): Invitation {
  return {
    token: readToken(line.token),
    group: natural(line.group, MAX_GROUP),
    name: readName(line.name),
    addresses: readAddresses(line.addresses),
    prefixes: readPrefixes(line.prefixes),
    uses: natural(line.uses),
    endsAt: number(line.endsAt),
    revokedAt: maybe(number, line.revokedAt) ?? undefined,
    joiners: list(readJoiner, line.joiners),
  };
}
