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
import { meetRegistry } from "./join_meeting.ts";

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
  const done = await join(host, { link, name, settings, port, isUp }, {
    ask: async (question) => {
      const answer = await askToJoin(host, question, link, timeout);
      askedAt = host.now().unix;
      return answer;
    },
    meet: async (made) => {
      const meeting = await meetRegistry(host, made, settings);
      for (const warning of meeting.warnings) host.err.write(`wgsig: ${warning}\n`);
      return meeting;
    },
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
    `this host is now ${peer.name ?? "a peer"} in ${group}${server}${own}`,
    `written: ${files.join(", ")}`,
    ...meetingLines(done, sync),
    ...isUp ? [`${name} is up`] : [],
    ...clock,
    ...next,
    ...uci,
  ];
  return `${lines.join("\n")}\n`;
}

/** What came of the first question, and what is left to `sync`. */
function meetingLines({ meeting, unmet, isQuick, made }: JoinDone, sync: string): string[] {
  const file = `${made.name}.conf`;
  if (meeting === undefined) {
    const peers = isQuick ? `, and ${file} has no peers` : "";
    return [`not registered yet${peers}: ${unmet}; this does it: ${sync}`];
  }
  const { isProved, known, peers } = meeting;
  const proved = isProved ? "registered, and has proved its key" : "registered";
  if (known === undefined) {
    return [`${proved}; the registry hasn't said in time which peers it knows: ${sync} asks again`];
  }
  const others = known === 0 ? "no other peer yet" : `${known} other peer${known === 1 ? "" : "s"}`;
  const missing = unmet !== undefined
    ? [`${file} has no peers: ${unmet}; this sets them: ${sync}`]
    : [];
  const has = isQuick && unmet === undefined && peers.length > 0
    ? `, ${peers.length === known ? "" : `${peers.length} of them `}in ${file} as well`
    : "";
  return [`${proved}; the registry knows ${others}${has}`, ...missing];
}

function indent(line: string): string {
  return `  ${line}`;
}
