/**
 * What a registry is asked in the first protocol in a round of `sync`, again until it is answered.
 *
 * @module
 */

import type { Exchange } from "../ask/exchange.ts";
import type { LabelSequence } from "../ask/label_sequence.ts";
import type { Now } from "../net/clock.ts";
import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/** When a question is repeated, in seconds. */
const FIRST_RETRY = 0.5;
const LAST_RETRY = 4;
/** Between two questions at about the same time, in seconds. */
const LABELS_APART = 0.02;

/** A question that is due. */
export interface FirstQuestion {
  /** Whether through WireGuard's port. */
  readonly isOwn: boolean;
  /** Writes it at the start of `out`, at least 1232 bytes. @returns Its size. */
  write(out: WireBuffer, now: Now): number;
}

interface Repeated {
  readonly exchange: Exchange;
  readonly isOwn: boolean;
  dueAt: number;
  attempts: number;
}

/** The questions of one round. */
export class FirstQuestions {
  readonly #labels: LabelSequence;
  readonly #addresses: number;
  readonly #all: readonly Repeated[];

  /**
   * @param asked The question, which is due then; and the same through a port of our own.
   * @param addresses So many are asked in turn.
   */
  constructor(
    asked: {
      readonly exchange: Exchange | undefined;
      readonly beside: Exchange | undefined;
      readonly isOwn: boolean;
      readonly dueAt: number;
    },
    labels: LabelSequence,
    addresses: number,
  ) {
    const { exchange, beside, isOwn, dueAt } = asked;
    this.#labels = labels;
    this.#addresses = Math.max(1, addresses);
    const ownAt = beside === undefined ? dueAt : dueAt + LABELS_APART;
    this.#all = [
      ...exchange === undefined ? [] : [{ exchange, isOwn, dueAt: ownAt, attempts: 0 }],
      ...beside === undefined ? [] : [{ exchange: beside, isOwn: false, dueAt, attempts: 0 }],
    ];
  }

  /** Whether all are answered. */
  get areAnswered(): boolean {
    return this.#all.length > 0 && this.#all.every(({ exchange }) => exchange.isComplete);
  }

  /** One that is due. */
  due({ mono }: Now): FirstQuestion | undefined {
    const due = this.#open.find(({ dueAt }) => dueAt <= mono);
    return due && { isOwn: due.isOwn, write: (out, now) => this.#write(due, out, now) };
  }

  /** When one is due: the monotonic clock; Infinity where none is. */
  get until(): number {
    return Math.min(Infinity, ...this.#open.map(({ dueAt }) => dueAt));
  }

  /** Who was asked is not to be had at that address: another is asked at once. */
  moveOn({ mono }: Now): void {
    for (const each of this.#all) {
      const hasNext = each.attempts > 0 && each.attempts < this.#addresses;
      if (hasNext) each.dueAt = Math.min(each.dueAt, mono);
    }
  }

  get #open(): readonly Repeated[] {
    return this.#all.filter(({ exchange }) => !exchange.isComplete);
  }

  #write(repeated: Repeated, out: WireBuffer, { unix, mono }: Now): number {
    const doublings = Math.floor(repeated.attempts++ / this.#addresses);
    repeated.dueAt = mono + Math.min(FIRST_RETRY * 2 ** doublings, LAST_RETRY);
    return repeated.exchange.writeRequest(out, this.#labels.timeAt(unix));
  }
}
