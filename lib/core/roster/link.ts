/**
 * The link of an invitation: what a new peer needs to ask its registry, on one line.
 *
 * ```
 * wgsig://HOST[:PORT]/CODE     CODE: 68 characters, base64url (RFC 4648, section 5) of
 *                              public S ‖ token ‖ the first 3 bytes of SHA-256(public S ‖ token)
 * ```
 *
 * @module
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { JOIN_TOKEN_SIZE } from "../../wire/wgsig2/join_keys.ts";
import { DEFAULT_PORT } from "../ask/server_name.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ADDRESS_SIZE, parseAddress } from "../net/ip_address.ts";
import { formatHostPort, type HostPort, parseHostPort } from "../net/host_port.ts";
import { KEY_SIZE } from "../net/peer_key.ts";

/** What a link says. */
export interface InvitationLink extends HostPort {
  /** The registry's public key, 32 bytes. */
  readonly serverKey: Uint8Array;
  /** What the registry knows the invitation by, 16 bytes: whoever has it can join. */
  readonly token: Uint8Array;
}

const SCHEME = "wgsig://";
/** What shows a character that was copied wrongly, in bytes. */
const CHECK_SIZE = 3;
const CHECKED_SIZE = KEY_SIZE + JOIN_TOKEN_SIZE;
const CODE_LENGTH = (CHECKED_SIZE + CHECK_SIZE) * 4 / 3;
const CODE = /^[A-Za-z0-9_-]*$/;
/** A name, or an IPv6 address without a scope: no character of these means anything to a shell. */
const NAME = /^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/;
const IPV6 = /^[0-9A-Fa-f:.]+$/;

/** Whether a link can name this host: a name or an IP address, and a port that can be asked. */
export function isLinkable({ host, port }: HostPort): boolean {
  const isHost = NAME.test(host) ||
    (IPV6.test(host) && parseAddress(host, new WireBuffer(ADDRESS_SIZE), 0));
  return isHost && port > 0 && port <= 0xffff;
}

/** The text of a link; the port is left out where it is the usual one. See {@linkcode isLinkable}. */
export function formatLink({ host, port, serverKey, token }: InvitationLink): string {
  const at = formatHostPort({ host, port });
  const server = port === DEFAULT_PORT ? at.slice(0, at.lastIndexOf(":")) : at;
  const code = new Uint8Array(CHECKED_SIZE + CHECK_SIZE);
  code.set(serverKey);
  code.set(token, KEY_SIZE);
  code.set(checkOf(code), CHECKED_SIZE);
  return `${SCHEME}${server}/${encodeBase64(code).replaceAll("+", "-").replaceAll("/", "_")}`;
}

/**
 * Reads a link, with spaces around it or without.
 *
 * @throws {SyntaxError} It is none: one line that says why, and has nothing of the link in it.
 */
export function readLink(text: string): InvitationLink {
  const link = text.trim();
  if (!link.toLowerCase().startsWith(SCHEME)) {
    throw new SyntaxError(`this is no link of an invitation; it begins with ${SCHEME}`);
  }
  if (/\s/.test(link)) {
    throw new SyntaxError("this link has spaces or line breaks in it; it is one line without any");
  }
  const rest = link.slice(SCHEME.length);
  const slash = rest.indexOf("/");
  const code = slash < 0 ? "" : rest.slice(slash + 1);
  const server = parseHostPort(slash < 0 ? rest : rest.slice(0, slash), DEFAULT_PORT);
  if (server === undefined || !isLinkable(server)) {
    throw new SyntaxError(
      `this link names no server; it looks like ${SCHEME}vps.example.com/ and ` +
        `${CODE_LENGTH} characters`,
    );
  }
  if (!CODE.test(code)) {
    throw new SyntaxError(
      "this link is damaged: it has characters that no link has; copy it again",
    );
  }
  if (code.length !== CODE_LENGTH) {
    const what = code.length < CODE_LENGTH ? "is cut off" : "is too long";
    throw new SyntaxError(
      `this link ${what}: it has ${code.length} characters behind the server's name, and ` +
        `${CODE_LENGTH} are needed; copy it again`,
    );
  }
  const bytes = decodeBase64(code.replaceAll("-", "+").replaceAll("_", "/"));
  const check = checkOf(bytes);
  if (check.some((byte, i) => byte !== bytes[CHECKED_SIZE + i])) {
    throw new SyntaxError("this link is damaged: a character in it is another one; copy it again");
  }
  return {
    ...server,
    serverKey: bytes.slice(0, KEY_SIZE),
    token: bytes.slice(KEY_SIZE, CHECKED_SIZE),
  };
}

/** Nothing that keeps a link from being made up: that is the token's part. */
function checkOf(code: Uint8Array): Uint8Array {
  return sha256(code.subarray(0, CHECKED_SIZE)).subarray(0, CHECK_SIZE);
}
