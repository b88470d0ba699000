/**
 * A WireGuard device whose peers DNS zones publish: read when somebody asks, once a second at most.
 *
 * @module
 */

import { DevicePeers } from "../../../core/zone/server/peers.ts";
import type { Clock } from "../../../host/clock.ts";
import type { Processes } from "../../../host/processes.ts";
import { readDevice } from "../../../wireguard/device.ts";
import { inWords } from "../../log/in_words.ts";
import type { Log } from "../../log/log.ts";

/** Seconds for which what was read counts as new. */
const FRESH = 1;
/** Seconds after which it is read again before anything is answered from it. */
const STALE = 2;
/** Seconds after which nothing is said of it any more while it can't be read. */
const FORGOTTEN = 10;
/** How long an answer waits for it, in seconds. */
const PATIENCE = 0.5;

/** Keeps what was read last of a device. */
export class ZoneDevice {
  /** The name of the interface. */
  readonly name: string;
  /** Its peers, as they were read last. */
  readonly peers: DevicePeers;
  readonly #host: Clock & Processes;
  readonly #log: Log;
  #readAt = -Infinity;
  /** Whether the reading that goes on takes too long to wait for. */
  #hangs = false;
  #reading: Promise<void> | undefined;
  #problem = "";

  /** @param seed Random. */
  constructor(host: Clock & Processes, log: Log, name: string, seed: number) {
    this.#host = host;
    this.#log = log;
    this.name = name;
    this.peers = new DevicePeers(seed);
  }

  /** Whether it is read again first, before an answer. @param mono In seconds. */
  isStale(mono: number): boolean {
    return !this.#hangs && mono - this.#readAt > STALE;
  }

  /** Reads it in the background where what is known is no longer new. @param mono In seconds. */
  renew(mono: number): void {
    if (mono - this.#readAt > FRESH) void this.#begin();
  }

  /**
   * Reads it, or waits for the reading that goes on, half a second at the most. Never fails: the log
   * says what is wrong.
   */
  async read(): Promise<void> {
    let cancel = () => {};
    const late = new Promise<void>((done) => {
      cancel = this.#host.after(PATIENCE, () => {
        this.#hangs = true;
        done();
      });
    });
    await Promise.race([this.#begin(), late]);
    cancel();
    const age = this.#host.now().mono - this.#readAt;
    if (age > FORGOTTEN) this.peers.set(undefined);
  }

  #begin(): Promise<void> {
    return this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
      this.#hangs = false;
    });
  }

  async #read(): Promise<void> {
    let why = "";
    try {
      const device = await readDevice(this.#host, this.name);
      this.peers.set(device);
      if (device === undefined) why = "there is no such interface";
    } catch (error) {
      this.peers.set(undefined);
      why = inWords(error);
    }
    this.#readAt = this.#host.now().mono;
    if (why === this.#problem) return;
    this.#problem = why;
    if (why === "") this.#log.write("info", "interface-read", { interface: this.name });
    else this.#log.write("warn", "interface-not-read", { interface: this.name, why });
  }
}
