/** `wgsig serve --workers`: several threads that answer as one server. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { bundle, bunProgram, DENO, ownTarget, ROOT } from "../../scripts/tools.ts";
import { BINARY, ROUTER_BINARY, testWith, wgsig } from "../support/program.ts";
import {
  type Counts,
  KEEP_ENDPOINT,
  KEEP_LABEL,
  keysIn,
  keysOf,
  type Peer,
  recordOf,
  Scene,
  type Served,
  type UdpEnd,
  until,
} from "./scene.ts";

/** What a router has none of. */
const THREADS = ["a binary with threads"];
/** So many sources that each of two threads gets some: that all go to one happens never. */
const MANY = 40;
const WORKERS = ["--workers", "2"];

/** How many datagrams each thread got. */
function received(counts: Counts): number[] {
  return Object.entries(counts)
    .filter(([name]) => /^worker-\d+-received$/.test(name))
    .map(([, count]) => count);
}

/** Checks that all threads got some of what came, and that nothing is missing. */
function assertShared(counts: Counts, threads = 2): void {
  const each = received(counts);
  assertEquals(each.length, threads);
  assert(each.every((count) => count > 0), `one thread got all: ${each}`);
  assertEquals(each.reduce((sum, count) => sum + count), counts["received"]);
}

/** Sends the same datagram from many sources, and waits until all have been read. */
async function sendFromAll(ends: readonly UdpEnd[], served: Served, datagram: Uint8Array) {
  const before = (await served.counters())["received"] ?? 0;
  for (const end of ends) await end.send(datagram, served.port);
  for (;;) {
    const counts = await served.counters();
    if ((counts["received"] ?? 0) >= before + ends.length) return counts;
  }
}

testWith(
  THREADS,
  "peers of both threads are in all answers, and the counters are the sum",
  async () => {
    await using scene = await Scene.open();
    const server = await scene.serve([...WORKERS, "--max-answer", "100"]);
    const peers = scene.peers(MANY);
    for (const [i, peer] of peers.entries()) {
      const answer = await peer.ask(server.port, { sealed: i % 2 === 0 });
      assertEquals(keysIn(answer), keysOf(peers.slice(0, i + 1)));
      assertEquals(recordOf(answer, peer)?.endpoint, peer.endpoint);
    }
    const last = await peers[0]!.ask(server.port);
    for (const peer of peers) assertEquals(recordOf(last, peer)?.endpoint, peer.endpoint);
    const counts = await server.counters();
    assertShared(counts);
    const { peers: known, answered, registered, updated } = counts;
    assertEquals([known, answered, registered, updated], [MANY, MANY + 1, MANY, 1]);
  },
);

testWith(THREADS, "what one thread has answered is a replay at the other", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(WORKERS);
  const ends = Array.from({ length: MANY }, () => scene.end());
  const [registered, asking] = scene.peers(2);
  const captured = [
    registered!.request(),
    registered!.request({ sealed: true }),
    // Who isn't in the table is remembered as well.
    asking!.request({ flags: KEEP_ENDPOINT | KEEP_LABEL }),
  ];
  for (const [i, datagram] of captured.entries()) {
    const peer = i < 2 ? registered! : asking!;
    await peer.send(datagram, server.port);
    await peer.answer();
    const counts = await sendFromAll(ends, server, datagram);
    assertEquals(counts["drop-replayed"], (i + 1) * MANY);
    assertEquals(counts["answered"], i + 1);
    assertShared(counts);
  }
  for (const end of ends) assertEquals(await end.drain(), []);
});

/** Asks again and again, and checks that each answer has all that was answered before it. */
async function askOften(
  peer: Peer,
  { port }: Served,
  times: number,
  answered: Map<Peer, number>,
): Promise<number> {
  let datagrams = 0;
  for (let i = 0; i < times; i++) {
    const known = new Map(answered);
    const answer = await peer.ask(port, { sealed: i % 3 === 0 });
    for (const [other, label] of known) {
      const record = recordOf(answer, other);
      assert(record !== undefined, "a peer is missing");
      assert(record.seconds * 1e9 + record.nanoseconds >= label, "a record is older than it was");
      assertEquals(record.endpoint, other.endpoint);
    }
    const own = recordOf(answer, peer);
    assert(own !== undefined, "the own record is missing");
    answered.set(peer, own.seconds * 1e9 + own.nanoseconds);
    datagrams += answer.pages.length;
  }
  return datagrams;
}

testWith(
  THREADS,
  "10 000 answers of both threads at once, each with all that was answered before",
  async () => {
    await using scene = await Scene.open();
    const server = await scene.serve([...WORKERS, "--window", "1h"]);
    const peers = scene.peers(16);
    const answered = new Map<Peer, number>();
    const times = 640;
    const datagrams = await Promise.all(
      peers.map((peer) => askOften(peer, server, times, answered)),
    );
    const counts = await server.counters();
    assertShared(counts);
    const { answered: count, sent, registered, updated, peers: known } = counts;
    const all = peers.length * times;
    assertEquals([count, sent, registered], [all, datagrams.reduce((sum, n) => sum + n), 16]);
    assertEquals([updated, known], [all - 16, 16]);
  },
);

testWith(THREADS, "SIGHUP: a new secret and allow-list hold at all threads at once", async () => {
  await using scene = await Scene.open();
  const settings = (extra: string) =>
    scene.file(
      "wgsig.toml",
      `[serve]\nlisten = ["127.0.0.1:0"]\nworkers = 2\nmax-answer = 100\n${extra}\n` +
        `[[serve.group]]\nsecret-file = "secret"\nallow-file = "allowed"\n`,
    );
  const peers = scene.peers(MANY);
  const allow = (allowed: readonly Peer[]) =>
    scene.file("allowed", allowed.map(({ publicKey }) => `${publicKey}\n`).join(""));
  await allow(peers);
  const server = await scene.serveWith(["--config", await settings("")]);
  for (const peer of peers) await peer.ask(server.port);

  const { secret } = await scene.secretIn("secret");
  const stays = peers.slice(0, MANY / 2);
  const goes = peers.slice(MANY / 2);
  await allow(stays);
  await settings(`encryption = "required"\nlog-level = "verbose"`);
  await server.signal("SIGHUP", / reloaded groups=0\n/);
  for (const peer of stays) {
    const answer = await peer.ask(server.port, { secret, sealed: true });
    assertEquals(keysIn(answer), keysOf(stays), "the table is another");
  }
  const before = (await server.counters())["answered"];
  for (const peer of stays) await peer.send(peer.request({ sealed: true }), server.port);
  for (const peer of stays) await peer.send(peer.request({ secret }), server.port);
  for (const peer of goes) await peer.send(peer.request({ secret, sealed: true }), server.port);
  let counts = await server.counters();
  while ((counts["received"] ?? 0) < 3 * MANY) counts = await server.counters();
  assertEquals(counts["answered"], before);
  assertEquals(counts["drop-group-mismatch"], MANY / 2);
  assertEquals(counts["drop-not-encrypted"], MANY / 2);
  assertEquals(counts["drop-not-allowed"], MANY / 2);
  // All of these are told of, by whichever thread saw them.
  await until("all drops are told of", () => {
    const told = server.running.out.match(/ info drop-(?!outside)\S+ /g)?.length ?? 0;
    return told < 3 * MANY / 2 ? undefined : told;
  });

  await scene.file(
    "wgsig.toml",
    `[serve]\nlisten = ["127.0.0.1:0"]\nworkers = 1\n[[serve.group]]\nsecret-file = "secret"\n`,
  );
  await server.signal("SIGHUP", / warn restart-needed changed=\S*workers/);
});

testWith(
  THREADS,
  "all that register are told of and saved, and a restart knows them at all threads",
  async () => {
    await using scene = await Scene.open();
    const state = `${scene.folder}/state`;
    const args = [...WORKERS, "--state", state, "--max-answer", "100"];
    const first = await scene.serve(args);
    const peers = scene.peers(MANY);
    const captured: Uint8Array[] = [];
    for (const peer of peers) {
      const request = peer.request();
      captured.push(request);
      await peer.send(request, first.port);
      await peer.answer();
    }
    for (const peer of peers) {
      await first.running.printed(new RegExp(`peer-registered .*key=${quoted(peer)} `));
    }
    assertShared(await first.counters());
    assertEquals(await first.running.stop(), 0);
    assertMatch(first.running.out, / stopped signal=SIGTERM\n$/);
    assertEquals(first.running.err, "");

    const second = await scene.serve(args);
    assertMatch(second.running.out, new RegExp(` state-restored .*peers=${MANY}\n`));
    for (const [i, peer] of peers.entries()) await peer.send(captured[i]!, second.port);
    for (const peer of peers) {
      assertEquals(keysIn(await peer.ask(second.port)), keysOf(peers));
      assertEquals(await peer.drain(), []);
    }
    const counts = await second.counters();
    assertEquals([counts["drop-replayed"], counts["updated"]], [MANY, MANY]);
    assertEquals([counts["registered"], counts["peers"]], [undefined, MANY]);
    assertShared(counts);
  },
);

function quoted({ publicKey }: Peer): string {
  return publicKey.replace(/[+/]/g, "\\$&");
}

testWith(THREADS, "what only workers changed is saved without a signal", async () => {
  await using scene = await Scene.open();
  const state = `${scene.folder}/state`;
  const server = await scene.serve([...WORKERS, "--state", state]);
  const peers: Peer[] = [];
  for (let seen = 0; peers.length < 5;) {
    const peer = scene.peer();
    // Who only asks leaves nothing to save.
    await peer.ask(server.port, { flags: KEEP_ENDPOINT | KEEP_LABEL });
    const [, count = 0] = received(await server.counters());
    if (count > seen) peers.push(peer);
    seen = count;
  }
  for (const peer of peers) await peer.ask(server.port);
  await until("all are saved", async () => {
    const text = String.fromCharCode(...await Deno.readFile(state));
    const saved = peers.filter(({ id }) => text.includes(String.fromCharCode(...id)));
    return saved.length < peers.length ? undefined : saved;
  });
  await server.running.stop("SIGKILL");
});

testWith(THREADS, "records become too old for all threads", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve([...WORKERS, "--max-age", "1s"]);
  const gone = scene.peers(MANY);
  for (const peer of gone) await peer.ask(server.port);
  await new Promise<void>((resolve) => setTimeout(resolve, 1600));
  const asking = scene.peers(MANY);
  for (const peer of asking) {
    assertEquals(keysIn(await peer.ask(server.port, { flags: KEEP_ENDPOINT | KEEP_LABEL })), []);
  }
  const counts = await server.counters();
  assertEquals([counts["expired"], counts["peers"]], [MANY, 0]);
});

testWith(THREADS, "IPv6 is shared as well", async () => {
  await using scene = await Scene.open();
  const running = scene.start([
    ...[BINARY, "serve", "--listen", "[::1]:0"],
    ...[...WORKERS, "--secret", scene.secretFile],
  ]);
  const [, port] = await running.printed(/listening address=\[::1\]:(\d+)[^]* ready .*workers=2/);
  for (let i = 0; i < MANY; i++) {
    const peer = scene.peer(scene.secret, "::1");
    await peer.ask(Number(port));
  }
  running.signal("SIGUSR1");
  const [line] = await running.printed(/ counters .*\n/);
  assertMatch(line, / ipv6-source=40 .*worker-0-received=[1-9]\d* worker-1-received=[1-9]/);
});

testWith(
  THREADS,
  "another server on the same port is refused, though threads could share it",
  async () => {
    await using scene = await Scene.open();
    const server = await scene.serve(WORKERS);
    for (const workers of [[], WORKERS]) {
      const other = scene.start([
        ...[BINARY, "serve", "--listen", server.address, "--secret", scene.secretFile],
        ...workers,
      ]);
      const err = await until("it is refused", () => other.err === "" ? undefined : other.err);
      assertEquals(await other.ended(), 1);
      assertMatch(
        err,
        /^wgsig: cannot listen on 127\.0\.0\.1:\d+: address already in use; [^\n]*\n$/,
      );
    }
  },
);

testWith(
  THREADS,
  "--workers is a number from 1 to 8, and more than there are processors is said",
  async () => {
    await using scene = await Scene.open();
    for (const workers of ["0", "9", "two", "1.5", "-1"]) {
      const args = ["serve", "--secret", scene.secretFile, "--workers", workers];
      const { code, err } = await wgsig(args);
      assertEquals(code, 6);
      assertMatch(err, /^wgsig: --workers: expected a whole number from 1 to 8, got [^\n]*\n$/);
    }
    const most = await scene.serve(["--workers", "8"]);
    const said = / warn more-workers-than-processors workers=8 processors=\d+\n/.test(
      most.running.out,
    );
    assertEquals(said, navigator.hardwareConcurrency < 8);
    for (const peer of scene.peers(MANY)) await peer.ask(most.port);
    assertEquals(received(await most.counters()).length, 8);
    assertEquals(await most.running.stop(), 0);
  },
);

Deno.test("with one worker, nothing says that there could be more", async () => {
  await using scene = await Scene.open();
  const server = await scene.serve(["--workers", "1"]);
  await scene.peer().ask(server.port);
  assertEquals(received(await server.counters()), []);
  assertEquals(/worker/.test(server.running.out), false);
});

testWith(["the router binary"], "where there are no threads, one serves and says so", async () => {
  await using scene = await Scene.open();
  const running = scene.start([
    ...[ROUTER_BINARY, "serve", "--listen", "127.0.0.1:0", "--secret", scene.secretFile],
    ...WORKERS,
  ]);
  const [, port] = await running.printed(/address=127\.0\.0\.1:(\d+)[^]* ready /);
  assertMatch(running.out, / warn workers-not-available workers=2 serving=1 why="[^"]*"\n/);
  await scene.peer().ask(Number(port));
});

Deno.test("where a port can't be shared, one thread serves and says so", async () => {
  await using scene = await Scene.open();
  const running = scene.start([
    ...[DENO, "run", "--allow-net", "--allow-read", "--allow-env", "--allow-sys", "--unstable-net"],
    ...[`${ROOT}/cli/main_deno.ts`, "serve", "--listen", "127.0.0.1:0"],
    ...["--secret", scene.secretFile, ...WORKERS],
  ]);
  const [, port] = await running.printed(/address=127\.0\.0\.1:(\d+)[^]* ready /);
  assertMatch(running.out, / warn workers-not-available workers=2 serving=1 why="[^"]*"\n/);
  const peers = scene.peers(2);
  for (const peer of peers) await peer.ask(Number(port));
  assertEquals(keysIn(await peers[0]!.ask(Number(port))), keysOf(peers));
});

// A program that is the server, but for a worker that breaks when it is told to.

const BREAKS = 7;

function breaking(file: string, make: string): string {
  return `import { ${make} } from "${ROOT}/lib/host/${file}";
    import { main } from "${ROOT}/cli/main.ts";
    import { work } from "${ROOT}/cli/work.ts";
    import process from "node:process";
    const real = ${make}({ program: import.meta.url });
    const udp = (options) => real.udp({ ...options, onBatch(batch, replies) {
      if (batch.lengths[0] === ${BREAKS}) throw new Error("this worker breaks");
      options.onBatch(batch, replies);
    } });
    if (real.parent === undefined) process.exit(await main(real));
    else work({ ...real, udp }, real.parent);`;
}

const RUNTIMES = [
  { name: "Bun", make: "bunHost", file: "bun.ts", program: () => bunProgram(ownTarget()) },
  { name: "Deno", make: "denoHost", file: "deno.ts", program: () => Promise.resolve(DENO) },
] as const;

for (const { name, make, file, program } of RUNTIMES) {
  Deno.test(`on ${name} a worker that ends ends the server, with one line and its state`, async () => {
    await using scene = await Scene.open();
    const source = await scene.file("breaking.ts", breaking(file, make));
    const script = `${scene.folder}/breaking.js`;
    await bundle(source, script);
    const state = `${scene.folder}/state`;
    const running = scene.start([
      ...[await program(), ...(name === "Deno" ? ["run", "--allow-all"] : []), script],
      ...["serve", "--listen", "127.0.0.1:0", "--secret", scene.secretFile],
      ...[...WORKERS, "--state", state],
    ]);
    const [, port] = await running.printed(/address=127\.0\.0\.1:(\d+)[^]* ready .*workers=2/);
    const peers = scene.peers(MANY);
    for (const peer of peers) await peer.ask(Number(port));
    // The first thread drops these.
    for (const peer of peers) await peer.send(new Uint8Array(BREAKS), Number(port));
    assertEquals(await running.ended(), 1);
    const lines = running.out.split("\n").filter((line) => / error /.test(line));
    assertEquals(lines.length, 1, running.out);
    assertStringIncludes(lines[0]!, 'worker-ended why="worker 1: this worker breaks"');
    const again = await scene.serve(["--state", state]);
    assertMatch(again.running.out, new RegExp(` state-restored .*peers=${MANY}\n`));
  });
}

Deno.test("two threads serve on Deno, too", async () => {
  await using scene = await Scene.open();
  const running = scene.start([
    ...[DENO, "run", "--allow-all", `${ROOT}/cli/main_deno.ts`, "serve"],
    ...["--listen", "127.0.0.1:0", "--secret", scene.secretFile, "--max-answer", "100", ...WORKERS],
  ]);
  const [, port] = await running.printed(/address=127\.0\.0\.1:(\d+)[^]* ready .*workers=2/);
  const peers = scene.peers(MANY);
  for (const peer of peers) await peer.ask(Number(port));
  for (const peer of peers) assertEquals(keysIn(await peer.ask(Number(port))), keysOf(peers));
  running.signal("SIGUSR2");
  const [line] = await running.printed(/ counters .*\n/);
  assertMatch(line, / worker-0-received=[1-9]\d* worker-1-received=[1-9]/);
  assertEquals(await running.stop(), 0);
});
