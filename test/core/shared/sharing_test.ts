/** When a store is asked for what, and what becomes of it where the store fails. */

import { assert, assertEquals } from "@std/assert";
import type {
  SharedGone,
  SharedPeer,
  SharedWrite,
  WriteOutcome,
} from "../../../lib/core/shared/store.ts";
import { Sharing } from "../../../lib/core/shared/sharing.ts";
import type {
  SharedTable,
  SharingNews,
  SharingStep,
  StoreFacts,
} from "../../../lib/core/shared/sharing_steps.ts";
import { test } from "../../testing.ts";
import { linkFault, replyFault } from "../../../lib/core/shared/store_fault.ts";

const START = 1000;
/** The store's clock less the monotonic one. */
const OFFSET = 1_700_000_000;

/** Counts what it is told; what is dirty is a number of peers. */
class FakeTable implements SharedTable {
  dirty = 0;
  gone = 0;
  inFlight = 0;
  /** Whose writes it gives out. */
  group = 3;
  readonly told: string[] = [];

  get isDirty(): boolean {
    return this.dirty > 0;
  }

  get behind(): number {
    return this.dirty + this.inFlight;
  }

  get hasGone(): boolean {
    return this.gone > 0;
  }

  take(): SharedWrite | undefined {
    assertEquals(this.inFlight, 0, "one write at a time");
    this.inFlight = Math.min(this.dirty, 256);
    this.dirty -= this.inFlight;
    return this.inFlight === 0 ? undefined : { group: 0, records: [] };
  }

  written(kept: readonly SharedPeer[]): number {
    this.inFlight = 0;
    this.told.push("written", ...kept.map(() => "kept"));
    return this.group;
  }

  lost(): void {
    this.dirty += this.inFlight;
    this.inFlight = 0;
    this.told.push("lost");
  }

  takeGone(): SharedGone | undefined {
    this.gone--;
    return { group: 0, notHeardSince: 0, ids: [] };
  }

  beginScan(group: number): void {
    this.told.push(`begin ${group}`);
  }

  endScan(group: number): void {
    this.told.push(`end ${group}`);
  }
}

function outcome(changed: number, rest: Partial<WriteOutcome> = {}): WriteOutcome {
  return { changed, wasEmpty: false, kept: [], ...rest };
}

/** A machine, its table, and a clock. */
class Bench {
  mono = START;
  readonly groups = [3, 5];
  readonly table = new FakeTable();
  readonly sharing: Sharing;

  constructor() {
    this.sharing = new Sharing(this.table, () => this.groups, () => 0, this.now);
  }

  get now() {
    return { unix: 0, mono: this.mono };
  }

  facts(rest: Partial<StoreFacts> = {}): StoreFacts {
    const time = OFFSET + this.mono;
    return { id: "a", format: "1", time, run: "r", first: "", last: "", evicts: false, ...rest };
  }

  /** The next step, which must be of this kind. */
  next<K extends SharingStep["kind"]>(kind: K): SharingStep & { readonly kind: K } {
    const step = this.sharing.next(this.now);
    assert(isOf(step, kind), `${kind} was expected, not ${JSON.stringify(step)}`);
    return step;
  }

  /** Connects, and has the store say who it is. Returns the link. */
  open(rest: Partial<StoreFacts> = {}): number {
    const { link } = this.next("connect");
    this.sharing.connected(link);
    this.next("greet");
    this.sharing.greeted(link, this.facts(rest), this.mono, this.now);
    return link;
  }

  /** Reads all groups, of which each has one piece. */
  scan(link: number): void {
    for (const group of this.groups) {
      const step = this.next("scan");
      assertEquals([step.group, step.cursor], [group, "0"]);
      this.sharing.scanned(link, "0", 1, this.now);
    }
  }

  /** Connected, and all is read. */
  ready(rest?: Partial<StoreFacts>): number {
    const link = this.open(rest);
    this.scan(link);
    this.events();
    this.table.told.splice(0);
    return link;
  }

  /** Reads changes of the stream. */
  read(link: number, last: string | undefined, rest: { isAll?: boolean; sentAt?: number } = {}) {
    const part = {
      last,
      count: last === undefined ? 0 : 1,
      isAll: true,
      sentAt: this.mono,
      ...rest,
    };
    this.sharing.read(link, part, this.now);
  }

  events(): string[] {
    return this.sharing.fetchNews().map(nameOf);
  }
}

function isOf<K extends SharingStep["kind"]>(
  step: SharingStep,
  kind: K,
): step is SharingStep & { readonly kind: K } {
  return step.kind === kind;
}

function nameOf(news: SharingNews): string {
  return "of" in news ? `${news.of} ${news.event}` : news.event;
}

test("at the start it connects, asks who the store is, and reads all groups in pieces", () => {
  const bench = new Bench();
  const link = bench.open({ last: "5-1" });
  assertEquals(bench.sharing.isComplete, false);
  // The stream is followed from where it ended before the first piece was read.
  assertEquals(bench.sharing.follow(), { kind: "read", link, after: "5-1" });
  for (const [group, cursor, next] of [[3, "0", "9"], [3, "9", "0"], [5, "0", "0"]] as const) {
    assertEquals(bench.next("scan"), { kind: "scan", link, group, cursor });
    bench.sharing.scanned(link, next, 1, bench.now);
  }
  assertEquals(bench.table.told, ["begin 3", "end 3", "begin 5", "end 5"]);
  assert(bench.sharing.isComplete);
  assertEquals(bench.events(), ["connected"]);
  bench.next("rest");
});

test("without groups there is nothing to read", () => {
  const bench = new Bench();
  bench.groups.splice(0);
  bench.open();
  assert(bench.sharing.isComplete);
  bench.next("rest");
});

test("the first change is written at once, what comes soon after it together", () => {
  const bench = new Bench();
  const link = bench.ready();
  bench.table.dirty = 1;
  bench.next("write");
  bench.mono += 0.002;
  bench.sharing.wrote(link, outcome(1), START, bench.now);
  bench.table.dirty = 3;
  const { seconds } = bench.next("rest");
  assert(seconds > 0.007 && seconds < 0.009, `${seconds}`);
  bench.mono += 0.0081;
  bench.next("write");
  assertEquals(bench.table.inFlight, 3);
});

test("more than goes into one write isn't waited with", () => {
  const bench = new Bench();
  const link = bench.ready();
  bench.table.dirty = 600;
  for (const size of [256, 256, 88]) {
    bench.next("write");
    assertEquals(bench.table.inFlight, size);
    bench.sharing.wrote(link, outcome(size), bench.mono, bench.now);
  }
  bench.next("rest");
});

test("writes and pieces of a scan take turns", () => {
  const bench = new Bench();
  const link = bench.open();
  bench.table.dirty = 1000;
  bench.next("write");
  bench.sharing.wrote(link, outcome(256), bench.mono, bench.now);
  bench.next("scan");
  bench.sharing.scanned(link, "7", 512, bench.now);
  bench.next("write");
  bench.sharing.wrote(link, outcome(256), bench.mono, bench.now);
  assertEquals(bench.next("scan").cursor, "7");
});

test("times are converted with the offset between the clocks, by the middle of a round trip", () => {
  const bench = new Bench();
  const { link } = bench.next("connect");
  bench.sharing.connected(link);
  bench.next("greet");
  const facts = bench.facts();
  bench.mono += 2;
  bench.sharing.greeted(link, { ...facts, time: facts.time + 1 }, START, bench.now);
  const { clock } = bench.sharing;
  assertEquals(clock.toStore(START), OFFSET + START);
  assertEquals(clock.toMono(OFFSET + START + 7), START + 7);
  assertEquals(bench.sharing.state(bench.now).roundTrip, 2);
});

test("a link that fails is opened anew after 1, 2, 4 … 30 s, and told of once", () => {
  const bench = new Bench();
  const link = bench.ready();
  bench.sharing.failed({ kind: "read", link }, linkFault("gone"), bench.now);
  for (const wait of [1, 2, 4, 8, 16, 30, 30]) {
    const { seconds } = bench.next("rest");
    assertEquals(Math.round(seconds), wait);
    bench.mono += seconds;
    const step = bench.next("connect");
    bench.sharing.failed(step, linkFault("nothing listens there"), bench.now);
  }
  assertEquals(bench.events(), ["link begun"]);
  bench.mono += 3600;
  bench.next("connect");
  assertEquals(bench.events(), ["link lasting"], "a reminder once an hour");
});

test("what was on its way when the link failed is written again", () => {
  const bench = new Bench();
  const link = bench.ready();
  bench.table.dirty = 2;
  const write = bench.next("write");
  bench.sharing.failed({ kind: "end", link }, linkFault("cut"), bench.now);
  assertEquals([bench.table.dirty, bench.table.told], [2, ["lost"]]);
  assertEquals(bench.sharing.link, undefined, "the connections are to be closed");
  // What the former connection says means nothing any more.
  bench.sharing.failed(write, linkFault("closed"), bench.now);
  bench.sharing.wrote(link, outcome(2), bench.mono, bench.now);
  assertEquals(bench.table.told, ["lost"]);
  bench.mono += 1;
  const next = bench.open();
  assert(next !== link);
  bench.next("write");
});

test("an answer of a former connection says nothing of what is on its way on the next one", () => {
  const bench = new Bench();
  const link = bench.ready();
  bench.table.dirty = 1;
  bench.next("write");
  bench.sharing.failed({ kind: "end", link }, linkFault("cut"), bench.now);
  bench.mono += 1;
  const next = bench.open();
  bench.next("write");
  bench.sharing.wrote(link, outcome(1), bench.mono, bench.now);
  assertEquals([bench.table.inFlight, bench.table.told], [1, ["lost"]]);
  bench.sharing.wrote(next, outcome(1), bench.mono, bench.now);
  assertEquals([bench.table.inFlight, bench.table.told], [0, ["lost", "written"]]);
});

test("a short absence of the same store costs no scan, and being back is told of once all is written", () => {
  const bench = new Bench();
  const link = bench.ready({ last: "5-1" });
  bench.read(link, "6-0");
  bench.sharing.failed({ kind: "read", link }, linkFault("cut"), bench.now);
  bench.events();
  bench.table.dirty = 1;
  bench.mono += 40;
  const next = bench.open({ first: "2-0", last: "8-0" });
  assertEquals(bench.sharing.follow(), { kind: "read", link: next, after: "6-0" });
  bench.next("write");
  assertEquals(bench.events(), []);
  bench.sharing.wrote(next, outcome(1), bench.mono, bench.now);
  bench.read(next, "8-0");
  bench.next("rest");
  const [news] = bench.sharing.fetchNews();
  assertEquals(news, { event: "back", seconds: 40, wrote: 1, took: 1 });
});

test("all is read again where the store may have lost something", () => {
  const long = 200;
  const cases: readonly (readonly [string, number, Partial<StoreFacts>, boolean])[] = [
    ["another run of it", 1, { run: "other", first: "1-0", last: "6-0" }, true],
    ["a run that isn't told", 1, { run: "", first: "1-0", last: "6-0" }, true],
    ["another store", 1, { id: "b", last: "" }, true],
    ["changes may have been dropped", long, { first: "7-0", last: "9-0" }, true],
    ["the stream is gone", long, { first: "", last: "" }, true],
    ["no change was dropped", long, { first: "6-0", last: "9-0" }, false],
    ["there was no change", long, { first: "6-0", last: "6-0" }, false],
    ["a short while", 80, { first: "7-0", last: "9-0" }, false],
  ];
  for (const [what, away, facts, isScanned] of cases) {
    const bench = new Bench();
    const link = bench.ready({ last: "5-1" });
    bench.read(link, "6-0");
    bench.sharing.failed({ kind: "end", link }, linkFault("cut"), bench.now);
    bench.mono += away;
    bench.open(facts);
    bench.next(isScanned ? "scan" : "rest");
    const hasLost = bench.events().includes("emptied");
    assertEquals(hasLost, facts.id !== undefined, what);
  }
});

test("a scan that was cut short begins anew", () => {
  const bench = new Bench();
  const link = bench.open({ last: "6-0" });
  bench.next("scan");
  bench.sharing.scanned(link, "17", 512, bench.now);
  bench.sharing.failed({ kind: "scan", link }, linkFault("cut"), bench.now);
  bench.mono += 1;
  bench.open({ first: "1-0", last: "6-0" });
  assertEquals(bench.next("scan").cursor, "0");
  assertEquals(bench.table.told, ["begin 3", "begin 3"]);
});

test("a group that is added has all read again; a piece that is on its way counts for nothing", () => {
  const bench = new Bench();
  const link = bench.open();
  bench.next("scan");
  bench.groups.unshift(1);
  bench.sharing.groupAdded(bench.now);
  bench.sharing.scanned(link, "17", 512, bench.now);
  const { group, cursor } = bench.next("scan");
  assertEquals([group, cursor], [1, "0"]);
});

test("whoever has not read for long reads all again, and so does who is far behind", () => {
  const suspended = new Bench();
  const link = suspended.ready({ last: "5-1" });
  suspended.mono += 300;
  suspended.read(link, "6-0");
  suspended.next("greet");
  suspended.sharing.greeted(link, suspended.facts(), suspended.mono, suspended.now);
  suspended.next("scan");

  const slow = new Bench();
  const other = slow.ready({ last: "5-1" });
  const placeOf = (mono: number) => `${(OFFSET + mono) * 1000}-0`;
  slow.mono += 10;
  slow.read(other, placeOf(START + 5), { isAll: false });
  slow.next("rest");
  slow.mono += 84;
  slow.read(other, placeOf(START + 6), { isAll: false });
  slow.next("greet");
  slow.sharing.greeted(other, slow.facts(), slow.mono, slow.now);
  slow.mono += 4;
  slow.read(other, placeOf(START + 7), { isAll: false });
  slow.next("scan");
});

test("a store that is full is read on, and written to again once it takes something in", () => {
  const bench = new Bench();
  const link = bench.ready();
  bench.table.dirty = 1;
  const full = replyFault("OOM command not allowed when used memory > 'maxmemory'.");
  for (const wait of [1, 2, 4]) {
    bench.sharing.failed(bench.next("write"), full, bench.now);
    assertEquals(bench.sharing.follow().kind, "read");
    assertEquals(bench.sharing.link, link);
    const { seconds } = bench.next("rest");
    assertEquals(seconds, wait);
    bench.mono += wait;
  }
  const { fault, behind } = bench.sharing.state(bench.now);
  assertEquals([fault?.why, fault?.isOver, behind], ["the store is full", false, 1]);
  bench.next("write");
  bench.sharing.wrote(link, outcome(1), bench.mono, bench.now);
  assertEquals(bench.events(), ["writing begun", "writing over"]);
  assertEquals(bench.sharing.state(bench.now).fault?.isOver, true);
});

test("a store that is a replica is left the second time: another one may be the primary", () => {
  const bench = new Bench();
  const link = bench.ready();
  bench.table.dirty = 1;
  const replica = replyFault("READONLY You can't write against a read only replica.");
  bench.sharing.failed(bench.next("write"), replica, bench.now);
  assertEquals(bench.sharing.link, link);
  bench.mono += 1;
  bench.sharing.failed(bench.next("write"), replica, bench.now);
  const next = bench.open({ run: "other" });
  bench.scan(next);
  assert(next !== link);
  bench.next("rest");
  bench.mono += 2;
  bench.next("write");
  bench.sharing.wrote(next, outcome(1), bench.mono, bench.now);
  assertEquals(bench.events(), ["writing begun", "writing over"], "the link was never in trouble");
});

test("a group that is gone from the store alone is read again, and nothing else", () => {
  const bench = new Bench();
  const link = bench.ready();
  bench.table.dirty = 1;
  bench.table.group = 5;
  bench.next("write");
  const kept = [{ id: new Uint8Array(32), record: new Uint8Array(2) }];
  bench.sharing.wrote(link, outcome(1, { wasEmpty: true, kept }), bench.mono, bench.now);
  const { group, cursor } = bench.next("scan");
  assertEquals([group, cursor], [5, "0"]);
  bench.sharing.scanned(link, "0", 1, bench.now);
  assertEquals(bench.table.told, ["written", "kept", "begin 5", "end 5"]);
  bench.next("rest");
});

test("a group that is gone while it is read is read from its beginning", () => {
  const bench = new Bench();
  const link = bench.open();
  bench.next("scan");
  bench.sharing.scanned(link, "7", 512, bench.now);
  bench.table.dirty = 1;
  bench.next("write");
  bench.sharing.wrote(link, outcome(1, { wasEmpty: true }), bench.mono, bench.now);
  for (const [group, cursor] of [[3, "0"], [5, "0"]] as const) {
    const step = bench.next("scan");
    assertEquals([step.group, step.cursor], [group, cursor]);
    bench.sharing.scanned(link, "0", 1, bench.now);
  }
  bench.next("rest");
});

test("a stream that ends before what was read of it has all read again", () => {
  for (const last of ["5-0", ""]) {
    const bench = new Bench();
    const link = bench.ready({ last: "5-1" });
    // No later place than this one can be.
    bench.read(link, "18446744073709551615-18446744073709551615");
    bench.mono += 15;
    bench.next("greet");
    bench.sharing.greeted(link, bench.facts({ last }), bench.mono, bench.now);
    bench.next("scan");
    const after = last === "" ? "0-0" : last;
    assertEquals(bench.sharing.follow(), { kind: "read", link, after });
  }
});

test("what is read while the store is asked who it is is no other stream's", () => {
  const bench = new Bench();
  const link = bench.ready({ last: "5-1" });
  bench.mono += 15;
  bench.next("greet");
  bench.read(link, "7-0");
  bench.sharing.greeted(link, bench.facts({ last: "6-0" }), bench.mono, bench.now);
  bench.next("rest");
});

test("where a key was something else's, all is read again when that is mended", () => {
  const bench = new Bench();
  const link = bench.ready({ last: "5-1" });
  bench.table.dirty = 1;
  const write = bench.next("write");
  bench.sharing.failed(write, replyFault("WRONGTYPE Operation against a key"), bench.now);
  assertEquals(bench.sharing.link, undefined, `${link}`);
  bench.mono += 1;
  bench.open({ last: "5-1" });
  bench.next("scan");
});

test("a store that was emptied is found out by a write, and gets all again", () => {
  const bench = new Bench();
  const link = bench.ready();
  bench.table.dirty = 1;
  assertEquals(bench.next("write").id, "a");
  bench.sharing.wrote(link, undefined, bench.mono, bench.now);
  assertEquals(bench.table.told, ["lost"]);
  bench.next("greet");
  bench.sharing.greeted(link, bench.facts({ id: "b" }), bench.mono, bench.now);
  assertEquals(bench.events(), ["emptied"]);
  bench.next("scan");
  bench.sharing.scanned(link, "0", 1, bench.now);
  bench.mono += 0.01;
  assertEquals(bench.next("write").id, "b");
  bench.sharing.wrote(link, outcome(1), bench.mono, bench.now);
  bench.next("scan");
  bench.sharing.scanned(link, "0", 1, bench.now);
  assertEquals(bench.table.told, ["lost", "begin 3", "end 3", "written", "begin 5", "end 5"]);
});

test("who the store is, and what time it has, is asked every 15 s", () => {
  const bench = new Bench();
  const link = bench.ready();
  assertEquals(bench.next("rest").seconds, 15);
  bench.mono += 15;
  bench.next("greet");
  bench.sharing.greeted(link, { ...bench.facts(), time: 5000 }, bench.mono, bench.now);
  assertEquals(bench.sharing.clock.toStore(bench.mono), 5000);
  bench.next("rest");
});

test("a store that throws data away is warned of once", () => {
  const bench = new Bench();
  const link = bench.open({ evicts: true });
  assertEquals(bench.events(), ["evicts"]);
  bench.scan(link);
  bench.mono += 15;
  bench.events();
  bench.next("greet");
  bench.sharing.greeted(link, bench.facts({ evicts: true }), bench.mono, bench.now);
  assertEquals(bench.events(), []);
});

test("the data of a later release are left alone", () => {
  const bench = new Bench();
  const { link } = bench.next("connect");
  bench.sharing.connected(link);
  bench.next("greet");
  bench.sharing.greeted(link, bench.facts({ format: "2" }), bench.mono, bench.now);
  assertEquals(bench.events(), ["link begun"]);
  assertEquals(bench.next("rest").seconds, 1);
});

test("whoever is gone here is forgotten there, when nothing is to be written", () => {
  const bench = new Bench();
  const link = bench.ready();
  bench.table.gone = 2;
  bench.table.dirty = 1;
  bench.next("write");
  bench.sharing.wrote(link, outcome(1), bench.mono, bench.now);
  bench.next("forget");
  bench.sharing.forgot(link, bench.now);
  bench.sharing.failed(bench.next("forget"), replyFault("MISCONF no disk"), bench.now);
  bench.table.gone = 1;
  assertEquals(bench.next("rest").seconds, 1);
});

test("a store that forgets nothing is said not to be written, until it does", () => {
  const bench = new Bench();
  const link = bench.ready();
  bench.table.gone = 2;
  const step = bench.next("forget");
  bench.sharing.failed(
    step,
    replyFault("READONLY You can't write against a read only replica."),
    bench.now,
  );
  assertEquals(bench.events(), ["writing begun"]);
  bench.mono += 1;
  bench.next("forget");
  bench.sharing.forgot(link, bench.now);
  assertEquals(bench.events(), ["writing over"]);
});

test("at the end it writes what is dirty, for two seconds at most", () => {
  const bench = new Bench();
  const link = bench.ready();
  bench.table.dirty = 300;
  bench.sharing.end(2, bench.now);
  assertEquals(bench.sharing.follow().kind, "rest");
  bench.next("write");
  bench.sharing.wrote(link, outcome(256), bench.mono, bench.now);
  bench.next("write");
  bench.sharing.wrote(link, outcome(44), bench.mono, bench.now);
  bench.next("end");

  const slow = new Bench();
  slow.ready();
  slow.table.dirty = 300;
  slow.sharing.end(2, slow.now);
  slow.next("write");
  slow.mono += 2;
  slow.next("end");
});

test("at the end nobody waits for a store that is away, or takes nothing in", () => {
  const away = new Bench();
  away.table.dirty = 1;
  const step = away.next("connect");
  away.sharing.failed(step, linkFault("gone"), away.now);
  away.sharing.end(2, away.now);
  away.next("end");

  const full = new Bench();
  full.ready();
  full.table.dirty = 1;
  full.sharing.failed(full.next("write"), replyFault("OOM"), full.now);
  full.sharing.end(2, full.now);
  full.next("end");
});

test("what a store says is told in words, with how it is mended", () => {
  const cases = [
    ["WRONGPASS invalid username-password pair or user is disabled.", "link", "password"],
    ["NOAUTH Authentication required.", "link", "password"],
    ["LOADING Redis is loading the dataset in memory", "link", "loading"],
    ["OOM command not allowed when used memory > 'maxmemory'. script: abc", "writing", "full"],
    ["ERR Error running script: @user_script:1: OOM command not allowed", "writing", "full"],
    ["READONLY You can't write against a read only replica.", "replica", "replica"],
    ["MISCONF Redis is configured to save RDB snapshots", "writing", "disk"],
    ["NOPERM this user has no permissions", "writing", "may not"],
    ["XYZ a\nb", "writing", "XYZ a b"],
  ] as const;
  for (const [text, scope, part] of cases) {
    const fault = replyFault(text);
    assertEquals(fault.scope, scope, text);
    assert(fault.why.includes(part), fault.why);
  }
});
