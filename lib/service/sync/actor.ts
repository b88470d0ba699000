/**
 * What a {@linkcode SyncMachine} wants done: the interface is read and set, registries are asked.
 *
 * @module
 */

import type { Device } from "../../core/net/device.ts";
import type { OwnReach } from "../../core/ask/own_reach.ts";
import type { SyncAction, SyncNews, SyncResult } from "../../core/sync/actions.ts";
import type { FileLocks } from "../../host/locks.ts";
import type { LocalAddresses } from "../../host/names.ts";
import {
  addRoute,
  findRouteInto,
  readLink,
  readOtherNetworks,
  removeRoute,
} from "../../wireguard/addresses.ts";
import {
  nudgePeer,
  readDevice,
  readPrivateKey,
  removePeer,
  replacePeer,
  setListenPort,
  setPeer,
} from "../../wireguard/device.ts";
import { findHostRoute, removeHostRoute } from "../../wireguard/host_route.ts";
import { mendPortMoves } from "../../wireguard/port_move.ts";
import { type StatusPlace, statusPlace } from "../status/places.ts";
import { inWords } from "../log/in_words.ts";
import { Asking, type AskingHost, tryRaw } from "./asking.ts";
import { mendBorrowedPort } from "./borrowed_port.ts";
import type { SyncConfig } from "./config.ts";
import { InterfaceLock } from "./interface_lock.ts";

/** What of a host that takes. */
export type ActingHost = AskingHost & FileLocks & LocalAddresses;

/** Addresses of this host, and of the interface. */
interface Known {
  readonly text: string;
  readonly addresses: readonly string[];
  readonly tunnel: readonly string[];
}

/** Does what is wanted, one thing after the other. */
export class SyncActor {
  readonly #host: ActingHost;
  readonly #lock: InterfaceLock;
  readonly #asking: Asking;
  #config: SyncConfig;
  /** The addresses that were read last. */
  #known: Known | undefined;
  #isNewlyLocked = false;

  /** @param hear Is told what servers tell without being asked. */
  constructor(host: ActingHost, config: SyncConfig, hear: (news: SyncNews) => void) {
    this.#host = host;
    this.#asking = new Asking(host, () => this.readPrivateKey(), hear);
    this.#lock = new InterfaceLock(host, config.interface);
    this.#config = config;
  }

  /** Takes other settings over. */
  configure(config: SyncConfig): void {
    this.#config = config;
  }

  /** Gives the interface's lock back, and hears servers no more. */
  end(): void {
    this.#asking.close();
    this.#lock.release();
  }

  /** Where `wgsig status` asks, if the lock was taken since this was last called. */
  takePlace(): StatusPlace | undefined {
    const isNews = this.#isNewlyLocked;
    this.#isNewlyLocked = false;
    return isNews ? statusPlace("sync", this.#config.interface, this.#lock.ending) : undefined;
  }

  /** Reads the interface beside what is done; undefined where it can't be read, or there is none. */
  async readDevice(): Promise<Device | undefined> {
    try {
      return await readDevice(this.#host, this.#config.interface);
    } catch {
      // The next look tells of it.
      return undefined;
    }
  }

  /** Does one thing, and says also what stood in its way. */
  async do(action: SyncAction): Promise<SyncResult> {
    try {
      return await this.#run(action);
    } catch (error) {
      return { kind: "failed", error, why: inWords(error) };
    }
  }

  /** Tells registries who is wanted through their relays. @returns Whether one has answered. */
  async tellRegistries(own: Pick<OwnReach, "relays" | "directs">): Promise<boolean> {
    return await this.#asking.tell(own);
  }

  /** The own private key: without it, questions are asked all the same, and not proved. */
  async readPrivateKey(): Promise<Uint8Array | undefined> {
    try {
      return await readPrivateKey(this.#host, this.#config.interface) ??
        await this.#config.readPrivateKey();
    } catch {
      return undefined;
    }
  }

  /** The interface's are read where this host's are others than before: that takes a process. */
  async #readAddresses(): Promise<Pick<Known, "addresses" | "tunnel">> {
    const name = this.#config.interface;
    const addresses = this.#host.localAddresses();
    const text = addresses.toSorted().join();
    if (this.#known?.text !== text) {
      const tunnel = await readLink(this.#host, name).then((link) => link.addresses, () => []);
      this.#known = { text, addresses, tunnel };
    }
    return this.#known;
  }

  async #run(action: SyncAction): Promise<SyncResult> {
    const host = this.#host;
    const name = this.#config.interface;
    switch (action.kind) {
      case "take-lock": {
        const isTaken = await this.#lock.take();
        this.#isNewlyLocked = isTaken;
        return { kind: "lock", isTaken };
      }
      case "read-device":
        return { kind: "device", device: await readDevice(host, name) };
      case "read-key":
        return { kind: "key", publicKey: await this.#config.readKey() };
      case "mend-port":
        try {
          return { kind: "port", port: await mendBorrowedPort(host, name) };
        } finally {
          await mendPortMoves(host, name);
        }
      case "move-port":
        await setListenPort(host, name, 0);
        return { kind: "done" };
      case "try-raw":
        await tryRaw(host, action.port, action.mark);
        return { kind: "done" };
      case "ask":
        return { kind: "answer", ...await this.#asking.ask(this.#config, action.question) };
      case "read-addresses":
        return { kind: "addresses", ...await this.#readAddresses() };
      case "set-peer":
        await (action.replaces ? replacePeer : setPeer)(host, name, action.publicKey, action);
        return { kind: "done" };
      case "remove-peer":
        await removePeer(host, name, action.publicKey);
        return { kind: "done" };
      case "end-route":
        await removeRoute(host, name, action.prefix);
        return { kind: "done" };
      case "read-given": {
        const { readGiven } = await import("./roster_note.ts");
        return { kind: "given", given: await readGiven(host, name, this.#lock.ending) };
      }
      case "keep-given": {
        const { keepGiven } = await import("./roster_note.ts");
        await keepGiven(host, name, this.#lock.ending, action.given());
        return { kind: "done" };
      }
      case "read-networks": {
        const { addresses: tunnel } = await readLink(host, name);
        const addresses = [...host.localAddresses(), ...tunnel];
        return { kind: "networks", addresses, networks: await readOtherNetworks(host, name) };
      }
      case "nudge-peer":
        await nudgePeer(host, name, action.publicKey, action.persistentKeepalive);
        return { kind: "done" };
      case "find-route":
        return { kind: "route", route: await findHostRoute(host, action.address) };
      case "find-tunnel-route":
        return { kind: "route", route: await findRouteInto(host, name, action.prefix) };
      case "add-route":
        await addRoute(host, name, action.prefix);
        return { kind: "done" };
      case "remove-route":
        if (await removeHostRoute(host, action.route)) return { kind: "done" };
        return { kind: "failed", error: undefined, why: "ip doesn't remove it" };
    }
  }
}
