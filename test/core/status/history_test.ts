/** The ring of an hour against a list that forgets nothing, and what of counters is put into it. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { COUNTER_NAMES } from "../../../lib/core/net/counters.ts";
import {
  DROP_SORTS,
  dropSort,
  interfaceFigures,
  serverFigures,
  serverHistory,
} from "../../../lib/core/status/figures.ts";
import { History, HISTORY_INTERVAL, HISTORY_SAMPLES } from "../../../lib/core/status/history.ts";
import { REPORT } from "../../support/status_report.ts";
import { test } from "../../testing.ts";

/** What is counted and seen between two samples, and for how many intervals nobody looks. */
const STEPS = fc.array(
  fc.record({
    grown: fc.nat(1_000_000),
    level: fc.nat(100_000),
    intervals: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 200 })),
    late: fc.double({ min: -0.3, max: 0.3, noNaN: true }),
  }),
  { maxLength: 300 },
);

test("history: the last hour, as a list that forgets nothing has it", () => {
  fc.assert(fc.property(STEPS, fc.nat(1e6), (steps, start) => {
    const history = new History(["total"], ["level"]);
    const all: [number | null, number | null][] = [];
    let mono = start;
    let total = 0;
    for (const [i, { grown, level, intervals, late }] of steps.entries()) {
      const elapsed = (intervals + late) * HISTORY_INTERVAL;
      mono += elapsed;
      total += grown;
      history.note({ total, level }, mono);
      if (i > 0) { for (let missed = 1; missed < intervals; missed++) all.push([null, null]); }
      all.push([i === 0 ? null : grown / elapsed, level]);
    }
    const { interval, age, series } = history.report(mono + 7);
    assertEquals(interval, HISTORY_INTERVAL);
    assertEquals(age, steps.length === 0 ? null : 7);
    const kept = all.slice(-HISTORY_SAMPLES);
    assertEquals(series["level"], kept.map(([, level]) => level));
    assertEquals(series["total"]?.length, kept.length);
    for (const [i, [rate]] of kept.entries()) {
      const shown = series["total"]?.[i];
      if (rate === null) assertEquals(shown, null);
      else assert(Math.abs((shown ?? NaN) - rate) <= rate * 1e-3, `${shown} is not ${rate}`);
    }
  }));
});

test("history: whatever is told, it is JSON of at most an hour", () => {
  const figures = fc.dictionary(fc.constantFrom("total", "level", "other"), fc.double());
  const told = fc.array(fc.tuple(figures, fc.double({ noNaN: true, min: -1e9, max: 1e9 })));
  fc.assert(fc.property(told, (told) => {
    const history = new History(["total"], ["level"]);
    for (const [figures, mono] of told) history.note(figures, mono);
    const report = history.report(0);
    assertEquals(JSON.parse(JSON.stringify(report)), report);
    const { total = [], level = [] } = report.series;
    assertEquals(total.length, level.length);
    assert(total.length <= HISTORY_SAMPLES);
    for (const rate of total) assert(rate === null || rate >= 0);
  }));
});

test("history: a total that begins anew, and a figure that isn't known", () => {
  const history = new History(["total"], ["level"]);
  const told = [{ total: 90 }, { total: 30, level: 2 }, {}, { total: 60 }, { total: 90, level: 0 }];
  for (const [i, figures] of told.entries()) history.note(figures, i * HISTORY_INTERVAL);
  history.note({ total: 1000 }, 4 * HISTORY_INTERVAL);
  assertEquals(history.report(4 * HISTORY_INTERVAL).series, {
    total: [null, null, null, null, 1],
    level: [null, 2, null, null, 0],
  });
});

test("history: every drop that is counted is of a sort, and nothing else is", () => {
  for (const name of COUNTER_NAMES) {
    assertEquals(dropSort(name) !== undefined, /(^|-)drop-/.test(name), name);
  }
  const counters = {
    received: 10,
    "dns-received": 5,
    answered: 3,
    "dns-answered": 4,
    "drop-bad-mac": 2,
    "drop-not-opened": 1,
    "drop-join-unknown": 6,
    "drop-of-tomorrow": 7,
    "relay-drop-index": 8,
  };
  const figures = serverFigures(counters, 12);
  const { received, answered, peers } = figures;
  assertEquals({ received, answered, peers }, { received: 15, answered: 7, peers: 12 });
  const drops = Object.fromEntries(DROP_SORTS.map((sort) => [sort, figures[sort]]));
  assertEquals(drops, {
    "drops-secret": 3,
    "drops-time": 0,
    "drops-refused": 0,
    "drops-malformed": 0,
    "drops-join": 6,
    "drops-relay": 8,
    "drops-dns": 0,
    "drops-other": 7,
  });
  const history = serverHistory();
  history.note(figures, 1);
  assertEquals(Object.keys(history.report(1).series).sort(), Object.keys(figures).sort());
});

test("history: what is kept of an interface", () => {
  const relayed = { ...REPORT.peers[0]!, path: "relay" as const };
  const report = { ...REPORT, peers: [...REPORT.peers, relayed] };
  assertEquals(interfaceFigures(report), {
    received: 2_600_000,
    sent: 512 + 148 + 512,
    peers: 3,
    alive: 2,
    relayed: 1,
  });
  assertEquals(interfaceFigures({ ...report, present: false }), {});
});
