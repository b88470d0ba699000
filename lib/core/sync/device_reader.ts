/**
 * Reads the interface, of which no other process takes care, and mends what keeps it from being used:
 * a key that it doesn't tell, a port that a killed run has borrowed.
 *
 * @module
 */

import type { Now } from "../net/clock.ts";
import type { Device } from "../net/device.ts";
import type { ActionQueue } from "./action_queue.ts";
import type { SyncNotes } from "./notes.ts";
import type { SyncOptions } from "./options.ts";

/** What follows where there is an interface, where there is none, and where another has it. */
export interface DeviceFollows {
  readonly found: (device: Device, now: Now) => void;
  readonly gone: () => void;
  readonly busy: () => void;
}

/** Reads one interface again and again. */
export class DeviceReader {
  readonly #options: Pick<SyncOptions, "interface" | "dryRun">;
  readonly #queue: ActionQueue;
  readonly #notes: SyncNotes;
  /** The own key that the settings named last. */
  #namedKey: string | undefined;
  #isLocked = false;
  #isBoringtun = false;
  #mayLackPort = true;

  /** Has read nothing yet. */
  constructor(
    options: Pick<SyncOptions, "interface" | "dryRun">,
    queue: ActionQueue,
    notes: SyncNotes,
  ) {
    this.#options = options;
    this.#queue = queue;
    this.#notes = notes;
  }

  /** Whether the interface tells no key: then it is boringtun's, perhaps, or it has none. */
  get isBoringtun(): boolean {
    return this.#isBoringtun;
  }

  /** Whether a killed run may have left the interface without its port. */
  get mayLackPort(): boolean {
    return this.#mayLackPort;
  }

  /** Reads it. */
  read(follows: DeviceFollows): void {
    const { interface: name, dryRun } = this.#options;
    if (this.#isLocked || dryRun) return this.#read(follows);
    const go = () => {
      this.#isLocked = true;
      this.#read(follows);
    };
    this.#queue.add({ kind: "take-lock" }, {
      lock: (isTaken) => isTaken ? go() : follows.busy(),
      failed: (why) => {
        const hint = "another sync on this interface would not be noticed";
        this.#notes.event("warn", "not-locked", { interface: name, why, hint });
        go();
      },
    });
  }

  #read(follows: DeviceFollows): void {
    this.#queue.add({ kind: "read-device" }, {
      device: (device, now) => {
        if (device === undefined) {
          this.#mayLackPort = true;
          return follows.gone();
        }
        this.#isBoringtun = device.publicKey === undefined;
        if (!this.#isBoringtun) return this.#take(device, follows, now);
        this.#queue.add({ kind: "read-key" }, { key: (key) => void (this.#namedKey = key) });
        this.#queue.then((now) =>
          this.#take({ ...device, publicKey: this.#namedKey }, follows, now)
        );
      },
    });
  }

  #take(device: Device, follows: DeviceFollows, now: Now): void {
    const { interface: name, dryRun } = this.#options;
    // An interface that is met may lack the port that a killed run has borrowed.
    if (!this.#mayLackPort || dryRun) return follows.found(device, now);
    this.#queue.then((now) => follows.found(device, now));
    this.#queue.add({ kind: "mend-port" }, {
      port: (port) => {
        this.#mayLackPort = false;
        if (port === undefined) return;
        this.#notes.event("warn", "port-mended", { interface: name, port });
        this.#queue.then(() => this.read(follows));
      },
    });
  }
}
