/** A server that nobody asks anything does nothing, after it was asked as well as before. */

import { assert, assertEquals } from "@std/assert";
import { BINARY, run, Running, withFolder } from "../support/program.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const ENV = { WGSIG_CONFIG: "/dev/null" };
const HOSTS: Readonly<Record<string, readonly string[]>> = {
  binary: [BINARY],
  "program on Deno": [Deno.execPath(), "run", "--allow-all", `${ROOT}cli/main_deno.ts`],
};
/** How long it is watched, in seconds. */
const WATCHED = 3;
/** A runtime's own housekeeping is let pass; a loop that polls each 10 ms is not. */
const MOST_CPU = 0.15;
/** The length of a tick of the kernel's accounts, in seconds. */
const TICK = 0.01;

/** The CPU time that a process has had, in seconds (proc(5), fields 14 and 15). */
async function cpuOf(pid: number): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

for (const [name, argv] of Object.entries(HOSTS)) {
  Deno.test(`the ${name} takes no CPU while nobody asks`, async () => {
    await withFolder(async (folder) => {
      const secret = `${folder}/secret`;
      await run([BINARY, "keygen", "secret", "--output", secret]);
      await run([BINARY, "keygen", "private", "--output", `${folder}/key`]);
      const serve = [...argv, "serve", "--secret", secret, "--listen", "127.0.0.1:0"];
      const server = new Running(serve, { env: ENV });
      try {
        const [, port] = await server.printed(/ listening address=\S+:(\d+)\n[^]* ready /);
        for (let round = 0; round < 2; round++) {
          const asking = ["--secret", secret, "--private-key", `${folder}/key`];
          const asked = await run([BINARY, "query", `127.0.0.1:${port}`, ...asking], { env: ENV });
          assertEquals(asked.code, 0, asked.err);
          // It ends what it still has to do.
          await new Promise((resolve) => setTimeout(resolve, 1000));
          const before = await cpuOf(server.pid);
          await new Promise((resolve) => setTimeout(resolve, WATCHED * 1000));
          const used = await cpuOf(server.pid) - before;
          assert(used < MOST_CPU, `${used} s of CPU in ${WATCHED} s`);
        }
      } finally {
        assertEquals(await server.stop(), 0);
      }
    });
  });
}
