/**
 * Rosters and invitations of a running server, for whoever administers it through its socket.
 *
 * @module
 */

import type { HostPort } from "../../core/net/host_port.ts";
import { isPublic } from "../../core/net/reach.ts";
import { formatTunnelPrefix, networkOf, parseTunnelPrefix } from "../../core/roster/prefix.ts";
import {
  CHANGING_WORDS,
  DESK_WORDS,
  type DeskParts,
  type DeskWord,
  RosterDesk,
} from "../../core/roster/server/desk.ts";
import type { Clock } from "../../host/clock.ts";
import type { LocalAddresses } from "../../host/names.ts";
import type { Random } from "../../host/random.ts";
import type { AnswerRequest } from "../status/socket.ts";

/** What of a host it takes. */
export type RosterHost = Clock & LocalAddresses & Random;

/** What it needs of the server. */
export interface RosterParts
  extends Pick<DeskParts, "rosters" | "serverKey" | "groupIds" | "seen" | "port"> {
  /** Has on the disk what was changed; undefined where nothing is kept. */
  readonly save: (() => Promise<void>) | undefined;
  /** Told of each change, before it is on the disk. */
  changed(): void;
}

/** What the settings say. */
export interface RosterSettings {
  /** Where peers reach this server; port 0 is the one that it has. */
  readonly publicAddress: HostPort | undefined;
  readonly groups: readonly { readonly id: number; readonly network: readonly string[] }[];
}

const IS_CHANGING: ReadonlySet<DeskWord> = new Set(CHANGING_WORDS);

/** Answers `wgsig invite` and `wgsig registry`. */
export class RosterService {
  readonly #host: RosterHost;
  readonly #parts: RosterParts;
  readonly #desk: RosterDesk;
  #publicAddress: HostPort | undefined;

  constructor(host: RosterHost, parts: RosterParts) {
    this.#host = host;
    this.#parts = parts;
    this.#desk = new RosterDesk({
      rosters: parts.rosters,
      serverKey: parts.serverKey,
      random: (bytes) => host.random(bytes),
      isKept: parts.save !== undefined,
      groupIds: () => parts.groupIds(),
      seen: (group, key) => parts.seen(group, key),
      publicAddress: () => this.publicAddress,
      port: () => parts.port(),
      ownAddresses: () => host.localAddresses(),
    });
  }

  /** What it answers, by the word of the request. A change is on the disk before it is told. */
  get answers(): Readonly<Record<string, AnswerRequest>> {
    return Object.fromEntries(DESK_WORDS.map((word): [string, AnswerRequest] => [
      word,
      async (body) => {
        const answer = this.#desk.answer(word, body, this.#host.now().unix);
        if (IS_CHANGING.has(word)) {
          this.#parts.changed();
          await this.#parts.save?.();
        }
        return answer;
      },
    ]));
  }

  /** Where strangers reach this server: as the settings say, else a public address of this host. */
  get publicAddress(): HostPort | undefined {
    const port = this.#parts.port();
    const said = this.#publicAddress;
    if (said !== undefined) return said.port === 0 ? { ...said, port } : said;
    const open = this.#host.localAddresses().filter(isPublic);
    const host = open.find((each) => !each.includes(":")) ?? open[0];
    return host === undefined ? undefined : { host, port };
  }

  /** Takes over what the settings say; networks that were drawn stay where they say nothing. */
  configure({ publicAddress, groups }: RosterSettings): void {
    this.#publicAddress = publicAddress;
    for (const { id, network } of groups) {
      const roster = this.#parts.rosters.of(id);
      const wanted = network.flatMap((text) => parseTunnelPrefix(text) ?? []).map(networkOf);
      const isSame = wanted.map(formatTunnelPrefix).join() ===
        roster.networks.map(formatTunnelPrefix).join();
      if (wanted.length === 0 || isSame) continue;
      roster.setNetworks(wanted);
      this.#parts.changed();
    }
  }
}
