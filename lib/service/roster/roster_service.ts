/**
 * Rosters and invitations of a running server, for whoever administers it through its socket.
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import { fieldsOf, number, text } from "../../core/net/fields.ts";
import { parseKey } from "../../core/net/peer_key.ts";
import type { RosterCounts } from "../../core/serve/group_report.ts";
import { isPublic } from "../../core/net/reach.ts";
import { formatTunnelPrefix, networkOf, parseTunnelPrefix } from "../../core/roster/prefix.ts";
import { type DeskParts, RosterDesk } from "../../core/roster/server/desk.ts";
import { CHANGING_WORDS, DESK_WORDS, type DeskWord } from "../../core/roster/server/desk_words.ts";
import type { Clock } from "../../host/clock.ts";
import type { LocalAddresses } from "../../host/names.ts";
import type { Random } from "../../host/random.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import type { Log } from "../log/log.ts";
import type { AnswerRequest } from "../status/socket.ts";

/** What of a host it takes. */
export type RosterHost = Clock & LocalAddresses & Random;

/** What it needs of the server. */
export interface RosterParts extends Pick<DeskParts, "rosters" | "groupIds" | "seen" | "port"> {
  /** Has on the disk what was changed. @returns Whether it is there. */
  save(): Promise<boolean>;
  /** Told of each change. */
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
  readonly #log: Log;
  readonly #parts: RosterParts;
  readonly #desk: RosterDesk;
  #publicAddress: HostPort | undefined;

  constructor(host: RosterHost, log: Log, parts: RosterParts) {
    this.#host = host;
    this.#log = log;
    this.#parts = parts;
    this.#desk = new RosterDesk({
      rosters: parts.rosters,
      random: (bytes) => host.random(bytes),
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
        if (IS_CHANGING.has(word)) await this.#keep(word, answer);
        return answer;
      },
    ]));
  }

  async #keep(word: DeskWord, answer: object): Promise<void> {
    const isSaved = await this.#parts.save();
    this.#parts.changed();
    const { group, name } = namesIn(answer);
    this.#log.write("info", "roster-changed", { group, name, by: word });
    if (isSaved) return;
    throw new UserError(
      "that holds until the next restart alone: the state file can't be written, as the server's " +
        "log says; mend that, and see: wgsig registry list",
      EXIT.failed,
    );
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

  /** The same as text; null where it is not known. */
  get shownAddress(): string | null {
    const address = this.publicAddress;
    return address === undefined ? null : formatHostPort(address);
  }

  /** What the roster of a group calls a peer; where the group is not known, any roster. */
  nameOf(publicKey: string, group: number | undefined): string | undefined {
    const key = parseKey(publicKey);
    if (key === undefined) return undefined;
    const { rosters } = this.#parts;
    const asked = group === undefined ? rosters.all() : [rosters.of(group)];
    return asked.map((roster) => roster.byKey(key)?.name).find((name) => name !== undefined);
  }

  /** How much there is in a group. */
  countsOf(group: number): RosterCounts {
    const { rosters } = this.#parts;
    const open = rosters.invitations.open(group, this.#host.now().unix);
    return { entries: rosters.of(group).count, invitations: open.length };
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

/** Whose group and name an answer has. */
function namesIn(answer: object): { readonly group: number; readonly name: string } {
  const { group, name } = fieldsOf(answer);
  return { group: number(group), name: text(name) };
}
