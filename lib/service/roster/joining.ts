/**
 * Has this host join a group: everything is looked at before a token is used, files are written whole
 * and never over others, and what was written is taken back where it comes to nothing. Then the
 * registry is asked once: so the peer is registered, and has the others in wg-quick's file.
 *
 * The private key is written first, and stays where it isn't certain what the registry has done: the
 * same key gets the same answer again.
 *
 * @module
 */

import { formatPeers, type KnownPeer } from "../../core/ask/wg_config.ts";
import { formatHostPort } from "../../core/net/host_port.ts";
import { formatKey } from "../../core/net/peer_key.ts";
import { formatGiven, type Given } from "../../core/roster/client/given.ts";
import { isNarrow } from "../../core/net/ip_prefix.ts";
import {
  type JoinedInterface,
  quickText,
  settingsText,
} from "../../core/roster/client/joined_files.ts";
import { type JoinedPeer, JoinQuestion } from "../../core/roster/client/join_question.ts";
import type { InvitationLink } from "../../core/roster/link.ts";
import { EXIT, type ExitStatus, UserError } from "../../core/settings/user_error.ts";
import type { Files, Input } from "../../host/files.ts";
import type { Cryptography, System } from "../../host/host.ts";
import type { Processes } from "../../host/processes.ts";
import type { Random } from "../../host/random.ts";
import type { Udp } from "../../host/udp.ts";
import { joinedNote, QUICK_FOLDER } from "../files/own_folders.ts";
import { bringUp } from "./bring_up.ts";
import type { JoinAnswer } from "./join.ts";
import { JoiningFiles } from "./joining_files.ts";
import {
  checkFolder,
  checkInterface,
  checkTools,
  formerSettings,
  freePort,
  freeSecret,
  hasProgram,
  refuseFile,
  said,
} from "./joining_looks.ts";

/** What of a host that takes. */
export type JoiningHost = Cryptography & Files & Input & Processes & Random & System & Udp;

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

/** Speaks with the registry. */
export interface JoinTalk {
  /** Asks it to take this peer in. */
  ask(question: JoinQuestion): Promise<JoinAnswer>;
  /**
   * Asks it as one of its peers, by the files that are there then.
   *
   * @throws What went wrong, in words: it is not registered then.
   */
  meet(made: JoinedInterface): Promise<Meeting>;
}

/** What came of asking as one of its peers: it is registered. */
export interface Meeting {
  /** Whether the registry has taken the key as proved. */
  readonly isProved: boolean;
  /** How many other peers it knows by name; undefined where it hasn't said in time. */
  readonly known: number | undefined;
  /** Those of them that this host may have. */
  readonly peers: readonly KnownPeer[];
  /** The same, as `sync` notes it. */
  readonly given: Given;
  /** The wall clock then, in seconds. */
  readonly unix: number;
}

/** What was done. */
export interface JoinDone {
  readonly peer: Omit<JoinedPeer, "secret">;
  readonly made: JoinedInterface;
  /** The files that were written. */
  readonly files: readonly string[];
  /** Whether wg-quick knows of the interface. */
  readonly isQuick: boolean;
  /** What came of asking as a peer; undefined where it isn't registered. */
  readonly meeting: Meeting | undefined;
  /** Why it isn't, or why the peers aren't in wg-quick's file, in words. */
  readonly unmet: string | undefined;
  /** Whether it is up. */
  readonly isUp: boolean;
  /** Why it isn't, in words, where it was to be. */
  readonly notUp: string | undefined;
}

/** Where everything is. */
interface Places {
  /** Of the settings. */
  readonly folder: string;
  readonly key: string;
  readonly secret: string;
  /** What wg-quick brings up, and the note of whose peers are in it; undefined without wg-quick. */
  readonly quick: { readonly file: string; readonly note: string } | undefined;
}

/** Joins. */
export async function join(host: JoiningHost, wish: JoinWish, talk: JoinTalk): Promise<JoinDone> {
  return await new Joining(host, wish, talk).run();
}

class Joining {
  readonly #host: JoiningHost;
  readonly #wish: JoinWish;
  readonly #talk: JoinTalk;
  readonly #files: JoiningFiles;

  constructor(host: JoiningHost, wish: JoinWish, talk: JoinTalk) {
    this.#host = host;
    this.#wish = wish;
    this.#talk = talk;
    this.#files = new JoiningFiles(host);
  }

  async run(): Promise<JoinDone> {
    const { name, settings, isUp } = this.#wish;
    const isQuick = await hasProgram(this.#host, "wg-quick");
    if (isUp) await checkTools(this.#host, isQuick);
    const folder = settings.includes("/") ? settings.slice(0, settings.lastIndexOf("/")) : ".";
    const keyFolder = isQuick ? QUICK_FOLDER : folder;
    const quick = isQuick
      ? { file: `${QUICK_FOLDER}/${name}.conf`, note: joinedNote(name) }
      : undefined;
    await checkInterface(this.#host, name);
    for (const each of Object.values(quick ?? {})) await refuseFile(this.#host, each);
    const before = await formerSettings(this.#host, settings, name);
    const secret = await freeSecret(this.#host, folder, name);
    for (const each of new Set([folder, keyFolder])) await checkFolder(this.#host, each);
    const listenPort = await freePort(this.#host, this.#wish.port);
    const places = { folder, key: `${keyFolder}/${name}.key`, secret, quick };
    const { peer, made } = await this.#take(places, listenPort);
    try {
      await this.#writeAll(places, peer, made, before);
    } finally {
      peer.secret.fill(0);
    }
    const met = await this.#meet(places, made);
    const notUp = isUp ? await bringUp(this.#host, made, isQuick, folder) : undefined;
    const files = [places.key, ...this.#files.written];
    return { peer, made, files, isQuick, ...met, isUp: isUp && notUp === undefined, notUp };
  }

  /** Has the registry take this peer in. */
  async #take(
    { key: keyFile, secret: secretFile }: Places,
    listenPort: number,
  ): Promise<{ readonly peer: JoinedPeer; readonly made: JoinedInterface }> {
    const { link, name } = this.#wish;
    const { key, isNew } = await this.#files.ownKey(keyFile);
    const privateKey = formatKey(key);
    let answer: JoinAnswer;
    try {
      const random = (bytes: Uint8Array) => this.#host.random(bytes);
      const question = new JoinQuestion(link, key, this.#host.primitives, random);
      answer = await this.#talk.ask(question);
    } catch (error) {
      if (isNew) await this.#files.remove(keyFile);
      throw error instanceof SyntaxError ? new UserError(error.message) : error;
    } finally {
      key.fill(0);
    }
    const peer = await this.#peerOf(answer, keyFile, isNew);
    const wide = peer.addresses.find((each) => !isNarrow(each));
    if (wide !== undefined) {
      peer.secret.fill(0);
      if (isNew) await this.#files.remove(keyFile);
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
      privateKey,
      privateKeyFile: keyFile,
      secretFile,
    };
    return { peer, made };
  }

  async #writeAll(
    { key, secret, quick }: Places,
    peer: JoinedPeer,
    made: JoinedInterface,
    before: string | undefined,
  ): Promise<void> {
    const { settings } = this.#wish;
    const text = settingsText(made);
    try {
      await this.#files.write(secret, `${formatKey(peer.secret)}\n`);
      if (quick !== undefined) await this.#files.write(quick.file, quickText(made));
      if (before === undefined) await this.#files.write(settings, text);
      else await this.#files.replace(settings, `${before}\n${text}`);
    } catch (error) {
      await this.#files.takeBack();
      throw new UserError(
        `${
          said(error)
        }; the registry has taken this peer in, and the link is used: mend that, and ` +
          `run the same command again: the key in ${key} is kept, and the registry answers it as before`,
        EXIT.failed,
      );
    }
  }

  /** Whatever comes of it, this host has joined. */
  async #meet(
    { quick }: Places,
    made: JoinedInterface,
  ): Promise<Pick<JoinDone, "meeting" | "unmet">> {
    let meeting: Meeting;
    try {
      meeting = await this.#talk.meet(made);
    } catch (error) {
      return { meeting: undefined, unmet: said(error) };
    }
    const { peers, given, unix } = meeting;
    if (quick === undefined || peers.length === 0) return { meeting, unmet: undefined };
    try {
      // Whose the peers are is known before they are there: else they could not be taken back.
      await this.#files.write(quick.note, formatGiven(given, undefined));
      await this.#files.replace(quick.file, `${quickText(made)}${formatPeers(peers, unix)}`);
      return { meeting, unmet: undefined };
    } catch (error) {
      await this.#files.remove(quick.note);
      return { meeting, unmet: said(error) };
    }
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
    if (isNew) await this.#files.remove(keyFile);
    const why = {
      used:
        "this link was used already, by another peer; if that was not you, revoke that peer there",
      ended: "this link has ended: it was good for a limited time",
      revoked: "this link was revoked",
    }[outcome.kind];
    throw fail(
      `${why}; ask for a new one: wgsig invite NAME, on the registry's host; nothing was changed here`,
      EXIT.failed,
    );
  }
}
