/** What can be wrong with the views of a zone. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import {
  MAX_VIEWS,
  tsigProblem,
  type ViewedZone,
  viewProblem,
  type ViewRule,
} from "../../../../lib/core/zone/server/view_rules.ts";
import { ViewMatch } from "../../../../lib/core/zone/server/view_match.ts";
import { encodeName } from "../../../../lib/wire/dns/name.ts";
import { addressBytes } from "../../../support/dns.ts";
import { keyOf } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const ZONE: ViewedZone = { hasInterface: true, groups: [7, 9], allowFrom: undefined };

function rule(said: Partial<ViewRule> = {}): ViewRule {
  const nothing = { tsig: undefined, from: undefined, groups: undefined, peers: undefined };
  return { ...nothing, interface: undefined, ...said };
}

function problem(views: readonly Partial<ViewRule>[], zone: Partial<ViewedZone> = {}) {
  return viewProblem(views.map(rule), { ...ZONE, ...zone });
}

test("what is wrong with a view is said of that view, and how to mend it", () => {
  const [ops] = [{ tsig: ["ops"] }];
  const cases: readonly (readonly [readonly Partial<ViewRule>[], Partial<ViewedZone>, RegExp])[] = [
    [[], {}, /^view is an empty list, .*; leave it out, or give it a view$/],
    [Array.from({ length: 101 }, () => ({})), {}, /^it has 101 views, and 100 are the most; /],
    [[ops, { tsig: [] }], {}, /^view\[1\]: tsig is an empty list, .*; leave it out$/],
    [[{ from: [] }], {}, /^view\[0\]: from is an empty list, where nobody is; leave it out$/],
    [
      [{ groups: [7, 8] }],
      {},
      /^view\[0\]: group 8 is none of the zone, which has 7, 9; add it to /,
    ],
    [
      [{ groups: [7] }],
      { groups: [] },
      /^view\[0\]: group 7 is none of the zone, which has none; /,
    ],
    [
      [{ interface: true }],
      { hasInterface: false },
      /^view\[0\]: the zone has no interface to show/,
    ],
    [[{ groups: [] }], {}, /^view\[0\]: it shows nobody; name groups or peers, or leave it out$/],
    [[{ peers: [] }], {}, /shows nobody/],
    [[{ interface: false }], { groups: [] }, /shows nobody/],
    [[{ peers: [], interface: false }], {}, /shows nobody/],
    [
      [ops, { from: ["10.0.0.0/8"] }],
      { allowFrom: ["192.0.2.0/24", "::/0"] },
      /^view\[1\] is never reached: allow-from lets nobody ask from there; add it there, or /,
    ],
    [
      [ops, {}, {}],
      {},
      /^view\[2\] is never reached: view\[1\] takes its questions before it; put /,
    ],
    [[{}, ops], {}, /^view\[1\] is never reached: view\[0\]/],
    [[ops, { tsig: ["ops"], from: ["10.0.0.0/8"] }], {}, /^view\[1\] is never reached: view\[0\]/],
    [[{ from: ["10.0.0.0/8"] }, { from: ["10.9.0.0/16"] }], {}, /^view\[1\] is never reached/],
    [
      [{ from: ["10.0.0.0/8"] }, { from: ["10.9.0.1"], tsig: ["a"] }],
      {},
      /never reached: view\[0\]/,
    ],
    [
      [{ from: ["0.0.0.0/0"] }, { from: ["::/0"] }, {}],
      {},
      /^view\[2\] is never reached: view\[0\]/,
    ],
    [[{ tsig: ["a"] }, { tsig: ["b"] }, { tsig: ["b", "a"] }], {}, /^view\[2\] is never reached/],
  ];
  for (const [views, zone, says] of cases) {
    const why = problem(views, zone);
    assertMatch(why ?? "nothing", says);
    assert(!why!.includes("\n"));
  }
});

test("views that have a use are right", () => {
  for (
    const views of [
      [{}],
      [{ tsig: ["ops"] }, {}],
      [{ tsig: ["ops"], from: ["10.0.0.0/8"] }, { tsig: ["ops"] }, { from: ["10.0.0.0/8"] }],
      [{ from: ["10.9.0.0/16"] }, { from: ["10.0.0.0/8"] }, { from: ["::/0"] }, {}],
      [{ tsig: ["a"] }, { tsig: ["a", "b"] }],
      [{ groups: [], interface: true }],
      [{ groups: [9], peers: [keyOf(1), keyOf(1)] }],
      [{ peers: [keyOf(1)] }],
      [{ interface: false }],
      Array.from({ length: MAX_VIEWS }, (_, i) => ({ from: [`10.0.${i}.0/24`] })),
    ]
  ) assertEquals(problem(views), undefined, JSON.stringify(views));
  assertEquals(problem([{ peers: [keyOf(1)] }], { hasInterface: false }), undefined);
  assertEquals(problem([{ from: ["10.9.0.0/16"] }], { allowFrom: ["10.9.0.1"] }), undefined);
});

test("a key that the zone doesn't have is said with those that it has", () => {
  const views = [rule(), rule({ tsig: ["ops.example", "obs.example"] })];
  assertEquals(tsigProblem(views, ["obs.example", "ops.example", "ops.example"], false), undefined);
  assertEquals(
    tsigProblem(views, ["ops.example", "ops.example", "example"], true),
    "view[1].tsig: obs.example is no key of the zone: it has ops.example, example",
  );
  assertEquals(
    tsigProblem(views, [], false),
    "view[1].tsig: ops.example is no key of the zone: it has none; name the key's file in tsig-files",
  );
});

test("where a key is required, a view for everybody is for those with a key", () => {
  const views = [rule({ tsig: ["a"] }), rule({ tsig: ["b"], from: ["10.0.0.0/8"] }), rule()];
  assertEquals(tsigProblem(views, ["a", "b"], true), undefined);
  assertEquals(tsigProblem([views[0]!, views[2]!], ["a"], false), undefined);
  assertEquals(
    tsigProblem([views[0]!, views[2]!], ["a"], true),
    "with require-tsig, view[1] is never reached: view[0] takes its questions before it; put the " +
      "narrower one first, or leave one out",
  );
});

test("of views that are right, each is the first for some question", () => {
  const prefixes = [
    "0.0.0.0/1",
    "10.0.0.0/8",
    "10.9.0.0/16",
    "10.9.0.0/17",
    "10.9.128.0/17",
    "::/0",
  ];
  const addresses = ["10.9.0.1", "10.9.128.1", "10.1.0.1", "9.0.0.1", "192.0.2.1", "2001:db8::1"];
  const keys = [undefined, encodeName("a"), encodeName("b")];
  const some = (from: readonly string[]) =>
    fc.option(fc.uniqueArray(fc.constantFrom(...from), { minLength: 1, maxLength: 3 }), {
      nil: undefined,
    });
  fc.assert(
    fc.property(
      fc.array(fc.record({ tsig: some(["a", "b"]), from: some(prefixes) }), {
        minLength: 1,
        maxLength: 5,
      }),
      (views) => {
        const matches = views.map((view) => new ViewMatch(view));
        const first = new Set(addresses.flatMap((address) => {
          const source = addressBytes(address);
          const path = {
            source,
            sourceAt: 0,
            local: undefined,
            localAt: 0,
            transport: "udp",
          } as const;
          return keys.map((key) => matches.findIndex((match) => match.takes(path, key)));
        }));
        const isRight = views.every((_, i) => first.has(i));
        const why = problem(views);
        // Two halves that together take what a third wants: that is not looked for.
        if (why !== undefined) assert(!isRight, why);
        else {
          const halves = ["10.9.0.0/17", "10.9.128.0/17"];
          const isSplit = halves.every((half) => views.some(({ from }) => from?.includes(half)));
          assert(isRight || isSplit, JSON.stringify(views));
        }
      },
    ),
    { numRuns: 2000 },
  );
});
