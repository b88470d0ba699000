import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { CanonicalSet, copyLower } from "../../../lib/wire/dns/canonical.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import {
  canonicalName,
  type Labels,
  signedBytes,
  type SignedRecord,
} from "../../support/dnssec.ts";
import { headerBytes } from "../../support/dns.ts";
import { test } from "../../testing.ts";

const START = 3;
const NS = 2, SOA = 6, PTR = 12, TXT = 16, SRV = 33, NSEC = 47;

const letter = fc.constantFrom(..."aAzZ09-_@[`{\x00\x3f\x80\xc1\xda\xff");
const label = fc.string({ unit: letter, minLength: 1, maxLength: 12 });
const name = fc.array(label, { maxLength: 5 });

/** A message that is written with pointers wherever there was the rest of a name before. */
class Message {
  readonly bytes: number[];
  readonly #seen: { readonly labels: Labels; readonly at: number }[] = [];

  constructor(question: Labels) {
    this.bytes = headerBytes(1, 0x8400, [1, 1, 0, 0]);
    this.name(question, false);
    this.bytes.push(0, 1, 0, 1);
  }

  name(labels: Labels, isCompressed: boolean): void {
    for (let i = 0; i < labels.length; i++) {
      const rest = labels.slice(i);
      const known = this.#seen.find((each) => each.labels.join("\n") === rest.join("\n"));
      if (known !== undefined && isCompressed) {
        this.bytes.push(0xc0 | (known.at >> 8), known.at & 255);
        return;
      }
      this.#seen.push({ labels: rest, at: this.bytes.length });
      this.bytes.push(labels[i]!.length, ...Array.from(labels[i]!, (each) => each.charCodeAt(0)));
    }
    this.bytes.push(0);
  }

  record(owner: Labels, type: number, ttl: number, data: Data): void {
    this.name(owner, true);
    this.bytes.push(0, type, 0, 1, ttl >>> 24, (ttl >> 16) & 255, (ttl >> 8) & 255, ttl & 255);
    const at = this.bytes.push(0, 0);
    this.bytes.push(...data.before);
    for (const each of data.names) this.name(each, type !== SRV);
    this.bytes.push(...data.after);
    this.bytes[at - 2] = (this.bytes.length - at) >> 8;
    this.bytes[at - 1] = (this.bytes.length - at) & 255;
  }
}

interface Data {
  readonly before: readonly number[];
  readonly names: readonly Labels[];
  readonly after: readonly number[];
}

function canonicalData(type: number, { before, names, after }: Data): Uint8Array {
  assert(type > 0);
  return Uint8Array.from([...before, ...names.flatMap(canonicalName), ...after]);
}

const bytes = (size: number) =>
  fc.uint8Array({ minLength: size, maxLength: size }).map((each) => [...each]);
const some = fc.uint8Array({ maxLength: 40 }).map((each) => [...each]);
const none = fc.constant<number[]>([]);

/** A type, and data of it. */
const setOf: fc.Arbitrary<{ readonly type: number; readonly records: readonly Data[] }> = fc.oneof(
  ...[
    { type: NS, before: none, names: 1, after: none },
    { type: PTR, before: none, names: 1, after: none },
    { type: SOA, before: none, names: 2, after: bytes(20) },
    { type: SRV, before: bytes(6), names: 1, after: none },
    { type: TXT, before: some, names: 0, after: none },
    { type: NSEC, before: some, names: 0, after: none },
  ].map(({ type, before, names, after }) => {
    const data = fc.record({
      before,
      names: fc.array(name, { minLength: names, maxLength: names }),
      after,
    });
    const records = fc.array(data, { minLength: 1, maxLength: 40 }).chain((each) =>
      // Some of them twice.
      fc.array(fc.constantFrom(...each), { maxLength: 3 }).map((more) => [...each, ...more])
    );
    return records.map((records) => ({ type, records }));
  }),
);

const RRSIG = { algorithm: 0, labels: 0, expiry: 0, inception: 0, tag: 0, signer: [] };

/** What is signed of the records, without what stands before it. */
function expected(owner: Labels, type: number, ttl: number, data: readonly Data[]): Uint8Array {
  const set = data.map((each): SignedRecord => (
    { section: "answer", owner, type, ttl, data: canonicalData(type, each) }
  ));
  const rrsig = { ...RRSIG, covered: type, ttl, signature: new Uint8Array() };
  return signedBytes(rrsig, set).slice(18 + 1);
}

function sorted(set: CanonicalSet): Uint8Array {
  let buffer = new WireBuffer(0);
  const end = set.writeSorted((size) => buffer = new WireBuffer(size), 9);
  return buffer.bytes.slice(9, end);
}

const set = new CanonicalSet();

test("a record set is read from a message as another reading of RFC 4034 has it", () => {
  fc.assert(
    fc.property(
      name,
      name,
      setOf,
      fc.nat(),
      fc.boolean(),
      (question, other, { type, records }, ttl, own) => {
        const owner = own ? question : other;
        const message = new Message(question);
        const at = START + message.bytes.length;
        for (const data of records) message.record(owner, type, ttl, data);
        const buffer = new WireBuffer(Uint8Array.from([1, 2, 3, ...message.bytes, 0xff, 0xff]));
        const end = START + message.bytes.length;
        set.forget();
        assert(set.read(buffer, START, at, end));
        assertEquals(sorted(set), expected(owner, type, ttl, records));
        assertEquals([set.type, set.ttl], [type, ttl]);
        assertEquals(set.labels, owner.length);
        // Once more: the owner is known now.
        assert(set.read(buffer, START, at, end));
        assertEquals(sorted(set), expected(owner, type, ttl, records));
      },
    ),
    { numRuns: 400 },
  );
});

function wordsOf(question: Labels, records: readonly (readonly [Labels, number, number, Data])[]) {
  const message = new Message(question);
  const at = message.bytes.length;
  for (const record of records) message.record(...record);
  set.forget();
  assert(set.read(new WireBuffer(Uint8Array.from(message.bytes)), 0, at, message.bytes.length));
  return [...set.words.subarray(0, set.size)];
}

test("words are the same in whatever case names come, and in no other case", () => {
  const flipped = (labels: Labels, flips: readonly boolean[]) =>
    labels.map((label, l) =>
      Array.from(
        label,
        (each, i) => flips[(l + i) % 16] ? each.toUpperCase() : each.toLowerCase(),
      ).join("")
    );
  const ascii = fc.array(
    fc.string({ unit: fc.constantFrom(..."abyz01-_"), minLength: 1, maxLength: 9 }),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  const flips = fc.array(fc.boolean(), { minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(ascii, ascii, flips, fc.nat(9), (owner, target, flips, other) => {
      const data = (name: Labels) => ({ before: [0, 0, 0, 0, 0, other], names: [name], after: [] });
      const plain = wordsOf(owner, [[owner, SRV, 5, data(target)]]);
      const upper = flipped(owner, flips);
      assertEquals(wordsOf(upper, [[upper, SRV, 5, data(flipped(target, flips))]]), plain);
      for (
        const [type, ttl, name, last] of [
          [SRV, 6, target, other],
          [SRV, 5, [...target, "x"], other],
          [SRV, 5, target, other + 1],
          [NSEC, 5, target, other],
        ] as const
      ) {
        const changed = { before: [0, 0, 0, 0, 0, last], names: [name], after: [] };
        assert(`${wordsOf(owner, [[owner, type, ttl, changed]])}` !== `${plain}`);
      }
      assert(
        `${wordsOf([...owner, "x"], [[[...owner, "x"], SRV, 5, data(target)]])}` !== `${plain}`,
      );
    }),
    { numRuns: 200 },
  );
});

test("sets of many records have the same words in whatever order they come", () => {
  const owner = ["a"];
  const data = (i: number): Data => ({
    before: [],
    names: [[`${i * 7919 % 101}`, "b"]],
    after: [],
  });
  const records = Array.from({ length: 60 }, (_, i) => [owner, PTR, 0, data(i)] as const);
  const words = wordsOf(owner, records);
  assertEquals(wordsOf(owner, records.toReversed()), words);
  assertEquals(wordsOf(owner, [...records, ...records.slice(0, 9)]), words);
  assert(`${wordsOf(owner, records.slice(1))}` !== `${words}`);
});

test("a leftmost asterisk is no label", () => {
  const count = (owner: Labels) => {
    wordsOf(["q"], [[owner, TXT, 0, { before: [], names: [], after: [] }]]);
    return set.labels;
  };
  assertEquals(["*.a", "a.*", "*a.b", "**", "*"].map((text) => count(text.split("."))), [
    1,
    2,
    2,
    1,
    0,
  ]);
});

test("what stands for records is the same where it is, and never the records themselves", () => {
  const owner = ["a"];
  const message = new Message(owner);
  const at = message.bytes.length;
  message.record(owner, TXT, 0, { before: [1, 2, 3], names: [], after: [] });
  const buffer = new WireBuffer(Uint8Array.from(message.bytes));
  const read = (standsFor?: WireBuffer) => {
    set.forget();
    assert(set.read(buffer, 0, at, message.bytes.length, standsFor));
    return `${set.words.subarray(0, set.size)}`;
  };
  // As the records would be: 3 bytes, and zeros up to the end of a word.
  const like = new WireBuffer(Uint8Array.of(0, 3, 1, 2, 3, 0, 0, 0));
  assert(read() !== read(like));
  assertEquals(read(like), read(new WireBuffer(like.bytes.slice())));
  assert(read(like) !== read(new WireBuffer(8)));
});

test("whatever the bytes are, nothing is thrown, and reading ends", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.nat(60), (bytes, skip) => {
      const at = Math.min(skip, bytes.length);
      set.forget();
      if (set.read(new WireBuffer(bytes), 0, at, bytes.length)) sorted(set);
    }),
    { numRuns: 5000 },
  );
});

test("whole messages with bytes changed are read or not", () => {
  const change = fc.tuple(fc.nat(400), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(
      name,
      setOf,
      fc.array(change, { maxLength: 4 }),
      (owner, { type, records }, changes) => {
        const message = new Message(owner);
        const at = message.bytes.length;
        for (const data of records) message.record(owner, type, 1, data);
        const bytes = Uint8Array.from(message.bytes);
        for (const [place, byte] of changes) bytes[at + place % (bytes.length - at)] = byte;
        set.forget();
        if (set.read(new WireBuffer(bytes), 0, at, bytes.length)) sorted(set);
      },
    ),
    { numRuns: 1000 },
  );
});

test("ASCII letters alone are lowered", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (let at = 0; at < 5; at++) {
    const out = new WireBuffer(new Uint8Array(270).fill(0xa5));
    copyLower(new WireBuffer(all), at, out, 3, 256 - at);
    const wanted = [...all.subarray(at)].map((byte) => byte >= 65 && byte <= 90 ? byte + 32 : byte);
    assertEquals([...out.bytes.subarray(3, 3 + 256 - at)], wanted);
    assertEquals(out.bytes[3 + 256 - at], 0xa5);
  }
});
