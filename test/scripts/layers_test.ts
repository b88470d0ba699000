/** The lint plugin that keeps the layers apart. It runs in Deno's linter alone. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import plugin, { circle, forbidden, layerOf, roomOf } from "../../scripts/lint/layers.ts";

const FILES = {
  wire: "/src/lib/wire/wgsig/record.ts",
  core: "/src/lib/core/registry/registry.ts",
  library: "/src/lib/library/registry.ts",
  host: "/src/lib/host/deno/deno.ts",
  service: "/src/lib/service/serve/serve.ts",
  wireguard: "/src/lib/wireguard/device.ts",
  cli: "/src/cli/serve.ts",
  main: "/src/cli/main_deno.ts",
  script: "/src/scripts/build.ts",
  test: "/src/test/core/registry/registry_test.ts",
} as const;
type Place = keyof typeof FILES;
const PLACES = Object.keys(FILES) as Place[];

/** What the plugin says of a source. */
function said(place: Place, source: string): string[] {
  const path = FILES[place];
  return Deno.lint.runPlugin(plugin, path, source).map(({ id, message }) => {
    assertEquals(id, "wgsig/layers");
    return message;
  });
}

function specifierOf(from: Place, to: Place): string {
  const folders = FILES[from].split("/").slice(2, -1);
  return `${"../".repeat(folders.length)}${FILES[to].slice("/src/".length)}`;
}

/** The layers that each may import, its own apart. */
const ALLOWED: Readonly<Record<string, readonly Place[]>> = {
  wire: [],
  core: ["wire"],
  library: ["core", "wire"],
  host: ["core", "wire"],
  service: ["core", "wire", "host", "wireguard"],
  wireguard: ["core", "wire", "host"],
  cli: ["core", "wire", "host", "service", "wireguard"],
};
const LAYERS = Object.keys(ALLOWED) as Place[];

for (const from of LAYERS) {
  Deno.test(`${from} imports ${ALLOWED[from]!.join(", ") || "nothing"}, and no other layer`, () => {
    for (const to of LAYERS) {
      const allowed = to === from || ALLOWED[from]!.includes(to);
      const specifier = to === from ? "./neighbour.ts" : specifierOf(from, to);
      const count = said(from, `import { x } from "${specifier}"; export { x };`).length;
      assertEquals(count, allowed ? 0 : 1, `${from} imports ${to}`);
    }
  });
}

Deno.test("every way to import is looked at", () => {
  const specifier = specifierOf("core", "host");
  const ways = [
    `import { x } from "${specifier}"; x();`,
    `import type { X } from "${specifier}"; export type Y = X;`,
    `import * as all from "${specifier}"; all.x();`,
    `import "${specifier}";`,
    `export { x } from "${specifier}";`,
    `export type { X } from "${specifier}";`,
    `export * from "${specifier}";`,
    `export * as all from "${specifier}";`,
    `export const x = await import("${specifier}");`,
  ];
  for (const source of ways) {
    assertEquals(said("core", source), ["lib/core may not import lib/host"], source);
  }
});

Deno.test("what is imported as text runs nowhere, and may lie anywhere", () => {
  const specifier = specifierOf("core", "host");
  assertEquals(said("core", `import x from "${specifier}" with { type: "text" }; x();`), []);
  const json = `import x from "${specifier}" with { type: "json" }; x();`;
  assertEquals(said("core", json), ["lib/core may not import lib/host"]);
});

Deno.test("what runs in a browser may do what a browser does", () => {
  const source = "setTimeout(() => {}, 5);";
  const inBrowser = "/src/lib/service/http/page/live.js";
  assertEquals(Deno.lint.runPlugin(plugin, inBrowser, source), []);
  assertEquals(said("service", source).length, 1);
});

Deno.test("the message names both layers", () => {
  assertEquals(said("wire", `export * from "../../core/registry/registry.ts";`), [
    "lib/wire may not import lib/core",
  ]);
});

Deno.test("what a runtime brings is imported in lib/host, scripts and tests alone", () => {
  for (const specifier of ["node:fs", "node:buffer", "bun:ffi", "ext:core/mod.js"]) {
    for (const place of PLACES) {
      const source = `import x from "${specifier}"; export { x };`;
      const free = ["host", "main", "script", "test"].includes(place);
      const expected = free ? [] : [`only lib/host may import ${specifier}`];
      assertEquals(said(place, source), expected, place);
    }
  }
});

Deno.test("packages may be imported everywhere", () => {
  for (const place of PLACES) {
    const source = `import x from "@noble/hashes/sha2.js"; export { x };`;
    assertEquals(said(place, source), [], place);
  }
});

Deno.test("a runtime is touched in lib/host, scripts and tests alone", () => {
  const uses = [
    "Deno.exit(1);",
    "Bun.gc(true);",
    "process.exit(1);",
    "setTimeout(() => {}, 5);",
    "setInterval(() => {}, 5);",
    `await fetch("https://example.org");`,
  ];
  for (const source of uses) {
    const name = /^(?:await )?(\w+)/.exec(source)![1]!;
    for (const place of PLACES) {
      const messages = said(place, source);
      const free = ["host", "main", "script", "test"].includes(place);
      assertEquals(messages.length, free ? 0 : 1, `${place}: ${source}`);
      if (!free) assertStringIncludes(messages[0]!, `may not use ${name}: it is a host's`);
    }
  }
});

Deno.test("clocks and randomness are arguments in wire, core and library, and nowhere else", () => {
  const uses = [
    "export const now = Date.now();",
    "export const now = new Date();",
    "export const now = performance.now();",
    "crypto.getRandomValues(new Uint8Array(1));",
    "export const later = (clock = Date) => clock.now();",
  ];
  for (const source of uses) {
    for (const place of PLACES) {
      const expected = ["wire", "core", "library"].includes(place) ? 1 : 0;
      assertEquals(said(place, source).length, expected, `${place}: ${source}`);
    }
  }
});

Deno.test("a name that is only a property's is no use of a runtime", () => {
  const sources = [
    "export const stop = (host: { process: number }) => host.process;",
    "export const x = { process: 1, fetch: 2, Deno: 3 };",
    "export class Clock { Date = 1; fetch(): void {} }",
    "export interface Host { readonly process: number; fetch(): void }",
    "export const start = (host: { setTimeout(): void }) => host.setTimeout();",
    "export const read = (log: { Date: string }) => log.Date;",
    `export const text = "Deno and Bun, setTimeout, Date";`,
    "// Deno.exit(1)",
  ];
  for (const source of sources) assertEquals(said("core", source), [], source);
});

Deno.test("a name in brackets or as a value is a use", () => {
  const sources = [
    "export const x = (table: Record<string, number>) => table[Deno];",
    "export const x = { runtime: process };",
    "export const x = { [fetch.name]: 1 };",
    "export const x = { [process]: 1 };",
    "export const run = setTimeout;",
    "globalThis.setTimeout(() => {}, 5);",
  ];
  for (const source of sources) assertEquals(said("service", source).length, 1, source);
});

Deno.test("a layer is told by the folder, and other files are in none", () => {
  const layers = PLACES.map((place) => [place, layerOf(FILES[place])]);
  assertEquals(Object.fromEntries(layers), {
    wire: "lib/wire",
    core: "lib/core",
    library: "lib/library",
    host: "lib/host",
    service: "lib/service",
    wireguard: "lib/wireguard",
    cli: "cli",
    main: "cli",
    script: undefined,
    test: undefined,
  });
  assertEquals(layerOf("/src/mod.ts"), undefined);
  assertEquals(layerOf("/src/lib/packages.d.ts"), undefined);
});

Deno.test("files without a layer import what they like", () => {
  const sources = [`import "../lib/host/deno.ts";`, `import "node:fs";`];
  for (const source of sources) {
    assertEquals(said("script", source), []);
    assertEquals(said("test", source), []);
  }
  assertEquals(forbidden("/src/mod.ts", "./lib/host/deno/deno.ts"), undefined);
});

/** What is said of an import from one room of a layer to another. */
function between(layer: string, from: string, to: string): string | undefined {
  const file = (room: string) =>
    ["", "src", layer, room, "x.ts"].filter((each, i) => i === 0 || each !== "").join("/");
  const up = "../".repeat(from === "" ? 0 : from.split("/").length);
  return forbidden(file(from), `./${up}${to === "" ? "" : `${to}/`}x.ts`);
}

Deno.test("a room imports the shared ones, those around it, and what the table says", () => {
  const allowed = [
    ["lib/wire", "wgsig", "bytes"],
    ["lib/wire", "wgsig", "crypto"],
    ["lib/core", "registry", "net"],
    ["lib/core", "lease/server", "lease"],
    ["lib/core", "zone/client", "dns"],
    ["lib/core", "zone/server", "registry"],
    ["lib/host", "quickjs", ""],
    ["lib/host", "bun", "linux"],
    ["lib/service", "zone/server", ""],
    ["lib/service", "sync", "log"],
    ["lib/service", "query", "zone/client"],
  ] as const;
  for (const [layer, from, to] of allowed) assertEquals(between(layer, from, to), undefined, from);
});

Deno.test("no room imports another domain, its shared rooms' users, or its own inner rooms", () => {
  const refused = [
    ["lib/wire", "bytes", "wgsig"],
    ["lib/wire", "dns", "wgsig"],
    ["lib/core", "net", "registry"],
    ["lib/core", "registry", "zone"],
    ["lib/core", "registry", "zone/server"],
    ["lib/core", "lease", "lease/server"],
    ["lib/core", "lease/client", "lease/server"],
    ["lib/core", "sync", "registry"],
    ["lib/host", "linux", "deno"],
    ["lib/host", "node", "quickjs"],
    ["lib/service", "ask", "sync"],
    ["lib/service", "lease/client", "sync"],
    ["lib/service", "log", "serve"],
    ["lib/service", "zone/client", "query"],
  ] as const;
  for (const [layer, from, to] of refused) {
    assertEquals(between(layer, from, to), `${layer}/${from} may not import ${layer}/${to}`);
  }
});

Deno.test("a room that the table doesn't know may import nothing of its floor", () => {
  assertEquals(
    between("lib/core", "heap", "net"),
    "lib/core/heap is no room that the table of rooms knows",
  );
});

Deno.test("a room is told by the folders below the layer's", () => {
  assertEquals(roomOf("/src/lib/core/lease/server/book.ts", "lib/core"), "lease/server");
  assertEquals(roomOf("/src/lib/host/clock.ts", "lib/host"), "");
  assertEquals(roomOf("/src/cli/serve.ts", "cli"), "");
});

Deno.test("an import that leads back to its file is named with its whole way", () => {
  const imports: Readonly<Record<string, readonly string[]>> = {
    "/a": ["/b", "/x"],
    "/b": ["/x", "/c"],
    "/c": ["/a"],
    "/x": ["/x2"],
    "/x2": ["/x"],
  };
  const of = (path: string) => imports[path] ?? [];
  assertEquals(circle("/a", "/b", of), ["/b", "/c", "/a"]);
  assertEquals(circle("/a", "/x", of), undefined);
  assertEquals(circle("/x", "/x2", of), ["/x2", "/x"]);
  assertEquals(circle("/y", "/nowhere", of), undefined);
  assertEquals(circle("/y", "/y", of), ["/y"]);
});

Deno.test("circles between files on the disk are refused, of types as well", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const room = `${folder}/lib/core/net`;
    await Deno.mkdir(room, { recursive: true });
    await Deno.writeTextFile(
      `${room}/a.ts`,
      `import {\n  type B,\n} from "./b.ts";\nexport type A = B;\n`,
    );
    await Deno.writeTextFile(`${room}/b.ts`, `export type { A as B } from "./a.ts";\n`);
    await Deno.writeTextFile(`${room}/c.ts`, `import "./a.ts";\n`);
    const messages = async (name: string) =>
      Deno.lint.runPlugin(plugin, `${room}/${name}`, await Deno.readTextFile(`${room}/${name}`))
        .map(({ message }) => message.replaceAll(folder.slice(1), ""));
    assertEquals(await messages("a.ts"), [
      "circular import: /lib/core/net/b.ts → /lib/core/net/a.ts",
    ]);
    assertEquals((await messages("b.ts")).length, 1);
    assertEquals(await messages("c.ts"), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
