/**
 * The workers of `wgsig serve`, as the first thread sees them: it starts them, sees to it that none
 * falls too far behind, gives them new settings, and ends the server when one has ended.
 *
 * @module
 */

import { ChangeLog, changeLogSize, FLAG } from "../core/change_log.ts";
import { Counters, COUNTERS_SIZE } from "../core/counters.ts";
import type { Host, Thread } from "../host/host.ts";
import type { Log } from "./log.ts";
import type { FromWorker, ToWorker, WorkerSettings, WorkerStart } from "./worker_messages.ts";

/** What all workers begin with. */
export type PoolStart =
  & WorkerSettings
  & Pick<WorkerStart, "state" | "addresses">;

/** Whom the pool tells. */
export interface PoolEvents {
  /** The workers have changed something, which is to be repeated and saved. */
  onChange(): void;
  /** A worker has ended, or does nothing any more. Called once. */
  onBroken(why: string): void;
}

/** A worker says that it did what it was told within this time, or it is stuck. */
const ANSWER_MS = 10_000;
/** The time between two looks at what the workers have changed. */
const CHANGE_INTERVAL_MS = 100;

interface Member {
  readonly thread: Thread;
  readonly counters: Counters;
  readonly memory: SharedArrayBuffer;
  /** What it was told, and has not said it did: by the kind of that answer. */
  readonly awaited: Map<FromWorker["kind"], { done(): void; cancel(): void }>;
}

/** The threads beside the first. */
export class WorkerPool {
  /** The first thread's view of the log. */
  readonly log: ChangeLog;
  readonly #memory: SharedArrayBuffer;
  readonly #host: Host;
  readonly #lines: Log;
  readonly #events: PoolEvents;
  /** How many threads serve, with the first. */
  readonly count: number;
  readonly #members: Member[] = [];
  #ended = false;
  /** What workers that say hello are given. */
  #start: PoolStart | undefined;
  /** Why a worker can't serve; told to who starts it. */
  #refuse: (why: string) => void = () => {};
  /** Nobody needs to be waited for. */
  #over: () => void = () => {};

  constructor(host: Host, lines: Log, count: number, events: PoolEvents) {
    this.#host = host;
    this.#lines = lines;
    this.#events = events;
    this.count = count;
    this.#memory = new SharedArrayBuffer(changeLogSize());
    this.log = new ChangeLog(this.#memory, 0, count);
  }

  /**
   * Starts the workers, and waits until they listen.
   *
   * @throws {Error} Where one of them can't.
   */
  async start(start: PoolStart): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#refuse = (why) => reject(new Error(why));
    });
    this.#start = start;
    const ready = Array.from({ length: this.count - 1 }, (_, i) => this.#startOne(i + 1));
    await Promise.race([Promise.all(ready), failed]);
    this.#refuse = () => {};
    this.#start = undefined;
  }

  /** Gives the workers settings, and waits until all have them. */
  async prepare(settings: WorkerSettings): Promise<void> {
    await Promise.all(
      this.#members.map((member) =>
        this.#ask(member, { kind: "prepare", ...settings }, "prepared")
      ),
    );
  }

  /** Has those repeat what happened who have much to repeat; all of them with `all`. */
  wake(all = false): void {
    if (!all && !this.log.isLagging) return;
    this.#members.forEach((member, i) => {
      if (member.awaited.has("caught-up")) return;
      if (all || this.log.behind(i + 1) > this.log.capacity / 4) {
        void this.#ask(member, { kind: "catch-up" }, "caught-up");
      }
    });
  }

  /** What each worker has counted. */
  get counters(): readonly Counters[] {
    return this.#members.map(({ counters }) => counters);
  }

  /** Has the workers close their sockets, and waits for it. */
  async stop(): Promise<void> {
    if (this.#ended) return;
    const stopped = this.#members.map((member) => this.#ask(member, { kind: "stop" }, "stopped"));
    const over = new Promise<void>((resolve) => this.#over = resolve);
    await Promise.race([Promise.all(stopped), over]);
    this.end();
  }

  /** Ends the threads, whatever they do. */
  end(): void {
    this.#ended = true;
    this.#over();
    for (const { thread, awaited } of this.#members) {
      for (const { cancel } of awaited.values()) cancel();
      thread.end();
    }
  }

  #startOne(number: number): Promise<void> {
    const { startThread } = this.#host;
    if (startThread === undefined) throw new Error("there are no threads on this host");
    const memory = new SharedArrayBuffer(COUNTERS_SIZE);
    const member: Member = {
      thread: startThread({
        onMessage: (message) => this.#take(member, number, message as FromWorker),
        onEnd: (why) => this.#break(`worker ${number}: ${why}`),
      }),
      counters: new Counters(memory),
      memory,
      awaited: new Map(),
    };
    this.#members.push(member);
    return this.#await(member, "ready");
  }

  #take(member: Member, number: number, message: FromWorker): void {
    if (this.#ended) return;
    switch (message.kind) {
      case "hello":
        if (this.#start === undefined) return;
        return this.#tell(member, {
          kind: "start",
          member: number,
          members: this.count,
          log: this.#memory,
          counters: member.memory,
          ahead: this.#host.mono() / 1000 - message.mono,
          ...this.#start,
        });
      case "failed":
        return this.#break(message.why);
      case "changed":
        return this.#lookAtChanges();
      case "behind":
        this.log.lower(FLAG.behind);
        this.#events.onChange();
        return this.wake();
      case "line":
        return this.#lines.write(message.level, message.event, message.fields);
      default:
        member.awaited.get(message.kind)?.done();
    }
  }

  /** Now, and once more for all that happens in the next moment: then workers tell again. */
  #lookAtChanges(): void {
    this.#events.onChange();
    this.#host.timer(CHANGE_INTERVAL_MS, () => {
      if (this.#ended) return;
      this.log.lower(FLAG.changed);
      this.#events.onChange();
    });
  }

  #tell(member: Member, message: ToWorker): void {
    member.thread.post(message);
  }

  /** Tells a worker to do something, and waits until it says that it did. */
  #ask(member: Member, message: ToWorker, answer: FromWorker["kind"]): Promise<void> {
    const answered = this.#await(member, answer);
    this.#tell(member, message);
    return answered;
  }

  #await(member: Member, answer: FromWorker["kind"]): Promise<void> {
    return new Promise((resolve) => {
      const why = `worker ${this.#members.indexOf(member) + 1} does not answer`;
      const cancel = this.#host.timer(ANSWER_MS, () => this.#break(why));
      const done = () => {
        cancel();
        member.awaited.delete(answer);
        resolve();
      };
      member.awaited.set(answer, { done, cancel });
    });
  }

  #break(why: string): void {
    if (this.#ended) return;
    this.end();
    this.#refuse(why);
    this.#events.onBroken(why);
  }
}
