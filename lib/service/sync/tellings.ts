/**
 * What registries are told at once, beside the rounds in which they are asked.
 *
 * @module
 */

import { MAX_QUESTION_SIZE } from "../../core/ask/question_writer.ts";
import type { Inquiry } from "../../core/ask/inquiry.ts";
import type { HostPort } from "../../core/net/host_port.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { Clock } from "../../host/clock.ts";

/** So long an answer is awaited, in seconds. */
const WAIT = 1;

/** One registry that is told something. */
export interface Telling {
  readonly inquiry: Inquiry;
  /** Where to send now. */
  address(): HostPort;
}

/** Tells, until all have answered or a second is over. */
export class Tellings {
  readonly #clock: Clock;
  readonly #send: (bytes: Uint8Array, to: HostPort) => void;
  readonly #buffer = new WireBuffer(MAX_QUESTION_SIZE);
  /** What is done when something has come. */
  readonly #open = new Set<(isClosed: boolean) => void>();

  constructor(clock: Clock, send: (bytes: Uint8Array, to: HostPort) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** @returns Whether one has answered. */
  tell(all: readonly Telling[]): Promise<boolean> {
    const endsAt = this.#clock.now().mono + WAIT;
    return new Promise((done) => {
      let cancel = () => {};
      const turn = (isClosed: boolean) => {
        cancel();
        const now = this.#clock.now();
        const waits: number[] = [];
        for (const each of all) {
          const step = each.inquiry.next(now);
          if (step.kind === "done") continue;
          if (step.kind === "wait") {
            waits.push(step.until);
            continue;
          }
          const size = each.inquiry.write(this.#buffer, now);
          this.#send(this.#buffer.bytes.subarray(0, size), each.address());
          waits.push(endsAt);
        }
        if (isClosed || waits.length === 0 || now.mono >= endsAt) {
          this.#open.delete(turn);
          return done(all.some(({ inquiry }) => inquiry.isAnswered));
        }
        const seconds = Math.min(endsAt, ...waits) - now.mono;
        cancel = this.#clock.after(Math.max(0, seconds), () => turn(false));
      };
      this.#open.add(turn);
      turn(false);
    });
  }

  /** Something has come. */
  progress(): void {
    for (const turn of [...this.#open]) turn(false);
  }

  /** Waits no more. */
  close(): void {
    for (const turn of [...this.#open]) turn(true);
  }
}
