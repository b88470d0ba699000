/**
 * The manual page, made from the table of options that the command line has: wgsig(1) in mdoc(7).
 *
 * As a script, it writes the manual page and the completions of bash, zsh and fish into
 * `dist/share`, in the folders that `/usr/local/share` has for them.
 *
 * @module
 */

import { COMMANDS, type CommandSpec, type FlagSpec } from "../lib/core/settings/commands.ts";
import { EXIT } from "../lib/core/settings/user_error.ts";
import { bashCompletion, fishCompletion, operandsIn, zshCompletion } from "./completions.ts";
import { RELEASE, sourceDate, wrapped } from "./package/release.ts";
import { ROOT, say } from "./tools.ts";

/** What each exit status means. */
const STATUSES: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "All is well.",
  failed: "It failed; standard error says why.",
  timedOut: "No answer came in time.",
  hostNotFound: "A host was not found.",
  notAuthenticated: "What came was not authenticated: another secret, or a clock that is wrong.",
  somePeersFailed:
    "Some peers are down (status), and no server knows where they are (sync --once).",
  usage: "Usage, settings, or a secret file are wrong.",
};
const FILES: readonly (readonly [string, string])[] = [
  ["/etc/wgsig/wgsig.toml", "Settings, where neither --config nor an own file names others."],
  ["~/.config/wgsig/wgsig.toml", "A user's own settings; they come before those of the system."],
  ["/etc/wgsig/secret", "The group secret; only its owner may be able to read it."],
  [
    "/var/run/wgsig",
    "What sync and leases must know after they were ended, and where status asks; gone with a restart.",
  ],
];
const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["WGSIG_CONFIG", "Settings file, where --config names none."],
  ["XDG_CONFIG_HOME", "Where a user's own settings are, else ~/.config."],
  ["NO_COLOR", "If it is set, tables have neither colours nor bold heads."],
];
const SIGNALS: readonly (readonly [string, string])[] = [
  [
    "SIGHUP",
    "serve reads settings, secrets and lists again; the peers stay. sync reads settings and secret " +
    "again, and looks at once.",
  ],
  ["SIGUSR1", "serve logs its counters; sync looks at once."],
  ["SIGTERM, SIGINT", "The state is saved, and the program ends."],
];
const EXAMPLES: readonly (readonly [string, string])[] = [
  ["Make a group's secret, and be its registry:", "wgsig keygen secret --output /etc/wgsig/secret"],
  ["", "wgsig serve --state /var/lib/wgsig/state"],
  ["Who is where:", "wgsig query vps.example.com --interface wg0"],
  ["Keep the endpoints of wg0 right:", "wgsig sync wg0 --server vps.example.com"],
  ["How its peers are reached, and why so:", "wgsig status wg0"],
  ["Say what is in the way, and what mends it:", "wgsig doctor wg0"],
];
const MONTHS = [
  ...["January", "February", "March", "April", "May", "June", "July", "August", "September"],
  ...["October", "November", "December"],
];

const LINE = 76;

/** Text for a line of its own: nothing in it is taken for a request or an escape. */
function prose(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\e")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha")
    .replaceAll("`", "\\(ga")
    .replace(
      /(^|[\s(])(--?)(?=\w)/g,
      (_, before, dashes) => before + dashes.replaceAll("-", "\\-"),
    );
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

/** A word as an argument of a macro. */
function literal(text: string): string {
  return prose(text).replace(/(?<!\\)-/g, "\\-");
}

/** Lines of text: mdoc wants each sentence on a line of its own, and short lines. */
function lines(text: string): string[] {
  return text.split(/(?<=\.)\s+/).flatMap((each) => wrapped(each, LINE).map(prose));
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

/** Operands and values: brackets are what may be left out, dots what may come several times. */
function operand(text: string): string {
  const { inner, dots } = /^\[(?<inner>[^[\]]+)\](?<dots>\.\.\.)?$/.exec(text)?.groups ?? {};
  if (inner === undefined) return `Ar ${literal(text)}`;
  return `Op Ar ${literal(inner)}${dots === undefined ? "" : " ..."}`;
}

/** The operands of a command, which may have none. */
function operandLines(operands: string): string[] {
  return operandsIn(operands).map((each) => `.${operand(each)}`);
}

function optionItem({ name, value, repeats = false, help }: FlagSpec): string[] {
  const words = [".It", "Fl", literal(`-${name}`)];
  if (value !== undefined) words.push(operand(value));
  return [
    words.join(" "),
    ...lines(sentence(help)),
    ...(repeats ? ["May be given several times."] : []),
  ];
}

function commandSection({ name, operands, help, flags }: CommandSpec): string[] {
  const line = [".Nm", "Cm", name, "Op", "Ar", "OPTION", "..."];
  const usage = operandLines(operands);
  return [
    `.Ss ${name}`,
    line.join(" "),
    ...usage,
    ".Pp",
    ...lines(sentence(help)),
    ".Bl -tag -width Ds",
    ...flags.flatMap(optionItem),
    ".El",
  ];
}

function tagged(macro: string, items: readonly (readonly [string, string])[]): string[] {
  return [
    ".Bl -tag -width Ds",
    ...items.flatMap(([tag, text]) => [`.It ${macro} ${literal(tag)}`, ...lines(text)]),
    ".El",
  ];
}

/**
 * The manual page.
 *
 * @param date Unix seconds; its day stands at the foot of the page.
 */
export function manualPage(date: number): string {
  const day = new Date(date * 1000);
  const statuses = Object.entries(EXIT).map(([name, status]) =>
    [String(status), STATUSES[name as keyof typeof EXIT]] as const
  );
  return [
    `.\\" ${RELEASE.name} ${RELEASE.version}: made from the table of options`,
    `.Dd ${MONTHS[day.getUTCMonth()]} ${day.getUTCDate()}, ${day.getUTCFullYear()}`,
    ".Dt WGSIG 1",
    ".Os",
    ".Sh NAME",
    ".Nm wgsig",
    `.Nd ${RELEASE.summary}`,
    ".Sh SYNOPSIS",
    ...COMMANDS.flatMap(({ name, operands }) => [
      ".Nm",
      `.Cm ${name}`,
      ".Op Ar OPTION ...",
      ...operandLines(operands),
    ]),
    ".Nm",
    ".Cm help",
    ".Op Ar COMMAND",
    ".Nm",
    ".Fl \\-version",
    ".Sh DESCRIPTION",
    ...lines(RELEASE.description),
    ".Pp",
    "Every command runs without options from a settings file.",
    "Options come before what stands there.",
    "Durations are written 500ms, 30s, 5m, 2h or 1d.",
    "Secrets are read from files or standard input, and never from the command line.",
    ".Sh COMMANDS",
    ...COMMANDS.flatMap(commandSection),
    ".Sh ENVIRONMENT",
    ...tagged("Ev", ENVIRONMENT),
    ".Sh FILES",
    ...tagged("Pa", FILES),
    ".Sh EXIT STATUS",
    ...tagged("", statuses).map((line) => line.replace(".It  ", ".It ")),
    ".Sh EXAMPLES",
    ...EXAMPLES.flatMap(([what, command]) => [
      ...(what === "" ? [] : [prose(what)]),
      `.Dl ${literal(command)}`,
    ]),
    ".Sh SIGNALS",
    ...tagged("Dv", SIGNALS),
    ".Sh SEE ALSO",
    ".Xr ip 8 ,",
    ".Xr wg 8 ,",
    ".Xr wg-quick 8",
    "",
  ].join("\n");
}

/** The files of `share`: where they belong below `/usr/share`, and what they hold. */
export function shareFiles(date: number): Readonly<Record<string, string>> {
  return {
    "man/man1/wgsig.1": manualPage(date),
    "bash-completion/completions/wgsig": bashCompletion(),
    "zsh/site-functions/_wgsig": zshCompletion(),
    "fish/vendor_completions.d/wgsig.fish": fishCompletion(),
  };
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(shareFiles(await sourceDate()))) {
    const file = `${ROOT}/dist/share/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(file, text);
    say(`dist/share/${path}`);
  }
}
