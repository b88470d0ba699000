/** What happens while a start waits for a store: signals, the service manager, and the log. */

import { assertEquals, assertMatch } from "@std/assert";
import type { Signal } from "../../../lib/host/signals.ts";
import { Log } from "../../../lib/service/log/log.ts";
import { waitForStore } from "../../../lib/service/shared/store_wait.ts";

/** A host with a clock, timers and signals that the test moves. */
class Waiting {
  mono = 0;
  out = "";
  readonly handlers = new Map<Signal, () => void>();
  readonly notices: string[] = [];
  #timers: { readonly at: number; readonly run: () => void }[] = [];
  readonly host = {
    now: () => ({ unix: 0, mono: this.mono }),
    after: (seconds: number, run: () => void) => {
      const timer = { at: this.mono + seconds, run };
      this.#timers.push(timer);
      return () => void (this.#timers = this.#timers.filter((each) => each !== timer));
    },
    onSignal: (signal: Signal, run: () => void) => {
      this.handlers.set(signal, run);
      return () => void this.handlers.delete(signal);
    },
  };
  complete = () => {};
  readonly end = waitForStore(
    this.host,
    new Log({ ...this.host, ...outputs((text) => this.out += text) }, {
      format: "text",
      verbosity: "normal",
    }),
    { starting: (status, seconds) => void this.notices.push(`${status} ${seconds}`) },
    new Promise<void>((done) => this.complete = done),
  );

  get timers(): number {
    return this.#timers.length;
  }

  pass(seconds: number): void {
    this.mono += seconds;
    const due = this.#timers.filter(({ at }) => at <= this.mono);
    this.#timers = this.#timers.filter(({ at }) => at > this.mono);
    for (const { run } of due) run();
  }
}

function outputs(post: (text: string) => void) {
  const out = {
    isTerminal: false,
    width: undefined,
    file: undefined,
    flush: () => Promise.resolve(),
    writeBytes: () => {},
    write: post,
    post: (text: string) => {
      post(text);
      return true;
    },
  };
  return { out, err: out };
}

Deno.test("who waits for the store tells the service manager so again and again, and the log once", async () => {
  const waiting = new Waiting();
  assertEquals(waiting.out, "");
  for (let i = 0; i < 12; i++) waiting.pass(1);
  assertEquals(waiting.notices, Array(3).fill("waiting for the store 20"));
  assertMatch(waiting.out, /^\S+ warn store-waiting hint=".*--store-start alone.*"\n$/);
  waiting.handlers.get("SIGHUP")?.();
  waiting.complete();
  assertEquals(await waiting.end, { signal: undefined, isReloadAsked: true });
  assertEquals([waiting.timers, waiting.handlers.size], [0, 0], "nothing is left of it");
});

Deno.test("a signal ends the wait", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const waiting = new Waiting();
    waiting.handlers.get(signal)?.();
    assertEquals(await waiting.end, { signal, isReloadAsked: false });
    assertEquals([waiting.timers, waiting.handlers.size, waiting.out], [0, 0, ""]);
  }
});
