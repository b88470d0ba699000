/**
 * What the registry logs of the datagrams that it gets: peers that come and move, and drops. Rate
 * limited, so that nobody can fill a log from outside.
 *
 * @module
 */

import { COUNTER_NAMES, type CounterName } from "../../core/net/counters.ts";
import type { DatagramBatch } from "../../core/net/datagram_batch.ts";
import { formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import { formatAddress, formatIpv4 } from "../../core/net/ip_address.ts";
import { formatKey } from "../../core/net/peer_key.ts";
import type { RegistryObserver } from "../../core/registry/registry.ts";
import type { RegistryGroup } from "../../core/registry/group.ts";
import { ID_SIZE, readAddress, RECORD_PORT } from "../../wire/wgsig/record.ts";
import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { LineLimit, type Log } from "../log/log.ts";

const CHANGES_PER_SECOND = 50;
/** One line a minute for each reason; all of them up to this many a second when verbose. */
const DROP_LOG_SECONDS = 60;
const VERBOSE_DROPS_PER_SECOND = 50;

/** What a user can do about a drop. */
const DROP_HINTS: Partial<Record<CounterName, string>> = {
  "answer-cut": "its network has had what answer-budget allows, and gets the first datagram alone",
  "drop-bad-mac": "its secret is not this group's",
  "drop-encrypted": "encryption is off here",
  "drop-group-mismatch": "it was encrypted with a secret that is not this group's",
  "drop-join-unknown": "its link is damaged, another registry's, or forgotten since a month",
  "drop-not-allowed": "its key is not in the allow-list or the roster, or was revoked",
  "drop-not-opened": "its secret is not this group's",
  "drop-not-encrypted": "encryption is required here",
  "drop-outside-window": "its clock or this host's is wrong",
  "relay-drop-index":
    "after a start of the registry, until the next handshake, it is as it should be",
  "relay-drop-limited":
    "it, or all, have had what relay-pair-rate, relay-peer-rate or relay-rate allow",
  "relay-drop-nobody": "neither it nor whom that is for has asked to be relayed",
  "relay-drop-stranger": "nobody who is relayed is registered there",
  "drop-unknown-group": "no such group here, or no wgsig request at all",
  "former-secret": "it is answered, and still has the second of its group's secrets",
};

/** Logs what a registry tells of. */
export class TrafficLog implements RegistryObserver {
  readonly #log: Log;
  readonly #mono: () => number;
  readonly #changeLimit = new LineLimit(CHANGES_PER_SECOND, 1);
  readonly #dropLimits: ReadonlyMap<CounterName, LineLimit>;
  readonly #verboseDropLimit = new LineLimit(VERBOSE_DROPS_PER_SECOND, 1);

  /** @param mono A monotonic clock, in seconds. */
  constructor(log: Log, mono: () => number) {
    this.#log = log;
    this.#mono = mono;
    this.#dropLimits = new Map(
      COUNTER_NAMES.map((name) => [name, new LineLimit(1, DROP_LOG_SECONDS)]),
    );
  }

  endpointChanged(group: RegistryGroup, peer: number, isNew: boolean): void {
    const { pages } = group.table;
    const at = group.table.recordAt(peer);
    this.#logChange(group, pages, at, isNew, () => {
      return {
        host: formatIpv4(readAddress(pages, at)),
        port: pages.view.getUint16(at + RECORD_PORT),
      };
    });
  }

  ipv6EndpointChanged(group: RegistryGroup, peer: number, isNew: boolean): void {
    const { directory } = group.members;
    if (directory === undefined) return;
    const { ids, places } = directory;
    this.#logChange(group, ids, directory.idAt(peer), isNew, () => {
      const host = formatAddress(places.addresses, places.addressAt(peer));
      return { host, port: places.portOf(peer) };
    });
  }

  /** @param at Where the peer's ID is. */
  #logChange(
    group: RegistryGroup,
    { bytes }: WireBuffer,
    at: number,
    isNew: boolean,
    endpoint: () => HostPort,
  ): void {
    if (!this.#log.shows("info")) return;
    const suppressed = this.#changeLimit.take(this.#mono());
    if (suppressed === undefined) return;
    this.#log.write("info", isNew ? "peer-registered" : "peer-moved", {
      group: group.id,
      key: formatKey(bytes.slice(at, at + ID_SIZE)),
      endpoint: formatHostPort(endpoint()),
      ...(suppressed > 0 ? { "not-shown": suppressed } : {}),
    });
  }

  dropped(reason: CounterName, batch: DatagramBatch, i: number): void {
    if (!this.#log.shows("info")) return;
    const limit = this.#log.shows("debug") ? this.#verboseDropLimit : this.#dropLimits.get(reason);
    const suppressed = limit?.take(this.#mono());
    if (suppressed === undefined) return;
    const hint = DROP_HINTS[reason];
    this.#log.write("info", reason, {
      from: formatHostPort({
        host: formatAddress(batch.sources, batch.sourceAt(i)),
        port: batch.sourcePort(i),
      }),
      bytes: batch.lengths[i]!,
      ...(hint !== undefined ? { hint } : {}),
      ...(suppressed > 0 ? { "not-shown": suppressed } : {}),
    });
  }
}
