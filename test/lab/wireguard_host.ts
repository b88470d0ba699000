/**
 * A host of the lab with a real WireGuard: wireguard-go, or another program.
 *
 * @module
 */

import type { Device } from "../../lib/core/net/device.ts";
import { parseDump } from "../../lib/core/net/wg_dump.ts";
import type { Running } from "../support/program.ts";
import type { Namespace } from "./namespace.ts";
import { must, sleep } from "./namespace.ts";

/** The interface on each host. */
export const INTERFACE = "wg0";
/** WireGuard's usual port. */
export const WIREGUARD_PORT = 51820;
const START_SECONDS = 10;

/** A host with one interface that has one peer when it starts, at most. */
export class WireGuardHost {
  readonly namespace: Namespace;
  /** In the tunnel. */
  readonly address: string;
  readonly keyFile: string;
  readonly interface: string;
  readonly port: number;
  #publicKey = "";
  #program: Running | undefined;
  /** What makes the interface, in the foreground. */
  program: readonly string[];
  /** The peer that the interface gets when it starts. */
  peer: WireGuardHost | undefined;

  /** @param number Of the interface: 0 for wg0, on the usual port. */
  constructor(namespace: Namespace, folder: string, address: string, number = 0) {
    this.namespace = namespace;
    this.interface = number === 0 ? INTERFACE : `wg${number}`;
    this.port = WIREGUARD_PORT + number;
    this.keyFile = `${folder}/key${number === 0 ? "" : number}`;
    this.address = address;
    this.program = ["wireguard-go", "-f", this.interface];
  }

  get publicKey(): string {
    return this.#publicKey;
  }

  /** Makes a private key. */
  async makeKey(): Promise<void> {
    const key = await must(["wg", "genkey"]);
    await Deno.writeTextFile(this.keyFile, key, { mode: 0o600 });
    this.#publicKey = (await must(["wg", "pubkey"], { input: key })).trim();
  }

  /** Starts WireGuard, with the key, and with the peer, if there is one. */
  async startWireGuard(): Promise<void> {
    await this.startKeyless();
    await this.set("private-key", this.keyFile, "listen-port", `${this.port}`);
    if (this.peer !== undefined) await this.setPeer(this.peer);
    const { namespace } = this;
    await namespace.ip(
      `addr add ${this.address}/24 dev ${this.interface}`,
      `link set ${this.interface} up`,
    );
  }

  /** Starts WireGuard, and sets nothing. */
  async startKeyless(): Promise<void> {
    const program = this.namespace.start(this.program, {
      env: { LOG_LEVEL: "error", WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: "1" },
    });
    this.#program = program;
    const socket = `${this.namespace.runFolder}/wireguard/${this.interface}.sock`;
    const until = performance.now() + START_SECONDS * 1000;
    while (!await answers(socket)) {
      if (performance.now() > until) {
        throw new Error(`${this.program[0]} does not start: ${program.err}`);
      }
      await sleep(0.01);
    }
  }

  /** Ends WireGuard as a crash does; the interface goes with it. */
  async stopWireGuard(): Promise<void> {
    await this.#program?.stop("SIGKILL");
    this.#program = undefined;
    // A `wg` that came meanwhile may have removed it already.
    const socket = `${this.namespace.runFolder}/wireguard/${this.interface}.sock`;
    await Deno.remove(socket).catch((error: unknown) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }

  /** Adds a peer; without more settings it has no endpoint. */
  async setPeer({ publicKey, address }: WireGuardHost, ...more: readonly string[]): Promise<void> {
    await this.set("peer", publicKey, "allowed-ips", `${address}/32`, ...more);
  }

  /** Runs `wg set`. */
  async set(...args: readonly string[]): Promise<void> {
    await this.namespace.must(["wg", "set", this.interface, ...args]);
  }

  /** What `wg show` says. */
  async device(): Promise<Device> {
    return parseDump(await this.namespace.must(["wg", "show", this.interface, "dump"]));
  }

  /** The endpoints of its peers, as `wg show` has them. */
  async endpoints(): Promise<string> {
    return await this.namespace.must(["wg", "show", this.interface, "endpoints"]);
  }
}

/** Whether somebody listens on a socket: `wg` removes one that is there before that. */
async function answers(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch {
    return false;
  }
}
