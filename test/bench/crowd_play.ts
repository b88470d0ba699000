/**
 * Plays a crowd from one process: its questions, its moves, its newcomers, and followers that have the
 * moves of others pushed. What comes of it is printed, a line of JSON for each part.
 *
 * @module
 */

import type { Host } from "../../lib/host/host.ts";
import { labelOf } from "../../lib/wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { LONG_NONCE_SIZE } from "../../lib/wire/crypto/aead_key.ts";
import { crowdAddressText, type CrowdJob, FOLLOWERS, NETWORKS, readKey } from "./crowd.ts";
import { type CrowdFigures, quantiles } from "./crowd_figures.ts";
import { CrowdPeers } from "./crowd_peers.ts";
import { CrowdSocket } from "./crowd_socket.ts";
import { wait } from "./tally.ts";

const MAX_STAT = 4096;
const TICKS = 100;
/** Seconds between two moves of peers that are followed. */
const FOLLOWED_MOVE = 0.1;
/** Seconds between two questions of a follower. */
const FOLLOWER_POLL = 2;
/** The most that is asked in a turn. */
const TURN = 128;
/** It is prime to the number of any crowd here: peers ask in an order that is not theirs. */
const STRIDE = 7_368_787;

interface Follower {
  readonly peer: number;
  readonly followed: number;
  readonly socket: CrowdSocket;
  readonly nonce: WireBuffer;
  askedAt: number;
  movedAt: number;
}

/** Plays it. */
export async function playCrowd(host: Host, job: CrowdJob): Promise<void> {
  const crowd = new Crowd(host, job, await readKey(host, job.secret), await readKey(host, job.key));
  if (job.warmUp > 0) await crowd.warmUp();
  // What is asked often is compiled then.
  await crowd.run("warming", {});
  await crowd.run("quiet", {});
  if (job.moving > 0) await crowd.run("moving", { moving: job.moving });
  crowd.follow();
  await crowd.run("followed", { moving: job.moving, follows: true });
  if (job.joins > 0) await crowd.run("joins", { moving: job.moving, joins: job.joins });
}

interface Demand {
  readonly moving?: number;
  readonly joins?: number;
  readonly follows?: boolean;
}

class Crowd {
  readonly #host: Host;
  readonly #job: CrowdJob;
  readonly #peers: CrowdPeers;
  /** By registry and network. */
  readonly #sockets: CrowdSocket[] = [];
  #followers: Follower[] = [];
  /** By peer: how often it has moved. */
  readonly #moves: Uint8Array;
  readonly #count: number;
  /** Those of wgsig 2 that are known, and so ask. */
  #known: Int32Array = new Int32Array(0);
  #joined = 0;
  #figures = newFigures();

  constructor(host: Host, job: CrowdJob, secret: Uint8Array, key: Uint8Array) {
    const { peers, first, registries, joins, seconds } = job;
    this.#host = host;
    this.#job = job;
    this.#count = peers + first;
    const room = this.#count + Math.ceil(joins * seconds) + 1;
    this.#peers = new CrowdPeers(host, secret, key, room, registries.length);
    this.#moves = new Uint8Array(room);
    registries.forEach((to, registry) => {
      for (let network = 0; network < NETWORKS; network++) {
        this.#sockets.push(new CrowdSocket(registry, crowdAddressText(network), to));
      }
    });
  }

  /** Has all peers of wgsig 2 ask until each is answered, or time is up. */
  async warmUp(): Promise<void> {
    const { peers, warmUp } = this.#job;
    const began = performance.now();
    let known = 0;
    let asked = 0;
    while (known < peers) {
      known = 0;
      for (let i = 0; i < peers; i++) {
        const peer = this.#shuffled(i, peers);
        if (this.#peers.isKnown(peer)) {
          known++;
          continue;
        }
        for (; !this.#ask(peer, false); this.#receive()) await wait(this.#host, 1);
        if (asked++ % TURN !== 0) continue;
        this.#receive();
        if ((performance.now() - began) / 1000 > warmUp) return this.#sayWarm(began);
      }
      await wait(this.#host, 50);
      this.#receive();
    }
    this.#sayWarm(began);
  }

  #sayWarm(began: number): void {
    const known = Array.from({ length: this.#job.peers }, (_, peer) => peer);
    this.#known = Int32Array.from(known.filter((peer) => this.#peers.isKnown(peer)));
    this.#say("known", (performance.now() - began) / 1000, []);
  }

  /** Has peers of a part of the crowd follow others. */
  follow(): void {
    const { registries, subscribers, peers } = this.#job;
    this.#followers = Array.from({ length: Math.min(FOLLOWERS, peers >> 1) }, (_, i) => {
      const registry = i % registries.length;
      const own = crowdAddressText(NETWORKS + i);
      const socket = new CrowdSocket(registry, own, registries[registry]!);
      const nonce = new WireBuffer(LONG_NONCE_SIZE);
      return { peer: 2 * i, followed: 2 * i + 1, socket, nonce, askedAt: -Infinity, movedAt: NaN };
    });
    const bulk = Math.min(subscribers, peers - 2 * FOLLOWERS);
    for (let i = 0; i < bulk; i++) {
      this.#ask(2 * FOLLOWERS + i, true);
      if (i % TURN === 0) this.#receive();
    }
  }

  /** Has the crowd ask for some seconds, and prints what comes of it. */
  async run(part: string, { moving = 0, joins = 0, follows = false }: Demand): Promise<void> {
    const { seconds, rate, pids } = this.#job;
    this.#receive();
    this.#figures = newFigures();
    const before = await this.#cpu(pids);
    const lost = this.#lost;
    const bytes = this.#bytes;
    const began = performance.now();
    let asked = 0;
    let joined = 0;
    let followedMoves = 0;
    // Of those that ask, so many are elsewhere then.
    const moves = rate > 0 ? this.#count * moving / 60 / rate : 0;
    for (;;) {
      const passed = (performance.now() - began) / 1000;
      if (passed >= seconds) break;
      for (let turn = 0; asked < passed * rate && turn < TURN; turn++, asked++) {
        const peer = this.#anyone();
        if (Math.random() < moves) this.#moves[peer]!++;
        this.#ask(peer, false);
      }
      for (; joined < passed * joins; joined++) this.#ask(this.#count + this.#joined++, false);
      if (follows && followedMoves < passed / FOLLOWED_MOVE) this.#moveFollowed(followedMoves++);
      this.#receive();
      await wait(this.#host, 1);
    }
    const took = (performance.now() - began) / 1000;
    await wait(this.#host, 100);
    this.#receive();
    const after = await this.#cpu(pids);
    this.#figures.lost = this.#lost - lost;
    this.#figures.bytes = this.#bytes - bytes;
    this.#say(part, took, after.map((each, i) => each - before[i]!));
  }

  #moveFollowed(turn: number): void {
    const now = performance.now();
    for (const follower of this.#followers) {
      if (now - follower.askedAt > FOLLOWER_POLL * 1000) this.#pollFollower(follower);
    }
    const follower = this.#followers[turn % this.#followers.length];
    if (follower === undefined) return;
    this.#moves[follower.followed]!++;
    follower.movedAt = performance.now();
    this.#ask(follower.followed, false);
  }

  #pollFollower(follower: Follower): void {
    const { socket, peer, followed, nonce } = follower;
    if (!socket.hasRoom) return;
    follower.askedAt = performance.now();
    const { out, nonces, nonceAt } = socket;
    const size = this.#peers.ask(
      { peer, wanted: followed, follows: true, label: this.#label() },
      socket,
      out,
      nonces,
      nonceAt,
    );
    nonce.bytes.set(nonces.bytes.subarray(nonceAt, nonceAt + LONG_NONCE_SIZE));
    socket.send(peer, size, false);
  }

  /** Returns whether it could ask: so many are under way that there is no room else. */
  #ask(peer: number, follows: boolean): boolean {
    const { peers, registries } = this.#job;
    const isFirst = peer >= peers && peer < this.#count;
    // Who follows is where it was: its question would end that.
    const isFollower = this.#followers.length > 0 && peer < 2 * FOLLOWERS && peer % 2 === 0;
    if (isFollower) return true;
    // Who moves is at another registry, too.
    const registry = (peer + this.#moves[peer]!) % registries.length;
    const network = (peer + this.#moves[peer]!) % NETWORKS;
    const socket = this.#sockets[registry * NETWORKS + network]!;
    if (!socket.hasRoom) return false;
    const { out, nonces, nonceAt } = socket;
    const label = this.#label();
    const size = isFirst ? this.#peers.askFirst(peer, label, out) : this.#peers.ask(
      { peer, wanted: (peer + 1) % peers, follows, label },
      socket,
      out,
      nonces,
      nonceAt,
    );
    socket.send(peer, size, isFirst);
    this.#figures.asked++;
    return true;
  }

  #label(): { seconds: number; nanoseconds: number } {
    // Clocks show whole milliseconds: so that no two questions have the same.
    const label = labelOf(this.#host.now().unix);
    return { ...label, nanoseconds: Math.floor(label.nanoseconds / 1e6) * 1e6 + count++ % 1e6 };
  }

  #receive(): void {
    const figures = this.#figures;
    for (const socket of this.#sockets) {
      const { news } = socket;
      while (socket.receive(this.#peers)) {
        if (news.heard === "answer" || news.heard === "first") {
          figures.answered++;
          figures.answers.push(news.took);
        } else if (news.heard === "busy") figures.busy++;
        else if (news.heard === "retry") {
          figures.retries++;
          this.#ask(news.peer, false);
        }
      }
      socket.forget();
    }
    for (const follower of this.#followers) this.#hearFollower(follower);
  }

  #hearFollower(follower: Follower): void {
    const { socket, peer, nonce } = follower;
    while (socket.receive(this.#peers)) {
      const { heard } = socket.news;
      if (heard === "retry") this.#pollFollower(follower);
      if (heard !== "stranger" || !socket.hearPush(this.#peers, peer, nonce)) continue;
      if (!Number.isNaN(follower.movedAt)) {
        this.#figures.pushes.push(performance.now() - follower.movedAt);
      }
      follower.movedAt = NaN;
      this.#pollFollower(follower);
    }
  }

  /** Any of those that take part. */
  #anyone(): number {
    const { peers, first } = this.#job;
    const any = (count: number) => Math.floor(Math.random() * count);
    const isFirst = this.#known.length === 0 || any(this.#count) < first;
    return isFirst ? peers + any(first) : this.#known[any(this.#known.length)]!;
  }

  #shuffled(i: number, count: number): number {
    return (i % count * STRIDE) % count;
  }

  get #lost(): number {
    return this.#sockets.reduce((sum, { lost }) => sum + lost, 0);
  }

  get #bytes(): number {
    return this.#sockets.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async #cpu(pids: readonly number[]): Promise<number[]> {
    const found: number[] = [];
    for (const pid of pids) {
      const { bytes } = await this.#host.readFile(`/proc/${pid}/stat`, MAX_STAT);
      const fields = new TextDecoder().decode(bytes).split(") ")[1]!.split(" ");
      found.push((Number(fields[11]) + Number(fields[12])) / TICKS);
    }
    return found;
  }

  #say(part: string, seconds: number, cpu: readonly number[]): void {
    let known = 0;
    for (let peer = 0; peer < this.#job.peers; peer++) if (this.#peers.isKnown(peer)) known++;
    const { answers, pushes, ...rest } = this.#figures;
    const figures: CrowdFigures = {
      ...rest,
      part,
      seconds,
      cpu,
      known,
      answers: quantiles(answers),
      pushes: quantiles(pushes),
    };
    this.#host.out.write(`${JSON.stringify(figures)}\n`);
  }
}

let count = 0;

function newFigures() {
  const none: number[] = [];
  return {
    asked: 0,
    answered: 0,
    lost: 0,
    busy: 0,
    retries: 0,
    bytes: 0,
    answers: [...none],
    pushes: [...none],
  };
}
