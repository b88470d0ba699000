/**
 * Answers who joins: not before what that has changed is on the disk. So a token that was used stays
 * used, however the process ends.
 *
 * @module
 */

import type { HostPort } from "../../core/net/host_port.ts";
import { formatAddress } from "../../core/net/ip_address.ts";
import { formatKey } from "../../core/net/peer_key.ts";
import type { Now } from "../../core/net/clock.ts";
import type { JoinReply, WaitingJoin } from "../../core/registry/join_desk.ts";
import type { Registry } from "../../core/registry/registry.ts";
import { explain } from "../../host/error.ts";
import { LineLimit, type Log } from "../log/log.ts";
import type { Store } from "../store/store.ts";
import type { SendThrough } from "./push_feed.ts";

const LINES_PER_SECOND = 50;

/** Sends what is said to joins. */
export class JoinAnswers {
  readonly #registry: Registry;
  readonly #store: Store;
  readonly #log: Log;
  readonly #tick: () => Now;
  readonly #send: SendThrough;
  readonly #limit = new LineLimit(LINES_PER_SECOND, 1);

  /** @param tick The clocks. */
  constructor(registry: Registry, store: Store, log: Log, tick: () => Now, send: SendThrough) {
    this.#registry = registry;
    this.#store = store;
    this.#log = log;
    this.#tick = tick;
    this.#send = send;
  }

  /** Answers those that wait, if there are any. */
  look(): void {
    const joins = this.#registry.gate?.fetchJoins() ?? [];
    if (joins.length > 0) void this.#answer(joins);
  }

  /** Answers all of them, after one write. */
  async #answer(joins: readonly WaitingJoin[]): Promise<void> {
    // It never fails: where nothing can be written, the store says so, and they are told to try again.
    await this.#store.save();
    const { isSaved } = this.#store;
    for (const join of joins) {
      try {
        this.#tell(join, isSaved);
      } catch (error) {
        // The others are told, whatever is wrong with this one; it asks again.
        this.#log.write("error", "join-not-answered", {
          group: join.group,
          "public-key": formatKey(join.key),
          why: explain(error),
        });
      }
    }
  }

  #tell(join: WaitingJoin, isSaved: boolean): void {
    const now = this.#tick();
    const reply = this.#registry.gate?.answerJoin(join, isSaved, now);
    if (reply === undefined) return;
    const { socket, source, port } = join;
    const to: HostPort = { host: formatAddress(source, 0), port };
    if (this.#limit.take(now.mono) !== undefined) this.#note(join, reply, isSaved, to.host);
    this.#send(socket, reply.bytes, to);
  }

  /** Says what was told: meanwhile, who had joined may have been taken away. */
  #note(
    { outcome, group, key }: WaitingJoin,
    { result }: JoinReply,
    isSaved: boolean,
    from: string,
  ): void {
    const common = { group, "public-key": formatKey(key), from };
    const isUnsaved = outcome.result === "joined" && !isSaved;
    if (result !== "joined" && !isUnsaved) {
      this.#log.write("info", "join-refused", { ...common, why: result });
    } else if (isUnsaved) {
      this.#log.write("warn", "join-refused", { ...common, why: "not-saved" });
    } else if (outcome.result === "joined" && outcome.isNew) {
      this.#log.write("info", "peer-joined", { ...common, name: outcome.entry.name });
    }
  }
}
