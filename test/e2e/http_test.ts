/** What `serve` and `sync` say over HTTP, and how they bear with who asks badly. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { BINARY, isRouterBinary, run, type Running, testWith, wgsig } from "../support/program.ts";
import { allMetrics } from "../../lib/core/metrics/metrics.ts";
import { Scene, until } from "./scene.ts";

const LOOPBACK = "127.0.0.1";
const STATUS = ["--status", `${LOOPBACK}:0`];
const LISTENING = /status-listening address=127\.0\.0\.1:(\d+)/;

/** Where a program says how it is doing. */
async function site(program: Running): Promise<number> {
  const [, port] = await program.printed(LISTENING);
  return Number(port);
}

interface Got {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

async function get(port: number, path: string, init: RequestInit = {}): Promise<Got> {
  const answer = await fetch(`http://${LOOPBACK}:${port}${path}`, init);
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

/** Says something as it is, and hears all of what comes back. */
async function say(port: number, text: string): Promise<string> {
  const connecting = Deno.connect({ port, hostname: LOOPBACK }).catch(() => undefined);
  using connection = await connecting;
  if (connection === undefined) return "";
  await connection.write(new TextEncoder().encode(text)).catch(() => {});
  let heard = "";
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const n = await connection.read(buffer).catch(() => null);
    if (n === null) return heard;
    heard += new TextDecoder().decode(buffer.subarray(0, n));
  }
}

/** The samples of a scrape by name, the sum where there are several. */
function sums(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const [, name = "", value] of text.matchAll(/^(\w+)(?:\{.*\})? (\S+)$/gm)) {
    found.set(name, (found.get(name) ?? 0) + Number(value));
  }
  return found;
}

async function checkedByPromtool(text: string): Promise<void> {
  assertEquals(await run(["promtool", "check", "metrics"], { input: text }), {
    code: 0,
    out: "",
    err: "",
  });
  const listed = new Set(allMetrics().map(({ name }) => name));
  for (const name of sums(text).keys()) assert(listed.has(name), `docs/metrics.md lacks ${name}`);
}

testWith(["promtool"], "status over HTTP: what serve says, and what of it is counted", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve([...STATUS, "--relay", "--metrics-peers", "1"]);
  const port = await site(server.running);
  for (const peer of scene.peers(2)) await peer.ask(server.port);
  const { status, headers, text } = await until("a fresh report", async () => {
    const got = await get(port, "/metrics");
    return sums(got.text).get("wgsig_group_peers") === 2 ? got : undefined;
  });
  assertEquals(status, 200);
  assertEquals(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assertEquals(headers.get("cache-control"), "no-store");
  assertEquals(headers.get("x-content-type-options"), "nosniff");
  await checkedByPromtool(text);
  const all = sums(text);
  for (
    const [name, value] of [
      ["wgsig_registered_total", 2],
      ["wgsig_relay_pairs", 0],
      ["wgsig_drops_total", 0],
      ["wgsig_registered_peer_proved", 0],
    ] as const
  ) assertEquals(all.get(name), value, name);
  assertEquals(text.match(/^wgsig_registered_peer_age_seconds/gm)?.length, 1);
  const json = JSON.parse((await get(port, "/status.json")).text);
  assertEquals([json.schema, json.kind, json.groups[0].count], [1, "serve", 2]);
  assertEquals(json.history.interval, 30);
  assertEquals((await get(port, "/health")).text, "ok\n");
  assertEquals((await get(port, "/ready")).text, "ready\n");
  const page = await get(port, "/");
  assertEquals(page.status, 200);
  if (isRouterBinary()) assertMatch(page.text, /status\.json/);
  else {
    assertMatch(page.text, /^<!doctype html>/i);
    assertMatch(page.headers.get("content-security-policy") ?? "", /default-src 'none'/);
  }
  const head = await say(port, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assertMatch(head, /^HTTP\/1\.1 200 OK\r\n[^]*Content-Length: \d{3,}\r\n\r\n$/);
  assertEquals((await get(port, "/nothing")).status, 404);
  assertEquals((await get(port, "/metrics", { method: "POST", body: "x" })).status, 405);
  // Nothing that must not be known.
  const secret = encodeBase64(scene.secret);
  for (const path of ["/", "/metrics", "/status.json"]) {
    assertEquals((await get(port, path)).text.includes(secret), false);
  }
  assertEquals(await server.running.stop(), 0);
  const [line] = await server.running.printed(/^.*counters.*$/m);
  assertMatch(line, / http-answered=\d+ .*http-cut=1\b/);
});

testWith(["promtool"], "status over HTTP: what sync says while there is no interface", async () => {
  await using scene = await Scene.open();
  const file = `${scene.folder}/wgsig.prom`;
  const program = scene.start([
    ...[BINARY, "sync", "nosuch0", "--server", `dns://${LOOPBACK}:9/a.example`],
    ...[...STATUS, "--metrics-file", file],
  ]);
  const port = await site(program);
  const { text } = await get(port, "/metrics");
  await checkedByPromtool(text);
  assertEquals(sums(text).get("wgsig_interface_up"), 0);
  const ready = await get(port, "/ready");
  assertEquals([ready.status, ready.text], [503, "there is no such interface\n"]);
  assertEquals((await get(port, "/health")).status, 200);
  const json = JSON.parse((await get(port, "/status.json")).text);
  assertEquals([json.kind, json.interface, json.present], ["sync", "nosuch0", false]);
  const written = await until("the file", async () => {
    return await Deno.readTextFile(file).catch(() => undefined);
  });
  assertEquals([...sums(written).keys()], [...sums(text).keys()]);
  assertEquals((await Deno.stat(file)).mode! & 0o777, 0o644);
  assertEquals(await program.stop(), 0);
  assertEquals(await Deno.stat(file).catch(() => "gone"), "gone");
});

Deno.test("status over HTTP: who else can ask needs a token, which SIGHUP changes", async () => {
  await using scene = await Scene.open();
  const everywhere = ["--secret", scene.secretFile, "--listen", `${LOOPBACK}:0`];
  const refused = await wgsig(["serve", ...everywhere, "--status", "0.0.0.0:0"]);
  assertEquals([refused.code, refused.out], [6, ""]);
  assertMatch(
    refused.err,
    /^wgsig: others can ask at 0\.0\.0\.0:0, so that needs a token: add .*\n$/,
  );
  const [first, second] = ["the-first-token-there-was", "another-token-after-it"];
  const token = await scene.file("token", `${first}\n`);
  await Deno.chmod(token, 0o644);
  const open = await wgsig(["serve", ...everywhere, ...STATUS, "--status-token-file", token]);
  assertEquals(open.code, 6);
  assertMatch(open.err, /^wgsig: token file \S+ can be read by others .*chmod 600/);
  await Deno.chmod(token, 0o600);
  const settings = await scene.file(
    "wgsig.toml",
    `[serve]\nstatus = "0.0.0.0:0"\nstatus-token-file = "token"\nlisten = ["${LOOPBACK}:0"]\n` +
      `[[serve.group]]\nsecret-file = "secret"\n`,
  );
  const server = await scene.serveWith(["--config", settings]);
  const [, text] = await server.running.printed(/status-listening address=0\.0\.0\.0:(\d+)/);
  const port = Number(text);
  const asked = async (authorization?: string) => {
    const init = authorization === undefined ? {} : { headers: { authorization } };
    return await get(port, "/metrics", init);
  };
  const denied = await asked();
  assertEquals(denied.status, 401);
  assertMatch(denied.headers.get("www-authenticate") ?? "", /^Basic /);
  assertEquals((await asked(`Bearer ${second}`)).status, 401);
  assertEquals((await asked(`Bearer ${first}`)).status, 200);
  assertEquals((await asked(`Basic ${btoa(`anybody:${first}`)}`)).status, 200);
  assertEquals((await get(port, "/status.json")).status, 401);
  assertEquals((await get(port, "/")).status, 401);
  assertEquals((await get(port, "/ready")).status, 200);
  await Deno.writeTextFile(token, `${second}\n`);
  await server.signal("SIGHUP", /reloaded/);
  assertEquals((await asked(`Bearer ${first}`)).status, 401);
  assertEquals((await asked(`Bearer ${second}`)).status, 200);
  // Others would still be able to ask where it listens.
  await Deno.writeTextFile(
    settings,
    `[serve]\nstatus = "${LOOPBACK}:0"\nlisten = ["${LOOPBACK}:0"]\n` +
      `[[serve.group]]\nsecret-file = "secret"\n`,
  );
  await server.signal("SIGHUP", /restart-needed changed=status/);
  assertEquals((await asked()).status, 401);
});

Deno.test("status over HTTP: a name that may be anybody's is refused", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(STATUS);
  const port = await site(server.running);
  const ask = async (host: string) => {
    return (await say(port, `GET /metrics HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).slice(9, 12);
  };
  assertEquals(await ask(`evil.example:${port}`), "421");
  assertEquals(await ask(`localhost:${port}`), "200");
  assertEquals(await ask(`[::1]:${port}`), "200");
});

Deno.test("status over HTTP: where the port is taken, that is said at the start", async () => {
  await using scene = await Scene.open();
  using taken = Deno.listen({ hostname: LOOPBACK, port: 0 });
  assert(taken.addr.transport === "tcp");
  const status = ["--status", `${LOOPBACK}:${taken.addr.port}`];
  const why = new RegExp(
    `^wgsig: cannot listen on 127\\.0\\.0\\.1:${taken.addr.port}: address already in use; ` +
      "end the program that uses port \\d+, or choose another with --status\\n$",
  );
  const group = ["--secret", scene.secretFile, "--listen", `${LOOPBACK}:0`];
  const server = await wgsig(["serve", ...group, ...status]);
  assertEquals(server.code, 1);
  assertMatch(server.err, why);
  const asking = ["--server", `dns://${LOOPBACK}:9/a.example`];
  const sync = await wgsig(["sync", "nosuch0", ...asking, ...status]);
  assertEquals(sync.code, 1);
  assertMatch(sync.err, why);
});

Deno.test("status over HTTP: 1 000 connections that hang keep nobody from being answered", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(STATUS);
  const port = await site(server.running);
  const hanging: Deno.Conn[] = [];
  const beginnings = ["", "GET /", "GET / HTTP/1.1\r\nHost: a\r\nX: ", "\x16\x03\x01", "POST / "];
  const hang = async (i: number) => {
    const connection = await Deno.connect({ port, hostname: LOOPBACK }).catch(() => undefined);
    if (connection === undefined) return;
    hanging.push(connection);
    const text = beginnings[i % beginnings.length]!;
    await connection.write(new TextEncoder().encode(text)).catch(() => {});
  };
  try {
    const peer = scene.peer();
    for (let i = 0; i < 1000; i += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, n) => hang(i + n)));
      await peer.ask(server.port);
    }
    // A scrape gets a place as soon as somebody has not asked in time.
    const scraped = await until("a scrape", async () => {
      const answer = await say(port, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await peer.ask(server.port);
      return answer.startsWith("HTTP/1.1 200") ? answer : undefined;
    });
    assert(scraped.includes("wgsig_received_total"));
    const counted = await until("all to be counted", async () => {
      const counts = await server.counters();
      const { "http-connections": taken = 0, "http-answered": answered = 0 } = counts;
      const { "http-cut": cut = 0, "http-refused": refused = 0 } = counts;
      return cut + answered === taken && taken + refused >= 1000 ? { cut, refused } : undefined;
    }, 30);
    assert(counted.cut + counted.refused >= 999, JSON.stringify(counted));
    await peer.ask(server.port);
  } finally {
    for (const connection of hanging) connection.close();
  }
});
