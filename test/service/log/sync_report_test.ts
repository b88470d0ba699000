import { assert, assertEquals } from "@std/assert";
import { SyncReport } from "../../../lib/service/log/sync_report.ts";
import { DONE, MemoryHost, type MemoryProgram } from "../../support/memory_host.ts";
import { test } from "../../testing.ts";

const TIME = "2023-11-14T22:13:20.000Z";
const HOOK = "logger -t wgsig";

function reportWith(
  { format = "text", hook, run }: {
    readonly format?: "text" | "json";
    readonly hook?: string;
    readonly run?: MemoryProgram;
  } = {},
): { report: SyncReport; host: MemoryHost } {
  const host = new MemoryHost(run === undefined ? {} : { run });
  const log = { format, verbosity: "normal" } as const;
  return { host, report: new SyncReport(host, { log, hook }) };
}

/** The events that were logged, without time and level. */
function told(host: MemoryHost): string[] {
  return host.out.text.split("\n").filter((line) => line !== "").map((line) =>
    line.split(" ").slice(2).join(" ")
  );
}

test("a change is a line of the log", () => {
  const { report, host } = reportWith();
  report.change("endpoint-set", { key: "K", endpoint: "192.0.2.1:1" });
  assertEquals(host.out.text, `${TIME} info endpoint-set key=K endpoint=192.0.2.1:1\n`);
  assertEquals(host.events, [], "without a hook nothing is run");
});

test("as JSON it is an object a line", () => {
  const { report, host } = reportWith({ format: "json" });
  report.change("endpoint-set", { key: "K" });
  report.event("warn", "port-mended", { port: 5 });
  const read = host.out.text.trimEnd().split("\n").map((line): unknown => JSON.parse(line));
  assertEquals(read, [
    { time: TIME, level: "info", event: "endpoint-set", key: "K" },
    { time: TIME, level: "warn", event: "port-mended", port: 5 },
  ]);
});

test("what is told once is told again when it changes, or after it was forgotten", () => {
  const { report, host } = reportWith();
  const warn = (why: string) => report.once("warn", "not-asked", { why });
  for (const why of ["a", "a", "b", "b", "a"]) warn(why);
  assertEquals(told(host), ["not-asked why=a", "not-asked why=b", "not-asked why=a"]);
  report.once("warn", "other", { why: "a" });
  report.forget("not-asked");
  warn("a");
  report.once("warn", "other", { why: "a" });
  assertEquals(told(host).slice(3), ["other why=a", "not-asked why=a"]);
});

test("that it waits is told again after something happened", () => {
  const { report, host } = reportWith();
  const wait = () => report.once("info", "waiting", { interface: "wg0" });
  wait();
  wait();
  report.event("info", "interface-found", {});
  wait();
  assertEquals(told(host), ["waiting interface=wg0", "interface-found", "waiting interface=wg0"]);
});

test("a server is told of when it answers other than before, and not when all is well", () => {
  const { report, host } = reportWith();
  for (const status of ["ok", "ok", "timeout", "timeout", "ok"]) report.server("a:1", status);
  report.server("b:1", "timeout");
  report.server("b:1", "refused");
  assertEquals(told(host), [
    "server-status server=a:1 status=timeout",
    "server-status server=a:1 status=ok",
    "server-status server=b:1 status=timeout",
    "server-status server=b:1 status=refused",
  ]);
  const levels = host.out.text.match(/ (info|warn) /g)?.map((level) => level.trim());
  assertEquals(levels, ["warn", "info", "warn", "warn"]);
});

test("the hook gets each change as JSON on standard input, in order", async () => {
  const { report, host } = reportWith({ hook: HOOK, run: () => DONE });
  report.change("endpoint-set", { key: "K", endpoint: "192.0.2.1:1", persistentKeepalive: 25 });
  report.event("info", "interface-found", {});
  report.once("warn", "not-asked", { why: "b" });
  report.change("peer-alive", { key: 'K"\n', name: "héllo", dryRun: true });
  await report.finish();
  assertEquals(host.events, [`sh -c ${HOOK}`, `sh -c ${HOOK}`]);
  assertEquals(host.runs.map(({ input }) => input), [
    '{"schema":1,"event":"endpoint-set","key":"K","endpoint":"192.0.2.1:1",' +
    '"persistentKeepalive":25}\n',
    '{"schema":1,"event":"peer-alive","key":"K\\"\\n","name":"héllo","dryRun":true}\n',
  ]);
});

test("a hook has a time limit, and hooks never run beside each other", async () => {
  let running = 0;
  let most = 0;
  const { report, host } = reportWith({
    hook: HOOK,
    run: async () => {
      most = Math.max(most, ++running);
      for (let i = 0; i < 20; i++) await Promise.resolve();
      running--;
      return DONE;
    },
  });
  for (let i = 0; i < 5; i++) report.change("peer-alive", { i });
  await report.finish();
  assertEquals([host.runs.length, most, running], [5, 1, 0]);
  for (const { timeout } of host.runs) assert(timeout !== undefined && timeout <= 10_000);
});

test("a hook that fails is told of, and those after it run all the same", async () => {
  const results = [
    { code: 3, out: "", err: "first\nlast\n" },
    { code: 124, out: "", err: "" },
    { code: 1, out: "", err: "" },
    DONE,
  ];
  const { report, host } = reportWith({ hook: HOOK, run: () => results.shift() ?? DONE });
  for (const i of [1, 2, 3, 4]) report.change("peer-alive", { i });
  await report.finish();
  assertEquals(told(host).slice(4), [
    "hook-failed status=3 why=last",
    'hook-failed status=124 why="stopped after 10 s"',
    "hook-failed status=1",
  ]);
  assertEquals(host.runs.length, 4);
});

test("at the end a hook that hangs is stopped after 2 s, and those that wait are left out", async () => {
  const { report, host } = reportWith({
    hook: HOOK,
    run: async (_, { stop } = {}) => {
      await stop;
      return { code: 124, out: "", err: "" };
    },
  });
  for (const i of [1, 2]) report.change("peer-alive", { i });
  await Promise.resolve();
  report.abandon();
  report.abandon();
  await report.finish();
  assertEquals(told(host).slice(2), [
    'hook-failed status=124 why="stopped 2 s after the end had come"',
  ]);
  assertEquals([host.runs.length, host.pauses], [1, [2]]);
});

test("a shell that is missing harms nothing", async () => {
  const { report, host } = reportWith({ hook: HOOK });
  report.change("peer-alive", {});
  report.change("peer-lost", {});
  await report.finish();
  assertEquals(told(host).slice(2), [
    'hook-failed why="no such file or directory"',
    'hook-failed why="no such file or directory"',
  ]);
});

test("while a hook hangs no more than 64 changes wait, and that is told once", async () => {
  let release = () => {};
  const first = new Promise<void>((resolve) => release = resolve);
  const { report, host } = reportWith({
    hook: HOOK,
    run: async () => {
      await first;
      return DONE;
    },
  });
  for (let i = 0; i < 200; i++) report.change("peer-alive", { i });
  const tooSlow = told(host).filter((line) => line.startsWith("hook-too-slow"));
  assertEquals(tooSlow.length, 1);
  assertEquals(told(host).filter((line) => line.startsWith("peer-alive")).length, 200);
  release();
  await report.finish();
  assertEquals(
    host.runs.map(({ input }): unknown => JSON.parse(input ?? "")),
    Array.from({ length: 64 }, (_, i) => ({ schema: 1, event: "peer-alive", i })),
  );
  report.change("peer-lost", {});
  await report.finish();
  assertEquals(host.runs.length, 65, "there is room again");
});

test("there is nothing to wait for without hooks", async () => {
  const { report } = reportWith();
  report.change("peer-alive", {});
  await report.finish();
});
