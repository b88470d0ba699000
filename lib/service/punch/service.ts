/**
 * The server of WireGuard's hole-punching example beside the registry: nobody proves who he is, so
 * what is learned here stands behind what the registry knows.
 *
 * @module
 */

import type { Counters } from "../../core/net/counters.ts";
import { formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import { NONE } from "../../core/registry/peer_table.ts";
import { type ProvenEndpoints, PunchTable } from "../../core/punch/table.ts";
import type { Now } from "../../core/registry/registry.ts";
import type { RegistryGroup } from "../../core/registry/group.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import type { Host, UdpSocket } from "../../host/host.ts";
import { readAddress, RECORD_PORT } from "../../wire/wgsig/record.ts";
import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { listenProblem } from "../log/listen_problem.ts";
import type { Log } from "../log/log.ts";

/** What the service needs of the one that it is a part of. */
export interface PunchSurroundings {
  readonly host: Host;
  readonly log: Log;
  readonly counters: Counters;
  readonly groups: ReadonlyMap<number, RegistryGroup>;
  /** The clocks, once a batch; records that are too old are gone then. */
  tick(): Now;
  /** Random, for a hash. */
  seed(): number;
}

/** Answers the example's clients. */
export class PunchService {
  readonly #around: PunchSurroundings;
  readonly #table: PunchTable;
  #socket: UdpSocket | undefined;

  constructor(around: PunchSurroundings) {
    this.#around = around;
    this.#table = new PunchTable(new GroupEndpoints(around.groups), around.seed());
  }

  /** Opens the socket. */
  async listen(address: HostPort): Promise<void> {
    try {
      this.#socket = await this.#around.host.udp({
        address: address.host,
        port: address.port,
        onBatch: (batch, replies) => this.#table.answer(batch, this.#around.tick(), replies),
        onSendError() {},
        onOverload: (count) => this.#around.counters.add("overload", count),
      });
    } catch (error) {
      throw new UserError(listenProblem(address, error, "--punch"), EXIT.failed);
    }
    const bound = formatHostPort({ host: address.host, port: this.#socket.port });
    const note = "nobody is authenticated here";
    this.#around.log.write("warn", "punch-listening", { address: bound, note });
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
