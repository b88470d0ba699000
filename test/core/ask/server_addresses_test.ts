/** Which address of a server is asked next: the one that answers, and no dead one twice for nothing. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ServerAddresses } from "../../../lib/core/ask/server_addresses.ts";
import { test } from "../../testing.ts";

const THREE = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
const IPV6 = "2001:db8::1";

test("addresses: what has not been asked comes first, in its order, and once each", () => {
  const addresses = new ServerAddresses(THREE, 1223);
  // In both protocols at the same moment, the same one.
  const asked = [0, 0, 0.5, 0.52, 1, 1.5, 2].map((mono) => addresses.toAsk(mono).host);
  assertEquals(asked, [0, 0, 1, 1, 2, 0, 1].map((i) => THREE[i]));
});

test("addresses: who was heard is asked first from then on, until it is silent", () => {
  const addresses = new ServerAddresses(THREE, 1223);
  addresses.toAsk(0);
  addresses.toAsk(0.5);
  addresses.heard(THREE[1]!);
  for (const mono of [0.52, 0.54, 10]) {
    assertEquals(addresses.toAsk(mono).host, THREE[1]);
    addresses.heard(THREE[1]!);
  }
  assert(!addresses.begin(THREE.toReversed()));
  assertEquals(addresses.toAsk(20).host, THREE[1]);
  assertEquals(addresses.toAsk(20.5).host, THREE[2]);
  // What is lost at the end of one round says nothing in the next.
  addresses.begin(THREE);
  assertEquals(addresses.toAsk(30).host, THREE[1]);
  assert(addresses.begin([...THREE, "192.0.2.4"]));
  addresses.begin(["192.0.2.4"]);
  assertEquals(addresses.toAsk(40), { host: "192.0.2.4", port: 1223 });
});

test("addresses: what can't be asked comes last, and one family doesn't stand for the other", () => {
  const addresses = new ServerAddresses([IPV6, ...THREE], 1223);
  assertEquals(addresses.families, [4, 6]);
  assertEquals([addresses.countOf(4), addresses.countOf(6)], [3, 1]);
  addresses.noteProblem(THREE[0]!, "EPERM");
  addresses.noteRefused(THREE[1]!);
  assertEquals(addresses.toAsk(0, 4).host, THREE[2]);
  assertEquals(addresses.toAsk(0, 6).host, IPV6);
  addresses.noteOtherKey(THREE[2]!);
  assert(!addresses.hasOther(0, 4) && addresses.hasOther(0, 6));
  // Nothing good is left of that family: what can be sent to all the same.
  assertEquals(addresses.toAsk(0, 4).host, THREE[1]);
  assertEquals([addresses.works(4), addresses.areRefused], [true, false]);
  addresses.noteRefused(THREE[2]!);
  assert(!addresses.areRefused);
  // Where nothing can be sent to, nobody can say that nothing listens there.
  addresses.noteProblem(IPV6, "EADDRNOTAVAIL");
  assert(addresses.areRefused);
  // The system may say otherwise the next time, but a key stays another one.
  addresses.begin([IPV6, ...THREE]);
  assertEquals([addresses.areRefused, addresses.problem], [false, undefined]);
  assertEquals(addresses.toAsk(1, 4).host, THREE[0]);
  assertEquals(addresses.toAsk(1.5, 4).host, THREE[2]);
  assertEquals(addresses.toAsk(2, 4).host, THREE[1]);
});

test("addresses: another port is asked where the first was heard, and its silence says nothing", () => {
  const addresses = new ServerAddresses(THREE, 1223);
  addresses.toAsk(0);
  addresses.toAsk(0.5);
  addresses.heard(THREE[1]!);
  for (const mono of [1, 2, 3]) {
    assertEquals(addresses.toAsk(mono, 4, 443), { host: THREE[1], port: 443 });
  }
  assertEquals(addresses.toAsk(4).host, THREE[1]);
});

test("addresses: of any number, one that answers is found after one question to each of the others", () => {
  fc.assert(fc.property(
    fc.uniqueArray(fc.integer({ min: 1, max: 254 }), { minLength: 1, maxLength: 40 }),
    fc.integer({ min: 0 }),
    (numbers, choice) => {
      const hosts = numbers.map((number) => `192.0.2.${number}`);
      const alive = hosts[choice % hosts.length]!;
      const addresses = new ServerAddresses(hosts, 1223);
      const asked: string[] = [];
      for (let mono = 0; asked.at(-1) !== alive; mono += 0.5) {
        assert(asked.push(addresses.toAsk(mono).host) <= hosts.length);
      }
      addresses.heard(alive);
      for (let round = 1; round < 10; round++) {
        addresses.begin(hosts);
        assertEquals(addresses.toAsk(1000 * round).host, alive);
        addresses.heard(alive);
      }
    },
  ));
});
