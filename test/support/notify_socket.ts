/**
 * The socket that systemd listens on for what services tell of themselves. See sd_notify(3).
 *
 * @module
 */

import { assert } from "@std/assert";
import { denoLibc } from "../../lib/host/linux/libc_deno.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const PATIENCE_MS = 10_000;
const POLL_MS = 10;
// It stays open: opened within a test, it would count as what that test has left.
const libc = denoLibc();

/** A unix socket that takes datagrams. */
export class NotifySocket implements Disposable {
  readonly #fd: number;

  /** @param name A path, or `@` and an abstract name. */
  constructor(readonly name: string) {
    this.#fd = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
    const path = new TextEncoder().encode(name.startsWith("@") ? `\0${name.slice(1)}` : name);
    const address = new Uint8Array(2 + path.length);
    address[0] = AF_UNIX;
    address.set(path, 2);
    assert(this.#fd >= 0 && libc.bind(this.#fd, address, address.length) === 0, name);
  }

  /** A datagram that has come, or undefined. */
  take(): string | undefined {
    const bytes = new Uint8Array(4096);
    const size = libc.recv(this.#fd, bytes, bytes.length, MSG_DONTWAIT);
    return size < 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, size));
  }

  /** The next one. */
  async next(): Promise<string> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      const text = this.take();
      if (text !== undefined) return text;
      assert(performance.now() < end, `nothing came to ${this.name}`);
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
  }
}
