/** The servers' names are looked up together, and none waits for another for long. */

import { assertEquals, assertRejects } from "@std/assert";
import { parseServerName, type ServerName } from "../../../lib/core/ask/server_name.ts";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import type { Clock } from "../../../lib/host/clock.ts";
import { codedError } from "../../../lib/host/error.ts";
import type { LookUpOptions, Names } from "../../../lib/host/names.ts";
import { findServers, ServerNames } from "../../../lib/service/ask/server_addresses.ts";
import { test } from "../../testing.ts";

const ADDRESS = "192.0.2.1";

function servers(...names: string[]): ServerName[] {
  return names.map((name) => parseServerName(name)!);
}

/** A host whose timers all elapse once the names that are not slow are found. */
function hostWith(slow: readonly string[]): [Clock & Names, LookUpOptions[]] {
  const asked: LookUpOptions[] = [];
  const host: Clock & Names = {
    now: () => ({ unix: 0, mono: 0 }),
    after(_seconds, run) {
      const timer = setTimeout(run, 1);
      return () => clearTimeout(timer);
    },
    resolve(name, options = {}) {
      asked.push(options);
      if (name === "none.example") return Promise.reject(codedError("ENOTFOUND"));
      return slow.includes(name) ? new Promise(() => {}) : Promise.resolve([ADDRESS]);
    },
  };
  return [host, asked];
}

test("a name that is slow keeps no other server from being asked", async () => {
  for (const other of ["good.example", ADDRESS]) {
    const [host, asked] = hostWith(["slow.example"]);
    const all = servers("slow.example", other, "none.example");
    const found = await findServers(host, all, 3, 7);
    assertEquals([...found.values()], [[], [ADDRESS], []]);
    assertEquals(asked[0], { timeout: 3, mark: 7 });
  }
});

test("where no name is found it is said which, and why", async () => {
  const [host] = hostWith([]);
  await assertRejects(
    () => findServers(host, servers("none.example"), 3, 0),
    UserError,
    "cannot find server none.example:1223: host not found; check the name and this host's DNS",
  );
});

/** A host whose clock is moved by hand, and whose names take their time. */
class SlowHost implements Clock, Names {
  mono = 0;
  /** Seconds that a name takes; Infinity for no answer. */
  readonly takes = new Map<string, number>();
  readonly looks: string[] = [];
  #timers: { at: number; run: () => void }[] = [];

  now() {
    return { unix: this.mono, mono: this.mono };
  }

  after(seconds: number, run: () => void): () => void {
    const timer = { at: this.mono + seconds, run };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((each) => each !== timer));
  }

  resolve(name: string, { timeout = Infinity }: LookUpOptions = {}): Promise<string[]> {
    this.looks.push(name);
    const seconds = this.takes.get(name) ?? 0;
    return new Promise((found, failed) => {
      if (seconds === 0) found([ADDRESS]);
      else if (seconds <= timeout) this.after(seconds, () => found([ADDRESS]));
      else this.after(timeout, () => failed(codedError("ETIMEDOUT")));
    });
  }

  /** Lets time pass until something is done. @returns The seconds that it took, and what came of it. */
  async until<T>(what: Promise<T>): Promise<[number, T]> {
    const startedAt = this.mono;
    let isDone = false;
    const done = what.finally(() => isDone = true);
    done.catch(() => {});
    for (;;) {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      if (isDone) return [this.mono - startedAt, await done];
      this.pass(Math.min(...this.#timers.map(({ at }) => at)) - this.mono);
    }
  }

  pass(seconds: number): void {
    this.mono += seconds;
    for (const timer of this.#timers.filter(({ at }) => at <= this.mono)) {
      this.#timers.splice(this.#timers.indexOf(timer), 1);
      timer.run();
    }
  }
}

test("a name that is slow costs its time once, as long as another server is there", async () => {
  for (const seconds of [4, 8, Infinity]) {
    const host = new SlowHost();
    const names = new ServerNames(host);
    host.takes.set("slow.example", seconds);
    const all = servers("slow.example", "good.example", "192.0.2.7");
    const find = async () => {
      const [took, found] = await host.until(names.find(all, 10, 0));
      return [took, ...[...found.values()].map(({ length }) => length)];
    };
    assertEquals(await find(), seconds === 4 ? [4, 1, 1, 1] : [5, 0, 1, 1]);
    for (let round = 0; round < 20; round++) {
      host.pass(15);
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      // What has come since is there.
      const isKnown = seconds < Infinity;
      assertEquals(await find(), [0, isKnown ? 1 : 0, 1, 1]);
    }
    // One look at a time.
    assertEquals(host.looks.filter((name) => name === "slow.example").length, 21);
    // Once it is quick again, it is waited for again.
    host.takes.delete("slow.example");
    host.pass(15);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    await find();
    host.takes.set("slow.example", 0.5);
    assertEquals((await find())[0], 0.5);
  }
});

test("a single name is waited for, unless its last addresses are known", async () => {
  const host = new SlowHost();
  const names = new ServerNames(host);
  host.takes.set("slow.example", Infinity);
  const find = () => host.until(names.find(servers("slow.example"), 10, 0));
  for (let round = 0; round < 3; round++) {
    const startedAt = host.mono;
    await assertRejects(find, UserError, "cannot find server slow.example:1223: ");
    assertEquals(host.mono - startedAt, 10);
  }
  host.takes.set("slow.example", 3);
  assertEquals((await find())[0], 3);
  assertEquals((await find())[0], 0);
});
