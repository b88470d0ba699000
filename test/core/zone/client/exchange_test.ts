import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { readInstanceText } from "../../../../lib/core/zone/client/instance_text.ts";
import {
  ZoneExchange,
  type ZoneExchangeOptions,
  type ZonePeer,
  type ZoneStatus,
} from "../../../../lib/core/zone/client/exchange.ts";
import { parseZone, readInstance } from "../../../../lib/core/zone/name.ts";
import {
  dnsResponse,
  FLAGS,
  instanceOf,
  keyOf,
  readQuestion,
  type TestRecord,
  type TestResponse,
} from "../../../support/dns_messages.ts";
import { hex, unhex } from "../../../support/bytes.ts";
import { countingRandom } from "../../../support/fake_random.ts";
import {
  askAll,
  type DoubleOptions,
  type DoublePeer,
  doublePeer,
  ZONE,
  ZoneDouble,
} from "../../../support/zone_double.ts";
import { test } from "../../../testing.ts";
import recorded from "../../../vectors/wgsd-dns.json" with { type: "json" };

const SERVICE = `_wireguard._udp.${ZONE}`;

/** Draws 0, 1, 2, … */
function numbers(): (bytes: Uint8Array) => void {
  let next = 0;
  return (bytes) => {
    bytes[0] = next >> 8;
    bytes[1] = next++ & 255;
  };
}

function exchange(options: Partial<ZoneExchangeOptions> = {}): ZoneExchange {
  return new ZoneExchange({ zone: ZONE, wantsTxt: true, random: numbers(), ...options });
}

interface Result {
  readonly status: ZoneStatus;
  readonly peers: ZonePeer[];
  readonly skipped: number;
}

function resultOf(exchange: ZoneExchange): Result {
  const { status, skipped } = exchange;
  return { status, peers: exchange.peers(), skipped };
}

/** Asks a zone to the end. */
function ask(
  zone: DoubleOptions,
  options: Partial<ZoneExchangeOptions> = {},
): Result & { readonly asked: string[] } {
  const double = new ZoneDouble(zone);
  const asking = exchange(options);
  askAll(asking, double);
  assert(asking.isComplete);
  return { ...resultOf(asking), asked: double.asked };
}

/** Peers whose keys begin alike, or (with `apart` 2^20) differ from the first digits on. */
function peersOf(count: number, apart = 1): DoublePeer[] {
  return Array.from({ length: count }, (_, i) => doublePeer((i + 1) * apart));
}

function published(peer: DoublePeer): ZonePeer {
  return { publicKey: peer.publicKey, address: peer.addresses[0]!, port: peer.port };
}

/** An answer to the only question that is due. */
function reply(exchange: ZoneExchange, response: TestResponse, now = 0): string {
  const [due, ...others] = exchange.due(now);
  assert(due !== undefined && others.length === 0);
  const { id, name, type } = readQuestion(due.bytes);
  const questions = [{ name, type, class: "IN" }];
  return exchange.receive(dnsResponse({ id, questions, ...response }), due.transport);
}

function names(exchange: ZoneExchange, now = 0): string[] {
  return exchange.due(now).map(({ bytes, transport }) => {
    const { name, type } = readQuestion(bytes);
    return `${name} ${type}${transport === "tcp" ? " +tcp" : ""}`;
  });
}

const ONE = doublePeer(1);
const ONE_NAME = instanceOf(ONE.publicKey, ZONE);

function srv(more: Readonly<Record<string, unknown>> = {}): TestRecord {
  const data = { priority: 0, weight: 0, port: 7, target: ONE_NAME, ...more };
  return { type: "SRV", name: ONE_NAME, data };
}

function a(data: string, name = ONE_NAME): TestRecord {
  return { type: data.includes(":") ? "AAAA" : "A", name, data };
}

test("all peers: the list, then a question for each", () => {
  const peers = peersOf(3);
  const { asked, ...result } = ask({ peers });
  assertEquals(result, { status: "ok", peers: peers.map(published), skipped: 0 });
  assertEquals(asked, [
    `${SERVICE} PTR`,
    ...peers.map(({ publicKey }) => `${instanceOf(publicKey, ZONE)} SRV`),
  ]);
});

test("an empty list is one", () => {
  assertEquals(ask({ peers: [] }).status, "ok");
});

test("some keys: a question for each, those that are not there are left out", () => {
  const peers = peersOf(5);
  const keys = [keyOf(4), keyOf(9), keyOf(2), keyOf(4)];
  const { asked, ...result } = ask({ peers }, { keys });
  assertEquals(result, {
    status: "ok",
    peers: [published(peers[3]!), published(peers[1]!)],
    skipped: 0,
  });
  assertEquals(asked, [4, 9, 2].map((peer) => `${instanceOf(keyOf(peer), ZONE)} SRV`));
  assertEquals(ask({ peers }, { keys: [] }), { status: "ok", peers: [], skipped: 0, asked: [] });
});

test("what recursors leave out is asked for", () => {
  const peers = [
    doublePeer(1),
    doublePeer(2, { addresses: ["2001:db8::2"] }),
    doublePeer(3, { addresses: ["2001:db8::3", "192.0.2.3"] }),
  ];
  const ip = (peer: number) => instanceOf(keyOf(peer), ZONE);
  for (const wantsTxt of [false, true]) {
    const { asked, ...result } = ask({ peers, bare: true }, { wantsTxt });
    assertEquals(result, {
      status: "ok",
      peers: peers.map((peer) => ({
        ...published(peer),
        address: peer.addresses.at(-1)!,
      })),
      skipped: 0,
    });
    const wanted = [1, 2, 3].map((peer) => `${ip(peer)} A`).concat(`${ip(2)} AAAA`);
    const texts = wantsTxt ? [1, 2, 3].map((peer) => `${ip(peer)} TXT`) : [];
    assertEquals(asked.slice(4).sort(), [...wanted, ...texts].sort());
  }
});

test("IPv4 is taken before IPv6, and what can be no host's gives way to the other", () => {
  const cases: readonly (readonly [addresses: string[], taken: string | undefined])[] = [
    [["192.0.2.1", "2001:db8::1"], "192.0.2.1"],
    [["2001:db8::1", "192.0.2.1"], "192.0.2.1"],
    [["2001:db8::1"], "2001:db8::1"],
    [["0.0.0.0", "2001:db8::1"], "2001:db8::1"],
    [["::", "192.0.2.1"], "192.0.2.1"],
    [["0.0.0.0", "ff02::1"], undefined],
  ];
  for (const [addresses, taken] of cases) {
    const { peers, skipped } = ask({ peers: [doublePeer(1, { addresses })] });
    assertEquals([peers[0]?.address, skipped], [taken, taken === undefined ? 1 : 0]);
  }
});

test("AllowedIPs and the time come from TXT, over as many strings as it takes", () => {
  const txt = [
    "txtvers=1",
    `pub=${ONE.publicKey}`,
    "allowed=10.0.0.1/32,fd00::1/128",
    "allowed2=10.1.0.0/16",
    "Allowed3=10.2.0.0/16,10.3.0.0/16",
    "allowed5=10.5.0.0/16",
    "seen=1700000000",
  ];
  const expected = {
    ...published(ONE),
    allowedIps: ["10.0.0.1/32", "fd00::1/128", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"],
    seen: 1_700_000_000,
  };
  for (const bare of [false, true]) {
    assertEquals(ask({ peers: [doublePeer(1, { txt })], bare }).peers, [expected]);
  }
});

test("a TXT record says what it says, and no more", () => {
  const of = (...strings: string[]) => readInstanceText(strings, ONE.publicKey);
  assertEquals(of(), {});
  assertEquals(of("allowed="), { allowedIps: [] });
  assertEquals(of("allowed2=10.0.0.0/8"), {});
  assertEquals(of("allowed", "=allowed", "allowed=10.0.0.0/8", "allowed=10.0.0.0/9"), {
    allowedIps: ["10.0.0.0/8"],
  });
  const wrong = ["10.0.0.0/33", "10.0.0.1/", "x", "10.0.0.1/8,", ",", "10.0.0.1/8, 10.0.0.2/8"];
  for (const each of [...wrong, "::/129", "fe80::1%wg0/64", "10.0.0.256/8"]) {
    assertEquals(of(`allowed=${each}`, "seen=5"), { seen: 5 }, each);
    assertEquals(of("allowed=10.0.0.1/32", `allowed2=${each}`), {}, each);
  }
  for (const each of ["", "-1", "1.5", "1e3", " 1", "9".repeat(13)]) {
    assertEquals(of(`seen=${each}`), {}, each);
  }
  assertEquals(of("txtvers=2", "allowed="), undefined);
  assertEquals(of(`pub=${keyOf(2)}`, "allowed="), undefined);
  assertEquals(of("txtvers=1", `pub=${ONE.publicKey}`), {});
});

test("a TXT record of another peer or version is none, and counts", () => {
  for (const txt of [[`pub=${keyOf(2)}`, "allowed=10.0.0.1/32"], ["txtvers=2", "seen=5"]]) {
    const { status, peers, skipped } = ask({ peers: [doublePeer(1, { txt })] });
    assertEquals({ status, peers, skipped }, { status: "ok", peers: [published(ONE)], skipped: 1 });
  }
  // Without one, the peer is known all the same.
  const { status, peers } = ask({ peers: [doublePeer(1, { txt: null })] });
  assertEquals({ status, peers }, { status: "ok", peers: [published(ONE)] });
});

test("what cannot be a peer is left out, and counted", () => {
  const peers = [
    doublePeer(1, { port: 0 }),
    doublePeer(2, { addresses: [] }),
    doublePeer(3, { addresses: ["::"] }),
    doublePeer(4, { addresses: ["0.0.0.0"] }),
    doublePeer(5, { addresses: ["224.0.0.1"] }),
    doublePeer(6, { addresses: ["ff02::1"] }),
    doublePeer(7, { target: "." }),
    doublePeer(8, { target: "nowhere.example", addresses: [] }),
    doublePeer(9),
  ];
  const { status, peers: found, skipped } = ask({ peers });
  assertEquals({ status, found, skipped }, {
    status: "ok",
    found: [published(peers[8]!)],
    skipped: 8,
  });
});

test("names in the list that are no peers' are left out, and counted", () => {
  const short = instanceOf(keyOf(1), ZONE).slice(8);
  const wrong = [
    short,
    ONE_NAME.replace("====", "===a"),
    ONE_NAME.replace("_udp", "_tcp"),
    `x.${ONE_NAME}`,
    `${"a".repeat(56)}.${SERVICE}`,
    ZONE,
  ];
  const asking = exchange();
  const answers = [...wrong, ONE_NAME.toUpperCase(), ONE_NAME].map((data) => ({
    type: "PTR",
    name: SERVICE,
    data,
  }));
  assertEquals(reply(asking, { answers }), "accepted");
  assertEquals(names(asking), [`${ONE_NAME} SRV`]);
  assertEquals(asking.skipped, wrong.length);
});

test("an address is shown in its usual form, IPv4 first", () => {
  const of = (...addresses: string[]) => ask({ peers: [doublePeer(1, { addresses })] }).peers[0];
  assertEquals(of("2001:0db8:0000:0000:0001::")?.address, "2001:db8:0:0:1::");
  assertEquals(of("::ffff:192.0.2.9")?.address, "192.0.2.9");
  assertEquals(of("2001:db8::1", "192.0.2.1")?.address, "192.0.2.1");
});

test("of several services, the lowest priority and then the highest weight is used", () => {
  const asking = exchange({ keys: [ONE.publicKey], wantsTxt: false });
  const answers = [
    srv({ priority: 2, weight: 9, port: 1 }),
    srv({ priority: 1, weight: 3, port: 2 }),
    srv({ priority: 1, weight: 5, port: 3 }),
    srv({ priority: 1, weight: 4, port: 4 }),
  ];
  reply(asking, { answers, additionals: [a("192.0.2.1")] });
  assertEquals(asking.peers().map(({ port }) => port), [3]);
});

test("only what belongs to the question is taken", () => {
  const asking = exchange({ keys: [ONE.publicKey] });
  const other = instanceOf(keyOf(2), ZONE);
  reply(asking, {
    answers: [{ ...srv({ port: 66 }), name: other }, srv()],
    authorities: [a("192.0.2.66")],
    additionals: [
      a("192.0.2.66", other),
      a("192.0.2.66", ZONE),
      { type: "TXT", name: other, data: ["seen=66"] },
      { type: "TXT", name: ZONE, data: ["seen=66"] },
    ],
  });
  assertEquals(asking.peers(), []);
  assertEquals(names(asking), [`${ONE_NAME} A`, `${ONE_NAME} TXT`]);
});

test("an address answer is taken of the name that was asked for only", () => {
  const asking = exchange({ keys: [ONE.publicKey], wantsTxt: false });
  reply(asking, { answers: [srv({ target: "host.example" })] });
  reply(asking, {
    answers: [a("192.0.2.66")],
    additionals: [a("192.0.2.66", "host.example")],
  });
  assertEquals(asking.peers(), []);
  reply(asking, { answers: [a("2001:db8::7", "Host.EXAMPLE")] });
  assertEquals(asking.peers()[0]?.address, "2001:db8::7");
});

test("the wrong kind of address, which the original gives, will do", () => {
  const asking = exchange({ keys: [ONE.publicKey], wantsTxt: false });
  reply(asking, { answers: [srv()] });
  reply(asking, { answers: [a("2001:db8::7")] });
  assertEquals(resultOf(asking), {
    status: "ok",
    peers: [{ publicKey: ONE.publicKey, address: "2001:db8::7", port: 7 }],
    skipped: 0,
  });
});

test("aliases are followed, within an answer and beyond it", () => {
  const alias = (name: string, data: string) => ({ type: "CNAME", name, data });
  const asking = exchange({ wantsTxt: false });
  const real = "_wireguard._udp.other.example";
  const instance = instanceOf(ONE.publicKey, "other.example");
  reply(asking, {
    answers: [
      { type: "PTR", name: real, data: instance },
      alias(SERVICE, "x.example"),
      alias("X.example", real),
    ],
  });
  assertEquals(names(asking), [`${instance} SRV`]);
  const byKey = exchange({ keys: [ONE.publicKey] });
  reply(byKey, { answers: [alias(ONE_NAME, "b.example")] });
  reply(byKey, {
    answers: [{ ...srv({ target: "host.example" }), name: "b.example" }],
    additionals: [{ type: "TXT", name: "b.example", data: ["seen=9"] }],
  });
  reply(byKey, { answers: [alias("host.example", "c.example"), a("192.0.2.3", "c.example")] });
  assertEquals(resultOf(byKey), {
    status: "ok",
    peers: [{ publicKey: ONE.publicKey, address: "192.0.2.3", port: 7, seen: 9 }],
    skipped: 0,
  });
});

test("aliases without end are not followed for ever", () => {
  const askedWith = (answersTo: (name: string, asked: number) => TestRecord[]) => {
    const asking = exchange({ keys: [ONE.publicKey] });
    for (let asked = 0;; asked++) {
      if (asking.isComplete) return [asked, asking.status];
      assert(asked < 20);
      const [due] = asking.due(0);
      const { id, name, type } = readQuestion(due!.bytes);
      const questions = [{ name, type, class: "IN" }];
      const answers = answersTo(name, asked);
      assertEquals(asking.receive(dnsResponse({ id, questions, answers }), "udp"), "accepted");
    }
  };
  const alias = (name: string, data: string) => ({ type: "CNAME", name, data });
  assertEquals(askedWith((name, asked) => [alias(name, `${asked}.example`)]), [9, "incomplete"]);
  const loop = [alias(ONE_NAME, "a.example"), alias("a.example", ONE_NAME)];
  assertEquals(askedWith(() => loop), [2, "incomplete"]);
  assertEquals(askedWith((name) => [alias(name, ".")]), [1, "incomplete"]);
});

test("a truncated answer is asked for again over TCP", () => {
  const peers = peersOf(40);
  const { asked, ...result } = ask({ peers, udpSize: 1232 });
  assertEquals(result, { status: "ok", peers: peers.map(published), skipped: 0 });
  assertEquals(asked.slice(0, 2), [`${SERVICE} PTR`, `${SERVICE} PTR +tcp`]);
  assertEquals(asked.length, 42);
});

test("a truncated answer with an endpoint is enough where no more is wanted", () => {
  const truncated = (wantsTxt: boolean, more: TestResponse) => {
    const asking = exchange({ keys: [ONE.publicKey], wantsTxt });
    const whole = { answers: [srv()], additionals: [a("192.0.2.1")], ...more };
    reply(asking, { ...whole, flags: FLAGS.aa | FLAGS.tc });
    return [asking.peers().length, asking.status, asking.needsTcp];
  };
  assertEquals(truncated(false, {}), [1, "ok", false]);
  assertEquals(truncated(true, {}), [1, "incomplete", true]);
  for (
    const [type, more] of Object.entries({
      "no address": { additionals: [] },
      "no service": { answers: [] },
      "another's service": { answers: [{ ...srv(), name: ZONE }] },
      "another's address": { additionals: [a("192.0.2.1", ZONE)] },
      "no host's address": { additionals: [a("0.0.0.0")] },
      "port 0": { answers: [srv({ port: 0 })] },
    })
  ) assertEquals(truncated(false, more), [0, "incomplete", true], type);
});

test("a long list is asked for in parts, however it shows that it is long", () => {
  // Of 68 keys that begin with `a`, 60 begin with `aba`.
  const alike = Array.from({ length: 60 }, (_, i) => doublePeer(0x0040_0000 + i));
  const peers = [...alike, ...Array.from({ length: 200 }, (_, i) => doublePeer(i * 2 ** 24))];
  for (const cut of ["count", "tc", "both"] as const) {
    const { status, peers: found, asked } = ask({ peers, maxNames: 65, cut, udpSize: 1232 });
    assertEquals([status, found.length], ["ok", 260], cut);
    assertEquals(asked.filter((each) => each.endsWith("SRV")).length, 260, cut);
    const digits = [..."abcdefghijklmnopqrstuvwxyz234567"];
    const lists = [
      `${SERVICE} PTR`,
      `${SERVICE} PTR +tcp`,
      ...digits.map((digit) => `_${digit}._sub.${SERVICE} PTR +tcp`),
      ...digits.map((digit) => `_a${digit}._sub.${SERVICE} PTR +tcp`),
    ];
    assertEquals(asked.filter((each) => each.includes("PTR")).sort(), lists.sort(), cut);
  }
});

test("a part that is too long is asked for in its parts, down to three digits", () => {
  const alike = Array.from({ length: 30 }, (_, i) => doublePeer(0x0040_0000 + i));
  const whole = ask({ peers: [...alike, doublePeer(0x7000_0000)], maxNames: 30 });
  assertEquals([whole.status, whole.peers.length], ["ok", 31]);
  const lists = (asked: string[]) => asked.filter((each) => each.includes("PTR")).length;
  assertEquals(lists(whole.asked), 1 + 32);
  // All begin with the same three digits: they can't be told apart by name.
  const cut = ask({ peers: alike, maxNames: 29 });
  assertEquals([cut.status, cut.peers.length], ["incomplete", 29]);
  assertEquals(lists(cut.asked), 1 + 3 * 32);
});

test("a list of 900 may have been cut by someone who doesn't say so", () => {
  const peers = peersOf(900, 2 ** 20);
  const lists = (options: Partial<DoubleOptions>) => {
    const { asked, status, peers: found } = ask({ peers, ...options });
    return [asked.filter((each) => each.includes("PTR")).length, status, found.length];
  };
  assertEquals(lists({ maxNames: 850, cut: "nothing" }).slice(1), ["ok", 900]);
  // The original has no parts, and all is well if nothing shows that it isn't.
  assertEquals(lists({ subtypes: false }), [33, "ok", 900]);
  assertEquals(lists({ peers: peers.slice(0, 800) }), [1, "ok", 800]);
});

test("a list that is surely cut, without parts, is incomplete", () => {
  for (const cut of ["count", "tc", "both"] as const) {
    const { status, peers } = ask({ peers: peersOf(20), maxNames: 10, subtypes: false, cut });
    assertEquals([status, peers.length], cut === "tc" ? ["ok", 10] : ["incomplete", 10], cut);
    const overTcp = ask({
      peers: peersOf(40),
      maxNames: 30,
      subtypes: false,
      cut,
      udpSize: 1232,
    });
    assertEquals([overTcp.status, overTcp.peers.length], ["incomplete", 30], cut);
  }
});

test("no more peers are kept than the limit", () => {
  const { status, peers } = ask({ peers: peersOf(10) }, { maxPeers: 4 });
  assertEquals([status, peers.length], ["incomplete", 4]);
  assertEquals(ask({ peers: peersOf(4) }, { maxPeers: 4 }).status, "ok");
});

test("no more questions are on their way than the limit", () => {
  for (const [maxOutstanding, expected] of [[undefined, 32], [5, 5]] as const) {
    const keys = peersOf(100).map(({ publicKey }) => publicKey);
    const asking = exchange({ keys, ...(maxOutstanding === undefined ? {} : { maxOutstanding }) });
    const zone = new ZoneDouble({ peers: peersOf(100), bare: true });
    const first = asking.due(0);
    assertEquals(first.length, expected);
    assertEquals(asking.due(0), []);
    // One answer makes room for one, and what that peer still needs goes first.
    asking.receive(zone.answer(first[0]!.bytes, "udp"), "udp");
    const next = names(asking);
    assertEquals(next, [`${instanceOf(keys[0]!, ZONE)} A`]);
    askAll(asking, zone, 1e6);
    assertEquals(asking.peers().length, 100);
  }
});

test("a question is asked again after 500 ms, 1, 2 and 4 s, and is given up in the end", () => {
  const asking = exchange();
  const sent: number[] = [];
  const payloads: number[] = [];
  const ids = new Set<number>();
  for (let now = 0; !asking.isComplete; now = asking.nextAt) {
    assert(sent.length < 20);
    for (const due of asking.due(now)) {
      assertEquals([due.transport, due.attempt], ["udp", sent.length]);
      sent.push(now);
      const { id, payload } = readQuestion(due.bytes);
      ids.add(id);
      payloads.push(payload);
      assertEquals(asking.due(now), []);
      assertEquals(asking.due(asking.nextAt - 0.001), []);
    }
  }
  assertEquals(sent, [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5]);
  assertEquals(ids.size, 1);
  assertEquals(payloads, [1232, 1232, 0, 0, 0, 0, 0, 0]);
  assertEquals(asking.status, "no-answer");
});

test("an answer to any attempt will do, a second one does nothing", () => {
  const zone = new ZoneDouble({ peers: [ONE] });
  const asking = exchange({ keys: [ONE.publicKey] });
  const [due] = asking.due(0);
  assertEquals(asking.due(0.5).length, 1);
  const answer = zone.answer(due!.bytes, "udp");
  assertEquals(asking.receive(answer, "udp"), "accepted");
  assertEquals(asking.receive(answer, "udp"), "drop-unknown-id");
  assertEquals(asking.nextAt, Infinity);
  assertEquals(resultOf(asking), { status: "ok", peers: [published(ONE)], skipped: 0 });
});

test("IDs are drawn, and no two questions have the same at once", () => {
  const keys = peersOf(60).map(({ publicKey }) => publicKey);
  const idsOf = (random: (bytes: Uint8Array) => void) =>
    exchange({ keys, random, maxOutstanding: 60 }).due(0).map(({ bytes }) =>
      readQuestion(bytes).id
    );
  assertEquals(idsOf(numbers()), Array.from({ length: 60 }, (_, i) => i));
  assertEquals(new Set(idsOf((bytes) => void bytes.fill(0xff))).size, 60);
  assertEquals(new Set(idsOf(countingRandom())).size, 60);
  const drawn = exchange({ random: (bytes) => bytes.set([0xab, 0xcd]) }).due(0)[0]!.bytes;
  assertEquals(hex(drawn.subarray(0, 2)), "abcd");
});

test("what is no answer to a question is dropped, and changes nothing", () => {
  const asking = exchange({ keys: [ONE.publicKey, keyOf(2)], wantsTxt: false });
  const [due, second] = asking.due(0);
  const { id, name, type } = readQuestion(due!.bytes);
  const question = { name, type, class: "IN" };
  const good = { id, questions: [question], answers: [srv()], additionals: [a("192.0.2.1")] };
  const send = (more: TestResponse, transport: "udp" | "tcp" = "udp") =>
    asking.receive(dnsResponse({ ...good, ...more }), transport);
  const others = [
    [],
    [question, question],
    [{ ...question, name: instanceOf(keyOf(3), ZONE) }],
    [{ ...question, type: "A" }],
    [{ ...question, class: "CH" }],
  ];
  for (const questions of others) assertEquals(send({ questions }), "drop-other-question");
  assertEquals(send({ id: readQuestion(second!.bytes).id }), "drop-other-question");
  assertEquals(send({ id: 0xfff0 }), "drop-unknown-id");
  assertEquals(send({}, "tcp"), "drop-unknown-id");
  assertEquals(asking.receive(due!.bytes, "udp"), "drop-no-response");
  assertEquals(asking.receive(new Uint8Array(5), "udp"), "drop-no-response");
  const whole = dnsResponse(good);
  assertEquals(asking.receive(whole.subarray(0, whole.length - 1), "udp"), "drop-malformed");
  assertEquals(resultOf(asking), { status: "no-answer", peers: [], skipped: 0 });
  assertEquals(send({ questions: [{ ...question, name: name.toUpperCase() }] }), "accepted");
  assertEquals(asking.peers().length, 1);
});

test("a question is not answered before it was sent", () => {
  const asking = exchange({ keys: [ONE.publicKey] });
  const questions = [{ name: ONE_NAME, type: "SRV", class: "IN" }];
  assertEquals(asking.receive(dnsResponse({ id: 0, questions }), "udp"), "drop-unknown-id");
});

test("a status tells refusal from absence, silence and part of an answer", () => {
  const status = (rcode: number, keys?: string[], more: TestResponse = {}) => {
    const asking = exchange({ keys });
    for (let i = 0; i < (keys ?? [0]).length; i++) {
      const [due] = asking.due(0).length > 0 ? asking.due(1e4) : asking.due(2e4);
      assert(due !== undefined);
      const { id, name, type } = readQuestion(due.bytes);
      const questions = [{ name, type, class: "IN" }];
      asking.receive(dnsResponse({ id, questions, flags: FLAGS.aa | rcode, ...more }), "udp");
    }
    return asking.status;
  };
  for (const keys of [undefined, [keyOf(1)], [keyOf(1), keyOf(2)]]) {
    for (const rcode of [2, 5, 9]) assertEquals(status(rcode, keys), "refused", `${rcode}`);
    assertEquals(status(3, keys), "no-zone");
    assertEquals(status(0, keys), "ok");
    // Neither its own zone, nor one that it would look for: it only points elsewhere.
    assertEquals(status(0, keys, { flags: 0 }), "refused");
    assertEquals(status(0, keys, { flags: FLAGS.ra }), "ok");
  }
  const soa = (name: string): TestResponse => ({
    authorities: [{ type: "SOA", name, data: { mname: "a", rname: "b" } }],
  });
  // The zone is there, the peers are not; whoever is asked for the list, needs more than a zone.
  assertEquals(status(3, [keyOf(1)], soa(ZONE.toUpperCase())), "ok");
  assertEquals(status(3, [keyOf(1)], soa("com")), "no-zone");
  assertEquals(status(3, undefined, soa(ZONE)), "no-zone");
  assertEquals(exchange().status, "no-answer");
});

test("some refusals among answers are an incomplete answer", () => {
  const peers = peersOf(3);
  const failing = (fails: RegExp, flags: number) =>
    ask({
      peers,
      bare: true,
      instead: (asked) => fails.test(asked) ? { flags } : undefined,
    });
  const nameOf = (peer: number) => instanceOf(keyOf(peer), ZONE);
  for (const type of ["SRV", "A", "TXT"]) {
    const one = failing(new RegExp(`^${nameOf(2)} ${type}$`), 5);
    assertEquals(one.status, "incomplete", type);
    assertEquals(one.peers.length, type === "TXT" ? 3 : 2, type);
  }
  assertEquals(failing(/PTR/, 5).status, "refused");
  assertEquals(failing(/ SRV/, 2).status, "incomplete");
  // A peer that has gone since the list was made is no failure.
  assertEquals(failing(new RegExp(`^${nameOf(2)} SRV$`), 3).status, "ok");
});

test("a list whose peers are nowhere is not the same as an empty one", () => {
  const peers = peersOf(3);
  /** Behind a resolver that leaves record types out, of one peer or of all. */
  const without = (types: RegExp, rcode = 0) => {
    const asking = exchange();
    askAll(
      asking,
      new ZoneDouble({
        peers,
        bare: true,
        instead: (asked) => types.test(asked) ? { flags: FLAGS.ra | rcode } : undefined,
      }),
    );
    return [asking.status, asking.unlocated, asking.peers().length];
  };
  assertEquals(without(/ SRV$/), ["no-endpoints", 3, 0]);
  assertEquals(without(/ SRV$/, 3), ["no-endpoints", 3, 0]);
  assertEquals(without(/ (A|AAAA)$/), ["no-endpoints", 3, 0]);
  // What is refused may be there.
  assertEquals(without(/ SRV$/, 5), ["incomplete", 3, 0]);
  assertEquals(without(new RegExp(`^${ONE_NAME} SRV$`)), ["ok", 1, 2]);
  assertEquals(without(/ TXT$/), ["ok", 0, 3]);
  assertEquals(ask({ peers: [] }).status, "ok");
});

test("a part of the answer that never came is missing", () => {
  const asking = exchange({ wantsTxt: false });
  const answers = [1, 2].map((peer) => ({
    type: "PTR",
    name: SERVICE,
    data: instanceOf(keyOf(peer), ZONE),
  }));
  reply(asking, { answers });
  const [first] = asking.due(0);
  asking.receive(new ZoneDouble({ peers: peersOf(2) }).answer(first!.bytes, "udp"), "udp");
  assertEquals([asking.status, asking.peers().length], ["incomplete", 1]);
  while (!asking.isComplete) asking.due(asking.nextAt);
  assertEquals([asking.status, asking.peers().length], ["incomplete", 1]);
});

test("a server from before EDNS is asked without", () => {
  for (const rcode of [1, 4]) {
    const seen: number[] = [];
    const old = ask({
      peers: peersOf(2),
      instead: (_, { payload }) => {
        seen.push(payload);
        return payload > 0 ? { flags: rcode } : undefined;
      },
    });
    assertEquals([old.status, old.peers.length], ["ok", 2]);
    assertEquals(seen, [1232, 0, 0, 0]);
    // Three that are asked at once are all asked again.
    const keys = [1, 2, 3].map(keyOf);
    const instead: DoubleOptions["instead"] = (_, { payload }) =>
      payload > 0 ? { flags: rcode } : undefined;
    const byKey = ask({ peers: peersOf(3), instead }, { keys });
    assertEquals([byKey.status, byKey.peers.length, byKey.asked.length], ["ok", 3, 6]);
    const broken = ask({ peers: [], instead: () => ({ flags: rcode }) });
    assertEquals([broken.status, broken.asked.length], ["refused", 2]);
  }
});

test("what a lost connection owed is asked again, at once if it had been of use", () => {
  const peers = peersOf(3);
  const asking = exchange({ keys: peers.map(({ publicKey }) => publicKey), wantsTxt: false });
  const zone = new ZoneDouble({ peers, udpSize: 0 });
  for (const { bytes } of asking.due(0)) asking.receive(zone.answer(bytes, "udp"), "udp");
  assert(asking.needsTcp);
  const over = asking.due(0);
  assertEquals(over.map(({ transport }) => transport), ["tcp", "tcp", "tcp"]);
  // The connection has them: nothing is sent again.
  assertEquals([asking.nextAt, asking.due(1e9)], [Infinity, []]);
  asking.loseConnection(1);
  assertEquals([asking.nextAt, asking.due(1.499)], [1.5, []]);
  assertEquals(
    asking.due(1.5).map(({ bytes }) => hex(bytes)),
    over.map((each) => hex(each.bytes)),
  );
  asking.receive(zone.answer(over[0]!.bytes, "tcp"), "tcp");
  asking.loseConnection(2);
  assertEquals(asking.due(2).length, 2);
  let lost = 0;
  for (let now = 2; !asking.isComplete; now = asking.nextAt) {
    asking.due(now);
    if (asking.isComplete) break;
    assert(lost++ < 10);
    asking.loseConnection(now);
  }
  assertEquals([lost, asking.status, asking.peers().length], [4, "incomplete", 1]);
  assert(!asking.needsTcp);
});

test("zones are names in which peers have names", () => {
  const long = `${"a".repeat(60)}.`.repeat(3).slice(0, 180);
  for (const zone of ["example.com", "EXAMPLE.com.", "a", "xn--a.b_c", long]) {
    assertEquals(parseZone(zone), zone.toLowerCase().replace(/\.$/, ""));
    assertEquals(exchange({ zone, keys: [keyOf(1)] }).due(0).length, 1);
  }
  for (const zone of ["", ".", "a..b", "ä.example", "a b", "a".repeat(64), `${long}a`, "a.."]) {
    assertEquals(parseZone(zone), undefined, zone);
    assertThrows(() => exchange({ zone }), RangeError);
  }
  for (const key of ["", "x", `${keyOf(1)} `, keyOf(1).toLowerCase()]) {
    if (key !== keyOf(1)) assertThrows(() => exchange({ keys: [key] }), RangeError);
  }
});

test("a peer's name and its key are one another's", () => {
  fc.assert(fc.property(fc.nat({ max: 0xffff }), fc.constantFrom("a", "b.c"), (peer, zone) => {
    assertEquals(readInstance(instanceOf(keyOf(peer), zone)), keyOf(peer));
  }));
  assertEquals(readInstance(""), undefined);
  assertEquals(readInstance("a".repeat(300)), undefined);
});

/** What the original answered over UDP, by question: undefined where it did not. */
const RECORDED = new Map<string, Uint8Array | undefined>(
  recorded.vectors.flatMap((each) => {
    const { name: title, transport, server, query_hex: query, response_hex: response } = each;
    if (transport !== "udp" || server !== "192.0.2.1" || !query) return [];
    if (!/^(srv|aaaa|srv edns1232) (P\d|SELF)$/.test(title)) return [];
    const { name, type, payload } = readQuestion(unhex(query));
    return [[`${name} ${type} ${payload}`, response ? unhex(response) : undefined] as const];
  }),
);

test("the original's recorded answers are understood, and what it can't answer with EDNS", () => {
  const keys = Object.entries(recorded.keys).filter(([name]) => /^(P\d|SELF)$/.test(name));
  const result = (wantsTxt: boolean) => {
    const asking = exchange({ keys: keys.map(([, { base64 }]) => base64), wantsTxt });
    for (let now = 0; !asking.isComplete; now = Math.min(asking.nextAt, now + 1e5)) {
      for (const { bytes, transport } of asking.due(now)) {
        const { name, type, payload } = readQuestion(bytes);
        const asked = `${name} ${type}`;
        const known = RECORDED.has(`${asked} ${payload}`) ? payload : 0;
        const answer = RECORDED.get(`${asked} ${known}`)?.slice();
        if (answer === undefined || transport === "tcp") continue;
        answer.set(bytes.subarray(0, 2));
        assertEquals(asking.receive(answer, "udp"), "accepted");
      }
      if (asking.nextAt === Infinity) asking.loseConnection(now);
    }
    const found = new Map(asking.peers().map((peer) => [peer.publicKey, peer]));
    return {
      status: asking.status,
      shown: keys.flatMap(([name, { base64 }]) => {
        const { address, port, allowedIps } = found.get(base64) ?? {};
        return port === undefined ? [] : `${name} ${address} ${port} ${allowedIps?.length}`;
      }),
    };
  };
  // P4 has no endpoint. The AllowedIPs of P8 don't fit in the string that the original gives them.
  const shown = [
    "P1 203.0.113.1 7777 1",
    "P2 198.51.100.1 8888 3",
    "SELF 192.0.2.1 51820 1",
    "P3 2001:db8::42 9999 2",
    "P5 203.0.113.5 1 0",
    "P6 203.0.113.6 65535 2",
    "P7 203.0.113.7 7007 14",
    "P8 203.0.113.8 7008 undefined",
  ];
  assertEquals(result(true), { status: "incomplete", shown });
  assertEquals(result(false), { status: "ok", shown });
});

test("whatever comes, it ends, and peers have an endpoint", () => {
  const bytes = fc.uint8Array({ maxLength: 60 });
  const kind = fc.constantFrom("answer", "silence", "noise", "flags", "lost");
  const step = fc.tuple(kind, bytes, fc.nat({ max: 0xffff }));
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, bare) => {
    const zone = new ZoneDouble({ peers: peersOf(40), maxNames: 20, udpSize: 900, bare });
    const asking = exchange({ random: numbers() });
    let now = 0;
    for (let i = 0; !asking.isComplete; i++) {
      assert(i < 3000, "it goes on");
      const due = asking.due(now);
      const [kind, noise, number] = steps[i] ?? ["silence", new Uint8Array(0), 0] as const;
      for (const { bytes, transport } of due) {
        const answer = zone.answer(bytes, transport);
        if (kind === "answer") asking.receive(answer, transport);
        if (kind === "flags") {
          answer.set([number >> 8 | 0x80, number & 255], 2);
          asking.receive(answer, transport);
        }
        if (kind !== "noise") continue;
        answer.set(noise.subarray(0, answer.length - 12), 12);
        asking.receive(answer, transport);
        asking.receive(noise, transport);
      }
      if (kind === "lost" || asking.nextAt === Infinity) asking.loseConnection(now);
      now = Math.max(now, asking.nextAt === Infinity ? now : asking.nextAt);
    }
    for (const { address, port, publicKey } of asking.peers()) {
      assert(address !== "" && port > 0 && port <= 0xffff && publicKey.length === 44);
    }
    assertNotEquals(asking.nextAt, -Infinity);
  }));
});
