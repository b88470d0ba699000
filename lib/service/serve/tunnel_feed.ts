/**
 * Offers the peers of a WireGuard interface of this host to a group: whoever has a tunnel to the
 * registry is registered by it, and needs nothing else.
 *
 * @module
 */

import { formatHostPort } from "../../core/net/host_port.ts";
import { parseIpv4 } from "../../core/net/ip_address.ts";
import { NONE } from "../../core/net/none.ts";
import { parseKey } from "../../core/net/peer_key.ts";
import type { Registry, RegistryObserver } from "../../core/registry/registry.ts";
import type { RegistryGroup } from "../../core/registry/group.ts";
import type { Clock } from "../../host/clock.ts";
import type { Processes } from "../../host/processes.ts";
import { labelOf } from "../../wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { readDevice } from "../../wireguard/device.ts";
import { inWords } from "../log/in_words.ts";
import type { Log } from "../log/log.ts";
import type { ServedGroup } from "./config.ts";

/** Seconds between two looks. */
const INTERVAL = 2;

/** Reads interfaces, and tells the groups. */
export class TunnelFeed {
  readonly #host: Clock & Processes;
  readonly #log: Log;
  readonly #observer: RegistryObserver;
  readonly #registry: Registry;
  #groups: readonly ServedGroup[] = [];
  #isWatching = false;
  #told: () => void = () => {};
  /** By interface and public key: where a peer was at the last look. */
  readonly #endpoints = new Map<string, string>();
  readonly #problems = new Map<string, string>();

  constructor(host: Clock & Processes, log: Log, observer: RegistryObserver, registry: Registry) {
    this.#host = host;
    this.#log = log;
    this.#observer = observer;
    this.#registry = registry;
  }

  /**
   * Looks again and again at the interfaces of these groups, and of no others any more.
   *
   * @param told Called whenever it has told the groups.
   */
  watch(groups: readonly ServedGroup[], told: () => void): void {
    this.#groups = groups.filter((group) => group.interface !== undefined);
    this.#told = told;
    if (!this.#isWatching) void this.#watch();
  }

  /** Ends it. */
  close(): void {
    this.#groups = [];
  }

  async #watch(): Promise<void> {
    for (const { id, interface: name } of this.#groups) {
      const group = this.#registry.groups.get(id);
      if (name !== undefined && group !== undefined) await this.#look(name, group);
    }
    this.#isWatching = this.#groups.length > 0;
    if (!this.#isWatching) return;
    this.#told();
    this.#host.after(INTERVAL, () => void this.#watch());
  }

  /** Takes down where the peers of the interface `name` are. */
  async #look(name: string, group: RegistryGroup): Promise<void> {
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
        const changed = group.observe(observed, now, this.#registry.counters);
        if (changed.peer !== NONE) {
          this.#observer.endpointChanged(group, changed.peer, changed.isNew);
        }
      }
    } catch (error) {
      this.#tell(name, inWords(error));
    }
  }

  /** Tells of a problem once until it is another. */
  #tell(name: string, why: string): void {
    if (this.#problems.get(name) === why) return;
    this.#problems.set(name, why);
    this.#log.write("warn", "interface-not-read", { interface: name, why });
  }
}
