/**
 * What the tests of registries that share a store act with: registries with one key, peers of both
 * protocols, and looks at what each registry and the store know.
 *
 * @module
 */

import { assert } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import {
  newShared,
  PLACE,
  readShared,
  REGISTER_CONTENT,
  REGISTER_SIZE,
} from "../../lib/wire/shared/record.ts";
import { QUESTION_FLAG } from "../../lib/wire/wgsig2/question.ts";
import { RECORD_FLAG } from "../../lib/wire/wgsig2/record.ts";
import type { StoreReply } from "../../lib/host/shared_stores.ts";
import type { Redis } from "../support/redis.ts";
import { errorCode } from "../../lib/host/error.ts";
import { Asker } from "./asker.ts";
import { randomBytes, type Scene, type Served, until } from "./scene.ts";

/** What a registry, or the store, knows: by key, where its peer is, and ` proved` where it has shown that. */
export type Known = ReadonlyMap<string, string>;

/** Clients that look, by their registries' ports: their keys' numbers are like nobody's. */
const FIRST_LOOKER = 200;

/** The file of the key that registries have in common: made where it isn't there. */
export async function keyFile(scene: Scene): Promise<string> {
  const path = `${scene.folder}/server-key`;
  try {
    await Deno.stat(path);
    return path;
  } catch {
    const key = randomBytes(32);
    key[0]! &= 248;
    key[31] = (key[31]! & 127) | 64;
    return await scene.file("server-key", `${encodeBase64(key)}\n`);
  }
}

/** The arguments of a registry on a store. */
export async function sharedArgs(
  scene: Scene,
  url: string,
  more: readonly string[] = [],
): Promise<string[]> {
  return ["--store", url, "--key", await keyFile(scene), ...more];
}

/** Starts one registry for each URL of a store, which has read that. */
export async function sharing(
  scene: Scene,
  urls: readonly string[],
  more: readonly string[] = [],
): Promise<Served[]> {
  await keyFile(scene);
  return await Promise.all(
    urls.map(async (url) => await scene.serve(await sharedArgs(scene, url, more))),
  );
}

/** Looks at what registries know, without being a peer itself. */
export class Looker {
  readonly #scene: Scene;
  readonly #asker: Asker;
  #number = FIRST_LOOKER;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#asker = this.#make();
  }

  #make(): Asker {
    return new Asker(this.#scene, this.#number++, { unproved: true });
  }

  /** What a registry knows of group 0: seen over IPv4. */
  async look(port: number): Promise<Known> {
    const { client } = this.#asker;
    // Another registry's cookie and version mean nothing to this one.
    client.cookie = undefined;
    client.version = 0;
    client.epoch = new Uint8Array(8);
    client.peers.clear();
    await this.#asker.ask(port, { flags: QUESTION_FLAG.keep });
    const known = new Map<string, string>();
    for (const [key, { flags, candidates }] of client.peers) {
      if (key === client.key) continue;
      const seen = candidates.find((each) => each.startsWith("seen "))?.slice("seen ".length);
      const proved = (flags & RECORD_FLAG.proved) === 0 ? "" : " proved";
      known.set(key, `${seen ?? "nowhere"}${proved}`);
    }
    return known;
  }
}

/** What the store has of group 0. */
export async function lookIntoStore(redis: Redis): Promise<Known> {
  const flat = await redis.call("HGETALL", "{wgsig}:peers:0");
  assert(Array.isArray(flat));
  const known = new Map<string, string>();
  const record = newShared();
  for (let i = 0; i < flat.length; i += 2) {
    const id: StoreReply = flat[i];
    const bytes: StoreReply = flat[i + 1];
    assert(id instanceof Uint8Array && bytes instanceof Uint8Array);
    const buffer = new WireBuffer(bytes);
    assert(readShared(buffer, 0, bytes.length, record), "a record that can't be read");
    const at = record.places[PLACE.row]!;
    if (at < 0) continue;
    const [a, b, c, d, high, low] = bytes.subarray(at + REGISTER_CONTENT);
    const proved = (bytes[at + REGISTER_SIZE - 1]! & 1) === 0 ? "" : " proved";
    known.set(encodeBase64(id), `${a}.${b}.${c}.${d}:${high! * 256 + low!}${proved}`);
  }
  return known;
}

/** The same; undefined where the connection was reset: sentinels do that to all clients of a new primary. */
async function lookUnlessReset(redis: Redis): Promise<Known | undefined> {
  try {
    return await lookIntoStore(redis);
  } catch (error) {
    if (errorCode(error) !== "ECONNRESET") throw error;
    return undefined;
  }
}

/** Whether both know the same. */
export function isSameKnown(a: Known, b: Known): boolean {
  return a.size === b.size && [...a].every(([key, place]) => b.get(key) === place);
}

/** Waits until registries, and the store where it is given, know exactly this. Returns milliseconds. */
export async function agree(
  looker: Looker,
  ports: readonly number[],
  expected: Known,
  { redis, seconds = 60 }: { readonly redis?: Redis; readonly seconds?: number } = {},
): Promise<number> {
  const from = performance.now();
  let last = "";
  try {
    await until("they agree", async () => {
      const all: Known[] = [];
      for (const port of ports) all.push(await looker.look(port));
      const stored = redis && await lookUnlessReset(redis);
      if (redis !== undefined && stored === undefined) return undefined;
      if (stored !== undefined) all.push(stored);
      if (all.every((known) => isSameKnown(known, expected))) return true;
      last = all.map((known) => difference(known, expected)).join("; ");
      return undefined;
    }, seconds);
  } catch (error) {
    throw new Error(`they don't agree: ${last}`, { cause: error });
  }
  return performance.now() - from;
}

/** Waits until they know the same, whatever that is, with at least this. Returns what they know. */
export async function agreeWith(
  looker: Looker,
  ports: readonly number[],
  least: Known,
  { redis, seconds = 60 }: { readonly redis?: Redis; readonly seconds?: number } = {},
): Promise<Known> {
  let last = "";
  try {
    return await until("they agree", async () => {
      const all: Known[] = [];
      for (const port of ports) all.push(await looker.look(port));
      if (redis !== undefined) all.push(await lookIntoStore(redis));
      const [first] = all;
      assert(first !== undefined);
      last = all.map((known) => difference(known, first)).join("; ");
      if (!all.every((known) => isSameKnown(known, first))) return undefined;
      const lost = [...least].filter(([key, place]) => first.get(key) !== place);
      last = lost.map(([key, place]) => `${key} is at ${first.get(key)}, not ${place}`).join("; ");
      return lost.length === 0 ? first : undefined;
    }, seconds);
  } catch (error) {
    throw new Error(`they don't agree: ${last}`, { cause: error });
  }
}

function difference(known: Known, expected: Known): string {
  const keys = new Set([...known.keys(), ...expected.keys()]);
  const wrong = [...keys].filter((key) => known.get(key) !== expected.get(key));
  const shown = wrong.slice(0, 3).map((key) => {
    return `${key.slice(0, 6)}: ${known.get(key)} for ${expected.get(key)}`;
  });
  return `${known.size} of ${expected.size}, ${wrong.length} wrong (${shown.join(", ")})`;
}

/** Peers of both protocols, and where they are. */
export class Crowd {
  readonly known = new Map<string, string>();
  readonly #scene: Scene;
  #number = 1;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** New peers register: so many of the first protocol, and so many that prove their keys. */
  async join(port: number, first: number, second: number): Promise<void> {
    for (const peer of this.#scene.peers(first)) {
      await peer.ask(port);
      this.known.set(peer.publicKey, peer.endpoint);
    }
    for (let i = 0; i < second; i++) {
      const asker = new Asker(this.#scene, this.#number++);
      await asker.ask(port);
      this.known.set(asker.client.key, `${asker.end.endpoint} proved`);
    }
  }
}
