/** A router whose `snat to ADDRESS` keeps the old address for what goes on after it has changed. */

import { assertEquals } from "@std/assert";
import { testWith } from "../support/program.ts";
import { figure, Lab, LAB_NEEDS } from "./lab.ts";

const NEW = "203.0.113.31";
const LIMIT = 60;
const INTERVAL = ["--interval", "4s", "--timeout", "1s"];

for (const register of ["raw", "borrow"]) {
  testWith(
    LAB_NEEDS,
    `lab: a NAT that keeps an old mapping is said, and move-port gets away, --register ${register}`,
    async () => {
      await using lab = await Lab.withWireGuard("snat", "eim");
      const { alice, bob, ping } = await lab.bringUp(...INTERVAL, "--register", register);
      await lab.routerA.move(NEW, true);
      // The old address leads to nobody from now on, and not only once it is asked for again.
      for (const each of [lab.registry, lab.routerB.namespace]) await each.ip("neigh flush all");
      const start = performance.now();
      await alice.printed(
        / warn mapping-stuck port=51820 hint="a NAT keeps an old mapping /,
        LIMIT,
      );
      figure(`--register ${register}: a stuck mapping is said after ${seconds(start)} s`);
      assertEquals((await lab.alice.device()).listenPort, 51820);
      await alice.stop("SIGTERM");
      const args = [...INTERVAL, "--register", register, "--move-port"];
      const moving = lab.sync(lab.alice, ...args);
      await moving.printed(/ port-moved interface=wg0 before=51820\n/, LIMIT);
      await moving.printed(/ own-endpoint endpoint=203\.0\.113\.31:(?!51820)\d+/, LIMIT);
      assertEquals(await ping.answers(LIMIT), true, `${moving.out}\n${bob.out}`);
      figure(`--register ${register}: a ping after ${seconds(start)} s`);
    },
  );
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
