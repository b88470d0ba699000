/**
 * TSIG (RFC 8945) as a client needs it: questions are signed, at each attempt with the time of that
 * attempt, and answers count where they are signed with the same key for one of these.
 *
 * ```
 *   question ──signed──► server          not signed, another MAC, BADKEY, BADSIG: dropped, and
 *            ◄──signed── answer          remembered; whoever is on the way could send that
 *            ◄──signed── BADTIME         its time is taken: the question goes out once more
 * ```
 *
 * What isn't signed never ends a question, and is only said when nothing better has come. Where
 * nothing that is signed ever came, the question is given up after two attempts (`ZoneExchange`).
 *
 * @module
 */

import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { MAC_SIZE } from "../../../wire/crypto/mac.ts";
import {
  checkMessage,
  signMessage,
  TSIG_FUDGE,
  type TsigKey,
  tsigSize,
} from "../../../wire/dns/tsig.ts";
import {
  isInTime,
  newTsigFields,
  readServerTime,
  readTsig,
  TSIG_ERROR,
} from "../../../wire/dns/tsig_record.ts";
import type { DueQuestion } from "../../dns/question_queue.ts";

/** With which key, and when. */
export interface TsigDialogOptions {
  /** The key that the server has as well. */
  readonly key: TsigKey;
  /** What makes Unix seconds of the seconds of the steady clock, by adding it. */
  readonly epoch: number;
  /** By how many seconds the server's clock was ahead when it was asked last; 0 where it isn't known. */
  readonly clockAhead?: number | undefined;
}

/** What became of an answer: it is signed, the question is to be asked again, or it is dropped. */
export type TsigReceipt =
  | "signed"
  | "again"
  /** It has no TSIG, or one that isn't whole. */
  | "drop-not-signed"
  /** It says that something is wrong with the question's TSIG, and nobody has signed that. */
  | "drop-tsig-refused"
  /** It is signed with another key, or for another question. */
  | "drop-wrong-mac"
  /** It is signed, and the times of question and answer are too far from each other. */
  | "drop-out-of-time";

/** Why answers don't count; a number is an error of TSIG without a name here. */
export type TsigFault = "unsigned" | "wrong-mac" | "badtime" | "badsig" | "badkey" | number;

/** Clocks that differ by so many seconds at most don't need to be told apart. */
const NEAR = TSIG_FUDGE / 2;
/** What says less comes first. */
const RANKS: readonly TsigFault[] = ["unsigned", "wrong-mac", "badtime", "badsig", "badkey"];

/** An attempt, as it was signed. */
interface Attempt {
  readonly mac: Uint8Array;
  /** Unix seconds: what stands in it, and what this host's clock said. */
  readonly time: number;
  readonly local: number;
}

/** The faults that a server names. */
const NAMED: ReadonlyMap<number, TsigFault> = new Map([
  [TSIG_ERROR.badsig, "badsig"],
  [TSIG_ERROR.badkey, "badkey"],
  [TSIG_ERROR.badtime, "badtime"],
]);

/** One server and one key. */
export class TsigDialog {
  readonly #options: TsigDialogOptions;
  readonly #fields = newTsigFields();
  /** By ID, the attempts of each question: an answer may be that to any of them. */
  readonly #attempts = new Map<number, Attempt[]>();
  #clockAhead: number;
  #fault: TsigFault | undefined;

  /** Has signed nothing yet. */
  constructor(options: TsigDialogOptions) {
    this.#options = options;
    this.#clockAhead = options.clockAhead ?? 0;
  }

  /** By how many seconds the server's clock is ahead of this host's, where it has refused the time. */
  get clockAhead(): number {
    return this.#clockAhead;
  }

  /** Why answers were dropped: the reason that says most. Undefined where none was. */
  get fault(): TsigFault | undefined {
    return this.#fault;
  }

  /** Signs a question as it is sent now. @param now Seconds of the steady clock. */
  sign(question: DueQuestion, now: number): DueQuestion {
    const { key, epoch } = this.#options;
    const { bytes, attempt } = question;
    const local = epoch + now;
    const time = Math.max(0, Math.floor(local + this.#clockAhead));
    const message = new WireBuffer(bytes.length + tsigSize(key));
    message.bytes.set(bytes);
    const length = signMessage(key, message, 0, bytes.length, time, TSIG_FUDGE);
    readTsig(message, 0, length, this.#fields);
    const id = message.view.getUint16(0);
    const before = attempt === 0 ? [] : this.#attempts.get(id) ?? [];
    this.#attempts.set(id, [...before, { mac: this.#fields.mac.slice(), time, local }]);
    return { ...question, bytes: message.bytes };
  }

  /** The question with this ID is answered. */
  forget(id: number): void {
    this.#attempts.delete(id);
  }

  /**
   * Looks at an answer, whose bytes are only lent.
   *
   * @param id That of the question, which is on its way.
   */
  check(id: number, bytes: Uint8Array): TsigReceipt {
    const { key } = this.#options;
    const fields = this.#fields;
    const message = new WireBuffer(bytes);
    if (readTsig(message, 0, bytes.length, fields) !== "tsig") {
      return this.#drop("drop-not-signed", "unsigned");
    }
    if (fields.macSize === 0 && fields.error !== TSIG_ERROR.none) {
      return this.#drop("drop-tsig-refused", NAMED.get(fields.error) ?? fields.error);
    }
    const attempts = this.#attempts.get(id) ?? [];
    // A MAC that is cut short is easier to guess, and nobody asks for one here.
    const isWhole = fields.macSize === MAC_SIZE && key.isNamedIn(fields);
    const answered = attempts.find(({ mac }) =>
      isWhole && checkMessage(key, message, 0, bytes.length, fields, mac)
    );
    if (answered === undefined) return this.#drop("drop-wrong-mac", "wrong-mac");
    if (fields.error === TSIG_ERROR.badtime) {
      const serverTime = readServerTime(message, fields);
      if (serverTime === undefined) return this.#drop("drop-out-of-time", "badtime");
      const ahead = serverTime - Math.floor(answered.local);
      // One that was off may have been set since.
      this.#clockAhead = Math.abs(ahead) > TSIG_FUDGE ? ahead : 0;
      this.#drop("drop-out-of-time", "badtime");
      // Later attempts have that time already, or will be refused as well.
      return answered === attempts.at(-1) ? "again" : "drop-out-of-time";
    }
    if (fields.error !== TSIG_ERROR.none) return this.#drop("drop-tsig-refused", fields.error);
    if (!isInTime(fields, answered.time)) return this.#drop("drop-out-of-time", "badtime");
    // The time is right by now.
    if (this.#fault === "badtime") this.#fault = undefined;
    if (Math.abs(fields.time - answered.local) <= NEAR) this.#clockAhead = 0;
    return "signed";
  }

  #drop(receipt: TsigReceipt, fault: TsigFault): TsigReceipt {
    if (this.#fault === undefined || rankOf(fault) > rankOf(this.#fault)) this.#fault = fault;
    return receipt;
  }
}

function rankOf(fault: TsigFault): number {
  return typeof fault === "number" ? RANKS.length : RANKS.indexOf(fault);
}
