/**
 * A further thread of `wgsig serve`: sockets of its own on the same ports, and a replica of the
 * registry. Everything else is the first thread's.
 *
 * @module
 */

import { ChangeLog, FLAG } from "../core/change_log.ts";
import { Counters } from "../core/counters.ts";
import type { DatagramBatch, ReplyBatch } from "../core/datagram_batch.ts";
import { NonceSource } from "../core/nonce_source.ts";
import { type Now, Registry } from "../core/registry.ts";
import { Replica } from "../core/replica.ts";
import { restoreState } from "../core/state_file.ts";
import type { Host, ParentThread, UdpSocket } from "../host/host.ts";
import { listenProblem } from "./listen_problem.ts";
import { isShown, type LineSink, type LogFields, type LogLevel, type Verbosity } from "./log.ts";
import {
  applySettings,
  forgetSecrets,
  type PreparedSettings,
  prepareSettings,
} from "./registry_settings.ts";
import { TrafficLog } from "./traffic_log.ts";
import type { FromWorker, ToWorker, WorkerSettings, WorkerStart } from "./worker_messages.ts";

/** Serves as a thread that `parent` has started, until it is told to stop. */
export function runWorker(host: Host, parent: ParentThread): void {
  let worker: ServeWorker | undefined;
  parent.onMessage((message) => {
    const told = message as ToWorker;
    if (told.kind === "start") {
      worker = new ServeWorker(host, parent, told);
      void worker.listen(told);
    } else worker?.take(told);
  });
  tell(parent, { kind: "hello", mono: host.mono() / 1000 });
}

function tell(parent: ParentThread, message: FromWorker): void {
  parent.post(message);
}

class ServeWorker {
  readonly #host: Host;
  readonly #parent: ParentThread;
  readonly #lines: Lines;
  readonly #log: ChangeLog;
  readonly #ahead: number;
  readonly #counters: Counters;
  readonly #nonces: NonceSource;
  readonly #replica: Replica;
  readonly #sockets: UdpSocket[] = [];
  /** What is ready to come into force. */
  readonly #prepared = new Map<number, { prepared: PreparedSettings; verbosity: Verbosity }>();
  #now: Now = { unix: 0, mono: 0 };

  constructor(host: Host, parent: ParentThread, start: WorkerStart) {
    this.#host = host;
    this.#parent = parent;
    this.#lines = new Lines(parent, start.verbosity);
    this.#log = new ChangeLog(start.log, start.member, start.members);
    this.#ahead = start.ahead;
    this.#counters = new Counters(start.counters);
    this.#nonces = new NonceSource((bytes) => host.random(bytes));
    const traffic = new TrafficLog(this.#lines, () => this.#now.mono);
    // The first thread tells of these.
    const observer = {
      endpointChanged() {},
      dropped: traffic.dropped.bind(traffic),
    };
    const registry = new Registry(start.settings, observer, this.#counters);
    this.#prepare(start);
    this.#configure(registry, start.number, this.#tick().mono);
    if (start.state !== undefined) {
      restoreState(start.state.bytes, registry, start.state.now);
      // What was too old is counted by the first thread.
      new Uint8Array(start.counters).fill(0);
    }
    this.#replica = new Replica(registry, this.#log, {
      observer,
      configured: (number, mono) => this.#configure(registry, number, mono),
    });
  }

  /** Opens the sockets. */
  async listen({ addresses }: WorkerStart): Promise<void> {
    for (const address of addresses) {
      try {
        const socket = await this.#host.udp({
          address: address.host,
          port: address.port,
          sharePort: true,
          onBatch: (batch, replies) => this.#answer(batch, replies),
          onSendError: () => this.#counters.add("send-failed"),
          onOverload: (count) => this.#counters.add("overload", count),
        });
        this.#sockets.push(socket);
      } catch (error) {
        return this.#tell({ kind: "failed", why: listenProblem(address, error, "--listen") });
      }
    }
    this.#tell({ kind: "ready" });
  }

  /** Does what it is told. */
  take(message: Exclude<ToWorker, WorkerStart>): void {
    switch (message.kind) {
      case "prepare":
        this.#prepare(message);
        return this.#tell({ kind: "prepared", number: message.number });
      case "catch-up":
        this.#replica.sync(this.#tick());
        return this.#tell({ kind: "caught-up" });
      case "stop":
        for (const socket of this.#sockets) socket.close();
        return this.#tell({ kind: "stopped" });
    }
  }

  #answer(batch: DatagramBatch, replies: ReplyBatch): void {
    const log = this.#log;
    const changes = this.#replica.answer(batch, this.#tick(), replies);
    if (changes > 0 && log.raise(FLAG.changed)) this.#tell({ kind: "changed" });
    if (log.isLagging && log.raise(FLAG.behind)) this.#tell({ kind: "behind" });
  }

  #prepare({ number, settings, verbosity }: WorkerSettings): void {
    this.#prepared.set(number, { prepared: prepareSettings(settings), verbosity });
  }

  /** Puts settings into force. Those of a reload that failed in between never come. */
  #configure(registry: Registry, number: number, mono: number): void {
    const found = this.#prepared.get(number);
    if (found === undefined) throw new Error(`settings ${number} are not there`);
    this.#lines.verbosity = found.verbosity;
    applySettings(registry, found.prepared, this.#nonces, mono);
    forgetSecrets(found.prepared.settings);
    for (const each of [...this.#prepared.keys()]) {
      if (each <= number) this.#prepared.delete(each);
    }
  }

  #tick(): Now {
    const mono = this.#host.mono() / 1000 + this.#ahead;
    this.#now = { unix: this.#host.now() / 1000, mono };
    return this.#now;
  }

  #tell(message: FromWorker): void {
    tell(this.#parent, message);
  }
}

/** Has the first thread write lines. */
class Lines implements LineSink {
  verbosity: Verbosity;
  readonly #parent: ParentThread;

  constructor(parent: ParentThread, verbosity: Verbosity) {
    this.#parent = parent;
    this.verbosity = verbosity;
  }

  shows(level: LogLevel): boolean {
    return isShown(level, this.verbosity);
  }

  write(level: LogLevel, event: string, fields: LogFields = {}): void {
    if (this.shows(level)) tell(this.#parent, { kind: "line", level, event, fields });
  }
}
