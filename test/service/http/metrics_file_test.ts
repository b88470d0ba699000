/** The file of metrics: whole, no older than need be, and gone at the end. */

import { assertEquals } from "@std/assert";
import { denoHost } from "../../../lib/host/deno/deno.ts";
import { MetricsFile } from "../../../lib/service/http/metrics_file.ts";
import { run } from "../../support/program.ts";
import { MemoryHost } from "../../support/memory_host.ts";

/** A host whose timers wait for the test. */
class Timed extends MemoryHost {
  #timers: (() => void)[] = [];

  override after(_seconds: number, run: () => void): () => void {
    this.#timers.push(run);
    return () => this.#timers = this.#timers.filter((each) => each !== run);
  }

  get waiting(): number {
    return this.#timers.length;
  }

  async elapse(): Promise<void> {
    for (const run of this.#timers.splice(0)) run();
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 100; i++) await Promise.resolve();
}

const PATH = "/run/wgsig.prom";
const [FIRST, SECOND] = ["# HELP wgsig_a x\nwgsig_a 1\n", "# HELP wgsig_a x\nwgsig_a 2\n"];

async function textOf(host: MemoryHost, path = PATH): Promise<string | undefined> {
  try {
    return new TextDecoder().decode((await host.readFile(path, 1000)).bytes);
  } catch {
    return undefined;
  }
}

function scene(refuses: MemoryHost["refuses"] = {}) {
  const host = new Timed({ refuses });
  const said: string[] = [];
  const state = { text: FIRST };
  const file = new MetricsFile(
    host,
    () => Promise.resolve(state.text),
    (path, why) => said.push(`${path}: ${why}`),
  );
  const writes = () => host.events.filter((event) => event.startsWith("write")).length;
  return { host, said, state, file, writes };
}

Deno.test("metrics file: written at once, again when something is new, removed at the end", async () => {
  const { host, state, file, writes } = scene();
  file.configure(PATH);
  await settled();
  assertEquals(await textOf(host), FIRST);
  assertEquals((await host.readFile(PATH, 1000)).mode, 0o644);
  await host.elapse();
  assertEquals(writes(), 1);
  state.text = SECOND;
  await host.elapse();
  assertEquals([await textOf(host), writes()], [SECOND, 2]);
  await file.close();
  assertEquals([await textOf(host), host.waiting], [undefined, 0]);
});

Deno.test("metrics file: other settings are another file, and the one before goes", async () => {
  const { host, file } = scene();
  file.configure(PATH);
  await settled();
  file.configure("/run/other.prom");
  await settled();
  assertEquals([await textOf(host), await textOf(host, "/run/other.prom")], [undefined, FIRST]);
  file.configure(undefined);
  await settled();
  assertEquals([await textOf(host, "/run/other.prom"), host.waiting], [undefined, 0]);
  await file.close();
});

Deno.test("metrics file: what stands in the way is said once, until it is written again", async () => {
  const { host, said, file, state } = scene({ writeFile: "ENOSPC" });
  file.configure(PATH);
  await settled();
  await host.elapse();
  assertEquals(said.length, 1);
  host.refuses = { writeFile: "EACCES" };
  await host.elapse();
  assertEquals(said.length, 2);
  host.refuses = {};
  await host.elapse();
  assertEquals(await textOf(host), FIRST);
  host.refuses = { writeFile: "ENOSPC" };
  state.text = SECOND;
  await host.elapse();
  assertEquals(said.length, 3);
  assertEquals(await textOf(host), FIRST);
  await file.close();
});

Deno.test("metrics file: one that it has not written is left alone", async () => {
  const { host, file } = scene({ writeFile: "EACCES" });
  file.configure(PATH);
  await settled();
  host.refuses = {};
  await file.close();
  assertEquals(host.events.filter((event) => event.startsWith("remove")), []);
});

Deno.test("metrics file: what is somebody else's stays, from the beginning to the end", async () => {
  const folder = await Deno.makeTempDir();
  const file = (name: string) => `${folder}/${name}`;
  try {
    await Deno.writeTextFile(file("secret"), "precious\n");
    await Deno.writeTextFile(file("empty"), "");
    await Deno.symlink(file("secret"), file("link"));
    await Deno.symlink(file("nowhere"), file("dangling"));
    await run(["mkfifo", file("pipe")]);
    await Deno.mkdir(file("folder"));
    const names = ["secret", "empty", "link", "dangling", "pipe", "folder"];
    for (const name of names) {
      let say: (why: string) => void = () => {};
      const said = new Promise<string>((resolve) => say = resolve);
      const metrics = new MetricsFile(
        denoHost({ libc: false }),
        () => Promise.resolve(FIRST),
        (_, why) => say(why),
      );
      metrics.configure(file(name));
      assertEquals((await said).startsWith("it "), true, name);
      await metrics.close();
    }
    const left = (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
    assertEquals(left, names.toSorted());
    assertEquals(await Deno.readTextFile(file("link")), "precious\n");
    assertEquals((await Deno.lstat(file("pipe"))).isFifo, true);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("metrics file: what somebody takes away is there again, and what is put there stays", async () => {
  const { host, file, said } = scene();
  file.configure(PATH);
  await settled();
  await host.removeFile(PATH);
  await host.elapse();
  assertEquals(await textOf(host), FIRST);
  await host.writeFile(PATH, new TextEncoder().encode("other\n"), { mode: 0o644 });
  await host.elapse();
  await file.close();
  assertEquals([await textOf(host), said.length], ["other\n", 1]);
});
