/**
 * Does what a mapping of a port needs done: datagrams to the gateway, short connections, waiting.
 *
 * @module
 */

import type {
  PortMapNews,
  PortMapResult,
  PortMapStep,
  PortMapSteps,
} from "../../core/portmap/step.ts";
import { SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import { formatAddress } from "../../core/net/ip_address.ts";
import type { Clock } from "../../host/clock.ts";
import { errorCode } from "../../host/error.ts";
import type { TcpConnecting, TcpConnection, TcpEvents } from "../../host/tcp.ts";
import type { Udp, UdpOptions, UdpSocket } from "../../host/udp.ts";

type StepOf<K extends PortMapStep["kind"]> = Extract<PortMapStep, { readonly kind: K }>;
type Came = Omit<PortMapResult, "mono">;

/** Does one piece of work after the other. */
export class StepRunner {
  readonly #host: Clock & Udp & TcpConnecting;
  readonly #mark: number;
  readonly #onNews: (news: PortMapNews) => void;
  #isStopped = false;
  /** Ends what is waited for. */
  #interrupt: () => void = () => {};
  /** Ends a sleep. */
  #wake: () => void = () => {};

  /** @param mark That of WireGuard's datagrams, so that none of these goes through its tunnel; 0 is none. */
  constructor(
    host: Clock & Udp & TcpConnecting,
    mark: number,
    onNews: (news: PortMapNews) => void,
  ) {
    this.#host = host;
    this.#mark = mark;
    this.#onNews = onNews;
  }

  /** Does it. @returns What it returns; undefined where it was stopped. */
  async run<T>(steps: PortMapSteps<T>): Promise<T | undefined> {
    let came: Came = {};
    while (!this.#isStopped) {
      const step = steps.next({ ...came, mono: this.#host.now().mono });
      if (step.done) return step.value;
      came = await this.#do(step.value);
    }
    return undefined;
  }

  /** Somebody wants it looked at: a sleep ends. */
  wake(): void {
    this.#wake();
  }

  /** Ends it; nothing is told any more. A connection that is being made may take its time still. */
  stop(): void {
    this.#isStopped = true;
    this.#interrupt();
  }

  async #do(step: PortMapStep): Promise<Came> {
    try {
      switch (step.kind) {
        case "tell":
          this.#onNews(step.news);
          return {};
        case "sleep":
          return await this.#sleep(step);
        case "ask":
          return await this.#ask(step);
        case "converse":
          return await this.#converse(step);
      }
    } catch (error) {
      return { failure: errorCode(error) };
    }
  }

  async #sleep({ until }: StepOf<"sleep">): Promise<Came> {
    let isWoken = false;
    await this.#atMost(until - this.#host.now().mono, (done) => {
      this.#wake = () => {
        isWoken = true;
        done();
      };
    });
    this.#wake = () => {};
    return { isWoken };
  }

  async #ask({ from, datagrams, seconds, hear }: StepOf<"ask">): Promise<Came> {
    let done = () => {};
    let isOver = false;
    const socket = await this.#open({
      address: from,
      port: 0,
      onBatch: (batch) => {
        for (let i = 0; i < batch.count && !isOver; i++) {
          const length = batch.lengths[i]!;
          // What was cut is no answer.
          if (length > SLOT_SIZE) continue;
          const host = formatAddress(batch.sources, batch.sourceAt(i));
          const source = { host, port: batch.sourcePort(i) };
          isOver = hear(batch.payloads, i * SLOT_SIZE, length, source);
        }
        if (isOver) done();
      },
      // Others may get through; where none does, no answer comes.
      onSendError() {},
    });
    try {
      await this.#atMost(seconds, (finish) => {
        done = finish;
        for (const { to, bytes } of datagrams) socket.send(bytes, to);
      });
    } finally {
      isOver = true;
      socket.close();
    }
    return {};
  }

  /** Opens a socket with the mark, or without where that isn't allowed. */
  async #open(options: UdpOptions): Promise<UdpSocket> {
    if (this.#mark === 0) return await this.#host.udp(options);
    try {
      return await this.#host.udp({ ...options, mark: this.#mark });
    } catch (error) {
      if (!["EPERM", "ENOSYS"].includes(errorCode(error))) throw error;
      return await this.#host.udp(options);
    }
  }

  async #converse({ to, bytes, seconds, limit, hear }: StepOf<"converse">): Promise<Came> {
    const endsAt = this.#host.now().mono + seconds;
    const read = new Uint8Array(limit);
    let size = 0;
    let isOver = false;
    let done = () => {};
    const look = (isEnded: boolean) => {
      isOver ||= hear(read.subarray(0, size), isEnded) || isEnded;
      if (isOver) done();
    };
    const events: TcpEvents = {
      onData(data) {
        if (isOver) return;
        const part = data.subarray(0, limit - size);
        read.set(part, size);
        size += part.length;
        look(size === limit);
      },
      onEnd: () => isOver || look(true),
      onClose: () => isOver || look(true),
    };
    const connection: TcpConnection = await this.#host.tcpConnect({ to, timeout: seconds }, events);
    try {
      await this.#atMost(endsAt - this.#host.now().mono, (finish) => {
        done = finish;
        connection.write(bytes);
      });
    } finally {
      isOver = true;
      connection.abort();
    }
    return { local: connection.local.host };
  }

  /** Waits until `start` calls what it gets, for so many seconds at most, or until it is stopped. */
  async #atMost(seconds: number, start: (done: () => void) => void): Promise<void> {
    if (this.#isStopped) return;
    let cancel = () => {};
    await new Promise<void>((done) => {
      cancel = this.#host.after(Math.max(0, seconds), done);
      this.#interrupt = done;
      start(done);
    });
    this.#interrupt = () => {};
    cancel();
  }
}
