/**
 * How an interface's endpoint gets registered, although WireGuard owns its port.
 *
 * @module
 */

import { errorCode, explain } from "../../host/error.ts";
import type { Clock } from "../../host/clock.ts";
import type { Files } from "../../host/files.ts";
import type { Names } from "../../host/names.ts";
import type { Cryptography } from "../../host/host.ts";
import type { Processes } from "../../host/processes.ts";
import type { Random } from "../../host/random.ts";
import type { TcpConnecting } from "../../host/tcp.ts";
import type { ConnectedUdp, Udp } from "../../host/udp.ts";
import type { Device } from "../../core/net/device.ts";
import { withBorrowedPort } from "./borrowed_port.ts";
import type { QueryResult } from "../../core/query/query_result.ts";
import { query, type QueryConfig } from "../query/query.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";

/**
 * `raw` socket, `borrow` the port, the first of them that is permitted (`auto`); `tunnel` leaves it
 * to a registry that sees the endpoint through its own WireGuard interface; `none` only asks.
 */
export type RegisterMode = "auto" | "raw" | "borrow" | "tunnel" | "none";

const WHY = {
  "as-set": "as the settings say",
  "no-registry": "no registry is among the servers",
} as const;

/** A question without what the interface says. */
export type Question = Omit<QueryConfig, "port" | "anyPort" | "register" | "through">;

/** Asks registries for an interface, and registers it. */
export class Registration {
  readonly #host:
    & Clock
    & Cryptography
    & Random
    & Files
    & Processes
    & Names
    & Udp
    & ConnectedUdp
    & TcpConnecting;
  readonly #name: string;
  readonly #mode: RegisterMode;
  readonly #hasRegistry: boolean;
  #settled: Exclude<RegisterMode, "auto"> | undefined;

  /**
   * @param name Of the interface.
   * @param hasRegistry Whether there is a registry among the servers: name servers register nothing.
   */
  constructor(
    host:
      & Clock
      & Cryptography
      & Random
      & Files
      & Processes
      & Names
      & Udp
      & ConnectedUdp
      & TcpConnecting,
    name: string,
    mode: RegisterMode,
    hasRegistry: boolean,
  ) {
    this.#host = host;
    this.#name = name;
    this.#mode = mode;
    this.#hasRegistry = hasRegistry;
  }

  /** Whether registering takes WireGuard's port away for a moment, so that it is done sparingly. */
  get disturbs(): boolean {
    return this.#settled === "borrow";
  }

  /**
   * Finds out which way is open.
   *
   * @returns The way, and why it was chosen.
   */
  async settle(device: Device): Promise<{ mode: string; why: string }> {
    if (!this.#hasRegistry || this.#mode !== "auto") {
      const mode = this.#hasRegistry && this.#mode !== "auto" ? this.#mode : "none";
      this.#settled = mode;
      return { mode, why: WHY[this.#hasRegistry ? "as-set" : "no-registry"] };
    }
    try {
      const probe = await this.#host.connectedUdp({
        port: device.listenPort,
        to: { host: "127.0.0.1", port: 9 },
        raw: true,
        mark: device.mark,
        onBatch() {},
        onSendError() {},
      });
      probe.close();
      this.#settled = "raw";
      return { mode: "raw", why: "raw sockets are permitted" };
    } catch (error) {
      this.#settled = "borrow";
      return { mode: "borrow", why: `no raw socket: ${explain(error)}` };
    }
  }

  /** Asks, and registers unless `quietly`. */
  async ask(device: Device, question: Question, quietly: boolean): Promise<QueryResult> {
    const mode = quietly ? "none" : this.#settled ?? "none";
    const { listenPort: port, mark } = device;
    const host = this.#host;
    // Without the mark of WireGuard's own datagrams, ours would go through a tunnel that takes all.
    const marked = mark === 0 ? {} : { through: { raw: false, mark } };
    if (mode === "none" || mode === "tunnel" || port === 0) {
      const asking = { ...question, port: 0, anyPort: true, register: false };
      return await query(host, { ...asking, ...marked });
    }
    const registering = { ...question, port, anyPort: false, register: true };
    if (mode === "borrow") {
      return await withBorrowedPort(
        host,
        this.#name,
        port,
        () => query(host, { ...registering, ...marked }),
      );
    }
    try {
      return await query(host, { ...registering, through: { raw: true, mark } });
    } catch (error) {
      if (errorCode(error) !== "EPERM") throw error;
      throw new UserError(
        "raw sockets are not permitted; run this with CAP_NET_RAW, or with --register borrow",
        EXIT.failed,
      );
    }
  }
}
