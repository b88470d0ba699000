/**
 * UDP servers: answers leave from the address that was asked, also where all are listened on.
 *
 * @module
 */

import type { HostPort } from "../core/net/host_port.ts";
import { ADDRESS_SIZE, isWildcard, parseAddress } from "../core/net/ip_address.ts";
import { LocalAddressPlan } from "../core/net/local_addresses.ts";
import type { Clock } from "../host/clock.ts";
import { explain } from "../host/error.ts";
import type { LocalAddresses } from "../host/names.ts";
import type { Udp, UdpHandlers, UdpSocket } from "../host/udp.ts";
import { WireBuffer } from "../wire/bytes/wire_buffer.ts";
import type { Log } from "./log/log.ts";

/** Seconds between two looks at which addresses this host has. */
const LOOK = 30;

/** What listening needs. */
export interface ListeningContext {
  readonly host: Udp & Clock & LocalAddresses;
  readonly log: Log;
}

/**
 * Makes a socket for an address of this host.
 *
 * @param open Opens it.
 */
export type SocketMaker = (
  address: string,
  open: (handlers: UdpHandlers) => Promise<UdpSocket>,
) => Promise<UdpSocket>;

/** Sockets that serve. */
export type Listener = Pick<UdpSocket, "port" | "close">;

/**
 * Listens on an address. Where that stands for all addresses, each of this host's has a socket of its
 * own as well, as far as the host can; what comes later is noticed within 30 s.
 *
 * @throws What the host says of the first socket.
 */
export async function listenUdp(
  context: ListeningContext,
  { host: address, port }: HostPort,
  make: SocketMaker,
): Promise<Listener> {
  const all = await make(
    address,
    (handlers) => context.host.udp({ ...handlers, address, port }),
  );
  const binary = new WireBuffer(ADDRESS_SIZE);
  if (all.beside === undefined || !parseAddress(address, binary, 0) || !isWildcard(binary, 0)) {
    return all;
  }
  const sockets = new LocalSockets(context, all, make, new LocalAddressPlan(address === "::"));
  await sockets.look();
  return { port: all.port, close: () => sockets.close() };
}

/** A socket for all addresses, and those beside it. */
class LocalSockets {
  readonly #context: ListeningContext;
  readonly #all: UdpSocket;
  readonly #make: SocketMaker;
  readonly #plan: LocalAddressPlan;
  readonly #beside = new Map<string, UdpSocket>();
  #isClosed = false;
  #cancel: () => void = () => {};

  constructor(
    context: ListeningContext,
    all: UdpSocket,
    make: SocketMaker,
    plan: LocalAddressPlan,
  ) {
    this.#context = context;
    this.#all = all;
    this.#make = make;
    this.#plan = plan;
  }

  /** Opens and closes what has to be, now and again. */
  async look(): Promise<void> {
    const { close, open } = this.#plan.next(this.#present());
    for (const address of close) {
      this.#beside.get(address)?.close();
      this.#beside.delete(address);
    }
    for (const address of open) {
      if (!this.#isClosed) await this.#open(address);
    }
    if (!this.#isClosed) this.#cancel = this.#context.host.after(LOOK, () => void this.look());
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
    for (const socket of [...this.#beside.values(), this.#all]) socket.close();
  }

  async #open(address: string): Promise<void> {
    try {
      const socket = await this.#make(
        address,
        (handlers) => this.#all.beside!({ ...handlers, address }),
      );
      this.#plan.told(address, true);
      if (this.#isClosed) socket.close();
      else this.#beside.set(address, socket);
    } catch (error) {
      if (!this.#plan.told(address, false)) return;
      const why = explain(error);
      const effect = "what is sent there may be answered from another address";
      this.#context.log.write("warn", "address-not-listened", { address, why, effect });
    }
  }

  /** Where that can't be read, nothing has changed. */
  #present(): readonly string[] {
    try {
      return this.#context.host.localAddresses();
    } catch {
      return [...this.#beside.keys()];
    }
  }
}
