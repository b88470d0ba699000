import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { LogFields, LogLevel } from "../../../lib/core/net/log_line.ts";
import { isJournal } from "../../../lib/service/log/journal.ts";
import { LineLimit, Log, type LogOptions } from "../../../lib/service/log/log.ts";
import { MemoryHost } from "../../support/memory_host.ts";
import { test } from "../../testing.ts";

const LEVELS: readonly LogLevel[] = ["error", "warn", "info", "debug"];
const TIME = "2023-11-14T22:13:20.000Z";

function logWith(options: Partial<LogOptions> = {}): { log: Log; host: MemoryHost } {
  const host = new MemoryHost();
  return { host, log: new Log(host, { format: "text", verbosity: "normal", ...options }) };
}

/** What a line with these fields looks like after its event. */
function fieldsText(fields: LogFields): string {
  const { log, host } = logWith();
  log.write("info", "event", fields);
  const head = `${TIME} info event`;
  assert(host.out.text.startsWith(head));
  assertEquals(host.out.text.indexOf("\n"), host.out.text.length - 1);
  return host.out.text.slice(head.length, -1);
}

test("a line of text has time, level, event and fields", () => {
  const { log, host } = logWith();
  log.write("warn", "state-not-saved", { file: "/var/lib/wgsig", peers: 12, retried: true });
  assertEquals(
    host.out.text,
    `${TIME} warn state-not-saved file=/var/lib/wgsig peers=12 retried=true\n`,
  );
  assertEquals(host.err.text, "");
});

test("a line without fields ends after the event", () => {
  const { log, host } = logWith();
  log.write("info", "stopping");
  assertEquals(host.out.text, `${TIME} info stopping\n`);
});

test("the time is that of the host, to the millisecond", () => {
  const { log, host } = logWith();
  host.wall = 1_700_000_000.1239;
  log.write("info", "now");
  assertEquals(host.out.text, "2023-11-14T22:13:20.123Z info now\n");
});

test("a line of JSON has the same as properties, in this order", () => {
  const { log, host } = logWith({ format: "json" });
  log.write("info", "listening", { address: "[::]:1223", group: 0, first: false });
  assertEquals(
    host.out.text,
    `{"time":"${TIME}","level":"info","event":"listening",` +
      `"address":"[::]:1223","group":0,"first":false}\n`,
  );
});

test("the journal gets levels as priorities, and no time beside its own", () => {
  const { log, host } = logWith({ isJournal: true, verbosity: "verbose" });
  for (const level of LEVELS) log.write(level, "event", { a: 1 });
  assertEquals(
    host.out.text,
    "<3>error event a=1\n<4>warn event a=1\n<6>info event a=1\n<7>debug event a=1\n",
  );
  const json = logWith({ isJournal: true, format: "json" });
  json.log.write("warn", "event");
  assertEquals(json.host.out.text, `<4>{"time":"${TIME}","level":"warn","event":"event"}\n`);
});

test("the journal reads a stream that is its own, and no file in its place", () => {
  const at = (stream?: string) => {
    const host = new MemoryHost(stream === undefined ? {} : { env: { JOURNAL_STREAM: stream } });
    return isJournal(host, host.out);
  };
  assertEquals([at(), at("8:15"), at("8:16"), at("9:15"), at("")], [
    false,
    true,
    false,
    false,
    false,
  ]);
});

test("values with spaces or quotes are quoted, others are not", () => {
  assertEquals(fieldsText({ a: "b c" }), ' a="b c"');
  assertEquals(fieldsText({ a: 'b"c' }), ' a="b\\"c"');
  assertEquals(fieldsText({ a: "b\nc" }), ' a="b\\nc"');
  assertEquals(fieldsText({ a: "b\tc", d: "\r" }), ' a="b\\tc" d="\\r"');
  assertEquals(fieldsText({ a: "[::1]:5", b: "x=y", c: "Zm9v+/=" }), " a=[::1]:5 b=x=y c=Zm9v+/=");
  assertEquals(fieldsText({ a: -1.5, b: true, c: 0 }), " a=-1.5 b=true c=0");
});

/** The fields of a line of text, read from left to right. */
function parsedFields(text: string): [string, string][] {
  const field = / ([a-z]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)/y;
  const fields: [string, string][] = [];
  while (field.lastIndex < text.length) {
    const match = field.exec(text);
    assert(match !== null, `no fields: ${text}`);
    const [, key = "", value = ""] = match;
    fields.push([key, value.startsWith('"') ? String(JSON.parse(value)) : value]);
  }
  return fields;
}

test("any values can be read back from either format, and none begins a line of its own", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(...'ab ="\\\n\r\t\u2028') }),
  );
  fc.assert(fc.property(text, text, (value, other) => {
    assertEquals(parsedFields(fieldsText({ value, other })), [["value", value], ["other", other]]);
    const { log, host } = logWith({ format: "json" });
    log.write("info", "event", { value, other });
    const read: unknown = JSON.parse(host.out.text);
    assertEquals(read, { time: TIME, level: "info", event: "event", value, other });
    assertEquals(host.out.text.indexOf("\n"), host.out.text.length - 1);
  }));
});

test("the verbosity says which levels are written", () => {
  const shown = {
    quiet: ["error", "warn"],
    normal: ["error", "warn", "info"],
    verbose: ["error", "warn", "info", "debug"],
  };
  for (const verbosity of ["quiet", "normal", "verbose"] as const) {
    const { log, host } = logWith({ verbosity });
    for (const level of LEVELS) log.write(level, "event");
    assertEquals(host.out.text.match(/ \w+ event$/gm)?.map((line) => line.split(" ")[1]), [
      ...shown[verbosity],
    ]);
    assertEquals(LEVELS.filter((level) => log.shows(level)), shown[verbosity] as LogLevel[]);
  }
});

test("what was asked for is written whatever the verbosity is", () => {
  const { log, host } = logWith({ verbosity: "quiet" });
  log.write("info", "hidden");
  log.always("info", "counters", { received: 3 });
  assertEquals(host.out.text, `${TIME} info counters received=3\n`);
});

test("other settings hold from the next line on", () => {
  const { log, host } = logWith({ verbosity: "quiet" });
  log.write("info", "one");
  log.configure({ format: "json", verbosity: "normal" });
  log.write("info", "two");
  log.configure({ format: "text", verbosity: "normal" });
  log.write("info", "three");
  assertEquals(
    host.out.text,
    `{"time":"${TIME}","level":"info","event":"two"}\n${TIME} info three\n`,
  );
});

test("a limit lets so many lines through, then none until its time is over", () => {
  const limit = new LineLimit(3, 10);
  assertEquals([0, 0, 9, 9, 9.9].map((mono) => limit.take(mono)), [0, 0, 0, undefined, undefined]);
  assertEquals(limit.take(10), 2);
  assertEquals([10, 10, 10, 19.9].map((mono) => limit.take(mono)), [0, 0, undefined, undefined]);
  assertEquals(limit.take(40), 2);
});

test("a limit counts each suppressed line once", () => {
  const times = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { maxLength: 60 });
  fc.assert(fc.property(times, fc.integer({ min: 1, max: 5 }), (times, burst) => {
    const limit = new LineLimit(burst, 10);
    const all = [...times.sort((a, b) => a - b), 1000];
    const taken = all.map((mono) => limit.take(mono));
    const written = taken.filter((each) => each !== undefined);
    assertEquals(written.length + written.reduce((sum, each) => sum + each, 0), all.length);
    assert(taken[0] === 0 && taken.at(-1) !== undefined);
  }));
});

test("a limit lets the first line through whatever the clock says", () => {
  for (const mono of [0, -5, 1e9]) assertEquals(new LineLimit(1, 60).take(mono), 0);
});

test("limits know nothing of each other", () => {
  const [one, two] = [new LineLimit(1, 10), new LineLimit(1, 10)];
  assertEquals([one.take(0), one.take(1), two.take(1)], [0, undefined, 0]);
});
