/**
 * Asks servers for an interface, and registers its endpoint, although WireGuard owns its port; and
 * hears what they tell without being asked.
 *
 * @module
 */

import { formatHostPort } from "../../core/net/host_port.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import type { OwnReach } from "../../core/ask/own_reach.ts";
import { mergeSightings } from "../../core/query/merged_sightings.ts";
import type { QueryResult } from "../../core/query/query_result.ts";
import type { Answers, SyncNews, SyncQuestion } from "../../core/sync/actions.ts";
import { ServerClocks } from "../../core/zone/client/server_clocks.ts";
import { errorCode } from "../../host/error.ts";
import type { Clock } from "../../host/clock.ts";
import type { Files } from "../../host/files.ts";
import type { Names } from "../../host/names.ts";
import type { Cryptography } from "../../host/host.ts";
import type { Processes } from "../../host/processes.ts";
import type { Random } from "../../host/random.ts";
import type { TcpConnecting } from "../../host/tcp.ts";
import type { ConnectedUdp, Udp } from "../../host/udp.ts";
import { ServerNames } from "../ask/server_addresses.ts";
import { ServersAside } from "../query/aside.ts";
import { query, type QueryConfig } from "../query/query.ts";
import { withBorrowedPort } from "./borrowed_port.ts";
import type { SyncConfig } from "./config.ts";
import { Registries } from "./registries.ts";

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

/** Asks all servers, all at the same time. */
export class Asking {
  readonly #host: AskingHost;
  readonly #registries: Registries;
  readonly #names: ServerNames;
  readonly #aside: ServersAside;
  readonly #clocks = new ServerClocks();
  /** What was said last, and how old that may be, in seconds. */
  #last: { readonly answer: QueryResult; readonly maxAge: number } | undefined;

  /**
   * Has asked nothing yet.
   *
   * @param readPrivateKey See `RegistriesHandlers`.
   * @param hear Is told what servers tell without being asked.
   */
  constructor(
    host: AskingHost,
    readPrivateKey: () => Promise<Uint8Array | undefined>,
    hear: (news: SyncNews) => void,
  ) {
    this.#host = host;
    this.#names = new ServerNames(host);
    this.#aside = new ServersAside(host);
    this.#registries = new Registries(host, {
      readPrivateKey,
      onTold: () => {
        const answer = this.#retold();
        if (answer !== undefined) hear({ kind: "told", answer });
      },
      onBehind: () => hear({ kind: "behind" }),
    });
  }

  /** Hears no more. */
  close(): void {
    this.#registries.close();
  }

  /**
   * Tells registries at once whom to relay; all else is as it was said last.
   *
   * @returns Whether one has answered, within a second.
   */
  tell(own: Pick<OwnReach, "relays" | "directs">): Promise<boolean> {
    return this.#registries.tell(own);
  }

  /** Asks. @returns What servers said, and in words what could not be kept on the way. */
  async ask(
    config: SyncConfig,
    asked: SyncQuestion,
  ): Promise<Answers & { readonly notKept: string | undefined }> {
    const { answer, notKept } = await this.#askThrough(config, asked);
    this.#last = { answer, maxAge: config.maxAge };
    return { answer, beside: this.#besideOf(answer), notKept };
  }

  async #askThrough(
    config: SyncConfig,
    asked: SyncQuestion,
  ): Promise<{ readonly answer: QueryResult; readonly notKept: string | undefined }> {
    const { way, port, mark, id } = asked;
    const { servers, secret, group, serverKeys } = config;
    if (secret !== undefined && servers.some(({ scheme }) => scheme === "wgsig")) {
      await this.#registries.prepare({ id, secret, group, serverKeys });
    }
    const question = this.#questionOf(config, asked);
    const registering = { ...question, port, anyPort: false, register: true };
    const host = this.#host;
    switch (way) {
      case "unregistered": {
        const unregistered = { ...question, port: 0, anyPort: true, register: false };
        return { answer: await query(host, unregistered), notKept: undefined };
      }
      case "borrow":
        return await withBorrowedPort(
          host,
          config.interface,
          port,
          () => query(host, registering),
        );
      case "raw":
        try {
          const through = { raw: true, mark };
          return { answer: await query(host, { ...registering, through }), notKept: undefined };
        } catch (error) {
          if (errorCode(error) !== "EPERM") throw error;
          throw new UserError(
            "raw sockets are not permitted; run this with CAP_NET_RAW, or with --register borrow",
            EXIT.failed,
          );
        }
    }
  }

  #questionOf(
    { servers, secret, group, encrypt, maxAge, timeout, once, serverKeys, tsigKeys, trustRegistry }:
      SyncConfig,
    { beside, anew, mark, id, keys, wants, own, openTo }: SyncQuestion,
  ): Omit<QueryConfig, "port" | "anyPort" | "register"> {
    return {
      servers,
      secret,
      group,
      encrypt,
      maxAge,
      timeout,
      names: this.#names,
      aside: this.#aside,
      clocks: this.#clocks,
      id,
      keys,
      serverKeys,
      tsigKeys,
      followsRoster: trustRegistry !== undefined,
      known: [...openTo.keys()],
      opensTo: ({ publicKey, address: host, port, probes }) => {
        // Who answers probes is left to them: what arrives too early costs a mapping at some routers.
        if (!openTo.has(publicKey) || (probes === true && own.probes)) return false;
        const found = openTo.get(publicKey);
        return found === undefined || formatHostPort(found) !== formatHostPort({ host, port });
      },
      // Without the mark of WireGuard's own datagrams, ours would go through a tunnel that takes all.
      ...(mark === 0 ? {} : { through: { raw: false, mark } }),
      askRegistries: (question, addresses) => {
        const othersAnswer = this.#aside.answers;
        const how = { wants, beside, anew, subscribes: !once, own, othersAnswer };
        return this.#registries.ask(question, how, addresses);
      },
    };
  }

  /** The same answer, with what came to a port of our own where that can be compared. */
  #besideOf(answer: QueryResult): QueryResult | undefined {
    const besides = this.#registries.besides();
    if (!answer.registered || besides.size === 0) return undefined;
    return {
      ...answer,
      servers: answer.servers.map((each) => ({ ...each, received: besides.get(each.server) })),
    };
  }

  /** What was said last, with what registries have told since in the place of what they had said. */
  #retold(): QueryResult | undefined {
    if (this.#last === undefined) return undefined;
    const { answer: last, maxAge } = this.#last;
    const { unix } = this.#host.now();
    const told = this.#registries.sightings();
    const before = [...last.sightings.values()].flat()
      .filter(({ server }) => server === undefined || !told.has(server));
    const since = [...told].flatMap(([server, all]) => all.map((each) => ({ ...each, server })));
    const sightings = mergeSightings([...before, ...since], last.servers, { unix, maxAge });
    const peers = [...sightings.values()].flatMap(([newest]) => newest ?? []);
    return { ...last, sightings, peers, unix };
  }
}
