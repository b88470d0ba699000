/**
 * Has this host join a group: everything is looked at before a token is used, files are written whole
 * and never over others, and what was written is taken back where it comes to nothing.
 *
 * The private key is written first, and stays where it isn't certain what the registry has done: the
 * same key gets the same answer again.
 *
 * @module
 */

import { formatHostPort } from "../../core/net/host_port.ts";
import { isNarrow } from "../../core/net/ip_prefix.ts";
import { formatKey, KEY_SIZE } from "../../core/net/peer_key.ts";
import {
  type JoinedInterface,
  linkCommands,
  quickText,
  settingsText,
} from "../../core/roster/client/joined_files.ts";
import { type JoinedPeer, JoinQuestion } from "../../core/roster/client/join_question.ts";
import type { InvitationLink } from "../../core/roster/link.ts";
import { EXIT, type ExitStatus, UserError } from "../../core/settings/user_error.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { Files, Input } from "../../host/files.ts";
import type { Cryptography, System } from "../../host/host.ts";
import type { Processes } from "../../host/processes.ts";
import type { Random } from "../../host/random.ts";
import type { Udp } from "../../host/udp.ts";
import { readIndex } from "../../wireguard/addresses.ts";
import { makeFolder, readPrivateKey } from "../files/files.ts";
import type { JoinAnswer } from "./join.ts";

/** What of a host that takes. */
export type JoiningHost = Cryptography & Files & Input & Processes & Random & System & Udp;

const OWNER_ONLY = 0o600;
const USUAL_PORT = 51_820;
const QUICK_FOLDER = "/etc/wireguard";
const NAME_OF_PROBE = ".wgsig-join";
const NAME_OF_LOG = ".wgsig-join.log";
const MAX_LOG = 65_536;
/** So long a program may take that brings the interface up, in seconds. */
const UP_TIMEOUT = 60;
/** The most bytes of settings that are there before. */
const MAX_SETTINGS = 65_536;

/** What is wanted. */
export interface JoinWish {
  readonly link: InvitationLink;
  /** The name of the interface. */
  readonly name: string;
  /** The settings file to be written. */
  readonly settings: string;
  /** The UDP port of the interface; undefined for the usual one, or another that is free. */
  readonly port: number | undefined;
  /** Whether to bring it up. */
  readonly isUp: boolean;
}

/** What was done. */
export interface JoinDone {
  readonly peer: JoinedPeer;
  readonly made: JoinedInterface;
  /** The files that were written. */
  readonly files: readonly string[];
  /** Whether wg-quick knows of the interface. */
  readonly isQuick: boolean;
  /** Whether it is up. */
  readonly isUp: boolean;
  /** Why it isn't, in words, where it was to be. */
  readonly notUp: string | undefined;
}

/** Joins. @param ask Asks the registry. */
export async function join(
  host: JoiningHost,
  wish: JoinWish,
  ask: (question: JoinQuestion) => Promise<JoinAnswer>,
): Promise<JoinDone> {
  return await new Joining(host, wish).run(ask);
}

class Joining {
  readonly #host: JoiningHost;
  readonly #wish: JoinWish;
  /** Files that were written, in that order; the key is not among them. */
  readonly #written: string[] = [];
  /** What the settings file was before, where it is there and says nothing. */
  #before = "";
  #isReplaced = false;

  constructor(host: JoiningHost, wish: JoinWish) {
    this.#host = host;
    this.#wish = wish;
  }

  async run(ask: (question: JoinQuestion) => Promise<JoinAnswer>): Promise<JoinDone> {
    const { link, name, isUp } = this.#wish;
    const isQuick = await this.#has("wg-quick");
    if (isUp) await this.#checkTools(isQuick);
    const folder = this.#folder;
    const keyFolder = isQuick ? QUICK_FOLDER : folder;
    const keyFile = `${keyFolder}/${name}.key`;
    const quickFile = isQuick ? `${keyFolder}/${name}.conf` : undefined;
    await this.#checkInterface();
    if (quickFile !== undefined) await this.#refuseFile(quickFile);
    await this.#checkSettings();
    const secretFile = await this.#freeSecret(folder);
    for (const each of new Set([folder, keyFolder])) await this.#checkFolder(each);
    const listenPort = await this.#freePort();
    const { key, isNew } = await this.#ownKey(keyFile);
    let question: JoinQuestion;
    let answer: JoinAnswer;
    try {
      const random = (bytes: Uint8Array) => this.#host.random(bytes);
      question = new JoinQuestion(link, key, this.#host.primitives, random);
      answer = await ask(question);
    } catch (error) {
      if (isNew) await this.#remove(keyFile);
      throw error instanceof SyntaxError ? new UserError(error.message) : error;
    }
    const peer = await this.#peerOf(answer, keyFile, isNew);
    const wide = peer.addresses.find((each) => !isNarrow(each));
    if (wide !== undefined) {
      if (isNew) await this.#remove(keyFile);
      throw new UserError(
        `${
          formatHostPort(link)
        } gives this host ${wide}, by which more than any tunnel's network ` +
          "would be led into the tunnel: nothing was changed here",
        EXIT.failed,
      );
    }
    const made: JoinedInterface = {
      name,
      server: formatHostPort(link),
      serverKey: formatKey(link.serverKey),
      group: peer.group,
      addresses: peer.addresses,
      listenPort,
      privateKey: formatKey(key),
      privateKeyFile: keyFile,
      secretFile,
    };
    key.fill(0);
    try {
      await this.#write(secretFile, `${formatKey(peer.secret)}\n`);
      if (quickFile !== undefined) await this.#write(quickFile, quickText(made));
      await this.#writeSettings(settingsText(made));
    } catch (error) {
      for (const path of this.#written.toReversed()) await this.#remove(path);
      throw new UserError(
        `${
          said(error)
        }; the registry has taken this peer in, and the link is used: mend that, and run ` +
          `the same command again: the key in ${keyFile} is kept, by which it gets the same answer`,
        EXIT.failed,
      );
    }
    const notUp = isUp ? await this.#bringUp(made, isQuick) : undefined;
    const files = [keyFile, ...this.#written];
    return { peer, made, files, isQuick, isUp: isUp && notUp === undefined, notUp };
  }

  /** Of the settings. */
  get #folder(): string {
    const { settings } = this.#wish;
    return settings.includes("/") ? settings.slice(0, settings.lastIndexOf("/")) : ".";
  }

  async #has(program: string): Promise<boolean> {
    try {
      await this.#host.run([program, "--help"], { timeout: UP_TIMEOUT });
      return true;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    }
  }

  async #checkTools(isQuick: boolean): Promise<void> {
    const needed = isQuick ? ["wg"] : ["wg", "ip"];
    for (const each of needed) {
      if (await this.#has(each)) continue;
      const hint = each === "wg" ? "install wireguard-tools" : "install iproute2";
      throw new UserError(`--up needs ${each}, which isn't there; ${hint}`, EXIT.failed);
    }
  }

  async #checkInterface(): Promise<void> {
    const { name } = this.#wish;
    const isThere = await readIndex(this.#host, name).then(
      (index) => index !== undefined,
      () => false,
    );
    if (isThere) {
      throw new UserError(
        `there is an interface ${name} already; name another: wgsig join - wg1 (which reads the link ` +
          "from standard input), or take it down first",
        EXIT.failed,
      );
    }
  }

  async #isThere(path: string): Promise<boolean> {
    try {
      await this.#host.identify(path);
      return true;
    } catch (error) {
      const code = errorCode(error);
      if (code === "ENOENT" || code === "ENOTDIR") return false;
      throw new UserError(`cannot look for ${path}: ${explain(error)}`, EXIT.failed);
    }
  }

  async #refuseFile(path: string): Promise<void> {
    if (!await this.#isThere(path)) return;
    const hint =
      "name another interface behind the link, or where a join was cut short, remove it " +
      "and run the same command again";
    throw new UserError(`${path} is there already, and is left as it is; ${hint}`, EXIT.failed);
  }

  /** Settings that are there, and have examples alone, as a package brings them, are gone on with. */
  async #checkSettings(): Promise<void> {
    const { settings: path } = this.#wish;
    if (!await this.#isThere(path)) return;
    let text = "";
    try {
      const { bytes } = await this.#host.readFile(path, MAX_SETTINGS, { regular: true });
      text = new TextDecoder().decode(bytes);
    } catch (error) {
      throw new UserError(`cannot read ${path}: ${explain(error)}`, EXIT.failed);
    }
    const saysNothing = text.split("\n").every((line) => /^\s*(?:#.*)?$/.test(line));
    if (!saysNothing) {
      throw new UserError(
        `${path} has settings already, and is left as it is; name another file with --config, and ` +
          "give the same to sync",
        EXIT.failed,
      );
    }
    this.#before = text === "" || text.endsWith("\n") ? text : `${text}\n`;
    this.#isReplaced = true;
  }

  async #writeSettings(text: string): Promise<void> {
    const { settings: path } = this.#wish;
    if (!this.#isReplaced) return await this.#write(path, text);
    try {
      const bytes = new TextEncoder().encode(`${this.#before}\n${text}`);
      await this.#host.writeFile(path, bytes, { mode: OWNER_ONLY });
    } catch (error) {
      throw new UserError(`cannot write ${path}: ${explain(error)}`, EXIT.failed);
    }
    this.#written.push(path);
  }

  /** The first name for the group's secret that is free. */
  async #freeSecret(folder: string): Promise<string> {
    const names = [`${folder}/secret`, `${folder}/${this.#wish.name}.secret`];
    for (const path of names) if (!await this.#isThere(path)) return path;
    throw new UserError(
      `${
        names.join(" and ")
      } are there already, and are left as they are; name another interface ` +
        "behind the link",
      EXIT.failed,
    );
  }

  /** Makes it, and tries to write into it. */
  async #checkFolder(folder: string): Promise<void> {
    const probe = `${folder}/${NAME_OF_PROBE}`;
    try {
      if (!await this.#isThere(folder)) await makeFolder(this.#host, folder);
      await this.#host.writeFile(probe, new Uint8Array(0), { mode: OWNER_ONLY });
      await this.#host.removeFile(probe);
    } catch (error) {
      const hint = errorCode(error) === "EACCES" ? "; run this as root" : "";
      throw new UserError(`cannot write into ${folder}: ${said(error)}${hint}`, EXIT.failed);
    }
  }

  async #freePort(): Promise<number> {
    const { port } = this.#wish;
    const free = await this.#tryPort(port ?? USUAL_PORT);
    if (free !== undefined) return free;
    if (port === undefined) return await this.#tryPort(0) ?? 0;
    throw new UserError(
      `UDP port ${port} is in use; name another with --port, or leave that out`,
      EXIT.failed,
    );
  }

  async #tryPort(port: number): Promise<number | undefined> {
    try {
      const socket = await this.#host.udp({
        address: "0.0.0.0",
        port,
        onBatch() {},
        onSendError() {},
      });
      const free = socket.port;
      socket.close();
      return free;
    } catch (error) {
      if (errorCode(error) === "EADDRINUSE") return undefined;
      throw new UserError(`cannot use UDP port ${port}: ${explain(error)}`, EXIT.failed);
    }
  }

  /** The one that a run before has left, or a new one. */
  async #ownKey(path: string): Promise<{ readonly key: Uint8Array; readonly isNew: boolean }> {
    if (await this.#isThere(path)) {
      return { key: await readPrivateKey(this.#host, path), isNew: false };
    }
    const key = new Uint8Array(KEY_SIZE);
    this.#host.random(key);
    // RFC 7748, section 5, as `wg genkey` stores it.
    key[0] = key[0]! & 248;
    key[31] = (key[31]! & 127) | 64;
    try {
      await this.#put(path, `${formatKey(key)}\n`);
    } catch (error) {
      throw new UserError(said(error), EXIT.failed);
    }
    return { key, isNew: true };
  }

  async #peerOf(
    { outcome, problems }: JoinAnswer,
    keyFile: string,
    isNew: boolean,
  ): Promise<JoinedPeer> {
    if (outcome?.kind === "joined") return outcome.peer;
    const server = formatHostPort(this.#wish.link);
    const kept = `; the key in ${keyFile} is kept: run the same command again`;
    const fail = (why: string, status: ExitStatus) => new UserError(why, status);
    if (outcome === undefined) {
      const heard = problems.has("ECONNREFUSED")
        ? "nothing listens on that port there; start wgsig serve"
        : "check that wgsig serve runs there, that UDP gets through to that port, and that the link " +
          "is from there: one that it doesn't know (damaged, or over for more than 30 days) gets " +
          "no answer";
      throw fail(`no answer from ${server}: ${heard}${kept}`, EXIT.timedOut);
    }
    switch (outcome.kind) {
      case "busy":
        throw fail(
          `${server} has no room now, or too much to do: look at serve's log there${kept}`,
          EXIT.failed,
        );
      case "unknown":
        throw fail(
          `${server} says something that this version of wgsig doesn't know (${outcome.result}): ` +
            `update wgsig here${kept}`,
          EXIT.failed,
        );
    }
    // The key of a run before may be in use elsewhere.
    if (isNew) await this.#remove(keyFile);
    const why = {
      used: "this link was used already, by another peer; if that was not meant, revoke it there",
      ended: "this link has ended: it was good for a time",
      revoked: "this link was revoked",
    }[outcome.kind];
    throw fail(
      `${why}; ask for a new one: wgsig invite NAME, on the registry's host; nothing was changed here`,
      EXIT.failed,
    );
  }

  async #put(path: string, text: string): Promise<void> {
    try {
      const bytes = new TextEncoder().encode(text);
      await this.#host.writeFile(path, bytes, { mode: OWNER_ONLY, exclusive: true });
      bytes.fill(0);
    } catch (error) {
      throw new UserError(`cannot write ${path}: ${explain(error)}`, EXIT.failed);
    }
  }

  async #write(path: string, text: string): Promise<void> {
    await this.#put(path, text);
    this.#written.push(path);
  }

  async #remove(path: string): Promise<void> {
    // What can't be taken back is no worse than what is told anyway.
    await this.#host.removeFile(path).catch(() => {});
  }

  /** @returns Why it isn't up, in words. */
  async #bringUp(made: JoinedInterface, isQuick: boolean): Promise<string | undefined> {
    const { name } = made;
    const commands = isQuick ? [["wg-quick", "up", name]] : linkCommands(made);
    const log = `${this.#folder}/${NAME_OF_LOG}`;
    for (const [i, argv] of commands.entries()) {
      const why = await this.#failureOf(argv, log);
      if (why === undefined) continue;
      if (!isQuick && i > 0) await this.#failureOf(["ip", "link", "del", "dev", name], log);
      return `${argv.join(" ")}: ${why}`;
    }
    return undefined;
  }

  /**
   * What it says goes to a file: a userspace WireGuard that wg-quick starts would hold a pipe for as long
   * as it runs.
   */
  async #failureOf(argv: readonly string[], log: string): Promise<string | undefined> {
    try {
      // It is made anew: nothing is written through a link that somebody has put there.
      await this.#remove(log);
      const script = 'umask 077; set -C; exec "$@" > "$0" 2>&1 < /dev/null';
      const shell = ["sh", "-c", script, log, ...argv];
      const { code } = await this.#host.run(shell, { timeout: UP_TIMEOUT });
      if (code === 0) return undefined;
      const { bytes } = await this.#host.readFile(log, MAX_LOG, { beginning: true });
      const last = new TextDecoder().decode(bytes).trim().split("\n").at(-1);
      return last || `exit status ${code}`;
    } catch (error) {
      return explain(error);
    } finally {
      await this.#remove(log);
    }
  }
}

function said(error: unknown): string {
  return error instanceof UserError ? error.message : explain(error);
}
