/**
 * Offers the peers of a WireGuard interface of this host to a group: whoever has a tunnel to the
 * registry is registered by it, and needs nothing else.
 *
 * @module
 */

import type { Counters } from "../../core/net/counters.ts";
import { formatHostPort } from "../../core/net/host_port.ts";
import { parseIpv4 } from "../../core/net/ip_address.ts";
import { NONE } from "../../core/net/none.ts";
import { parseKey } from "../../core/net/peer_key.ts";
import type { RegistryObserver } from "../../core/registry/registry.ts";
import type { RegistryGroup } from "../../core/registry/group.ts";
import type { Clock } from "../../host/clock.ts";
import type { Processes } from "../../host/processes.ts";
import { labelOf } from "../../wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { readDevice } from "../../wireguard/device.ts";
import type { Log } from "../log/log.ts";

/** Reads interfaces, and tells the groups. */
export class TunnelFeed {
  readonly #host: Clock & Processes;
  readonly #log: Log;
  readonly #observer: RegistryObserver;
  readonly #counters: Counters;
  /** By interface and public key: where a peer was at the last look. */
  readonly #endpoints = new Map<string, string>();
  readonly #problems = new Map<string, string>();

  constructor(host: Clock & Processes, log: Log, observer: RegistryObserver, counters: Counters) {
    this.#host = host;
    this.#log = log;
    this.#observer = observer;
    this.#counters = counters;
  }

  /** Takes down where the peers of the interface `name` are. */
  async look(name: string, group: RegistryGroup): Promise<void> {
    try {
      const device = await readDevice(this.#host, name);
      if (device === undefined) return this.#tell(name, "there is no such interface yet");
      this.#problems.delete(name);
      for (const peer of device.peers) {
        const { publicKey, endpoint, latestHandshake } = peer;
        const id = parseKey(publicKey);
        const address = endpoint === undefined ? -1 : parseIpv4(endpoint.host);
        if (id === undefined || endpoint === undefined || address < 0 || latestHandshake === 0) {
          continue;
        }
        const unix = this.#host.now().unix;
        const shown = formatHostPort(endpoint);
        const before = this.#endpoints.get(`${name} ${publicKey}`);
        this.#endpoints.set(`${name} ${publicKey}`, shown);
        // WireGuard follows a peer that moves without a new handshake: what moved was heard just now.
        const moved = before !== undefined && before !== shown;
        const seen = moved ? labelOf(unix) : { seconds: latestHandshake, nanoseconds: 0 };
        const observed = { id: new WireBuffer(id), address, port: endpoint.port, seen };
        const now = { unix, mono: this.#host.now().mono };
        const changed = group.observe(observed, now, this.#counters);
        if (changed.peer !== NONE) {
          this.#observer.endpointChanged(group, changed.peer, changed.isNew);
        }
      }
    } catch (error) {
      this.#tell(name, error instanceof Error ? error.message : String(error));
    }
  }

  /** Tells of a problem once until it is another. */
  #tell(name: string, why: string): void {
    if (this.#problems.get(name) === why) return;
    this.#problems.set(name, why);
    this.#log.write("warn", "interface-not-read", { interface: name, why });
  }
}
