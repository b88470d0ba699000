/** How registries are asked while others answer: who is dead costs its time once. */

import { assertEquals } from "@std/assert";
import { isRoundOver } from "../../../lib/core/sync/asked_together.ts";
import { Standing } from "../../../lib/core/ask/standing.ts";
import { test } from "../../testing.ts";

test("standing: who is of no use is asked aside, more and more seldom, until it says a word", () => {
  const standing = new Standing();
  assertEquals(standing.begin(true, { mono: 0 }), "in-full");
  standing.finish("nothing", { mono: 10 });
  const asides: number[] = [];
  for (let mono = 10; mono < 300; mono++) {
    if (standing.begin(true, { mono }) === "aside") asides.push(mono);
    assertEquals([standing.hasFailed, standing.isAside], [true, true]);
    standing.finish("nothing", { mono });
  }
  assertEquals(asides, [15, 25, 45, 85, 145, 205, 265]);
  // What comes of no use is none.
  standing.heard(false);
  assertEquals([standing.hasFailed, standing.isBack], [true, false]);
  standing.heard(true);
  assertEquals([standing.hasFailed, standing.isBack], [false, true]);
  assertEquals(standing.begin(true, { mono: 300 }), "briefly");
  assertEquals(standing.isBack, false);
  standing.finish("answered", { mono: 300 });
  assertEquals(standing.begin(true, { mono: 301 }), "in-full");
  // The next time, it begins anew.
  standing.finish("nothing", { mono: 301 });
  assertEquals(standing.begin(true, { mono: 305.9 }), "not");
  assertEquals(standing.begin(true, { mono: 306 }), "aside");
});

test("standing: who answers in the round in which it is asked aside is asked in the rest of it", () => {
  const standing = new Standing();
  standing.finish("nothing", { mono: 0 });
  assertEquals(standing.hasFailed, false);
  standing.begin(true, { mono: 0 });
  standing.finish("nothing", { mono: 0 });
  assertEquals(standing.begin(true, { mono: 5 }), "aside");
  assertEquals(standing.takeBack(), false);
  standing.heard(true);
  assertEquals([standing.takeBack(), standing.how, standing.isBack], [true, "briefly", false]);
  assertEquals(standing.takeBack(), false);
  standing.finish("nothing", { mono: 6 });
  // It was dead all the same: its turn comes later than before.
  assertEquals(standing.begin(true, { mono: 15.9 }), "not");
  standing.hurry();
  assertEquals(standing.begin(true, { mono: 15.9 }), "aside");
});

test("standing: who registers, or tells a part, is of use; and alone, each is asked in full", () => {
  const standing = new Standing();
  standing.begin(true, { mono: 0 });
  standing.finish("in-part", { mono: 10 });
  assertEquals([standing.hasFailed, standing.begin(true, { mono: 11 })], [false, "briefly"]);
  standing.finish("answered", { mono: 12 });
  assertEquals([standing.hasFailed, standing.begin(true, { mono: 13 })], [false, "in-full"]);
  standing.finish("nothing", { mono: 23 });
  assertEquals(standing.begin(false, { mono: 24 }), "in-full");
});

test("standing: who has been silent while nobody answered is asked soon when others do", () => {
  const standing = new Standing();
  let mono = 0;
  for (let round = 0; round < 20; round++) {
    standing.begin(false, { mono });
    standing.finish("nothing", { mono: mono += 10 });
  }
  assertEquals(standing.begin(true, { mono: mono + 4 }), "not");
  assertEquals(standing.begin(true, { mono: mono + 5 }), "aside");
});

test("standing: who is far away has more time, and who never says all has that once", () => {
  const standing = new Standing();
  standing.begin(true, { mono: 0 });
  standing.finish("in-part", { mono: 10 });
  const seconds = () =>
    Array.from({ length: 6 }, (_, round) => {
      const mono = 20 + round;
      assertEquals(standing.begin(true, { mono }), "briefly");
      const { patience } = standing;
      standing.finish("in-part", { mono });
      return patience;
    });
  assertEquals(seconds(), [1, 2, 4, 1, 1, 1]);
  standing.begin(true, { mono: 30 });
  standing.finish("answered", { mono: 30 });
  assertEquals(standing.begin(true, { mono: 31 }), "in-full");
  standing.finish("in-part", { mono: 41 });
  assertEquals(seconds(), [1, 2, 4, 1, 1, 1]);
});

test("standing: a round waits for all, but for who has failed before once another has answered", () => {
  const asked = (text: string) =>
    text.split(" ").map((one) => ({
      isDone: !one.startsWith("open"),
      isAnswered: one.startsWith("answered"),
      hasFailed: one.endsWith("before"),
    }));
  const over = [
    "answered",
    "silent",
    "answered answered",
    "answered silent",
    "answered open-before",
    "silent answered open-before open-before",
  ];
  const open = [
    "open",
    "answered open",
    "open-before",
    "open-before open-before",
    "silent open-before",
    "answered open open-before",
  ];
  for (const text of over) assertEquals([text, isRoundOver(asked(text))], [text, true]);
  for (const text of open) assertEquals([text, isRoundOver(asked(text))], [text, false]);
});
