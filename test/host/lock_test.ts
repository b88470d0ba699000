/** Locks on files: between the processes of all runtimes, and after their ends. */

import { assertEquals } from "@std/assert";
import { run, Running, SANITIZED_QUICKJS, testWith, withFolder } from "../support/program.ts";
import { bundleForQuickjs, quickjsScript } from "../support/quickjs/run.ts";
import { bundle, bunProgram, DENO, ownTarget, ROOT } from "../../scripts/tools.ts";

/** Takes the lock on a file and says so, or what went wrong. A child of it goes on for a while. */
const TAKE = `
  const path = host.args[0];
  const said = await host.lockFile(path).then(() => "locked", (error) => error.code);
  if (said === "locked") {
    host.run(["sleep", "20"]).catch(() => {});
    host.after(60, () => {});
  }
  host.out.write(said + "\\n");
`;
/** Gives it back, and takes it again. */
const AGAIN = `
  const path = host.args[0];
  const unlock = await host.lockFile(path);
  const twice = await host.lockFile(path).catch((error) => error.code);
  unlock();
  (await host.lockFile(path))();
  const codes = [];
  for (const wrong of [path + "/x", path + ".none/x"]) {
    codes.push(await host.lockFile(wrong).catch((error) => error.code));
  }
  host.out.write([twice, ...codes].join() + "\\n");
`;

type Make = (folder: string, script: string) => Promise<readonly string[]>;

/** What starts a script that has the host of a runtime. */
function withHost(make: string, file: string, start: () => Promise<readonly string[]>): Make {
  return async (folder, script) => {
    const head = `import { ${make} } from "${ROOT}/lib/host/${file}";\nconst host = ${make}();\n`;
    await Deno.writeTextFile(`${folder}/script.ts`, head + script);
    await bundle(`${folder}/script.ts`, `${folder}/script.js`);
    return [...await start(), `${folder}/script.js`];
  };
}

const deno = withHost(
  "denoHost",
  "deno/deno.ts",
  () => Promise.resolve([DENO, "run", "--allow-all"]),
);
const bun = withHost("bunHost", "bun/bun.ts", async () => [await bunProgram(ownTarget())]);
const quickjs: Make = async (folder, script) => {
  await Deno.writeTextFile(`${folder}/script.ts`, quickjsScript(script));
  await bundleForQuickjs(`${folder}/script.ts`, `${folder}/script.js`);
  return [SANITIZED_QUICKJS, `${folder}/script.js`];
};
const ENV = { ASAN_OPTIONS: "detect_leaks=0" };

/** A lock that each of some runtimes has in turn; the others see it, and get it when that is killed. */
async function takeTurns(makes: readonly Make[]): Promise<void> {
  await withFolder(async (folder) => {
    const path = `${folder}/file.lock`;
    const programs: (readonly string[])[] = [];
    for (const [i, make] of makes.entries()) {
      await Deno.mkdir(`${folder}/${i}`);
      programs.push(await make(`${folder}/${i}`, TAKE));
    }
    for (const program of programs) {
      const holder = new Running([...program, path], { env: ENV });
      try {
        await holder.printed(/^locked\n$/);
        for (const other of programs) {
          const { out, err } = await run([...other, path], { env: ENV });
          assertEquals([out, err], ["EAGAIN\n", ""]);
        }
      } finally {
        await holder.stop("SIGKILL");
      }
    }
    const { mode, size } = await Deno.stat(path);
    assertEquals([mode! & 0o777, size], [0o600, 0]);
  });
}

async function takeAgain(make: Make): Promise<void> {
  await withFolder(async (folder) => {
    const program = await make(folder, AGAIN);
    const { code, out, err } = await run([...program, `${folder}/file.lock`], { env: ENV });
    assertEquals([code, out, err], [0, "EAGAIN,ENOTDIR,ENOENT\n", ""]);
  });
}

Deno.test("a lock holds between Deno and Bun, and ends with its process", async () => {
  await takeTurns([deno, bun]);
});

testWith(["the sanitized QuickJS"], "a lock holds between QuickJS and the others", async () => {
  await takeTurns([quickjs, bun, deno]);
});

Deno.test("a lock is had once, and given back", async () => {
  for (const make of [deno, bun]) await takeAgain(make);
});

testWith(["the sanitized QuickJS"], "on QuickJS a lock is had once, and given back", async () => {
  await takeAgain(quickjs);
});
