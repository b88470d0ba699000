import { assertEquals } from "@std/assert";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { type Given, NOTHING_GIVEN } from "../../../lib/core/roster/client/given.ts";
import { keepGiven, readGiven } from "../../../lib/service/sync/roster_note.ts";
import { idOf } from "../../support/fake_random.ts";
import { DONE, MemoryHost } from "../../support/memory_host.ts";

const A = formatKey(idOf(1));
const GIVEN: Given = {
  peers: new Map([[A, { isWhole: true, allowedIps: new Map([["10.9.0.2/32", A]]) }]]),
  routes: new Set(["10.9.0.2/32"]),
};

Deno.test("what an interface was given is known when it gets an address, not when it is made anew", async () => {
  let index = 7;
  let address = "";
  const host = new MemoryHost({
    run: (argv) => {
      const isLink = argv.includes("link");
      if (!isLink && address === "") return DONE;
      return { ...DONE, out: `${index}: wg0    ${isLink ? "mtu 1420" : `inet ${address}`}\n` };
    },
  });
  await keepGiven(host, "wg0", "", GIVEN);
  assertEquals(await readGiven(host, "wg0", ""), GIVEN);
  // Such as a lease.
  address = "10.9.0.1/24";
  assertEquals(await readGiven(host, "wg0", ""), GIVEN);
  index = 8;
  assertEquals(await readGiven(host, "wg0", ""), NOTHING_GIVEN);
});
