/** One question, one answer: and nobody who asks otherwise, slowly or not at all is in the way. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Report } from "../../../lib/core/status/report.ts";
import { errorCode } from "../../../lib/host/error.ts";
import { denoHost } from "../../../lib/host/deno/deno.ts";
import { MAX_REQUEST } from "../../../lib/core/status/request.ts";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import { askSocket, askStatus } from "../../../lib/service/status/ask.ts";
import { type AnswerRequest, StatusSocket } from "../../../lib/service/status/socket.ts";
import { withFolder } from "../../support/program.ts";
import { REPORT } from "../../support/status_report.ts";

const HOST = denoHost({ libc: false });
const QUESTION = "wgsig status 1\n";

function withSocket(
  status: () => Promise<Report>,
  body: (path: string) => Promise<void>,
): Promise<void> {
  return withAnswers({ status }, body);
}

async function withAnswers(
  answers: Readonly<Record<string, AnswerRequest>>,
  body: (path: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const socket = new StatusSocket(HOST, answers);
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

Deno.test("status: what is no question is cut without an answer, and another release's refused", async () => {
  let made = 0;
  await withSocket(() => {
    made++;
    return Promise.resolve(REPORT);
  }, async (path) => {
    const long = `wgsig status 1 "${"x".repeat(MAX_REQUEST)}"`;
    const texts = ["", "wgsig", "GET / HTTP/1.1\r\n\r\n", "x".repeat(100_000), long, `${long}\n`];
    for (const text of [...texts, "wgsig status 1 {\n", "wgsig status one\n", "wgsig  1\n"]) {
      assertEquals(await say(path, text), "", text.slice(0, 40));
    }
    for (const text of ["wgsig status 9\n", "wgsig dance 1\n", "wgsig constructor 1\n"]) {
      const answer = await say(path, text);
      assertEquals(Object.keys(JSON.parse(answer)), ["schema", "error"]);
    }
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

Deno.test("status: what is told with a request is answered to who has told it", async () => {
  const echo = (body: unknown) => Promise.resolve({ body });
  await withAnswers({ echo }, async (path) => {
    const bodies = [{ name: "zoë\n" }, [1, null], "x", 0, false, "y".repeat(MAX_REQUEST - 30)];
    for (const body of bodies) {
      assertEquals(await askSocket(HOST, path, "echo", body), { schema: 1, body });
    }
    assertEquals(await askSocket(HOST, path, "echo"), { schema: 1 });
    const pairs = await Promise.all([1, 2, 3].map((body) => askSocket(HOST, path, "echo", body)));
    assertEquals(pairs.map(({ body }) => body), [1, 2, 3]);
    await assertRejects(() => askSocket(HOST, path, "echo", "y".repeat(MAX_REQUEST)), RangeError);
  });
});

Deno.test("status: what is refused is refused in words, and harms nobody", async () => {
  let fails = true;
  await withSocket(
    () => fails ? Promise.reject(new UserError("no luck today")) : Promise.resolve(REPORT),
    async (path) => {
      await assertRejects(() => askStatus(HOST, path), UserError, "no luck today");
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
    const socket = new StatusSocket(HOST, { status: () => Promise.resolve(REPORT) });
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
