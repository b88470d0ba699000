/**
 * Drives a client's conversation with a registry, on a network that a test makes as bad as it likes.
 *
 * @module
 */

import {
  Conversation,
  type ConversationOptions,
  type Hearing,
} from "../../lib/core/ask/conversation.ts";
import { Inquiry } from "../../lib/core/ask/inquiry.ts";
import { Prover } from "../../lib/core/ask/prover.ts";
import type { Wish } from "../../lib/core/ask/question_writer.ts";
import type { Now } from "../../lib/core/net/clock.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { GroupKeys } from "../../lib/wire/wgsig2/keys.ts";
import { ODD_PLACE, placed } from "./bytes.ts";
import { SECRET, T0 } from "./registry_driver.ts";
import { peerText, type ScriptedRegistry } from "./scripted_registry.ts";
import { seededRandom } from "./seeded_random.ts";

/** The private key of the peer that asks. */
export const OWN_PRIVATE: Uint8Array = new Uint8Array(32).fill(0x0a);
/** Its public key. */
export const OWN_PUBLIC: Uint8Array = new ExchangeKey(OWN_PRIVATE, PORTABLE).publicKey.bytes;

/** Proves with {@linkcode OWN_PRIVATE}. */
export function ownProver(secret = SECRET): Prover {
  return new Prover(OWN_PRIVATE, secret, PORTABLE);
}

/** To ask for the whole group, and to register. */
export const REGISTERING: Wish = { family: 4, registers: true, asks: true };
/** To ask only. */
export const ASKING: Wish = { family: 4, registers: false, asks: true };

/** A client, and the time. */
export class ConversationDriver {
  readonly conversation: Conversation;
  /** The monotonic clock. */
  mono = 1000;
  /** What this host's clock shows more than is true. */
  ahead = 0;

  constructor(options: Partial<ConversationOptions> = {}, seed = 1) {
    const { group = 0 } = options;
    const keys = new GroupKeys(SECRET, group, PORTABLE);
    this.conversation = new Conversation(
      { id: OWN_PUBLIC, group, keys, ...options },
      seededRandom(seed),
    );
  }

  /** The true time. */
  get unix(): number {
    return T0 + this.mono - 1000;
  }

  get now(): Now {
    return { unix: this.unix + this.ahead, mono: this.mono };
  }

  /** What is known of peers, as the registry's texts have it. */
  get peers(): string[] {
    return [...this.conversation.directory.peers()].map(({ publicKey, candidates }) =>
      peerText(publicKey, candidates.map(({ kind, address, port }) => [kind, address, port]))
    ).sort();
  }

  inquire(wish: Wish = REGISTERING): Inquiry {
    return new Inquiry(this.conversation, wish, this.now);
  }

  /** The next question. */
  ask(inquiry: Inquiry): Uint8Array {
    const out = new WireBuffer(1232);
    return out.bytes.slice(0, inquiry.write(out, this.now));
  }

  hear(datagram: Uint8Array): Hearing {
    const buffer = placed(datagram, ODD_PLACE);
    return this.conversation.receive(buffer, ODD_PLACE.at, datagram.length, this.now);
  }

  /**
   * Asks a registry as the inquiry says, for at most so many questions.
   *
   * @param network What becomes of what the registry sends.
   * @returns How many questions there were.
   */
  run(
    inquiry: Inquiry,
    registry: ScriptedRegistry,
    network: (datagrams: Uint8Array[]) => Uint8Array[] = (datagrams) => datagrams,
    most = 40,
  ): number {
    for (let asked = 0;;) {
      const step = inquiry.next(this.now);
      if (step.kind === "done" || step.kind === "ask" && asked === most) return asked;
      if (step.kind === "wait") {
        this.mono = step.until;
        continue;
      }
      asked++;
      const question = this.ask(inquiry);
      this.mono += 0.01;
      for (const datagram of network(registry.answer(question, this.unix))) this.hear(datagram);
    }
  }
}
