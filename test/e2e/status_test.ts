/** `wgsig status` as people run it: what it prints, and what it says where nothing answers. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { InterfaceReport } from "../../lib/core/status/report.ts";
import { denoHost } from "../../lib/host/deno/deno.ts";
import { namespaceEnding, RUN_FOLDER } from "../../lib/service/files/own_folders.ts";
import { statusPlace } from "../../lib/service/status/places.ts";
import { StatusSocket } from "../../lib/service/status/socket.ts";
import { BINARY, type Finished, run, Running, testWith, wgsig } from "../support/program.ts";
import { Scene } from "./scene.ts";
import { ALICE, NOBODY, REPORT } from "../support/status_report.ts";

const HOST = denoHost({ libc: false });
const NAME = `wgt${Deno.pid}`;
/** Nobody's. */
const OTHER_USER = "65534";

/** Answers as `sync` would for this interface. */
async function withReport(
  report: Partial<InterfaceReport>,
  body: () => Promise<void>,
): Promise<void> {
  const answer = { ...REPORT, interface: NAME, ...report };
  const socket = new StatusSocket(HOST, { status: () => Promise.resolve(answer) });
  await HOST.makeFolder(RUN_FOLDER);
  await socket.open(statusPlace("sync", NAME, await namespaceEnding(HOST)).path);
  try {
    await body();
  } finally {
    socket.close();
  }
}

/** Runs it where a person looks at what it prints. */
async function atTerminal(env: Readonly<Record<string, string>>): Promise<Finished> {
  return await run(["script", "-qec", `${BINARY} status ${NAME}`, "/dev/null"], { env });
}

testWith(["root"], "status: the table, and status 5 where somebody is down", async () => {
  await withReport({}, async () => {
    const { code, out, err } = await wgsig(["status", NAME]);
    assertEquals([code, err], [5, ""]);
    assertMatch(out, new RegExp(`^interface ${NAME}\n`));
    assertMatch(out, /\nalice +punched +61 s ago +12 ms +1\.2 MiB +512 B\n/);
    for (const line of out.split("\n")) assert(line.length <= 80, line);
    const all = await wgsig(["status"]);
    // Others may run here, too.
    assertEquals(all.code, 5);
    assert(all.out.includes(out), all.out);
  });
  await withReport({ peers: [ALICE] }, async () => {
    assertEquals((await wgsig(["status", NAME])).code, 0);
  });
});

testWith(["root"], "status: JSON has all that there is, with a schema", async () => {
  await withReport({}, async () => {
    const { code, out } = await wgsig(["status", NAME, "--json"]);
    assertEquals(code, 5);
    assertEquals<unknown>(JSON.parse(out), {
      schema: 1,
      interfaces: [{ ...REPORT, interface: NAME, peers: [ALICE, NOBODY] }],
      servers: [],
    });
  });
});

testWith(["root", "script"], "status: colours for a person who wants some", async () => {
  await withReport({}, async () => {
    // The runner of the tests may want none itself.
    assert((await atTerminal({ TERM: "xterm", NO_COLOR: "" })).out.includes("\x1b[31m"));
    for (const env of [{ TERM: "xterm", NO_COLOR: "1" }, { TERM: "dumb" }]) {
      assertEquals((await atTerminal(env)).out.includes("\x1b"), false);
    }
    assertEquals((await wgsig(["status", NAME])).out.includes("\x1b"), false);
  });
});

testWith(["root", "setpriv"], "status: who may not ask is told who may", async () => {
  await withReport({}, async () => {
    const other = ["setpriv", "--reuid", OTHER_USER, "--clear-groups", "env", "HOME=/", BINARY];
    for (const args of [["status"], ["status", NAME]]) {
      const { code, out, err } = await run([...other, ...args]);
      assertEquals([code, out], [1, ""]);
      assertMatch(
        err,
        /^wgsig: cannot ask at \/var\/run\/wgsig\S*: permission denied; run this as root, .*\n$/,
      );
    }
  });
});

testWith(["root"], "status: where nothing runs, that is said, and how to start it", async () => {
  const { code, out, err } = await wgsig(["status", NAME]);
  assertEquals([code, out], [1, ""]);
  assertMatch(
    err,
    new RegExp(
      String.raw`^wgsig: no wgsig sync runs for ${NAME} here \(nobody answers at /var/run/wgsig/` +
        String.raw`\S+\); start it: wgsig sync ${NAME}\n$`,
    ),
  );
  const wrong = await wgsig(["status", "../etc"]);
  assertEquals([wrong.code, wrong.out], [6, ""]);
  assertMatch(wrong.err, /is no name of a network interface/);
});

testWith(
  ["root"],
  "status --watch: what isn't there is said once, and seen when it comes",
  async () => {
    const watch = new Running([BINARY, "status", NAME, "--watch", "--json"]);
    try {
      await new Promise((done) => setTimeout(done, 2500));
      await withReport({}, async () => {
        await watch.printed(/"interfaces":\[\{/);
      });
      assertEquals(watch.err.match(/no wgsig sync runs for/g)?.length, 1, watch.err);
    } finally {
      assertEquals(await watch.stop("SIGINT"), 0);
    }
  },
);

testWith(
  ["root"],
  "query: that its port is in use is no matter where sync registers it",
  async () => {
    await using scene = await Scene.open();
    const server = await scene.serve();
    const own = scene.peer();
    await own.ask(server.port);
    const config = await scene.file(
      "wgsig.toml",
      `[sync.wg0]\nport = ${own.port}\npublic-key = "${own.publicKey}"\n`,
    );
    const args = ["--config", config, "--secret", scene.secretFile];
    const ask = async () => {
      const asked = await wgsig(["query", ...args, ...server.pin, server.address]);
      const made = await wgsig(["config", ...args, ...server.pin, "--server", server.address]);
      assertEquals([asked.code, made.code], [0, 0]);
      return [asked.err, made.err];
    };
    await withReport({ port: own.port }, async () => assertEquals(await ask(), ["", ""]));
    await withReport({ port: own.port ^ 1 }, async () => {
      for (const err of await ask()) {
        assertMatch(err, /is in use, .*wgsig sync does, where it runs/);
      }
    });
  },
);
