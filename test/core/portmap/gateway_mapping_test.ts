import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { GatewayMapping } from "../../../lib/core/portmap/gateway_mapping.ts";
import type { Gateway } from "../../../lib/core/portmap/gateways.ts";
import {
  digits,
  type FakeGateway,
  natPmpGateway,
  pcpGateway,
  PortMapDriver,
} from "../../support/portmap_driver.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const GATEWAY: Gateway = {
  family: 4,
  address: "192.168.1.1",
  from: "192.168.1.2",
  near: ["192.168.1.0/24"],
};
const PUBLIC = "203.0.115.21";
const PORT = 51820;
const HOUR = 3600;

function scene(gateway: FakeGateway, { at = GATEWAY, port = PORT } = {}) {
  const driver = new PortMapDriver(gateway);
  const mapping = new GatewayMapping(at, port, seededRandom(7), driver.mono);
  return { driver, mapping };
}

/** Of the questions, those for a mapping by PCP: their lifetimes. */
function lifetimes({ asked }: PortMapDriver): number[] {
  return asked.filter((each) => each.startsWith("0201")).map((each) =>
    parseInt(each.slice(8, 16), 16)
  );
}

test("port mapping: PCP first, renewed at half, and given back", () => {
  const { driver, mapping } = scene({ datagram: pcpGateway({}) });
  let run = driver.run(mapping.keep(), 10);
  assertEquals(driver.told, [`mapped ${PUBLIC} ${PORT} by pcp for 7200`]);
  run = driver.resume(run, HOUR - 30);
  assertEquals(lifetimes(driver), [7200]);
  run = driver.resume(run, 30);
  assertEquals(lifetimes(driver), [7200, 7200]);
  driver.resume(run, 5 * HOUR);
  assertEquals(lifetimes(driver).length, 7);
  assertEquals(driver.told.length, 1, "nothing is told of what stays as it is");
  driver.run(mapping.release());
  assertEquals(lifetimes(driver).at(-1), 0);
  const maps = driver.asked.filter((each) => each.startsWith("0201"));
  assertEquals(new Set(maps.map((each) => each.slice(48, 72))).size, 1, "one nonce for all");
  driver.run(mapping.release());
  assertEquals(lifetimes(driver).filter((each) => each === 0).length, 1, "given back once");
});

test("port mapping: an epoch that goes back, and nothing else, has it asked for anew at once", () => {
  for (const [startedAt, expected] of [[0, 1], [1400, 2]] as const) {
    const { driver, mapping } = scene({ datagram: pcpGateway({}) });
    const run = driver.run(mapping.keep(), 500);
    assertEquals(lifetimes(driver).length, 1);
    // Restarted 100 s ago, at another address.
    const external = "00000000000000000000ffffcb007316";
    driver.gateway = { datagram: pcpGateway(startedAt === 0 ? {} : { startedAt, external }) };
    driver.resume(run, 40);
    assertEquals(lifetimes(driver).length, expected);
    if (startedAt > 0) {
      assertEquals(driver.told.at(-1), `mapped 203.0.115.22 ${PORT} by pcp for 7200`);
    }
  }
});

test("port mapping: NAT-PMP where PCP isn't spoken, at once", () => {
  const { driver, mapping } = scene({ datagram: natPmpGateway({}) });
  const run = driver.run(mapping.keep(), 0.2);
  assertEquals(driver.told, [`mapped ${PUBLIC} ${PORT} by nat-pmp for 7200`]);
  // Another public address: what is mapped there is told anew.
  driver.gateway = { datagram: natPmpGateway({ address: "cb007316" }) };
  driver.resume(run, 40);
  assertEquals(driver.told.slice(1), [`mapped 203.0.115.22 ${PORT} by nat-pmp for 7200`]);
  driver.run(mapping.release());
  assertEquals(driver.asked.at(-1), `00010000${digits(PORT, 2)}000000000000`);
});

test("port mapping: NAT-PMP whose epoch goes back is asked anew", () => {
  const { driver, mapping } = scene({ datagram: natPmpGateway({}) });
  const run = driver.run(mapping.keep(), 500);
  const maps = () => driver.asked.filter((each) => each.startsWith("0001")).length;
  assertEquals(maps(), 1);
  driver.gateway = { datagram: natPmpGateway({ startedAt: 1450 }) };
  driver.resume(run, 40);
  assertEquals(maps(), 2);
});

test("port mapping: who doesn't answer is asked 3 times by each, and again later and later", () => {
  const { driver, mapping } = scene({});
  const started = driver.mono;
  let run = driver.run(mapping.keep(), 10);
  const why = "pcp: no answer; nat-pmp: no answer; upnp: no gateway answers";
  assertEquals(driver.told, [`not mapped, silent: ${why}`]);
  assertEquals(driver.asked.filter((each) => each.startsWith("02")).length, 3);
  assertEquals(driver.asked.filter((each) => each === "0000").length, 3);
  run = driver.resume(run, started + 60 - driver.mono);
  assertEquals(driver.told.length, 1);
  run = driver.resume(run, 20);
  assertEquals(driver.told.length, 2);
  run = driver.resume(run, 24 * HOUR);
  assert(driver.told.length < 35, `${driver.told.length} attempts a day`);
  assert(driver.told.length > 25, `${driver.told.length} attempts a day`);
  // It comes up: found at the next attempt.
  driver.gateway = { datagram: pcpGateway({}) };
  driver.resume(run, HOUR + 60);
  assertMatch(driver.told.at(-1) ?? "", /^mapped /);
});

test("port mapping: somebody who wants it looked at gets an attempt at once", () => {
  const { driver, mapping } = scene({});
  const run = driver.run(mapping.keep(), 10);
  driver.gateway = { datagram: pcpGateway({}) };
  const woken = driver.wake(run);
  assertMatch(driver.told.at(-1) ?? "", /^mapped /);
  assertEquals(lifetimes(driver).length, 4);
  const again = driver.wake(woken);
  assertEquals(lifetimes(driver).length, 5, "and one that is held is renewed");
  driver.gateway = { datagram: natPmpGateway({}) };
  driver.wake(again);
  const lines = ["lost", `mapped ${PUBLIC} ${PORT} by nat-pmp for 7200`];
  assertEquals(driver.told.slice(-2), lines, "by what the gateway speaks now");
});

test("port mapping: a refusal by one protocol leaves the others", () => {
  const pcp = pcpGateway({ result: 2 });
  const natPmp = natPmpGateway({});
  const { driver, mapping } = scene({
    datagram: (each, mono) => pcp(each, mono) ?? natPmp(each, mono),
  });
  driver.run(mapping.keep(), 10);
  assertEquals(driver.told, [`mapped ${PUBLIC} ${PORT} by nat-pmp for 7200`]);
  const none = scene({
    datagram: (each, mono) => pcp(each, mono) ?? natPmpGateway({ result: 3 })(each, mono),
  });
  none.driver.run(none.mapping.keep(), 10);
  const why = "pcp: not allowed; nat-pmp: it has no network; upnp: no gateway answers";
  assertEquals(none.driver.told, [`not mapped: ${why}`]);
});

test("port mapping: a private address of the gateway is two NATs, and nothing stays mapped", () => {
  for (const external of ["0a000001", "64400001", "c0a80001", "00000000"]) {
    const pcp = pcpGateway({ external: `00000000000000000000ffff${external}` });
    const { driver, mapping } = scene({ datagram: pcp });
    driver.run(mapping.keep(), 10);
    assertMatch(driver.told.join(), /^double NAT [\d.]+ by pcp$/);
    assertEquals(lifetimes(driver), [7200, 0], "given back");
    const second = scene({ datagram: natPmpGateway({ address: external }) });
    second.driver.run(second.mapping.keep(), 10);
    assertMatch(second.driver.told.join(), /^double NAT [\d.]+ by nat-pmp$/);
    assertEquals(second.driver.asked.filter((each) => each.startsWith("0001")), []);
  }
});

test("port mapping: PCP that tells a public address is believed where NAT-PMP tells a private one", () => {
  const pcp = pcpGateway({});
  const natPmp = natPmpGateway({ address: "0a000001" });
  const { driver, mapping } = scene({
    datagram: (each, mono) => pcp(each, mono) ?? natPmp(each, mono),
  });
  driver.run(mapping.keep(), 10);
  assertEquals(driver.told, [`mapped ${PUBLIC} ${PORT} by pcp for 7200`]);
});

test("port mapping: one that is not renewed is tried until its end, and lost then", () => {
  const { driver, mapping } = scene({ datagram: pcpGateway({ lifetime: 600 }) });
  let run = driver.run(mapping.keep(), 10);
  driver.gateway = {};
  run = driver.resume(run, 500);
  assertEquals(driver.told.length, 1, "it has its time still");
  driver.resume(run, 120);
  assertEquals(driver.told[1], "lost");
  assertMatch(driver.told[2] ?? "", /^not mapped, silent/);
});

test("port mapping: a restarted gateway that maps nothing any more has lost it", () => {
  const { driver, mapping } = scene({ datagram: pcpGateway({}) });
  const run = driver.run(mapping.keep(), 100);
  driver.gateway = { datagram: pcpGateway({ startedAt: 1090, result: 8 }) };
  driver.resume(run, 60);
  assertEquals(driver.told[1], "lost");
  assertMatch(driver.told[2] ?? "", /^not mapped: pcp: out of resources/);
});

test("port mapping: the public port may be another one, and is asked for again", () => {
  const { driver, mapping } = scene({ datagram: pcpGateway({ externalPort: 6000 }) });
  const run = driver.run(mapping.keep(), 10);
  assertEquals(driver.told, [`mapped ${PUBLIC} 6000 by pcp for 7200`]);
  driver.resume(run, HOUR);
  assertEquals(driver.asked.at(-1)?.slice(84, 88), digits(6000, 2));
  assertEquals(driver.told.length, 1);
});

test("port mapping: a low port is not asked for at the gateway", () => {
  const { driver, mapping } = scene({ datagram: pcpGateway({ externalPort: 6000 }) }, {
    port: 443,
  });
  driver.run(mapping.keep(), 10);
  assertEquals(driver.asked[0]?.slice(80, 88), `${digits(443, 2)}0000`);
});

test("port mapping: over IPv6 PCP alone is asked, from the own address", () => {
  const at: Gateway = {
    family: 6,
    address: "fe80::1%eth0",
    from: "2001:db8:1::2",
    near: ["2001:db8:1::/64"],
  };
  const external = "20010db8000100000000000000000002";
  const { driver, mapping } = scene({ datagram: pcpGateway({ external }) }, { at });
  driver.run(mapping.keep(), 10);
  assertEquals(driver.told, [`mapped 2001:db8:1::2 ${PORT} by pcp for 7200`]);
  assertEquals(driver.asked[0]?.slice(16, 48), external);
  assertEquals(driver.asked[0]?.slice(88), "0".repeat(32));
  const silent = scene({}, { at });
  silent.driver.run(silent.mapping.keep(), 10);
  assertEquals(silent.driver.told, ["not mapped, silent: pcp: no answer"]);
});

test("port mapping: answers that come from elsewhere, or with another nonce, are passed over", () => {
  const pcp = pcpGateway({});
  const forged = (each: string, mono: number) => {
    const answer = pcp(each, mono) ?? "";
    return answer.startsWith("0281") ? answer.slice(0, 48) + "ff" + answer.slice(50) : undefined;
  };
  const { driver, mapping } = scene({ datagram: forged });
  driver.run(mapping.keep(), 10);
  assertMatch(driver.told.join(), /^not mapped, silent/);
});

test("port mapping: whatever a gateway answers, attempts are few, and nothing throws", () => {
  const head = fc.constantFrom("0080", "0081", "0280", "0281", "0281000000001c20", "");
  const tail = fc.uint8Array({ maxLength: 70 });
  const answer = fc.tuple(head, tail).map(([head, tail]) =>
    head + [...tail].map((each) => digits(each, 1)).join("")
  );
  fc.assert(
    fc.property(fc.infiniteStream(answer), (answers) => {
      const { driver, mapping } = scene({ datagram: () => answers.next().value });
      driver.run(mapping.keep(), 2 * HOUR);
      assert(
        driver.asked.length < 2 * 240 * 9 + 100,
        `${driver.asked.length} questions in 2 hours`,
      );
      driver.run(mapping.release());
    }),
    { numRuns: 50 },
  );
});
