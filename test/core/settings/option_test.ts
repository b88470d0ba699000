import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  commaList,
  type Flags,
  givenValue,
  isGiven,
  many,
  namedTables,
  NO_FLAGS,
  one,
  oneOf,
  oneTable,
  optional,
  resolve,
  type Resolved,
  type Rows,
  section,
  tableList,
  toggle,
  whole,
} from "../../../lib/core/settings/option.ts";
import { boolean, cidr, duration, fileName, text } from "../../../lib/core/settings/reader.ts";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import { test } from "../../testing.ts";

const ROWS = {
  age: { flag: "age", reader: one(duration, "DURATION"), default: "1m", help: "how old" },
  state: { flag: "state", reader: one(fileName, "FILE"), help: "where it is kept" },
  most: { flag: "most", reader: whole(0, 9), default: 5, help: "how many" },
  on: { flag: "on", reader: toggle, default: false, help: "do it" },
  nets: { flag: "net", reader: many(cidr, "CIDR"), default: [], help: "where" },
  from: { flag: "from", reader: commaList(cidr, "CIDR"), help: "who" },
  self: { flag: "self", reader: optional(text, "NAME", "nobody"), help: "whose" },
  level: {
    reader: oneOf("quiet", "normal", "verbose"),
    switches: { quiet: "say less", verbose: "say more" },
    default: "normal",
  },
  hidden: { reader: one(text, "TEXT"), help: "the file alone has it" },
  inner: oneTable({ key: { reader: whole(0, 9), help: "a number" } }),
  old: { flag: "old", gone: "there is a new one" },
} satisfies Rows;

/** A command line on which these were given. */
function flags(given: Readonly<Record<string, readonly string[]>>): Flags {
  return { texts: (flag) => Object.hasOwn(given, flag) ? given[flag] : undefined };
}

function complaint(run: () => unknown): string {
  const error = assertThrows(run, UserError);
  assert(error instanceof UserError);
  return error.message;
}

test("without flag and file, the default holds, read as the file's would be", () => {
  assertEquals(resolve(ROWS, NO_FLAGS), {
    age: 60,
    state: undefined,
    most: 5,
    on: false,
    nets: [],
    from: undefined,
    self: undefined,
    level: "normal",
    hidden: undefined,
    inner: undefined,
  });
});

test("the file wins over the default, and the flag over both", () => {
  const file = section(ROWS)({ age: "2m", most: 0, on: true, level: "quiet", nets: ["::1"] }, "");
  const inFile = resolve(ROWS, NO_FLAGS, file);
  assertEquals(
    [inFile.age, inFile.most, inFile.on, inFile.level, inFile.nets],
    [120, 0, true, "quiet", ["::1"]],
  );
  const given = resolve(ROWS, flags({ age: ["3m"], most: ["7"], verbose: [], net: ["::2"] }), file);
  assertEquals(
    [given.age, given.most, given.on, given.level, given.nets],
    [180, 7, true, "verbose", ["::2"]],
  );
  // False and empty lists are values too.
  const off = section(ROWS)({ on: false, nets: [] }, "");
  assertEquals([resolve(ROWS, NO_FLAGS, off).on, resolve(ROWS, NO_FLAGS, off).nets], [false, []]);
});

test("what has a default has a value, by its type as well", () => {
  const options: Resolved<typeof ROWS> = resolve(ROWS, NO_FLAGS);
  const age: number = options.age;
  const level: "quiet" | "normal" | "verbose" = options.level;
  // @ts-expect-error -- without a default, there may be none
  const state: string = options.state;
  // @ts-expect-error -- what is gone has no value
  const old: unknown = options.old;
  assertEquals([age, level, state, old], [60, "normal", undefined, undefined]);
});

test("each form of flag is read", () => {
  const read = (given: Readonly<Record<string, readonly string[]>>) => resolve(ROWS, flags(given));
  assertEquals(read({ on: [] }).on, true);
  assertEquals(read({ net: ["::1", "10.0.0.0/8"] }).nets, ["::1", "10.0.0.0/8"]);
  assertEquals(read({ from: ["::1, 10.0.0.0/8"] }).from, ["::1", "10.0.0.0/8"]);
  assertEquals(read({ self: [""] }).self, "nobody");
  assertEquals(read({ self: ["me"] }).self, "me");
  assertEquals(read({ most: ["007"] }).most, 7);
  assertEquals(read({ state: ["a/b"] }).state, "a/b");
});

test("a wrong flag is named with what was expected", () => {
  const wrong = (given: Readonly<Record<string, readonly string[]>>) =>
    complaint(() => resolve(ROWS, flags(given)));
  assertEquals(wrong({ most: ["10"] }), "--most: expected a whole number from 0 to 9, got 10");
  assertEquals(wrong({ most: ["x"] }), '--most: expected a whole number from 0 to 9, got "x"');
  assertEquals(
    wrong({ net: ["::1", "x"] }),
    '--net: expected an IP address with a prefix length, such as 10.0.0.2/32, got "x"',
  );
  assertEquals(
    wrong({ from: ["::1,"] }),
    '--from: expected an IP address with a prefix length, such as 10.0.0.2/32, got ""',
  );
});

test("an error that is no user's goes through", () => {
  const broken = () => {
    throw new TypeError("broken");
  };
  const rows = { a: { flag: "a", reader: one(broken, "A"), help: "a" } } satisfies Rows;
  assertThrows(() => resolve(rows, flags({ a: ["x"] })), TypeError, "broken");
});

test("flags that stand for values of one option exclude each other", () => {
  assertEquals(
    complaint(() => givenValue(flags({ quiet: [], verbose: [] }), ROWS.level)),
    "--quiet and --verbose exclude each other; give one of them",
  );
  const format = {
    flag: "format",
    reader: oneOf("text", "json"),
    switches: { json: "the same as --format json" },
    help: "how",
  };
  assertEquals(givenValue(flags({ json: [] }), format), "json");
  assertEquals(givenValue(flags({ format: ["json"] }), format), "json");
  assertEquals(
    complaint(() => givenValue(flags({ json: [], format: ["text"] }), format)),
    "--format and --json exclude each other; give one of them",
  );
});

test("what was given is known apart from what holds", () => {
  const given = flags({ age: ["1m"], quiet: [] });
  assertEquals(isGiven(given, ROWS.age), true);
  assertEquals(isGiven(given, ROWS.level), true);
  assertEquals(isGiven(given, ROWS.most, ROWS.hidden), false);
  assertEquals(isGiven(given, ROWS.most, ROWS.age), true);
  assertEquals(isGiven(NO_FLAGS, ...[ROWS.age, ROWS.level]), false);
  assertEquals(givenValue(given, ROWS.most), undefined);
});

test("a section is read by its rows, paths beside the file, and what is gone says why", () => {
  const read = section(ROWS);
  assertEquals(read({ state: "s", inner: { key: 3 } }, "top", "/etc/x.toml"), {
    state: "/etc/s",
    inner: { key: 3 },
  });
  const refusal = (value: unknown) => {
    const error = assertThrows(() => read(value, "top"), SyntaxError);
    assert(error instanceof SyntaxError);
    return error.message;
  };
  assertEquals(refusal({ old: 1 }), "top.old is gone: there is a new one");
  assertEquals(refusal({ inner: { kay: 3 } }), 'unknown key "top.inner.kay" (did you mean "key"?)');
  assertEquals(
    refusal({ quiet: true }),
    'unknown key "top.quiet" (known: age, state, most, on, nets, from, self, level, hidden, inner)',
  );
});

test("tables stand in a section once, as a list, or by names", () => {
  const leaf = {
    on: { reader: { inFile: boolean, ofFlag: () => true }, help: "x" },
  } satisfies Rows;
  const read = section({ one: oneTable(leaf), list: tableList(leaf), named: namedTables(leaf) });
  assertEquals(read({ one: { on: true }, list: [{}, { on: false }], named: { a: {} } }, ""), {
    one: { on: true },
    list: [{}, { on: false }],
    named: new Map([["a", {}]]),
  });
});
