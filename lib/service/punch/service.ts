/**
 * The server of WireGuard's hole-punching example beside the registry: nobody proves who he is, so
 * what is learned here stands behind what the registry knows.
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import { NONE } from "../../core/net/none.ts";
import { type ProvenEndpoints, PunchTable } from "../../core/punch/table.ts";
import type { RegistryGroup } from "../../core/registry/group.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import type { UdpHandlers } from "../../host/udp.ts";
import { readAddress, RECORD_PORT } from "../../wire/wgsig/record.ts";
import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { type Listener, listenUdp } from "../listener.ts";
import { listenProblem } from "../log/listen_problem.ts";
import type { ServiceContext } from "../context.ts";

/** Answers the example's clients. */
export class PunchService {
  readonly #context: ServiceContext;
  readonly #table: PunchTable;
  #socket: Listener | undefined;

  constructor(context: ServiceContext, groups: ReadonlyMap<number, RegistryGroup>) {
    this.#context = context;
    this.#table = new PunchTable(new GroupEndpoints(groups), context.seed());
  }

  /** Opens the socket. */
  async listen(address: HostPort): Promise<void> {
    try {
      const handlers: UdpHandlers = {
        onBatch: (batch, replies) => this.#table.answer(batch, this.#context.tick(), replies),
        onSendError() {},
        onOverload: (count) => this.#context.counters.add("overload", count),
      };
      this.#socket = await listenUdp(this.#context, address, (_, open) => open(handlers));
    } catch (error) {
      throw new UserError(listenProblem(address, error, "--punch"), EXIT.failed);
    }
    const bound = formatHostPort({ host: address.host, port: this.#socket.port });
    const note = "nobody is authenticated here";
    this.#context.log.write("warn", "punch-listening", { address: bound, note });
  }

  /** What happened so far, for the log. */
  get counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      Object.entries(this.#table.counters).map(([name, value]) => [`punch-${name}`, value]),
    );
  }

  /** Ends it. */
  close(): void {
    this.#socket?.close();
  }
}

/** Where the peers of the registry's groups are. */
class GroupEndpoints implements ProvenEndpoints {
  address = 0;
  port = 0;
  readonly #groups: ReadonlyMap<number, RegistryGroup>;

  constructor(groups: ReadonlyMap<number, RegistryGroup>) {
    this.#groups = groups;
  }

  find(buffer: WireBuffer, at: number): boolean {
    for (const { table } of this.#groups.values()) {
      const peer = table.find(buffer, at);
      if (peer === NONE) continue;
      const record = table.recordAt(peer);
      this.address = readAddress(table.pages, record);
      this.port = table.pages.view.getUint16(record + RECORD_PORT);
      if (this.port !== 0) return true;
    }
    return false;
  }
}
