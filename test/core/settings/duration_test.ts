import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatAge, parseDuration } from "../../../lib/core/settings/duration.ts";
import { test } from "../../testing.ts";

/** In milliseconds. */
const UNITS = [
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["", 1000],
] as const;

test("a duration is read in each unit", () => {
  const durations: readonly (readonly [string, number])[] = [
    ["500ms", 0.5],
    ["700ms", 0.7],
    ["1001ms", 1.001],
    ["30s", 30],
    ["5m", 300],
    ["2h", 7200],
    ["1d", 86_400],
    ["45", 45],
    ["0", 0],
    ["0s", 0],
    ["1.5h", 5400],
    ["0.25s", 0.25],
    ["007s", 7],
    ["10000d", 864_000_000],
  ];
  for (const [text, seconds] of durations) assertEquals(parseDuration(text), seconds, text);
});

test("what is not exactly a number with a known unit is no duration", () => {
  const wrong = [
    "",
    " ",
    "s",
    "ms",
    "-1s",
    "+1s",
    "- 1s",
    "1 s",
    " 1s",
    "1s ",
    "1s\n",
    "\n1s",
    "1S",
    "1M",
    "1min",
    "1w",
    "1y",
    "1us",
    "1h30m",
    "1.s",
    ".5s",
    "1.2.3s",
    "1,5s",
    "1e3",
    "1e3s",
    "0x10",
    "1_000",
    "Infinity",
    "NaN",
    "٣s",
    "30s;",
    "constructor",
    "1constructor",
  ];
  for (const text of wrong) assertEquals(parseDuration(text), undefined, JSON.stringify(text));
});

test("a duration that no number holds is none", () => {
  assertEquals(parseDuration("9".repeat(400)), undefined);
  assertEquals(parseDuration(`${"9".repeat(308)}d`), undefined);
});

test("every number with every unit is read as so many units", () => {
  const number = fc.oneof(fc.nat(), fc.nat({ max: 10_000 }).map((n) => n / 16));
  fc.assert(fc.property(number, fc.constantFrom(...UNITS), (number, [unit, factor]) => {
    assertEquals(parseDuration(`${number}${unit}`), number * factor / 1000);
  }));
});

test("no text makes it throw or give what is no time", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."0123456789.msdh-e ") }));
  fc.assert(fc.property(text, (text) => {
    const seconds = parseDuration(text);
    assert(seconds === undefined || (Number.isFinite(seconds) && seconds >= 0));
  }));
});

test("an age is written in the unit that a person would take, rounded down", () => {
  const ages: readonly (readonly [number, string])[] = [
    [0, "0 s"],
    [0.9, "0 s"],
    [12, "12 s"],
    [119.99, "119 s"],
    [120, "2 min"],
    [179, "2 min"],
    [7199, "119 min"],
    [7200, "2 h"],
    [172_799, "47 h"],
    [172_800, "2 d"],
    [8_640_000, "100 d"],
  ];
  for (const [seconds, text] of ages) assertEquals(formatAge(seconds), text, String(seconds));
});
