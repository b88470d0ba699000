/**
 * `wgsig registry`: the peers that the registry of this host knows by name.
 *
 * @module
 */

import {
  type Added,
  type Changed,
  type InvitationFacts,
  type Listed,
  type ListedGroup,
  type ListedInvitation,
  type ListedPeer,
  readAdded,
  readChanged,
  readListed,
} from "../lib/core/roster/requests.ts";
import { formatAge } from "../lib/core/settings/duration.ts";
import { resolve, type Resolved } from "../lib/core/settings/option.ts";
import { REGISTRY_FLAGS } from "../lib/core/settings/registry_options.ts";
import { unknownName } from "../lib/core/settings/reader.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import { column, plain, wrap } from "../lib/core/status/lines.ts";
import { formatKey } from "../lib/core/net/peer_key.ts";
import type { Host } from "../lib/host/host.ts";
import { readPublicKey } from "../lib/service/files/files.ts";
import type { Arguments } from "./arguments.ts";
import { checkName } from "./peer_names.ts";
import { ServeSocket } from "./serve_socket.ts";

type Flags = Resolved<typeof REGISTRY_FLAGS>;

/** What can be done; each has the operands that it needs. */
const ACTIONS = {
  list: [],
  add: ["PEER", "KEY"],
  rename: ["PEER", "NAME"],
  forget: ["PEER"],
  revoke: ["PEER"],
} as const;
type Action = keyof typeof ACTIONS;

/** What only one of them heeds. */
const FLAGS_OF: Readonly<Record<string, Action>> = {
  "allowed-ips": "add",
  via: "add",
  names: "list",
};

/** Widths of columns; what stands in the last may be longer. */
const NAME = 20;
const STATE = 22;
const REST = 80 - NAME - STATE - 2;

/** Runs `wgsig registry`. */
export async function runRegistry(host: Host, args: Arguments): Promise<ExitStatus> {
  const flags = resolve(REGISTRY_FLAGS, args);
  const [given = "list", ...operands] = args.operands;
  const action = actionNamed(given);
  const needed = ACTIONS[action];
  if (operands.length !== needed.length) {
    throw new UserError(
      `wgsig registry ${action} needs ${needed.join(" and ") || "nothing else"}: ` +
        ["wgsig registry", action, ...needed].join(" "),
    );
  }
  for (const [flag, only] of Object.entries(FLAGS_OF)) {
    if (only === action || args.texts(flag) === undefined) continue;
    throw new UserError(`--${flag} is for: wgsig registry ${only}`);
  }
  if (flags.names && flags.json) {
    throw new UserError("--names and --json exclude each other; give one of them");
  }
  const [name = "", other = ""] = operands;
  if (action === "list") return await list(host, flags);
  checkName(action === "rename" ? other : name);
  const key = action === "add" ? formatKey(await readPublicKey(host, other)) : "";
  const serve = await ServeSocket.find(host, flags.serve);
  const { group } = flags;
  switch (action) {
    case "add": {
      const { via, "allowed-ips": prefixes } = flags;
      const request = { group, name, publicKey: key, prefixes, via };
      const added = await serve.ask("add", request, readAdded);
      return done(host, flags, added, addedInWords(added));
    }
    case "rename": {
      const changed = await serve.ask("rename", { group, name, to: other }, readChanged);
      return done(host, flags, changed, [`${name} is called ${other} now`]);
    }
    case "forget": {
      const changed = await serve.ask("forget", { group, name }, readChanged);
      return done(host, flags, changed, forgottenInWords(changed));
    }
    case "revoke": {
      const changed = await serve.ask("revoke", { group, name }, readChanged);
      return done(host, flags, changed, revokedInWords(changed));
    }
  }
}

function actionNamed(given: string): Action {
  const known = Object.keys(ACTIONS);
  if (isAction(given)) return given;
  throw new UserError(`${unknownName("action", given, given, known)}; see: wgsig registry --help`);
}

function isAction(text: string): text is Action {
  return Object.hasOwn(ACTIONS, text);
}

async function list(host: Host, flags: Flags): Promise<ExitStatus> {
  const { group } = flags;
  const serve = await ServeSocket.find(host, flags.serve);
  const listed = await serve.ask("list", { group }, readListed);
  if (flags.json) host.out.write(formatJson(listed));
  else if (flags.names) {
    for (const { peers, invitations } of listed.groups) {
      const open = invitations.filter(({ state }) => state === "open");
      for (const name of new Set([...peers, ...open].map(({ name }) => name))) {
        host.out.write(`${plain(name)}\n`);
      }
    }
  } else host.out.write(formatRoster(listed));
  return EXIT.ok;
}

/** What was done, in JSON or in words. */
function done(
  host: Host,
  { json }: Flags,
  answer: object,
  lines: readonly string[],
): ExitStatus {
  host.out.write(json ? formatJson(answer) : lines.map((line) => `${plain(line)}\n`).join(""));
  return EXIT.ok;
}

function formatJson(answer: object): string {
  return `${JSON.stringify({ schema: 1, ...answer }, undefined, 2)}\n`;
}

function addedInWords({ name, group, prefixes, via }: Added): string[] {
  return [
    `${name} is a peer of group ${group} now: ${prefixes.join(", ") || "no AllowedIPs"}` +
    (via === null ? "" : `, reached through ${via}`),
  ];
}

function forgottenInWords({ name, peer, invitations }: Changed): string[] {
  return [
    ...peer
      ? [`${name} is forgotten: peers with trust-registry remove it, and its name is free`]
      : [],
    ...invitationsInWords(name, invitations),
    ...peer
      ? ["its key may register again, without a name; to refuse it: wgsig registry revoke"]
      : [],
  ];
}

function revokedInWords({ name, peer, invitations }: Changed): string[] {
  return [
    ...peer
      ? [
        `${name} is revoked: its key is refused from now on, and peers with trust-registry remove it`,
      ]
      : [],
    ...invitationsInWords(name, invitations),
    ...peer
      ? [
        "if it joined with a link, it still knows the group's secret: to shut it out for good, change that " +
        "(docs/settings.md, Changing a group's secret)",
      ]
      : [],
  ];
}

function invitationsInWords(name: string, count: number): string[] {
  if (count === 0) return [];
  return [count === 1 ? `the link for ${name} is dead` : `${count} links for ${name} are dead`];
}

/** The roster as a person reads it: lines of at most 80 columns. */
function formatRoster({ groups, unix }: Listed): string {
  const texts = groups.map((group) => groupLines(group, unix).join("\n"));
  return `${texts.join("\n\n")}\n`;
}

function groupLines(group: ListedGroup, unix: number): string[] {
  const { id, network, peers, invitations, refused } = group;
  return [
    `group ${id}, ${network.length === 0 ? "no network yet" : `network ${network.join(", ")}`}`,
    "",
    ...peers.length === 0 ? ["no peers; make a link for one: wgsig invite NAME"] : [
      row("PEER", "HEARD", ["ALLOWED IPS"]),
      ...peers.flatMap((peer) => peerLines(peer)),
    ].flat(),
    ...invitations.length === 0 ? [] : [
      "",
      row("INVITATION", "STATE", ["ADDRESSES"]),
      ...invitations.map((each) => invitationRow(each, unix)),
    ].flat(),
    ...refused.length === 0 ? [] : ["", "keys that are refused:", ...refused.flatMap(wrap)],
  ];
}

function peerLines({ name, publicKey, prefixes, via, age }: ListedPeer): string[] {
  const heard = via === null
    ? age === null ? "not registered" : `${formatAge(age)} ago`
    : `through ${via}`;
  return [...row(name, heard, prefixes), ...wrap(plain(publicKey))];
}

function invitationRow(invitation: ListedInvitation, unix: number): string[] {
  return row(invitation.name, stateInWords(invitation, unix), addressesOf(invitation));
}

function stateInWords({ state, uses, used, ends }: ListedInvitation, unix: number): string {
  const count = uses === 1 ? "" : ` ${used}/${uses}`;
  return state === "open"
    ? `open${count}, ${formatAge(Math.max(0, ends - unix))} left`
    : `${state}${count}`;
}

function addressesOf({ addresses, prefixes }: InvitationFacts): readonly string[] {
  return [...addresses, ...prefixes];
}

/** A row, and below it what it has no columns for. */
function row(name: string, state: string, rest: readonly string[]): string[] {
  const text = plain(rest.join(", "));
  const fits = text.length <= REST;
  const cells = [
    column(plain(name), NAME),
    column(plain(state), STATE),
    fits ? text : "",
  ];
  return [cells.join(" ").trimEnd(), ...fits ? [] : wrap(text)];
}
