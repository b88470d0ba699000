/**
 * The HTTP server over real connections, with clocks that run faster: a second of its bounds takes 40
 * milliseconds here.
 */

import { assert, assertEquals } from "@std/assert";
import { denoHost } from "../../../lib/host/deno/deno.ts";
import type { TcpConnection, TcpListenOptions } from "../../../lib/host/tcp.ts";
import type { HttpAnswer } from "../../../lib/wire/http/answer.ts";
import { type HttpCount, HttpServer } from "../../../lib/service/http/server.ts";

const FASTER = 25;
const HOST = denoHost();
const FAST = {
  ...HOST,
  after: (seconds: number, run: () => void) => HOST.after(seconds / FASTER, run),
  now() {
    const { unix, mono } = HOST.now();
    return { unix: unix * FASTER, mono: mono * FASTER };
  },
};
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const BIG = 30_000_000;
const PIECES = 300_000;

function answerOf(size: number): HttpAnswer {
  return { status: 200, headers: {}, body: new Uint8Array(size).fill(0x61) };
}

const BIG_ANSWER = answerOf(BIG);

interface Scene {
  readonly port: number;
  /** All that there were. */
  readonly connections: readonly TcpConnection[];
  readonly counts: Record<HttpCount, number>;
  /** How often it was asked. */
  asked: number;
}

async function withServer(test: (scene: Scene) => Promise<void>): Promise<void> {
  const counts = { connections: 0, answered: 0, denied: 0, refused: 0, cut: 0 };
  let asked = 0;
  const connections: TcpConnection[] = [];
  const tcpListen = (options: TcpListenOptions) =>
    HOST.tcpListen({
      ...options,
      onConnection(connection) {
        connections.push(connection);
        return options.onConnection(connection);
      },
    });
  const server = new HttpServer(
    { ...FAST, tcpListen },
    ({ path }) => {
      asked++;
      if (path === "/bad") return Promise.reject(new Error("secret"));
      const pieces = path === "/pieces" ? PIECES : 2;
      return Promise.resolve(path === "/big" ? BIG_ANSWER : answerOf(pieces));
    },
    (what) => counts[what]++,
  );
  const listener = await server.listen({ host: "127.0.0.1", port: 0 });
  const { port } = listener;
  const scene = {
    port,
    connections,
    counts,
    get asked() {
      return asked;
    },
  };
  try {
    await test(scene);
  } finally {
    listener.close();
  }
}

/** Says something, and hears until the other side ends it; a reset ends it, too. */
async function say(port: number, text: string): Promise<string> {
  const connecting = Deno.connect({ port, hostname: "127.0.0.1" }).catch(() => undefined);
  using connection = await connecting;
  if (connection === undefined) return "";
  await connection.write(new TextEncoder().encode(text)).catch(() => {});
  return await hear(connection);
}

async function hear(connection: Deno.Conn): Promise<string> {
  let heard = "";
  const buffer = new Uint8Array(65_536);
  const decoder = new TextDecoder();
  for (;;) {
    const n = await connection.read(buffer).catch(() => null);
    if (n === null) return heard;
    heard += decoder.decode(buffer.subarray(0, n));
  }
}

async function until(check: () => boolean): Promise<void> {
  for (let i = 0; !check(); i++) {
    assert(i < 1000, "not in time");
    await new Promise<void>((done) => setTimeout(done, 10));
  }
}

function statusOf(answer: string): string {
  return answer.slice(9, 12);
}

Deno.test("HTTP: one answer, and the end; without a body where that is not wanted", async () => {
  await withServer(async ({ port, counts }) => {
    const answer = await say(port, GET);
    assertEquals(statusOf(answer), "200");
    assert(answer.endsWith("\r\nContent-Length: 2\r\n\r\naa"), answer);
    const head = await say(port, GET.replace("GET", "HEAD"));
    assert(head.endsWith("\r\nContent-Length: 2\r\n\r\n"), head);
    assertEquals(counts, { connections: 2, answered: 2, denied: 0, refused: 0, cut: 0 });
  });
});

Deno.test("HTTP: what fails is a status, and says nothing of why", async () => {
  await withServer(async ({ port }) => {
    const answer = await say(port, GET.replace("/", "/bad"));
    assertEquals(statusOf(answer), "500");
    assertEquals(answer.includes("secret"), false);
  });
});

Deno.test("HTTP: of what is pipelined, the first is answered, and no other one asked", async () => {
  await withServer(async (scene) => {
    const answer = await say(scene.port, GET.repeat(500));
    assertEquals(answer.match(/HTTP\/1\.1/g)?.length, 1);
    assertEquals(scene.asked, 1);
  });
});

Deno.test("HTTP: bodies, other methods, nonsense and huge heads are refused and counted", async () => {
  await withServer(async (scene) => {
    const { port, counts } = scene;
    const body = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n${"b".repeat(9000)}`;
    assertEquals(statusOf(await say(port, body)), "405");
    const ofGet = GET.replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc");
    assertEquals(statusOf(await say(port, ofGet)), "413");
    assertEquals(statusOf(await say(port, "\x16\x03\x01")), "400");
    assertEquals(statusOf(await say(port, `GET /${"a".repeat(20_000)}`)), "431");
    assertEquals([counts.cut, counts.answered, scene.asked], [4, 0, 0]);
  });
});

Deno.test("HTTP: who sends without an end is cut", async () => {
  await withServer(async ({ port, counts }) => {
    using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
    const endless = (async () => {
      const piece = new Uint8Array(65_536);
      for (let sent = 0; sent < 50_000_000; sent += piece.length) {
        if (await connection.write(piece).catch(() => null) === null) return true;
      }
      return false;
    })();
    assertEquals(await endless, true);
    assertEquals(counts.cut, 1);
  });
});

Deno.test("HTTP: who is silent or slow is told so, and gone", async () => {
  await withServer(async ({ port, counts }) => {
    const silent = say(port, "");
    const half = say(port, "GET / HTTP/1.1\r\nHost: a\r\n");
    using slow = await Deno.connect({ port, hostname: "127.0.0.1" });
    const heard = hear(slow);
    const drip = (async () => {
      for (const character of `${GET.slice(0, -2)}${"X: y\r\n".repeat(1000)}`) {
        if (await slow.write(new TextEncoder().encode(character)).catch(() => null) === null) {
          return;
        }
        await new Promise<void>((done) => setTimeout(done, 5));
      }
    })();
    for (const answer of await Promise.all([silent, half, heard])) {
      assertEquals(statusOf(answer), "408");
    }
    await drip;
    assertEquals([counts.cut, counts.answered], [3, 0]);
  });
});

Deno.test("HTTP: who has sent all, and half a head, hears that it is none", async () => {
  await withServer(async ({ port, counts }) => {
    using half = await Deno.connect({ port, hostname: "127.0.0.1" });
    await half.write(new TextEncoder().encode("GET /"));
    await half.closeWrite();
    assertEquals(statusOf(await hear(half)), "400");
    using whole = await Deno.connect({ port, hostname: "127.0.0.1" });
    await whole.write(new TextEncoder().encode(GET));
    await whole.closeWrite();
    assertEquals(statusOf(await hear(whole)), "200");
    assertEquals([counts.cut, counts.answered], [1, 1]);
  });
});

Deno.test("HTTP: who doesn't read is cut in time, and one piece of the answer waits until then", async () => {
  await withServer(async ({ port, counts, connections }) => {
    const readers: Deno.Conn[] = [];
    for (let i = 0; i < 10; i++) {
      const reader = await Deno.connect({ port, hostname: "127.0.0.1" });
      await reader.write(new TextEncoder().encode(GET.replace("/", "/big")));
      readers.push(reader);
    }
    let most = 0;
    await until(() => {
      for (const { waiting } of connections) most = Math.max(most, waiting);
      return counts.cut === 10;
    });
    assert(most > 0 && most < 100_000, `${most}`);
    for (const reader of readers) reader.close();
    const answer = await say(port, GET.replace("/", "/pieces"));
    assertEquals(answer.length - answer.indexOf("\r\n\r\n"), 4 + PIECES);
  });
});

Deno.test("HTTP: of 1 000 connections that hang, the most are refused, and who asks is answered", async () => {
  await withServer(async ({ port, counts }) => {
    const hanging: Deno.Conn[] = [];
    const hang = async () => {
      const connection = await Deno.connect({ port, hostname: "127.0.0.1" }).catch(() => undefined);
      if (connection !== undefined) hanging.push(connection);
    };
    try {
      for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 50 }, hang));
      await until(() => counts.connections + counts.refused >= 1000);
      const { connections, cut } = counts;
      assert(connections - cut <= 64, JSON.stringify(counts));
      for (let i = 0; i < 5; i++) {
        let answer = "";
        // A place is free once somebody has not asked in time.
        for (let n = 0; n < 100 && answer === ""; n++) {
          answer = await say(port, GET);
          if (answer === "") await new Promise<void>((done) => setTimeout(done, 10));
        }
        assertEquals(statusOf(answer), "200");
      }
      assertEquals(counts.answered, 5);
      // All of the others in the end, each once.
      await until(() => counts.cut + counts.answered === counts.connections);
    } finally {
      for (const connection of hanging) connection.close();
    }
  });
});
