/**
 * Reads a configuration of wg-quick(8), as forgiving as wg(8) is: names of keys in any case, spaces
 * anywhere, comments from `#` on. What is wrong in it stops nothing: it is left out, and said.
 *
 * @module
 */

import { hasHostBits, isCidr, normalizePrefix } from "../net/ip_prefix.ts";
import { parseHostPort } from "../net/host_port.ts";
import { parseKey } from "../net/peer_key.ts";
import { Names, type Note, printable } from "./imported.ts";
import { firstName, isFriendly } from "./peer_names.ts";

/** A peer of the file. */
export interface WgQuickPeer {
  /** In base64. */
  readonly publicKey: string;
  /** One that no other peer has. */
  readonly name: string | undefined;
  /** In the one form, each at one peer alone. */
  readonly allowedIps: readonly string[];
  /** Seconds; 0 is off. */
  readonly persistentKeepalive: number;
  /** In base64. */
  readonly presharedKey: string | undefined;
  /** As it is written: an address or a name, and a port. */
  readonly endpoint: string | undefined;
}

/** What the file says. */
export interface WgQuickFile {
  /** In base64. */
  readonly privateKey: string | undefined;
  readonly addresses: readonly string[];
  readonly listenPort: number | undefined;
  readonly peers: readonly WgQuickPeer[];
  /** In the order of lines. */
  readonly notes: readonly Note[];
}

/** Why a key stays where it is. */
const STAYS: Readonly<Record<string, string>> = {
  preup: "wg-quick runs it, and goes on doing so",
  postup: "wg-quick runs it, and goes on doing so",
  predown: "wg-quick runs it, and goes on doing so",
  postdown: "wg-quick runs it, and goes on doing so",
  table: "wg-quick's; sync adds routes where add-routes says so, to the main table",
  mtu: "wg-quick sets it",
  dns: "wg-quick sets it",
  saveconfig: "wg-quick would write there what sync has set: better without it",
  fwmark: "sync takes the mark that the interface has",
};
/** Keys as they are written. */
const WRITTEN: Readonly<Record<string, string>> = {
  preup: "PreUp",
  postup: "PostUp",
  predown: "PreDown",
  postdown: "PostDown",
  table: "Table",
  mtu: "MTU",
  dns: "DNS",
  saveconfig: "SaveConfig",
  fwmark: "FwMark",
};
const MAX_UINT16 = 0xffff;
/** Behind these lines, a comment is of the peer; behind others, of what they say. */
const NAMES_BEHIND = /^(?:\[peer\]|publickey=|allowedips=)/i;
/** So many comments of a peer are looked at. */
const MAX_COMMENTS = 8;

interface Draft {
  readonly line: number;
  publicKey: string | undefined;
  /** Comments in the order in which they count. */
  readonly before: readonly string[];
  readonly inside: string[];
  readonly behind: string[];
  readonly allowedIps: Map<string, number>;
  keepalive: number | undefined;
  presharedKey: string | undefined;
  endpoint: string | undefined;
}

/** Whether a text looks like such a file. */
export function isWgQuick(text: string): boolean {
  return /^[ \t]*\[[ \t]*(?:interface|peer)[ \t]*\]/im.test(text);
}

/** Reads a file's text. */
export function readWgQuick(text: string): WgQuickFile {
  return new WgQuickReader().read(text);
}

class WgQuickReader {
  readonly #notes: Note[] = [];
  readonly #drafts: Draft[] = [];
  readonly #addresses = new Set<string>();
  #privateKey: string | undefined;
  #listenPort: number | undefined;
  #section: "interface" | Draft | undefined;
  /** Comments that stand alone, since the last line of another kind, */
  #comments: string[] = [];
  /** whether an empty line is before them, */
  #isApart = true;
  /** and whether one is after them. */
  #isOver = false;
  #line = 0;

  read(text: string): WgQuickFile {
    for (const line of text.split(/\r?\n/)) {
      this.#line++;
      this.#readLine(line);
    }
    const peers = this.#peers();
    return {
      privateKey: this.#privateKey,
      addresses: [...this.#addresses],
      listenPort: this.#listenPort,
      peers,
      notes: this.#notes.toSorted((a, b) => a.line - b.line),
    };
  }

  #note(text: string, line = this.#line): void {
    this.#notes.push({ line, text });
  }

  #readLine(line: string): void {
    const at = line.indexOf("#");
    const comment = at < 0 ? undefined : line.slice(at);
    // wg(8) takes out all white space: what it means is decided on what is left.
    const said = (at < 0 ? line : line.slice(0, at)).replace(/\s+/g, "");
    if (said === "") {
      this.#readComment(comment);
      return;
    }
    const [, section] = /^\[(.*)\]$/.exec(said.toLowerCase()) ?? [];
    if (section !== undefined) {
      this.#enter(section);
    } else {
      this.#endComments(false);
      this.#readKey(said);
    }
    if (comment !== undefined && typeof this.#section === "object" && NAMES_BEHIND.test(said)) {
      this.#section.behind.push(comment);
    }
  }

  /** @param comment Undefined where the line is empty: it parts what is of two peers. */
  #readComment(comment: string | undefined): void {
    if (comment !== undefined) {
      if (this.#isOver) this.#comments = [];
      this.#isOver = false;
      if (this.#comments.length < MAX_COMMENTS) this.#comments.push(comment);
    } else if (this.#comments.length > 0 && !this.#isApart) this.#endComments(true);
    else {
      this.#isOver = this.#comments.length > 0;
      this.#isApart = true;
    }
  }

  /** What stood there is of the peer above. */
  #endComments(isApart: boolean): void {
    if (typeof this.#section === "object") this.#section.inside.push(...this.#comments);
    this.#dropComments(isApart);
  }

  #dropComments(isApart: boolean): void {
    this.#comments = [];
    this.#isApart = isApart;
    this.#isOver = false;
  }

  #enter(section: string): void {
    const before = this.#comments;
    this.#dropComments(false);
    if (section === "peer") {
      this.#section = {
        ...{ line: this.#line, before, inside: [], behind: [], allowedIps: new Map() },
        ...{ publicKey: undefined, keepalive: undefined, presharedKey: undefined },
        endpoint: undefined,
      };
      this.#drafts.push(this.#section);
    } else if (section === "interface") this.#section = "interface";
    else {
      this.#section = undefined;
      this.#note("a section that is neither [Interface] nor [Peer]: left out");
    }
  }

  #readKey(said: string): void {
    const at = said.indexOf("=");
    const key = (at < 0 ? said : said.slice(0, at)).toLowerCase();
    const value = at < 0 ? "" : said.slice(at + 1);
    if (this.#section === undefined) return this.#note("stands in no section: left out");
    if (this.#section === "interface") this.#readInterface(key, value);
    else this.#readPeer(this.#section, key, value);
  }

  #readInterface(key: string, value: string): void {
    const stays = Object.hasOwn(STAYS, key) ? STAYS[key] : undefined;
    if (stays !== undefined) return this.#note(`${WRITTEN[key]} stays in the file: ${stays}`);
    switch (key) {
      case "privatekey":
        this.#privateKey = this.#key("PrivateKey", value) ?? this.#privateKey;
        return;
      case "listenport":
        this.#listenPort = this.#number("ListenPort", value) || undefined;
        return;
      case "address":
        for (const each of value.split(",").filter((text) => text !== "")) {
          if (isCidr(each)) this.#addresses.add(each);
          else this.#note("an Address that is no IP address: left out");
        }
        return;
    }
    this.#unknown(key);
  }

  #readPeer(peer: Draft, key: string, value: string): void {
    switch (key) {
      case "publickey":
        peer.publicKey = this.#key("PublicKey", value) ?? peer.publicKey;
        return;
      case "presharedkey":
        peer.presharedKey = this.#key("PresharedKey", value) ?? peer.presharedKey;
        return;
      case "persistentkeepalive":
        peer.keepalive = value.toLowerCase() === "off"
          ? 0
          : this.#number("PersistentKeepalive", value);
        return;
      case "endpoint":
        if (parseHostPort(value) === undefined) {
          this.#note("an Endpoint that is no HOST:PORT: left out");
        } else peer.endpoint = printable(value);
        return;
      case "allowedips":
        for (const each of value.split(",").filter((text) => text !== "")) {
          this.#allow(peer, each);
        }
        return;
    }
    this.#unknown(key);
  }

  /** A sign before it adds or takes away (wg(8)). */
  #allow(peer: Draft, text: string): void {
    const [, sign = "", prefix = ""] = /^([+-]?)(.*)$/.exec(text) ?? [];
    if (!isCidr(prefix)) return this.#note("an AllowedIPs that is no prefix: left out");
    const whole = normalizePrefix(prefix);
    if (sign === "-") {
      peer.allowedIps.delete(whole);
      return;
    }
    if (hasHostBits(prefix)) {
      this.#note(`AllowedIPs ${prefix} is ${whole} to wg: the settings have that`);
    }
    peer.allowedIps.set(whole, this.#line);
  }

  /** What it is called, without its value: a key that is misspelt may have a secret. */
  #unknown(key: string): void {
    const shown = /^[a-z][a-z0-9]{0,31}$/.test(key) ? `"${key}" is unknown here` : "not understood";
    this.#note(`${shown}: it stays in the file`);
  }

  #key(what: string, value: string): string | undefined {
    if (parseKey(value) !== undefined) return value;
    this.#note(`${what} is no key (44 characters of base64): left out`);
    return undefined;
  }

  #number(what: string, value: string): number | undefined {
    const number = /^(?:\d{1,5}|0x[\da-f]{1,4})$/i.test(value) ? Number(value) : NaN;
    if (number <= MAX_UINT16) return number;
    this.#note(`${what} is no number up to ${MAX_UINT16}: left out`);
    return undefined;
  }

  #peers(): WgQuickPeer[] {
    const byKey = new Map<string, Draft>();
    for (const draft of this.#drafts) {
      if (draft.publicKey === undefined) {
        this.#note("a [Peer] without PublicKey: left out", draft.line);
        continue;
      }
      const former = byKey.get(draft.publicKey);
      if (former !== undefined) {
        this.#note(`the same peer as that of line ${former.line}: put together`, draft.line);
      }
      byKey.set(draft.publicKey, former === undefined ? draft : together(former, draft));
    }
    const owners = new Map<string, Draft>();
    for (const draft of byKey.values()) {
      for (const [prefix, line] of draft.allowedIps) {
        const other = owners.get(prefix)?.allowedIps.get(prefix) ?? 0;
        if (line >= other) owners.set(prefix, draft);
      }
    }
    const names = new Names();
    return [...byKey].map(([publicKey, draft]) => ({
      publicKey,
      name: this.#name(draft, names),
      allowedIps: [...draft.allowedIps].flatMap(([prefix, line]) => {
        const owner = owners.get(prefix);
        if (owner === draft) return [prefix];
        this.#note(
          `${prefix} is another peer's as well (line ${owner?.line}), which gets it`,
          line,
        );
        return [];
      }),
      persistentKeepalive: draft.keepalive ?? 0,
      presharedKey: draft.presharedKey,
      endpoint: draft.endpoint,
    }));
  }

  #name({ before, inside, behind, line }: Draft, names: Names): string | undefined {
    const all = [...before, ...inside, ...behind];
    const name = firstName(all.filter(isFriendly)) ?? firstName(all);
    if (name === undefined) return undefined;
    const own = names.take(name, (i) => `${name} ${i}`);
    if (own !== name) this.#note(`another peer is called "${name}"; this one is "${own}"`, line);
    return own;
  }
}

/** A peer that is there twice: what comes later replaces, as wg(8) does it. */
function together(former: Draft, later: Draft): Draft {
  return {
    ...later,
    line: former.line,
    before: [...former.before, ...later.before].slice(0, MAX_COMMENTS),
    inside: [...former.inside, ...later.inside].slice(0, MAX_COMMENTS),
    behind: [...former.behind, ...later.behind].slice(0, MAX_COMMENTS),
    keepalive: later.keepalive ?? former.keepalive,
    presharedKey: later.presharedKey ?? former.presharedKey,
    endpoint: later.endpoint ?? former.endpoint,
  };
}
