/**
 * Kills a server at random moments while peers register and move, and looks at what the next one
 * knows: nothing of what was there 5 s before may be missing, and no request that was heard before may
 * move a peer. Some peers speak wgsig 2, and have proved their keys: that must be known as well.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { RECORD_FLAG } from "../../lib/wire/wgsig2/record.ts";
import { QUESTION_FLAG } from "../../lib/wire/wgsig2/question.ts";
import { Asker } from "./asker.ts";
import { KEEP_ENDPOINT, type Peer, recordOf, Scene } from "./scene.ts";

/** At most this much is lost by kill -9, in seconds. */
const LOSS = 5;
/** The latest moment at which a server is killed, in seconds. */
const LATEST = 9;
/** Milliseconds from one thing that happens to the next, at most. */
const PAUSE = 60;
/** Of what happens, so much is that a peer moves or asks again; else one is new. */
const KNOWN = 0.7;
/** So much of it happens in wgsig 2. */
const SECOND = 0.3;
/** The clocks of some peers are ahead, by this much at most, in seconds. */
const MOST_AHEAD = 20;

/** Where something was from when on, the last place at the end. */
type Places = readonly { readonly at: number; readonly endpoint: string }[];

/** A peer that proves its key. */
interface Proved {
  readonly asker: Asker;
  readonly places: { readonly at: number; readonly endpoint: string }[];
}

/** A peer, and where it was from when on. */
interface Known {
  readonly peer: Peer;
  /** Its clock is ahead by this much, in seconds. */
  readonly off: number;
  readonly places: { readonly at: number; readonly endpoint: string }[];
  /** The last request that it has sent. */
  heard: Uint8Array;
}

/** What a moment has shown. */
export interface Moment {
  /** When the server was killed, in seconds from its start. */
  readonly killedAt: number;
  /** Peers that had registered, and how many of them the next server had not, or elsewhere. */
  readonly peers: number;
  readonly lost: number;
  /** How old the oldest of what was lost was, in seconds. */
  readonly oldest: number;
}

/** Lets a server run until a random moment, kills it, and checks the next. */
export async function killOnce(): Promise<Moment> {
  await using scene = await Scene.open();
  const args = ["--state", `${scene.folder}/state`];
  const first = await scene.serve(args);
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const killAt = Math.random() * LATEST;
  const known: Known[] = [];
  const proved: Proved[] = [];
  while (seconds() < killAt) {
    if (Math.random() < SECOND) await happenSecond(scene, first.port, proved, seconds);
    else await happen(scene, first.port, known, seconds);
    await new Promise((done) => setTimeout(done, Math.random() * PAUSE));
  }
  const killedAt = seconds();
  await first.running.stop("SIGKILL");

  const second = await scene.serve(args);
  const thief = scene.peer();
  for (const { heard, off, places } of known) {
    // How far a clock is ahead is known from the first request on, but for what is lost.
    const isKnown = off === 0 || places[0]!.at <= killedAt - LOSS;
    if (isKnown) await thief.send(heard, second.port);
  }
  await thief.drain();
  for (const { asker, places } of proved) {
    for (const datagram of asker.sent) await thief.send(datagram, second.port);
    // A proof that is lost is none: then the first protocol may say where its peer is.
    const isKnown = places[0]!.at <= killedAt - LOSS;
    if (isKnown) await thief.send(thief.request({ id: asker.client.id }), second.port);
  }
  await thief.drain();
  await scene.peer().ask(second.port, { flags: KEEP_ENDPOINT });
  const looker = new Asker(scene, 0, { unproved: true });
  await looker.ask(second.port, { flags: QUESTION_FLAG.keep });
  const answer = await scene.peer().ask(second.port, { flags: KEEP_ENDPOINT });
  let lost = 0;
  let oldest = 0;
  for (const { peer, places } of known) {
    const endpoint = recordOf(answer, peer)?.endpoint;
    assert(endpoint !== thief.endpoint, "an old request has moved a peer");
    note(places, endpoint);
  }
  for (const { asker, places } of proved) {
    const found = looker.client.peers.get(asker.client.key);
    const seen = found?.candidates.find((each) => each.startsWith("seen "));
    assert(found === undefined || (found.flags & RECORD_FLAG.proved) !== 0, "a proof was lost");
    note(places, seen?.slice("seen ".length));
  }
  assertEquals(await second.running.stop(), 0);
  return { killedAt, peers: known.length + proved.length, lost, oldest };

  /** Checks where a peer is in the next server. */
  function note(places: Places, endpoint: string | undefined): void {
    // The places that it may be at: the last one of 5 s ago, and all since.
    const fixed = places.findLastIndex(({ at }) => at <= killedAt - LOSS);
    const allowed = places.slice(Math.max(0, fixed)).map((place) => place.endpoint);
    if (fixed < 0 && endpoint === undefined) allowed.push("none");
    assert(allowed.includes(endpoint ?? "none"), `${endpoint} is none of ${allowed}`);
    const last = places[places.length - 1]!;
    if (endpoint === last.endpoint) return;
    lost++;
    oldest = Math.max(oldest, killedAt - last.at);
  }
}

/** A peer proves its key, moves, or asks again. */
async function happenSecond(
  scene: Scene,
  port: number,
  proved: Proved[],
  seconds: () => number,
): Promise<void> {
  const old = Math.random() < KNOWN ? proved[Math.floor(Math.random() * proved.length)] : undefined;
  const asker = old?.asker ?? new Asker(scene, proved.length + 1);
  const end = old === undefined || Math.random() < 0.5 ? asker.end : scene.end();
  await asker.ask(port, {}, end);
  const place = { at: seconds(), endpoint: end.endpoint };
  if (old === undefined) proved.push({ asker, places: [place] });
  else old.places.push(place);
}

/** A peer is new, moves, or asks again. */
async function happen(
  scene: Scene,
  port: number,
  known: Known[],
  seconds: () => number,
): Promise<void> {
  const old = Math.random() < KNOWN ? known[Math.floor(Math.random() * known.length)] : undefined;
  const peer = old?.peer ?? scene.peer();
  const off = old?.off ?? (Math.random() < 0.5 ? 0 : Math.round(Math.random() * MOST_AHEAD));
  const from = old === undefined || Math.random() < 0.5 ? peer : scene.peer();
  const label = Date.now() / 1000 + off;
  const heard = peer.request({
    seconds: Math.floor(label),
    nanoseconds: Math.floor(label % 1 * 1e9),
  });
  await from.send(heard, port);
  await from.answer();
  const place = { at: seconds(), endpoint: from.endpoint };
  if (old === undefined) known.push({ peer, off, places: [place], heard });
  else {
    old.places.push(place);
    old.heard = heard;
  }
}

/** Kills servers at so many moments, some of them at the same time. */
export async function killAtMoments(moments: number, together: number): Promise<Moment[]> {
  const results: Moment[] = [];
  let begun = 0;
  await Promise.all(Array.from({ length: together }, async () => {
    while (begun++ < moments) results.push(await killOnce());
  }));
  return results;
}
