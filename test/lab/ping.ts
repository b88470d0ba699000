/**
 * A ping that goes on, and says when answers come.
 *
 * @module
 */

import type { Running } from "../support/program.ts";
import type { Namespace } from "./namespace.ts";

const REPLY = /bytes from/;
const INTERVAL = 0.1;

/** What a ping that has ended counted. */
export interface PingCount {
  readonly sent: number;
  /** The numbers of those that no answer came to. The last one sent may have had no time for it. */
  readonly unanswered: readonly number[];
}

/** A ping from a namespace to an address. */
export class Ping {
  readonly #program: Running;

  /** @param count How many packets, where it is to end by itself. */
  constructor(namespace: Namespace, address: string, interval = INTERVAL, count?: number) {
    const times = count === undefined ? [] : ["-c", `${count}`];
    this.#program = namespace.start(["ping", "-n", "-i", `${interval}`, ...times, address]);
  }

  /** Waits for the next answer, and returns how long that took, in whole milliseconds. */
  async reply(seconds: number): Promise<number> {
    const start = performance.now();
    await this.#program.printed(REPLY, seconds, this.#program.out.length);
    return Math.round(performance.now() - start);
  }

  /** Whether an answer comes in time. */
  async answers(seconds: number): Promise<boolean> {
    return await this.reply(seconds).then(() => true, () => false);
  }

  /** Whether there was an answer at all. */
  get wasAnswered(): boolean {
    return REPLY.test(this.#program.out);
  }

  /** Waits until it has ended by itself. */
  async count(seconds: number): Promise<PingCount> {
    const [, text] = await this.#program.printed(/(\d+) packets transmitted/, seconds);
    await this.#program.ended();
    const sent = Number(text);
    const answered = new Set(
      Array.from(this.#program.out.matchAll(/bytes from.* icmp_seq=(\d+)/g), ([, n]) => Number(n)),
    );
    const numbers = Array.from({ length: sent - 1 }, (_, i) => i + 1);
    return { sent, unanswered: numbers.filter((n) => !answered.has(n)) };
  }

  /** Ends it. */
  async stop(): Promise<void> {
    await this.#program.stop("SIGINT");
  }
}
