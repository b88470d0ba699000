/**
 * What is said of a group when `wgsig status` asks.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE, readAddress, RECORD_PORT } from "../../wire/wgsig/record.ts";
import { CANDIDATE, newCandidates } from "../../wire/wgsig2/candidate.ts";
import { NAT, natOfFlags } from "../../wire/wgsig2/nat.ts";
import { RECORD_FLAG } from "../../wire/wgsig2/record.ts";
import { formatHostPort } from "../net/host_port.ts";
import { formatAddress, formatIpv4 } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import { formatKey } from "../net/peer_key.ts";
import type { RegistryGroup } from "../registry/group.ts";
import type { PeerDirectory } from "../registry/peer_directory.ts";
import type { PeerTable } from "../registry/peer_table.ts";
import { elapsed } from "../status/rounded.ts";
import {
  type GroupReport,
  NAT_KINDS,
  type RegisteredPeerReport,
  type SaidPlaceReport,
} from "../status/serve_report.ts";

/**
 * What a peer is called; undefined where it has no name.
 *
 * @param group Whose peer it is, as far as that is known.
 */
export type NameOf = (publicKey: string, group: number | undefined) => string | undefined;

/** What a group's roster has, where it has one. */
export interface RosterCounts {
  readonly entries: number;
  readonly invitations: number;
}

/** After so many peers, others have their turn. */
const SLICE = 32;

const KINDS: Readonly<Record<number, SaidPlaceReport["kind"]>> = {
  [CANDIDATE.lan]: "lan",
  [CANDIDATE.mapped]: "mapped",
  [CANDIDATE.declared]: "declared",
};

/**
 * Says it in pieces, between which the group may change: who is gone by then is left out.
 *
 * @param most So many peers at most.
 */
export function* groupReport(
  group: RegistryGroup,
  { nameOf, roster }: { readonly nameOf: NameOf; readonly roster: RosterCounts | undefined },
  most: number,
  mono: number,
): Generator<undefined, GroupReport> {
  const { id, members, table } = group;
  const { directory, count } = members;
  const reader = new PeerReader(group, nameOf, mono);
  const peers: RegisteredPeerReport[] = [];
  // From a row, a directory that is made on the way would have another number.
  const numbers = directory === undefined ? table.newest(most) : directory.newest(most);
  for (let i = 0; i < numbers.length; i++) {
    if (i % SLICE === SLICE - 1) yield undefined;
    const number = numbers[i]!;
    const peer = directory === undefined
      ? reader.readRow(number, table)
      : reader.read(number, directory);
    if (peer !== undefined) peers.push(peer);
  }
  return {
    id,
    proof: group.isProofRequired ? "required" : "auto",
    count,
    proved: directory?.provedCount ?? 0,
    ipv6: directory?.places.seenCount ?? 0,
    nats: natsOf(directory, count),
    subscribers: directory?.pushes.subscriptions.count ?? 0,
    roster: roster?.entries ?? null,
    invitations: roster?.invitations ?? null,
    peers,
    more: Math.max(0, count - peers.length),
  };
}

/**
 * Says it of one peer; undefined where it isn't registered.
 *
 * @param key Its public key, 32 bytes.
 */
export function registeredPeer(
  group: RegistryGroup,
  key: Uint8Array,
  nameOf: NameOf,
  mono: number,
): RegisteredPeerReport | undefined {
  const { table, members: { directory } } = group;
  const id = new WireBuffer(key.slice());
  const number = directory === undefined ? table.find(id, 0) : directory.find(id, 0);
  if (number === NONE) return undefined;
  const reader = new PeerReader(group, nameOf, mono);
  return directory === undefined ? reader.readRow(number, table) : reader.read(number, directory);
}

function natsOf(directory: PeerDirectory | undefined, count: number): GroupReport["nats"] {
  const of = (nat: number) => directory?.places.countOfNat(nat) ?? 0;
  const [easy, sequential, hard] = [of(NAT.easy), of(NAT.sequential), of(NAT.hard)];
  return { unknown: Math.max(0, count - easy - sequential - hard), easy, sequential, hard };
}

/** Reads one peer after the other. */
class PeerReader {
  readonly #group: RegistryGroup;
  readonly #nameOf: NameOf;
  readonly #mono: number;
  readonly #said = newCandidates();

  constructor(group: RegistryGroup, nameOf: NameOf, mono: number) {
    this.#group = group;
    this.#nameOf = nameOf;
    this.#mono = mono;
  }

  /** A peer of the directory; undefined where it is gone. */
  read(peer: number, directory: PeerDirectory): RegisteredPeerReport | undefined {
    const { ids, places } = directory;
    const at = directory.idAt(peer);
    if (directory.find(ids, at) !== peer) return undefined;
    const row = directory.rowOf(peer);
    const flags = places.flagsOf(peer);
    const isSeen = this.#mono - places.seenAt(peer) <= this.#group.members.maxAge;
    return {
      ...this.#whose(ids, at),
      proved: directory.isProved(peer),
      protocol: directory.isMember(peer) ? 2 : 1,
      age: elapsed(this.#mono - directory.heardAt(peer)),
      endpoints: [
        ...row === NONE ? [] : endpointOf(this.#group.table, row),
        ...isSeen
          ? [formatPlace(places.addresses, places.addressAt(peer), places.portOf(peer))]
          : [],
      ],
      places: this.#saidBy(peer, directory),
      nat: NAT_KINDS[natOfFlags(flags)]!,
      probes: (flags & RECORD_FLAG.probes) !== 0,
    };
  }

  /** A row, where there is no directory; undefined where it is gone. */
  readRow(row: number, table: PeerTable): RegisteredPeerReport | undefined {
    const at = table.recordAt(row);
    if (table.find(table.pages, at) !== row) return undefined;
    return {
      ...this.#whose(table.pages, at),
      proved: false,
      protocol: 1,
      age: elapsed(this.#mono - table.seenAt(row)),
      endpoints: endpointOf(table, row),
      places: [],
      nat: "unknown",
      probes: false,
    };
  }

  #whose({ bytes }: WireBuffer, at: number): { publicKey: string; name: string | null } {
    const publicKey = formatKey(bytes.subarray(at, at + ID_SIZE));
    return { publicKey, name: this.#nameOf(publicKey, this.#group.id) ?? null };
  }

  #saidBy(peer: number, { places }: PeerDirectory): readonly SaidPlaceReport[] {
    const said = this.#said;
    said.count = 0;
    places.readSaid(peer, said, true, this.#mono);
    return said.slots.slice(0, said.count).flatMap(({ kind, address, port }) => {
      const word = KINDS[kind];
      return word === undefined ? [] : [{ kind: word, endpoint: formatPlace(address, 0, port) }];
    });
  }
}

/** Whoever has only asked has a row without an endpoint. */
function endpointOf(table: PeerTable, row: number): string[] {
  const { pages } = table;
  const at = table.recordAt(row);
  const port = pages.view.getUint16(at + RECORD_PORT);
  return port === 0 ? [] : [formatHostPort({ host: formatIpv4(readAddress(pages, at)), port })];
}

function formatPlace(addresses: WireBuffer, at: number, port: number): string {
  return formatHostPort({ host: formatAddress(addresses, at), port });
}
