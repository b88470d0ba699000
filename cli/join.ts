/**
 * `wgsig join`: a link of an invitation in, an interface and its settings out.
 *
 * @module
 */

import { uciLines } from "../lib/core/roster/client/joined_files.ts";
import { readLink } from "../lib/core/roster/link.ts";
import { DEFAULT_SETTINGS_FILE } from "../lib/core/settings/common_options.ts";
import { JOIN_FLAGS } from "../lib/core/settings/join_options.ts";
import { resolve } from "../lib/core/settings/option.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import type { Host } from "../lib/host/host.ts";
import { readInput } from "../lib/service/files/files.ts";
import { askToJoin } from "../lib/service/roster/join.ts";
import { join, type JoinDone } from "../lib/service/roster/joining.ts";
import { checkInterfaceName } from "../lib/wireguard/device.ts";
import type { Arguments } from "./arguments.ts";

const DEFAULT_INTERFACE = "wg0";
const STANDARD_INPUT = "-";
/** A clock that is off by more is told of, in seconds: the first protocol is refused beyond that. */
const MOST_OFF = 30;

/** Runs `wgsig join`. */
export async function runJoin(host: Host, args: Arguments): Promise<ExitStatus> {
  const { config, up: isUp, port, timeout } = resolve(JOIN_FLAGS, args);
  const [given = STANDARD_INPUT, name = DEFAULT_INTERFACE] = args.operands;
  checkInterfaceName(name);
  const settings = config ?? DEFAULT_SETTINGS_FILE;
  const link = readLinkOf(given === STANDARD_INPUT ? await inputOf(host) : given);
  let askedAt = 0;
  const done = await join(host, { link, name, settings, port, isUp }, async (question) => {
    const answer = await askToJoin(host, question, link, timeout);
    askedAt = host.now().unix;
    return answer;
  });
  host.out.write(inWords(done, settings, Math.round(done.peer.unix - askedAt)));
  if (done.notUp === undefined) return EXIT.ok;
  host.err.write(`wgsig: ${name} is not up: ${done.notUp}\n`);
  return EXIT.failed;
}

async function inputOf(host: Host): Promise<string> {
  const text = new TextDecoder().decode(await readInput(host, "the link"));
  if (text.trim() !== "") return text;
  throw new UserError("which link? wgsig join LINK, or the link on standard input: wgsig join -");
}

function readLinkOf(text: string) {
  try {
    return readLink(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserError(error.message);
    throw error;
  }
}

/** What was done, and what is to be done next. */
function inWords(done: JoinDone, settings: string, isOff: number): string {
  const { peer, made, files, isQuick, isUp } = done;
  const { name, server } = made;
  const group = peer.group === 0 ? "" : `group ${peer.group} of `;
  const own = peer.addresses.length === 0 ? "" : ` with ${peer.addresses.join(", ")}`;
  const file = settings === DEFAULT_SETTINGS_FILE ? "" : ` --config ${settings}`;
  const sync = `wgsig sync ${name}${file}`;
  const clock = Math.abs(isOff) <= MOST_OFF ? [] : [
    `this host's clock is ${isOff > 0 ? "behind" : "ahead"} by ${Math.abs(isOff)} s: set it ` +
    "(wgsig goes by the registry's meanwhile; other programs don't)",
  ];
  const next = isUp
    ? [`next: ${sync}`]
    : isQuick
    ? [`next: wg-quick up ${name}, and then: ${sync}`]
    : [`next, where there is no wg-quick: wgsig brings ${name} up with --up; then: ${sync}`];
  const uci = isQuick
    ? []
    : ["on OpenWrt, so that it is there after a restart as well:", ...uciLines(made).map(indent)];
  const lines = [
    `this host is ${peer.name ?? "a peer"} now in ${group}${server}${own}`,
    `written: ${files.join(", ")}`,
    ...isUp ? [`${name} is up`] : [],
    ...clock,
    ...next,
    ...uci,
  ];
  return `${lines.join("\n")}\n`;
}

function indent(line: string): string {
  return `  ${line}`;
}
