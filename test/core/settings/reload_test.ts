/** What comes of SIGHUP. */

import { assertEquals } from "@std/assert";
import { type Reloadable, SERVE_RULES } from "../../../lib/core/serve/reload.ts";
import { Reload, type ReloadOutcome } from "../../../lib/core/settings/reload.ts";
import { needsRestart } from "../../../lib/core/settings/restart.ts";
import { test } from "../../testing.ts";

interface Settings extends Reloadable {
  readonly maxAge: number;
}
const FIRST: Settings = {
  listen: [{ host: "0.0.0.0", port: 1223 }],
  maxPeers: 100,
  maxAnswer: 10,
  state: "/state",
  key: undefined,
  store: { place: "redis://a" },
  dns: { listen: [{ host: "::", port: 53 }] },
  lease: { interface: "wg0", state: undefined },
  punch: undefined,
  maxAge: 60,
};

/** What a reload says of an outcome: events and what belongs to them. */
function said(reload: Reload<Settings, string>, outcome: ReloadOutcome<Settings, string>) {
  return reload.told(outcome).map((news) => Object.values(news).join(" "));
}

test("nothing is read before it is asked for", () => {
  const reload = new Reload<Settings, string>(FIRST, SERVE_RULES);
  assertEquals(reload.next(), { kind: "rest" });
  assertEquals(reload.running, FIRST);
});

test("settings are read, put into force, and said", () => {
  const reload = new Reload<Settings, string>(FIRST, SERVE_RULES);
  reload.ask();
  assertEquals(reload.next(), { kind: "load" });
  // It is read once.
  assertEquals(reload.next(), { kind: "rest" });
  const settings = { ...FIRST, maxAge: 5 };
  assertEquals(said(reload, { kind: "loaded", settings, files: "files" }), []);
  assertEquals(reload.running, FIRST);
  const step = reload.next();
  assertEquals([step.kind, step.kind === "apply" && step.files], ["apply", "files"]);
  assertEquals(said(reload, { kind: "applied" }), ["reloaded"]);
  assertEquals([reload.running, reload.next()], [settings, { kind: "rest" }]);
});

test("what can't be read or put into force leaves the settings before in force", () => {
  const reload = new Reload<Settings, string>(FIRST, SERVE_RULES);
  reload.ask();
  reload.next();
  assertEquals(said(reload, { kind: "failed", why: "no TOML" }), ["not-reloaded no TOML"]);
  assertEquals([reload.running, reload.next()], [FIRST, { kind: "rest" }]);
  reload.ask();
  reload.next();
  reload.told({ kind: "loaded", settings: { ...FIRST, maxAge: 5 }, files: "" });
  assertEquals(reload.next().kind, "apply");
  assertEquals(said(reload, { kind: "failed", why: "no" }), ["not-reloaded no"]);
  assertEquals([reload.running, reload.next()], [FIRST, { kind: "rest" }]);
});

test("however often it is asked meanwhile, the settings are read once more", () => {
  const reload = new Reload<Settings, string>(FIRST, SERVE_RULES);
  reload.ask();
  assertEquals(reload.next(), { kind: "load" });
  for (let i = 0; i < 5; i++) reload.ask();
  assertEquals(reload.next(), { kind: "rest" });
  reload.told({ kind: "loaded", settings: FIRST, files: "" });
  // What was read goes first.
  assertEquals(reload.next().kind, "apply");
  assertEquals(said(reload, { kind: "applied" }), ["reloaded"]);
  assertEquals(reload.next(), { kind: "load" });
  reload.told({ kind: "failed", why: "" });
  assertEquals(reload.next(), { kind: "rest" });
});

test("what is bound or in use stays until a restart, and is named each time", () => {
  const wanted: Settings = {
    key: "/key",
    store: undefined,
    listen: [],
    maxPeers: 7,
    maxAnswer: 20,
    state: undefined,
    dns: undefined,
    lease: { interface: "wg1", state: undefined },
    punch: { host: "::", port: 1 },
    maxAge: 5,
  };
  const { fixed } = SERVE_RULES;
  const all = "listen,max-peers,max-answer,state,key,store,dns,lease,punch";
  assertEquals(needsRestart(fixed, FIRST, wanted).join(), all);
  assertEquals(needsRestart(fixed, FIRST, { ...FIRST, lease: { interface: "wg0", state: "/x" } }), [
    "lease",
  ]);
  assertEquals(needsRestart(fixed, FIRST, structuredClone(FIRST)), []);
  // A group that is new has the limits of the others.
  const { listen, maxPeers, maxAnswer, state, key, store } = FIRST;
  assertEquals(SERVE_RULES.inForce(FIRST, wanted), {
    ...wanted,
    listen,
    maxPeers,
    maxAnswer,
    state,
    key,
    store,
  });
  const reload = new Reload<Settings, string>(FIRST, SERVE_RULES);
  for (let i = 0; i < 2; i++) {
    reload.ask();
    reload.next();
    reload.told({ kind: "loaded", settings: wanted, files: "" });
    const step = reload.next();
    assertEquals(step.kind === "apply" && step.settings.maxPeers, 100);
    assertEquals(said(reload, { kind: "applied" }), ["reloaded", `restart-needed ${all}`]);
  }
  reload.ask();
  reload.next();
  reload.told({ kind: "loaded", settings: FIRST, files: "" });
  reload.next();
  assertEquals(said(reload, { kind: "applied" }), ["reloaded"]);
});
