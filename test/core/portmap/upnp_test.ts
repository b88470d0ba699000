import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { GatewayMapping } from "../../../lib/core/portmap/gateway_mapping.ts";
import type { HostPort } from "../../../lib/core/net/host_port.ts";
import { type FakeGateway, PortMapDriver } from "../../support/portmap_driver.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import vectors from "../../vectors/portmap.json" with { type: "json" };
import { test } from "../../testing.ts";

const GATEWAY = {
  family: 4,
  address: "192.168.1.1",
  from: "192.168.1.2",
  near: ["192.168.1.0/24"],
} as const;
const PORT = 51820;
const IGD = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";

/** A UPnP gateway with its faults. */
interface Igd {
  /** Which searches it answers. */
  readonly hears?: (target: string, isMulticast: boolean) => boolean;
  /** Where its answers come from. */
  readonly answersFrom?: HostPort;
  /** Where it describes itself. */
  readonly host?: string;
  readonly external?: string;
  /** The error of a mapping; undefined where it is made. */
  readonly error?: (text: string) => number | undefined;
  /** Its description in place of the usual one. */
  readonly description?: string;
}

function answer(status: number, body: string): string {
  const length = new TextEncoder().encode(body).length;
  return `HTTP/1.1 ${status} X\r\nContent-Length: ${length}\r\n\r\n${body}`;
}

function fault(code: number): string {
  return answer(500, `<s:Fault><errorCode>${code}</errorCode></s:Fault>`);
}

function service(type: string, path: string): string {
  return `<service><serviceType>urn:schemas-upnp-org:service:${type}</serviceType>` +
    `<controlURL>${path}</controlURL></service>`;
}

/** Has mappings as a router has them. */
class FakeIgd {
  readonly entries = new Map<string, string>();
  igd: Igd;

  constructor(igd: Igd) {
    this.igd = igd;
  }

  get gateway(): FakeGateway {
    return {
      search: (text, to) => {
        const { hears = () => true, host = GATEWAY.address, answersFrom } = this.igd;
        const target = /\nST: (\S+)/.exec(text)?.[1] ?? "";
        if (!hears(target, to.host.startsWith("239."))) return [];
        const found =
          `HTTP/1.1 200 OK\r\nST: ${IGD}\r\nLOCATION: http://${host}:5000/root.xml\r\n\r\n`;
        return [{ text: found, from: answersFrom ?? { host, port: 1900 } }];
      },
      http: (text, to) => {
        const { host = GATEWAY.address, description = service("WANIPConnection:1", "/ctl") } =
          this.igd;
        if (to.host !== host) return undefined;
        return text.startsWith("GET ") ? answer(200, description) : this.#soap(text);
      },
    };
  }

  #soap(text: string): string {
    const port = /<NewExternalPort>(\d+)/.exec(text)?.[1] ?? "";
    const client = /<NewInternalClient>([\d.]+)/.exec(text)?.[1] ?? "";
    switch (/#(\w+)"/.exec(text)?.[1]) {
      case "GetExternalIPAddress": {
        const { external = "203.0.115.21" } = this.igd;
        return answer(200, `<NewExternalIPAddress>${external}</NewExternalIPAddress>`);
      }
      case "AddPortMapping": {
        const code = this.igd.error?.(text);
        if (code !== undefined) return fault(code);
        this.entries.set(port, client);
        return answer(200, "<u:AddPortMappingResponse/>");
      }
      case "GetSpecificPortMappingEntry": {
        const entry = this.entries.get(port);
        if (entry === undefined) return fault(714);
        const inside = `<NewInternalPort>${PORT}</NewInternalPort>`;
        return answer(200, `${inside}<NewInternalClient>${entry}</NewInternalClient>`);
      }
      case "DeletePortMapping":
        this.entries.delete(port);
        return answer(200, "<u:DeletePortMappingResponse/>");
      default:
        return fault(401);
    }
  }
}

function scene(igd: Igd = {}, port = PORT) {
  const fake = new FakeIgd(igd);
  const driver = new PortMapDriver(fake.gateway);
  const mapping = new GatewayMapping(GATEWAY, port, seededRandom(7), driver.mono);
  const adds = () => driver.conversations.filter((each) => each.includes("#AddPortMapping"));
  return { fake, driver, mapping, adds };
}

const MAPPED = `mapped 203.0.115.21 ${PORT} by upnp for 7200`;

test("UPnP: found, mapped in upper case, and given back", () => {
  const { fake, driver, mapping, adds } = scene();
  driver.run(mapping.keep(), 20);
  assertEquals(driver.told, [MAPPED]);
  assertEquals([...fake.entries], [["51820", "192.168.1.2"]]);
  assertMatch(adds()[0] ?? "", /<NewProtocol>UDP<\/NewProtocol>/);
  driver.run(mapping.release());
  assertEquals([...fake.entries], []);
});

test("UPnP: what miniupnpd answers is enough", () => {
  const driver = new PortMapDriver({
    search: () => [{ text: vectors.ssdp.answer }],
    http: (text) =>
      text.startsWith("GET ")
        ? vectors.description.answer
        : text.includes("#GetExternal")
        ? vectors["soap-external"].answer
        : vectors["soap-add"].answer,
  });
  driver.run(new GatewayMapping(GATEWAY, PORT, seededRandom(1), driver.mono).keep(), 20);
  assertEquals(driver.told, [MAPPED]);
});

test("UPnP: routers that hear only one kind of search are found", () => {
  const kinds: readonly NonNullable<Igd["hears"]>[] = [
    (_, isMulticast) => isMulticast,
    (_, isMulticast) => !isMulticast,
    (target) => target === IGD,
    (target) => target === "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    (target) => target === "ssdp:all",
  ];
  for (const hears of kinds) {
    const { driver, mapping } = scene({ hears });
    driver.run(mapping.keep(), 20);
    assertEquals(driver.told, [MAPPED], String(hears));
  }
});

test("UPnP: `ssdp:all` is for the gateway alone: everything else in the network would answer", () => {
  const { driver, mapping } = scene({ hears: () => false });
  driver.run(mapping.keep(), 20);
  assertEquals(driver.asked.filter((each) => /ssdp:all at 239/.test(each)), []);
});

test("UPnP: an answer from another port, and a description at another host of the link, will do", () => {
  const answersFrom = { host: "192.168.1.1", port: 49152 };
  const other = scene({ answersFrom, host: "192.168.1.254" });
  other.driver.run(other.mapping.keep(), 20);
  assertEquals(other.driver.told, [MAPPED]);
});

test("UPnP: nobody outside of the link is asked for a description, nor told to map", () => {
  for (const host of ["203.0.113.9", "192.168.2.9", "127.0.0.1", "router.example"]) {
    const { driver, mapping } = scene({ host });
    driver.run(mapping.keep(), 20);
    assertMatch(driver.told.join(), /^not mapped, silent/);
    assertEquals(driver.conversations, [], host);
    const description = service("WANIPConnection:1", `http://${host}/ctl`);
    const second = scene({ description });
    second.driver.run(second.mapping.keep(), 20);
    assertEquals(second.driver.conversations.filter((each) => each.startsWith("POST")), [], host);
  }
});

test("UPnP: only leases that last are taken, and looked after", () => {
  for (const code of [725, 402, 501]) {
    const isTimed = (text: string) => !text.includes("<NewLeaseDuration>0<");
    const error = (text: string) => isTimed(text) ? code : undefined;
    const { fake, driver, mapping, adds } = scene({ error });
    let run = driver.run(mapping.keep(), 20);
    assertEquals(driver.told, [`mapped 203.0.115.21 ${PORT} by upnp for Infinity`]);
    assertEquals(adds().length, 2);
    run = driver.resume(run, 3600);
    assertEquals(adds().length, 2, "it stays");
    fake.entries.clear();
    driver.resume(run, 301);
    assertEquals(adds().length, 3, "and comes back");
    assertEquals(driver.told.length, 1);
  }
});

test("UPnP: a public port that is another's is left for others, from 1024 on", () => {
  for (const code of [718, 729]) {
    const { driver, mapping, adds } = scene({
      error: (text) => /<NewExternalPort>51820</.test(text) ? code : undefined,
    });
    driver.run(mapping.keep(), 20);
    const port = /mapped \S+ (\d+) by upnp/.exec(driver.told.join())?.[1];
    assert(port !== undefined && Number(port) >= 1024 && port !== "51820", port);
    assertEquals(adds().length, 2);
    const never = scene({ error: () => code });
    never.driver.run(never.mapping.keep(), 30);
    assertMatch(never.driver.told.join(), /the public port is another host's \(error 7\d\d\)/);
    assert(never.adds().length <= 6);
  }
  const low = scene({}, 53);
  low.driver.run(low.mapping.keep(), 20);
  assert(Number(/<NewExternalPort>(\d+)/.exec(low.adds()[0] ?? "")?.[1]) >= 1024);
});

test("UPnP: a router that wants both ports to be the same gets that", () => {
  const { driver, mapping } = scene({
    error: (text) => text.includes("<NewExternalPort>443<") ? undefined : 724,
  }, 443);
  driver.run(mapping.keep(), 20);
  assertEquals(driver.told, ["mapped 203.0.115.21 443 by upnp for 7200"]);
});

test("UPnP: a refusal is told in words", () => {
  const { driver, mapping } = scene({ error: () => 606 });
  driver.run(mapping.keep(), 20);
  assertMatch(driver.told.join(), /^not mapped: .*upnp: not allowed \(error 606\)$/);
});

test("UPnP: an address that is private, or none, is two NATs, and nothing is mapped", () => {
  for (
    const [external, told] of [["10.0.0.1", "10.0.0.1"], ["0.0.0.0", "0.0.0.0"], ["", "0.0.0.0"]]
  ) {
    const { driver, mapping, adds } = scene({ external: external! });
    driver.run(mapping.keep(), 20);
    assertEquals(driver.told, [`double NAT ${told} by upnp`]);
    assertEquals(adds(), []);
  }
});

test("UPnP: of several services the one that is connected is taken", () => {
  const description = service("WANPPPConnection:1", "/ppp") + service("WANIPConnection:1", "/ip");
  const { driver, mapping, fake } = scene({ description });
  const { http } = fake.gateway;
  driver.gateway = {
    ...fake.gateway,
    http: (text, to) =>
      text.startsWith("POST /ppp")
        ? answer(200, "<NewExternalIPAddress>0.0.0.0</NewExternalIPAddress>")
        : http?.(text, to),
  };
  driver.run(mapping.keep(), 20);
  assertEquals(driver.told, [MAPPED]);
  assert(driver.asked.includes("POST /ppp GetExternalIPAddress"));
});

test("UPnP: a router that has forgotten it, gives it to another, or has moved, is told anew", () => {
  const { fake, driver, mapping, adds } = scene();
  let run = driver.run(mapping.keep(), 20);
  run = driver.resume(run, 1000);
  assertEquals(adds().length, 1);
  fake.entries.clear();
  run = driver.resume(run, 301);
  assertEquals(adds().length, 2);
  fake.entries.set("51820", "192.168.1.77");
  run = driver.resume(run, 301);
  assertEquals(adds().length, 3);
  fake.igd = { external: "203.0.115.22" };
  run = driver.resume(run, 301);
  assertEquals(driver.told.slice(1), [`mapped 203.0.115.22 ${PORT} by upnp for 7200`]);
  // Restarted on another host of the link: searched anew.
  fake.igd = { host: "192.168.1.254", external: "203.0.115.22" };
  fake.entries.clear();
  driver.resume(run, 301);
  assertEquals([...fake.entries], [["51820", "192.168.1.2"]]);
  assertEquals(driver.told.length, 2);
});

test("UPnP: a router that is gone has lost it", () => {
  const { driver, mapping } = scene();
  const run = driver.run(mapping.keep(), 20);
  driver.gateway = {};
  driver.resume(run, 320);
  assertEquals(driver.told[1], "lost");
});

test("UPnP: whatever a router answers, nothing throws, and it is left alone soon", () => {
  const body = fc.constantFrom(
    "<errorCode>718</errorCode>",
    "<errorCode>725</errorCode>",
    "<errorCode>402</errorCode>",
    "<NewExternalIPAddress>203.0.115.21</NewExternalIPAddress>",
    "<NewExternalIPAddress>x</NewExternalIPAddress>",
    service("WANIPConnection:1", "/a"),
    service("WANIPConnection:1", "/a").repeat(9),
    "",
    "<",
  );
  const reply = fc.oneof(
    fc.tuple(fc.constantFrom(200, 500, 404), body).map(([status, text]) => answer(status, text)),
    fc.string(),
    fc.constant(undefined),
  );
  fc.assert(
    fc.property(fc.infiniteStream(reply), fc.infiniteStream(fc.string()), (replies, more) => {
      const { fake, driver, mapping } = scene();
      driver.gateway = {
        search: (text, to) => [
          { text: more.next().value },
          ...fake.gateway.search?.(text, to) ?? [],
        ],
        http: () => replies.next().value,
      };
      driver.run(mapping.keep(), 3600);
      assert(driver.conversations.length < 1500, `${driver.conversations.length} in an hour`);
      driver.run(mapping.release());
    }),
    { numRuns: 50 },
  );
});
