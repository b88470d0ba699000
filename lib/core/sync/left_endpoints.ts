/**
 * Host routes to endpoints that peers have left: such a route sends a peer's traffic astray when it
 * comes back.
 *
 * @module
 */

import type { Device } from "../net/device.ts";

/** Notices where peers have been. */
export class LeftEndpoints {
  /** The hosts of the peers' endpoints at the last look. */
  #hosts = new Set<string>();

  /** Looks where the peers are now. @returns The addresses that they have left since. */
  look({ peers }: Device): readonly string[] {
    const hosts = new Set(peers.flatMap(({ endpoint }) => endpoint?.host ?? []));
    const left = [...this.#hosts].filter((host) => !hosts.has(host));
    this.#hosts = hosts;
    return left;
  }
}
