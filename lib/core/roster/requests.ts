/**
 * What `invite` and `registry` ask a running `serve` through its socket: the word of each request is
 * the name of its reader here.
 *
 * @module
 */

import { isName, MAX_NAME_SIZE } from "../../wire/wgsig2/name.ts";
import { MAX_ENTRY_PREFIXES } from "../../wire/wgsig2/roster.ts";
import { type Fields, fieldsOf, flag, list, maybe, number, oneOf, text } from "../net/fields.ts";
import { MAX_USES } from "../settings/common_options.ts";
import {
  duration,
  integer,
  list as listOf,
  prefix,
  publicKey,
  type Read,
  type Reader,
  refuse,
  table,
  text as someText,
} from "../settings/reader.ts";

/** How long an invitation can last, in seconds. */
const MAX_LIFETIME = 366 * 86_400;

/** The name of a peer, or of an invitation. */
export const peerName: Reader<string> = (value, path) =>
  typeof value === "string" && isName(value) ? value : refuse(
    path,
    `a name of at most ${MAX_NAME_SIZE} bytes, on one line and without spaces around it`,
    value,
  );

const group = integer(0, 0xffff_ffff);
const prefixes: Reader<string[]> = (value, path) => {
  const read = listOf(prefix)(value, path);
  return read.length <= MAX_ENTRY_PREFIXES
    ? read
    : refuse(path, `at most ${MAX_ENTRY_PREFIXES} prefixes`, read.length);
};
const lifetime: Reader<number> = (value, path) => {
  const seconds = duration(value, path);
  return seconds > 0 && seconds <= MAX_LIFETIME
    ? seconds
    : refuse(path, "more than 0 seconds, and a year at most", value);
};

/** Where it is left out, the only group is meant; whatever else is missing has its default. */
const INVITE = {
  group,
  name: peerName,
  prefixes,
  addresses: listOf(someText),
  uses: integer(1, MAX_USES),
  lifetime,
  server: someText,
};
const ADD = { group, name: peerName, publicKey, prefixes, via: peerName };
const WG_CONF = { ...ADD, addresses: listOf(someText), endpoint: someText };
const LIST = { group };
const RENAME = { group, name: someText, to: peerName };
const REMOVE = { group, name: someText };

/** `invite`: a link for a new peer. */
export type InviteRequest = Read<typeof INVITE>;
/** `add`: a peer that there was before. */
export type AddRequest = Read<typeof ADD>;
/** `wg-conf`: a peer that can't speak wgsig. */
export type WgConfRequest = Read<typeof WG_CONF>;
/** `list`: who is there. */
export type ListRequest = Read<typeof LIST>;
/** `rename`: another name for a peer. */
export type RenameRequest = Read<typeof RENAME>;
/** `forget` and `revoke`: a peer, or an invitation. */
export type RemoveRequest = Read<typeof REMOVE>;

/** Read requests: each throws a `SyntaxError` that says on one line what is wrong. */
export const REQUESTS = {
  invite: reader(INVITE),
  add: reader(ADD),
  "wg-conf": reader(WG_CONF),
  list: reader(LIST),
  rename: reader(RENAME),
  forget: reader(REMOVE),
  revoke: reader(REMOVE),
};

function reader<S extends Readonly<Record<string, Reader<unknown>>>>(
  shape: S,
): (body: unknown) => Read<S> {
  const read = table(shape);
  return (body) => read(body ?? {}, "");
}

/** How an invitation stands: some uses are left, none is, its time is over, it was taken back. */
export type InvitationState = "open" | "used" | "ended" | "revoked";
const STATES: readonly InvitationState[] = ["open", "used", "ended", "revoked"];

/** What an invitation says, but for its link. */
export interface InvitationFacts {
  readonly group: number;
  readonly name: string;
  /** Own addresses of the peer, with the prefix length of their network. */
  readonly addresses: readonly string[];
  /** Networks behind the peer. */
  readonly prefixes: readonly string[];
  /** How often it can be used in all. */
  readonly uses: number;
  /** When it ends: seconds of the wall clock. */
  readonly ends: number;
}

/** The answer to `invite`. */
export interface Invited extends InvitationFacts {
  readonly link: string;
  /** The prefixes of the tunnel. */
  readonly network: readonly string[];
  /** Whether they have just been drawn, since the settings name none. */
  readonly isNewNetwork: boolean;
}

/** A peer of the roster, as `list` has it. */
export interface ListedPeer {
  readonly name: string;
  /** In base64. */
  readonly publicKey: string;
  /** AllowedIPs. */
  readonly prefixes: readonly string[];
  /** The name, or else the key, of the peer that it is reached through; null where it speaks wgsig. */
  readonly via: string | null;
  /** Seconds since the registry has heard it; null where it is not registered. */
  readonly age: number | null;
}

/** An invitation, as `list` has it. */
export interface ListedInvitation extends InvitationFacts {
  readonly state: InvitationState;
  /** How often it was used. */
  readonly used: number;
}

/** A group, as `list` has it. */
export interface ListedGroup {
  readonly id: number;
  /** The prefixes of the tunnel; empty where none are known yet. */
  readonly network: readonly string[];
  readonly peers: readonly ListedPeer[];
  readonly invitations: readonly ListedInvitation[];
  /** Public keys that are refused, in base64. */
  readonly refused: readonly string[];
}

/** The answer to `list`. */
export interface Listed {
  readonly groups: readonly ListedGroup[];
  /** What the clock of the registry says, in seconds. */
  readonly unix: number;
}

/** The answer to `add`. */
export interface Added {
  readonly group: number;
  readonly name: string;
  readonly prefixes: readonly string[];
  /** The name of the peer that it is reached through. */
  readonly via: string | null;
}

/** The answer to `wg-conf`: what stands in the configuration, but for the private key. */
export interface Configured extends Added {
  readonly via: string;
  /** Own addresses, with the prefix length of their network. */
  readonly addresses: readonly string[];
  readonly network: readonly string[];
  readonly isNewNetwork: boolean;
  /** The peer that it is reached through: its key in base64, */
  readonly hubKey: string;
  /** and where. */
  readonly endpoint: string;
  /** What is reached through that. */
  readonly allowedIps: readonly string[];
  /** Why that peer. */
  readonly why: string;
}

/** The answers to `rename`, `forget` and `revoke`. */
export interface Changed {
  readonly group: number;
  readonly name: string;
  /** Whether a peer of that name was there. */
  readonly peer: boolean;
  /** How many invitations were taken back. */
  readonly invitations: number;
}

/** Reads the answer to `invite`; a `TypeError` where it is none. */
export function readInvited(value: unknown): Invited {
  const fields = fieldsOf(value);
  return {
    ...factsOf(fields),
    link: text(fields["link"]),
    network: list(text, fields["network"]),
    isNewNetwork: flag(fields["isNewNetwork"]),
  };
}

/** Reads the answer to `list`; a `TypeError` where it is none. */
export function readListed(value: unknown): Listed {
  const fields = fieldsOf(value);
  return { groups: list(groupOf, fields["groups"]), unix: number(fields["unix"]) };
}

/** Reads the answer to `add`; a `TypeError` where it is none. */
export function readAdded(value: unknown): Added {
  const fields = fieldsOf(value);
  return {
    group: number(fields["group"]),
    name: text(fields["name"]),
    prefixes: list(text, fields["prefixes"]),
    via: maybe(text, fields["via"]),
  };
}

/** Reads the answer to `wg-conf`; a `TypeError` where it is none. */
export function readConfigured(value: unknown): Configured {
  const fields = fieldsOf(value);
  return {
    ...readAdded(value),
    via: text(fields["via"]),
    addresses: list(text, fields["addresses"]),
    network: list(text, fields["network"]),
    isNewNetwork: flag(fields["isNewNetwork"]),
    hubKey: text(fields["hubKey"]),
    endpoint: text(fields["endpoint"]),
    allowedIps: list(text, fields["allowedIps"]),
    why: text(fields["why"]),
  };
}

/** Reads the answers to `rename`, `forget` and `revoke`; a `TypeError` where it is none. */
export function readChanged(value: unknown): Changed {
  const fields = fieldsOf(value);
  return {
    group: number(fields["group"]),
    name: text(fields["name"]),
    peer: flag(fields["peer"]),
    invitations: number(fields["invitations"]),
  };
}

function factsOf(fields: Fields): InvitationFacts {
  return {
    group: number(fields["group"]),
    name: text(fields["name"]),
    addresses: list(text, fields["addresses"]),
    prefixes: list(text, fields["prefixes"]),
    uses: number(fields["uses"]),
    ends: number(fields["ends"]),
  };
}

function groupOf(value: unknown): ListedGroup {
  const fields = fieldsOf(value);
  return {
    id: number(fields["id"]),
    network: list(text, fields["network"]),
    peers: list(peerOf, fields["peers"]),
    invitations: list(invitationOf, fields["invitations"]),
    refused: list(text, fields["refused"]),
  };
}

function peerOf(value: unknown): ListedPeer {
  const fields = fieldsOf(value);
  return {
    name: text(fields["name"]),
    publicKey: text(fields["publicKey"]),
    prefixes: list(text, fields["prefixes"]),
    via: maybe(text, fields["via"]),
    age: maybe(number, fields["age"]),
  };
}

function invitationOf(value: unknown): ListedInvitation {
  const fields = fieldsOf(value);
  return {
    ...factsOf(fields),
    state: oneOf(STATES, fields["state"]),
    used: number(fields["used"]),
  };
}
