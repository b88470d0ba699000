/**
 * How an interface is doing, in a line: by what there was to tell of it.
 *
 * @module
 */

import type { SyncNote } from "./notes.ts";

/** Follows the notes of a {@linkcode SyncMachine}. */
export class SyncStatus {
  readonly #interface: string;
  /** The peers of the interface; undefined while there is none. */
  #peers: readonly string[] | undefined;
  readonly #alive = new Set<string>();
  readonly #unanswered = new Map<string, string>();
  /** Where the interface is seen, over IPv4 and over IPv6. */
  readonly #own = new Map<boolean, string>();
  #isClockWrong = false;
  /** Whether a server has answered since: with wgsig 2, the clock is of no matter. */
  #isAnswered = false;

  /** @param name The interface's. */
  constructor(name: string) {
    this.#interface = name;
  }

  /** Other servers may be asked from now on. */
  forgetServers(): void {
    this.#unanswered.clear();
  }

  /** Takes a note. */
  hear(note: SyncNote): void {
    switch (note.kind) {
      case "device":
        this.#peers = note.device?.peers.map(({ publicKey }) => publicKey);
        return;
      case "server":
        this.#isAnswered ||= note.status === "ok";
        if (note.status === "ok") this.#unanswered.delete(note.server);
        else this.#unanswered.set(note.server, note.status);
        return;
      case "clock":
        this.#isClockWrong = note.isWrong;
        this.#isAnswered = false;
        return;
      case "change":
        return this.#change(note.event, note.fields);
    }
  }

  #change(event: string, { key, endpoint }: { readonly [name: string]: unknown }): void {
    if (event === "own-endpoint") this.#own.set(String(endpoint).startsWith("["), String(endpoint));
    if (event === "peer-alive") this.#alive.add(String(key));
    if (event === "peer-lost") this.#alive.delete(String(key));
  }

  /** The line. */
  get text(): string {
    if (this.#isClockWrong && !this.#isAnswered) return "waiting for the clock to be set";
    if (this.#peers === undefined) return `waiting for ${this.#interface}`;
    const alive = this.#peers.filter((key) => this.#alive.has(key)).length;
    const parts = [`${this.#interface}: ${alive} of ${this.#peers.length} peers alive`];
    if (this.#own.size > 0) parts.push(`seen at ${[...this.#own.values()].join(" and ")}`);
    for (const [server, status] of this.#unanswered) parts.push(`${server}: ${status}`);
    return parts.join(", ");
  }
}
