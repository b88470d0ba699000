/**
 * `wgsig invite`: a link for a new peer, or a configuration for one that can't speak wgsig.
 *
 * @module
 */

import { x25519 } from "@noble/curves/ed25519.js";
import { formatHostPort, type HostPort } from "../lib/core/net/host_port.ts";
import { formatKey } from "../lib/core/net/peer_key.ts";
import {
  type Configured,
  type Invited,
  readChanged,
  readConfigured,
  readInvited,
} from "../lib/core/roster/requests.ts";
import { formatAge } from "../lib/core/settings/duration.ts";
import { isGiven, type Option, resolve, type Resolved } from "../lib/core/settings/option.ts";
import { OWN_PORT } from "../lib/core/settings/common_options.ts";
import { INVITE_FLAGS } from "../lib/core/settings/registry_options.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import { plain } from "../lib/core/status/lines.ts";
import type { Host } from "../lib/host/host.ts";
import { outputFile, readFormer, writeOutput } from "../lib/service/files/output.ts";
import type { Arguments } from "./arguments.ts";
import { randomKey } from "./keygen.ts";
import { checkName } from "./peer_names.ts";
import { hasColours } from "./colours.ts";
import { checkQr, drawQr } from "./qr.ts";
import { ServeSocket } from "./serve_socket.ts";

type Flags = Resolved<typeof INVITE_FLAGS>;

/** What a NAT on a phone's way forgets later than. */
const KEEPALIVE = 25;

/** Runs `wgsig invite`. */
export async function runInvite(host: Host, args: Arguments): Promise<ExitStatus> {
  const flags = resolve(INVITE_FLAGS, args);
  const [name] = args.operands;
  if (name === undefined) {
    throw new UserError("who is to join? Give the new peer a name: wgsig invite laptop");
  }
  checkName(name);
  const { via, endpoint, output, uses, lifetime, server } = INVITE_FLAGS;
  if (flags["wg-conf"]) {
    refuseFlags(args, [uses, lifetime, server], "a link, and --wg-conf makes none");
  } else refuseFlags(args, [via, endpoint, output], "--wg-conf");
  if (flags.qr && flags.json) {
    throw new UserError("--qr and --json exclude each other; give one of them");
  }
  if (flags.qr) checkQr();
  return flags["wg-conf"]
    ? await makeConfiguration(host, flags, name)
    : await makeLink(host, flags, name);
}

function refuseFlags(args: Arguments, options: readonly Option[], what: string): void {
  for (const option of options) {
    if (isGiven(args, option)) throw new UserError(`--${option.flag} is for ${what}`);
  }
}

async function makeLink(host: Host, flags: Flags, name: string): Promise<ExitStatus> {
  const { group, uses, lifetime, address, "allowed-ips": prefixes } = flags;
  const server = flags.server && namedServer(flags.server);
  const serve = await ServeSocket.find(host, flags.serve);
  const request = { group, name, prefixes, addresses: address ?? [], uses, lifetime, server };
  const invited = await serve.ask("invite", request, readInvited);
  tell(host, linkInWords(invited, host.now().unix));
  if (flags.json) {
    host.out.write(`${JSON.stringify({ schema: 1, ...invited }, undefined, 2)}\n`);
    return EXIT.ok;
  }
  if (flags.qr) host.out.write(drawQr(invited.link, hasColours(host)) ?? "");
  host.out.write(`${invited.link}\n`);
  return EXIT.ok;
}

function namedServer(server: HostPort): string {
  return server.port === OWN_PORT ? server.host : formatHostPort(server);
}

function linkInWords(invited: Invited, unix: number): string[] {
  const { name, group, uses, ends, addresses, prefixes } = invited;
  const often = uses === 1 ? "one peer" : `${uses} peers`;
  const behind = prefixes.length === 0 ? "" : `, and has ${prefixes.join(", ")} behind it`;
  return [
    ...networkInWords(invited),
    `with this link, ${often} can join group ${group} as ${name}, until ${timeOf(ends)} (for ` +
    `${formatAge(Math.max(0, ends - unix))})`,
    `whoever has the link can join; to make it worthless: wgsig registry revoke ${quoted(name)}`,
    ...addresses.length === 0 ? [] : [`${name} gets ${addresses.join(", ")}${behind}`],
    ...uses === 1
      ? []
      : [`the next ones are called ${name}-2 and so on, and get what is free then`],
    "on the new peer: wgsig join LINK --up (or wgsig join - --up with the link on standard input, " +
    "which keeps it out of the shell's history)",
  ];
}

function networkInWords(
  { isNewNetwork, network, group }: Pick<Invited, "isNewNetwork" | "network" | "group">,
): string[] {
  if (!isNewNetwork) return [];
  return [
    `the tunnel of group ${group} has the network ${network.join(", ")} from now on; for another ` +
    'one, set "network" in [[serve.group]] before anyone joins',
  ];
}

/** Makes a key pair, of which the registry gets the public key. */
async function makeConfiguration(host: Host, flags: Flags, name: string): Promise<ExitStatus> {
  const { group, via, address, "allowed-ips": prefixes } = flags;
  const output = outputFile(flags.output);
  // What must not be written is told before anybody knows of the peer.
  if (output !== undefined) await readFormer(host, output, []);
  const serve = await ServeSocket.find(host, flags.serve);
  const privateKey = randomKey(host, "private");
  const publicKey = formatKey(x25519.getPublicKey(privateKey));
  const endpoint = flags.endpoint && formatHostPort(flags.endpoint);
  const addresses = address ?? [];
  const request = { group, name, publicKey, prefixes, addresses, via, endpoint };
  const configured = await serve.ask("wg-conf", request, readConfigured);
  const text = configurationOf(configured, formatKey(privateKey));
  privateKey.fill(0);
  try {
    const code = flags.qr ? drawn(text, host) : undefined;
    if (output !== undefined) {
      const copy = await writeOutput(host, output, text, []);
      if (copy !== undefined) tell(host, [`${output} had something else: that is in ${copy} now`]);
    }
    const shown = output === undefined ? text : undefined;
    if (flags.json) host.out.write(formatJson(configured, publicKey, shown));
    else if (code !== undefined) host.out.write(code);
    else if (shown !== undefined) host.out.write(shown);
  } catch (error) {
    // Nobody has the private key of this peer.
    await serve.ask("forget", { group: configured.group, name }, readChanged);
    throw error;
  }
  tell(host, configurationInWords(configured));
  return EXIT.ok;
}

function drawn(text: string, host: Host): string {
  const code = drawQr(text, hasColours(host));
  if (code !== undefined) return code;
  throw new UserError(
    `this configuration has ${text.length} bytes, too many for a QR code on a terminal; leave ` +
      "--qr out",
    EXIT.failed,
  );
}

/** As short as can be: a QR code has to show it. */
function configurationOf(
  { addresses, hubKey, allowedIps, endpoint }: Configured,
  privateKey: string,
): string {
  return [
    "[Interface]",
    `PrivateKey = ${privateKey}`,
    `Address = ${addresses.join(", ")}`,
    "",
    "[Peer]",
    `PublicKey = ${hubKey}`,
    `AllowedIPs = ${allowedIps.join(", ")}`,
    `Endpoint = ${endpoint}`,
    `PersistentKeepalive = ${KEEPALIVE}`,
    "",
  ].join("\n");
}

/** @param configuration Undefined where it was written to a file. */
function formatJson(
  configured: Configured,
  publicKey: string,
  configuration: string | undefined,
): string {
  const shown = { schema: 1, ...configured, publicKey, configuration: configuration ?? null };
  return `${JSON.stringify(shown, undefined, 2)}\n`;
}

function configurationInWords(configured: Configured): string[] {
  const { name, group, addresses, via, endpoint, why } = configured;
  return [
    ...networkInWords(configured),
    `${name} is a peer of group ${group} now, with ${addresses.join(", ")}`,
    `it reaches the others through ${via} at ${endpoint}: ${why}`,
    `${via} has to forward between its peers (net.ipv4.ip_forward=1); peers with trust-registry ` +
    `learn of ${name} by themselves`,
    "the private key is in this configuration and nowhere else: the registry has not seen it",
  ];
}

function tell(host: Host, lines: readonly string[]): void {
  for (const line of lines) host.err.write(`wgsig: ${plain(line)}\n`);
}

function timeOf(unix: number): string {
  return `${new Date(unix * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** A name as a word of the shell. */
function quoted(name: string): string {
  return /^[\w.@:-]+$/.test(name) && !name.startsWith("-")
    ? name
    : `'${name.replaceAll("'", `'\\''`)}'`;
}
