/**
 * A client of wgsig 2 on a socket, for the tests of the built registry.
 *
 * @module
 */

import { assert } from "@std/assert";
import {
  type Asking,
  privateKeyOf,
  QuestionClient,
  type QuestionClientOptions,
} from "../support/question_driver.ts";
import type { Scene, UdpEnd } from "./scene.ts";

/** What is not as with most clients. */
export interface AskerOptions extends Partial<QuestionClientOptions> {
  /** The address that it asks from. */
  readonly host?: string;
  /** The port. */
  readonly port?: number;
}

/** A client with a socket of its own. */
export class Asker {
  readonly client: QuestionClient;
  readonly end: UdpEnd;

  /** What it has sent. */
  readonly sent: Uint8Array[] = [];

  /** @param number Of its private key. */
  constructor(scene: Scene, number: number, options: AskerOptions = {}) {
    const { host, port, ...more } = options;
    const random = (bytes: Uint8Array) => void crypto.getRandomValues(bytes);
    const privateKey = privateKeyOf(number);
    this.client = new QuestionClient({ secret: scene.secret, privateKey, random, ...more });
    this.end = scene.end(host, port);
  }

  /**
   * Asks, as often as it is told to, and returns the flags of the answer.
   *
   * @param end Where from, if it isn't the own socket.
   */
  async ask(port: number, asking: Asking = {}, end: UdpEnd = this.end): Promise<number> {
    const heard = await this.client.converseOver({
      send: async (datagram) => {
        this.sent.push(datagram);
        await end.send(datagram, port);
      },
      next: async () => (await end.next()).bytes,
    }, asking);
    assert(heard.kind === "answer", JSON.stringify(heard));
    return heard.flags;
  }
}
