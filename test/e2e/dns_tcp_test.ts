/** DNS over TCP, with clients that are in a hurry, slow, silent, greedy or too many. */

import { assert, assertEquals } from "@std/assert";
import { connect, type Socket } from "node:net";
import { frameMessage } from "../../lib/wire/dns/frame.ts";
import { readReply } from "../support/dns.ts";
import { BINARY, memoryOf, testWith } from "../support/program.ts";
import { dig, isAnswer, newQuery, TcpEnd, Witness } from "./dns_clients.ts";
import {
  assertBalanced,
  Device,
  DEVICE_NEEDS,
  dnsServer,
  figure,
  freeDnsAddress,
  instance,
  newPeers,
  SERVICE,
  serviceRecord,
  ZONE,
} from "./dns_scene.ts";
import { randomBytes, Scene, until } from "./scene.ts";

/** Lists of 57 kB that somebody asks for before he reads. */
const LATE = 300;
/** The server's own limits. */
const IDLE_SECONDS = 10;
const MAX_PER_SOURCE = 50;
const MAX_CONNECTIONS = 150;
const MAX_QUERY = 4096;
/** What a server may have that is short of them. */
const DESCRIPTORS = 48;

testWith(DEVICE_NEEDS, "dns: queries over TCP come together, or byte by byte", async () => {
  const peers = newPeers(200);
  await using device = await Device.with(...peers);
  await using scene = await Scene.open();
  const { port } = await device.serve(scene);
  const queries = peers.map((peer) => newQuery(instance(peer), "SRV"));
  queries[100] = newQuery(SERVICE, "PTR");
  const stream = Uint8Array.from(queries.flatMap((query) => [...frameMessage(query)]));
  const check = async (tcp: TcpEnd, count: number) => {
    for (let i = 0; i < count; i++) {
      const message = await tcp.next();
      assert(message !== undefined && isAnswer(message, queries[i]!), `answer ${i}`);
      assertEquals(readReply(message).answers.length, i === 100 ? 200 : 1);
    }
  };
  using together = await TcpEnd.open(port);
  await Promise.all([together.write(stream), check(together, queries.length)]);
  // The same again, on the same connection.
  await Promise.all([together.write(stream), check(together, queries.length)]);
  using bytewise = await TcpEnd.open(port);
  const few = queries.slice(0, 10);
  const reading = check(bytewise, few.length);
  for (const byte of few.flatMap((query) => [...frameMessage(query)])) {
    await bytewise.write(Uint8Array.of(byte));
  }
  await reading;
  // Who ends the own side after the questions still gets all answers.
  using ending = await TcpEnd.open(port);
  await ending.write(stream);
  await ending.end();
  await check(ending, queries.length);
  assertEquals(await ending.next(), undefined);
});

testWith(DEVICE_NEEDS, "dns: who reads late gets all of more than any buffer holds", async () => {
  const peers = newPeers(800);
  await using device = await Device.with(...peers);
  await using scene = await Scene.open();
  const server = await device.serve(scene);
  const queries = Array.from({ length: LATE }, () => newQuery(SERVICE, "PTR"));
  const stream = Uint8Array.from(queries.flatMap((query) => [...frameMessage(query)]));
  for (const ends of [false, true]) {
    using tcp = await TcpEnd.open(server.port);
    await tcp.write(stream);
    if (ends) await tcp.end();
    await new Promise((resolve) => setTimeout(resolve, 300));
    let size = 0;
    for (const query of queries) {
      const message = await tcp.next();
      assert(message !== undefined && isAnswer(message, query), `after ${size} bytes`);
      size += message.length;
    }
    assert(size > 50_000 * LATE, `${size} bytes`);
    if (ends) assertEquals(await tcp.next(), undefined);
  }
  const counts = await server.counters();
  assertEquals([assertBalanced(counts), counts["dns-tcp-cut"]], [2 * LATE, undefined]);
});

testWith(DEVICE_NEEDS, "dns: a query that is too long is not waited for", async () => {
  const [peer] = newPeers(1);
  await using device = await Device.with(peer!);
  await using scene = await Scene.open();
  const server = await device.serve(scene);
  const witness = new Witness(scene, server.port, peer!);
  const query = newQuery(instance(peer!), "SRV");
  const long = (size: number) => {
    // Padding in an OPT makes it long, and is right up to the limit (RFC 7830).
    const padding = size - query.length - 15;
    const data = [0, 12, padding >> 8, padding & 255, ...new Uint8Array(padding)];
    return newQuery(instance(peer!), "SRV", { edns: { data } });
  };
  using largest = await TcpEnd.open(server.port);
  assertEquals(long(MAX_QUERY).length, MAX_QUERY);
  assertEquals((await largest.ask(long(MAX_QUERY))).answers, [
    serviceRecord(peer!).replaceAll(". ", " ").replace(/\.$/, ""),
  ]);
  for (const size of [MAX_QUERY + 1, 65_535]) {
    using tcp = await TcpEnd.open(server.port);
    await tcp.send(size === 65_535 ? randomBytes(size) : long(size));
    await tcp.over(3);
  }
  const counts = await server.counters();
  assertEquals(counts["dns-tcp-cut"], 2);
  assertEquals(assertBalanced(counts), 1);
  await witness.ask();
});

testWith(DEVICE_NEEDS, "dns: who is slow, silent or reads nothing is cut", async () => {
  const peers = newPeers(800);
  await using device = await Device.with(...peers);
  await using scene = await Scene.open();
  const server = await device.serve(scene);
  const { port } = server;
  const witness = new Witness(scene, port, peers[0]!);
  const memory = await memoryOf(server.running.pid);
  const limit = IDLE_SECONDS + 5;
  // Each answer is activity, and a slow machine takes long to fill a connection with them.
  const fullAndIdle = limit + 30;
  const frame = frameMessage(newQuery(instance(peers[1]!), "SRV"));
  let over = false;

  const silent = async () => {
    using tcp = await TcpEnd.open(port);
    await tcp.over(limit);
  };
  const slow = async () => {
    using tcp = await TcpEnd.open(port);
    const writing = async () => {
      for (const byte of frame) {
        if (over) break;
        await tcp.write(Uint8Array.of(byte)).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    };
    await Promise.all([tcp.over(limit), writing()]);
  };
  const halfway = async () => {
    using tcp = await TcpEnd.open(port);
    await tcp.write(frame.slice(0, 20));
    await tcp.over(limit);
  };
  const once = async () => {
    using tcp = await TcpEnd.open(port);
    await tcp.write(frame);
    assertEquals((await tcp.reply()).answers.length, 1);
    await tcp.over(limit);
  };
  // Nothing more comes of what it has begun.
  const quitter = async () => {
    using tcp = await TcpEnd.open(port);
    await tcp.write(frame.slice(0, 20));
    await tcp.end();
    assertEquals(await tcp.over(3), "ended");
  };
  // It asks for 60 MB, and takes nothing of it.
  const greedy = async () => {
    using tcp = await TcpEnd.open(port);
    const list = frameMessage(newQuery(SERVICE, "PTR"));
    const pipeline = Uint8Array.from(
      { length: 1000 * list.length },
      (_, i) => list[i % list.length]!,
    );
    // What the server doesn't read stays here.
    await tcp.write(pipeline).catch(() => {});
    await until("it is cut", () => over || undefined, fullAndIdle);
  };
  // Who has nothing more to say, and has asked nothing, is let go at once.
  const leaver = async () => {
    using tcp = await TcpEnd.open(port);
    await tcp.end();
    assertEquals(await tcp.over(3), "ended");
  };
  const clients = [silent(), silent(), slow(), halfway(), once(), greedy(), greedy()];
  // What goes wrong with one is said when all are over.
  const ends = Promise.allSettled(clients);
  await leaver();
  await quitter();
  let peak = 0;
  let served = 0;
  const all = until("all are cut", async () => {
    await witness.ask();
    await witness.askTcp();
    served += 2;
    peak = Math.max(peak, await memoryOf(server.running.pid));
    const counts = await server.counters();
    return (counts["dns-tcp-cut"] ?? 0) >= clients.length || undefined;
  }, fullAndIdle);
  await all.finally(() => over = true).finally(() => ends);
  await Promise.all(clients);
  const counts = await server.counters();
  assertEquals(counts["dns-tcp-cut"], clients.length);
  assertBalanced(counts);
  figure(
    `${clients.length} clients were cut, ${served} others served, ${peak - memory} kB at most more`,
  );
  assert(peak - memory < 64 * 1024, `memory went from ${memory} to ${peak} kB`);
  assertEquals(await server.running.stop(), 0);
  assertEquals(server.running.err, "");
});

/** Opens a connection from one of this host's addresses, and says whether it lasts. */
function connection(
  port: number,
  localAddress: string,
): { socket: Socket; lasts: Promise<boolean> } {
  const socket = connect({ host: "127.0.0.1", port, localAddress });
  const lasts = new Promise<boolean>((resolve) => {
    socket.once("close", () => resolve(false));
    socket.on("error", () => resolve(false));
    // An answer is what shows that it was taken.
    socket.once("data", () => resolve(true));
    socket.once("connect", () => socket.write(frameMessage(newQuery(ZONE, "SOA"))));
  });
  return { socket, lasts };
}

testWith(
  [],
  "dns: connections leave descriptors for all else, and the rest is refused",
  async () => {
    await using scene = await Scene.open();
    const state = `${scene.folder}/state`;
    const server = await dnsServer(scene.start([
      ...["sh", "-c", `ulimit -n ${DESCRIPTORS}; exec "$0" "$@"`, BINARY, "serve"],
      ...["--listen", "127.0.0.1:0", "--secret", scene.secretFile, "--state", state],
      ...["--dns", freeDnsAddress(), "--zone", ZONE],
    ], { env: { WGSIG_CONFIG: "/dev/null" } }));
    const made = ["127.0.0.1", "127.0.0.2"].flatMap((address) =>
      Array.from({ length: DESCRIPTORS - 10 }, () => connection(server.port, address))
    );
    try {
      let told = 0;
      for (const { lasts } of made) void lasts.then(() => told++);
      await until("each is answered or refused", () => told === made.length || undefined);
      const lasting = (await Promise.all(made.map(({ lasts }) => lasts))).filter((lasts) => lasts);
      const counts = await server.counters();
      assertEquals(counts["dns-tcp-refused"], made.length - lasting.length);
      assert(lasting.length > 0 && lasting.length < DESCRIPTORS, `${lasting.length}`);
      // While they are held, what changes is still written to the disk.
      const [, port] = / listening address=127\.0\.0\.1:(\d+)/.exec(server.running.out)!;
      const sizeOf = async () => (await Deno.stat(state)).size;
      const size = await sizeOf();
      await scene.peer().ask(Number(port));
      await until("the state is saved", async () => await sizeOf() > size || undefined);
      assertEquals(server.running.out.includes("state-not-saved"), false, server.running.out);
    } finally {
      for (const { socket } of made) socket.destroy();
    }
    await until("there is room again", async () => {
      const again = connection(server.port, "127.0.0.3");
      const lasts = await again.lasts;
      again.socket.destroy();
      return lasts || undefined;
    });
  },
);

testWith([...DEVICE_NEEDS, "dig"], "dns: more connections than allowed are refused", async () => {
  const [peer] = newPeers(1);
  await using device = await Device.with(peer!);
  await using scene = await Scene.open();
  const server = await device.serve(scene);
  const { port } = server;
  const witness = new Witness(scene, port, peer!);
  const open: Socket[] = [];
  const take = async (address: string, count: number) => {
    const made = Array.from({ length: count }, () => connection(port, address));
    open.push(...made.map(({ socket }) => socket));
    return (await Promise.all(made.map(({ lasts }) => lasts))).filter((lasts) => lasts).length;
  };
  const asks = async (address: string) =>
    (await dig(port, "+tcp", "-b", address, ZONE, "SOA")).answer.length > 0;
  try {
    assertEquals(await take("127.0.0.1", MAX_PER_SOURCE + 10), MAX_PER_SOURCE);
    assertEquals((await server.counters())["dns-tcp-refused"], 10);
    assertEquals([await asks("127.0.0.1"), await asks("127.0.0.2")], [false, true]);
    assertEquals(await take("127.0.0.2", MAX_PER_SOURCE), MAX_PER_SOURCE);
    assertEquals(await take("127.0.0.3", MAX_PER_SOURCE), MAX_PER_SOURCE);
    // Now the listener is full, whoever comes.
    assertEquals(open.filter(({ destroyed }) => !destroyed).length, MAX_CONNECTIONS);
    assertEquals(await asks("127.0.0.4"), false);
    await witness.ask();
    for (const socket of open.splice(0, MAX_PER_SOURCE + 10)) socket.destroy();
    await until("there is room again", async () => await asks("127.0.0.1") || undefined);
  } finally {
    for (const socket of open) socket.destroy();
  }
  assertBalanced(await server.counters());
  assertEquals(await server.running.stop(), 0);
  assertEquals(server.running.err, "");
});

testWith(
  [...DEVICE_NEEDS, "dig"],
  "dns: empty messages hold no place that others want",
  async () => {
    const [peer] = newPeers(1);
    await using device = await Device.with(peer!);
    await using scene = await Scene.open();
    const server = await device.serve(scene);
    const { port } = server;
    const open: Socket[] = [];
    const empty = frameMessage(new Uint8Array(0));
    const keepUp = () => open.forEach((socket) => socket.destroyed || socket.write(empty));
    try {
      for (const address of ["127.0.0.1", "127.0.0.2", "127.0.0.3"]) {
        const made = Array.from({ length: MAX_PER_SOURCE }, () => connection(port, address));
        open.push(...made.map(({ socket }) => socket));
        await Promise.all(made.map(({ lasts }) => lasts));
      }
      const startedAt = performance.now();
      const timer = setInterval(keepUp, 500);
      try {
        // Long before they are cut for being idle.
        await until(
          "somebody else is answered",
          async () =>
            (await dig(port, "+tcp", "-b", "127.0.0.4", ZONE, "SOA")).answer.length > 0 ||
            undefined,
        );
        // And they are cut, though they never were silent.
        await until(
          "they are gone",
          () => open.every(({ destroyed }) => destroyed) || undefined,
          2 * IDLE_SECONDS,
        );
        figure(`gone after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
      } finally {
        clearInterval(timer);
      }
    } finally {
      for (const socket of open) socket.destroy();
    }
    assertEquals(await server.running.stop(), 0);
    assertEquals(server.running.err, "");
  },
);
