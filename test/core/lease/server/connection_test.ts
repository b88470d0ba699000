/** The machine of one connection: what it asks, sends and waits for, in whatever order things come. */

import { assert, assertEquals } from "@std/assert";
import {
  type ConnectionStep,
  LeaseConnection,
} from "../../../../lib/core/lease/server/connection.ts";
import type { LeaseAnswer } from "../../../../lib/core/lease/server/session.ts";
import { seededNumbers } from "../../../support/seeded_random.ts";
import { test } from "../../../testing.ts";

const LEASE_TIME = 100;

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** An answer: `close` after an error, `refused` where nothing was granted. */
function answer(text: string, how: "open" | "close" | "refused" = "open"): LeaseAnswer {
  return { bytes: ascii(text), close: how === "close", refused: how === "refused" };
}

function textOf(step: ConnectionStep): string {
  if (step.kind === "allow") return `allow ${step.seconds}`;
  if (!("bytes" in step)) return step.kind;
  return `${step.kind} ${new TextDecoder().decode(step.bytes)}`.trim();
}

/** A connection, and what it does. */
function connected() {
  const connection = new LeaseConnection("fe80::a", () => LEASE_TIME);
  let waiting = 0;
  /** Does all that is to be done now. */
  const steps = (): string[] => {
    const done: string[] = [];
    for (let step = connection.next(); step !== undefined; step = connection.next()) {
      done.push(textOf(step));
      if (step.kind === "send") connection.sent(waiting);
    }
    return done;
  };
  const block = (bytes: number) => void (waiting = bytes);
  return { connection, steps, block };
}

/** The same, where it is known who it is. */
function known() {
  const it = connected();
  assertEquals(it.steps(), ["allow 30", "ask"]);
  it.connection.answered(answer(""));
  assertEquals(it.steps(), []);
  return it;
}

test("it is asked first who it is, and a stranger is sent away", () => {
  const { connection, steps } = connected();
  assertEquals(steps(), ["allow 30", "ask"]);
  connection.answered(undefined);
  assertEquals(steps(), ["abort"]);
  connection.closed();
  assertEquals(steps(), []);
});

test("a request is asked, answered, and then it may stay as long as its lease and a minute", () => {
  const { connection, steps } = known();
  const bytes = ascii("one");
  connection.received(bytes);
  bytes.fill(0);
  assertEquals(steps(), ["pause", "ask one"]);
  connection.answered(answer("1"));
  assertEquals(steps(), ["send 1", "silent", "allow 160", "resume"]);
  // Half a request is no answer, and no silence.
  connection.received(ascii("tw"));
  assertEquals(steps(), ["pause", "ask tw"]);
  connection.answered(answer(""));
  assertEquals(steps(), ["send", "allow 160", "resume"]);
  connection.received(ascii("o"));
  steps();
  connection.answered(answer("2", "refused"));
  assertEquals(steps(), ["send 2", "silent", "allow 20", "resume"]);
  connection.late();
  assertEquals(steps(), ["abort"]);
});

test("who never sends a whole request may stay for half a minute, whatever it sends", () => {
  const { connection, steps } = known();
  for (let i = 0; i < 5; i++) {
    connection.received(ascii("x"));
    steps();
    connection.answered(answer(""));
    assertEquals(steps(), ["send", "resume"]);
  }
  connection.late();
  assertEquals(steps(), ["abort"]);
});

test("what comes while an answer is on its way is asked after it, in order", () => {
  const { connection, steps } = connected();
  connection.received(ascii("one"));
  connection.received(ascii("two"));
  connection.ended();
  assertEquals(steps(), ["allow 30", "pause", "pause", "ask"]);
  connection.answered(answer(""));
  assertEquals(steps(), ["ask one"]);
  connection.answered(answer("1"));
  assertEquals(steps(), ["send 1", "silent", "allow 160", "resume", "ask two"]);
  connection.answered(answer("2"));
  assertEquals(steps(), ["send 2", "silent", "allow 160", "resume", "end", "allow 5"]);
});

test("after an error's answer it is closed, and nothing else is answered", () => {
  const { connection, steps } = known();
  connection.received(ascii("wrong"));
  connection.received(ascii("more"));
  steps();
  connection.answered(answer("no", "close"));
  assertEquals(steps(), ["send no", "end", "allow 5", "resume"]);
  connection.received(ascii("again"));
  assertEquals(steps(), []);
  connection.ended();
  assertEquals(steps(), ["end", "allow 5"]);
});

test("a client that takes nothing is not sent more and more", () => {
  const { connection, steps, block } = known();
  block(1_048_576);
  connection.received(ascii("one"));
  steps();
  connection.answered(answer("1"));
  assertEquals(steps().at(-1), "resume");
  block(1_048_577);
  connection.received(ascii("two"));
  steps();
  connection.answered(answer("2"));
  assertEquals(steps(), ["send 2", "abort"]);
});

test("an answer that comes after the end is nobody's", () => {
  const { connection, steps } = known();
  connection.received(ascii("one"));
  steps();
  connection.closed();
  connection.answered(answer("1"));
  connection.received(ascii("two"));
  connection.ended();
  connection.late();
  assertEquals(steps(), []);
});

test("in whatever order things come: one question at a time, and nothing after the end", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const number = seededNumbers(seed);
    const connection = new LeaseConnection("fe80::a", () => LEASE_TIME);
    const asked: string[] = [];
    const sent: string[] = [];
    let isAsking = false;
    let isSending = false;
    let isOver = false;
    let isEnded = false;
    let isPaused = false;
    /** The other side sends nothing any more. */
    let hasLeft = false;
    const run = () => {
      for (let step = connection.next(); step !== undefined; step = connection.next()) {
        assert(!isOver, `${step.kind} after the end`);
        switch (step.kind) {
          case "ask":
            assert(!isAsking && !isSending);
            isAsking = true;
            asked.push(new TextDecoder().decode(step.bytes));
            break;
          case "send":
            assert(!isEnded);
            isSending = true;
            sent.push(new TextDecoder().decode(step.bytes));
            connection.sent(number() < 0.02 ? 2_000_000 : 0);
            isSending = false;
            break;
          case "pause":
            isPaused = true;
            break;
          case "resume":
            isPaused = false;
            break;
          case "end":
            isEnded = true;
            break;
          case "abort":
            isOver = true;
            connection.closed();
        }
      }
    };
    run();
    const received: string[] = [];
    for (let i = 0; i < 60; i++) {
      const kind = number();
      if (kind < 0.35 && !hasLeft) {
        const text = `${received.length + 1}`;
        received.push(text);
        connection.received(ascii(text));
      } else if (kind < 0.9 && isAsking) {
        isAsking = false;
        const how = number() < 0.05 ? "close" : "open";
        connection.answered(number() < 0.03 ? undefined : answer(asked.at(-1)!, how));
      } else if (kind > 0.99) connection.late();
      else if (kind > 0.98 && !hasLeft) {
        hasLeft = true;
        connection.ended();
      }
      run();
      // It takes in more unless something is on its way.
      if (!isOver && isPaused) assert(isAsking);
    }
    // In order, none twice, none left out before the last.
    const all = ["", ...received];
    assertEquals(asked, all.slice(0, asked.length));
    assertEquals(sent, received.slice(0, sent.length));
  }
});
