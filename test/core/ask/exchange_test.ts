import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { type ExchangeOptions, MAX_REQUEST_SIZE } from "../../../lib/core/ask/exchange.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { MacKey } from "../../../lib/wire/crypto/mac.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { KEEP_ENDPOINT, KEEP_LABEL } from "../../../lib/wire/wgsig/request.ts";
import { encodeResponse, RESPONSE_SIZE } from "../../../lib/wire/wgsig/response.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { hex } from "../../support/bytes.ts";
import { libRecord } from "../../support/codecs.ts";
import { ExchangeDriver, OWN_ID } from "../../support/exchange_driver.ts";
import { idOf } from "../../support/fake_random.ts";
import { RegistryDriver, SECRET, T0 } from "../../support/registry_driver.ts";
import { twinEnvelope, twinOpen, type TwinRecord, twinResponse } from "../../support/twins.ts";
import { test } from "../../testing.ts";

const OTHER_SECRET = Uint8Array.from(SECRET, (byte) => byte ^ 1);
const NONCE = Uint8Array.from({ length: 12 }, (_, i) => 0x90 + i);

/** A record of a peer that was seen some seconds before {@linkcode T0}. */
function recordOf(peer: number, ago = 0, nanoseconds = 0): TwinRecord {
  return {
    id: idOf(peer),
    address: [192, 0, peer >>> 8, peer & 255],
    port: 1000 + peer,
    seconds: T0 - ago,
    nanoseconds,
  };
}

interface Said {
  readonly others?: number;
  readonly group?: number;
  readonly extensions?: number;
  readonly secret?: Uint8Array;
}

/** A plain answer datagram. */
function answer(records: readonly TwinRecord[], said: Said = {}): Uint8Array {
  const { others = 0, group = 0, extensions = 0, secret = SECRET } = said;
  return twinResponse(records, { extensions, others, group }, secret);
}

function sealed(plain: Uint8Array, group = 0, secret = SECRET): Uint8Array {
  return twinEnvelope(plain, group, NONCE, secret);
}

/** An exchange that has asked once, at {@linkcode T0}. */
function asked(options: Partial<ExchangeOptions> = {}): ExchangeDriver {
  const driver = new ExchangeDriver(options);
  driver.ask(T0);
  return driver;
}

function padded(bytes: Uint8Array, size: number): Uint8Array {
  return Uint8Array.from([...bytes, ...new Uint8Array(size)]);
}

function textOf(peer: number, ago = 0, nanoseconds = 0): string {
  const { id, address, port } = recordOf(peer);
  return `${formatKey(id)} ${address.join(".")}:${port} ${T0 - ago}.${nanoseconds}`;
}

function nothingLearned(driver: ExchangeDriver): void {
  const { received, expected, isComplete } = driver.exchange;
  assertEquals({ received, expected, isComplete }, {
    received: 0,
    expected: undefined,
    isComplete: false,
  });
  assertEquals(driver.peers(T0), []);
}

test("a request carries the ID, the group, the flags and the clock", () => {
  for (const encrypt of [false, true]) {
    const driver = new ExchangeDriver({ encrypt, group: 0xfedc_ba98, flags: 0x8002 });
    const { id, ...fields } = driver.askFields(T0 + 0.25);
    assertEquals(hex(id), hex(OWN_ID));
    assertEquals(fields, {
      seconds: T0,
      nanoseconds: 250_000_000,
      flags: 0x8002,
      group: 0xfedc_ba98,
    });
  }
});

test("an encrypted request names its group in the envelope, and each has a nonce of its own", () => {
  const driver = new ExchangeDriver({ encrypt: true, group: 77 });
  const opened = Array.from({ length: 300 }, () => twinOpen(driver.ask(T0), SECRET));
  for (const { group } of opened) assertEquals(group, 77);
  assertEquals(new Set(opened.map(({ nonce }) => hex(nonce))).size, opened.length);
});

test("a plain request draws no randomness", () => {
  let calls = 0;
  const driver = new ExchangeDriver({}, () => calls++);
  driver.ask(T0);
  assertEquals(calls, 0);
});

test("a request is 82 bytes plain and 98 encrypted", () => {
  assertEquals(new ExchangeDriver().ask(T0).length, 82);
  assertEquals(new ExchangeDriver({ encrypt: true }).ask(T0).length, 98);
  assertEquals(MAX_REQUEST_SIZE, 98);
});

test("keepEndpoint sets its flag from the next request on, and leaves the others", () => {
  const driver = new ExchangeDriver({ flags: KEEP_LABEL });
  assertEquals(driver.askFields(T0).flags, KEEP_LABEL);
  driver.exchange.keepEndpoint();
  assertEquals(driver.askFields(T0 + 0.001).flags, KEEP_ENDPOINT | KEEP_LABEL);
  assertEquals(driver.askFields(T0 + 0.002).flags, KEEP_ENDPOINT | KEEP_LABEL);
});

test("labels strictly increase, whatever the clock does", () => {
  const clock = fc.oneof(
    fc.constant(T0),
    fc.integer({ min: -3, max: 3 }).map((ms) => T0 + ms / 1000),
    fc.integer({ min: -5000, max: 5000 }).map((ms) => ms / 1000),
    fc.double({ min: 0, max: 4e9, noNaN: true }),
  );
  fc.assert(fc.property(fc.array(clock, { minLength: 2, maxLength: 20 }), (clocks) => {
    const driver = new ExchangeDriver();
    const labels = clocks.map((unix) => driver.askFields(unix));
    labels.slice(1).forEach((label, i) => {
      const before = labels[i]!;
      assert(
        label.seconds > before.seconds ||
          (label.seconds === before.seconds && label.nanoseconds > before.nanoseconds),
        `${label.seconds}.${label.nanoseconds} after ${before.seconds}.${before.nanoseconds}`,
      );
      assert(label.nanoseconds < 1e9);
    });
  }));
});

test("a clock that goes on gives the labels, also after it stood still", () => {
  const driver = new ExchangeDriver();
  const labels = [0, 0, 0, -9, 2 ** -10, 1.5].map((later) => driver.askFields(T0 + later));
  assertEquals(labels.map(({ seconds, nanoseconds }) => [seconds - T0, nanoseconds]), [
    [0, 0],
    [0, 1],
    [0, 2],
    [0, 3],
    [0, 976_562],
    [1, 500_000_000],
  ]);
});

test("after the last nanosecond of a second comes the next second", () => {
  const driver = new ExchangeDriver();
  const labels = [7.999_999_999_9, 7.999, 7.999].map((unix) => driver.askFields(unix));
  assertEquals(labels.map(({ seconds, nanoseconds }) => [seconds, nanoseconds]), [
    [7, 999_999_999],
    [8, 0],
    [8, 1],
  ]);
});

test("a clock before 1970 gives the first label there is", () => {
  const { seconds, nanoseconds } = new ExchangeDriver().askFields(-1);
  assertEquals([seconds, nanoseconds], [0, 0]);
});

test("an answer in the form of the request is taken, in the other form not", () => {
  const plain = answer([recordOf(0), recordOf(1)]);
  const encrypted = sealed(plain);
  const plainly = asked();
  assertEquals(plainly.receive(encrypted), "drop-bad-mac");
  assertEquals(plainly.receive(padded(encrypted, 100)), "drop-bad-mac");
  nothingLearned(plainly);
  assertEquals(plainly.receive(plain), "accepted");
  const encryptedly = asked({ encrypt: true });
  assertEquals(encryptedly.receive(plain), "drop-too-short");
  assertNotEquals(encryptedly.receive(padded(plain, 16)), "accepted");
  nothingLearned(encryptedly);
  assertEquals(encryptedly.receive(encrypted), "accepted");
  for (const driver of [plainly, encryptedly]) {
    assertEquals(driver.peers(T0), [textOf(0), textOf(1)]);
    assert(driver.exchange.isComplete);
  }
});

test("an answer that is one byte short is dropped, and one with a tail is taken", () => {
  for (const encrypt of [false, true]) {
    const plain = answer([recordOf(1)]);
    const datagram = encrypt ? sealed(plain) : plain;
    const driver = asked({ encrypt });
    for (let size = 0; size < datagram.length; size++) {
      assertEquals(driver.receive(datagram.slice(0, size)), "drop-too-short", `${size} bytes`);
    }
    nothingLearned(driver);
    assertEquals(driver.receive(padded(datagram, 300)), "accepted");
  }
});

test("an answer with a single bit flipped is dropped", () => {
  const bit = fc.nat({ max: 8 * RESPONSE_SIZE - 1 });
  const plain = answer([recordOf(0), recordOf(1)], { group: 5 });
  fc.assert(fc.property(bit, fc.boolean(), (bit, encrypt) => {
    const datagram = encrypt ? sealed(plain, 5) : plain.slice();
    datagram[bit >>> 3]! ^= 1 << (bit & 7);
    const driver = asked({ encrypt, group: 5 });
    const receipt = driver.receive(datagram);
    assert(receipt === "drop-bad-mac" || receipt === "drop-group-mismatch", receipt);
    nothingLearned(driver);
  }));
});

test("an answer of another secret is dropped", () => {
  const plain = answer([recordOf(1)], { secret: OTHER_SECRET });
  for (const encrypt of [false, true]) {
    const driver = asked({ encrypt });
    assertEquals(driver.receive(encrypt ? sealed(plain) : plain), "drop-bad-mac");
    if (encrypt) {
      assertEquals(driver.receive(sealed(plain, 0, OTHER_SECRET)), "drop-bad-mac");
      assertEquals(driver.receive(sealed(answer([]), 0, OTHER_SECRET)), "drop-bad-mac");
    }
    nothingLearned(driver);
  }
});

test("an answer for another group is dropped, whether GROUP or SGROUP says so", () => {
  const [ours, theirs] = [answer([recordOf(1)], { group: 7 }), answer([recordOf(1)])];
  const plainly = asked({ group: 7 });
  assertEquals(plainly.receive(theirs), "drop-group-mismatch");
  nothingLearned(plainly);
  assertEquals(plainly.receive(ours), "accepted");
  const encryptedly = asked({ group: 7, encrypt: true });
  for (const datagram of [sealed(ours, 0), sealed(theirs, 7), sealed(theirs, 0)]) {
    assertEquals(encryptedly.receive(datagram), "drop-group-mismatch");
  }
  nothingLearned(encryptedly);
  assertEquals(encryptedly.receive(sealed(ours, 7)), "accepted");
});

test("groups beyond 31 bits are compared as they are", () => {
  const group = 0xffff_fffe;
  const plain = answer([recordOf(1)], { group });
  assertEquals(asked({ group }).receive(plain), "accepted");
  assertEquals(asked({ group, encrypt: true }).receive(sealed(plain, group)), "accepted");
});

test("an answer before any question is dropped", () => {
  const driver = new ExchangeDriver();
  assertEquals(driver.receive(answer([recordOf(0), recordOf(1)])), "drop-replayed");
  assertEquals(driver.receive(answer([recordOf(1)])), "drop-replayed");
  nothingLearned(driver);
});

test("an empty group is a complete answer", () => {
  const driver = asked();
  assertEquals(driver.receive(answer([])), "accepted");
  assert(driver.exchange.isComplete);
  assertEquals(driver.peers(T0), []);
});

test("records between gaps are found, and their order is kept", () => {
  const gap = new Uint8Array(50);
  const full = answer([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((peer) => recordOf(peer)));
  const signed = full.slice(0, 508);
  for (const slot of [0, 1, 4, 5, 8]) signed.set(gap, 50 * slot);
  const buffer = new WireBuffer(padded(signed, 32));
  new MacKey(SECRET, PORTABLE).compute(buffer, 0, 508, buffer, 508);
  const driver = asked();
  assertEquals(driver.receive(buffer.bytes), "accepted");
  assertEquals(driver.peers(T0), [3, 4, 7, 8, 10].map((peer) => textOf(peer)));
});

test("a datagram that comes twice counts once, and after another question again", () => {
  const driver = asked();
  const [first, second] = [1, 2].map((peer) => answer([recordOf(peer)], { others: 1 }));
  assertEquals(driver.receiveAll([first!, first!]), ["accepted", "duplicate"]);
  assertEquals([driver.exchange.received, driver.exchange.isComplete], [1, false]);
  driver.ask(T0 + 0.5);
  assertEquals(driver.receive(first!), "accepted");
  assertEquals([driver.exchange.received, driver.exchange.isComplete], [1, false]);
  assertEquals(driver.receive(second!), "accepted");
  assertEquals([driver.exchange.received, driver.exchange.isComplete], [2, true]);
});

test("an answer of five datagrams is complete with the fifth different one, in any order", () => {
  const datagrams = [1, 2, 3, 4, 5].map((peer) => answer([recordOf(peer)], { others: 4 }));
  const order = fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5, maxLength: 5 });
  fc.assert(fc.property(order, fc.nat({ max: 3 }), (order, twice) => {
    const driver = asked();
    order.forEach((index, i) => {
      assertEquals(driver.exchange.isComplete, false, `${i} datagrams`);
      assertEquals(driver.receive(datagrams[index]!), "accepted");
      assertEquals(driver.exchange.expected, 5);
      if (i === twice) assertEquals(driver.receive(datagrams[index]!), "duplicate");
      assertEquals(driver.exchange.received, i + 1);
    });
    assert(driver.exchange.isComplete);
    assertEquals(driver.peers(T0).sort(), [1, 2, 3, 4, 5].map((peer) => textOf(peer)).sort());
  }));
});

test("answers that each lost something complete each other where their datagrams are full", () => {
  const page = (from: number) =>
    answer(Array.from({ length: 10 }, (_, i) => recordOf(from + i)), { others: 2 });
  const driver = asked();
  driver.receiveAll([page(0), page(10)]);
  assertEquals(driver.exchange.isComplete, false);
  driver.ask(T0 + 0.5);
  assertEquals(driver.receive(page(0)), "accepted");
  assertEquals(driver.exchange.isComplete, false);
  driver.ask(T0 + 1.5);
  assertEquals(driver.receive(answer([recordOf(20)], { others: 2 })), "accepted");
  assertEquals(driver.exchange.isComplete, true);
  assertEquals(driver.peers(T0).length, 21);
});

test("a datagram of an earlier answer that comes late does not stand in for a missing one", () => {
  const page = (own: TwinRecord) =>
    answer([own, ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((peer) => recordOf(peer))], { others: 1 });
  const [early, late] = [page(recordOf(0)), page(recordOf(0, 0, 500_000_000))];
  for (const order of [[early, late], [late, early]]) {
    const driver = asked();
    driver.ask(T0 + 0.5);
    assertEquals(driver.receiveAll(order), ["accepted", "accepted"]);
    assertEquals(driver.exchange.isComplete, false);
    driver.receive(answer([recordOf(10)], { others: 1 }));
    assertEquals(driver.exchange.isComplete, true);
    assertEquals(driver.peers(T0).length, 11);
  }
});

test("the same where another peer than the own was seen anew in between", () => {
  const others = [1, 2, 3, 4, 5, 6, 7, 8].map((peer) => recordOf(peer));
  const pages = [[recordOf(11, 9), ...others], [recordOf(11, 2), ...others]];
  const driver = asked();
  driver.ask(T0 + 0.5);
  driver.receiveAll(pages.map((records) => answer(records, { others: 1 })));
  assertEquals(driver.exchange.isComplete, false);
  driver.receive(answer([recordOf(0)], { others: 1 }));
  assertEquals(driver.exchange.isComplete, true);
});

test("the most datagrams that were received at once are counted, also after another question", () => {
  const driver = asked();
  driver.receiveAll([1, 2, 3].map((peer) => answer([recordOf(peer)], { others: 4 })));
  driver.ask(T0 + 0.5);
  driver.receive(answer([recordOf(4)], { others: 4 }));
  assertEquals([driver.exchange.received, driver.exchange.expected], [3, 5]);
});

test("an answer to an older question, told by the own record, is dropped", () => {
  const older = [recordOf(0, 1), recordOf(0, 30), recordOf(0, T0)];
  for (const own of older) {
    for (const at of [0, 5, 9]) {
      const records = Array.from({ length: 10 }, (_, i) => i === at ? own : recordOf(i + 20));
      const driver = asked();
      assertEquals(driver.receive(answer(records)), "drop-replayed");
      nothingLearned(driver);
      assertEquals(driver.receive(answer([recordOf(0), recordOf(1)])), "accepted");
    }
  }
});

test("an own record that is a nanosecond too old is too old", () => {
  const driver = new ExchangeDriver();
  const { nanoseconds } = driver.askFields(T0 + 0.25);
  assertEquals(driver.receive(answer([recordOf(0, 0, nanoseconds - 1)])), "drop-replayed");
  assertEquals(driver.receive(answer([recordOf(0, 0, nanoseconds)])), "accepted");
});

test("an answer without the own record is taken: it can't tell which question it answers", () => {
  const driver = asked();
  assertEquals(driver.receive(answer([recordOf(1, 5000)])), "accepted");
});

test("an answer to any question of this exchange is taken", () => {
  const driver = asked();
  driver.ask(T0 + 0.5);
  driver.ask(T0 + 1.5);
  assertEquals(
    driver.receiveAll([
      answer([recordOf(0, 0, 500_000_000)]),
      answer([recordOf(0)]),
      answer([recordOf(0, -1, 500_000_000)]),
      answer([recordOf(0, 0, 1)]),
      answer([recordOf(0, 1)]),
    ]),
    ["accepted", "accepted", "accepted", "accepted", "drop-replayed"],
  );
});

test("of two records of a peer the newest label wins, whichever comes first", () => {
  const moved = { ...recordOf(1, 5, 2), address: [198, 51, 100, 9], port: 9 };
  const winner = `${formatKey(moved.id)} 198.51.100.9:9 ${T0 - 5}.2`;
  for (const loser of [recordOf(1, 5, 1), recordOf(1, 6, 9)]) {
    for (const order of [[moved, loser], [loser, moved]]) {
      const apart = asked();
      for (const record of order) apart.receive(answer([record], { others: 1 }));
      assertEquals(apart.peers(T0), [winner]);
      const together = asked();
      together.receive(answer(order));
      assertEquals(together.peers(T0), [winner]);
    }
  }
});

test("a record that was renewed keeps its place in the order", () => {
  const driver = asked();
  driver.receive(answer([recordOf(1, 9), recordOf(2)], { others: 1 }));
  driver.receive(answer([recordOf(3), recordOf(1, 4)], { others: 1 }));
  assertEquals(driver.peers(T0), [textOf(1, 4), textOf(2), textOf(3)]);
});

test("peers older than the maximal age are left out, those as old are not", () => {
  const driver = asked({ maxAge: 60 });
  driver.receive(answer([recordOf(1, 59), recordOf(2, 60), recordOf(3, 61), recordOf(4, -100)]));
  assertEquals(driver.peers(T0), [textOf(1, 59), textOf(2, 60), textOf(4, -100)]);
  assertEquals(driver.peers(T0 + 0.5), [textOf(1, 59), textOf(4, -100)]);
  assertEquals(driver.peers(T0 + 1), [textOf(1, 59), textOf(4, -100)]);
  assertEquals(driver.peers(T0 + 200), []);
});

test("peers that are too old count for completeness: the answer is here all the same", () => {
  const driver = asked({ maxAge: 60 });
  driver.receive(answer([recordOf(1, 900)]));
  assertEquals([driver.peers(T0), driver.exchange.isComplete], [[], true]);
});

test("records whose label is none are left out", () => {
  const plain = answer([recordOf(1), recordOf(2), recordOf(3)]);
  const signed = plain.slice(0, 508);
  signed[38]! ^= 0x80;
  signed[50 + 38]! ^= 0x40;
  const buffer = new WireBuffer(padded(signed, 32));
  new MacKey(SECRET, PORTABLE).compute(buffer, 0, 508, buffer, 508);
  const driver = asked();
  assertEquals(driver.receive(buffer.bytes), "accepted");
  assertEquals(driver.peers(T0), [textOf(3)]);
});

test("no more than 10000 datagrams are kept of an answer", () => {
  const driver = asked();
  const key = new MacKey(SECRET, PORTABLE);
  const out = new WireBuffer(RESPONSE_SIZE);
  const receive = (extensions: number, record: TwinRecord) => {
    encodeResponse([libRecord(record)], { extensions, others: 0xffff, group: 0 }, key, out, 0);
    return driver.exchange.receive(out, 0, RESPONSE_SIZE);
  };
  for (let i = 0; i < 10_000; i++) assertEquals(receive(i, recordOf(i)), "accepted");
  assertEquals(receive(10_000, recordOf(10_000)), "drop-too-many");
  assertEquals([driver.exchange.received, driver.exchange.expected], [10_000, 65_536]);
  assertEquals(driver.peers(T0).length, 10_000);
});

test("datagrams that replace each other count towards that limit as well", () => {
  const driver = asked();
  const key = new MacKey(SECRET, PORTABLE);
  const out = new WireBuffer(RESPONSE_SIZE);
  const receive = (extensions: number) => {
    const trailer = { extensions, others: 0xffff, group: 0 };
    encodeResponse([libRecord(recordOf(1))], trailer, key, out, 0);
    return driver.exchange.receive(out, 0, RESPONSE_SIZE);
  };
  for (let i = 0; i < 10_000; i++) assertEquals(receive(i), "accepted");
  assertEquals(receive(10_000), "drop-too-many");
  assertEquals(driver.exchange.received, 1);
});

test("what is complete stays so, whatever comes late", () => {
  const driver = asked();
  driver.receive(answer([recordOf(1)]));
  assertEquals(driver.exchange.isComplete, true);
  driver.receive(answer([recordOf(1), recordOf(2)], { others: 30 }));
  assertEquals(driver.exchange.isComplete, true);
});

test("no datagram of any bytes makes it throw, or is believed", () => {
  const bytes = fc.uint8Array({ minLength: 0, maxLength: 700 });
  fc.assert(fc.property(bytes, fc.boolean(), fc.boolean(), (bytes, encrypt, sgroup) => {
    const driver = asked({ encrypt });
    // Half of the time it is for our group, so that it is looked at further.
    if (sgroup && bytes.length >= 16) bytes.set(bytes.slice(12, 16), 0);
    assertNotEquals(driver.receive(bytes), "accepted");
    nothingLearned(driver);
  }));
});

test("no answer with a right MAC makes it throw, whatever is in it", () => {
  const contents = fc.uint8Array({ minLength: 504, maxLength: 504 });
  fc.assert(fc.property(contents, fc.double(), (contents, clock) => {
    const buffer = new WireBuffer(padded(contents, 36));
    new MacKey(SECRET, PORTABLE).compute(buffer, 0, 508, buffer, 508);
    const driver = asked({ maxAge: Infinity });
    assertEquals(driver.receive(buffer.bytes), "accepted");
    for (const { address, port } of driver.exchange.peers(clock)) {
      assert(/^(\d{1,3}\.){3}\d{1,3}$/.test(address) && port >= 0 && port <= 0xffff);
    }
  }));
});

/** A network: what it loses, what it delays until after the next question, in which order. */
interface Network {
  readonly peers: number;
  /** How many other peers are seen anew between two questions. */
  readonly renewed: number;
  readonly delays: boolean;
  readonly seed: number;
}

const MAX_ATTEMPTS = 60;
const LOSS = 0.3;
const DELAY = 0.3;

/** Numbers from 0 to 1 that look random (a linear congruential generator). */
function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items.map((item) => ({ item, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

/** A registry that knows this many peers, and a way to let one of them be seen anew. */
function registryWith(peers: number): { server: RegistryDriver; renew: (peer: number) => void } {
  const server = new RegistryDriver({ groups: [{ maxAnswer: 1000, maxAge: 1e9 }] });
  const { table } = server.group();
  const numbers = Array.from({ length: peers }, (_, i) => {
    const record = libRecord(recordOf(i + 1));
    const peer = table.add(record.id, 0, server.mono);
    table.setEndpoint(peer, record.address, record.port);
    return peer;
  });
  let renewals = 0;
  const label = new WireBuffer(50);
  const renew = (number: number) => {
    const peer = numbers[number]!;
    const nanoseconds = ++renewals;
    label.view.setUint32(0, 0x4000_0000);
    label.view.setUint32(4, T0 - 1);
    label.view.setUint32(8, nanoseconds);
    table.touch(peer, server.mono);
    table.setLabel(peer, label, 0);
    table.setHighestLabel(peer, T0 - 1, nanoseconds);
  };
  numbers.forEach((_, i) => renew(i));
  return { server, renew };
}

/** Asks until the answer is complete; checks each claim that it is. */
function askOver({ peers, renewed, delays, seed }: Network): void {
  const random = dice(seed);
  const { server, renew } = registryWith(peers);
  const client = new ExchangeDriver();
  let late: Uint8Array[] = [];
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const question = client.ask(server.unix + attempt / 100);
    const [answered] = server.send([{ payload: question, from: "198.51.100.1 51820" }]);
    assert(answered !== undefined);
    const arriving = [...late];
    late = [];
    for (const datagram of answered.datagrams) {
      if (random() < LOSS) continue;
      (delays && random() < DELAY ? late : arriving).push(datagram);
    }
    const all = server.held().map((text) => text.split(" ")[0]!);
    for (const datagram of shuffled(arriving, random)) {
      client.receive(datagram);
      if (!client.exchange.isComplete) continue;
      const known = new Set(client.exchange.peers(T0).map(({ publicKey }) => publicKey));
      const missing = all.filter((key) => !known.has(key));
      assert(missing.length < 10, `complete without ${missing.length} of ${all.length}`);
      return;
    }
    for (let i = 0; i < renewed; i++) renew(Math.floor(random() * peers));
  }
  throw new Error(`not complete after ${MAX_ATTEMPTS} attempts`);
}

function network(delays: boolean): fc.Arbitrary<Network> {
  return fc.record({
    peers: fc.integer({ min: 1, max: 399 }),
    renewed: fc.integer({ min: 0, max: 5 }),
    delays: fc.constant(delays),
    seed: fc.nat({ max: 0xffff_ffff }),
  });
}

test("with three of ten datagrams lost, up to 40 become complete and none is missing", () => {
  fc.assert(fc.property(network(false), askOver), { numRuns: 40 });
});

test("the same with datagrams that come after the next question", () => {
  fc.assert(fc.property(network(true), askOver), { numRuns: 40 });
});
