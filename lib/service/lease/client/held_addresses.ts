/**
 * A note of what a lease has put on an interface, so that the next run asks for the same addresses,
 * and takes off what it doesn't get.
 *
 * @module
 */

import { parseLeasePrefix } from "../../../core/lease/address.ts";
import type { Files } from "../../../host/files.ts";
import { makeFolder } from "../../files/files.ts";
import { RUN_FOLDER } from "../../files/own_folders.ts";

const MODE = 0o600;
const MAX_NOTE = 16_384;
const ROUTE = "route ";

/** Addresses and routes, as prefixes. */
export interface HeldPrefixes {
  readonly addresses: readonly string[];
  readonly routes: readonly string[];
}

/** The note of one interface. It goes with a reboot, as the addresses do. */
export class HeldAddresses {
  readonly #host: Files;
  readonly #path: string;

  /** @param name Of the interface. */
  constructor(host: Files, name: string) {
    this.#host = host;
    this.#path = `${RUN_FOLDER}/${name}.lease`;
  }

  /** What is noted; nothing where there is no note. What is no prefix is passed over. */
  async read(): Promise<HeldPrefixes> {
    const addresses: string[] = [];
    const routes: string[] = [];
    try {
      const { bytes } = await this.#host.readFile(this.#path, MAX_NOTE, { regular: true });
      for (const line of new TextDecoder().decode(bytes).split("\n")) {
        const isRoute = line.startsWith(ROUTE);
        const prefix = isRoute ? line.slice(ROUTE.length) : line;
        if (isPrefix(prefix)) (isRoute ? routes : addresses).push(prefix);
      }
    } catch {
      // Nothing is held then.
    }
    return { addresses, routes };
  }

  /** Notes it; where nothing is held, there is no note. */
  async write({ addresses, routes }: HeldPrefixes): Promise<void> {
    const lines = [...addresses, ...routes.map((route) => ROUTE + route)];
    if (lines.length === 0) {
      await this.#host.removeFile(this.#path).catch(() => {});
      return;
    }
    await makeFolder(this.#host, RUN_FOLDER);
    const text = lines.map((line) => `${line}\n`).join("");
    await this.#host.writeFile(this.#path, new TextEncoder().encode(text), { mode: MODE });
  }
}

function isPrefix(text: string): boolean {
  try {
    return parseLeasePrefix(text).length > 0;
  } catch {
    return false;
  }
}
