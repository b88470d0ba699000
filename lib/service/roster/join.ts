/**
 * Asks a registry to take this peer in: sockets and timers around {@linkcode JoinQuestion}.
 *
 * @module
 */

import { ServerAddresses } from "../../core/ask/server_addresses.ts";
import { type DatagramBatch, SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import { type Family, familyOf, type HostPort } from "../../core/net/host_port.ts";
import type { JoinOutcome, JoinQuestion } from "../../core/roster/client/join_question.ts";
import type { Clock } from "../../host/clock.ts";
import { errorCode } from "../../host/error.ts";
import type { Names } from "../../host/names.ts";
import type { Udp, UdpSocket } from "../../host/udp.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { JOIN_SIZE } from "../../wire/wgsig2/join.ts";
import { findServers } from "../ask/server_addresses.ts";

/** What came of asking. */
export interface JoinAnswer {
  /** Undefined where nobody has answered. */
  readonly outcome: JoinOutcome | undefined;
  /** The codes of what the system said. */
  readonly problems: ReadonlySet<string>;
}

/**
 * Asks, until there is an answer or the time is over.
 *
 * @param timeout In seconds.
 * @throws {UserError} If the server's name isn't found.
 */
export async function askToJoin(
  host: Clock & Names & Udp,
  question: JoinQuestion,
  server: HostPort,
  timeout: number,
): Promise<JoinAnswer> {
  const name = { scheme: "wgsig" as const, ...server };
  const found = await findServers(host, [name], timeout, 0);
  const addresses = new ServerAddresses(found.get(name) ?? [], server.port);
  const asking = new Asking(host, question, addresses, host.now().mono + timeout);
  try {
    await asking.open();
    await asking.run();
  } finally {
    asking.close();
  }
  return { outcome: question.outcome, problems: asking.problems };
}

class Asking {
  readonly problems = new Set<string>();
  readonly #host: Clock & Udp;
  readonly #question: JoinQuestion;
  readonly #addresses: ServerAddresses;
  readonly #endsAt: number;
  readonly #sockets = new Map<Family, UdpSocket>();
  readonly #buffer = new WireBuffer(JOIN_SIZE);
  #attempt = 0;
  #turn: () => void = () => {};

  constructor(
    host: Clock & Udp,
    question: JoinQuestion,
    addresses: ServerAddresses,
    endsAt: number,
  ) {
    this.#host = host;
    this.#question = question;
    this.#addresses = addresses;
    this.#endsAt = endsAt;
  }

  /** A family that this host doesn't have doesn't stop the other. */
  async open(): Promise<void> {
    for (const family of this.#addresses.families) {
      try {
        const socket = await this.#host.udp({
          address: family === 4 ? "0.0.0.0" : "::",
          port: 0,
          onBatch: (batch) => this.#receive(batch),
          onSendError: (code) => void this.problems.add(code),
        });
        this.#sockets.set(family, socket);
      } catch (error) {
        this.problems.add(errorCode(error));
      }
    }
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
  }

  run(): Promise<void> {
    return new Promise((done) => {
      let cancel = () => {};
      this.#turn = () => {
        cancel();
        const now = this.#host.now();
        let step = this.#question.next(now);
        if (now.mono >= this.#endsAt || step.kind === "done") return done();
        if (step.kind === "ask") {
          this.#ask();
          step = this.#question.next(now);
        }
        const until = step.kind === "wait" ? Math.min(step.until, this.#endsAt) : this.#endsAt;
        cancel = this.#host.after(Math.max(0, until - now.mono), this.#turn);
      };
      this.#turn();
    });
  }

  /** All addresses are asked, the next first: one may lead nowhere. */
  #ask(): void {
    const { all } = this.#addresses;
    const size = this.#question.write(this.#buffer, this.#host.now());
    const bytes = this.#buffer.bytes.subarray(0, size);
    // The same question at all of them is one to the registry.
    for (let i = 0; i < all.length; i++) {
      const to = all[(this.#attempt + i) % all.length]!;
      this.#sockets.get(familyOf(to))?.send(bytes, to);
    }
    this.#attempt++;
  }

  #receive(batch: DatagramBatch): void {
    const now = this.#host.now();
    for (let i = 0; i < batch.count; i++) {
      const length = batch.lengths[i]!;
      if (length <= SLOT_SIZE) this.#question.receive(batch.payloads, i * SLOT_SIZE, length, now);
    }
    this.#turn();
  }
}
