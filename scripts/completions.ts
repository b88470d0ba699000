/**
 * Completions of bash, zsh and fish, made from the table of options that the command line has.
 *
 * @module
 */

import { COMMANDS, type CommandSpec, type FlagSpec } from "../lib/core/settings/commands.ts";

/** What can be offered for a value or an operand. */
type Offer =
  | { readonly kind: "files" | "interfaces" | "hosts" | "commands" | "peers" | "nothing" }
  | { readonly kind: "choices"; readonly choices: readonly string[] };

/** Words in the place of a command. */
const OTHER_WORDS: readonly (readonly [string, string])[] = [
  ["help", "show the options of a command"],
  ["version", "version, runtime and system"],
];
const MADE = "made from the table of options of wgsig";
/** What stands before the function for those, in each shell. */
const INTERFACES =
  "# Interfaces: WireGuard's, and those of settings and of what runs; else all that there are.";
const NO_OFFER: Offer = { kind: "nothing" };

/** The operands of a command, one by one. */
export function operandsIn(operands: string): string[] {
  return operands === "" ? [] : operands.split(" ");
}

/** What the table says of a value, in words that a shell can offer. */
function offerOf(value: string): Offer {
  const bare = value.replace(/^\[(.*?)\](?:\.\.\.)?$/, "$1");
  if (/^[a-z][a-z\d]*(?:\|[a-z][a-z\d]*)+$/.test(bare)) {
    return { kind: "choices", choices: bare.split("|") };
  }
  if (/^(?:KEY\|)?FILE$|^FOLDER$/.test(bare)) return { kind: "files" };
  if (/^(?:IF|INTERFACE)(?:\||$)/.test(bare)) return { kind: "interfaces" };
  if (bare === "SERVER") return { kind: "hosts" };
  if (bare === "COMMAND") return { kind: "commands" };
  if (bare === "PEER") return { kind: "peers" };
  return NO_OFFER;
}

function isOptional(value: string): boolean {
  return value.startsWith("[");
}

/** A word that the shell takes as it is. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function flagNames(command: CommandSpec): string[] {
  return command.flags.map(({ name }) => `--${name}`);
}

function commandWords(): string[] {
  return [...COMMANDS.map(({ name }) => name), ...OTHER_WORDS.map(([word]) => word)];
}

/** How bash makes an offer; nothing where there is none. */
function bashOffer(offer: Offer): string {
  switch (offer.kind) {
    case "files":
      return "_wgsig_files";
    case "interfaces":
      return "_wgsig_interfaces";
    case "hosts":
      return "_wgsig_offer -A hostname";
    case "commands":
      return "_wgsig_offer -c";
    case "peers":
      return "_wgsig_peers";
    case "choices":
      return `_wgsig_offer -W ${quoted(offer.choices.join(" "))}`;
    case "nothing":
      return ":";
  }
}

function bashCommand(command: CommandSpec): string[] {
  const valued = command.flags.filter(({ value }) => value !== undefined);
  const must = valued.filter(({ value }) => !isOptional(value!));
  const may = valued.filter(({ value }) => isOptional(value!));
  const offer = ({ name, value }: FlagSpec, end: string) =>
    `                --${name}) ${bashOffer(offerOf(value!))}${end} ;;`;
  return [
    `        ${command.name})`,
    "            case $previous in",
    ...must.map((option) => offer(option, "; return")),
    ...may.map((option) => offer(option, "")),
    "            esac",
    "            if [[ $current == -* ]]; then",
    `                _wgsig_offer -W ${quoted(flagNames(command).join(" "))}`,
    "            else",
    ...bashOperands(command, must).map((line) => `                ${line}`),
    "            fi",
    "            ;;",
  ];
}

/** @param valued Options whose value is the word behind them. */
function bashOperands({ operands }: CommandSpec, valued: readonly FlagSpec[]): string[] {
  const offers = operandsIn(operands).map(offerOf);
  if (offers.length < 2) return [bashOffer(offers[0] ?? NO_OFFER)];
  const options = valued.map(({ name }) => `--${name}`).join(" ");
  return [
    `case $(_wgsig_place ${quoted(options)}) in`,
    ...offers.map((offer, i) => `    ${i}) ${bashOffer(offer)} ;;`),
    "esac",
  ];
}

/** Completion for bash; `complete` and `compgen` are described in bash(1). */
export function bashCompletion(): string {
  return [
    "# shellcheck shell=bash",
    `# Completion for bash, ${MADE}.`,
    "",
    "_wgsig_offer() {",
    '    mapfile -t COMPREPLY < <(compgen "$@" -- "$current")',
    "}",
    "",
    "_wgsig_files() {",
    "    compopt -o filenames 2>/dev/null",
    "    _wgsig_offer -f",
    "}",
    "",
    INTERFACES,
    "_wgsig_interfaces() {",
    "    local names",
    "    names=$({ wg show interfaces; wgsig complete interfaces; } 2>/dev/null | tr ' ' '\\n' | sort -u)",
    "    [[ -n $names ]] || names=$(cd /sys/class/net 2>/dev/null && echo *)",
    '    _wgsig_offer -W "$names"',
    "}",
    "",
    "# The peers and invitations that the registry of this host knows by name.",
    "_wgsig_peers() {",
    "    local name",
    "    while IFS= read -r name; do",
    '        [[ $name == "$current"* ]] && COMPREPLY+=("$(printf %q "$name")")',
    "    done < <(wgsig registry list --names 2>/dev/null)",
    "}",
    "",
    "# How many operands stand before the word: $1 has the options that take a value.",
    "_wgsig_place() {",
    "    local i place=0",
    "    for ((i = 2; i < COMP_CWORD; i++)); do",
    "        [[ ${COMP_WORDS[i]} == [-=]* || ${COMP_WORDS[i - 1]} == = ]] && continue",
    '        [[ " $1 " == *" ${COMP_WORDS[i - 1]} "* ]] || ((place++))',
    "    done",
    '    echo "$place"',
    "}",
    "",
    "_wgsig() {",
    "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}",
    "    COMPREPLY=()",
    "    # The equals sign of --option=value is a word of its own here.",
    "    if [[ $current == = ]]; then",
    '        current=""',
    "    elif [[ $previous == = ]]; then",
    "        previous=${COMP_WORDS[COMP_CWORD - 2]}",
    "    fi",
    "    if ((COMP_CWORD == 1)); then",
    "        if [[ $current == -* ]]; then",
    "            _wgsig_offer -W '--help --version'",
    "        else",
    `            _wgsig_offer -W ${quoted(commandWords().join(" "))}`,
    "        fi",
    "        return",
    "    fi",
    "    case ${COMP_WORDS[1]} in",
    ...COMMANDS.flatMap(bashCommand),
    "        help)",
    "            ((COMP_CWORD == 2)) &&",
    `                _wgsig_offer -W ${quoted(COMMANDS.map(({ name }) => name).join(" "))}`,
    "            ;;",
    "    esac",
    "}",
    "",
    "complete -F _wgsig wgsig",
    "",
  ].join("\n");
}

function zshOffer(offer: Offer): string {
  switch (offer.kind) {
    case "files":
      return "_files";
    case "interfaces":
      return "_wgsig_interfaces";
    case "hosts":
      return "_hosts";
    case "commands":
      return "_command_names -e";
    case "peers":
      return "_wgsig_peers";
    case "choices":
      return `(${offer.choices.join(" ")})`;
    case "nothing":
      return " ";
  }
}

/** An option as `_arguments` of zshcompsys(1) wants it. */
function zshOption({ name, value, repeats = false, help }: FlagSpec): string {
  const text = help.replace(/[[\]\\]/g, "\\$&");
  if (value === undefined) return quoted(`--${name}[${text}]`);
  const what = value.replace(/[[\]]/g, "").replaceAll(":", "\\:");
  const colon = isOptional(value) ? "::" : ":";
  const star = repeats ? "*" : "";
  return quoted(`${star}--${name}=[${text}]${colon}${what}:${zshOffer(offerOf(value))}`);
}

function zshCommand(command: CommandSpec): string[] {
  const { name, operands, maxOperands, flags } = command;
  const each = operandsIn(operands);
  const rest = each.map((operand, i) => {
    const what = operand.replace(/^\[(.*?)\].*$/, "$1");
    const place = maxOperands > each.length ? "*" : `${i + 1}`;
    return quoted(`${place}:${what}:${zshOffer(offerOf(operand))}`);
  });
  const words = [...flags.map(zshOption), ...rest];
  return [
    `            ${name})`,
    "                _arguments \\",
    words.map((word) => `                    ${word}`).join(" \\\n"),
    "                ;;",
  ];
}

/** Completion for zsh; see zshcompsys(1). */
export function zshCompletion(): string {
  const words: (readonly [string, string])[] = [
    ...COMMANDS.map(({ name, help }) => [name, help] as const),
    ...OTHER_WORDS,
  ];
  return [
    "#compdef wgsig",
    `# Completion for zsh, ${MADE}.`,
    "",
    INTERFACES,
    "_wgsig_interfaces() {",
    "    local -aU names",
    "    local expl",
    "    names=($(wg show interfaces 2>/dev/null) $(wgsig complete interfaces 2>/dev/null))",
    "    (( $#names )) || names=(/sys/class/net/*(N:t))",
    "    _wanted interfaces expl interface compadd -a names",
    "}",
    "",
    "# The peers and invitations that the registry of this host knows by name.",
    "_wgsig_peers() {",
    "    local -a names",
    "    local expl",
    '    names=("${(@f)$(wgsig registry list --names 2>/dev/null)}")',
    "    _wanted peers expl peer compadd -a names",
    "}",
    "",
    "_wgsig() {",
    '    local curcontext="$curcontext" state line',
    "    local -a commands",
    "    typeset -A opt_args",
    "    commands=(",
    ...words.map(([word, help]) => `        ${quoted(`${word}:${help}`)}`),
    "    )",
    "    _arguments -C \\",
    "        '(- *)--help[show the commands]' \\",
    "        '(- *)--version[version, runtime and system]' \\",
    "        '1:command:->command' \\",
    "        '*::argument:->argument'",
    "    case $state in",
    "    command)",
    "        _describe -t commands command commands",
    "        ;;",
    "    argument)",
    "        case $words[1] in",
    ...COMMANDS.flatMap(zshCommand),
    "            help)",
    `                _arguments '1:command:(${COMMANDS.map(({ name }) => name).join(" ")})'`,
    "                ;;",
    "        esac",
    "        ;;",
    "    esac",
    "}",
    "",
    '_wgsig "$@"',
    "",
  ].join("\n");
}

/** What `complete` of fish is told of a value: which arguments there are, and that no file is. */
function fishOffer(offer: Offer): string {
  switch (offer.kind) {
    case "files":
      return " -r -F";
    case "interfaces":
      return " -x -a '(__wgsig_interfaces)'";
    case "hosts":
      return " -x -a '(__fish_print_hostnames)'";
    case "commands":
      return " -x -a '(__fish_complete_command)'";
    case "peers":
      return " -x -a '(wgsig registry list --names 2>/dev/null)'";
    case "choices":
      return ` -x -a ${fishQuoted(offer.choices.join(" "))}`;
    case "nothing":
      return " -x";
  }
}

/** In fish, a backslash takes a quote's meaning away inside of quotes. */
function fishQuoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

function fishCommand({ name, operands, flags }: CommandSpec): string[] {
  const when = `complete -c wgsig -n '__wgsig_command ${name}'`;
  const offers = operandsIn(operands).map(offerOf);
  const valued = flags.filter(({ value }) => value !== undefined && !isOptional(value))
    .map((flag) => `--${flag.name}`).join(" ");
  return [
    ...offers.flatMap((words, i) => {
      if (words.kind === "nothing") return [];
      const place = offers.length < 2
        ? when
        : `complete -c wgsig -n '__wgsig_command ${name}; and __wgsig_place ${i} ${valued}'`;
      return [`${place}${fishOffer(words).replace(" -x", "")}`];
    }),
    ...flags.map(({ name, value, help }) => {
      // A value that may be left out is written behind an equals sign.
      const takes = value === undefined || isOptional(value) ? "" : fishOffer(offerOf(value));
      return `${when} -l ${name}${takes} -d ${fishQuoted(help)}`;
    }),
  ];
}

/** Completion for fish; see complete(1) of fish. */
export function fishCompletion(): string {
  const first = "complete -c wgsig -n __wgsig_first";
  return [
    `# Completion for fish, ${MADE}.`,
    "",
    "# Whether the command is still to be named.",
    "function __wgsig_first",
    "    test (count (commandline -opc)) -eq 1",
    "end",
    "",
    "# Whether it is this one.",
    "function __wgsig_command",
    "    set -l words (commandline -opc)",
    '    test (count $words) -gt 1; and test "$words[2]" = $argv[1]',
    "end",
    "",
    "# Whether so many operands stand before the word; the options that are named take a value.",
    "function __wgsig_place",
    "    set -l place 0",
    "    set -l before ''",
    "    for word in (commandline -opc)[3..-1]",
    "        if not string match -q -- '-*' $word; and not contains -- $before $argv[2..-1]",
    "            set place (math $place + 1)",
    "        end",
    "        set before $word",
    "    end",
    "    test $place -eq $argv[1]",
    "end",
    "",
    INTERFACES,
    "function __wgsig_interfaces",
    "    set -l names (string split -n ' ' -- (wg show interfaces 2>/dev/null | string replace -a \\t ' '))",
    "    set -a names (type -q wgsig; and wgsig complete interfaces 2>/dev/null)",
    "    test (count $names) -gt 0; or set names (path basename /sys/class/net/* 2>/dev/null)",
    "    printf '%s\\n' $names | sort -u",
    "end",
    "",
    "complete -c wgsig -f",
    `${first} -l help -d 'show the commands'`,
    `${first} -l version -d 'version, runtime and system'`,
    ...COMMANDS.map(({ name, help }) => `${first} -a ${name} -d ${fishQuoted(help)}`),
    ...OTHER_WORDS.map(([word, help]) => `${first} -a ${word} -d ${fishQuoted(help)}`),
    ...COMMANDS.flatMap(fishCommand),
    `complete -c wgsig -n '__wgsig_command help' -a '${
      COMMANDS.map(({ name }) => name).join(" ")
    }'`,
    "",
  ].join("\n");
}
