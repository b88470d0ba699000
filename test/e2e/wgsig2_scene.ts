/**
 * Registries of wgsig 2 for the binary to ask: what a scripted one says, over a socket.
 *
 * @module
 */

import { type Script, ScriptedRegistry } from "../support/scripted_registry.ts";
import { isWgsig2, randomBytes, UdpEnd } from "./scene.ts";

/** A registry, and a socket for each family that it has. */
export class Wgsig2Server implements AsyncDisposable {
  readonly registry: ScriptedRegistry;
  readonly #ends: readonly UdpEnd[];
  readonly #pumps: readonly Promise<void>[];
  /** Whether it hears what comes. */
  hears: (bytes: Uint8Array) => boolean = () => true;
  #isClosed = false;

  constructor(secret: Uint8Array, script: Script = {}, hosts: readonly string[] = ["127.0.0.1"]) {
    const random = (bytes: Uint8Array) => bytes.set(randomBytes(bytes.length));
    this.registry = new ScriptedRegistry(random, { secret, ...script });
    const [first] = hosts;
    const end = new UdpEnd(first);
    this.#ends = [end, ...hosts.slice(1).map((host) => new UdpEnd(host, end.port))];
    this.#pumps = this.#ends.map((each) => this.#serve(each));
  }

  get port(): number {
    return this.#ends[0]!.port;
  }

  /** As users write it. */
  get endpoint(): string {
    return this.#ends[0]!.endpoint;
  }

  async #serve(end: UdpEnd): Promise<void> {
    while (!this.#isClosed) {
      const datagram = await end.next(0.1).catch(() => undefined);
      if (datagram === undefined || !isWgsig2(datagram.bytes) || !this.hears(datagram.bytes)) {
        continue;
      }
      const answers = this.registry.answer(datagram.bytes, Date.now() / 1000, datagram);
      await end.reply(datagram, ...answers);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#pumps);
    for (const end of this.#ends) await end.close();
  }
}
