import { assert, assertEquals } from "@std/assert";
import { SharedLock } from "../../lib/core/shared_lock.ts";
import { test } from "../testing.ts";

const FREE = 0;
const HELD = 1;
const AWAITED = 2;

/** A lock's word, with other words around it. */
function words(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(12)).fill(7).fill(FREE, 1, 2);
}

/** Runs `body` with `Atomics.wait` and `Atomics.notify` replaced, and returns the calls. */
function withSleep(
  sleep: (memory: Int32Array) => "ok" | "not-equal" | "timed-out",
  body: () => void,
): string[] {
  const { wait, notify } = Atomics;
  const calls: string[] = [];
  try {
    Atomics.wait = (memory: Int32Array | BigInt64Array, at: number, value: number | bigint) => {
      assert(memory instanceof Int32Array);
      calls.push(`wait ${at} ${value}`);
      return sleep(memory);
    };
    Atomics.notify = (_memory, at, count) => {
      calls.push(`notify ${at} ${count}`);
      return 0;
    };
    body();
  } finally {
    Object.assign(Atomics, { wait, notify });
  }
  return calls;
}

test("a lock that is free is got at once, and given back without waking anyone", () => {
  const memory = words();
  const lock = new SharedLock(memory, 1);
  const calls = withSleep(() => "timed-out", () => {
    assert(lock.acquire(1));
    assertEquals([...memory], [7, HELD, 7]);
    lock.release();
    assertEquals([...memory], [7, FREE, 7]);
  });
  assertEquals(calls, []);
});

test("who finds it held sleeps until it is given back, and wakes the next", () => {
  const memory = words();
  const [one, other] = [new SharedLock(memory, 1), new SharedLock(memory, 1)];
  assert(one.acquire(1));
  const calls = withSleep(() => {
    // What the other thread does meanwhile.
    assertEquals(memory[1], AWAITED);
    one.release();
    return "ok";
  }, () => {
    assert(other.acquire(1));
    // There may be more who sleep.
    assertEquals(memory[1], AWAITED);
    other.release();
  });
  assertEquals(calls, ["wait 1 2", "notify 1 1", "notify 1 1"]);
  assertEquals(memory[1], FREE);
});

test("who is woken but finds it held again sleeps again", () => {
  const memory = words();
  const [one, other] = [new SharedLock(memory, 1), new SharedLock(memory, 1)];
  assert(one.acquire(1));
  let sleeps = 0;
  const calls = withSleep(() => {
    if (++sleeps === 3) one.release();
    return sleeps === 2 ? "not-equal" : "ok";
  }, () => assert(other.acquire(1)));
  assertEquals(sleeps, 3);
  assertEquals(calls.length, 4);
});

test("a lock that is never given back is given up, and stays held", () => {
  const memory = words();
  const [one, other] = [new SharedLock(memory, 1), new SharedLock(memory, 1)];
  assert(one.acquire(1));
  assertEquals(other.acquire(1), false);
  assertEquals(other.acquire(1), false);
  one.release();
  assert(other.acquire(1));
});
