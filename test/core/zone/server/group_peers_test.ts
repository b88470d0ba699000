/** A registry's group as a zone: the endpoints of peers of wgsig 2 are IPv6 ones as well. */

import { assertEquals } from "@std/assert";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { GroupPeers } from "../../../../lib/core/zone/server/group_peers.ts";
import { KnownAllowedIps } from "../../../../lib/core/zone/server/peers.ts";
import { Zone } from "../../../../lib/core/zone/server/zone.ts";
import { DnsDriver } from "../../../support/dns.ts";
import { idOf } from "../../../support/fake_random.ts";
import type { QuestionClient } from "../../../support/question_driver.ts";
import { QuestionScene } from "../../../support/question_scene.ts";
import { instanceOf, labelOf } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const SERVICE = "_wireguard._udp.example.com";
const FOUR = "198.51.100.1 51820";
const SIX = "2001:db8:1:2::9 51820";

/** A registry and a zone that publishes its group. */
class GroupZone extends QuestionScene {
  readonly dns: DnsDriver;

  constructor(allowed: ReadonlyMap<string, readonly string[]> = new Map()) {
    super({ maxAge: 3600 });
    const known = new KnownAllowedIps(allowed, 1);
    const peers = [new GroupPeers(this.driver.group(), known)];
    this.dns = new DnsDriver([new Zone({ name: "example.com", peers })]);
  }

  /** The port in the SRV of an instance, and its addresses; what Additional has but the TXT. */
  places(name: string): string[] {
    this.#setClocks();
    const data = (lines: readonly string[]) => lines.map((line) => line.slice(name.length + 3));
    const { answers, additionals } = this.dns.ask(name, "SRV");
    const beside = data(additionals).filter((each) => !each.startsWith("TXT "));
    for (const type of ["A", "AAAA"] as const) {
      const asked = data(this.dns.ask(name, type).answers);
      assertEquals(asked, beside.filter((each) => each.startsWith(`${type} `)), name);
    }
    return [...answers.map((line) => line.split(" ")[5]!), ...beside];
  }

  /** The same of a client. */
  placesOf({ key }: QuestionClient): string[] {
    return this.places(`${labelOf(key)}.${SERVICE}`);
  }

  /** What the TXT of an instance says of when it was seen. */
  seenOf({ key }: QuestionClient): string | undefined {
    this.#setClocks();
    const [text] = this.dns.ask(`${labelOf(key)}.${SERVICE}`, "TXT").answers;
    return /seen=(\d+)/.exec(text!)?.[1];
  }

  /** The keys in the list, newest first. */
  listed(): string[] {
    this.driver.pass(10);
    this.#setClocks();
    return this.dns.ask(SERVICE, "PTR", { transport: "tcp" }).answers.map((line) =>
      line.split(" ").at(-1)!.split(".")[0]!
    );
  }

  #setClocks(): void {
    const { unix, mono } = this.driver;
    Object.assign(this.dns, { time: mono, ahead: unix - mono, step: 0 });
  }
}

test("a peer that was seen over IPv6 alone is there with AAAA, and its AllowedIPs", () => {
  const six = new QuestionScene().client(1);
  const zone = new GroupZone(new Map([[six.key, ["10.0.0.1/32"]]]));
  zone.ask(six, SIX);
  const seen = Math.floor(zone.driver.unix);
  assertEquals(zone.placesOf(six), ["51820", "AAAA 2001:db8:1:2::9"]);
  const name = `${labelOf(six.key)}.${SERVICE}`;
  assertEquals(zone.dns.ask(name, "TXT").answers, [
    `${name} 0 TXT "txtvers=1" "pub=${six.key}" "allowed=10.0.0.1/32" ` +
    `"seen=${seen}"`,
  ]);
  assertEquals(zone.listed(), [labelOf(six.key)]);
});

test("a peer that was seen over both families has both addresses where it has one port", () => {
  const zone = new GroupZone();
  const [same, other] = [zone.client(1), zone.client(2)];
  zone.ask(same, FOUR);
  zone.ask(same, SIX);
  zone.ask(other, FOUR);
  zone.ask(other, SIX.replace("51820", "51821"));
  const v4 = "A 198.51.100.1";
  assertEquals(zone.placesOf(same), ["51820", v4, "AAAA 2001:db8:1:2::9"]);
  // An SRV has one port: that of IPv4.
  assertEquals(zone.placesOf(other), ["51820", v4]);
  zone.ask(other, SIX);
  assertEquals(zone.placesOf(other), ["51820", v4, "AAAA 2001:db8:1:2::9"]);
});

test("an endpoint that was left for one of the other family is not published any more", () => {
  const zone = new GroupZone();
  const client = zone.client(1);
  const both = ["51820", "A 198.51.100.1", "AAAA 2001:db8:1:2::9"];
  zone.ask(client, FOUR);
  zone.ask(client, SIX);
  assertEquals(zone.placesOf(client), both);
  const stays = (from: string, seconds: number) => {
    for (let passed = 0; passed < seconds; passed += 20) {
      zone.driver.pass(20);
      zone.ask(client, from);
    }
  };
  stays(SIX, 180);
  assertEquals(zone.placesOf(client), both);
  stays(SIX, 20);
  assertEquals(zone.placesOf(client), ["51820", "AAAA 2001:db8:1:2::9"]);
  assertEquals(zone.seenOf(client), String(Math.floor(zone.driver.unix)));
  stays(FOUR, 20);
  assertEquals(zone.placesOf(client), both);
  stays(FOUR, 180);
  assertEquals(zone.placesOf(client), ["51820", "A 198.51.100.1"]);
  assertEquals(zone.seenOf(client), String(Math.floor(zone.driver.unix)));
  // Whoever is silent stays where it was.
  zone.driver.pass(3000);
  zone.driver.registry.expire(zone.driver);
  assertEquals(zone.placesOf(client), ["51820", "A 198.51.100.1"]);
  zone.driver.pass(700);
  zone.driver.registry.expire(zone.driver);
  assertEquals(zone.placesOf(client), []);
  assertEquals(zone.listed(), []);
});

test("peers of both protocols are listed, those that were heard last first", () => {
  const zone = new GroupZone();
  const labels: string[] = [];
  for (let number = 1; number <= 9; number++) {
    zone.driver.pass(1);
    const client = zone.client(number, { unproved: number % 2 === 0 });
    if (number % 3 === 0) zone.ask1(idOf(number), FOUR);
    else zone.ask(client, number % 3 === 1 ? SIX : FOUR);
    labels.unshift(labelOf(number % 3 === 0 ? formatKey(idOf(number)) : client.key));
  }
  assertEquals(zone.listed(), labels);
  assertEquals(zone.places(instanceOf(3)), ["51820", "A 198.51.100.1"]);
  const count = zone.dns.ask(SERVICE, "TXT").answers[0];
  assertEquals(count, `${SERVICE} 0 TXT "txtvers=1" "peers=9"`);
});

test("a zone of a group that speaks the first protocol alone is as it was", () => {
  const zone = new GroupZone();
  zone.ask1(idOf(1), FOUR);
  zone.ask1(idOf(2), "203.0.113.9 7");
  assertEquals(zone.driver.group().members.directory, undefined);
  assertEquals(zone.places(instanceOf(1)), ["51820", "A 198.51.100.1"]);
  assertEquals(zone.places(instanceOf(2)), ["7", "A 203.0.113.9"]);
  assertEquals(zone.listed(), [2, 1].map((each) => labelOf(formatKey(idOf(each)))));
  assertEquals(zone.places(instanceOf(3)), []);
});
