/**
 * What sync and the finder of ways tell each other. Without raw sockets there is no finder at work, and
 * endpoints are tried by handshake.
 *
 * @module
 */

import type { OwnReach } from "../ask/own_reach.ts";
import type { Sighting } from "../ask/sighting.ts";
import type { Now } from "../net/clock.ts";
import type { Device, DevicePeer } from "../net/device.ts";
import type { HostPort } from "../net/host_port.ts";
import type { Place } from "../path/path.ts";
import { formatHostPort } from "../net/host_port.ts";
import type { PathFinder } from "../path/path_finder.ts";
import type { ToldPeer } from "../path/path_step.ts";
import type { PeerPath } from "../path/peer_path.ts";
import type { QueryResult } from "../query/query_result.ts";
import type { BelievedEndpoints } from "./believed.ts";
import { OwnSide } from "./own_side.ts";
import type { SyncNotes } from "./notes.ts";
import type { PeerStates } from "./peer_states.ts";
import { type Relays, relaysFor, relaysOf } from "./relays.ts";

/** Between the two. */
export class SyncedPaths {
  readonly #finder: PathFinder;
  readonly #notes: SyncNotes;
  readonly #named: PeerStates["named"];
  /** Whether probes can be sent from WireGuard's port. */
  #isOpen = false;
  readonly #own = new OwnSide();
  /** Registries that relay: as WireGuard's port was answered last. */
  #relays: Relays = new Map();

  /** @param named What to tell of a peer. */
  constructor(finder: PathFinder, notes: SyncNotes, named: PeerStates["named"]) {
    this.#finder = finder;
    this.#notes = notes;
    this.#named = named;
  }

  /** Whether this host answers probes. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The own side. */
  get own(): Pick<OwnSide, "mapping" | "mapped"> {
    return this.#own;
  }

  /** The ways to a peer; undefined where it is tried by handshake. */
  wayTo(publicKey: string, now: Now): PeerPath | undefined {
    return this.owns(publicKey, now) ? this.#finder.wayTo(publicKey) : undefined;
  }

  /**
   * What registries are to be told of the own side.
   *
   * @param tried Those that are tried by handshake, and may be reached through a relay.
   */
  reach(device: Device, tried: readonly string[]): OwnReach {
    return {
      candidates: this.#isOpen ? this.#own.candidates(device) : [],
      probes: this.#isOpen,
      nat: this.#own.mapping.nat,
      relays: [...this.#finder.relays, ...tried],
      directs: this.#finder.directs,
    };
  }

  /** Takes in this host's addresses, and those of the interface with their prefix lengths. */
  takeAddresses(addresses: readonly string[], tunnel: readonly string[]): void {
    this.#own.takeAddresses(addresses, tunnel);
  }

  /** Takes in where routers have mapped the port. */
  takeMapped(mapped: readonly HostPort[]): void {
    this.#own.takeMapped(mapped);
  }

  /** The interface's port may be spoken from, or not; undefined where there is no interface. */
  open(device: Device | undefined): void {
    this.#isOpen = device !== undefined;
    if (device === undefined) this.#finder.forget();
    const port = device && { port: device.listenPort, mark: device.mark };
    this.#notes.add({ kind: "path-port", port });
  }

  /** The interface is another one. */
  begin(): void {
    this.#finder.forget();
    this.#own.forget();
    this.#relays = new Map();
  }

  /** Whether a peer's endpoint is the finder's business. */
  owns(publicKey: string, now: Now): boolean {
    return this.#isOpen && this.#finder.owns(publicKey, now);
  }

  /** Takes in the interface. */
  see(device: Device, isAlive: (peer: DevicePeer) => boolean, now: Now): void {
    if (this.#isOpen) this.#finder.see(device, isAlive, now);
  }

  /** Takes in what servers say. */
  take(answer: QueryResult, believed: Pick<BelievedEndpoints, "has">, now: Now): void {
    if (!this.#isOpen) return;
    if (answer.registered) {
      this.#relays = relaysOf(answer);
      this.#own.take(answer);
      this.#finder.setOwn(this.#own.mapping);
    }
    this.#finder.tell(toldPeersOf(answer, this.#relays, believed), now);
  }

  /** The own side has moved. */
  ownMoved(now: Now): void {
    if (this.#isOpen) this.#finder.ownMoved(now);
  }

  /** Tells of ways that were taken. */
  tellFound(): void {
    for (const { publicKey, path, before, isSet } of this.#finder.takeFound()) {
      const { kind, endpoint, roundTrip } = path;
      const fields = {
        ...this.#named(publicKey),
        endpoint: formatHostPort(endpoint),
        ...(before === undefined ? {} : { before: formatHostPort(before.endpoint) }),
        path: kind,
        ...(roundTrip === Infinity ? {} : { roundTrip: Math.round(roundTrip * 10_000) / 10_000 }),
      };
      if (isSet) this.#notes.change("endpoint-set", fields);
      else this.#notes.event("info", "path", fields);
    }
  }
}

/** The peers that answer probes, and where they may be, by public key. */
function toldPeersOf(
  answer: QueryResult,
  relays: Relays,
  believed: Pick<BelievedEndpoints, "has">,
): ReadonlyMap<string, ToldPeer> {
  const told = new Map<string, ToldPeer>();
  for (const [publicKey, sightings] of answer.sightings) {
    if (publicKey === answer.publicKey || !sightings.some(({ probes }) => probes === true)) {
      continue;
    }
    const places = sightings.flatMap((each) => placeOf(each) ?? []);
    told.set(publicKey, {
      nat: sightings.find(({ nat }) => nat !== undefined)?.nat ?? "unknown",
      places: places.filter(({ endpoint }) => believed.has(endpoint)),
      relays: relaysFor(sightings, relays),
    });
  }
  return told;
}

function placeOf({ address: host, port, kind, isClaim }: Sighting): Place | undefined {
  if (kind === undefined || kind === "relay" || isClaim === true) return undefined;
  return { endpoint: { host, port }, kind };
}
