/** One question, one answer: and nobody who asks otherwise, slowly or not at all is in the way. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Report } from "../../../lib/core/status/report.ts";
import { errorCode } from "../../../lib/host/error.ts";
import { denoHost } from "../../../lib/host/deno/deno.ts";
import { askStatus } from "../../../lib/service/status/ask.ts";
import { QUESTION, StatusSocket } from "../../../lib/service/status/socket.ts";
import { withFolder } from "../../support/program.ts";
import { REPORT } from "../../support/status_report.ts";

const HOST = denoHost({ libc: false });

async function withSocket(
  answer: () => Promise<Report>,
  body: (path: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const socket = new StatusSocket(HOST, answer);
    const path = `${folder}/wg0.sync.sock`;
    await socket.open(path);
    try {
      await body(path);
    } finally {
      socket.close();
    }
    await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
  });
}

async function failure(path: string): Promise<string> {
  return errorCode(await assertRejects(() => askStatus(HOST, path)));
}

/** Says something, and returns all that comes. */
async function say(path: string, text: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  const { readable } = connection;
  let all = "";
  try {
    await connection.write(new TextEncoder().encode(text));
    await connection.closeWrite();
    for await (const piece of readable.pipeThrough(new TextDecoderStream())) all += piece;
  } catch {
    // It was cut.
  }
  return all;
}

Deno.test("status: who asks is answered, however many there are", async () => {
  let made = 0;
  await withSocket(() => {
    made++;
    return Promise.resolve(REPORT);
  }, async (path) => {
    assertEquals(await askStatus(HOST, path), REPORT);
    const all = await Promise.all([askStatus(HOST, path), askStatus(HOST, path)]);
    assertEquals(all, [REPORT, REPORT]);
    assert(made <= 3);
    assertEquals(JSON.parse(await say(path, QUESTION)).schema, 1);
  });
});

Deno.test("status: what is no question, or none of this schema, is cut without an answer", async () => {
  let made = 0;
  await withSocket(() => {
    made++;
    return Promise.resolve(REPORT);
  }, async (path) => {
    for (const text of ["", "wgsig", "GET / HTTP/1.1\r\n\r\n", "x".repeat(100_000)]) {
      assertEquals(await say(path, text), "");
    }
    assertEquals(await say(path, QUESTION.replace("1", "9")), "");
    assertEquals(made, 0);
    assertEquals(await askStatus(HOST, path), REPORT);
  });
});

Deno.test("status: who says nothing takes a connection, and is cut after a while", async () => {
  await withSocket(() => Promise.resolve(REPORT), async (path) => {
    const idle = await Promise.all(
      Array.from({ length: 4 }, () => Deno.connect({ transport: "unix", path })),
    );
    // Nothing is left for others now; they are told so at once.
    assertEquals(await say(path, QUESTION), "");
    assertEquals(await failure(path), "ECONNRESET");
    // It ends by itself.
    for (const each of idle) {
      assertEquals(await each.read(new Uint8Array(1)).catch(() => null), null);
    }
    for (const each of idle) each.close();
    assertEquals(await askStatus(HOST, path), REPORT);
  });
});

Deno.test("status: an answer that can't be made harms nobody", async () => {
  let fails = true;
  await withSocket(
    () => fails ? Promise.reject(new Error("no luck")) : Promise.resolve(REPORT),
    async (path) => {
      assertEquals(await failure(path), "ECONNRESET");
      fails = false;
      assertEquals(await askStatus(HOST, path), REPORT);
    },
  );
});

Deno.test("status: where nobody answers any more, that is an error with its name", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/wg0.sync.sock`;
    assertEquals(await failure(path), "ENOENT");
    // As a killed process leaves it.
    const listener = Deno.listen({ transport: "unix", path });
    listener.close();
    if (await Deno.lstat(path).catch(() => undefined) !== undefined) {
      assertEquals(await failure(path), "ECONNREFUSED");
    }
    // What was left is replaced.
    const socket = new StatusSocket(HOST, () => Promise.resolve(REPORT));
    await socket.open(path);
    assertEquals(await askStatus(HOST, path), REPORT);
    socket.close();
    socket.close();
  });
});

Deno.test("status: an answer of another release is no report", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/wg0.sync.sock`;
    const listener = await HOST.listenLocal({
      path,
      maxConnections: 1,
      onConnection: (connection) => {
        connection.write(new TextEncoder().encode('{"schema":2}\n'));
        connection.end();
        return { onData() {}, onEnd() {}, onClose() {} };
      },
    });
    assertEquals(await failure(path), "EPROTO");
    listener.close();
  });
});
