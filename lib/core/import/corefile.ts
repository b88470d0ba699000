/**
 * Reads CoreDNS's Corefile, as far as it is about wgsd (DNS-SD of WireGuard peers):
 *
 * ```
 * .:53 {
 *     bind 192.0.2.1
 *     wgsd wg.example.com. wg0 {
 *         self 192.0.2.1:51820 10.0.0.1/32
 *     }
 * }
 * ```
 *
 * Words are parted by white space and quoted by `"`; `#` at the beginning of a word begins a comment;
 * a brace that ends a line opens a block, one that stands alone closes it.
 *
 * @module
 */

import { hasHostBits, isCidr, normalizePrefix } from "../net/ip_prefix.ts";
import { ADDRESS_SIZE, isWildcard, parseAddress } from "../net/ip_address.ts";
import { formatHostPort, parseHostPort } from "../net/host_port.ts";
import { parseZone } from "../zone/name.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { type Note, printable } from "./imported.ts";

/** A zone of wgsd. */
export interface WgsdZone {
  /** In the one form. */
  readonly name: string;
  /** The WireGuard interface. */
  readonly device: string;
  /** Whether the interface itself is in it; a text is where the others reach it. */
  readonly self: string | boolean;
  readonly selfAllowedIps: readonly string[];
}

/** What a Corefile says of wgsd. */
export interface Corefile {
  /** Where zones are served, `ADDRESS:PORT`. */
  readonly listen: readonly string[];
  readonly zones: readonly WgsdZone[];
  /** In the order of lines. */
  readonly notes: readonly Note[];
}

/** A line's words. Braces are words of their own. */
interface Line {
  readonly line: number;
  readonly words: readonly string[];
}

/** A directive, with the lines of its block. */
interface Directive extends Line {
  readonly block: readonly Line[];
}

/** A server block. */
interface ServerBlock {
  readonly line: number;
  readonly labels: readonly string[];
  readonly directives: readonly Directive[];
}

const DNS_PORT = 53;
const WORD = /^[\w.:/%-]{1,64}$/;

/** Whether a text looks like a Corefile with wgsd in it. */
export function isCorefile(text: string): boolean {
  return /^[ \t]*wgsd[ \t]/m.test(text) && text.includes("{");
}

/** Reads a Corefile's text. */
export function readCorefile(text: string): Corefile {
  return new CorefileReader().read(text);
}

class CorefileReader {
  readonly #notes: Note[] = [];
  readonly #listen = new Set<string>();
  readonly #zones = new Map<string, WgsdZone>();
  /** What the first server block with a zone listens on: all zones are to be served there. */
  #first: string | undefined;

  read(text: string): Corefile {
    for (const server of this.#servers(linesOf(text))) this.#readServer(server);
    return {
      listen: [...this.#listen],
      zones: [...this.#zones.values()],
      notes: this.#notes.toSorted((a, b) => a.line - b.line),
    };
  }

  #note(line: number, text: string): void {
    this.#notes.push({ line, text });
  }

  /** Server blocks; what is in blocks of blocks belongs to the directive that opens them. */
  #servers(lines: readonly Line[]): ServerBlock[] {
    const servers: ServerBlock[] = [];
    let labels: string[] = [];
    let start = 0;
    let directives: Directive[] | undefined;
    let block: Line[] | undefined;
    let depth = 0;
    for (const { line, words: all } of lines) {
      const opens = all.at(-1) === "{";
      const words = opens ? all.slice(0, -1) : all;
      if (all[0] === "}") {
        depth = Math.max(0, depth - 1);
        if (depth === 1) block = undefined;
        else if (depth === 0 && directives !== undefined) {
          servers.push({ line: start, labels, directives });
          [labels, directives] = [[], undefined];
        }
        if (all.length > 1) this.#note(line, "more than the brace that closes a block: left out");
        continue;
      }
      if (directives === undefined) {
        if (labels.length === 0) start = line;
        for (const word of words.flatMap((word) => word.split(","))) {
          if (word !== "") labels.push(word);
        }
        if (opens) [directives, depth] = [[], depth + 1];
        continue;
      }
      if (depth === 1) {
        block = [];
        directives.push({ line, words, block });
        if (!opens) block = undefined;
      } else block?.push({ line, words });
      if (opens) depth++;
    }
    if (directives !== undefined) {
      this.#note(start, "a block that nothing closes");
      servers.push({ line: start, labels, directives });
    } else if (labels.length > 0) this.#note(start, "what has no block: left out");
    return servers;
  }

  #readServer({ line, labels, directives }: ServerBlock): void {
    if (labels.some((label) => label.startsWith("("))) {
      this.#note(line, "a snippet: put it where it is imported, and import that");
      return;
    }
    const isOurs = directives.some(({ words }) => words[0] === "wgsd");
    if (!isOurs) {
      this.#note(line, "a block without wgsd: left out");
      return;
    }
    const listen = this.#addresses(line, labels, directives);
    for (const each of listen) this.#listen.add(each);
    const here = listen.toSorted().join(" ");
    this.#first ??= here;
    if (here !== this.#first) {
      this.#note(line, "its zones are served at all addresses that are listened on");
    }
    for (const directive of directives) {
      const [name = ""] = directive.words;
      if (name === "wgsd") this.#readZone(directive);
      else if (name !== "bind") this.#note(directive.line, unknown(name));
    }
  }

  /** Where a block listens: its ports, at the addresses that `bind` names. */
  #addresses(
    line: number,
    labels: readonly string[],
    directives: readonly Directive[],
  ): string[] {
    const ports = new Set<number>();
    for (const label of labels) {
      const [, scheme, port] = /^(?:(\w+):\/\/)?.*?(?::(\d{1,5}))?$/.exec(label) ?? [];
      if (scheme !== undefined && scheme !== "dns") {
        this.#note(line, "DNS over UDP and TCP is what is served, nothing else: left out");
      } else if (Number(port ?? DNS_PORT) > 0xffff) this.#note(line, "no port: left out");
      else ports.add(Number(port ?? DNS_PORT));
    }
    const bound = directives.filter(({ words }) => words[0] === "bind").flatMap((bind) =>
      bind.words.slice(1).filter((word) => {
        if (parseAddress(word, new WireBuffer(ADDRESS_SIZE), 0)) return true;
        this.#note(bind.line, "bind to what is no IP address: left out");
        return false;
      })
    );
    const hosts = bound.length > 0 ? bound : ["0.0.0.0", "::"];
    return [...ports].flatMap((port) => hosts.map((host) => formatHostPort({ host, port })));
  }

  #readZone({ line, words: [, zone = "", device = "", ...more], block }: Directive): void {
    const name = parseZone(zone);
    if (name === undefined || device === "" || !WORD.test(device)) {
      this.#note(line, "wgsd without a zone and an interface: left out");
      return;
    }
    if (more.length > 0) this.#note(line, "more words than a zone and an interface: left out");
    if (this.#zones.has(name)) {
      this.#note(line, `${name} is there before: left out`);
      return;
    }
    let self: string | boolean = false;
    const selfAllowedIps: string[] = [];
    for (const { line, words: [option = "", ...values] } of block) {
      if (option !== "self") {
        this.#note(line, unknown(option));
        continue;
      }
      self = true;
      const endpoint = parseHostPort(values[0] ?? "");
      if (endpoint !== undefined && !isCidr(values[0]!)) {
        const address = new WireBuffer(ADDRESS_SIZE);
        if (
          endpoint.port > 0 && parseAddress(endpoint.host, address, 0) && !isWildcard(address, 0)
        ) self = formatHostPort(endpoint);
        else this.#note(line, "self's endpoint is no IP:PORT: where it is asked is said instead");
      }
      for (const prefix of endpoint === undefined ? values : values.slice(1)) {
        if (!isCidr(prefix)) this.#note(line, "no prefix for self's AllowedIPs: left out");
        else {
          const whole = normalizePrefix(prefix);
          if (hasHostBits(prefix)) this.#note(line, `${prefix} of self is ${whole}`);
          selfAllowedIps.push(whole);
        }
      }
    }
    this.#zones.set(name, { name, device, self, selfAllowedIps });
  }
}

/** Of what is left out: its name, which is no secret; not its words, of which one may be. */
function unknown(name: string): string {
  const shown = /^[a-z][a-z0-9_-]{0,31}$/.test(name) ? `"${name}"` : "this";
  const hint = HINTS[name];
  return `${shown} is CoreDNS's: left out${hint === undefined ? "" : `; ${hint}`}`;
}

/** What there is in the place of a directive. */
const HINTS: Readonly<Record<string, string>> = {
  acl: "allow-from in the zone says who may ask",
  cache: "ttl in the zone says how long resolvers keep answers",
  errors: "serve logs what fails",
  forward: "serve answers for its zones alone: have a resolver ask it for them",
  import: "put what it names into one file, and import that",
  log: 'log-level in [serve] is how much is said: "verbose" has every drop',
  reload: "SIGHUP has serve read its settings again",
};

/** Takes a text apart into lines of words. */
function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  let words: string[] = [];
  let line = 1;
  let startsAt = 1;
  const token = /[ \t\r\f\v]+|\n|"(?:\\[^]|[^"\\])*"?|#[^\n]*|[^\s"]\S*/gy;
  for (const [each] of text.matchAll(token)) {
    if (each === "\n") {
      if (words.length > 0) lines.push({ line: startsAt, words });
      words = [];
    } else if (!/^\s/.test(each) && !each.startsWith("#")) {
      if (words.length === 0) startsAt = line;
      words.push(
        printable(
          each.startsWith('"') ? each.slice(1).replace(/"$/, "").replace(/\\"/g, '"') : each,
        ),
      );
    }
    for (const char of each) if (char === "\n") line++;
  }
  if (words.length > 0) lines.push({ line: startsAt, words });
  return lines;
}
