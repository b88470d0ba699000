import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ZoneSigner } from "../../../../lib/core/zone/server/signer.ts";
import { Signing } from "../../../../lib/core/zone/server/signing.ts";
import { ADDITIONAL, ANSWER, AUTHORITY, QUESTION_NAME } from "../../../../lib/wire/dns/answer.ts";
import { encodeName } from "../../../../lib/wire/dns/name.ts";
import { typeBitmap } from "../../../../lib/wire/dns/nsec.ts";
import { WireBuffer } from "../../../../lib/wire/bytes/wire_buffer.ts";
import { nameBytes, queryBytes } from "../../../support/dns.ts";
import {
  canonicalName,
  checkNext,
  checkSignatures,
  checkSigned,
  dsOf,
  labelsOf,
  readNsec,
  readRrsig,
  readSigned,
  setsOf,
} from "../../../support/dnssec.ts";
import { SIGNED_ZONE, SignedAnswers, type SignedQuestion } from "../../../support/signed_answer.ts";
import { countingKey, zoneKey } from "../../../support/zone_keys.ts";
import { test } from "../../../testing.ts";

const T0 = 1_800_000_000;
const HOUR = 3600;
const A = 1, NS = 2, SOA = 6, PTR = 12, TXT = 16, AAAA = 28, SRV = 33, DS = 43;
const RRSIG = 46, NSEC = 47, DNSKEY = 48, CDS = 59, CDNSKEY = 60, NXNAME = 128;
const ADDRESS = Uint8Array.of(192, 0, 2, 1);
const GONE = typeBitmap([RRSIG, NSEC, NXNAME]);

/** Answers whose signatures cost nothing; the checker knows them. */
function quickAnswers(keys = 1, ...rest: [Signing?]): SignedAnswers {
  const made = Array.from({ length: keys }, (_, i) => countingKey(i, i % 2 === 0 ? 13 : 15, true));
  const answers = new SignedAnswers(made, undefined, ...rest);
  answers.isQuick = true;
  return answers;
}

/** How often a set was signed. */
function signedBy(answers: SignedAnswers): number {
  return answers.counters.get("dns-signed") / answers.keys.length;
}

const writeAddress = (to: SignedAnswers) => void to.set(ANSWER, QUESTION_NAME, A, 5, [ADDRESS]);

function soa(zone: string): Uint8Array {
  const numbers = [1, 2, 3, 4, 60].flatMap((each) => [0, 0, 0, each]);
  return Uint8Array.from([...nameBytes(`ns1.${zone}`), ...nameBytes(`p.${zone}`), ...numbers]);
}

test("each record set has a right signature of each key, of both algorithms", () => {
  for (const keys of [[zoneKey(1)], [zoneKey(2, 15)], [zoneKey(1), zoneKey(2, 15)]]) {
    const answers = new SignedAnswers(keys);
    const message = answers.checked({ name: `A.${SIGNED_ZONE}`, unix: T0 }, (to) => {
      assert(to.set(ANSWER, QUESTION_NAME, A, 5, [ADDRESS]));
      assert(to.set(AUTHORITY, QUESTION_NAME + 2, SOA, 60, [soa("Wg.eXample")]));
      assert(to.set(ADDITIONAL, QUESTION_NAME, TXT, 7, [Uint8Array.of(1, 0x41)]));
    });
    assertEquals(message.records.length, 3 + 3 * keys.length);
    for (const { type, data } of message.records) {
      if (type !== RRSIG) continue;
      const { inception, expiry } = readRrsig(data);
      assertEquals([inception, expiry], [T0 - HOUR, T0 + 24 * HOUR]);
    }
  }
});

test("a key more than four, or none, signs no zone", () => {
  for (const count of [0, 5]) {
    const keys = Array.from({ length: count }, (_, i) => zoneKey(i));
    assertThrows(() => new SignedAnswers(keys), RangeError);
  }
});

const letter = fc.constantFrom(..."abyzABYZ019-_");
const label = fc.string({ unit: letter, minLength: 1, maxLength: 20 });
const inZone = fc.array(label, { maxLength: 4 }).chain((labels) =>
  fc.constantFrom("wg.example", "WG.eXAMPLE", "Wg.Example").map((zone) =>
    [...labels, zone].join(".")
  )
);
const data = fc.uint8Array({ maxLength: 60 });
const text = data.map((bytes) => Uint8Array.from([bytes.length, ...bytes]));
const name = fc.array(label, { maxLength: 4 }).map((labels) =>
  Uint8Array.from(nameBytes(labels.join(".")))
);
const records = fc.oneof(
  fc.record({
    type: fc.constant(A),
    data: fc.array(fc.uint8Array({ minLength: 4, maxLength: 4 }), { minLength: 1 }),
  }),
  fc.record({ type: fc.constant(TXT), data: fc.array(text, { minLength: 1 }) }),
  fc.record({
    type: fc.constantFrom(NS, PTR),
    data: fc.array(name, { minLength: 1, maxLength: 40 }),
  }),
  fc.record({
    type: fc.constant(SRV),
    data: fc.array(name.map((each) => Uint8Array.from([0, 0, 0, 0, 9, 9, ...each])), {
      minLength: 1,
    }),
  }),
);
const sets = fc.uniqueArray(
  fc.record({
    set: records,
    section: fc.constantFrom(ANSWER, AUTHORITY, ADDITIONAL),
    ttl: fc.nat(),
    twice: fc.boolean(),
  }),
  { maxLength: 5, selector: ({ set, section }) => `${set.type} ${section}` },
);

interface RandomSet {
  readonly set: { readonly type: number; readonly data: readonly Uint8Array[] };
  readonly section: number;
  readonly ttl: number;
  readonly twice: boolean;
}

function writeAll(all: readonly RandomSet[]) {
  return (to: SignedAnswers) => {
    for (const section of [ANSWER, AUTHORITY, ADDITIONAL]) {
      for (const each of all) {
        if (each.section !== section) continue;
        const { type, data } = each.set;
        const records = each.twice ? [...data, ...data.slice(0, 2)] : data;
        assert(to.set(section, QUESTION_NAME, type, each.ttl, records));
      }
    }
  };
}

test("any record sets, in any case, with records twice, at any time, have right signatures", () => {
  const answers = [quickAnswers(1), quickAnswers(2), quickAnswers(4)];
  const time = fc.oneof(
    fc.integer({ min: 0, max: 0xffff_ffff }),
    fc.integer({ min: -3 * 86_400, max: 3 * 86_400 }).map((more) => T0 + more + 0.75),
  );
  fc.assert(
    fc.property(fc.constantFrom(...answers), inZone, time, sets, (answers, name, unix, sets) => {
      const message = answers.checked({ name, unix }, writeAll(sets));
      assertEquals(setsOf(message).length, sets.length);
    }),
    { numRuns: 600 },
  );
});

test("real keys sign any record sets, too", () => {
  const answers = new SignedAnswers([zoneKey(1), zoneKey(2, 15)]);
  fc.assert(
    fc.property(inZone, sets, (name, sets) => {
      answers.checked({ name, unix: T0 }, writeAll(sets));
    }),
    { numRuns: 10 },
  );
});

test("of a message with a bit changed, no signature is right", () => {
  const answers = new SignedAnswers([zoneKey(2, 15)]);
  const bytes = answers.answer({ unix: T0 }, writeAddress);
  const trust = answers.trust(T0);
  checkSignatures(readSigned(bytes), trust);
  // From the type of the first record on, to the OPT.
  for (let at = 12 + nameBytes(`a.${SIGNED_ZONE}`).length + 4 + 2; at < bytes.length - 11; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 1;
    assertThrows(() => checkSignatures(readSigned(changed), trust));
  }
});

test("what was signed is signed once, in whatever case it is asked for", () => {
  const answers = quickAnswers(2);
  const first = answers.answer({ name: `peer.${SIGNED_ZONE}`, unix: T0 }, writeAddress);
  for (const name of ["PEER.wg.example", "pEEr.WG.Example"]) {
    const again = answers.answer({ name, unix: T0 + HOUR }, writeAddress);
    assertEquals(again.slice(-150), first.slice(-150));
    checkSignatures(readSigned(again), answers.trust(T0 + HOUR));
  }
  assertEquals(signedBy(answers), 1);
  assertEquals(answers.counters.get("dns-signature-reused"), 4);
});

test("signatures are renewed with less than twelve hours left, and where the clock goes back", () => {
  const answers = quickAnswers();
  const at = (unix: number): number => {
    answers.checked({ unix }, writeAddress);
    return signedBy(answers);
  };
  assertEquals(at(T0), 1);
  assertEquals(at(T0 + 12 * HOUR), 1);
  assertEquals(at(T0 + 12 * HOUR + 1), 2);
  assertEquals(at(T0 + 12 * HOUR), 2);
  assertEquals(at(T0 + 11 * HOUR + 1), 2);
  // An hour before it was made, it isn't valid.
  assertEquals(at(T0 + 11 * HOUR), 3);
  assertEquals(at(T0 + 10 * HOUR), 3);
  assertEquals(at(T0 - 100 * HOUR), 4);
  assertEquals(at(T0 + 1000 * HOUR), 5);
});

test("whatever the clock does, no signature is expired or not yet valid", () => {
  const step = fc.oneof(
    fc.integer({ min: -30 * HOUR, max: 30 * HOUR }),
    fc.integer({ min: -(2 ** 33), max: 2 ** 33 }),
    fc.constantFrom(12 * HOUR, 24 * HOUR, 25 * HOUR, -HOUR, -HOUR - 1),
  );
  const limited = new Signing(1, quickAnswers().counters);
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 30 }), (steps) => {
      const answers = quickAnswers(1, limited);
      let unix = T0;
      for (const [by, mayWork] of steps) {
        unix = Math.max(0, unix + by);
        const message = readSigned(answers.answer({ unix, mayWork }, writeAddress));
        assertEquals(message.records.length === 0, answers.signer.isLimited);
        checkSignatures(message, answers.trust(unix));
      }
    }),
    { numRuns: 200 },
  );
});

/** Where a name of {@linkcode PEER} has its number, and letters. */
const NUMBER_AT = 12 + 1;
const LETTERS_AT = NUMBER_AT + 44 + 1 + 1;
const PEER = `${"-".repeat(44)}._wireguard._udp.${SIGNED_ZONE}`;

test("10 000 peers with four sets each are signed once in half a day", () => {
  const answers = quickAnswers();
  answers.signing.work.configure({ perSecond: 1e6, burst: 1e6 });
  const peers = 10_000;
  const query = new WireBuffer(queryBytes(PEER, SRV, { edns: { dnssecOk: true } }));
  const target = query.bytes.subarray(12, 12 + nameBytes(PEER).length);
  const srv = Uint8Array.of(0, 0, 0, 0, 0, 0, ...target);
  const address = Uint8Array.of(10, 0, 0, 0);
  const text = new Uint8Array(100).fill(0x2d).fill(99, 0, 1);
  const ipv6 = new Uint8Array(16);
  const write = (to: SignedAnswers) => {
    srv.set(target, 6);
    to.set(ANSWER, QUESTION_NAME, SRV, 0, [srv]);
    to.set(ADDITIONAL, QUESTION_NAME, A, 0, [address]);
    to.set(ADDITIONAL, QUESTION_NAME, TXT, 0, [text]);
    to.set(ADDITIONAL, QUESTION_NAME, AAAA, 0, [ipv6]);
  };
  for (let round = 0; round < 3; round++) {
    query.bytes[LETTERS_AT] = round % 2 === 0 ? 0x77 : 0x57;
    for (let peer = 0; peer < peers; peer++) {
      for (const bytes of [srv.subarray(4), address, text.subarray(50), ipv6]) {
        new DataView(bytes.buffer, bytes.byteOffset).setUint16(0, peer);
      }
      for (let i = 0, rest = peer; i < 4; i++, rest >>= 4) {
        query.bytes[NUMBER_AT + i] = 0x61 + (rest & 15);
      }
      const unix = T0 + 6 * HOUR * round;
      const bytes = answers.answerTo(query, { unix }, write);
      if (peer % 997 === 0) checkSignatures(readSigned(bytes), answers.trust(unix));
    }
  }
  assertEquals(signedBy(answers), 4 * peers);
  assertEquals(answers.counters.get("dns-signature-reused"), 2 * 4 * peers);
  assert(answers.signing.sets.bytes < 20 * 1024 * 1024);
});

test("other keys, and other zones with the same keys, have other signatures", () => {
  const counters = quickAnswers().counters;
  const signing = new Signing(3, counters);
  const of = (...keys: number[]) => {
    const made = keys.map((each) => countingKey(each, 13, true));
    const answers = new SignedAnswers(made, undefined, signing);
    answers.isQuick = true;
    return answers;
  };
  const signed = (answers: SignedAnswers): number => {
    const before = counters.get("dns-signed");
    answers.checked({ unix: T0 }, writeAddress);
    return counters.get("dns-signed") - before;
  };
  assertEquals([of(1), of(1), of(2), of(1, 2), of(2, 1), of(1)].map(signed), [1, 0, 1, 2, 2, 0]);
  const keys = [countingKey(1, 13, true)];
  const name = encodeName("example");
  assert(signing.numberOf(name, keys) !== signing.numberOf(encodeName(SIGNED_ZONE), keys));
});

test("where there is too much to sign, the set is missing, and isLimited says so", () => {
  const answers = quickAnswers();
  answers.signing.work.configure({ perSecond: 1, burst: 2 });
  let number = 0;
  const ask = (question: Partial<SignedQuestion> = {}, section = ANSWER) => {
    const name = `n${number++}.${SIGNED_ZONE}`;
    const message = answers.checked({ unix: T0, transport: "udp", name, ...question }, (to) => {
      to.set(section, QUESTION_NAME, A, 5, [ADDRESS]);
    });
    return [message.records.length, answers.signer.isLimited];
  };
  assertEquals(ask(), [2, false]);
  assertEquals(ask(), [2, false]);
  assertEquals(ask(), [0, true]);
  assertEquals(ask({}, ADDITIONAL), [0, false]);
  assertEquals(answers.counters.get("dns-sign-limited"), 2);
  // What was signed is given still; TCP has its own bound; time brings more.
  assertEquals(ask({ name: `n0.${SIGNED_ZONE}` }), [2, false]);
  assertEquals(ask({ transport: "tcp" }), [2, false]);
  assertEquals(ask({ mono: 2 }), [2, false]);
  assertEquals(ask({ mono: 9, mayWork: false }), [0, true]);
});

test("a signature with less than twelve hours left is given where none may be made", () => {
  const answers = quickAnswers();
  const ask = (unix: number) => {
    const write = writeAddress;
    const message = answers.checked({ unix, mayWork: unix === T0 }, write);
    return [message.records.length, answers.signer.isLimited];
  };
  assertEquals(ask(T0), [2, false]);
  assertEquals(ask(T0 + 20 * HOUR), [2, false]);
  assertEquals(ask(T0 + 23 * HOUR), [2, false]);
  assertEquals(answers.counters.get("dns-signature-reused"), 2);
  assertEquals(ask(T0 + 23 * HOUR + 1), [0, true]);
});

test("names that don't exist leave half of the work to those that do", () => {
  const answers = quickAnswers();
  answers.signing.work.configure({ perSecond: 1, burst: 100 });
  const ask = (name: string, denied: boolean) => {
    answers.answer({ unix: T0, transport: "udp", name, isPassing: denied }, (to) => {
      if (denied) to.signer.writeDenial(to.query, to.writer, AUTHORITY, GONE);
      else writeAddress(to);
    });
    return !answers.signer.isLimited;
  };
  const count = (denied: boolean) =>
    Array.from({ length: 200 }, (_, i) => ask(`${denied}${i}.${SIGNED_ZONE}`, denied))
      .filter((each) => each).length;
  assertEquals(count(true), 50);
  assertEquals(count(false), 50);
});

test("a flood of names that don't exist pushes no signature of those that do out", () => {
  const answers = quickAnswers();
  answers.signing.work.configure({ perSecond: 1e6, burst: 1e6 });
  answers.answer({ unix: T0 }, writeAddress);
  const { sets, passing } = answers.signing;
  const { bytes } = sets;
  for (let i = 0; i < 30_000; i++) {
    answers.answer({ unix: T0, name: `${i}.${SIGNED_ZONE}`, isPassing: true }, (to) => {
      to.signer.writeDenial(to.query, to.writer, AUTHORITY, GONE);
    });
  }
  assertEquals([sets.bytes, passing.bytes], [bytes, 4 * 1024 * 1024]);
  const before = signedBy(answers);
  answers.answer({ unix: T0 }, writeAddress);
  assertEquals(signedBy(answers), before);
});

test("a name is denied by the NSEC of itself alone", () => {
  const answers = quickAnswers(2);
  const long = (size: number) => {
    const zone = nameBytes(SIGNED_ZONE).length;
    const labels = [];
    for (let left = size - zone; left > 0;) {
      const label = left > 66 ? 63 : left === 65 ? 40 : Math.min(left - 1, 63);
      labels.push("x".repeat(label));
      left -= 1 + label;
    }
    return [...labels, SIGNED_ZONE].join(".");
  };
  const names = ["nobody", "*", "*.a", "a.*", "NoBody"].map((each) => `${each}.${SIGNED_ZONE}`);
  for (const name of [...names, SIGNED_ZONE, long(252), long(253), long(254), long(255)]) {
    for (
      const [bitmap, verdict] of [[GONE, "nxdomain"], [
        typeBitmap([A, RRSIG, NSEC]),
        "nodata",
      ]] as const
    ) {
      const bytes = answers.answer({ name, type: TXT, unix: T0 }, (to) => {
        const zoneAt = 12 + to.query.nameSize - nameBytes(SIGNED_ZONE).length;
        assert(to.set(AUTHORITY, zoneAt, SOA, 60, [soa(SIGNED_ZONE)]));
        assert(to.signer.writeDenial(to.query, to.writer, AUTHORITY, bitmap));
      });
      assertEquals(checkSigned(bytes, answers.trust(T0)), verdict);
    }
  }
});

test("a question for the NSEC is answered with it, signed where signatures are wanted", () => {
  const answers = quickAnswers();
  const bitmap = typeBitmap([A, RRSIG, NSEC]);
  const name = `a.${SIGNED_ZONE}`;
  const bytes = answers.answer({ name, type: NSEC, unix: T0 }, (to) => {
    assert(to.signer.writeDenial(to.query, to.writer, ANSWER, bitmap));
  });
  assertEquals(checkSigned(bytes, answers.trust(T0)), "answer");
  const [set] = setsOf(readSigned(bytes), "answer");
  const { next, types } = readNsec(set![0]!.data);
  checkNext(labelsOf(name), next, labelsOf(SIGNED_ZONE));
  assertEquals(types, [A, RRSIG, NSEC]);
});

function apex(type: number, parent?: "publish" | "delete" | "none") {
  const keys = [zoneKey(1), zoneKey(2, 15)];
  const answers = new SignedAnswers(keys);
  const signer = new ZoneSigner(encodeName(SIGNED_ZONE), keys, answers.signing, parent);
  let fits: boolean | undefined;
  const message = answers.with(signer).checked({ name: "WG.example", type, unix: T0 }, (to) => {
    fits = signer.records.write(type, QUESTION_NAME, to.writer);
  });
  const data = setsOf(message, "answer").flat().map((each) => [...each.data]);
  return { fits, data, types: readNsec(Uint8Array.of(0, ...signer.records.apexTypes)).types };
}

test("the zone's keys, and what the parent is asked for", () => {
  const keys = [zoneKey(1), zoneKey(2, 15)].map(({ dnskey }) => dnskey);
  const plain = keys.map((each) => [...each]);
  const own = [NS, SOA, RRSIG, NSEC, DNSKEY];
  const all = [...own, CDS, CDNSKEY];
  const ds = keys.map((each) => [...dsOf(labelsOf(SIGNED_ZONE), each)]);
  assertEquals(apex(DNSKEY), { fits: true, data: plain, types: all });
  assertEquals(apex(CDS), { fits: true, data: ds, types: all });
  assertEquals(apex(CDNSKEY), { fits: true, data: plain, types: all });
  assertEquals(apex(CDS, "delete"), { fits: true, data: [[0, 0, 0, 0, 0]], types: all });
  assertEquals(apex(CDNSKEY, "delete"), { fits: true, data: [[0, 0, 3, 0, 0]], types: all });
  assertEquals(apex(DNSKEY, "none"), { fits: true, data: plain, types: own });
  assertEquals(apex(CDS, "none"), { fits: undefined, data: [], types: own });
});

test("the DS of a zone below is signed by the one above", () => {
  const answers = new SignedAnswers([zoneKey(1)]);
  const key = zoneKey(7, 15);
  const name = `Sub.${SIGNED_ZONE}`;
  const below = new ZoneSigner(encodeName(name), [key], answers.signing);
  const bytes = answers.answer({ name, type: DS, unix: T0 }, (to) => {
    assert(below.records.writeDs(QUESTION_NAME, to.writer));
  });
  assertEquals(checkSigned(bytes, answers.trust(T0)), "answer");
  const [set] = setsOf(readSigned(bytes), "answer");
  assertEquals(set!.map(({ data }) => [...data]), [[...dsOf(labelsOf(name), key.dnskey)]]);
});

test("of a set that doesn't fit with its signatures, nothing stays", () => {
  const answers = quickAnswers(2);
  const size = answers.answer({ unix: T0 }, writeAddress).length;
  for (let limit = 282; limit <= size + 1; limit++) {
    let fits = false;
    const message = answers.checked({ unix: T0, limit }, (to) => {
      fits = to.set(ANSWER, QUESTION_NAME, A, 5, [ADDRESS]);
    });
    assertEquals([message.records.length, fits], limit < size ? [0, false] : [3, true]);
  }
});

test("what stands for a set's data gets the signature of that data", () => {
  const answers = quickAnswers();
  const write = (records: number[], identity?: number, ttl = 5) => (to: SignedAnswers) => {
    const data = records.map((each) => Uint8Array.from(nameBytes(`${each}.${SIGNED_ZONE}`)));
    const stands = identity === undefined
      ? undefined
      : new WireBuffer(Uint8Array.of(0, 0, 0, identity));
    assert(to.set(ANSWER, QUESTION_NAME, PTR, ttl, data, stands));
  };
  const some = Array.from({ length: 50 }, (_, i) => i);
  const ask = (...args: Parameters<typeof write>) => {
    answers.checked({ unix: T0 }, write(...args));
    return signedBy(answers);
  };
  assertEquals(ask(some, 1), 1);
  assertEquals(ask(some, 1), 1);
  // The same in another order, and without what stands for it.
  assertEquals(ask(some.toReversed(), 2), 1);
  assertEquals(ask(some.toReversed(), 2), 1);
  assertEquals(ask(some), 1);
  assertEquals(ask(some.slice(1), 3), 2);
  assertEquals(ask(some.slice(1), 3, 6), 3);
  assertEquals(ask(some, 1), 3);
});

test("a set in another order has the same signature, however few its records are", () => {
  for (const count of [2, 3, 16, 17]) {
    const answers = quickAnswers();
    const records = Array.from(
      { length: count },
      (_, i) => Uint8Array.from(nameBytes(`${i * 7 % count}.${SIGNED_ZONE}`)),
    );
    const orders = [records, records.toReversed(), [...records.slice(1), ...records.slice(0, 1)]];
    for (const order of orders) {
      answers.checked({ unix: T0 }, (to) => {
        assert(to.set(ANSWER, QUESTION_NAME, PTR, 5, order));
      });
    }
    assertEquals(signedBy(answers), 1, String(count));
  }
});

test("sets too large to be kept are signed each time", () => {
  const answers = quickAnswers();
  const name = ["y".repeat(60), "x".repeat(60), "w".repeat(60), "v".repeat(40), SIGNED_ZONE].join(
    ".",
  );
  const write = (to: SignedAnswers) => {
    let fits = true;
    for (let i = 0; i < 900; i++) {
      to.writer.open(ANSWER, QUESTION_NAME, PTR, 0);
      to.writer.bytes(Uint8Array.of(3, 0x61, 0x61 + i % 26, 0x61 + i / 26));
      to.writer.pointer(QUESTION_NAME);
      fits = to.writer.close() && fits;
    }
    assert(to.writer.closeSet(fits));
  };
  for (let i = 1; i < 3; i++) {
    answers.checked({ name, unix: T0 }, write);
    assertEquals(signedBy(answers), i);
  }
  assert(canonicalName(labelsOf(name)).length > 200);
});
