/**
 * Asks servers for an interface, and registers its endpoint, although WireGuard owns its port.
 *
 * @module
 */

import { formatHostPort } from "../../core/net/host_port.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import type { Answers, SyncQuestion } from "../../core/sync/actions.ts";
import { errorCode } from "../../host/error.ts";
import { type Clock, pause } from "../../host/clock.ts";
import type { Files } from "../../host/files.ts";
import type { Names } from "../../host/names.ts";
import type { Cryptography } from "../../host/host.ts";
import type { Processes } from "../../host/processes.ts";
import type { Random } from "../../host/random.ts";
import type { TcpConnecting } from "../../host/tcp.ts";
import type { ConnectedUdp, Udp } from "../../host/udp.ts";
import { query, type QueryConfig } from "../query/query.ts";
import { withBorrowedPort } from "./borrowed_port.ts";
import type { SyncConfig } from "./config.ts";

/** Seconds between two questions at about the same time: clocks may show whole milliseconds. */
const LABELS_APART = 0.02;

/** What of a host is needed to ask. */
export type AskingHost =
  & Clock
  & Cryptography
  & Random
  & Files
  & Processes
  & Names
  & Udp
  & ConnectedUdp
  & TcpConnecting;

/** Fails where a raw socket for this port of WireGuard's isn't permitted. */
export async function tryRaw(host: ConnectedUdp, port: number, mark: number): Promise<void> {
  const probe = await host.connectedUdp({
    port,
    to: { host: "127.0.0.1", port: 9 },
    raw: true,
    mark,
    onBatch() {},
    onSendError() {},
  });
  probe.close();
}

/**
 * Asks. Servers that don't answer are reported in the result, not thrown.
 *
 * @returns The answers, and what could not be kept on the way.
 */
export async function askServers(
  host: AskingHost,
  config: SyncConfig,
  { way, beside, port, mark, id, keys, openTo }: SyncQuestion,
): Promise<Answers & { readonly notKept: string | undefined }> {
  const { servers, secret, serverKeys, group, encrypt, maxAge, timeout } = config;
  const question: Omit<QueryConfig, "port" | "anyPort" | "register"> = {
    servers,
    secret,
    serverKeys,
    group,
    encrypt,
    maxAge,
    timeout,
    id,
    keys,
    known: [...openTo.keys()],
    opensTo: ({ publicKey, address, port }) => {
      if (!openTo.has(publicKey)) return false;
      const found = openTo.get(publicKey);
      return found === undefined || formatHostPort(found) !== `${address}:${port}`;
    },
    // Without the mark of WireGuard's own datagrams, ours would go through a tunnel that takes all.
    ...(mark === 0 ? {} : { through: { raw: false, mark } }),
  };
  const unregistered = { ...question, port: 0, anyPort: true, register: false };
  const registering = { ...question, port, anyPort: false, register: true };
  const both = async (registering: QueryConfig): Promise<Answers> => {
    if (!beside) return { answer: await query(host, registering) };
    // It only serves to compare: what is wrong with it alone is no matter.
    const other = query(host, unregistered).catch(() => undefined);
    // A registry takes one key's requests only with labels that rise.
    await pause(host, LABELS_APART);
    const [answer, compared] = await Promise.all([query(host, registering), other]);
    return { answer, beside: compared };
  };
  switch (way) {
    case "unregistered":
      return { answer: await query(host, unregistered), notKept: undefined };
    case "borrow": {
      const ask = () => both(registering);
      const { answer, notKept } = await withBorrowedPort(host, config.interface, port, ask);
      return { ...answer, notKept };
    }
    case "raw":
      try {
        const through = { raw: true, mark };
        return { ...await both({ ...registering, through }), notKept: undefined };
      } catch (error) {
        if (errorCode(error) !== "EPERM") throw error;
        throw new UserError(
          "raw sockets are not permitted; run this with CAP_NET_RAW, or with --register borrow",
          EXIT.failed,
        );
      }
  }
}
