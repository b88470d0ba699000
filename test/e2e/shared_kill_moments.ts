/**
 * Kills one of several registries on a store at random moments, while peers register, move and ask
 * again at all of them, and starts it anew. Afterwards all registries and the store must know the same,
 * and everything that a registry has answered that wasn't killed.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { BINARY } from "../support/program.ts";
import type { Redis } from "../support/redis.ts";
import { Asker } from "./asker.ts";
import { randomBytes, type Scene, Served, type UdpEnd } from "./scene.ts";
import { agreeWith, keyFile, Looker, sharedArgs } from "./shared_scene.ts";

/** A registry is killed after so many milliseconds at most, */
const LATEST = 400;
/** and peers go on asking the others for as many. */
const AFTER = 100;
/** Of what happens, so much is that somebody is new, as long as there are fewer than so many; */
const NEW = 0.3;
const MOST = 80;
/** so many of them speak wgsig 2. */
const SECOND = 0.4;
/** Peers that ask at the same time. */
const HANDS = 4;
/** An answer takes so many seconds at most; of who is to be killed it is waited for less. */
const ANSWER = 10;
const LAST_ANSWER = 0.3;

/** A peer, and where the registries must know it to be. */
interface Someone {
  readonly key: string;
  /** Asks from one of its two addresses, and returns where it is then. */
  readonly ask: (port: number, seconds: number) => Promise<string>;
  /** Not where the last answer was by the registry that was killed then. */
  place: string | undefined;
  isBusy: boolean;
}

/** What became of it. */
export interface Kills {
  readonly kills: number;
  /** Peers that there were at the end, and requests that were answered. */
  readonly peers: number;
  readonly answers: number;
  /** How long it took until all agreed, in milliseconds: the median and the most. */
  readonly median: number;
  readonly most: number;
}

/** Kills registries, so often. */
export async function killRegistries(scene: Scene, redis: Redis, kills: number): Promise<Kills> {
  await keyFile(scene);
  const states = [`${scene.folder}/state`, undefined, undefined];
  const args = await sharedArgs(scene, redis.url);
  const start = async (port: number, state: string | undefined) => {
    return await again(scene, port, [...args, ...state === undefined ? [] : ["--state", state]]);
  };
  const served: Served[] = [];
  for (const state of states) served.push(await start(await scene.freePort(), state));
  const looker = new Looker(scene);
  const all: Someone[] = [];
  const times: number[] = [];
  let answers = 0;
  for (let round = 0; round < kills; round++) {
    const victim = Math.floor(Math.random() * served.length);
    let isKilled = false;
    let isOver = false;
    const hand = async () => {
      while (!isOver) {
        const at = Math.floor(Math.random() * served.length);
        if (at === victim && isKilled) continue;
        const one = pick(scene, all);
        one.isBusy = true;
        // What the one that is killed has answered, or not, may be lost.
        one.place = undefined;
        try {
          const seconds = at === victim ? LAST_ANSWER : ANSWER;
          const place = await one.ask(served[at]!.port, seconds);
          answers++;
          if (at !== victim) one.place = place;
        } catch (error) {
          if (at !== victim) throw error;
        }
        one.isBusy = false;
      }
    };
    const hands = Promise.all(Array.from({ length: HANDS }, hand));
    await pause(Math.random() * LATEST);
    await served[victim]!.running.stop("SIGKILL");
    isKilled = true;
    await pause(AFTER);
    isOver = true;
    await hands;
    served[victim] = await start(served[victim]!.port, states[victim]);
    const least = new Map<string, string>();
    for (const { key, place } of all) if (place !== undefined) least.set(key, place);
    const from = performance.now();
    const ports = served.map((each) => each.port);
    const known = await agreeWith(looker, ports, least, { redis });
    times.push(performance.now() - from);
    // Where they agree somebody is, that one is.
    for (const one of all) one.place = known.get(one.key);
  }
  for (const { running } of served) assertEquals(await running.stop(), 0);
  times.sort((a, b) => a - b);
  return {
    kills,
    peers: all.length,
    answers,
    median: times[times.length >> 1]!,
    most: times[times.length - 1]!,
  };
}

/** Starts a registry at a port of all addresses. */
async function again(scene: Scene, port: number, args: readonly string[]): Promise<Served> {
  const running = scene.start([
    ...[BINARY, "serve", "--listen", `0.0.0.0:${port}`, "--secret", scene.secretFile],
    ...args,
  ]);
  await running.printed(/ ready /, 30);
  return new Served(running, port);
}

/** Somebody who isn't asking at the moment: an old one, or a new one. */
function pick(scene: Scene, all: Someone[]): Someone {
  const idle = all.filter(({ isBusy }) => !isBusy);
  const old = idle[Math.floor(Math.random() * idle.length)];
  if (old !== undefined && (all.length >= MOST || Math.random() >= NEW)) return old;
  // At two ports of one address it would be behind a NAT that gives it one for each registry.
  const ends = [scene.end(anyAddress()), scene.end(anyAddress())] as const;
  const made = Math.random() < SECOND ? second(scene, all.length, ends) : first(scene, ends);
  all.push(made);
  return made;
}

type Ends = readonly [UdpEnd, UdpEnd];

function oneOf(ends: Ends): UdpEnd {
  return ends[Math.random() < 0.5 ? 0 : 1];
}

function anyAddress(): string {
  const [a, b] = randomBytes(2);
  return `127.1.${a}.${1 + b! % 254}`;
}

function first(scene: Scene, ends: Ends): Someone {
  const peer = scene.peer();
  const ask = async (port: number, seconds: number) => {
    const from = oneOf(ends);
    await from.drain();
    await from.send(peer.request(), port);
    await from.next(seconds);
    return from.endpoint;
  };
  return { key: peer.publicKey, ask, place: undefined, isBusy: false };
}

function second(scene: Scene, number: number, ends: Ends): Someone {
  const asker = new Asker(scene, number);
  const ask = async (port: number, seconds: number) => {
    const from = oneOf(ends);
    // Each registry has cookies, versions and epochs of its own.
    asker.client.cookie = undefined;
    asker.client.version = 0;
    asker.client.epoch = new Uint8Array(8);
    await from.drain();
    const heard = await asker.client.converseOver({
      send: (datagram) => from.send(datagram, port),
      next: async () => (await from.next(seconds)).bytes,
    });
    assertEquals(heard.kind, "answer");
    return `${from.endpoint} proved`;
  };
  return { key: asker.client.key, ask, place: undefined, isBusy: false };
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
