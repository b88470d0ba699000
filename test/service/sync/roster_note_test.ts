import { assertEquals, assertRejects } from "@std/assert";
import { formatGiven, type Given, NOTHING_GIVEN } from "../../../lib/core/roster/client/given.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { keepGiven, readGiven } from "../../../lib/service/sync/roster_note.ts";
import { idOf } from "../../support/fake_random.ts";
import { DONE, MemoryError, type MemoryFile, MemoryHost } from "../../support/memory_host.ts";

const JOINED = "/etc/wireguard/wg0.roster";
const KEY = formatKey(idOf(1));

/** What an interface has of rosters: a peer with this prefix. */
function givenOf(prefix: string): Given {
  const peer = { isWhole: true, allowedIps: new Map([[prefix, KEY]]) };
  return { peers: new Map([[KEY, peer]]), routes: new Set() };
}

/** A host whose interface has a number. */
function hostWith(joined: MemoryFile, index: () => number): MemoryHost {
  return new MemoryHost({
    files: { [JOINED]: joined },
    run: () => ({ ...DONE, out: `${index()}: wg0    inet 10.0.0.1/24\n` }),
  });
}

Deno.test("an interface begins with what join's note says, and goes on with what is noted since", async () => {
  let index = 7;
  const host = hostWith(
    { content: formatGiven(givenOf("10.9.0.2/32"), undefined) },
    () => index,
  );
  assertEquals(await readGiven(host, "wg0", ""), givenOf("10.9.0.2/32"));
  await keepGiven(host, "wg0", "", givenOf("10.9.0.3/32"));
  assertEquals(await readGiven(host, "wg0", ""), givenOf("10.9.0.3/32"));
  // Nothing is something that was noted, too.
  await keepGiven(host, "wg0", "", { peers: new Map(), routes: new Set() });
  assertEquals((await readGiven(host, "wg0", "")).peers.size, 0);
  // Made anew, from wg-quick's file.
  index = 8;
  assertEquals(await readGiven(host, "wg0", ""), givenOf("10.9.0.2/32"));
});

Deno.test("a note of join's that is none, or that isn't for this user, is nothing", async () => {
  for (
    const file of [{ content: "{" }, { content: formatGiven(givenOf("10.9.0.2/32"), 7) }, {
      fails: "EACCES",
    }, { fails: "EFBIG" }]
  ) {
    assertEquals(await readGiven(hostWith(file, () => 7), "wg0", ""), NOTHING_GIVEN);
  }
  const broken = hostWith({ fails: "EIO" }, () => 7);
  await assertRejects(() => readGiven(broken, "wg0", ""), MemoryError);
});

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
  await keepGiven(host, "wg0", "", givenOf("10.9.0.2/32"));
  assertEquals(await readGiven(host, "wg0", ""), givenOf("10.9.0.2/32"));
  // Such as a lease.
  address = "10.9.0.1/24";
  assertEquals(await readGiven(host, "wg0", ""), givenOf("10.9.0.2/32"));
  index = 8;
  assertEquals(await readGiven(host, "wg0", ""), NOTHING_GIVEN);
});
