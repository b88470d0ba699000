import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  besideFile,
  boolean,
  choice,
  cidr,
  duration,
  either,
  entriesOf,
  fileName,
  hostPort,
  integer,
  itemPath,
  label,
  list,
  namedTable,
  prefix,
  publicKey,
  type Reader,
  record,
  table,
  tables,
  text,
  unknownName,
} from "../../../lib/core/settings/reader.ts";
import { test } from "../../testing.ts";

const KEY = "ht5HylAGWR0EQTx66W+IuX0andEuovl8Qi0p+dPTCNU=";
/** One of every type that a settings file can hold, and of those that it can't. */
const SAMPLES: readonly unknown[] = [
  "",
  "text",
  0,
  -1,
  1.5,
  NaN,
  Infinity,
  true,
  false,
  [],
  ["text"],
  {},
  { key: 1 },
  new Date(0),
  null,
  undefined,
];

/** The message with which a value is refused. */
function refusal(reader: Reader<unknown>, value: unknown, path = "a.b"): string {
  const error = assertThrows(() => reader(value, path), SyntaxError);
  assert(error instanceof SyntaxError);
  return error.message;
}

function accepts<T>(reader: Reader<T>, pairs: readonly (readonly [unknown, T])[]): void {
  for (const [value, read] of pairs) assertEquals(reader(value, "a.b"), read);
}

/** Checks that a reader refuses these, and says where and what it expected. */
function refuses(reader: Reader<unknown>, expected: string, values: readonly unknown[]): void {
  for (const value of values) {
    const message = refusal(reader, value);
    assert(message.startsWith(`a.b: expected ${expected}, got `), message);
  }
}

function samplesBut(...taken: readonly unknown[]): unknown[] {
  return SAMPLES.filter((sample) => !taken.some((each) => Object.is(each, sample)));
}

test("a message names the path, what was expected, and the value", () => {
  assertEquals(refusal(text, 5), "a.b: expected a text, got 5");
  assertEquals(refusal(text, ["x\n"]), 'a.b: expected a text, got ["x\\n"]');
  assertEquals(
    refusal(integer(1, 9), "5"),
    'a.b: expected a whole number from 1 to 9, got "5"',
  );
  assertEquals(
    refusal(integer(1, 9), Infinity),
    "a.b: expected a whole number from 1 to 9, got Infinity",
  );
});

test("a text is a string that is not empty", () => {
  accepts(text, [["text", "text"], [" ", " "], ["a\nb", "a\nb"]]);
  refuses(text, "a text", samplesBut("text"));
});

test("a boolean is true or false", () => {
  accepts(boolean, [[true, true], [false, false]]);
  refuses(boolean, "true or false", [...samplesBut(true, false), "true", 1]);
});

test("a whole number lies between its limits", () => {
  const reader = integer(0, 0xffff_ffff);
  accepts(reader, [[0, 0], [1, 1], [0xffff_ffff, 0xffff_ffff]]);
  refuses(reader, "a whole number from 0 to 4294967295", [
    ...samplesBut(0),
    0x1_0000_0000,
    -1,
    0.5,
    "1",
    1e300,
  ]);
  accepts(integer(5, 5), [[5, 5]]);
  refuses(integer(5, 5), "a whole number from 5 to 5", [4, 6]);
});

test("a duration is a text with a unit, or seconds", () => {
  accepts(duration, [["500ms", 0.5], ["2h", 7200], ["7", 7], [30, 30], [1.5, 1.5], [0, 0]]);
  refuses(duration, 'a duration such as "30s", "5m" or "2h"', [
    ...samplesBut(0, 1.5),
    "-1s",
    "1 s",
    "1s\n",
    -0.5,
  ]);
});

test("a choice is one of its words", () => {
  const reader = choice("on", "off");
  accepts(reader, [["on", "on"], ["off", "off"]]);
  refuses(reader, '"on" or "off"', [...SAMPLES, "ON", "on ", "onoff", "toString"]);
});

test("a public key is 44 characters of base64", () => {
  accepts(publicKey, [[KEY, KEY]]);
  refuses(publicKey, "a WireGuard public key (44 characters of base64)", [
    ...SAMPLES,
    KEY.slice(1),
    `${KEY}\n`,
    ` ${KEY}`,
    `${KEY}\nAllowedIPs = 0.0.0.0/0`,
    KEY.replace("=", "A"),
    KEY.replace("U=", "V="),
  ]);
});

test("an address may have a prefix length, as long as the address is", () => {
  const good = [
    "10.0.0.2",
    "10.0.0.2/32",
    "0.0.0.0/0",
    "255.255.255.255/1",
    "::/0",
    "::1",
    "fd00::1/128",
    "FD00:0:0:0:0:0:0:1/64",
    "::ffff:10.0.0.1/128",
  ];
  accepts(cidr, good.map((text) => [text, text]));
  refuses(cidr, "an IP address with a prefix length, such as 10.0.0.2/32", [
    ...SAMPLES,
    "10.0.0.2/33",
    "10.0.0.2/",
    "10.0.0.2/-1",
    "10.0.0.2/1.5",
    "10.0.0.2/032 ",
    "10.0.0.2/24/24",
    "10.0.0",
    "10.0.0.256/32",
    "010.0.0.2/32",
    "10.0.0.2 /32",
    "fd00::1/129",
    "fd00::1/1000",
    "fd00::1::2/64",
    "fe80::1%eth0/64",
    "[::1]/128",
    "example.org/32",
    "/32",
  ]);
});

test("a prefix with host bits is refused with what may be meant", () => {
  const good = [
    "10.0.0.0/8",
    "10.0.0.1",
    "10.0.0.1/32",
    "0.0.0.0/0",
    "::/0",
    "fd00::/64",
    "fd00::1",
  ];
  accepts(prefix, good.map((text) => [text, text]));
  const wrong = {
    "10.0.0.1/8": "10.0.0.0/8, or 10.0.0.1",
    "10.9.8.255/25": "10.9.8.128/25, or 10.9.8.255",
    "255.255.255.255/1": "128.0.0.0/1, or 255.255.255.255",
    "0.0.0.1/0": "0.0.0.0/0, or 0.0.0.1",
    "FD00::1/64": "fd00::/64, or FD00::1",
    "fd00::1/127": "fd00::/127, or fd00::1",
  };
  for (const [text, meant] of Object.entries(wrong)) {
    refuses(prefix, `${meant} for that address alone`, [text]);
  }
  refuses(prefix, "an IP address with a prefix length, such as 10.0.0.2/32", samplesBut());
});

test("nothing can be written behind an address into a configuration", () => {
  const injected = [
    "\n",
    "\r",
    "\n[Peer]\n",
    "\nPostUp = reboot",
    ", 0.0.0.0/0",
    " #",
    "\0",
    "\u2028",
  ];
  for (const tail of injected) {
    for (const text of [`10.0.0.2/32${tail}`, `10.0.0.2${tail}`, `${tail}10.0.0.2/32`]) {
      refuses(cidr, "an IP address with a prefix length, such as 10.0.0.2/32", [text]);
    }
  }
});

test("a name is one line of anything but control characters", () => {
  accepts(label, [
    ["laptop", "laptop"],
    ["Küche, 2. Stock # alt", "Küche, 2. Stock # alt"],
    [" ", " "],
    ["[Peer]", "[Peer]"],
  ]);
  refuses(label, "a name on one line", samplesBut("text"));
});

test("no control character gets through in a name, wherever it stands", () => {
  for (let code = 0; code < 0x100; code++) {
    const letter = String.fromCharCode(code);
    const isControl = code < 0x20 || code === 0x7f;
    for (const name of [letter, `a${letter}`, `${letter}a`, `a${letter}PostUp = reboot`]) {
      if (isControl) refuses(label, "a name on one line", [name]);
      else assertEquals(label(name, ""), name);
    }
  }
});

test("a host and a port are read; the port may be left out where there is a default", () => {
  accepts(hostPort(1223), [
    ["a.example", { host: "a.example", port: 1223 }],
    ["[::1]:5", { host: "::1", port: 5 }],
  ]);
  accepts(hostPort(), [["0.0.0.0:1", { host: "0.0.0.0", port: 1 }]]);
  refuses(hostPort(1223), "HOST or HOST:PORT", [...samplesBut("text"), "a:b", "a b", "a:65536"]);
  refuses(hostPort(), "ADDRESS:PORT", [...SAMPLES, "0.0.0.0", "::1"]);
});

test("paths in settings are relative to their folder", () => {
  assertEquals(besideFile("secret", "/etc/wgsig/wgsig.toml"), "/etc/wgsig/secret");
  assertEquals(besideFile("../x/y", "/etc/wgsig/wgsig.toml"), "/etc/wgsig/../x/y");
  assertEquals(besideFile("/abs/secret", "/etc/wgsig/wgsig.toml"), "/abs/secret");
  assertEquals(besideFile("s", "conf/wgsig.toml"), "conf/s");
  assertEquals(besideFile("s", "wgsig.toml"), "s");
  assertEquals(besideFile("s", "/wgsig.toml"), "/s");
  assertEquals(besideFile("s", undefined), "s");
});

test("a file's name is a text, beside the settings file however deep it stands in that", () => {
  refuses(fileName, "a text", samplesBut("text"));
  assertEquals(fileName("a", "", "conf/x.toml"), "conf/a");
  const deep = table({ at: record(list(either(fileName, table({ in: fileName })))) });
  assertEquals(
    deep({ at: { here: ["a", { in: "b" }] } }, "", "/etc/x.toml"),
    { at: new Map([["here", ["/etc/a", { in: "/etc/b" }]]]) },
  );
});

test("a list names the place of what is wrong in it", () => {
  const reader = list(integer(0, 9));
  accepts(reader, [[[], []], [[1, 2], [1, 2]]]);
  const texts = SAMPLES.filter((sample) => typeof sample === "string" && sample !== "");
  refuses(reader, "a list", samplesBut(SAMPLES[9], SAMPLES[10], ...texts));
  assertEquals(refusal(reader, "x"), 'a.b: expected a list, such as ["x"], got "x"');
  assertEquals(
    refusal(reader, [1, 2, "x", 99]),
    'a.b[2]: expected a whole number from 0 to 9, got "x"',
  );
  assertEquals(refusal(list(reader), [[], [99]]).split(":")[0], "a.b[1][0]");
});

test("tables are called by what they are of, and who writes one alone is told how", () => {
  const reader = tables(table({ name: text, size: integer(0, 9) }), itemPath);
  const key = "ht5HylAGWR0EQTx66W+IuX0andEuovl8Qi0p+dPTCNU=";
  const wrong = (item: object) => refusal(reader, [{}, item]).split(":")[0];
  assertEquals(wrong({ name: "bob", size: 10 }), "a.b[1] (bob).size");
  assertEquals(wrong({ name: "b\nb", size: 10 }), "a.b[1].size");
  assertEquals(wrong({ "public-key": key }), 'unknown key "a.b[1] (ht5HylAG…).public-key" (known');
  assertEquals(
    wrong({ "public-key": "secret", size: 10 }),
    'unknown key "a.b[1].public-key" (known',
  );
  assertEquals(
    refusal(reader, { size: 1 }),
    "a.b: expected a list, got one table: write [[a.b]] in the place of [a.b]",
  );
  assertEquals(refusal(reader, "x"), 'a.b: expected a list, got "x"');
  const named = namedTable(table({ size: integer(0, 9) }), "wg0");
  assertEquals(
    refusal(named, { size: 1 }),
    "a.b.size: expected a table, got 1; what is in [a.b] belongs into [a.b.NAME], such as [a.b.wg0]",
  );
  assertEquals(refusal(named, { x: { size: 10 } }).split(":")[0], "a.b.x.size");
});

test("a table is neither a list nor a date", () => {
  assertEquals(entriesOf({ x: 1, y: [] }, ""), [["x", 1], ["y", []]]);
  const bare: unknown = Object.assign(Object.create(null), { x: 1 });
  assertEquals(entriesOf(bare, ""), [["x", 1]]);
  refuses(entriesOf, "a table", samplesBut(SAMPLES[11], SAMPLES[12]));
});

test("a table has the keys that were given, read, and no others", () => {
  const reader = table({ one: integer(0, 9), two: text });
  accepts(reader, [[{}, {}], [{ one: 1 }, { one: 1 }], [{ two: "x", one: 2 }, {
    one: 2,
    two: "x",
  }]]);
  assertEquals(Object.hasOwn(reader({ one: 1 }, ""), "two"), false);
  refuses(reader, "a table", samplesBut(SAMPLES[11], SAMPLES[12]));
});

test("an unknown key names its path and the nearest known key, or all", () => {
  const reader = table({ "max-peers": text, window: text });
  assertEquals(
    refusal(reader, { "max-peer": 1 }),
    'unknown key "a.b.max-peer" (did you mean "max-peers"?)',
  );
  assertEquals(
    refusal(reader, { windows: 1 }, ""),
    'unknown key "windows" (did you mean "window"?)',
  );
  assertEquals(
    refusal(reader, { colour: 1 }),
    'unknown key "a.b.colour" (known: max-peers, window)',
  );
});

test("a key that is gone says why, and is nobody's nearest", () => {
  const gone = table({ port: integer(0, 9) }, { threads: "there is one" });
  assertEquals(refusal(gone, { threads: 2 }), "a.b.threads is gone: there is one");
  assertEquals(refusal(gone, { thread: 2 }), 'unknown key "a.b.thread" (known: port)');
  assertEquals(refusal(gone, { constructor: 2 }), 'unknown key "a.b.constructor" (known: port)');
  assertEquals(gone({ port: 1 }, "a.b"), { port: 1 });
});

test("what every object inherits is no known key", () => {
  const reader = table({ one: text });
  for (const key of ["toString", "constructor", "hasOwnProperty", "__proto__", "valueOf"]) {
    const value: unknown = JSON.parse(`{"${key}": "x"}`);
    assertEquals(refusal(reader, value), `unknown key "a.b.${key}" (known: one)`);
  }
});

test("paths go through tables, records and lists", () => {
  const reader = table({ outer: record(table({ inner: list(table({ key: integer(0, 1) })) })) });
  const value = { outer: { wg0: { inner: [{ key: 1 }, { key: 2 }] } } };
  assertEquals(refusal(reader, value, "").split(":")[0], "outer.wg0.inner[1].key");
  const wrong = { outer: { wg0: { inner: [{ kay: 1 }] } } };
  assertEquals(
    refusal(reader, wrong, ""),
    'unknown key "outer.wg0.inner[0].kay" (did you mean "key"?)',
  );
});

test("a record keeps the names that the user chose, in their order", () => {
  const reader = record(integer(0, 9));
  assertEquals([...reader({ wg1: 1, wg0: 2, toString: 3 }, "a.b")], [
    ["wg1", 1],
    ["wg0", 2],
    ["toString", 3],
  ]);
  refuses(reader, "a table", samplesBut(SAMPLES[11], SAMPLES[12]));
  assertEquals(refusal(reader, { wg0: "x" }).split(":")[0], "a.b.wg0");
});

test("a mistyped name finds the nearest one that is near enough", () => {
  const known = ["listen", "max-age", "max-peers", "key"];
  const near: readonly (readonly [string, string])[] = [
    ["lsten", "listen"],
    ["listne", "listen"],
    ["Listen", "listen"],
    ["max-aeg", "max-age"],
    ["maxpeers", "max-peers"],
    ["max_peers", "max-peers"],
    ["ke", "key"],
  ];
  for (const [name, meant] of near) {
    assertEquals(
      unknownName("option", name, name, known),
      `unknown option "${name}" (did you mean "${meant}"?)`,
    );
  }
  for (const name of ["", "k", "colour", "xxxxxxxxxxxxxxxx"]) {
    assertEquals(
      unknownName("option", `--${name}`, name, known),
      `unknown option "--${name}" (known: ${known.join(", ")})`,
    );
  }
});

test("a name with one letter changed, added or left out is always recognized", () => {
  const known = ["secret-file", "allow-file", "encryption"];
  const edit = fc.record({
    name: fc.constantFrom(...known),
    at: fc.nat({ max: 9 }),
    kind: fc.constantFrom("change", "add", "leave out"),
  });
  fc.assert(fc.property(edit, ({ name, at, kind }) => {
    const wrong = name.slice(0, at) + (kind === "leave out" ? "" : "0") +
      name.slice(at + (kind === "add" ? 0 : 1));
    assert(unknownName("key", wrong, wrong, known).endsWith(`(did you mean "${name}"?)`), wrong);
  }));
});

test("no value makes a reader throw anything but a SyntaxError that begins with the path", () => {
  const readers = [
    text,
    integer(0, 5),
    duration,
    choice("a"),
    publicKey,
    cidr,
    prefix,
    label,
    hostPort(1),
    list(cidr),
    record(text),
    table({ a: text }),
  ];
  fc.assert(
    fc.property(fc.constantFrom<Reader<unknown>>(...readers), fc.anything(), (reader, value) => {
      try {
        reader(value, "some.path");
      } catch (error) {
        assert(error instanceof SyntaxError);
        assert(/^(?:unknown key ")?some\.path/.test(error.message), error.message);
      }
    }),
  );
});
