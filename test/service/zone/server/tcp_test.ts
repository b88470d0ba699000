/** DNS over TCP, without its sockets: what one connection sends at once keeps nobody waiting. */

import { assert, assertEquals } from "@std/assert";
import { Counters } from "../../../../lib/core/net/counters.ts";
import type { TcpConnection, TcpEvents, TcpListenOptions } from "../../../../lib/host/tcp.ts";
import { DnsTcp } from "../../../../lib/service/zone/server/tcp.ts";
import { test } from "../../../testing.ts";

/** So many queries are answered before all else has its turn, at the most. */
const TURN = 128;

class Scene {
  /** Of each answer, in their order, whose it is, and which. */
  readonly answered: [connection: number, query: number][] = [];
  readonly tcp: DnsTcp;
  answerSize = 20;
  #open: TcpListenOptions["onConnection"] | undefined;
  #timers = new Set<() => void>();
  #connections: TcpConnection[] = [];
  waiting = 0;
  paused = 0;

  constructor() {
    const host = {
      now: () => ({ unix: 1, mono: 1 }),
      after: (seconds: number, run: () => void) => {
        if (seconds === 0) this.#timers.add(run);
        return () => void this.#timers.delete(run);
      },
      tcpListen: (options: TcpListenOptions) => {
        this.#open = options.onConnection;
        return Promise.resolve({ port: 53, close() {} });
      },
    };
    const answer = (message: Uint8Array, connection: TcpConnection) => {
      const query = message[0]! * 256 + message[1]!;
      this.answered.push([this.#connections.indexOf(connection), query]);
      return new Uint8Array(this.answerSize);
    };
    this.tcp = new DnsTcp(host, new Counters(), answer, () => undefined);
  }

  static async open(): Promise<Scene> {
    const scene = new Scene();
    await scene.tcp.listen({ host: "192.0.2.1", port: 53 });
    return scene;
  }

  connect(): TcpEvents {
    const port = 1000 + this.#connections.length;
    const events: { current?: TcpEvents } = {};
    const connection: TcpConnection = {
      local: { host: "192.0.2.1", port: 53 },
      remote: { host: `198.51.100.${port & 255}`, port },
      waiting: 0,
      write() {},
      end() {},
      abort: () => events.current?.onClose(undefined),
      pause: () => this.paused++,
      resume: () => this.paused--,
    };
    this.#connections.push(connection);
    return events.current = this.#open!(connection);
  }

  /** Lets everything else have its turn. Returns whether something is still to be done. */
  turn(): boolean {
    const timers = [...this.#timers];
    this.#timers.clear();
    for (const run of timers) run();
    return this.#timers.size > 0;
  }
}

/** So many queries, with their numbers. */
function queries(count: number): Uint8Array {
  const bytes = new Uint8Array(4 * count);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    view.setUint16(4 * i, 2);
    view.setUint16(4 * i + 2, i);
  }
  return bytes;
}

test("what comes at once is answered in its order, a part in each turn", async () => {
  const scene = await Scene.open();
  scene.connect().onData(queries(1000));
  for (let before = 0, goesOn = true; goesOn; before = scene.answered.length) {
    const { length } = scene.answered;
    assert(length - before <= TURN, `${length - before} at once`);
    goesOn = length < 1000;
    if (goesOn) assertEquals(scene.paused, 1, "nothing more is taken until all is answered");
    scene.turn();
    assert(!goesOn || scene.answered.length > length, "it goes on");
  }
  assertEquals(scene.answered.map(([, query]) => query), Array.from({ length: 1000 }, (_, i) => i));
  assertEquals([scene.paused, scene.turn()], [0, false]);
});

test("all connections go on, however many send how much", async () => {
  const scene = await Scene.open();
  const busy = Array.from({ length: 100 }, () => scene.connect());
  for (const each of busy) each.onData(queries(500));
  const { length } = scene.answered;
  assert(length <= TURN);
  const late = scene.connect();
  late.onData(queries(1));
  let turns = 0;
  while (!scene.answered.some(([connection]) => connection === 100)) {
    turns++;
    const before = scene.answered.length;
    assert(scene.turn());
    assert(scene.answered.length - before <= TURN + 16);
  }
  assert(turns <= 20, `${turns} turns for one that comes last`);
  while (scene.turn());
  assertEquals(scene.answered.length, 50_001);
});

test("long answers are more work, and who goes away has no turn", async () => {
  const scene = await Scene.open();
  scene.answerSize = 65_537;
  const gone = scene.connect();
  gone.onData(queries(100));
  assert(scene.answered.length <= TURN / 2);
  gone.onClose(undefined);
  const { length } = scene.answered;
  assertEquals([scene.turn(), scene.answered.length], [false, length]);
});
