/**
 * Keys that two hosts have: each registers, and so the endpoint that a server knows goes to and fro.
 *
 * @module
 */

import type { Sighting } from "../ask/sighting.ts";
import { endpointOf } from "../ask/sighting.ts";
import { familyOf } from "../net/host_port.ts";

/** So often an endpoint comes back that was left for another. */
const RETURNS = 3;
/** Within so many seconds: a host whose way out changes now and then is none of them. */
const WITHIN = 600;

/** What one server said of one key, in order. */
interface History {
  now: string;
  before: string | undefined;
  /** When an endpoint came back, the last few times. */
  returnedAt: number[];
}

/** A key that goes to and fro. */
export interface SharedKey {
  /** In base64. */
  readonly publicKey: string;
  /** The two that a server names in turn. */
  readonly endpoints: readonly [string, string];
}

/** Watches keys. */
export class SharedKeys {
  /** By public key and server. */
  #histories = new Map<string, Map<string, History>>();
  readonly #told = new Set<string>();

  /**
   * Takes in an answer.
   *
   * @param keys Those that are watched.
   * @param sightings Of each key, what servers say.
   * @returns Those that go to and fro, each once.
   */
  look(
    keys: readonly string[],
    sightings: ReadonlyMap<string, readonly Sighting[]>,
    mono: number,
  ): readonly SharedKey[] {
    const histories = new Map<string, Map<string, History>>();
    const shared: SharedKey[] = [];
    for (const publicKey of keys) {
      const ofKey = this.#histories.get(publicKey) ?? new Map<string, History>();
      histories.set(publicKey, ofKey);
      for (const [server, endpoint] of byServer(sightings.get(publicKey) ?? [])) {
        const endpoints = note(ofKey, server, endpoint, mono);
        if (endpoints === undefined || this.#told.has(publicKey)) continue;
        this.#told.add(publicKey);
        shared.push({ publicKey, endpoints });
      }
    }
    this.#histories = histories;
    for (const key of this.#told) if (!histories.has(key)) this.#told.delete(key);
    return shared;
  }
}

/** What each server says of each family; anyone may make claims, which don't count. */
function byServer(sightings: readonly Sighting[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const each of sightings) {
    const { server = "", address: host, kind = "seen", isClaim } = each;
    if (isClaim === true || kind !== "seen") continue;
    const name = `${server} ${familyOf({ host })}`;
    const known = found.get(name);
    found.set(name, known === undefined ? endpointOf(each) : `${known} ${endpointOf(each)}`);
  }
  return found;
}

/** @returns The two endpoints, where they have come in turn often enough. */
function note(
  histories: Map<string, History>,
  server: string,
  endpoint: string,
  mono: number,
): readonly [string, string] | undefined {
  const history = histories.get(server);
  if (history === undefined) {
    histories.set(server, { now: endpoint, before: undefined, returnedAt: [] });
    return undefined;
  }
  const { now, before } = history;
  if (endpoint === now) return undefined;
  history.now = endpoint;
  history.before = now;
  if (endpoint !== before) {
    history.returnedAt = [];
    return undefined;
  }
  history.returnedAt = [...history.returnedAt, mono].slice(-RETURNS);
  const [first = mono] = history.returnedAt;
  return history.returnedAt.length === RETURNS && mono - first < WITHIN
    ? [now, endpoint]
    : undefined;
}
