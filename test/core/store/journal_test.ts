/** When a journal is added to, when it is written anew, and what becomes of what goes wrong. */

import { assert, assertEquals } from "@std/assert";
import { Encoding, restoreFile } from "../../../lib/core/store/encoding.ts";
import { Journal, type JournalStep } from "../../../lib/core/store/journal.ts";
import type { Batch, JournalEnd } from "../../../lib/core/store/journal_file.ts";
import type { Journaled, Pieces, Restored } from "../../../lib/core/store/journaled.ts";
import { joinBytes, WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { seededNumbers } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const UNIX = 1_700_000_000;

/** Keeps numbers by a letter, one entry a piece. */
class Letters implements Journaled {
  readonly formerMagics: readonly string[] = [];
  readonly values = new Map<number, number>();
  readonly changed = new Set<number>();
  wentOn = false;
  waits = 2;

  constructor(readonly part = "test") {}

  set(letter: number, value: number): void {
    this.values.set(letter, value);
    this.changed.add(letter);
  }

  get patience(): number {
    return this.changed.size > 0 ? this.waits : Infinity;
  }

  all(): Pieces {
    this.wentOn = false;
    return this.#pieces([...this.values.keys()]);
  }

  changes(): Pieces {
    const letters = [...this.changed];
    this.changed.clear();
    return this.#pieces(letters);
  }

  #pieces(letters: number[]): Pieces {
    return {
      next: () => {
        const letter = letters.shift();
        if (letter === undefined) return undefined;
        const piece = new Uint8Array(PIECE);
        new DataView(piece.buffer).setUint32(0, letter);
        new DataView(piece.buffer).setUint32(4, this.values.get(letter) ?? 0);
        return piece;
      },
    };
  }

  restore({ view }: WireBuffer, batches: readonly Batch[]): Restored {
    for (const { at } of batches) this.values.set(view.getUint32(at), view.getUint32(at + 4));
    return { event: `${this.part}-restored`, counts: { batches: batches.length } };
  }

  restoreFormer(): Restored & JournalEnd {
    throw new SyntaxError("never");
  }
}
const PIECE = 1000;

/** A journal whose driver is the test. */
class Scene {
  readonly letters = new Letters();
  readonly now = { unix: UNIX, mono: 50 };
  readonly journal = new Journal([this.letters], this.now);
  file = new Uint8Array(0);
  /** What is to come into its place. */
  coming = new Uint8Array(0);
  /** What was done, in order. */
  readonly done: string[] = [];
  /** What was said. */
  readonly said: string[] = [];
  /** With which adding or writing fails. */
  fails: Partial<Record<"add" | "write", string>> = {};

  pass(seconds: number): void {
    this.now.unix += seconds;
    this.now.mono += seconds;
  }

  next(): JournalStep {
    return this.journal.next(this.now);
  }

  /** Does a step, and returns it. */
  step(): JournalStep {
    const step = this.next();
    if (step.kind === "encode") this.journal.encode(this.now);
    if (step.kind === "rest" || step.kind === "end" || step.kind === "encode") return step;
    // A file that is written in several pieces is written once.
    const isAgain = step.kind === "write" && !step.isFirst;
    const problem = step.kind === "replace" ? undefined : this.fails[step.kind];
    if (step.kind !== "replace" && !isAgain) this.done.push(step.kind);
    if (problem === undefined) this.#put(step);
    const outcome = problem === undefined ? { size: this.file.length } : { problem };
    const news = this.journal.told(outcome, this.now);
    if (news !== undefined) this.said.push(news.event === "not-saved" ? news.why : news.event);
    return step;
  }

  #put(step: JournalStep & { readonly kind: "add" | "write" | "replace" }): void {
    if (step.kind === "add") this.file = joinBytes([this.file, ...step.bytes]);
    else if (step.kind === "write") {
      this.coming = joinBytes([step.isFirst ? new Uint8Array(0) : this.coming, ...step.bytes]);
    } else {
      this.file = this.coming.slice();
      this.file.set(step.head);
    }
  }

  /** Goes on until there is nothing to do; returns for how long. */
  settle(): number | "end" {
    for (let i = 0; i < 100_000; i++) {
      const step = this.step();
      if (step.kind === "rest") return step.seconds;
      if (step.kind === "end") return "end";
    }
    throw new Error("it never rests");
  }

  /** What the next run finds. */
  get saved(): [number, number][] {
    const next = new Letters();
    const { cut } = restoreFile(new WireBuffer(this.file), [next], this.now);
    assertEquals(cut, 0);
    return [...next.values].sort(([a], [b]) => a - b);
  }

  get held(): [number, number][] {
    return [...this.letters.values].sort(([a], [b]) => a - b);
  }
}

/** One with a file that says nothing. */
function opened(): Scene {
  const scene = new Scene();
  assertEquals(scene.settle(), Infinity);
  assertEquals(scene.done, ["write"]);
  scene.done.length = 0;
  return scene;
}

test("without a file, one is written; then nothing is done until something changes", () => {
  const scene = opened();
  assertEquals(scene.file.length, 16);
  scene.pass(1000);
  assertEquals(scene.settle(), Infinity);
  scene.letters.wentOn = true;
  assertEquals(scene.settle(), Infinity);
  assertEquals(scene.done, []);
});

test("what changes waits as long as it may, and goes together", () => {
  const scene = opened();
  scene.letters.set(1, 1);
  assertEquals(scene.settle(), 2);
  scene.pass(1.5);
  scene.letters.set(2, 2);
  assertEquals(scene.settle(), 0.5);
  scene.pass(0.5);
  assertEquals(scene.settle(), Infinity);
  assertEquals([scene.done, scene.saved], [["add"], scene.held]);
  // One that is in more of a hurry takes the other with it.
  scene.letters.waits = 60;
  scene.letters.set(3, 3);
  assertEquals(scene.settle(), 60);
  scene.pass(10);
  scene.letters.waits = 2;
  scene.letters.set(4, 4);
  assertEquals(scene.settle(), 2);
  scene.pass(2);
  scene.settle();
  assertEquals([scene.done, scene.saved], [["add", "add"], scene.held]);
});

test("what is wanted goes at once, and is done when it is on the disk", () => {
  const scene = opened();
  const { journal, letters } = scene;
  const nothing = journal.want();
  scene.settle();
  assertEquals([journal.done >= nothing, scene.done], [true, []]);
  letters.set(1, 1);
  const first = journal.want();
  assertEquals(scene.next().kind, "encode");
  // Who wants something when that was taken already waits for the next.
  letters.set(2, 2);
  const second = journal.want();
  while (scene.done.length === 0) {
    assert(journal.done < first);
    scene.step();
  }
  assert(journal.done >= first && journal.done < second);
  while (scene.done.length === 1) scene.step();
  assert(journal.done >= second);
  assertEquals([scene.done, scene.saved], [["add", "add"], scene.held]);
});

test("a file that has doubled is written anew, and what changes meanwhile is in both", () => {
  const scene = opened();
  const { journal, letters } = scene;
  for (let i = 0; i < 200; i++) {
    letters.set(i, i);
    journal.want();
  }
  while (scene.next().kind !== "add") scene.step();
  scene.step();
  assertEquals(scene.done, ["add"]);
  let turns = 0;
  while (!scene.done.includes("write")) {
    // Each time another is wanted: the new file gets on nevertheless.
    letters.set(turns, 1000 + turns);
    const wanted = journal.want();
    while (journal.done < wanted) scene.step();
    assertEquals(scene.saved, scene.held);
    assert(++turns < 1000);
  }
  assert(turns > 100, `${turns}`);
  assertEquals(scene.saved, scene.held);
  scene.settle();
  assertEquals(scene.saved, scene.held);
  // Its size is what counts from then on.
  const size = journal.size;
  assertEquals(size, scene.file.length);
  scene.done.length = 0;
  for (let i = 0; i < 180; i++) {
    letters.set(i, 5000 + i);
    journal.want();
    scene.settle();
  }
  assertEquals(scene.done.includes("write"), false);
  for (let i = 0; i < 300; i++) {
    letters.set(i % 200, 6000 + i);
    journal.want();
    scene.settle();
  }
  assertEquals(scene.done.filter((kind) => kind === "write").length, 1);
  assertEquals(scene.saved, scene.held);
});

test("a file that is written anew comes into its place, however much is wanted", () => {
  const scene = opened();
  const { journal, letters } = scene;
  let steps = 0;
  for (let isReplaced = false; !isReplaced; steps++) {
    // At each step another is wanted, and what is wanted is made at once.
    letters.set(steps % 200, steps);
    journal.want();
    const { kind } = scene.step();
    if (kind === "encode") { while (journal.encode(scene.now)); }
    isReplaced = kind === "replace";
    assert(steps < 1000);
  }
  scene.settle();
  assertEquals([scene.saved, journal.size], [scene.held, scene.file.length]);
});

test("a file that can't be added to is written whole, and nothing is said", () => {
  const scene = opened();
  const { journal, letters } = scene;
  for (const fail of [() => scene.fails = { add: "EIO" }, () => scene.file = new Uint8Array(5)]) {
    scene.done.length = 0;
    letters.set(letters.values.size, 1);
    fail();
    const wanted = journal.want();
    while (journal.done < wanted) scene.step();
    scene.fails = {};
    scene.settle();
    assertEquals([scene.done, scene.said, scene.saved], [["add", "write"], [], scene.held]);
  }
});

test("a disk that takes nothing is said once, tried again, and said to be well", () => {
  const scene = opened();
  const { journal, letters } = scene;
  scene.fails = { add: "no space left", write: "no space left" };
  for (let i = 0; i < 20; i++) {
    letters.set(i, i);
    const wanted = journal.want();
    const seconds = scene.settle();
    // Whoever waits goes on.
    assert(journal.done >= wanted);
    assert(Number(seconds) > 0 && Number(seconds) <= 1, `${seconds}`);
    scene.pass(0.25);
  }
  assertEquals(scene.said, ["no space left"]);
  assertEquals(scene.done.filter((kind) => kind === "write").length, 5);
  scene.fails = {};
  scene.pass(1);
  scene.settle();
  assertEquals([scene.said, scene.saved], [["no space left", "saved-again"], scene.held]);
});

test("a file that can't be written anew is added to all the same", () => {
  const scene = opened();
  const { journal, letters } = scene;
  scene.fails = { write: "no space left" };
  for (let i = 0; i < 300; i++) {
    letters.set(i % 100, i);
    journal.want();
    scene.settle();
    scene.pass(0.1);
    assertEquals(scene.saved, scene.held);
  }
  assertEquals([scene.said, scene.done.filter((kind) => kind === "write").length], [[], 1]);
  scene.fails = {};
  scene.pass(60);
  letters.set(1, 1);
  journal.want();
  scene.settle();
  assert(scene.file.length < 110 * PIECE, `${scene.file.length}`);
  assertEquals(scene.saved, scene.held);
});

test("a wall clock that is set makes what was written before wrong", () => {
  const scene = opened();
  const { journal, letters } = scene;
  letters.set(1, 1);
  journal.want();
  scene.settle();
  scene.now.unix += 1.5;
  scene.settle();
  assertEquals(scene.done, ["add"]);
  scene.now.unix += 1e9;
  scene.settle();
  assertEquals([scene.done, scene.saved], [["add", "write"], scene.held]);
});

test("at the end, all is written that is not there, and what is there isn't again", () => {
  for (const change of [undefined, "changed", "added", "went on"] as const) {
    const scene = opened();
    const { journal, letters } = scene;
    if (change !== undefined && change !== "went on") letters.set(1, 1);
    if (change === "went on") letters.wentOn = true;
    if (change === "added") {
      journal.want();
      scene.settle();
      scene.done.length = 0;
    }
    journal.end();
    assertEquals(scene.settle(), "end");
    assertEquals(scene.done, change === undefined ? [] : ["write"], change);
    assertEquals([journal.isSaved, scene.saved], [true, scene.held]);
    assertEquals(scene.next(), { kind: "end" });
  }
});

test("an end that can't be written is said, and no end in itself", () => {
  const scene = opened();
  const { journal, letters } = scene;
  scene.fails = { add: "EIO", write: "EIO" };
  letters.set(1, 1);
  journal.want();
  scene.settle();
  assertEquals(scene.said, ["EIO"]);
  const wanted = journal.want();
  journal.end();
  assertEquals([scene.settle(), journal.isSaved, scene.said], ["end", false, ["EIO", "EIO"]]);
  assert(journal.done >= wanted);
  // What was not saved before is.
  const other = opened();
  other.fails = { add: "EIO", write: "EIO" };
  other.letters.set(1, 1);
  other.journal.want();
  other.settle();
  other.fails = {};
  other.journal.end();
  assertEquals([other.settle(), other.journal.isSaved, other.saved], ["end", true, other.held]);
});

test("an end in the middle of anything is an end with all of it", () => {
  for (let steps = 0; steps < 420; steps += 7) {
    const scene = opened();
    const { journal, letters } = scene;
    for (let i = 0; i < 200; i++) letters.set(i, i);
    journal.want();
    for (let i = 0; i < steps; i++) scene.step();
    letters.set(3, 33);
    journal.end();
    assertEquals([scene.settle(), journal.isSaved, scene.saved], ["end", true, scene.held]);
  }
});

test("what a file says of others stays in it", () => {
  const scene = opened();
  const others = new Letters("othr");
  others.set(1, 11);
  others.set(2, 22);
  const both = new Journal([scene.letters, others], scene.now);
  scene.letters.set(5, 5);
  let file = new Uint8Array(0);
  for (let step = both.next(scene.now); step.kind !== "rest"; step = both.next(scene.now)) {
    if (step.kind === "encode") both.encode(scene.now);
    if (step.kind === "encode" || step.kind === "end") continue;
    if (step.kind === "replace") file.set(step.head);
    else file = joinBytes([file, ...step.bytes]);
    both.told({ size: file.length }, scene.now);
  }
  // A run without the other part, whose file is written anew.
  const alone = new Scene();
  alone.file = file;
  const found = restoreFile(new WireBuffer(file), [alone.letters], alone.now);
  assertEquals([found.isSound, found.others.length], [true, 2]);
  alone.journal.found(found, file.length);
  alone.letters.set(5, 55);
  alone.journal.renew();
  alone.settle();
  assertEquals(alone.done, ["write"]);
  const again = [new Letters(), new Letters("othr")];
  restoreFile(new WireBuffer(alone.file), again, alone.now);
  assertEquals(again.map(({ values }) => [...values]), [[[5, 55]], [[1, 11], [2, 22]]]);
});

test("whatever happens, the file says what it should", () => {
  for (let seed = 0; seed < 60; seed++) {
    const number = seededNumbers(seed);
    const scene = opened();
    const { journal, letters } = scene;
    for (let i = 0; i < 600; i++) {
      const dice = number();
      if (dice < 0.5) scene.step();
      else if (dice < 0.8) letters.set(Math.floor(90 * number()), i);
      else if (dice < 0.9) scene.pass(number());
      else if (dice < 0.95) journal.want();
      else scene.fails = number() < 0.5 ? {} : number() < 0.5 ? { add: "E" } : { write: "E" };
    }
    scene.fails = {};
    const wanted = journal.want();
    scene.pass(100);
    scene.settle();
    assert(journal.done >= wanted);
    assertEquals([scene.saved, journal.size], [scene.held, scene.file.length]);
    journal.end();
    assertEquals([scene.settle(), journal.isSaved, scene.saved], ["end", true, scene.held]);
  }
});

test("pieces of parts come in turn", () => {
  const parts = [new Letters("aaaa"), new Letters("bbbb")];
  for (const part of parts) part.set(1, 1);
  const encoding = new Encoding(parts, "changes");
  while (encoding.encode({ unix: UNIX, mono: 0 }));
  assertEquals([encoding.isDone, encoding.batches.length], [true, 2]);
  assertEquals(new Encoding([], "all").encode({ unix: UNIX, mono: 0 }), false);
});
