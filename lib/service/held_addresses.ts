/**
 * A note of the addresses that a lease has put on an interface, so that the next run asks for the
 * same ones, and takes off what it doesn't get.
 *
 * @module
 */

import type { Host } from "../host/host.ts";

const FOLDER = "/var/run/wgsig";
const MODE = 0o600;
const MAX_NOTE = 256;

/** The note of one interface. It goes with a reboot, as the addresses do. */
export class HeldAddresses {
  readonly #host: Host;
  readonly #path: string;

  /** @param name Of the interface. */
  constructor(host: Host, name: string) {
    this.#host = host;
    this.#path = `${FOLDER}/${name}.lease`;
  }

  /** The addresses, none where there is no note. */
  async read(): Promise<string[]> {
    try {
      const { bytes } = await this.#host.readFile(this.#path, MAX_NOTE);
      return new TextDecoder().decode(bytes).split("\n").filter((line) => line !== "");
    } catch {
      return [];
    }
  }

  /** Notes them; without any, there is no note. */
  async write(addresses: readonly string[]): Promise<void> {
    if (addresses.length === 0) {
      await this.#host.removeFile(this.#path).catch(() => {});
      return;
    }
    await this.#host.makeFolder(FOLDER);
    const text = addresses.map((address) => `${address}\n`).join("");
    await this.#host.writeFile(this.#path, new TextEncoder().encode(text), { mode: MODE });
  }
}
