import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { mendBorrowedPort, withBorrowedPort } from "../../../lib/service/sync/borrowed_port.ts";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import { DONE, MemoryHost, type MemoryOptions } from "../../support/memory_host.ts";
import { test } from "../../testing.ts";

const PORT = 51820;
const FOLDER = "/var/run/wgsig";
const NOTE = `${FOLDER}/wg0.port`;
const AWAY = "wg set wg0 listen-port 0";
const BACK = `wg set wg0 listen-port ${PORT}`;

/** A host with an interface whose port can be set, as many times as `busy` says not at once. */
function hostWith({ busy = 0, ...options }: MemoryOptions & { busy?: number } = {}): MemoryHost {
  let left = busy;
  return new MemoryHost({
    run: (argv) =>
      argv.at(-1) !== "0" && left-- > 0
        ? { code: 1, out: "", err: "Unable to modify interface: Address already in use\n" }
        : DONE,
    ...options,
  });
}

function noteOf(text: string): MemoryOptions {
  return { files: { [NOTE]: { content: text } } };
}

test("the port is noted, moved away, moved back, and the note is removed", async () => {
  const host = hostWith();
  const answer = await withBorrowedPort(host, "wg0", PORT, () => {
    assertEquals(host.events.at(-1), AWAY);
    assertEquals(host.text(NOTE), `${PORT}\n`);
    assertEquals(host.mode(NOTE), 0o600);
    host.events.push("asked");
    return Promise.resolve(5);
  });
  assertEquals(answer, { answer: 5, notKept: undefined });
  assertEquals(host.events, [
    `makeFolder ${FOLDER}`,
    `writeFile ${NOTE}`,
    AWAY,
    "asked",
    BACK,
    `removeFile ${NOTE}`,
  ]);
  assertEquals(host.text(NOTE), undefined);
  assertEquals(host.pauses, []);
});

test("each interface has a note of its own", async () => {
  const host = hostWith();
  await withBorrowedPort(host, "wg7", 7, () => Promise.resolve());
  assert(host.events.includes(`writeFile ${FOLDER}/wg7.port`));
  assert(host.events.includes("wg set wg7 listen-port 7"));
});

test("the port is given back when the question fails", async () => {
  for (
    const ask of [
      () => Promise.reject(new RangeError("far")),
      () => {
        throw new RangeError("far");
      },
    ]
  ) {
    const host = hostWith();
    await assertRejects(() => withBorrowedPort(host, "wg0", PORT, ask), RangeError, "far");
    assertEquals(host.events.slice(-3), [AWAY, BACK, `removeFile ${NOTE}`]);
  }
});

test("the port is given back when moving it away failed halfway", async () => {
  const host = new MemoryHost({
    run: (argv) => argv.at(-1) === "0" ? { code: 1, out: "", err: "Interrupted\n" } : DONE,
  });
  let asked = false;
  await assertRejects(
    () =>
      withBorrowedPort(host, "wg0", PORT, () => {
        asked = true;
        return Promise.resolve();
      }),
    UserError,
    "Interrupted",
  );
  assertEquals([asked, host.events.at(-2), host.text(NOTE)], [false, BACK, undefined]);
});

test("where the note cannot be written, the port is borrowed, and that is said", async () => {
  const cases = [["makeFolder", "EROFS", "read-only file"], ["writeFile", "ENOSPC", "no space"]];
  for (const [call = "", code, words = ""] of cases) {
    const host = hostWith({ refuses: { [call]: code } });
    const { answer, notKept } = await withBorrowedPort(host, "wg0", PORT, () => {
      assertEquals(host.events.at(-1), AWAY);
      return Promise.resolve(5);
    });
    assertEquals([answer, host.events.at(-1)], [5, BACK]);
    assertStringIncludes(notKept ?? "", `cannot write ${NOTE}: ${words}`);
  }
});

test("a note that cannot be removed is no failure", async () => {
  const host = hostWith({ ...noteOf(`${PORT}\n`), refuses: { removeFile: "EROFS" } });
  assertEquals(await mendBorrowedPort(host, "wg0"), PORT);
  const { answer } = await withBorrowedPort(host, "wg0", PORT, () => Promise.resolve(5));
  assertEquals(answer, 5);
});

test("a port that somebody took is asked for until it is free", async () => {
  const host = hostWith({ busy: 3 });
  const { answer } = await withBorrowedPort(host, "wg0", PORT, () => Promise.resolve(5));
  assertEquals(answer, 5);
  assertEquals(host.events.slice(2), [AWAY, BACK, BACK, BACK, BACK, `removeFile ${NOTE}`]);
  assertEquals(host.pauses, [0.05, 0.05, 0.05]);
});

test("a port that never comes back is told of, and its note stays for the next start", async () => {
  const host = hostWith({ busy: Infinity });
  await assertRejects(
    () => withBorrowedPort(host, "wg0", PORT, () => Promise.resolve()),
    UserError,
    "Address already in use",
  );
  const seconds = host.pauses.reduce((sum, each) => sum + each, 0);
  assert(seconds >= 3 && seconds <= 10, `${seconds} s`);
  assertEquals(host.text(NOTE), `${PORT}\n`);
});

test("the next start gives a port back that was not", async () => {
  // Killed while the port was away: the note is all that is left.
  const killed = hostWith();
  void withBorrowedPort(killed, "wg0", PORT, () => new Promise(() => {}));
  while (killed.events.at(-1) !== AWAY) await Promise.resolve();
  const host = hostWith({ ...noteOf(killed.text(NOTE) ?? ""), busy: 2 });
  assertEquals(await mendBorrowedPort(host, "wg0"), PORT);
  assertEquals(host.events, [BACK, BACK, BACK, `removeFile ${NOTE}`]);
  assertEquals(await mendBorrowedPort(host, "wg0"), undefined);
});

test("a note of another interface is left alone", async () => {
  const host = hostWith(noteOf(`${PORT}\n`));
  assertEquals(await mendBorrowedPort(host, "wg1"), undefined);
  assertEquals([host.events, host.text(NOTE)], [[], `${PORT}\n`]);
});

test("where there is no note there is nothing to mend", async () => {
  for (const code of ["ENOENT", "ENOTDIR"]) {
    const host = hostWith({ files: { [NOTE]: { fails: code } } });
    assertEquals(await mendBorrowedPort(host, "wg0"), undefined);
    assertEquals(host.events, []);
  }
});

test("a damaged note is removed, and sets no port", async () => {
  const damaged = ["", "\n", "x", "0", "-1", "65536", "5.5", "51820 51820", "9".repeat(17)];
  for (const text of damaged) {
    const host = hostWith(noteOf(text));
    assertEquals(await mendBorrowedPort(host, "wg0"), undefined, JSON.stringify(text));
    assertEquals(host.events, [`removeFile ${NOTE}`], JSON.stringify(text));
  }
});

test("the lowest and the highest port can be borrowed", async () => {
  for (const port of [1, 65_535]) {
    const host = hostWith(noteOf(`${port}\n`));
    assertEquals(await mendBorrowedPort(host, "wg0"), port);
  }
});
