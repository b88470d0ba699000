/**
 * DNS questions on their way: how many at once, under which ID, when they are asked again, when they
 * are given up.
 *
 * @module
 */

import { encodeQuestion, type QuestionType } from "../../wire/dns/message.ts";
import type { RandomSource } from "../net/random.ts";

/** How a question travels. */
export type Transport = "udp" | "tcp";

/** How long an answer over UDP is waited for after each attempt, in seconds; the last repeats. */
const WAITS = [0.5, 1, 2, 4] as const;
const LAST_WAIT = 4;
/**
 * From this attempt on, no OPT is sent: some firewalls drop messages with one, and wgsd can't answer
 * them where a peer has many AllowedIPs.
 */
const PLAIN_ATTEMPT = 2;
/** After so many attempts without an answer a question is given up. */
const MAX_ATTEMPTS = 8;
/** And after so many connections that were lost before they brought anything. */
const MAX_CONNECTIONS = 4;
/** How often an ID is drawn before the next free one is taken. */
const MAX_DRAWS = 16;

/** What to ask. */
export interface Question<Purpose> {
  /** A name for which `isDnsName` holds. */
  readonly name: string;
  /** The type that is asked for. */
  readonly type: QuestionType;
  /** How it is to travel. */
  readonly transport: Transport;
  /** Whether it must be asked without an OPT. */
  readonly isPlain?: boolean;
  /** What the answer is for. */
  readonly purpose: Purpose;
}

/** A question to send now. */
export interface DueQuestion {
  /** The message, under the same ID at each attempt. */
  readonly bytes: Uint8Array;
  /** How it is to travel. */
  readonly transport: Transport;
  /** How often it was sent before. */
  readonly attempt: number;
}

interface Outstanding<Purpose> {
  readonly question: Question<Purpose>;
  readonly id: number;
  bytes: Uint8Array;
  attempts: number;
  /** When it is sent (again), in seconds; Infinity where a connection has it. */
  dueAt: number;
  /** Whether something came in the place of an answer that may be true. */
  isDoubted: boolean;
}

/** What is to be done. */
export interface Due<Purpose> {
  readonly send: DueQuestion[];
  /** What isn't waited for any more. */
  readonly givenUp: Question<Purpose>[];
  /** Whether {@linkcode QuestionQueue.doubt} was called for one that is given up. */
  readonly isDoubted: boolean;
}

/** Limits of a queue. */
export interface QuestionQueueOptions {
  /** IDs are drawn from here: nobody must guess them. */
  readonly random: RandomSource;
  /** The most questions on their way at once, 1 to 1024. */
  readonly maxOutstanding: number;
  /** The most questions in all. */
  readonly maxQuestions: number;
}

/** Questions that wait, and those that are on their way. Times are the caller's, in seconds. */
export class QuestionQueue<Purpose> {
  readonly #options: QuestionQueueOptions;
  readonly #draw = new Uint8Array(2);
  readonly #outstanding = new Map<number, Outstanding<Purpose>>();
  /** Those before `#next` are on their way or done. */
  #waiting: Question<Purpose>[] = [];
  #next = 0;
  #asked = 0;
  /** Whether the connection that there is has brought an answer. */
  #hasAnswered = false;
  /** Whether questions have an OPT, which says how long an answer over UDP may be. */
  edns = true;

  /** An empty queue. */
  constructor(options: QuestionQueueOptions) {
    this.#options = options;
  }

  /** Whether nothing waits and nothing is on its way. */
  get isEmpty(): boolean {
    return this.#outstanding.size === 0 && this.#next === this.#waiting.length;
  }

  /** Whether a question is on its way over TCP, or shall be. */
  get needsTcp(): boolean {
    for (const { question } of this.#outstanding.values()) {
      if (question.transport === "tcp") return true;
    }
    return false;
  }

  /** When {@linkcode due} has something next; Infinity where only answers can bring more. */
  get nextAt(): number {
    let next = Infinity;
    for (const { dueAt } of this.#outstanding.values()) next = Math.min(next, dueAt);
    return this.#hasRoom && this.#next < this.#waiting.length ? -Infinity : next;
  }

  get #hasRoom(): boolean {
    return this.#outstanding.size < this.#options.maxOutstanding;
  }

  /**
   * Adds a question. Where there is room it goes out before those that wait.
   *
   * @returns Whether it will be asked: not where there were too many already.
   */
  ask(question: Question<Purpose>): boolean {
    if (this.#asked >= this.#options.maxQuestions) return false;
    this.#asked++;
    if (this.#hasRoom) this.#start(question);
    else this.#waiting.push(question);
    return true;
  }

  #start(question: Question<Purpose>): void {
    const id = this.#newId();
    const bytes = this.#encode(question, id, this.edns && question.isPlain !== true);
    this.#outstanding.set(id, {
      question,
      id,
      bytes,
      attempts: 0,
      dueAt: -Infinity,
      isDoubted: false,
    });
  }

  #encode({ name, type }: Question<Purpose>, id: number, edns: boolean): Uint8Array {
    return encodeQuestion({ id, name, type, edns });
  }

  #newId(): number {
    let id = 0;
    for (let i = 0; i < MAX_DRAWS; i++) {
      this.#options.random(this.#draw);
      id = (this.#draw[0]! << 8) | this.#draw[1]!;
      if (!this.#outstanding.has(id)) return id;
    }
    while (this.#outstanding.has(id)) id = (id + 1) & 0xffff;
    return id;
  }

  /**
   * What is to be sent now, and which questions are given up.
   *
   * @param patience How often what is doubted is asked over UDP; as often as all else where this is
   *   left out.
   */
  due(now: number, patience = MAX_ATTEMPTS): Due<Purpose> {
    const givenUp: Question<Purpose>[] = [];
    let anyDoubted = false;
    for (const [id, { question, attempts, dueAt, isDoubted }] of this.#outstanding) {
      const most = maxAttempts(question.transport);
      if (dueAt > now || attempts < (isDoubted ? Math.min(patience, most) : most)) continue;
      this.#outstanding.delete(id);
      givenUp.push(question);
      anyDoubted ||= isDoubted;
    }
    while (this.#hasRoom && this.#next < this.#waiting.length) {
      this.#start(this.#waiting[this.#next++]!);
    }
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    }
    const send: DueQuestion[] = [];
    for (const each of this.#outstanding.values()) {
      if (each.dueAt > now) continue;
      const { id, question, question: { transport }, attempts } = each;
      if (transport === "udp" && attempts === PLAIN_ATTEMPT) {
        each.bytes = this.#encode(question, id, false);
      }
      send.push({ bytes: each.bytes, transport, attempt: attempts });
      each.dueAt = transport === "udp" ? now + (WAITS[attempts] ?? LAST_WAIT) : Infinity;
      each.attempts++;
    }
    return { send, givenUp, isDoubted: anyDoubted };
  }

  /** The question that has this ID and was sent over this transport. */
  find(id: number, transport: Transport): Question<Purpose> | undefined {
    const outstanding = this.#outstanding.get(id);
    if (outstanding === undefined || outstanding.attempts === 0) return undefined;
    return outstanding.question.transport === transport ? outstanding.question : undefined;
  }

  /** The question with this ID is to be sent once more at once; that counts as an attempt. */
  again(id: number): void {
    const outstanding = this.#outstanding.get(id);
    if (outstanding !== undefined) outstanding.dueAt = -Infinity;
  }

  /**
   * What came for the question with this ID can't be believed, and may be all that will come: it is
   * given up sooner than others.
   */
  doubt(id: number): void {
    const outstanding = this.#outstanding.get(id);
    if (outstanding !== undefined) outstanding.isDoubted = true;
  }

  /** Gives everything up. */
  abandon(): void {
    this.#outstanding.clear();
    this.#waiting = [];
    this.#next = 0;
  }

  /** The question with this ID is answered. */
  settle(id: number): void {
    if (this.#outstanding.get(id)?.question.transport === "tcp") this.#hasAnswered = true;
    this.#outstanding.delete(id);
  }

  /**
   * The connection is lost, or could not be made: what was asked over it is asked again. At once
   * where it had brought an answer (a server may close when it likes, RFC 7766, section 6.2.3), else
   * after a while, and not for ever.
   */
  loseConnection(now: number): void {
    for (const each of this.#outstanding.values()) {
      if (each.question.transport !== "tcp" || each.dueAt !== Infinity) continue;
      if (this.#hasAnswered) each.attempts = 0;
      each.dueAt = this.#hasAnswered
        ? now
        : now + (WAITS[Math.max(each.attempts - 1, 0)] ?? LAST_WAIT);
    }
    this.#hasAnswered = false;
  }
}

function maxAttempts(transport: Transport): number {
  return transport === "udp" ? MAX_ATTEMPTS : MAX_CONNECTIONS;
}
