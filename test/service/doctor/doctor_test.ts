import { assertEquals } from "@std/assert";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import { attempt } from "../../../lib/service/doctor/attempt.ts";
import { InterfaceLock } from "../../../lib/service/sync/interface_lock.ts";
import { DONE, MemoryHost } from "../../support/memory_host.ts";

Deno.test("doctor: what fails or takes too long is a problem of its own", async () => {
  const host = new MemoryHost();
  const never = () => new Promise<never>(() => {});
  assertEquals(await attempt(host, 2, never), { problem: "it took more than 2 s" });
  const patient = { now: () => host.now(), after: () => () => {} };
  const failing = () => Promise.reject(new UserError("no; mend it"));
  assertEquals(await attempt(patient, 2, failing), { problem: "no; mend it" });
  const throwing = () => {
    throw Object.assign(new Error(), { code: "ENOENT" });
  };
  assertEquals(await attempt(patient, 2, throwing), { problem: "no such file or directory" });
});

Deno.test("doctor: whether sync runs is seen without taking anything", async () => {
  const path = "/var/run/wgsig/wg0.lock";
  const run = () => DONE;
  const fresh = new MemoryHost({ run });
  assertEquals(await new InterfaceLock(fresh, "wg0").isTaken(), false);
  assertEquals([...fresh.locks], []);

  const host = new MemoryHost({ run, files: { [path]: { content: "" } } });
  assertEquals(await new InterfaceLock(host, "wg0").isTaken(), false);
  assertEquals([...host.locks], []);
  host.locks.add(path);
  assertEquals(await new InterfaceLock(host, "wg0").isTaken(), true);
  assertEquals([...host.locks], [path]);
});
