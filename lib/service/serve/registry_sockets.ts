/**
 * The sockets of a registry.
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import type { Registry } from "../../core/registry/registry.ts";
import type { SendBatch } from "../../core/relay/relay.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { errorCode } from "../../host/error.ts";
import type { UdpHandlers, UdpSocket } from "../../host/udp.ts";
import type { ServiceContext } from "../context.ts";
import { type Listener, type ListeningContext, listenUdp } from "../listener.ts";
import { listenProblem } from "../log/listen_problem.ts";
import type { ServeConfig } from "./config.ts";
import { PushFeed, type SendThrough } from "./push_feed.ts";

type SocketsContext = Pick<ServiceContext, "tick"> & ListeningContext;

/** Answers what comes in, and pushes what changed. */
export class RegistrySockets {
  readonly #context: SocketsContext;
  readonly #registry: Registry;
  readonly #answered: () => void;
  readonly #listeners: Listener[] = [];
  /** Each has a number of its own; what is pushed leaves through the one that was asked. */
  readonly #sockets = new Map<number, UdpSocket>();
  /** Where each listens. */
  readonly #places = new Map<number, HostPort>();
  readonly #pushes: PushFeed;
  readonly #sendBatch: SendBatch = (socket, replies) => {
    this.#sockets.get(socket)?.sendBatch?.(replies);
  };
  #opened = 0;
  /** Sends something through one of them, if it is still open. */
  readonly send: SendThrough = (socket, bytes, to) => this.#sockets.get(socket)?.send(bytes, to);
  #bound: readonly HostPort[] = [];

  /** @param answered Called after each batch. */
  constructor(
    context: SocketsContext,
    registry: Registry,
    answered: () => void,
  ) {
    this.#context = context;
    this.#registry = registry;
    this.#answered = answered;
    this.#pushes = new PushFeed(context.host, registry, context.tick, this.send);
  }

  /** Opens them; where there is no group, none. */
  async listen({ groups, listen, skipMissingAddresses }: ServeConfig): Promise<void> {
    if (groups.length === 0) return;
    let problem = "no address to listen on";
    const bound: HostPort[] = [];
    for (const { host, port } of listen) {
      try {
        const listener = await listenUdp(
          this.#context,
          { host, port },
          (address, open) => this.#open(address, open),
        );
        this.#listeners.push(listener);
        bound.push({ host, port: listener.port });
      } catch (error) {
        const code = errorCode(error);
        problem = listenProblem({ host, port }, error, "--listen");
        const isAbsent = code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL";
        // The first port is what peers ask; the others show them their NATs.
        const isTaken = code === "EADDRINUSE" && port !== listen[0]?.port;
        if (!skipMissingAddresses || !(isAbsent || isTaken)) this.#fail(problem);
        if (isTaken) this.#context.log.write("warn", "not-listening", { why: problem });
      }
    }
    if (this.#listeners.length === 0) this.#fail(problem);
    // No other process answers here any more: what it heard is from before this moment.
    const { mono } = this.#context.tick();
    for (const group of this.#registry.groups.values()) group.distrustBefore(mono);
    this.#bound = bound;
    for (const address of bound.map(formatHostPort)) {
      this.#context.log.write("info", "listening", { address });
    }
  }

  /** Where it listens. */
  get bound(): readonly HostPort[] {
    return this.#bound;
  }

  /** Something else than a datagram has changed the registry. */
  changed(): void {
    this.#pushes.look(this.#context.tick());
  }

  /** Closes them. */
  close(): void {
    this.#pushes.close();
    for (const listener of this.#listeners) listener.close();
  }

  /** Opens one of the sockets that listen. */
  async #open(
    address: string,
    open: (handlers: UdpHandlers) => Promise<UdpSocket>,
  ): Promise<UdpSocket> {
    const registry = this.#registry;
    const { counters } = registry;
    const number = this.#opened++;
    const socket = await open({
      onBatch: (batch, replies) => {
        const now = this.#context.tick();
        registry.answer(batch, now, replies, number);
        registry.relay?.sendOthers(this.#sendBatch);
        this.#answered();
        this.#pushes.look(now);
      },
      onSendError: () => counters.add("send-failed"),
      onOverload: (count) => counters.add("overload", count),
    });
    this.#sockets.set(number, socket);
    this.#places.set(number, { host: address, port: socket.port });
    registry.otherPorts.configure(this.#places);
    registry.sockets.set(number, !address.includes(":"));
    return {
      port: socket.port,
      send: (bytes, to) => socket.send(bytes, to),
      ...socket.sendBatch && { sendBatch: (replies) => socket.sendBatch!(replies) },
      close: () => {
        this.#sockets.delete(number);
        this.#places.delete(number);
        registry.otherPorts.configure(this.#places);
        registry.sockets.delete(number);
        socket.close();
      },
      ...socket.beside && { beside: (options) => socket.beside!(options) },
    };
  }

  #fail(problem: string): never {
    this.close();
    throw new UserError(problem, EXIT.failed);
  }
}
