import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  ZoneExchange,
  type ZoneExchangeOptions,
} from "../../../../lib/core/zone/client/exchange.ts";
import { ServerClocks } from "../../../../lib/core/zone/client/server_clocks.ts";
import { TSIG_ERROR } from "../../../../lib/wire/dns/tsig_record.ts";
import { countingRandom } from "../../../support/fake_random.ts";
import { bareQuestion, macOf, TsigDouble, tsigKey } from "../../../support/tsig_double.ts";
import { type DoubleOptions, doublePeer, ZONE, ZoneDouble } from "../../../support/zone_double.ts";
import { test } from "../../../testing.ts";

const UNIX = 1_800_000_000;
const PEERS = [doublePeer(1), doublePeer(2), doublePeer(3)];
const EVIL = PEERS.map((peer) => ({ ...peer, addresses: ["192.0.2.66"] }));

function exchange(options: Partial<ZoneExchangeOptions> = {}): ZoneExchange {
  const tsig = { key: tsigKey(), epoch: UNIX };
  return new ZoneExchange({
    zone: ZONE,
    wantsTxt: false,
    random: countingRandom(),
    tsig,
    ...options,
  });
}

function server(zone: DoubleOptions = { peers: PEERS }, unix = UNIX, key = tsigKey()): TsigDouble {
  return new TsigDouble(new ZoneDouble(zone), key, unix);
}

/** Asks to the end, or until nothing is due before `until`. */
function askAll(asking: ZoneExchange, from: TsigDouble, now = 0): string[] {
  const receipts: string[] = [];
  for (let due = asking.due(now); due.length > 0; due = asking.due(now)) {
    for (const { bytes, transport } of due) {
      receipts.push(asking.receive(from.answer(bytes, transport), transport));
    }
  }
  return receipts;
}

function endpoints(asking: ZoneExchange): string[] {
  return asking.peers().map(({ address, port }) => `${address} ${port}`);
}

const EXPECTED = PEERS.map(({ addresses, port }) => `${addresses[0]} ${port}`);

test("questions are signed, and answers that are signed are taken, over UDP and TCP", () => {
  for (const zone of [{ peers: PEERS }, { peers: PEERS, udpSize: 0 }]) {
    const asking = exchange();
    const from = server(zone);
    assert(askAll(asking, from).every((receipt) => receipt === "accepted"));
    assertEquals([asking.status, endpoints(asking)], ["ok", EXPECTED]);
    assertEquals(from.signed, "udpSize" in zone ? 8 : 4);
    assertEquals([asking.tsigFault, asking.clockAhead], [undefined, 0]);
  }
});

test("each attempt has its own time, and an answer to any of them counts", () => {
  const asking = exchange();
  const from = server();
  const attempts = [asking.due(0), asking.due(0.5), asking.due(1.5), asking.due(3.5)].flat();
  assertEquals(attempts.length, 4);
  const macs = new Set(attempts.map(({ bytes }) => macOf(bytes).join()));
  // The second is sent in the same second as the first, with the same bytes.
  assertEquals(macs.size, 3);
  const answers = attempts.map(({ bytes }) => from.answer(bytes, "udp"));
  assertEquals(from.times, [0, 0, 1, 3].map((after) => UNIX + after));
  assertEquals(asking.receive(answers[2]!, "udp"), "accepted");
  // The others come too late.
  assertEquals(asking.receive(answers[3]!, "udp"), "drop-unknown-id");
});

test("what a forger sends before the right answer is dropped, and takes nothing in", () => {
  const forger = new ZoneDouble({ peers: EVIL });
  const otherKey = server({ peers: EVIL }, UNIX, tsigKey("wg.example.com", 8));
  const from = server();
  const asking = exchange();
  const receipts = new Set<string>();
  for (let due = asking.due(0); due.length > 0; due = asking.due(0)) {
    for (const { bytes, transport } of due) {
      const right = from.answer(bytes, transport);
      const bare = bareQuestion(bytes);
      const forged = [
        forger.answer(bare, transport),
        // Of a server that knows nothing of TSIG or EDNS, and refusals of all kinds.
        ...[1, 2, 3, 4, 5, 9].map((rcode) => withRcode(forger.answer(bare, transport), rcode)),
        otherKey.sign(forger.answer(bare, transport), macOf(bytes)),
        // The right key, for another question.
        from.sign(forger.answer(bare, transport), new Uint8Array(32)),
        // Its own question and MAC back.
        echoOf(bytes),
        otherKey.answer(bytes, transport),
        server(undefined, UNIX, tsigKey("other.example.com")).answer(bytes, transport),
        ...[1, 100].map((back) => flipped(right, right.length - back)),
        // The answer, with a MAC cut short.
        right.subarray(0, right.length - 1),
      ];
      for (const each of forged) receipts.add(asking.receive(each, transport));
      // What has come so far is that of right answers alone.
      assertEquals(asking.status, from.signed === 1 ? "not-authenticated" : "incomplete");
      assert(endpoints(asking).every((each) => EXPECTED.includes(each)));
      assertEquals(asking.receive(right, transport), "accepted");
    }
  }
  assertEquals([...receipts].sort(), [
    "drop-malformed",
    "drop-not-signed",
    "drop-tsig-refused",
    "drop-wrong-mac",
  ]);
  assertEquals([asking.isComplete, asking.status], [true, "ok"]);
  assertEquals(endpoints(asking), EXPECTED);
});

test("a server without the key is told apart from one with another, and from one without TSIG", () => {
  const fault = (answer: (question: Uint8Array) => Uint8Array) => {
    const asking = exchange();
    while (!asking.isComplete) {
      for (const { bytes, transport } of asking.due(asking.nextAt)) {
        assert(asking.receive(answer(bytes), transport).startsWith("drop-"));
      }
    }
    assertEquals([asking.status, asking.peers()], ["not-authenticated", []]);
    return asking.tsigFault;
  };
  const other = server(undefined, UNIX, tsigKey("other.example.com"));
  assertEquals(fault((question) => other.answer(question, "udp")), "badkey");
  const wrong = server(undefined, UNIX, tsigKey(undefined, 8));
  assertEquals(fault((question) => wrong.answer(question, "udp")), "badsig");
  const plain = new ZoneDouble({ peers: PEERS });
  assertEquals(fault((question) => plain.answer(bareQuestion(question), "udp")), "unsigned");
  const right = server();
  assertEquals(
    fault((question) =>
      right.sign(plain.answer(bareQuestion(question), "udp"), new Uint8Array(32))
    ),
    "wrong-mac",
  );
  // What says most is kept, whatever comes after it.
  let turn = 0;
  assertEquals(
    fault((question) =>
      turn++ === 0 ? other.answer(question, "udp") : plain.answer(bareQuestion(question), "udp")
    ),
    "badkey",
  );
  const silent = exchange();
  while (!silent.isComplete) silent.due(silent.nextAt);
  assertEquals([silent.status, silent.tsigFault], ["no-answer", undefined]);
});

/** Asks, with what `answer` sends at once for each attempt, until it is over. @returns When. */
function askRefused(
  asking: ZoneExchange,
  answer: (question: Uint8Array, attempt: number) => Uint8Array | undefined,
): { readonly endedAt: number; readonly sent: number } {
  let sent = 0;
  for (let now = 0;; now = asking.nextAt) {
    for (const { bytes, transport, attempt } of asking.due(now)) {
      sent++;
      const came = answer(bytes, attempt);
      if (came !== undefined) asking.receive(came, transport);
    }
    if (asking.isComplete) return { endedAt: now, sent };
  }
}

test("what isn't signed ends a question after two attempts where nothing ever was", () => {
  const other = server(undefined, UNIX, tsigKey("other.example.com"));
  const wrong = server(undefined, UNIX, tsigKey(undefined, 8));
  const plain = new ZoneDouble({ peers: PEERS });
  const cases: readonly (readonly [string, (question: Uint8Array) => Uint8Array])[] = [
    ["badkey", (question) => other.answer(question, "udp")],
    ["badsig", (question) => wrong.answer(question, "udp")],
    ["unsigned", (question) => plain.answer(bareQuestion(question), "udp")],
  ];
  const keys = Array.from({ length: 100 }, (_, i) => doublePeer(i + 1).publicKey);
  for (const [fault, answer] of cases) {
    const all = exchange();
    assertEquals(askRefused(all, answer), { endedAt: 1.5, sent: 2 });
    assertEquals([all.status, all.tsigFault], ["not-authenticated", fault]);
    // All of many questions, of which 32 are on their way at once.
    const some = exchange({ keys });
    assertEquals(askRefused(some, answer), { endedAt: 1.5, sent: 64 });
    assertEquals(some.status, "not-authenticated");
  }
  // One of three addresses doesn't have the key: the others are asked as well.
  const three = exchange({ addresses: 3 });
  const ofOne = (question: Uint8Array, attempt: number) =>
    attempt % 3 === 0 ? other.answer(question, "udp") : undefined;
  assertEquals(askRefused(three, ofOne), { endedAt: 3.5, sent: 3 });
});

test("a refusal that isn't signed keeps no true answer out that takes its time", () => {
  const other = server(undefined, UNIX, tsigKey("other.example.com"));
  const from = server();
  const refusal = (question: Uint8Array) => other.answer(question, "udp");
  // Each question is refused at once, at each attempt; its answer comes after 1.4 s.
  const slow = exchange();
  for (let now = 0; !slow.isComplete; now += 1.5) {
    const [first] = slow.due(now);
    slow.receive(refusal(first!.bytes), "udp");
    const [second] = slow.due(now + 0.5);
    slow.receive(refusal(second!.bytes), "udp");
    assertEquals(slow.due(now + 1.4), []);
    assertEquals(slow.receive(from.answer(first!.bytes, "udp"), "udp"), "accepted");
    // All of its peers were beside the list's first answer, or are asked for together.
    for (const { bytes, transport } of slow.due(now + 1.4)) {
      slow.receive(refusal(bytes), transport);
      slow.receive(from.answer(bytes, transport), transport);
    }
  }
  assertEquals([slow.status, endpoints(slow)], ["ok", EXPECTED]);

  // Of one who has signed an answer, each is waited for as long as without refusals.
  const known = exchange();
  const [list] = known.due(0);
  known.receive(from.answer(list!.bytes, "udp"), "udp");
  let asked = 0;
  for (let now = 0; asked < 7 * PEERS.length; now = known.nextAt) {
    for (const { bytes } of known.due(now)) {
      asked++;
      known.receive(refusal(bytes), "udp");
    }
  }
  for (const { bytes, transport } of known.due(known.nextAt)) {
    known.receive(from.answer(bytes, transport), transport);
  }
  assertEquals([known.status, endpoints(known)], ["ok", EXPECTED]);
});

test("a server's clock is taken for the questions, and said", () => {
  for (const ahead of [-1e9, -301, 301, 1e9]) {
    const asking = exchange();
    const from = server(undefined, UNIX + ahead);
    assert(askAll(asking, from).every((receipt) => receipt === "accepted"));
    assertEquals([asking.status, asking.clockAhead], ["ok", ahead]);
    assertEquals([endpoints(asking), asking.tsigFault], [EXPECTED, undefined]);
    // The first question twice.
    assertEquals(from.times, [UNIX, ...new Array(4).fill(UNIX + ahead)]);
  }
  const near = exchange();
  askAll(near, server(undefined, UNIX + 300));
  assertEquals([near.status, near.clockAhead], ["ok", 0]);
});

test("a clock that is known to be off costs no refusal, and is forgotten once it is right", () => {
  const known = (ahead: number, clockAhead: number) => {
    const asking = exchange({ tsig: { key: tsigKey(), epoch: UNIX, clockAhead } });
    const from = server(undefined, UNIX + ahead);
    assert(askAll(asking, from).every((receipt) => receipt === "accepted"));
    assertEquals([asking.status, endpoints(asking)], ["ok", EXPECTED]);
    return [asking.clockAhead, ...from.times.slice(0, 2).map((time) => time - UNIX)];
  };
  assertEquals(known(5000, 5000), [5000, 5000, 5000]);
  // The clock goes on being off by a little more or less.
  assertEquals(known(5100, 5000), [5000, 5000, 5000]);
  // It was set meanwhile: well, or to another time.
  assertEquals(known(0, 5000), [0, 5000, 0]);
  assertEquals(known(290, 310), [310, 310, 310]);
  assertEquals(known(20, 310), [0, 310, 0]);
  assertEquals(known(9000, 5000), [9000, 5000, 9000]);
});

test("what nobody has signed says nothing of a clock", () => {
  const asking = exchange({ tsig: { key: tsigKey(), epoch: UNIX, clockAhead: 5000 } });
  const [due] = asking.due(0);
  const near = server(undefined, UNIX, tsigKey(undefined, 8));
  const bare = new ZoneDouble({ peers: PEERS }).answer(bareQuestion(due!.bytes), "udp");
  const time = new Uint8Array([0, 0, 0, 0, 0, 9]);
  for (const error of [0, TSIG_ERROR.badtime]) {
    asking.receive(near.sign(bare, macOf(due!.bytes), UNIX, error, time), "udp");
  }
  asking.receive(bare, "udp");
  assertEquals(asking.clockAhead, 5000);
});

test("clocks are kept by server and key, 64 of them", () => {
  const clocks = new ServerClocks();
  const [key, other] = [tsigKey(), tsigKey("other.example.com")];
  clocks.learn("dns://192.0.2.1/a", key, 400);
  clocks.learn("dns://192.0.2.1/a", other, -500);
  const ahead = (server: string, of = key) => clocks.ahead(server, of);
  assertEquals(ahead("dns://192.0.2.1/a"), 400);
  assertEquals(ahead("dns://192.0.2.1/a", other), -500);
  assertEquals(ahead("dns://192.0.2.2/a"), 0);
  clocks.learn("dns://192.0.2.1/a", key, 0);
  assertEquals(ahead("dns://192.0.2.1/a"), 0);
  for (let i = 0; i < 64; i++) clocks.learn(`dns://192.0.2.3/${i}`, key, 1000 + i);
  assertEquals(ahead("dns://192.0.2.1/a", other), 0);
  assertEquals([ahead("dns://192.0.2.3/0"), ahead("dns://192.0.2.3/63")], [1000, 1063]);
});

test("a server that refuses every time is not asked without end", () => {
  for (const udpSize of [65_535, 0]) {
    const asking = exchange();
    const from = server({ peers: PEERS, udpSize });
    const plain = new ZoneDouble({ peers: PEERS, udpSize });
    let asked = 0;
    for (let now = 0; !asking.isComplete; now = Math.max(now, asking.nextAt)) {
      if (asking.nextAt === Infinity) asking.loseConnection(now);
      for (const { bytes, transport } of asking.due(now)) {
        asked++;
        if (transport === "udp" && udpSize === 0) asking.receive(from.answer(bytes, "udp"), "udp");
        else {
          const time = new Uint8Array([0, 0, 0, 0, 0, asked]);
          const answer = plain.answer(bareQuestion(bytes), "tcp");
          const refusal = from.sign(answer, macOf(bytes), UNIX, TSIG_ERROR.badtime, time);
          assertEquals(asking.receive(refusal, transport), "accepted");
        }
      }
    }
    assert(asked <= 9, `${asked}`);
    assertEquals(asking.peers(), []);
  }
});

test("a refusal of the time that is sent again is passed over, and one that isn't signed as well", () => {
  const asking = exchange();
  const from = server(undefined, UNIX + 1000);
  const [first] = asking.due(0);
  const refusal = from.answer(first!.bytes, "udp");
  const forged = server(undefined, UNIX + 5000, tsigKey(undefined, 8));
  const time = new Uint8Array([0, 0, 0, 0, 0, 9]);
  const bare = new ZoneDouble({ peers: [] }).answer(bareQuestion(first!.bytes), "udp");
  const lie = forged.sign(bare, macOf(first!.bytes), UNIX, TSIG_ERROR.badtime, time);
  assertEquals(asking.receive(lie, "udp"), "drop-wrong-mac");
  assertEquals([asking.clockAhead, asking.due(0).length], [0, 0]);
  assertEquals(asking.receive(refusal, "udp"), "accepted");
  assertEquals(asking.clockAhead, 1000);
  const [second] = asking.due(0);
  for (let i = 0; i < 10; i++) assertEquals(asking.receive(refusal, "udp"), "drop-out-of-time");
  assertEquals(asking.due(0), []);
  assertEquals(asking.receive(from.answer(second!.bytes, "udp"), "udp"), "accepted");
});

test("a signed answer from another time is dropped", () => {
  const asking = exchange();
  const [due] = asking.due(0);
  const plain = new ZoneDouble({ peers: PEERS }).answer(bareQuestion(due!.bytes), "udp");
  const from = server();
  for (const off of [-301, 301]) {
    assertEquals(
      asking.receive(from.sign(plain, macOf(due!.bytes), UNIX + off), "udp"),
      "drop-out-of-time",
    );
  }
  assertEquals(asking.receive(from.sign(plain, macOf(due!.bytes), UNIX + 300), "udp"), "accepted");
});

test("a connection that is lost has its questions signed anew", () => {
  const asking = exchange();
  const from = server({ peers: PEERS, udpSize: 0 });
  const [udp] = asking.due(0);
  asking.receive(from.answer(udp!.bytes, "udp"), "udp");
  const [first] = asking.due(0);
  asking.loseConnection(1);
  const [second] = asking.due(asking.nextAt);
  assertEquals([first?.transport, second?.transport], ["tcp", "tcp"]);
  assertEquals(asking.receive(from.answer(second!.bytes, "tcp"), "tcp"), "accepted");
  assertEquals(from.times.at(-1), UNIX + 1);
});

test("no change to an answer is accepted", () => {
  const asked = exchange();
  const [due] = asked.due(0);
  const right = server().answer(due!.bytes, "udp");
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(right.length - 1), fc.integer({ min: 1, max: 255 })), {
        minLength: 1,
        maxLength: 3,
      }),
      (changes) => {
        const changed = right.slice();
        for (const [at, bits] of changes) changed[at]! ^= bits;
        // Letters of the names in TSIG have no case, and the header's ID is not the MAC's.
        const isSame = changed.every((byte, i) =>
          byte === right[i] || isLetterCase(byte, right[i]!)
        );
        const receipt = asked.receive(changed, "udp");
        if (!isSame) assert(receipt.startsWith("drop-"), receipt);
        return isSame || receipt.startsWith("drop-");
      },
    ),
    { numRuns: 500 },
  );
});

test("noise never throws and never ends a signed question", () => {
  const asking = exchange();
  const [due] = asking.due(0);
  const right = server().answer(due!.bytes, "udp");
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(right.length),
      (noise, cut) => {
        const whole = Uint8Array.from([...right.subarray(0, cut), ...noise]);
        if (whole.every((byte, i) => byte === right[i]) && whole.length === right.length) return;
        assert(asking.receive(whole, "udp").startsWith("drop-"));
      },
    ),
    { numRuns: 500 },
  );
  assertEquals(asking.receive(right, "udp"), "accepted");
});

function withRcode(answer: Uint8Array, rcode: number): Uint8Array {
  const changed = answer.slice();
  changed[3] = (changed[3]! & 0xf0) | rcode;
  return changed;
}

/** The question as its own answer, TSIG and all. */
function echoOf(question: Uint8Array): Uint8Array {
  const echo = question.slice();
  echo[2]! |= 0x80;
  return echo;
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  changed[at]! ^= 1;
  return changed;
}

function isLetterCase(a: number, b: number): boolean {
  return (a ^ b) === 0x20 && /[a-z]/i.test(String.fromCharCode(a));
}
