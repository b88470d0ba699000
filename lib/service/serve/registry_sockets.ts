/**
 * The sockets of a registry.
 *
 * @module
 */

import { formatHostPort } from "../../core/net/host_port.ts";
import type { Registry } from "../../core/registry/registry.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import type { Clock } from "../../host/clock.ts";
import { errorCode } from "../../host/error.ts";
import type { Udp, UdpSocket } from "../../host/udp.ts";
import type { ServiceContext } from "../context.ts";
import { listenProblem } from "../log/listen_problem.ts";
import type { ServeConfig } from "./config.ts";
import { PushFeed } from "./push_feed.ts";

type SocketsContext = Pick<ServiceContext, "log" | "tick"> & { readonly host: Udp & Clock };

/** Answers what comes in, and pushes what changed. */
export class RegistrySockets {
  readonly #context: SocketsContext;
  readonly #registry: Registry;
  readonly #answered: () => void;
  readonly #sockets: UdpSocket[] = [];
  readonly #pushes: PushFeed;

  /** @param answered Called after each batch. */
  constructor(
    context: SocketsContext,
    registry: Registry,
    answered: () => void,
  ) {
    this.#context = context;
    this.#registry = registry;
    this.#answered = answered;
    this.#pushes = new PushFeed(context.host, registry, context.tick, (socket, bytes, to) => {
      this.#sockets[socket]?.send(bytes, to);
    });
  }

  /** Opens them; where there is no group, none. */
  async listen({ groups, listen, skipMissingAddresses }: ServeConfig): Promise<void> {
    if (groups.length === 0) return;
    let problem = "no address to listen on";
    const bound: string[] = [];
    for (const { host, port } of listen) {
      try {
        const socket = await this.#open(host, port);
        this.#sockets.push(socket);
        bound.push(formatHostPort({ host, port: socket.port }));
      } catch (error) {
        const code = errorCode(error);
        problem = listenProblem({ host, port }, error, "--listen");
        const isAbsent = code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL";
        if (!(skipMissingAddresses && isAbsent)) this.#fail(problem);
      }
    }
    if (this.#sockets.length === 0) this.#fail(problem);
    // No other process answers here any more: what it heard is from before this moment.
    const { mono } = this.#context.tick();
    for (const group of this.#registry.groups.values()) group.distrustBefore(mono);
    for (const address of bound) this.#context.log.write("info", "listening", { address });
  }

  /** Something else than a datagram has changed the registry. */
  changed(): void {
    this.#pushes.look(this.#context.tick());
  }

  /** Closes them. */
  close(): void {
    this.#pushes.close();
    for (const socket of this.#sockets) socket.close();
  }

  #open(address: string, port: number): Promise<UdpSocket> {
    const { counters } = this.#registry;
    // They are opened one after the other.
    const number = this.#sockets.length;
    return this.#context.host.udp({
      address,
      port,
      onBatch: (batch, replies) => {
        const now = this.#context.tick();
        this.#registry.answer(batch, now, replies, number);
        this.#answered();
        this.#pushes.look(now);
      },
      onSendError: () => counters.add("send-failed"),
      onOverload: (count) => counters.add("overload", count),
    });
  }

  #fail(problem: string): never {
    this.close();
    throw new UserError(problem, EXIT.failed);
  }
}
