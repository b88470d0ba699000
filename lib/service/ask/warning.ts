/**
 * What a person should know of how a registry answered.
 *
 * @module
 */

import { formatHostPort } from "../../core/net/host_port.ts";
import { isoTime } from "../../host/clock.ts";
import { explainCode } from "../../host/error.ts";
import type { AskedRegistry } from "../../core/ask/asked_registry.ts";

/** What became of a registry that was asked. */
export type WarnedRegistry =
  & Pick<
    AskedRegistry,
    | "name"
    | "status"
    | "received"
    | "expected"
    | "isProofRefused"
    | "ownEndpoints"
    | "protocol"
    | "refused"
    | "stranger"
    | "isPinned"
    | "takeNote"
  >
  & { readonly addresses: Pick<AskedRegistry["addresses"], "all" | "families" | "problem"> };

/** How the registries were asked. */
export interface AskedQuestion {
  /** GROUP. */
  readonly group: number;
  readonly encrypt: boolean;
  /** In seconds. */
  readonly timeout: number;
}

/** How a key is proved: `sync` has the setting alone, for where the interface tells no private key. */
const GIVE_PRIVATE_KEY =
  "give its private key (--private-key, or private-key-file in the settings)";

/**
 * What to say of one registry, on one line, and how to mend it; undefined where there is nothing.
 *
 * @param registers Whether it was to note the endpoint that it saw.
 * @param unix The wall clock, in seconds.
 */
export function warningOf(
  asked: WarnedRegistry,
  question: AskedQuestion,
  registers: boolean,
  unix: number,
): string | undefined {
  const { name, status, received, expected } = asked;
  const { group } = question;
  const timeout = Number(question.timeout.toFixed(3));
  const server = formatHostPort(name);
  switch (status) {
    case "ok":
      return registers ? notRegistered(server, asked) : undefined;
    case "incomplete":
      return `only ${received} of ${expected} datagrams came from ${server} ` +
        `within ${timeout} s; give it longer with --timeout` +
        (received === 1 ? ", or the server a larger answer-budget" : "");
    case "not-found":
      return `cannot find server ${server}; check the name and this host's DNS`;
    case "wrong-key":
      // What is said of its key says it all.
      return undefined;
    case "not-authenticated":
      return asked.isProofRefused
        ? `${server} wants a proof that this key is this host's: ${GIVE_PRIVATE_KEY}, and check that ` +
          `group ${group} has the same secret there`
        : `${server} answered with a wrong MAC or for another group; check that group ${group} has the same secret there ` +
          `(wgsigd, the C server, also answers so while it knows no peer)`;
    case "no-answer":
      return noAnswer(server, asked, question, unix);
  }
}

/** Where a registry has answered, and not registered. */
function notRegistered(
  server: string,
  { addresses, ownEndpoints, protocol }: WarnedRegistry,
): string | undefined {
  if (protocol === 2) {
    return ownEndpoints.length > 0
      ? undefined
      : `${server} did not register this peer: it wants a proof, or this key was proved before; ` +
        GIVE_PRIVATE_KEY;
  }
  return addresses.families.includes(4)
    ? undefined
    : `${server} was asked over IPv6, which registers no endpoint; give it an IPv4 address`;
}

function noAnswer(
  server: string,
  { refused, stranger, isPinned, addresses: { problem } }: WarnedRegistry,
  { group, encrypt, timeout }: AskedQuestion,
  unix: number,
): string {
  if (stranger !== undefined) {
    return `no answer from ${server}, but datagrams came from ${stranger}; if that is the same ` +
      `server, let it listen on the address that is asked (serve --listen ADDRESS:PORT)`;
  }
  if (problem !== undefined) {
    return `cannot send to ${server}: ${explainCode(problem)}; ${hintOf(problem)}`;
  }
  if (refused > 0) {
    return `no answer from ${server}: nothing listens on that port there; start wgsig serve`;
  }
  const within = Number(timeout.toFixed(3));
  const same =
    `that group ${group} has the same secret there and lets this key in (its allow-list, and ` +
    "`wgsig registry list` there)";
  if (isPinned) {
    return `no answer from ${server} within ${within} s; check that it runs and that UDP gets ` +
      `through, ${same}, and that it is wgsig serve (with server-key set, a server without a key, as ` +
      "the C server wgsigd, is not asked in the way that it understands)";
  }
  return `no answer from ${server} within ${within} s; check that it runs and that UDP gets ` +
    `through, ${same}, that it ` +
    `${encrypt ? "takes encrypted requests (else: --encryption off)" : "takes plain requests"}, ` +
    `and that this clock is right (${isoTime(unix).slice(0, 19)} UTC)`;
}

/**
 * What to say of a registry's key, once; undefined where there is nothing.
 *
 * @param proves Whether this peer proves its questions: else a key that nobody has pinned says little.
 */
export function keyWarning(asked: WarnedRegistry, proves: boolean): string | undefined {
  const note = asked.takeNote();
  const name = formatHostPort(asked.name);
  // Each address may be that of a registry with a key of its own.
  const isOneOfSeveral = asked.addresses.all.length > 1 && note?.from !== undefined;
  const server = isOneOfSeveral ? `${name} (${note.from})` : name;
  const several = isOneOfSeveral
    ? `if several servers have the name ${asked.name.host}, give them one key (serve --key); `
    : "";
  switch (note?.kind) {
    case undefined:
      return undefined;
    case "server-key-learnt":
      return proves
        ? `${server} has the key ${note.key}, and none is pinned; if serve's log there shows the same ` +
          "server-key, pin it (--server-key, or server-key in the settings)"
        : undefined;
    case "server-key-changed":
      return `${server} HAS ANOTHER KEY THAN BEFORE: ${note.key}, not ${note.before}; ${several}either it keeps ` +
        "none over a restart (serve --key, or --state), or it was set up anew, or a member of the group " +
        "pretends to be it; pin the server-key that serve's log there shows";
    case "server-key-refused":
      // The one that is named may be a private key, by mistake.
      return `${server} has the key ${note.key}, not the one that server-key names: nothing ` +
        `that it said was believed; ${several}if serve's log there shows that server-key, name it in the ` +
        `settings (${name}=KEY where other servers have others), else a member of the group pretends to ` +
        "be it";
  }
}

/** What to say where another port was asked from, and nothing was registered. */
export function portInUse(port: number): string {
  return `UDP port ${port} is in use, by WireGuard most likely, so this did not register it: ` +
    "wgsig sync does, where it runs";
}

/** What to look at where the system can't send. */
function hintOf(code: string): string {
  return code === "EPERM" || code === "EACCES"
    ? "look for a firewall rule of this host that drops what it sends"
    : "look at this host's routes";
}
