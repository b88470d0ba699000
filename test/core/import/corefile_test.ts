import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { importText, kindOf } from "../../../lib/core/import/import.ts";
import { readCorefile } from "../../../lib/core/import/corefile.ts";
import { parseSettings } from "../../../lib/core/settings/settings.ts";
import { test } from "../../testing.ts";

const settingsOf = (text: string) => {
  const imported = importText("corefile", text, { file: "Corefile", device: "", keys: undefined });
  return { ...imported, settings: parseSettings(imported.toml) };
};
const at = (host: string, port = 53) => ({ host, port });

test("a Corefile with a zone of wgsd becomes [serve.dns]", () => {
  const text = `# comment
.:53 {
    bind 192.0.2.1 2001:db8::1
    wgsd WG.example.com. wg0 {
        self 192.0.2.1:51820 10.0.0.1/32 10.1.2.3/16
    }
    log
    acl {
        allow net 10.0.0.0/8
        block
    }
}
example.org {
    forward . 192.0.2.53
}
`;
  const { settings, notes, toml } = settingsOf(text);
  assertEquals(settings, {
    serve: {
      dns: {
        listen: [at("192.0.2.1"), at("2001:db8::1")],
        zone: "wg.example.com",
        interface: "wg0",
        self: { endpoint: at("192.0.2.1", 51820) },
        "self-allowed-ips": ["10.0.0.1/32", "10.1.0.0/16"],
      },
    },
  });
  assertEquals(notes.map(({ line }) => line), [5, 7, 8, 13]);
  assertMatch(notes[2]!.text, /^"acl" is CoreDNS's: .*allow-from/);
  for (const { line, text } of notes) assert(toml.includes(`#   line ${line}: ${text}\n`));
});

test("several zones, and self without an endpoint", () => {
  const { settings, notes } = settingsOf(`a.example:1053 b.example:1053,
tls://c.example {
  wgsd "a.example" wg0 {
    self
  }
  wgsd b.example wg1 {
    self 10.0.0.1/32
  }
  wgsd b.example wg2
  wgsd c.example
}
. {
  wgsd d.example wg3
}`);
  const { listen, zone } = settings.serve?.dns ?? {};
  assertEquals(listen, [at("0.0.0.0", 1053), at("::", 1053), at("0.0.0.0"), at("::")]);
  assertEquals(zone, [
    { name: "a.example", interface: "wg0", self: { endpoint: undefined } },
    {
      ...{ name: "b.example", interface: "wg1", self: { endpoint: undefined } },
      "self-allowed-ips": ["10.0.0.1/32"],
    },
    { name: "d.example", interface: "wg3" },
  ]);
  assertEquals(notes.map(({ line }) => line), [1, 9, 10, 12]);
});

test("what can't be served is said", () => {
  const said = (text: string) => {
    const { remarks, notes } = settingsOf(text);
    return [...remarks, ...notes.map(({ line, text }) => `${line}: ${text}`)].join("\n");
  };
  assertMatch(said("tls://. {\n wgsd a.b wg0\n}"), /listen has to be filled in\n1: /);
  assertMatch(said("(x) {\n wgsd a.b wg0\n}\n. {\n import x\n}"), /no zone[^]*1: a snippet[^]*4: /);
  assertMatch(said(". {\n wgsd a.b wg0 {\n self 0.0.0.0:5\n}"), /1: a block that nothing closes/);
  assertMatch(said(". {\n wgsd a.b wg0 {\n self 0.0.0.0:5\n}\n}"), /3: self's endpoint/);
  assertMatch(said(". {\n bind eth0\n wgsd a..b wg0\n wgsd a.b wg0 x y\n}"), /2: bind[^]*3: wgsd/);
});

test("files are told apart by what is in them", () => {
  assertEquals(kindOf(".:53 {\n  wgsd a.b wg0\n}"), "corefile");
  assertEquals(kindOf("\n # x\n[interface]\n"), "wg-quick");
  for (const text of ["", "{}", "wgsd", ".:53 {\n  log\n}", "[serve]\n"]) {
    assertEquals(kindOf(text), undefined, text);
  }
});

test("any text makes settings that are accepted", () => {
  const word = fc.constantFrom(
    ...["wgsd", "wgsd a.b wg0", "self", "{", "}", " {\n", "\n}\n", "\n", " ", "#", '"', "\\", ":"],
    ...[".:53", "tls://", "bind", "192.0.2.1", "::", "192.0.2.1:5", "10.0.0.1/8", "__proto__"],
    ...["constructor", "\u2028", "\ud800", "(x)", "65536", "[::]:5", "a.b", "wg0"],
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.oneof(word, fc.string()), { maxLength: 60 }).map((words) => words.join("")),
  );
  fc.assert(
    fc.property(text, (text) => {
      const { notes } = settingsOf(text);
      const lines = text.split("\n").length;
      assert(notes.every(({ line }) => line >= 1 && line <= lines));
    }),
    { numRuns: 1000 },
  );
  for (const char of ["{", "\n", '"', "#", "a,", "{\n", "}\n", " ", "\\"]) {
    const { zones } = readCorefile(char.repeat(200_000));
    assertEquals(zones, []);
  }
});
