/**
 * Which events `serve` and `sync` tell of, as the code has them: the calls that write a line of the
 * log or tell the hook, with their levels and fields. For the table in docs/, and for the test that
 * it lacks none.
 *
 * It reads the source, which is formatted, and no more of it than it needs: the arguments of those
 * calls. What it can't read is an error, unless {@linkcode PASSED_ON} or {@linkcode NAMED_ELSEWHERE}
 * has it.
 *
 * @module
 */

import { ROOT } from "./tools.ts";

/** An event. */
export interface FoundEvent {
  readonly name: string;
  readonly levels: readonly string[];
  /** The names of its fields, as far as they stand in the call. */
  readonly fields: readonly string[];
  /** The commands that tell of it. */
  readonly commands: readonly string[];
  /** Whether the hook gets it. */
  readonly isChange: boolean;
}

/** Calls that tell of something; the second group is the method. */
const CALL =
  /(?:(?:\blog|#log|\bnotes|\breport|#report)\.(write|always|event|once|change)|\bthis\.(event|once)|\byield (tell))\(/g;
/** Where calls are. */
const FOLDERS = ["lib/core", "lib/service"];
/** Files and folders of `sync`; all others are of `serve`. */
const OF_SYNC = /^lib\/(?:core\/sync|service\/(?:sync|lease\/client|portmap|log\/sync_report))/;
/** Calls that only pass on what others tell, by file and the argument that names the event. */
const PASSED_ON: Readonly<Record<string, readonly string[]>> = {
  "lib/service/log/sync_report.ts": ["event", "note.event"],
  "lib/service/lease/server/service.ts": ["step.event"],
  // Counters, which have a table of their own.
  "lib/service/serve/traffic_log.ts": ["reason"],
  "lib/service/store/store.ts": ["event"],
};
/** The events of some of these, by the file in which their names stand. */
const NAMED_ELSEWHERE: readonly (readonly [file: string, name: string, level: string])[] = [
  ["lib/core/settings/reload.ts", "reloaded", "info"],
  ["lib/core/settings/reload.ts", "restart-needed", "warn"],
  ["lib/core/settings/reload.ts", "not-reloaded", "error"],
  ["lib/core/registry/journal.ts", "state-restored", "info"],
  ["lib/core/registry/member_journal.ts", "members-restored", "info"],
  ["lib/core/roster/server/roster_journal.ts", "roster-restored", "info"],
  ["lib/core/lease/server/journal.ts", "leases-restored", "info"],
  ["lib/service/log/log.ts", "log-lost", "warn"],
];
/** What a file's name in an event is: `${name}-saved-again`. */
const STORES = ["state", "leases"];

/** All events, by name. */
export async function foundEvents(): Promise<FoundEvent[]> {
  const events = new Map<string, FoundEvent>();
  const add = (event: FoundEvent) => {
    const before = events.get(event.name);
    events.set(event.name, before === undefined ? event : merged(before, event));
  };
  for (const folder of FOLDERS) {
    for await (const file of sourcesIn(folder)) {
      for (const event of eventsIn(file, await Deno.readTextFile(`${ROOT}/${file}`))) add(event);
    }
  }
  for (const [file, name, level] of NAMED_ELSEWHERE) {
    const text = await Deno.readTextFile(`${ROOT}/${file}`);
    if (!text.includes(`"${name}"`)) throw new TypeError(`${file} has no "${name}" any more`);
    const commands = /\/(?:log|settings\/reload)\.ts$/.test(file)
      ? ["serve", "sync"]
      : [commandOf(file)];
    add({ name, levels: [level], fields: [], commands, isChange: false });
  }
  return [...events.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

async function* sourcesIn(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}/${folder}`)) {
    if (isDirectory) yield* sourcesIn(`${folder}/${name}`);
    else if (name.endsWith(".ts")) yield `${folder}/${name}`;
  }
}

function commandOf(file: string): string {
  return OF_SYNC.test(file) ? "sync" : "serve";
}

function merged(a: FoundEvent, b: FoundEvent): FoundEvent {
  const both = (x: readonly string[], y: readonly string[]) => [...new Set([...x, ...y])];
  return {
    name: a.name,
    levels: both(a.levels, b.levels),
    fields: both(a.fields, b.fields),
    commands: both(a.commands, b.commands).sort(),
    isChange: a.isChange || b.isChange,
  };
}

/** The events of a file. */
export function eventsIn(file: string, text: string): FoundEvent[] {
  return [...text.matchAll(CALL)].flatMap((call) => {
    const method = call[1] ?? call[2] ?? call[3];
    const isChange = method === "change";
    const args = argumentsAt(text, call.index + call[0].length);
    const [level, event = "", fields = ""] = isChange ? ['"info"', ...args] : args;
    const before = text.slice(0, call.index);
    const names = namesOf(event, before);
    if (names.length === 0 && PASSED_ON[file]?.includes(event)) return [];
    const levels = namesOf(level ?? "", before);
    if (names.length === 0 || levels.length === 0) {
      throw new TypeError(`Cannot read what ${file} tells of: ${call[0]}${args.join(", ")})`);
    }
    const commands = [commandOf(file)];
    return names.map((name) => ({
      name,
      levels,
      fields: fieldsOf(fields, before),
      commands,
      isChange,
    }));
  });
}

/** The arguments of a call, of which the first begins at `at`. */
function argumentsAt(text: string, at: number): string[] {
  const args: string[] = [];
  let depth = 0;
  let start = at;
  for (let i = at; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"' || c === "`") {
      for (i++; text[i] !== c; i++) if (text[i] === "\\") i++;
    } else if ("([{".includes(c)) depth++;
    else if (")]}".includes(c) || (c === "," && depth === 0)) {
      if (c !== "," && --depth >= 0) continue;
      const arg = text.slice(start, i).trim();
      if (arg !== "") args.push(arg);
      if (c !== ",") return args;
      start = i + 1;
    }
  }
  throw new TypeError(`Cannot find the end of a call: ${text.slice(at, at + 100)}`);
}

/** The texts that an argument may be: one, one of two, or what a constant before it is. */
function namesOf(arg: string, before: string): string[] {
  const [, one] = /^"([\w-]+)"$/.exec(arg) ?? [];
  if (one !== undefined) return [one];
  const [, yes, no] = /\?\s*"([\w-]+)"\s*:\s*"([\w-]+)"$/.exec(arg) ?? [];
  if (yes !== undefined && no !== undefined) return [yes, no];
  const [, end] = /^`\$\{(?:this\.#file\.)?name\}(-[\w-]+)`$/.exec(arg) ?? [];
  if (end !== undefined) return STORES.map((store) => `${store}${end}`);
  const value = constantBefore(arg, before);
  return value === undefined ? [] : namesOf(value, "");
}

/** What `const NAME = …;` has, the last before a call, in the same function. */
function constantBefore(name: string, before: string): string | undefined {
  if (!/^\w+$/.test(name)) return undefined;
  const at = before.lastIndexOf(`const ${name} = `);
  // A function that begins after it is another one.
  if (at < 0 || /^ {2}(?:async |\*)?#?\w+\(.*\{$/m.test(before.slice(at))) return undefined;
  const from = at + `const ${name} = `.length;
  return before.slice(from, before.indexOf(";", from)).trim();
}

/** The keys of an object, and of those that are spread into it. */
function fieldsOf(arg: string, before: string): string[] {
  if (!arg.startsWith("{")) {
    const value = constantBefore(arg, before);
    return value?.startsWith("{") ? fieldsOf(value, "") : [];
  }
  return argumentsAt(arg, 1).flatMap((entry) => {
    if (entry.startsWith("...")) {
      const at = entry.lastIndexOf("{ ");
      return at < 0 ? [] : fieldsOf(`{${argumentsAt(entry, at + 1).join(", ")}}`, "");
    }
    const [, key] = /^"?([\w-]+)"?(?::|$)/.exec(entry) ?? [];
    return key === undefined ? [] : [key];
  });
}
