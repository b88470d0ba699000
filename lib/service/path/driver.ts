/**
 * Does what a {@linkcode PathFinder} decides: raw sockets on WireGuard's port, and timers.
 *
 * @module
 */

import type { Path } from "../../core/path/path.ts";
import type { PathFinder } from "../../core/path/path_finder.ts";
import type { Device } from "../../core/net/device.ts";
import { type Family, familyOf, formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import { ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import type { Clock } from "../../host/clock.ts";
import type { Cryptography } from "../../host/host.ts";
import type { Processes } from "../../host/processes.ts";
import type { RawUdp, RawUdpSocket } from "../../host/raw_udp.ts";
import { readDevice, setPeer } from "../../wireguard/device.ts";
import { errorCode } from "../../host/error.ts";
import { PortMoves } from "../../wireguard/port_move.ts";
import { inWords } from "../log/in_words.ts";

/** What of a host is needed to find ways. */
export type PathHost = Clock & Cryptography & Processes & RawUdp;

/** Where ways begin. */
export interface PathPort {
  /** The name of the interface. */
  readonly interface: string;
  /** WireGuard's. */
  readonly port: number;
  /** The mark of its datagrams; 0 where there is none. */
  readonly mark: number;
}

/** Who knows the rest. */
export interface PathHandlers {
  /** Reads the own private key, 32 bytes, which are wiped afterwards; undefined where there is none. */
  readPrivateKey(): Promise<Uint8Array | undefined>;
  /** The interface was read. */
  onDevice(device: Device): void;
  /** Tells registries what the finder says of relays. @returns Whether one has answered. */
  tellRegistries(): Promise<boolean>;
  /** Something was decided: there may be something to tell. */
  onStep(): void;
  /** Something could not be done, in words. */
  onFailure(what: "set-peer" | "port-move" | "raw-socket", why: string): void;
}

interface Moved {
  readonly endpoint: HostPort;
  readonly through: number;
}

const NFT_MISSING = "nft is not installed (nftables)";
const FAMILIES: readonly Family[] = [4, 6];

/** Drives one finder. */
export class PathDriver {
  readonly #host: PathHost;
  readonly #finder: PathFinder;
  readonly #handlers: PathHandlers;
  readonly #sockets = new Map<Family, RawUdpSocket>();
  #port: PathPort | undefined;
  /** WireGuard's datagrams that leave through other ports, */
  #moves: PortMoves | undefined;
  /** and by public key, to which endpoint, through which port. */
  readonly #moved = new Map<string, Moved>();
  /** Changes of the interface, one after the other. */
  #changes: Promise<void> = Promise.resolve();
  #cancel: () => void = () => {};
  #isRunning = false;
  readonly #reading = new OneAtATime(() => this.#read());
  readonly #telling = new OneAtATime(() => this.#tell());

  /** Does nothing before it has a port. */
  constructor(host: PathHost, finder: PathFinder, handlers: PathHandlers) {
    this.#host = host;
    this.#finder = finder;
    this.#handlers = handlers;
  }

  /** Whether probes can be sent and answered. */
  get isOpen(): boolean {
    return this.#sockets.size > 0;
  }

  /** Begins at a port, unless that is the one already; ends where it is undefined. */
  async open(port: PathPort | undefined): Promise<void> {
    const before = this.#port;
    const isSame = before?.interface === port?.interface && before?.port === port?.port &&
      before?.mark === port?.mark;
    if (isSame) return;
    this.close();
    this.#port = port;
    if (port === undefined) return;
    this.#moves = new PortMoves(this.#host, port.interface);
    for (const family of FAMILIES) {
      try {
        const socket = await this.#host.rawUdp({
          family,
          port: port.port,
          mark: port.mark,
          onBatch: (batch, ports) => {
            this.#finder.receive(batch, ports, port.port, this.#host.now());
            this.wake();
          },
          // What doesn't leave isn't answered: that is all that there is to know of it.
          onSendError() {},
        });
        if (this.#port === port) this.#sockets.set(family, socket);
        else socket.close();
      } catch (error) {
        // A host may have one family alone.
        if (family === 4) this.#handlers.onFailure("raw-socket", inWords(error));
      }
    }
    this.wake();
  }

  /** Ends it. */
  close(): void {
    this.#cancel();
    this.#port = undefined;
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    const moves = this.#moves;
    this.#moves = undefined;
    // Also where a move is under way still; it does nothing where there is none.
    if (moves !== undefined) this.#change(async () => await moves.end());
    this.#moved.clear();
  }

  /** Waits until everything is as it was. */
  async end(): Promise<void> {
    this.close();
    await this.#changes;
  }

  /** Something was told to the finder. */
  wake(): void {
    if (this.#isRunning || this.#port === undefined) return;
    this.#isRunning = true;
    try {
      this.#run(this.#port);
    } finally {
      this.#isRunning = false;
    }
    this.#handlers.onStep();
  }

  #run(port: PathPort): void {
    this.#cancel();
    for (;;) {
      const now = this.#host.now();
      const step = this.#finder.next(now);
      switch (step.kind) {
        case "send": {
          const { bytes, to, from, hops } = step;
          this.#sockets.get(familyOf(to))?.send(bytes, to, {
            ...from === undefined ? {} : { from },
            ...hops === undefined ? {} : { ttl: hops },
          });
          break;
        }
        case "set": {
          const { publicKey, path, persistentKeepalive } = step;
          this.#change(async () => {
            try {
              // It may be another interface by now.
              if (this.#port === port) await this.#set(port, publicKey, path, persistentKeepalive);
            } catch (error) {
              if (path.from === undefined) this.#handlers.onFailure("set-peer", inWords(error));
              else this.#cannotMove(error);
              this.#finder.refused(publicKey, path, this.#host.now());
              this.wake();
            }
          });
          break;
        }
        case "unmove":
          this.#change(async () => await this.#unmove(step.publicKey));
          break;
        case "hear":
          this.#hear(step.first, step.count);
          break;
        case "read":
          this.#reading.ask();
          break;
        case "agree":
          void this.#agree();
          return;
        case "tell":
          this.#telling.ask();
          break;
        case "wait":
          if (step.until === Infinity) return;
          this.#cancel = this.#host.after(Math.max(0, step.until - now.mono), () => this.wake());
          return;
      }
    }
  }

  #hear(first: number, count: number): void {
    if (count > 0) void this.#checkMoves();
    try {
      this.#sockets.get(4)?.hearAlso(first, count);
    } catch (error) {
      this.#handlers.onFailure("raw-socket", inWords(error));
    }
  }

  /** What is opened is in vain where WireGuard's traffic can't be moved there. */
  async #checkMoves(): Promise<void> {
    try {
      await this.#moves?.check();
    } catch (error) {
      this.#cannotMove(error);
    }
  }

  #cannotMove(error: unknown): void {
    const isMissing = errorCode(error) === "ENOENT";
    this.#handlers.onFailure("port-move", isMissing ? NFT_MISSING : inWords(error));
    this.#finder.cannotMove();
    this.wake();
  }

  async #set(
    port: PathPort,
    publicKey: string,
    { endpoint, from }: Path,
    persistentKeepalive: number | undefined,
  ): Promise<void> {
    const before = this.#moved.get(publicKey);
    const isMoved = before !== undefined && before.through === from &&
      formatHostPort(before.endpoint) === formatHostPort(endpoint);
    if (!isMoved) await this.#unmove(publicKey);
    if (from !== undefined && !isMoved) {
      await this.#moves?.move({ endpoint, port: port.port, through: from });
      if (this.#port !== port) return;
      this.#moved.set(publicKey, { endpoint, through: from });
    }
    await setPeer(this.#host, port.interface, publicKey, { endpoint, persistentKeepalive });
  }

  /** What goes to a peer leaves through WireGuard's own port, whatever was before. */
  async #unmove(publicKey: string): Promise<void> {
    const before = this.#moved.get(publicKey);
    this.#moved.delete(publicKey);
    if (before !== undefined) await this.#moves?.undo(before.endpoint);
  }

  #change(change: () => Promise<void>): void {
    this.#changes = this.#changes.then(change).catch((error) =>
      this.#handlers.onFailure("set-peer", inWords(error))
    );
  }

  async #read(): Promise<void> {
    const port = this.#port;
    if (port === undefined) return;
    try {
      const device = await readDevice(this.#host, port.interface);
      if (device !== undefined && this.#port === port) this.#handlers.onDevice(device);
    } catch {
      // The next look tells of it.
    }
    this.wake();
  }

  /** Makes keys; nothing else is done before. */
  async #agree(): Promise<void> {
    let key: Uint8Array | undefined;
    try {
      key = await this.#handlers.readPrivateKey();
    } catch {
      // As if there were none.
    }
    const own = key && new ExchangeKey(key, this.#host.primitives);
    key?.fill(0);
    this.#finder.agree(own, this.#host.now());
    this.wake();
  }

  async #tell(): Promise<void> {
    let isDone = false;
    try {
      isDone = await this.#handlers.tellRegistries();
    } catch {
      // It counts as unheard.
    }
    this.#finder.toldRegistries(isDone, this.#host.now());
    this.wake();
  }
}

/** Does something once more, however often that is asked for while it is done. */
class OneAtATime {
  readonly #run: () => Promise<void>;
  #isRunning = false;
  #isAsked = false;

  /** @param run Never fails. */
  constructor(run: () => Promise<void>) {
    this.#run = run;
  }

  /** It is to be done, from the beginning. */
  ask(): void {
    this.#isAsked = true;
    if (!this.#isRunning) void this.#loop();
  }

  async #loop(): Promise<void> {
    this.#isRunning = true;
    while (this.#isAsked) {
      this.#isAsked = false;
      await this.#run();
    }
    this.#isRunning = false;
  }
}
