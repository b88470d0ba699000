import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { AnswerBudget } from "../../../lib/core/net/answer_budget.ts";
import { parseAddress } from "../../../lib/core/net/ip_address.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { NONE } from "../../../lib/core/net/none.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { hex } from "../../support/bytes.ts";
import { idOf } from "../../support/fake_random.ts";
import {
  type Answer,
  type Asked,
  recordText,
  RegistryDriver,
  requestOf,
  SECRET,
  T0,
} from "../../support/registry_driver.ts";
import { encodeState, restoreState, startedAfter } from "../../support/saved_state.ts";
import { KEEP_ENDPOINT } from "../../../lib/wire/wgsig/request.ts";
import { test } from "../../testing.ts";

const A = idOf(1);
const B = idOf(2);
const OTHER_SECRET = new Uint8Array(32).fill(0x99);
const NEW_SECRET = new Uint8Array(32).fill(0x42);
const FROM_A = "198.51.100.1 1000";

function texts(answer: Answer | undefined): string[] {
  assert(answer !== undefined, "no answer");
  return answer.records.map(recordText).sort();
}

function text(id: Uint8Array, endpoint: string, seconds = T0, nanoseconds = 0): string {
  return `${formatKey(id)} ${endpoint} ${seconds}.${nanoseconds}`;
}

/** Registers the peers with these numbers, one second after the other. */
function register(driver: RegistryDriver, from: number, to: number): void {
  for (let number = from; number <= to; number++) {
    driver.pass(1);
    assert(driver.ask({ id: idOf(number), from: `10.0.0.1 ${number}` }) !== undefined);
  }
}

/** The numbers of the registered peers in an answer: their ports. */
function numbers(answer: Answer | undefined): number[] {
  assert(answer !== undefined, "no answer");
  return answer.records.map(({ port }) => port).sort((a, b) => a - b);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

// SC1: the group is known.

test("a request for a group that is not there is dropped", () => {
  const driver = new RegistryDriver({ groups: [{ id: 7 }] });
  assertEquals(driver.reasonFor({ group: 8 }), "drop-unknown-group");
  assertEquals(driver.reasonFor({ group: 8, sealed: 1 }), "drop-unknown-group");
  assertEquals(driver.reasonFor({ group: 7 }), undefined);
});

test("groups have their own secrets and peers", () => {
  const secret = OTHER_SECRET;
  const driver = new RegistryDriver({ groups: [{}, { id: 0xffff_ffff, secret }] });
  const group = 0xffff_ffff;
  assertEquals(texts(driver.ask({ id: A, from: FROM_A })), [text(A, "198.51.100.1:1000")]);
  assertEquals(texts(driver.ask({ id: B, group, secret, from: "10.0.0.9 9" })), [
    text(B, "10.0.0.9:9"),
  ]);
  assertEquals(texts(driver.ask({ id: A, group, secret, flags: 1 })), [text(B, "10.0.0.9:9")]);
  assertEquals(driver.reasonFor({ id: idOf(3), group }), "drop-bad-mac");
  assertEquals(driver.reasonFor({ id: idOf(3), secret }), "drop-bad-mac");
});

test("a group that is removed answers no more, and comes back without peers", () => {
  const driver = new RegistryDriver();
  driver.ask({ id: A });
  driver.registry.removeGroup(0, driver.mono);
  assertEquals(driver.reasonFor({ id: B }), "drop-unknown-group");
  driver.addGroup({});
  assertEquals(texts(driver.ask({ id: B, flags: 1 })), []);
});

test("an encrypted request whose SGROUP is another known group is dropped", () => {
  const driver = new RegistryDriver({ groups: [{}, { id: 5 }] });
  const asked = { id: A, group: 0, sealed: 1, envelopeGroup: 5 };
  assertEquals(driver.reasonFor(asked), "drop-group-mismatch");
  assertEquals(driver.snapshot(), new RegistryDriver({ groups: [{}, { id: 5 }] }).snapshot());
});

test("an encrypted request with another secret is told apart from one for no group", () => {
  const driver = new RegistryDriver();
  const asked = { secret: OTHER_SECRET, sealed: 1 };
  assertEquals(driver.reasonFor(asked), "drop-group-mismatch");
  assertEquals(driver.reasonFor({ ...asked, envelopeGroup: 3 }), "drop-unknown-group");
});

// SC2: the allow-list.

test("with an allow-list, only its peers are let in", () => {
  const driver = new RegistryDriver({ groups: [{ allowed: [A] }] });
  for (const flags of [0, 1, 2, 3]) {
    assertEquals(driver.reasonFor({ id: B, flags }), "drop-not-allowed");
  }
  assertEquals(texts(driver.ask({ id: A, from: FROM_A })), [text(A, "198.51.100.1:1000")]);
});

test("an empty allow-list lets nobody in", () => {
  const driver = new RegistryDriver({ groups: [{ allowed: [] }] });
  assertEquals(driver.reasonFor({ id: A }), "drop-not-allowed");
});

// SC3: the time window.

test("a label up to 30 seconds off is let in, further ones are dropped", () => {
  const driver = new RegistryDriver();
  driver.unix = T0 + 0.999;
  for (const offset of [-30, -29, 0, 29, 30]) {
    assertEquals(driver.reasonFor({ id: idOf(100 + offset), seconds: T0 + offset }), undefined);
  }
  for (const offset of [-100_000, -31, 31, 100_000]) {
    const reason = driver.reasonFor({ id: idOf(200), seconds: T0 + offset });
    assertEquals(reason, "drop-outside-window", `${offset}`);
  }
});

test("the window can be set", () => {
  const driver = new RegistryDriver();
  driver.registry.configure({ encryption: "auto", window: 5 });
  assertEquals(driver.reasonFor({ seconds: T0 - 6 }), "drop-outside-window");
  assertEquals(driver.reasonFor({ seconds: T0 + 6 }), "drop-outside-window");
  assertEquals(driver.reasonFor({ seconds: T0 + 5 }), undefined);
});

test("a label that is none is dropped, whatever the clock says", () => {
  const driver = new RegistryDriver();
  const { payload } = requestOf({ id: A });
  for (const first of [0x00, 0x3f, 0x60, 0x80, 0xc0, 0xff]) {
    const changed = payload.slice();
    changed[32] = first;
    assertEquals(driver.reasonFor({ payload: changed }), "drop-bad-label", `${first}`);
  }
  for (const nanoseconds of [1_000_000_000, 0xffff_ffff]) {
    assertEquals(driver.reasonFor({ id: A, nanoseconds }), "drop-bad-label");
  }
  assertEquals(driver.reasonFor({ id: A, nanoseconds: 999_999_999 }), undefined);
});

// SC4: each label once.

test("a label must be later than the last one, to the nanosecond", () => {
  const driver = new RegistryDriver();
  assertEquals(driver.reasonFor({ id: A, nanoseconds: 500 }), undefined);
  for (const [seconds, nanoseconds] of [[T0, 500], [T0, 499], [T0, 0], [T0 - 1, 999_999_999]]) {
    const asked = { id: A, seconds: seconds!, nanoseconds: nanoseconds! };
    assertEquals(driver.reasonFor(asked), "drop-replayed");
    assertEquals(driver.reasonFor({ ...asked, flags: 3, sealed: 1 }), "drop-replayed");
  }
  assertEquals(driver.reasonFor({ id: A, nanoseconds: 501 }), undefined);
  assertEquals(driver.reasonFor({ id: A, seconds: T0 + 1 }), undefined);
  assertEquals(driver.reasonFor({ id: B, nanoseconds: 1 }), undefined, "another peer's");
});

test("the same request twice in one batch is answered once", () => {
  const driver = new RegistryDriver();
  const request = requestOf({ id: A });
  const answers = driver.send([request, request, requestOf({ id: A, sealed: 3 })]);
  assertEquals(answers.map((answer) => answer !== undefined), [true, false, false]);
  assertEquals(driver.drops, [{ reason: "drop-replayed", i: 1 }, {
    reason: "drop-replayed",
    i: 2,
  }]);
});

test("a request with another request's label is dropped after CLFLG 3 as after any other", () => {
  const driver = new RegistryDriver();
  driver.ask({ id: A, from: FROM_A });
  const asked = { id: A, nanoseconds: 5, flags: 3 };
  assertEquals(driver.reasonFor(asked), undefined);
  for (const flags of [0, 1, 2, 3]) {
    assertEquals(driver.reasonFor({ ...asked, flags }), "drop-replayed");
  }
});

test("a request of a peer that is not in the table can't be replayed either", () => {
  for (const flags of [1, 3]) {
    const driver = new RegistryDriver();
    assertEquals(driver.reasonFor({ id: A, flags }), undefined);
    for (const again of [0, 1, 2, 3]) {
      assertEquals(driver.reasonFor({ id: A, flags: again }), "drop-replayed");
    }
    assertEquals(driver.reasonFor({ id: A, flags: 0, nanoseconds: 1 }), undefined);
  }
});

test("a peer's requests can't be replayed after its record has expired", () => {
  const driver = new RegistryDriver({ groups: [{ maxAge: 5 }] });
  const asked = { id: A, seconds: T0, nanoseconds: 7 };
  driver.ask(asked);
  driver.ask({ id: A, seconds: T0, nanoseconds: 9, flags: 3 });
  driver.pass(6);
  driver.registry.expire(driver);
  assertEquals(driver.group().table.count, 0);
  assertEquals(driver.reasonFor(asked), "drop-replayed");
  assertEquals(driver.reasonFor({ ...asked, nanoseconds: 9 }), "drop-replayed");
  assertEquals(driver.reasonFor({ ...asked, nanoseconds: 10 }), undefined);
});

test("a request is refused for its whole window, if not as a replay then for its age", () => {
  for (const before of range(0, 70)) {
    const driver = new RegistryDriver({ groups: [{ maxAge: 3 }] });
    // Others make the memory of labels turn over, some time before and every five seconds after.
    driver.ask({ id: idOf(1000), flags: 1 });
    driver.pass(before);
    const asked = { id: A, seconds: driver.unix + 30 };
    driver.ask(asked);
    for (let step = 1; step < 20; step++) {
      driver.pass(5);
      driver.registry.expire(driver);
      driver.ask({ id: idOf(1000 + step), flags: step % 2 });
      assertNotEquals(driver.reasonFor(asked), undefined, `${before} s, ${step} steps`);
    }
  }
});

test("a clock that was ahead locks a peer out for one window, not until that time", () => {
  const driver = new RegistryDriver();
  driver.unix += 3600;
  assertEquals(driver.reasonFor({ id: A, from: FROM_A }), undefined);
  driver.unix -= 3600;
  driver.pass(10);
  const heard = { id: A, from: FROM_A, seconds: driver.unix + 30 };
  assertEquals(driver.reasonFor(heard), "drop-replayed");
  driver.pass(31);
  assertEquals(driver.reasonFor({ id: A, from: FROM_A }), undefined);
  // And what was heard stays so.
  assertEquals(driver.reasonFor({ ...heard, seconds: driver.unix }), "drop-replayed");
});

test("a label of a clock that was ahead locks nobody out over a restart", () => {
  const driver = new RegistryDriver();
  driver.unix += 3600;
  assertEquals(driver.reasonFor({ id: A, from: FROM_A }), undefined);
  const state = encodeState(driver.registry, driver);
  const next = startedAfter(driver, 10, {});
  next.unix -= 3600;
  restoreState(state, next.registry, next);
  assertEquals(next.reasonFor({ id: A, from: FROM_A }), "drop-replayed");
  next.pass(31);
  assertEquals(next.reasonFor({ id: A, from: "198.51.100.9 9" }), undefined);
});

// SC5: the MAC.

test("a request with any one bit changed is dropped, and changes nothing", () => {
  const driver = new RegistryDriver({ groups: [{}, { id: 1 }] });
  register(driver, 1, 12);
  const before = driver.snapshot();
  const { payload } = requestOf({ id: A, seconds: driver.unix, nanoseconds: 5 });
  for (let bit = 0; bit < 8 * payload.length; bit++) {
    const changed = payload.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    const reason = driver.reasonFor({ payload: changed });
    assertNotEquals(reason, undefined, `bit ${bit}`);
    if (bit < 8 * 32 || bit >= 8 * 50) assertEquals(reason, "drop-bad-mac", `bit ${bit}`);
  }
  assertEquals(driver.snapshot(), before);
  assertEquals(driver.reasonFor({ payload }), undefined);
});

test("a request with a wrong MAC uses up no label", () => {
  const driver = new RegistryDriver();
  const asked = { id: A, nanoseconds: 5 };
  assertEquals(driver.reasonFor({ ...asked, secret: OTHER_SECRET }), "drop-bad-mac");
  assertEquals(driver.reasonFor({ ...asked, flags: 1 }), undefined);
  assertEquals(
    driver.reasonFor({ ...asked, nanoseconds: 6, secret: OTHER_SECRET }),
    "drop-bad-mac",
  );
  assertEquals(driver.reasonFor({ ...asked, nanoseconds: 6 }), undefined);
});

// What a request changes.

test("CLFLG 0 and 2 store endpoint and label, 1 the label, 3 neither", () => {
  const driver = new RegistryDriver();
  const ask = (step: number, flags: number) =>
    texts(driver.ask({ id: A, nanoseconds: step, flags, from: `10.0.0.${step} ${step}` }));
  assertEquals(ask(1, 0), [text(A, "10.0.0.1:1", T0, 1)]);
  assertEquals(ask(2, 1), [text(A, "10.0.0.1:1", T0, 2)]);
  assertEquals(ask(3, 2), [text(A, "10.0.0.3:3", T0, 3)]);
  assertEquals(ask(4, 3), [text(A, "10.0.0.3:3", T0, 3)]);
  assertEquals(ask(5, 0), [text(A, "10.0.0.5:5", T0, 5)]);
});

test("an unknown peer is added with CLFLG 0 and 2, and only answered with 1 and 3", () => {
  for (const [flags, added] of [[0, true], [1, false], [2, true], [3, false]] as const) {
    const driver = new RegistryDriver();
    const expected = added ? [text(A, "198.51.100.1:1000")] : [];
    assertEquals(texts(driver.ask({ id: A, flags, from: FROM_A })), expected, `CLFLG ${flags}`);
    assertEquals(driver.held(), expected);
  }
});

test("CLFLG 3 does not keep a record alive, 1 does", () => {
  for (const [flags, expired] of [[1, 0], [3, 1]] as const) {
    const driver = new RegistryDriver({ groups: [{ maxAge: 10 }] });
    driver.ask({ id: A });
    driver.pass(8);
    driver.ask({ id: A, flags });
    driver.pass(8);
    driver.registry.expire(driver);
    assertEquals(driver.registry.counters.get("expired"), expired, `CLFLG ${flags}`);
  }
});

test("extension bits that are not known are passed over, and SVEXT accepts none of them", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffff }), (flags) => {
    const outcomes = [flags, flags & 3].map((flags) => {
      const driver = new RegistryDriver();
      // The driver checks that SVEXT is 0.
      const first = texts(driver.ask({ id: A, flags, from: FROM_A }));
      driver.ask({ id: A, nanoseconds: 1, from: "10.0.0.1 1" });
      return [first, texts(driver.ask({ id: A, nanoseconds: 2, flags, from: FROM_A }))];
    });
    assertEquals(outcomes[0], outcomes[1]);
  }));
});

test("what is to be saved is noted, and nothing else", () => {
  const driver = new RegistryDriver({ groups: [{ maxAge: 10 }] });
  const needs = driver.registry.keepChanges("rows");
  const changes = (act: () => unknown) => {
    Object.assign(needs, { patience: Infinity, wentOn: false });
    act();
    if (needs.patience < Infinity) return "soon";
    return needs.wentOn ? "at the end" : "no";
  };
  assertEquals(changes(() => driver.ask({ id: A, secret: OTHER_SECRET })), "no");
  assertEquals(changes(() => driver.registry.expire(driver)), "no");
  assertEquals(changes(() => driver.ask({ id: A })), "soon");
  assertEquals(changes(() => driver.ask({ id: A })), "no", "a replay");
  driver.pass(1);
  const label = { nanoseconds: 1, seconds: T0 };
  assertEquals(changes(() => driver.ask({ id: A, ...label, flags: 3 })), "at the end");
  driver.pass(11);
  assertEquals(changes(() => driver.registry.expire(driver)), "soon");
});

test("the observer is told of new peers and of endpoints that are others, once", () => {
  const driver = new RegistryDriver();
  const a = formatKey(A);
  const told = (asked: Asked) => {
    driver.changes.length = 0;
    driver.pass(1);
    driver.ask({ id: A, ...asked });
    return driver.changes.join();
  };
  assertEquals(told({ flags: 1 }), "");
  assertEquals(told({ from: "10.0.0.1 1" }), `new 0 ${a}`);
  assertEquals(told({ from: "10.0.0.1 1" }), "");
  assertEquals(told({ from: "10.0.0.1 2" }), `moved 0 ${a}`);
  assertEquals(told({ from: "10.0.0.2 2" }), `moved 0 ${a}`);
  assertEquals(told({ from: "10.0.0.3 3", flags: 1 }), "");
  assertEquals(told({ from: "10.0.0.3 3", flags: 3 }), "");
});

test("a peer whose first endpoint has the bytes of an empty record's is stored all the same", () => {
  // The mask itself as an address: masked, it is zero.
  const driver = new RegistryDriver();
  assertEquals(texts(driver.ask({ id: A, from: "50.45.204.172 1" })), [
    text(A, "50.45.204.172:1"),
  ]);
  assertEquals(driver.changes, [`new 0 ${formatKey(A)}`]);
});

// Where a request comes from.

test("a peer that asks over IPv6 is answered but not added", () => {
  const driver = new RegistryDriver();
  assertEquals(texts(driver.ask({ id: A, from: "2001:db8::1 1000" })), []);
  assertEquals(driver.held(), []);
  assertEquals(driver.registry.counters.get("ipv6-source"), 1);
  assertEquals(driver.reasonFor({ id: A, from: FROM_A }), "drop-replayed");
});

test("a known peer that asks over IPv6 keeps its IPv4 endpoint and gets a new label", () => {
  const driver = new RegistryDriver();
  driver.ask({ id: A, from: FROM_A });
  const answer = driver.ask({ id: A, nanoseconds: 1, from: "2001:db8::1 2000" });
  assertEquals(texts(answer), [text(A, "198.51.100.1:1000", T0, 1)]);
  assertEquals(driver.changes.length, 1);
});

test("an IPv4-mapped source counts as IPv4", () => {
  const buffer = new WireBuffer(36);
  assert(parseAddress("198.51.100.1", buffer, 0) && parseAddress("::ffff:c633:6401", buffer, 18));
  assertEquals(hex(buffer.bytes.slice(0, 16)), hex(buffer.bytes.slice(18, 34)));
  const driver = new RegistryDriver();
  assertEquals(texts(driver.ask({ id: A, from: "::ffff:c633:6401 1000" })), [
    text(A, "198.51.100.1:1000"),
  ]);
  assertEquals(driver.registry.counters.get("ipv6-source"), 0);
});

test("a datagram from port 0 is dropped: an answer could not reach it", () => {
  const driver = new RegistryDriver();
  assertEquals(driver.reasonFor({ id: A, from: "198.51.100.1 0" }), "drop-source-port-0");
  assertEquals(driver.reasonFor({ id: A, from: "2001:db8::1 0" }), "drop-source-port-0");
  assertEquals(driver.reasonFor({ id: A, from: "198.51.100.1 65535" }), undefined);
});

// Sizes.

test("what is shorter than a request is dropped, though the slot holds an old one's bytes", () => {
  const driver = new RegistryDriver();
  const { payload } = requestOf({ id: A, nanoseconds: 1 });
  const sealed = requestOf({ id: A, nanoseconds: 2, sealed: 1 }).payload;
  // Out of the window: the bytes stay in the slot.
  driver.unix += 100;
  driver.send([{ payload: sealed }]);
  driver.unix -= 100;
  for (let size = 0; size < sealed.length; size++) {
    const reason = driver.reasonFor({ payload: sealed.slice(0, size) });
    assertEquals(reason, size < 82 ? "drop-too-short" : "drop-unknown-group", `${size} bytes`);
  }
  for (let size = 0; size < payload.length; size++) {
    assertEquals(driver.reasonFor({ payload: payload.slice(0, size) }), "drop-too-short");
  }
  assertEquals(driver.reasonFor({ payload: sealed }), undefined);
});

test("up to 2048 bytes are taken, more are dropped", () => {
  for (const sealed of [undefined, 1]) {
    const driver = new RegistryDriver();
    const size = sealed === undefined ? 82 : 98;
    const ask = (nanoseconds: number, length: number) =>
      driver.reasonFor(requestOf({
        id: A,
        nanoseconds,
        ...sealed === undefined ? {} : { sealed },
        padding: new Uint8Array(length - size).fill(0xff),
      }));
    assertEquals(ask(1, 2048), undefined);
    assertEquals(ask(2, 2049), "drop-too-long");
    assertEquals(ask(2, 60_000), "drop-too-long");
    assertEquals(ask(2, 2048), undefined);
  }
});

test("whatever follows a request means nothing, encrypted or not", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1900 }), fc.boolean(), (padding, isSealed) => {
    const driver = new RegistryDriver();
    const answer = driver.ask({ id: A, padding, from: FROM_A, ...isSealed ? { sealed: 5 } : {} });
    assertEquals(texts(answer), [text(A, "198.51.100.1:1000")]);
    assertEquals(answer?.sealed, isSealed);
  }));
});

test("a plain request with something after it is taken, even if it looks encrypted", () => {
  const driver = new RegistryDriver();
  // SGROUP is bytes 0 to 3, the end of the nonce 12 to 15: alike, they stand for group 0.
  const id = new Uint8Array(32).fill(0x31);
  const answer = driver.ask({ id, padding: new Uint8Array(40), from: FROM_A });
  assertEquals(texts(answer), [text(id, "198.51.100.1:1000")]);
  assertEquals(answer?.sealed, false);
});

// Encryption.

test("requests are answered in the form in which they came", () => {
  const driver = new RegistryDriver();
  assertEquals(driver.ask({ id: A })?.sealed, false);
  assertEquals(driver.ask({ id: A, nanoseconds: 1, sealed: 1 })?.sealed, true);
  assertEquals(driver.ask({ id: A, nanoseconds: 2 })?.sealed, false);
});

test("where encryption is required, plain requests are dropped", () => {
  const driver = new RegistryDriver({ encryption: "required" });
  assertEquals(driver.reasonFor({ id: A }), "drop-not-encrypted");
  const padding = new Uint8Array(100);
  assertEquals(driver.reasonFor({ id: A, padding }), "drop-not-encrypted");
  assertEquals(driver.reasonFor({ id: A, sealed: 1, padding }), undefined);
});

test("where encryption is off, encrypted requests are dropped", () => {
  const driver = new RegistryDriver({ encryption: "off" });
  assertEquals(driver.reasonFor({ id: A, sealed: 1 }), "drop-encrypted");
  assertEquals(driver.reasonFor({ id: A }), undefined);
  driver.registry.configure({ encryption: "auto", window: 30 });
  assertEquals(driver.reasonFor({ id: A, nanoseconds: 1, sealed: 1 }), undefined);
});

test("answers to one batch that say the same are the same bytes, under the same nonce", () => {
  const driver = new RegistryDriver();
  const requests = range(1, 5).map((number) => requestOf({ id: idOf(number), sealed: number }));
  const answers = driver.send(requests).map((answer) => answer!.datagrams.map(hex).join());
  assertEquals(new Set(answers).size, 1);
  assertEquals(driver.ciphertexts.size, 1);
});

test("answers between which nothing changed are the same bytes, others have another nonce", () => {
  const driver = new RegistryDriver();
  driver.ask({ id: A });
  const ask = (nanoseconds: number, flags: number) =>
    driver.ask({ id: B, nanoseconds, flags, sealed: 1 })!.datagrams[0]!;
  const first = ask(1, 3);
  assertEquals(hex(ask(2, 3)), hex(first));
  assertNotEquals(hex(ask(3, 0).slice(4, 16)), hex(first.slice(4, 16)));
});

// Answers.

for (const count of [0, 1, 9, 10, 11, 20, 25]) {
  test(`an answer with ${count} peers has ${Math.max(1, Math.ceil(count / 10))} datagrams`, () => {
    const driver = new RegistryDriver();
    register(driver, 1, count);
    for (const sealed of [undefined, 4]) {
      driver.pass(1);
      const form = sealed === undefined ? {} : { sealed };
      // The driver checks N_OTHER, GROUP and MAC of each datagram, and that only the last has gaps.
      const answer = driver.ask({ id: idOf(999), flags: 1, ...form });
      assertEquals(answer?.datagrams.length, Math.max(1, Math.ceil(count / 10)));
      assertEquals(numbers(answer), range(1, count));
      assertEquals(answer?.records.length, count);
    }
  });
}

test("an answer is limited to the peers seen last; the first datagram has the last ten", () => {
  const driver = new RegistryDriver({ groups: [{ maxAnswer: 20 }] });
  register(driver, 1, 45);
  driver.pass(1);
  driver.ask({ id: idOf(3), from: "10.0.0.1 3" });
  const answer = driver.ask({ id: idOf(999), flags: 1 });
  assertEquals(answer?.datagrams.length, 2);
  assertEquals(numbers(answer), [3, ...range(27, 45)]);
  const first = answer!.records.slice(0, 10).map(({ port }) => port).sort((a, b) => a - b);
  assertEquals(first, [3, ...range(37, 45)]);
  assertEquals(driver.group().table.count, 45);
});

test("a batch is admitted as a whole: its first answer shows what its last request changed", () => {
  const driver = new RegistryDriver();
  const answers = driver.send(
    range(1, 64).map((number) =>
      requestOf({
        id: idOf(number),
        from: `10.0.0.1 ${number}`,
        ...number % 2 === 0 ? { sealed: number } : {},
      })
    ),
  );
  for (const answer of answers) assertEquals(numbers(answer), range(1, 64));
});

test("answers stay right when the table grows within a batch", () => {
  const driver = new RegistryDriver();
  register(driver, 1, 150);
  driver.ask({ id: idOf(999), flags: 1, sealed: 1 });
  const answers = driver.send(
    range(151, 200).map((number) =>
      requestOf({ id: idOf(number), seconds: driver.unix, from: `10.0.0.1 ${number}`, sealed: 2 })
    ),
  );
  for (const answer of answers) assertEquals(numbers(answer), range(1, 200));
});

test("beyond its budget a source gets the first datagram alone, and others all of theirs", () => {
  const driver = new RegistryDriver();
  driver.mayCut = true;
  register(driver, 1, 40);
  const budget = { bytesPerSecond: 3 * 540, burst: 2 * 3 * 540 };
  driver.registry.limitAnswers(new AnswerBudget(budget, 7));
  const datagrams = (number: number, from: string) =>
    driver.ask({ flags: KEEP_ENDPOINT, id: idOf(number), from })?.datagrams.length;
  assertEquals([100, 101, 102].map((id) => datagrams(id, "192.0.2.1 1")), [4, 4, 1]);
  // One prefix is one source, whatever its addresses and ports are.
  assertEquals(datagrams(103, "192.0.2.200 2"), 1);
  assertEquals(datagrams(104, "198.51.100.1 1"), 4);
  assertEquals(driver.registry.counters.get("answer-cut"), 2);
  assertEquals(driver.drops.map(({ reason }) => reason), ["answer-cut", "answer-cut"]);
  driver.pass(1);
  assertEquals([105, 106].map((id) => datagrams(id, "192.0.2.1 1")), [4, 1]);
  driver.registry.limitAnswers(new AnswerBudget({ bytesPerSecond: 0, burst: 0 }, 7));
  assertEquals(datagrams(107, "192.0.2.1 1"), 4);
});

// A full table.

test("a stranger is answered by a full table but pushes no fresh record out", () => {
  const driver = new RegistryDriver({ groups: [{ maxPeers: 3, maxAge: 100 }] });
  register(driver, 1, 3);
  driver.pass(97);
  assertEquals(numbers(driver.ask({ id: idOf(4), from: "10.0.0.1 4" })), [1, 2, 3]);
  assertEquals(driver.registry.counters.get("no-room"), 1);
  assertEquals(driver.registry.counters.get("pushed-out"), 0);
  assertEquals(driver.reasonFor({ id: idOf(4), flags: 1 }), "drop-replayed");
  driver.pass(1);
  assertEquals(numbers(driver.ask({ id: idOf(2), from: "10.0.0.1 2" })), [1, 2, 3]);
});

test("a stranger takes the place of the record that was silent longest, once it is stale", () => {
  const driver = new RegistryDriver({ groups: [{ maxPeers: 3, maxAge: 100 }] });
  register(driver, 1, 3);
  driver.pass(1);
  driver.ask({ id: idOf(1), from: "10.0.0.1 1" });
  driver.pass(99);
  assertEquals(numbers(driver.ask({ id: idOf(4), from: "10.0.0.1 4" })), [1, 3, 4]);
  assertEquals(driver.registry.counters.get("pushed-out"), 1);
  assertEquals(numbers(driver.ask({ id: idOf(5), from: "10.0.0.1 5" })), [1, 3, 4]);
  assertEquals(driver.registry.counters.get("no-room"), 1);
});

test("a record that was pushed out does not open its peer to replays", () => {
  const driver = new RegistryDriver({ groups: [{ maxPeers: 1, maxAge: 3 }] });
  const asked = { id: A, seconds: T0 };
  driver.ask(asked);
  driver.pass(4);
  driver.ask({ id: B });
  assertEquals(driver.held().length, 1);
  assertEquals(driver.reasonFor({ ...asked, flags: 1 }), "drop-replayed");
});

test("who was in a full table stays there, and may move", () => {
  const driver = new RegistryDriver({ groups: [{ maxPeers: 2 }] });
  register(driver, 1, 2);
  driver.pass(1);
  const answer = driver.ask({ id: idOf(1), from: "10.0.0.1 11" });
  assertEquals(numbers(answer), [2, 11]);
});

// Age.

test("records expire that were not renewed for longer than their group's maximal age", () => {
  const driver = new RegistryDriver({ groups: [{ maxAge: 10 }, { id: 1, maxAge: 20 }] });
  driver.ask({ id: A });
  driver.ask({ id: A, group: 1 });
  driver.pass(5);
  driver.ask({ id: B });
  driver.pass(5);
  driver.registry.expire(driver);
  assertEquals([driver.held().length, driver.held(1).length], [2, 1]);
  driver.pass(0.001);
  driver.registry.expire(driver);
  assertEquals([driver.held().length, driver.held(1).length], [1, 1]);
  driver.pass(10);
  driver.registry.expire(driver);
  assertEquals([driver.held().length, driver.held(1).length], [0, 0]);
  assertEquals(driver.registry.counters.get("expired"), 3);
});

test("a wall clock that jumps makes no record older", () => {
  const driver = new RegistryDriver({ groups: [{ maxAge: 10 }] });
  driver.ask({ id: A });
  driver.unix += 1e6;
  driver.registry.expire(driver);
  assertEquals(driver.held().length, 1);
  driver.unix -= 2e6;
  driver.mono += 11;
  driver.registry.expire(driver);
  assertEquals(driver.held().length, 0);
});

test("an answer after records have expired shows the others only", () => {
  const driver = new RegistryDriver({ groups: [{ maxAge: 10 }] });
  register(driver, 1, 25);
  driver.registry.expire(driver);
  const answer = driver.ask({ id: idOf(999), flags: 1, sealed: 3 });
  assertEquals(numbers(answer), range(15, 25));
  assertEquals(answer?.datagrams.length, 2);
});

// New settings.

test("with a new secret, all datagrams have new MACs and the old secret is refused", () => {
  const driver = new RegistryDriver();
  register(driver, 1, 25);
  driver.ask({ id: idOf(999), flags: 1 });
  driver.ask({ id: idOf(999), flags: 1, nanoseconds: 1, sealed: 1 });
  driver.configureGroup({ secret: OTHER_SECRET });
  assertEquals(driver.reasonFor({ id: A, nanoseconds: 5 }), "drop-bad-mac");
  assertEquals(driver.reasonFor({ id: A, nanoseconds: 5, sealed: 1 }), "drop-group-mismatch");
  const secret = OTHER_SECRET;
  // The driver checks every MAC with the new secret.
  const plain = driver.ask({ id: idOf(999), flags: 1, nanoseconds: 2, secret });
  assertEquals(numbers(plain), range(1, 25));
  const sealed = driver.ask({ id: idOf(999), flags: 1, nanoseconds: 3, secret, sealed: 1 });
  assertEquals(numbers(sealed), range(1, 25));
});

test("while a group has two secrets, each peer is answered with the one that it asks with", () => {
  const driver = new RegistryDriver({ groups: [{ secret: NEW_SECRET, formerSecret: SECRET }] });
  // The driver checks that an answer has the MAC, and opens with the key, of its question's secret.
  const answers = driver.send(
    range(1, 64).map((number) =>
      requestOf({
        id: idOf(number),
        from: `10.0.0.1 ${number}`,
        secret: number % 3 === 0 ? NEW_SECRET : SECRET,
        ...number % 2 === 0 ? { sealed: number } : {},
      })
    ),
  );
  for (const answer of answers) assertEquals(numbers(answer), range(1, 64));
  assertEquals(driver.registry.counters.get("former-secret"), 64 - 21);
  assertEquals(driver.drops.length, 64 - 21);
  assert(driver.drops.every(({ reason }) => reason === "former-secret"));
  assertEquals(driver.registry.counters.get("answered"), 64);
});

test("a third secret, or one of another group, is refused by a group with two", () => {
  const groups = [
    { secret: NEW_SECRET, formerSecret: SECRET },
    { id: 1, secret: OTHER_SECRET, formerSecret: new Uint8Array(32).fill(7) },
  ];
  const driver = new RegistryDriver({ groups });
  const before = driver.snapshot();
  assertEquals(driver.reasonFor({ secret: OTHER_SECRET }), "drop-bad-mac");
  assertEquals(driver.reasonFor({ secret: OTHER_SECRET, sealed: 1 }), "drop-group-mismatch");
  assertEquals(driver.reasonFor({ secret: SECRET, group: 1 }), "drop-bad-mac");
  assertEquals(driver.reasonFor({ secret: SECRET, group: 1, sealed: 2 }), "drop-group-mismatch");
  const mixed = requestOf({ secret: SECRET, sealed: 3 });
  mixed.payload[97]! ^= 1;
  assertEquals(driver.reasonFor(mixed), "drop-bad-mac");
  assertEquals(driver.snapshot(), before);
  assertEquals(driver.registry.counters.get("former-secret"), 0);
});

test("a secret is changed over two steps without a peer that is not heard meanwhile", () => {
  const driver = new RegistryDriver({ groups: [{ secret: SECRET }] });
  register(driver, 1, 25);
  driver.pass(1);
  driver.configureGroup({ secret: NEW_SECRET, formerSecret: SECRET });
  for (const secret of [SECRET, NEW_SECRET]) {
    for (const sealed of [undefined, 5]) {
      driver.pass(1);
      const form = sealed === undefined ? {} : { sealed };
      const answer = driver.ask({ id: A, from: "10.0.0.1 1", secret, ...form });
      assertEquals(numbers(answer), range(1, 25));
    }
  }
  driver.configureGroup({ secret: NEW_SECRET });
  driver.pass(1);
  assertEquals(driver.reasonFor({ id: A, secret: SECRET }), "drop-bad-mac");
  assertEquals(driver.reasonFor({ id: A, secret: SECRET, sealed: 1 }), "drop-group-mismatch");
  assertEquals(numbers(driver.ask({ id: B, flags: 1, secret: NEW_SECRET })), range(1, 25));
});

test("a label that was used with one secret is used up for the other", () => {
  const driver = new RegistryDriver({ groups: [{ secret: NEW_SECRET, formerSecret: SECRET }] });
  for (const [used, other] of [[SECRET, NEW_SECRET], [NEW_SECRET, SECRET]] as const) {
    driver.pass(1);
    assertEquals(driver.reasonFor({ id: B, secret: NEW_SECRET, flags: 1 }), undefined);
    driver.ask({ id: A, secret: used });
    assertEquals(driver.reasonFor({ id: A, secret: other }), "drop-replayed");
    assertEquals(driver.reasonFor({ id: A, secret: other, sealed: 1 }), "drop-replayed");
  }
});

test("whatever two secrets are asked with, in whatever order, what changed is in each answer", () => {
  const question = fc.record({
    number: fc.integer({ min: 1, max: 40 }),
    isFormer: fc.boolean(),
    isSealed: fc.boolean(),
    keeps: fc.boolean(),
  });
  const step = fc.oneof(
    { weight: 20, arbitrary: question },
    { weight: 1, arbitrary: fc.constant("same secrets again" as const) },
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const secrets = { secret: NEW_SECRET, formerSecret: SECRET };
    const driver = new RegistryDriver({ groups: [secrets] });
    const there = new Map<number, number>();
    steps.forEach((step, i) => {
      driver.pass(1);
      if (step === "same secrets again") return driver.configureGroup(secrets);
      const { number, isFormer, isSealed, keeps } = step;
      if (!keeps) there.set(number, i + 1);
      const answer = driver.ask({
        id: idOf(number),
        from: `10.0.0.1 ${i + 1}`,
        flags: keeps ? KEEP_ENDPOINT : 0,
        secret: isFormer ? SECRET : NEW_SECRET,
        ...isSealed ? { sealed: i } : {},
      });
      assertEquals(numbers(answer), [...there.values()].sort((a, b) => a - b));
    });
  }));
});

test("a group has one secret or two of 32 bytes, and keeps what it has where others are wrong", () => {
  const driver = new RegistryDriver();
  const group = driver.group();
  const options = { id: 0, primitives: PORTABLE, allowed: undefined, maxAge: 300, window: 30 };
  const wrong = [[], [SECRET, NEW_SECRET, OTHER_SECRET], [new Uint8Array(31)], [
    NEW_SECRET,
    new Uint8Array(33),
  ]];
  for (const secrets of wrong) {
    assertThrows(() => group.configure({ ...options, secrets }, driver.mono), RangeError);
    driver.pass(1);
    assertEquals(driver.reasonFor({ id: A, secret: SECRET }), undefined);
  }
});

test("peers that a new allow-list leaves out are removed, and can't be replayed afterwards", () => {
  const driver = new RegistryDriver();
  register(driver, 1, 25);
  const allowed = range(11, 25).map(idOf);
  driver.configureGroup({ allowed });
  assertEquals(numbers(driver.ask({ id: idOf(11), nanoseconds: 1, flags: 3 })), range(11, 25));
  assertEquals(driver.reasonFor({ id: A }), "drop-not-allowed");
  driver.configureGroup({});
  const replayed = { id: idOf(10), seconds: T0 + 10, flags: 1 };
  assertEquals(driver.reasonFor(replayed), "drop-replayed");
  assertEquals(driver.reasonFor({ ...replayed, nanoseconds: 1 }), undefined);
  assertEquals(driver.group().table.count, 15);
});

test("a new maximal age holds for the records that are there", () => {
  const driver = new RegistryDriver({ groups: [{ maxAge: 10 }] });
  driver.ask({ id: A });
  driver.pass(20);
  driver.configureGroup({ maxAge: 30 });
  driver.registry.expire(driver);
  assertEquals(driver.held().length, 1);
  driver.configureGroup({ maxAge: 15 });
  driver.registry.expire(driver);
  assertEquals(driver.held().length, 0);
});

test("saved peers that find no place are the oldest, and their labels stay known", () => {
  const driver = new RegistryDriver({ groups: [{ maxPeers: 2 }] });
  const group = driver.group();
  const highest = { seconds: T0, nanoseconds: 5 };
  for (const number of [3, 2, 1]) {
    const id = new WireBuffer(idOf(number));
    const peer = group.restorePeer(id, 0, 10 * number, highest, NONE, driver.mono);
    assertEquals(peer === NONE, number === 1);
    if (peer !== NONE) group.members.setEndpoint(peer, 0x0a00_0001, number);
  }
  assertEquals(numbers(driver.ask({ id: idOf(9), flags: 1 })), [2, 3]);
  const again = { id: idOf(1), seconds: T0, flags: 1 };
  assertEquals(driver.reasonFor({ ...again, nanoseconds: 5 }), "drop-replayed");
  assertEquals(driver.reasonFor({ ...again, nanoseconds: 6 }), undefined);
});

// Encryption must never use a nonce for two plaintexts.

test("a nonce is used for one plaintext only, whatever happens", () => {
  const peer = fc.nat(39);
  const operation = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ kind: fc.constant("ask"), peer, flags: fc.nat(3), pass: fc.nat(2) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("expire"), pass: fc.nat(30) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("secret"), value: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("allow"), from: fc.nat(39) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("many"), from: peer }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("plain"), peer }) },
  );
  fc.assert(
    fc.property(
      fc.array(operation, { minLength: 40, maxLength: 80, size: "max" }),
      (operations) => {
        const driver = new RegistryDriver({
          groups: [{ maxPeers: 35, maxAnswer: 30, maxAge: 40 }],
        });
        let secret = OTHER_SECRET;
        driver.configureGroup({ secret });
        const request = (number: number, flags: number, sealed: boolean) =>
          requestOf({
            id: idOf(number),
            seconds: Math.floor(driver.unix),
            flags,
            secret,
            from: `10.0.0.1 ${number + 1}`,
            ...sealed ? { sealed: number } : {},
          });
        for (const step of operations) {
          driver.pass(1);
          if ("flags" in step) {
            driver.pass(step.pass);
            assert(driver.send([request(step.peer, step.flags, true)])[0] !== undefined);
          } else if ("pass" in step) {
            driver.pass(step.pass);
            driver.registry.expire(driver);
          } else if ("value" in step) {
            secret = new Uint8Array(32).fill(step.value);
            driver.configureGroup({ secret, maxAge: 40 });
          } else if ("peer" in step) {
            driver.send([request(step.peer, 0, false)]);
          } else if (step.kind === "allow") {
            driver.configureGroup({ secret, maxAge: 40, allowed: range(0, step.from).map(idOf) });
            driver.configureGroup({ secret, maxAge: 40 });
          } else {
            driver.send(range(step.from, step.from + 20).map((number) => request(number, 0, true)));
          }
        }
      },
    ),
    { numRuns: 25 },
  );
});

test("the test above would see a nonce that is used twice", () => {
  const driver = new RegistryDriver({ random: (bytes) => bytes.fill(7) });
  driver.ask({ id: A, sealed: 1 });
  assertThrows(() => driver.ask({ id: B, sealed: 1 }), Error, "used for two plaintexts");
});

// Counters.

test("every datagram is counted, answered or with the reason for which it was dropped", () => {
  const driver = new RegistryDriver({
    encryption: "auto",
    groups: [{ allowed: range(0, 30).map(idOf), maxPeers: 2, maxAge: 50 }, { id: 5 }],
  });
  const send = (asked: Asked) => driver.ask(asked);
  send({ id: idOf(1) });
  send({ id: idOf(1) });
  send({ id: idOf(1), nanoseconds: 1, flags: 1 });
  send({ id: idOf(2), from: "2001:db8::1 1" });
  send({ id: idOf(2), nanoseconds: 1 });
  send({ id: idOf(3) });
  send({ id: idOf(31) });
  send({ id: idOf(4), group: 9 });
  send({ id: idOf(4), sealed: 1, envelopeGroup: 5 });
  send({ id: idOf(4), nanoseconds: 1_000_000_000 });
  send({ id: idOf(4), seconds: T0 + 31 });
  send({ id: idOf(4), secret: OTHER_SECRET });
  send({ id: idOf(4), from: "10.0.0.1 0" });
  driver.send([{ payload: new Uint8Array(81) }, { payload: new Uint8Array(2049) }]);
  driver.registry.configure({ encryption: "required", window: 30 });
  send({ id: idOf(5) });
  driver.registry.configure({ encryption: "off", window: 30 });
  send({ id: idOf(5), sealed: 1 });
  driver.pass(51);
  send({ id: idOf(6) });
  driver.registry.expire(driver);
  assertEquals({ ...driver.registry.counters.snapshot() }, {
    received: 18,
    answered: 6,
    sent: 6,
    registered: 3,
    updated: 1,
    expired: 1,
    "pushed-out": 1,
    "no-room": 1,
    "ipv6-source": 1,
    "drop-too-short": 1,
    "drop-too-long": 1,
    "drop-source-port-0": 1,
    "drop-unknown-group": 1,
    "drop-group-mismatch": 1,
    "drop-not-encrypted": 1,
    "drop-encrypted": 1,
    "drop-not-allowed": 1,
    "drop-bad-label": 1,
    "drop-outside-window": 1,
    "drop-replayed": 1,
    "drop-bad-mac": 1,
  });
  assertEquals(driver.drops.length, 12);
});

test("an answer of several datagrams is counted once as answered, each datagram as sent", () => {
  const driver = new RegistryDriver();
  register(driver, 1, 11);
  assertEquals(driver.registry.counters.get("answered"), 11);
  assertEquals(driver.registry.counters.get("sent"), 12);
});

test("the observer is told which datagram of a batch was dropped, and why", () => {
  const driver = new RegistryDriver();
  driver.send([
    requestOf({ id: A }),
    { payload: new Uint8Array(3) },
    requestOf({ id: B, group: 1 }),
    requestOf({ id: B }),
    requestOf({ id: B, secret: OTHER_SECRET, nanoseconds: 1 }),
  ]);
  assertEquals(driver.drops, [
    { reason: "drop-too-short", i: 1 },
    { reason: "drop-unknown-group", i: 2 },
    { reason: "drop-bad-mac", i: 4 },
  ]);
});

// Anything may come in.

test("random datagrams never throw, change nothing and get no answer", () => {
  const driver = new RegistryDriver({ groups: [{}, { id: 1, secret: OTHER_SECRET }] });
  register(driver, 1, 12);
  const before = driver.snapshot();
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 2100 }),
    fc.uint8Array({ minLength: 82, maxLength: 130 }),
    fc.uint8Array({ minLength: 98, maxLength: 200 }).map((bytes) => {
      // For group 0, encrypted: SGROUP is the end of the nonce.
      bytes.set(bytes.subarray(12, 16), 0);
      return bytes;
    }),
    fc.uint8Array({ minLength: 82, maxLength: 97 }).map((bytes) => {
      // For group 0, plain, with a label of now.
      bytes.set(requestOf({}).payload.subarray(32, 50), 32);
      return bytes;
    }),
  );
  const from = fc.constantFrom("10.0.0.1 1", "10.0.0.1 0", "2001:db8::1 5", "0.0.0.0 7");
  fc.assert(
    fc.property(fc.array(fc.record({ payload, from }), { maxLength: 64 }), (datagrams) => {
      const answers = driver.send(datagrams);
      assertEquals(answers.filter((answer) => answer !== undefined), []);
      assertEquals(driver.snapshot(), before);
    }),
    { numRuns: 60 },
  );
});

test("requests that were changed on their way never throw, change nothing and get no answer", () => {
  const driver = new RegistryDriver();
  register(driver, 1, 12);
  const before = driver.snapshot();
  const change = fc.record({ at: fc.nat(97), value: fc.integer({ min: 1, max: 255 }) });
  const asked = fc.record({
    number: fc.nat(20),
    flags: fc.nat(3),
    sealed: fc.boolean(),
    padding: fc.uint8Array({ maxLength: 30 }),
    changes: fc.uniqueArray(change, { minLength: 1, maxLength: 4, selector: ({ at }) => at }),
  });
  fc.assert(
    fc.property(asked, fc.boolean(), ({ number, flags, sealed, padding, changes }, cut) => {
      const size = sealed ? 98 : 82;
      const { payload } = requestOf({
        id: idOf(number),
        seconds: driver.unix,
        nanoseconds: 77,
        flags,
        padding,
        ...sealed ? { sealed: number } : {},
      });
      for (const { at, value } of changes) payload[at % size]! ^= value;
      const unchanged = requestOf({
        id: idOf(number),
        seconds: driver.unix,
        nanoseconds: 77,
        flags,
        ...sealed ? { sealed: number } : {},
      }).payload;
      // Two changes at one place may have undone each other.
      fc.pre(hex(payload.slice(0, size)) !== hex(unchanged));
      const sent = cut ? payload.slice(0, changes[0]!.at) : payload;
      assertEquals(driver.send([{ payload: sent }]), [undefined]);
      assertEquals(driver.snapshot(), before);
    }),
    { numRuns: 1000 },
  );
});
