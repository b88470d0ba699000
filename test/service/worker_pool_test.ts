/** The workers of a server as its first thread sees them, with threads that a test plays. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ChangeLog, FLAG } from "../../lib/core/change_log.ts";
import { Counters } from "../../lib/core/counters.ts";
import type { Thread, ThreadEvents } from "../../lib/host/host.ts";
import { Log } from "../../lib/service/log.ts";
import type { FromWorker, ToWorker, WorkerStart } from "../../lib/service/worker_messages.ts";
import { WorkerPool } from "../../lib/service/worker_pool.ts";
import { MemoryHost } from "../support/memory_host.ts";

const SETTINGS = {
  number: 1,
  settings: { encryption: "auto", window: 30, groups: [], maxPeers: 10, maxAnswer: 10 },
  verbosity: "normal",
} as const;

/** A thread that does nothing but what a test has it do. */
class PlayedThread implements Thread {
  readonly told: ToWorker[] = [];
  ended = false;

  constructor(readonly events: ThreadEvents) {}

  post(message: unknown): void {
    this.told.push(message as ToWorker);
  }

  end(): void {
    this.ended = true;
  }

  say(message: FromWorker): void {
    this.events.onMessage(message);
  }

  /** What it began with. */
  get start(): WorkerStart {
    const [first] = this.told;
    assert(first?.kind === "start");
    return first;
  }

  get kinds(): string[] {
    return this.told.map(({ kind }) => kind);
  }
}

/** A host with threads, whose timers elapse when a test says so. */
class ThreadHost extends MemoryHost {
  readonly threads: PlayedThread[] = [];
  readonly timers = new Map<number, { ms: number; run: () => void }>();
  #timer = 0;

  startThread = (events: ThreadEvents): Thread => {
    const thread = new PlayedThread(events);
    this.threads.push(thread);
    return thread;
  };

  override timer(ms: number, run: () => void): () => void {
    const id = this.#timer++;
    this.timers.set(id, { ms, run });
    return () => void this.timers.delete(id);
  }

  /** Lets all timers of so many milliseconds elapse. */
  elapse(ms: number): void {
    for (const [id, timer] of [...this.timers]) {
      if (timer.ms !== ms || !this.timers.delete(id)) continue;
      timer.run();
    }
  }
}

interface Scene {
  readonly host: ThreadHost;
  readonly pool: WorkerPool;
  readonly broken: string[];
  changes: number;
}

function scene(count = 3): Scene {
  const host = new ThreadHost();
  const log = new Log(host, { format: "text", verbosity: "normal" });
  const made: Scene = {
    host,
    broken: [],
    changes: 0,
    pool: new WorkerPool(host, log, count, {
      onChange: () => void made.changes++,
      onBroken: (why) => made.broken.push(why),
    }),
  };
  return made;
}

async function started(count = 3): Promise<Scene> {
  const made = scene(count);
  const starting = made.pool.start({ ...SETTINGS, state: undefined, addresses: [] });
  for (const thread of made.host.threads) {
    thread.say({ kind: "hello", mono: 0 });
    thread.say({ kind: "ready" });
  }
  await starting;
  return made;
}

Deno.test("workers share the log with the first thread, and have counters of their own", async () => {
  const { host, pool } = await started();
  const [one, other] = host.threads.map(({ start }) => start);
  assertEquals([one!.member, other!.member], [1, 2]);
  assertEquals([one!.members, other!.members], [3, 3]);
  assert(one!.log === other!.log && one!.counters !== other!.counters);
  new Counters(other!.counters).add("received", 5);
  assertEquals(pool.counters.map((each) => each.get("received")), [0, 5]);
  assertEquals(new ChangeLog(one!.log, 1, 3).raise(FLAG.behind), true);
  assertEquals(pool.log.raise(FLAG.behind), false);
});

Deno.test("a worker learns how far its clock is behind", () => {
  const { host, pool } = scene(2);
  void pool.start({ ...SETTINGS, state: undefined, addresses: [] });
  host.elapsed = 90_000;
  host.threads[0]!.say({ kind: "hello", mono: 2.5 });
  assertEquals(host.threads[0]!.start.ahead, 87.5);
  pool.end();
});

Deno.test("a worker that can't listen, ends or says nothing keeps the server from starting", async () => {
  for (const cause of ["failed", "ended", "silent"]) {
    const { host, pool, broken } = scene();
    const starting = pool.start({ ...SETTINGS, state: undefined, addresses: [] });
    const [one, other] = host.threads;
    one!.say({ kind: "hello", mono: 0 });
    if (cause === "failed") one!.say({ kind: "failed", why: "no such address" });
    else if (cause === "ended") other!.events.onEnd("out of memory");
    else host.elapse(10_000);
    const why = {
      failed: "no such address",
      ended: "worker 2: out of memory",
      silent: "worker 1 does not answer",
    }[cause]!;
    await assertRejects(() => starting, Error, why);
    assertEquals(broken, [why]);
    assert(host.threads.every(({ ended }) => ended));
    assertEquals(host.timers.size, 0);
  }
});

Deno.test("a worker that ends later breaks the server once", async () => {
  const { host, broken } = await started();
  host.threads[0]!.events.onEnd("an error");
  host.threads[1]!.events.onEnd("another");
  assertEquals(broken, ["worker 1: an error"]);
  assertEquals(host.threads.map(({ ended }) => ended), [true, true]);
});

Deno.test("settings are there when all workers have said so", async () => {
  const { host, pool } = await started();
  let done = false;
  const preparing = pool.prepare({ ...SETTINGS, number: 2 }).then(() => done = true);
  host.threads[0]!.say({ kind: "prepared", number: 2 });
  await Promise.resolve();
  assertEquals(done, false);
  host.threads[1]!.say({ kind: "prepared", number: 2 });
  await preparing;
  assertEquals(host.threads[1]!.kinds, ["start", "prepare"]);
});

/** Has the first thread write so many changes. */
function write({ pool: { log } }: Scene, count: number): void {
  log.begin();
  for (let i = 0; i < count; i++) log.writeExpired(i);
  log.commit();
}

function readAll(log: ChangeLog): void {
  for (let count = log.pending; count > 0; count--) log.skip();
}

Deno.test("who has much to read is told to, once until it has", async () => {
  const made = await started();
  const { host, pool } = made;
  const [one, other] = host.threads;
  const logs = [1, 2].map((member) => new ChangeLog(one!.start.log, member, 3));
  write(made, pool.log.capacity / 2);
  pool.wake();
  assertEquals(one!.kinds, ["start"]);
  write(made, 1);
  readAll(logs[0]!);
  pool.wake();
  pool.wake();
  assertEquals([one!.kinds, other!.kinds], [["start"], ["start", "catch-up"]]);
  readAll(logs[1]!);
  other!.say({ kind: "caught-up" });
  pool.wake();
  assertEquals(other!.kinds.length, 2);
  pool.wake(true);
  assertEquals([one!.kinds.length, other!.kinds.length], [2, 3]);
  // It must do so within some time.
  one!.say({ kind: "caught-up" });
  host.elapse(10_000);
  assertEquals(made.broken, ["worker 2 does not answer"]);
});

Deno.test("a worker that sees that somebody is behind has the first thread read, and tell", async () => {
  const made = await started();
  const { host, pool } = made;
  const [one, other] = host.threads;
  const log = new ChangeLog(one!.start.log, 1, 3);
  readAll(log);
  log.begin();
  for (let i = 0; i <= log.capacity / 2; i++) log.writeExpired(i);
  log.commit();
  assert(log.isLagging && log.raise(FLAG.behind));
  one!.say({ kind: "behind" });
  assertEquals(made.changes, 1);
  assertEquals([one!.kinds, other!.kinds], [["start"], ["start", "catch-up"]]);
  assert(log.raise(FLAG.behind));
  pool.end();
});

Deno.test("of what changes, the first thread is told at once, and not more than ten times a second", async () => {
  const made = await started();
  const { host } = made;
  const [one] = host.threads;
  const log = new ChangeLog(one!.start.log, 1, 3);
  assert(log.raise(FLAG.changed));
  one!.say({ kind: "changed" });
  assertEquals(made.changes, 1);
  assertEquals(log.raise(FLAG.changed), false);
  host.elapse(100);
  // What happened meanwhile is not lost.
  assertEquals(made.changes, 2);
  assert(log.raise(FLAG.changed));
});

Deno.test("lines of workers are written by the first thread", async () => {
  const { host } = await started();
  host.threads[1]!.say({ kind: "line", level: "info", event: "drop-x", fields: { a: 1 } });
  host.threads[1]!.say({ kind: "line", level: "debug", event: "drop-y", fields: {} });
  assertEquals(host.out.text.replace(/^\S+ /, ""), "info drop-x a=1\n");
});

Deno.test("the server ends when all have closed their sockets, or one of them ends or is stuck", async () => {
  for (const cause of ["stopped", "ended", "stuck"]) {
    const { host, pool } = await started();
    const stopping = pool.stop();
    const [one, other] = host.threads;
    assertEquals([one!.kinds.at(-1), other!.kinds.at(-1)], ["stop", "stop"]);
    one!.say({ kind: "stopped" });
    if (cause === "stopped") other!.say({ kind: "stopped" });
    else if (cause === "ended") other!.events.onEnd("gone");
    else host.elapse(10_000);
    await stopping;
    assert(host.threads.every(({ ended }) => ended));
    assertEquals(host.timers.size, 0);
    await pool.stop();
  }
});
