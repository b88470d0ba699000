/**
 * Looks a name up: in the domains of the settings one after the other, and on after it has been
 * answered, because what comes too late is of use for the next look.
 *
 * The caller does what {@linkcode NameLookup.next} says, and tells what came. Once
 * {@linkcode NameLookup.isAnswered}, {@linkcode NameLookup.addresses} are the answer.
 *
 * @module
 */

import type { RandomSource } from "../net/random.ts";
import type { NameServerFault, NameServerFaults } from "./lookup_fault.ts";
import {
  ADDRESS_TYPES,
  type AddressType,
  type NameMessage,
  NameQuestion,
  type NameServerWay,
} from "./name_question.ts";

/** Addresses by type. */
export type AddressesByType = Readonly<Record<AddressType, readonly string[]>>;

/** What to look up, and how. */
export interface NameLookupOptions {
  /** The names that may be meant, in their order. */
  readonly names: readonly string[];
  /** The IP addresses of name servers, in their order. */
  readonly servers: readonly string[];
  /** The mark of a tunnel's own datagrams: what gets no answer without it is asked with it. 0: no. */
  readonly mark: number;
  /** How long a name is asked for, in seconds. */
  readonly patience: number;
  /** For the IDs of questions. */
  readonly random: RandomSource;
  /**
   * What was known at the end of the look before: what had come too late for it, too. It holds until
   * other addresses are found, also where all say that there is no such name: a portal, a zone that is
   * being moved, or a resolver of another network say so as well, and a server that is asked at an
   * address that it has left does no harm.
   */
  readonly before?: AddressesByType | undefined;
}

/** What to do next. */
export type NameLookupStep =
  | { readonly kind: "send"; readonly message: NameMessage }
  /** Nothing, until this time of the monotonic clock, or until something comes. */
  | { readonly kind: "wait"; readonly until: number }
  | { readonly kind: "end" };

/** One look. Times are seconds of the monotonic clock. */
export class NameLookup {
  readonly #options: NameLookupOptions;
  readonly #ways: readonly NameServerWay[];
  /** Those of the names that have been asked for, in their order. */
  readonly #questions: NameQuestion[] = [];
  #toSend: NameMessage[] = [];
  #isAnswered = false;

  /** Asks for nothing yet. */
  constructor(options: NameLookupOptions) {
    const { servers, mark } = options;
    this.#options = options;
    this.#ways = [0, ...(mark === 0 ? [] : [mark])].flatMap((mark) =>
      servers.map((server) => ({ server, mark }))
    );
  }

  /** Whether what is known is the answer. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** What is known by now, IPv4 first: a server's IPv4 endpoint is what is registered. */
  get addresses(): string[] {
    const { A, AAAA } = this.known;
    return [...A, ...AAAA];
  }

  /** The same by type: for the next look, too, where that learns nothing of a type. */
  get known(): AddressesByType {
    return { A: this.#knownOf("A"), AAAA: this.#knownOf("AAAA") };
  }

  /** What name servers did in the place of an answer: those that have none for any of the names. */
  get faults(): NameServerFaults {
    const faults = new Map<string, NameServerFault>();
    for (const server of this.#options.servers) {
      for (const question of this.#questions) {
        const fault = question.faultOf(server);
        if (fault !== undefined && !faults.has(server)) faults.set(server, fault);
      }
    }
    return faults;
  }

  #knownOf(type: AddressType): readonly string[] {
    const found = this.#found;
    if (found !== undefined) {
      const addresses = found.found(type);
      if (addresses.length > 0 || found.isSettled(type)) return addresses;
    }
    return this.#options.before?.[type] ?? [];
  }

  /** The first of the names that has an address. */
  get #found(): NameQuestion | undefined {
    return this.#questions.find((each) =>
      ADDRESS_TYPES.some((type) => each.found(type).length > 0)
    );
  }

  /** Says what to do. A message that it returns counts as sent. */
  next(now: number): NameLookupStep {
    for (;;) {
      const message = this.#toSend.shift();
      if (message !== undefined) return { kind: "send", message };
      const { names, patience, random } = this.#options;
      const found = this.#found;
      const awaited = found ?? this.#questions.at(-1);
      if (awaited === undefined || now >= awaited.readyAt) {
        const name = found === undefined ? names[this.#questions.length] : undefined;
        if (name === undefined) this.#isAnswered = true;
        else this.#questions.push(new NameQuestion(name, this.#ways, random, now + patience));
      }
      this.#toSend = this.#questions.flatMap((question) => question.due(now));
      const open = this.#questions.filter((each) => !each.isOver(now));
      if (this.#toSend.length > 0) continue;
      if (this.#isAnswered && open.length === 0) return { kind: "end" };
      const until = Math.min(...open.map((each) => each.nextAt(now)));
      if (until > now && open.length > 0) return { kind: "wait", until };
    }
  }

  /** Takes in what came from where a message went. */
  received(message: Omit<NameMessage, "bytes">, bytes: Uint8Array, now: number): void {
    for (const question of this.#questions) question.received(message, bytes, now);
  }

  /** Takes in that a message could not be sent, or that the connection for it is lost. */
  lost(message: Pick<NameMessage, "way" | "type">): void {
    for (const question of this.#questions) question.lost(message);
  }
}
