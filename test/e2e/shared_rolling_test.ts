/** Three registries on one store that are restarted one after the other, while peers ask them. */

import { assert, assertEquals } from "@std/assert";
import { ANSWER_FLAG } from "../../lib/wire/wgsig2/answer.ts";
import { QUESTION_FLAG } from "../../lib/wire/wgsig2/question.ts";
import { BINARY, testWith } from "../support/program.ts";
import { Redis } from "../support/redis.ts";
import { Asker } from "./asker.ts";
import { type Peer, Scene, Served, type UdpEnd } from "./scene.ts";
import { agree, keyFile, Looker, sharedArgs } from "./shared_scene.ts";

const SUBSCRIBE = { flags: QUESTION_FLAG.subscribe } as const;
/** Peers of each protocol. */
const PEERS = 12;
/** Milliseconds from one round of questions to the next. */
const ROUND = 100;
/** So many rounds without an answer are too many, whatever else this machine does. */
const MOST_SILENT = 20;

/** A registry, and how it is started again. */
interface Rolled {
  served: Served;
  readonly args: readonly string[];
}

/** Follows one registry, and asks again where it doesn't answer. */
class Follower {
  readonly asker: Asker;
  readonly #port: number;

  constructor(scene: Scene, number: number, port: number) {
    this.asker = new Asker(scene, number);
    this.#port = port;
  }

  /** Subscribes anew, as after a silence. */
  async subscribe(): Promise<void> {
    const flags = await this.asker.ask(this.#port, SUBSCRIBE);
    assert((flags & ANSWER_FLAG.subscribed) !== 0);
  }

  /** Waits until it is told of a peer. */
  async hears(key: string): Promise<void> {
    const { client, end } = this.asker;
    while (!client.peers.has(key)) {
      const heard = client.hear((await end.next(30)).bytes);
      if (heard?.kind === "push" && heard.told.length === 0) {
        await end.send(client.ask(Date.now() / 1000, SUBSCRIBE), this.#port);
      }
    }
  }
}

async function start(scene: Scene, port: number, args: readonly string[]): Promise<Served> {
  const running = scene.start([BINARY, "serve", "--listen", `127.0.0.1:${port}`, ...args]);
  await running.printed(/ ready /, 30);
  return new Served(running, port);
}

testWith(
  ["redis-server"],
  "a rolling restart of three registries loses no registration and tells followers",
  async () => {
    await using redis = await Redis.start();
    await using scene = await Scene.open();
    await keyFile(scene);
    const rolled: Rolled[] = [];
    for (let i = 0; i < 3; i++) {
      const more = ["--secret", scene.secretFile, "--state", `${scene.folder}/state-${i}`];
      const args = await sharedArgs(scene, redis.url, i === 0 ? more : more.slice(0, 2));
      rolled.push({ served: await start(scene, await scene.freePort(), args), args });
    }
    const ports = rolled.map(({ served }) => served.port);
    const looker = new Looker(scene);
    const known = new Map<string, string>();
    let isOver = false;

    /** Asks all three, as a client does whose name has three addresses: one that is away answers nothing. */
    const first = async (peer: Peer) => {
      while (!isOver) {
        for (const port of ports) await peer.send(peer.request(), port);
        const answer = await peer.next(10);
        assert(answer.bytes.length > 0);
        known.set(peer.publicKey, peer.endpoint);
        await pause(ROUND);
        await peer.drain();
      }
    };
    /** The same in wgsig 2, with what each registry has said. */
    const second = async (number: number, end: UdpEnd) => {
      const askers = ports.map(() => new Asker(scene, number));
      const { key } = askers[0]!.client;
      let last = 0;
      let silent = 0;
      while (!isOver) {
        let answers = 0;
        for (const [i, port] of ports.entries()) {
          const { client } = askers[i]!;
          // One client has one clock: no label comes twice.
          last = Math.max(Date.now(), last + 1);
          const label = { seconds: Math.floor(last / 1000), nanoseconds: last % 1000 * 1_000_000 };
          const heard = await client.converseOver({
            send: (datagram) => end.send(datagram, port),
            next: async () => (await end.next(0.3)).bytes,
          }, { label }).catch(() => undefined);
          if (heard?.kind === "answer") answers++;
        }
        silent = answers > 0 ? 0 : silent + 1;
        assert(silent < MOST_SILENT, "no registry answers");
        if (answers > 0) known.set(key, `${end.endpoint} proved`);
        await pause(ROUND);
        await end.drain();
      }
    };

    const peers = scene.peers(PEERS);
    const load = Promise.all([
      ...peers.map(first),
      ...peers.map((_, i) => second(1 + i, scene.end())),
    ]);
    const followers = ports.map((port, i) => new Follower(scene, 150 + i, port));
    for (const follower of followers) {
      await follower.subscribe();
      known.set(follower.asker.client.key, `${follower.asker.end.endpoint} proved`);
    }
    await pause(300);
    for (const [i, each] of rolled.entries()) {
      const before = [...known.keys()];
      assertEquals(await each.served.running.stop(), 0);
      // Meanwhile somebody comes to another one, whose followers are told, and those of the third one.
      const late = new Asker(scene, 160 + i);
      const others = followers.filter((_, at) => at !== i);
      await late.ask(ports[(i + 1) % 3]!);
      known.set(late.client.key, `${late.end.endpoint} proved`);
      for (const follower of others) await follower.hears(late.client.key);
      each.served = await start(scene, ports[i]!, each.args);
      // From its first answer on it knows all.
      const there = await looker.look(ports[i]!);
      for (const key of [...before, late.client.key]) {
        assert(there.has(key), `registration of ${key} is lost`);
      }
      await followers[i]!.subscribe();
      await followers[i]!.hears(late.client.key);
      const next = scene.peer();
      await next.ask(ports[i]!);
      known.set(next.publicKey, next.endpoint);
      for (const follower of followers) await follower.hears(next.publicKey);
    }
    isOver = true;
    await load;
    await agree(looker, ports, known, { redis });
  },
);

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
