/** The servers' names are looked up together, and none waits for another for long. */

import { assertEquals, assertRejects } from "@std/assert";
import { parseServerName, type ServerName } from "../../../lib/core/ask/server_name.ts";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import type { Clock } from "../../../lib/host/clock.ts";
import { codedError } from "../../../lib/host/error.ts";
import type { LookUpOptions, Names } from "../../../lib/host/names.ts";
import { findServers } from "../../../lib/service/ask/server_addresses.ts";
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
