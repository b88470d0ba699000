/** The file of metrics: whole, no older than need be, and gone at the end. */

import { assertEquals } from "@std/assert";
import { MetricsFile } from "../../../lib/service/http/metrics_file.ts";
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
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

const PATH = "/run/wgsig.prom";

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
  const state = { text: "a 1\n" };
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
  assertEquals(await textOf(host), "a 1\n");
  assertEquals((await host.readFile(PATH, 1000)).mode, 0o644);
  await host.elapse();
  assertEquals(writes(), 1);
  state.text = "a 2\n";
  await host.elapse();
  assertEquals([await textOf(host), writes()], ["a 2\n", 2]);
  await file.close();
  assertEquals([await textOf(host), host.waiting], [undefined, 0]);
});

Deno.test("metrics file: other settings are another file, and the one before goes", async () => {
  const { host, file } = scene();
  file.configure(PATH);
  await settled();
  file.configure("/run/other.prom");
  await settled();
  assertEquals([await textOf(host), await textOf(host, "/run/other.prom")], [undefined, "a 1\n"]);
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
  assertEquals(await textOf(host), "a 1\n");
  host.refuses = { writeFile: "ENOSPC" };
  state.text = "a 2\n";
  await host.elapse();
  assertEquals(said.length, 3);
  assertEquals(await textOf(host), "a 1\n");
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
