/**
 * What was told of the interface's peers: which are alive, which can't be reached.
 *
 * @module
 */

import { explainUnreachable, type NatVerdict } from "../ask/nat_verdict.ts";
import type { Device, DevicePeer } from "../net/device.ts";
import { formatHostPort } from "../net/host_port.ts";
import type { Candidates } from "./candidates.ts";
import type { SyncNotes } from "./notes.ts";
import type { SyncedPeer } from "./options.ts";

/** Tells of each change once. */
export class PeerStates {
  readonly #notes: SyncNotes;
  #peers: ReadonlyMap<string, SyncedPeer>;
  /** What registries know them by. */
  #names: ReadonlyMap<string, string> = new Map();
  readonly #alive = new Set<string>();
  /** Peers of which it was said that they can't be reached. */
  readonly #unreachable = new Set<string>();

  /** @param peers What the settings know, by public key. */
  constructor(notes: SyncNotes, peers: ReadonlyMap<string, SyncedPeer>) {
    this.#notes = notes;
    this.#peers = peers;
  }

  /** Replaces what the settings know. */
  configure(peers: ReadonlyMap<string, SyncedPeer>): void {
    this.#peers = peers;
  }

  /** By public key: the names that registries know peers by. Those of the settings come first. */
  name(names: ReadonlyMap<string, string>): void {
    this.#names = names;
  }

  /** A peer's key and its name, where it has one. */
  named(publicKey: string): { readonly key: string; readonly name?: string } {
    const name = this.#peers.get(publicKey)?.name ?? this.#names.get(publicKey);
    return { key: publicKey, ...(name === undefined ? {} : { name }) };
  }

  /** The interface is another one: who can't be reached through it is told anew. */
  forget(): void {
    this.#unreachable.clear();
  }

  /** Tells who has come alive and who was lost. @returns Whether somebody was lost. */
  look({ peers }: Device, isAlive: (peer: DevicePeer) => boolean): boolean {
    let isLost = false;
    for (const peer of peers) {
      const { publicKey, endpoint } = peer;
      const alive = isAlive(peer);
      if (alive === this.#alive.has(publicKey)) continue;
      this.#unreachable.delete(publicKey);
      if (alive) this.#alive.add(publicKey);
      else this.#alive.delete(publicKey);
      isLost ||= !alive;
      this.#notes.change(alive ? "peer-alive" : "peer-lost", {
        ...this.named(publicKey),
        ...(endpoint === undefined ? {} : { endpoint: formatHostPort(endpoint) }),
      });
    }
    return isLost;
  }

  /**
   * Tells who is down, one by one.
   *
   * @param peers With each, the seconds since its last handshake; undefined where there was none.
   * @param isAnswered Whether a server has answered: only then is it known that none knows a peer.
   */
  tellDown(
    peers: readonly (readonly [DevicePeer, number | undefined])[],
    candidates: Candidates,
    isAnswered: boolean,
  ): void {
    for (const [{ publicKey, endpoint }, age] of peers) {
      this.#notes.event("warn", "peer-down", {
        ...this.named(publicKey),
        ...(endpoint === undefined ? {} : { endpoint: formatHostPort(endpoint) }),
        ...(age === undefined ? {} : { sinceHandshake: Math.round(age) }),
        hint: candidates.has(publicKey)
          ? "a server knows it; look again in some seconds"
          : !isAnswered
          ? "no server has said where it is; the lines before say why"
          : "no server knows it; does sync run there, with the same servers and group?",
      });
    }
  }

  /** Peers that servers hear, and that no endpoint reaches: tells of each, and what helps. */
  tellUnreachable(
    publicKeys: readonly string[],
    candidates: Candidates,
    nat: NatVerdict | undefined,
  ): void {
    for (const key of publicKeys) {
      const [newest] = candidates.get(key) ?? [];
      if (newest === undefined || this.#unreachable.has(key)) continue;
      this.#unreachable.add(key);
      this.#notes.event("warn", "peer-unreachable", {
        ...this.named(key),
        endpoint: formatHostPort(newest.endpoint),
        ...(nat === undefined ? {} : { nat: nat.nat }),
        hint: explainUnreachable(nat),
      });
    }
  }
}
