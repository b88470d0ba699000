/**
 * One connection of a lease client: what is asked for in its name, and how long it may stay.
 *
 * The caller hands over what comes in, does what {@linkcode LeaseConnection.next} says until that is
 * nothing, and says what came of it.
 *
 * @module
 */

import type { LeaseVisitor } from "./request.ts";
import type { LeaseAnswer } from "./session.ts";

/** So long a client may be connected without a whole request, in seconds. */
const FIRST_REQUEST = 30;
/** A connection is closed so long after the lease that it brought has ended, in seconds. */
const IDLE_AFTER = 60;
/**
 * The same after a refusal: the C client keeps that connection for ever, and ends when it asks again
 * 30 s later, because its own port is taken. Only a reset frees that.
 */
const IDLE_REFUSED = 20;
/** So long a client may take to close its side, in seconds. */
const CLOSING = 5;
/** Replies that a client doesn't take, in bytes. */
const MAX_WAITING = 1_048_576;

/** What to do with a connection. */
export type ConnectionStep =
  /** Find out the answer; `answered` is called with it. No bytes: only whether anybody is known. */
  | { readonly kind: "ask"; readonly bytes: Uint8Array }
  /** Send these; `sent` is called then. */
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** Take in nothing more. */
  | { readonly kind: "pause" }
  /** Take in more: else the end of the other side is not noticed. */
  | { readonly kind: "resume" }
  /** Call `late` after so many seconds, instead of what was said before. */
  | { readonly kind: "allow"; readonly seconds: number }
  /** It was answered, and asks nothing now. */
  | { readonly kind: "silent" }
  /** Close this side's way. */
  | { readonly kind: "end" }
  | { readonly kind: "abort" };

const PAUSE: ConnectionStep = { kind: "pause" };
const RESUME: ConnectionStep = { kind: "resume" };
const SILENT: ConnectionStep = { kind: "silent" };
const END: ConnectionStep = { kind: "end" };
const ABORT: ConnectionStep = { kind: "abort" };
const NOTHING = new Uint8Array(0);

/** One connection. */
export class LeaseConnection {
  /** Whose it is. */
  readonly visitor: LeaseVisitor;
  readonly #leaseTime: () => number;
  #steps: ConnectionStep[] = [{ kind: "allow", seconds: FIRST_REQUEST }];
  /** What came in and is to be done in order; undefined is the end of the other side. */
  #todo: (Uint8Array | undefined)[] = [NOTHING];
  /** What was asked and not answered yet. */
  #asked: Uint8Array | undefined;
  #answer: LeaseAnswer | undefined;
  #isAnswered = false;
  #isClosing = false;
  #isOver = false;

  /** @param address The other end's. @param leaseTime How long an address is leased, in seconds. */
  constructor(address: string, leaseTime: () => number) {
    this.visitor = { address, known: undefined };
    this.#leaseTime = leaseTime;
  }

  /** What to do, or undefined where that is nothing until something happens. */
  next(): ConnectionStep | undefined {
    while (this.#steps.length === 0 && !this.#isBusy && this.#todo.length > 0) {
      const bytes = this.#todo.shift();
      if (bytes === undefined) {
        this.#allow(CLOSING);
        return END;
      }
      // What comes after something wrong is not answered.
      if (this.#isClosing) continue;
      this.#asked = bytes;
      return { kind: "ask", bytes };
    }
    return this.#steps.shift();
  }

  /** Takes bytes as they came. They are the caller's again when it returns. */
  received(bytes: Uint8Array): void {
    if (this.#isClosing || this.#isOver) return;
    this.#todo.push(bytes.slice());
    this.#steps.push(PAUSE);
  }

  /** Says that the other side has sent all that it will. */
  ended(): void {
    if (!this.#isOver) this.#todo.push(undefined);
  }

  /** Says that it is over. */
  closed(): void {
    this.#isOver = true;
    this.#steps = [];
    this.#todo = [];
  }

  /** Says that what was allowed is over. */
  late(): void {
    this.#abort();
  }

  /** Says what the answer is; undefined where there is none to be had. */
  answered(answer: LeaseAnswer | undefined): void {
    const asked = this.#asked;
    this.#asked = undefined;
    if (this.#isOver || asked === undefined) return;
    if (answer === undefined) return this.#abort();
    if (asked.length === 0) return;
    this.#answer = answer;
    this.#steps.push({ kind: "send", bytes: answer.bytes });
  }

  /** Says that an answer was sent. @param waiting Bytes that the system has not taken yet. */
  sent(waiting: number): void {
    const answer = this.#answer;
    this.#answer = undefined;
    if (this.#isOver || answer === undefined) return;
    if (waiting > MAX_WAITING) return this.#abort();
    if (answer.close) {
      this.#isClosing = true;
      this.#steps.push(END);
      this.#allow(CLOSING);
    } else if (answer.bytes.length > 0) {
      this.#isAnswered = true;
      this.#steps.push(SILENT);
    }
    if (this.#isAnswered && !this.#isClosing) {
      this.#allow(answer.refused ? IDLE_REFUSED : this.#leaseTime() + IDLE_AFTER);
    }
    this.#steps.push(RESUME);
  }

  /** Whether an answer is on its way: what comes in has to wait for that. */
  get #isBusy(): boolean {
    return this.#asked !== undefined || this.#answer !== undefined;
  }

  #allow(seconds: number): void {
    this.#steps.push({ kind: "allow", seconds });
  }

  #abort(): void {
    if (!this.#isOver) this.#steps = [ABORT];
    this.#todo = [];
  }
}
