/**
 * The sockets of a registry.
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import type { Registry } from "../../core/registry/registry.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { errorCode } from "../../host/error.ts";
import type { UdpHandlers } from "../../host/udp.ts";
import type { ServiceContext } from "../context.ts";
import { type Listener, type ListeningContext, listenUdp } from "../listener.ts";
import { listenProblem } from "../log/listen_problem.ts";
import type { ServeConfig } from "./config.ts";

/** Answers what comes in. */
export class RegistrySockets {
  readonly #context: Pick<ServiceContext, "tick"> & ListeningContext;
  readonly #registry: Registry;
  readonly #answered: () => void;
  readonly #sockets: Listener[] = [];

  /** @param answered Called after each batch. */
  constructor(
    context: Pick<ServiceContext, "tick"> & ListeningContext,
    registry: Registry,
    answered: () => void,
  ) {
    this.#context = context;
    this.#registry = registry;
    this.#answered = answered;
  }

  /** Opens them; where there is no group, none. */
  async listen({ groups, listen, skipMissingAddresses }: ServeConfig): Promise<void> {
    if (groups.length === 0) return;
    let problem = "no address to listen on";
    const bound: string[] = [];
    for (const { host, port } of listen) {
      try {
        const socket = await this.#open({ host, port });
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

  /** Closes them. */
  close(): void {
    for (const socket of this.#sockets) socket.close();
  }

  #open(address: HostPort): Promise<Listener> {
    const { counters } = this.#registry;
    const handlers: UdpHandlers = {
      onBatch: (batch, replies) => {
        this.#registry.answer(batch, this.#context.tick(), replies);
        this.#answered();
      },
      onSendError: () => counters.add("send-failed"),
      onOverload: (count) => counters.add("overload", count),
    };
    return listenUdp(this.#context, address, (_, open) => open(handlers));
  }

  #fail(problem: string): never {
    this.close();
    throw new UserError(problem, EXIT.failed);
  }
}
