/** A name's look-up against name servers that do what those of real networks do, on a clock of its own. */

import { assert, assertEquals } from "@std/assert";
import { type AddressesByType, NameLookup } from "../../../lib/core/dns/name_lookup.ts";
import type { AddressType, NameMessage } from "../../../lib/core/dns/name_question.ts";
import { dnsResponse, FLAGS, readQuestion } from "../../support/dns_messages.ts";
import { seededNumbers, seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const NAME = "registry.example";
const PATIENCE = 10;
const MARK = 0xca6c;
const START = 77;
const TICK = 0.01;
const RCODE = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;

/** What a server does with a question: addresses or an RCODE, after so many seconds; or nothing. */
interface Reply {
  readonly data?: readonly string[];
  readonly rcode?: "SERVFAIL" | "NXDOMAIN" | "REFUSED";
  readonly after?: number;
  readonly cut?: boolean;
  readonly lost?: boolean;
}
type Server = (question: { type: AddressType; name: string; mark: number; count: number }) =>
  | Reply
  | undefined;

const IPV4 = ["203.0.113.10"];
const IPV6 = ["2001:db8::10"];
/** Knows both, at once. */
const GOOD: Server = ({ type }) => ({ data: type === "A" ? IPV4 : IPV6 });
const SILENT: Server = () => undefined;
const NONE: Server = () => ({ rcode: "NXDOMAIN" });

function slow(server: Server, seconds: number): Server {
  return (question) => {
    const reply = server(question);
    return reply && { ...reply, after: seconds };
  };
}

interface Seen {
  /** The answer, and the seconds that it took. */
  readonly answer: readonly string[];
  readonly took: number;
  /** Seconds until nothing more was awaited, and what was known then. */
  readonly ended: number;
  readonly known: AddressesByType;
  /** `server mark type transport` of each message. */
  readonly sent: readonly string[];
}

interface How {
  readonly names?: readonly string[];
  readonly mark?: number;
  readonly before?: AddressesByType;
}

function lookUp(servers: Readonly<Record<string, Server>>, how: How = {}): Seen {
  const { names = [NAME], mark = 0, before } = how;
  const lookup = new NameLookup({
    names,
    servers: Object.keys(servers),
    mark,
    patience: PATIENCE,
    random: seededRandom(1),
    before,
  });
  const coming: { at: number; message: NameMessage; bytes: Uint8Array | undefined }[] = [];
  const sent: string[] = [];
  let now = START;
  let answer: { answer: readonly string[]; took: number } | undefined;
  for (let steps = 0;; steps++) {
    assert(steps < 10_000, "it runs wild");
    const step = lookup.next(now);
    if (lookup.isAnswered) answer ??= { answer: lookup.addresses, took: now - START };
    if (step.kind === "end") break;
    if (step.kind === "send") {
      const { message } = step;
      const { way, type, transport, bytes } = message;
      const question = readQuestion(bytes);
      sent.push(`${way.server} ${way.mark} ${type} ${transport}`);
      const count = sent.filter((each) => each === sent.at(-1)).length;
      const reply = servers[way.server]!({ type, name: question.name, mark: way.mark, count });
      if (reply === undefined) continue;
      const cut = reply.cut === true && transport === "udp";
      const response = dnsResponse({
        id: question.id,
        flags: (cut ? FLAGS.tc : 0) | RCODE[reply.rcode ?? "NOERROR"],
        questions: [{ name: question.name, type, class: "IN" }],
        answers: (cut ? [] : reply.data ?? []).map((data) => ({
          name: question.name,
          type,
          data,
        })),
      });
      const at = now + (reply.after ?? TICK);
      coming.push({ at, message, bytes: reply.lost ? undefined : response });
      continue;
    }
    coming.sort((a, b) => a.at - b.at);
    const next = coming[0];
    if (next === undefined || next.at > step.until) {
      assert(step.until < Infinity, "it waits for ever");
      now = step.until;
      continue;
    }
    coming.shift();
    now = Math.max(now, next.at);
    if (next.bytes === undefined) lookup.lost(next.message);
    else lookup.received(next.message, next.bytes, now);
  }
  assert(answer !== undefined);
  return { ...answer, ended: now - START, known: lookup.known, sent };
}

function assertSoon(took: number, seconds: number): void {
  assert(took <= seconds + 2 * TICK, `it took ${took} s`);
}

test("a server that knows both is the only one that is asked", () => {
  const { answer, took, ended, sent } = lookUp({ a: GOOD, b: GOOD });
  assertEquals(answer, [...IPV4, ...IPV6]);
  assertSoon(took, TICK);
  assertSoon(ended, TICK);
  assertEquals(sent, ["a 0 A udp", "a 0 AAAA udp"]);
});

test("A is enough after 300 ms, and AAAA that comes later is for the next look", () => {
  const late: Server = ({ type }) => type === "A" ? { data: IPV4 } : { data: IPV6, after: 1.2 };
  const { answer, took, known } = lookUp({ a: late });
  assertEquals(answer, IPV4);
  assertSoon(took, 0.3 + TICK);
  assertEquals(known, { A: IPV4, AAAA: IPV6 });
  const next = lookUp({ a: late }, { before: known });
  assertEquals(next.answer, [...IPV4, ...IPV6]);
});

test("a server that drops AAAA, or answers so late that nobody waits, is no failure", () => {
  const { answer, took, ended } = lookUp({
    a: ({ type }) => type === "A" ? { data: IPV4 } : undefined,
  });
  assertEquals(answer, IPV4);
  assertSoon(took, 0.3 + TICK);
  assertSoon(ended, PATIENCE);
});

test("a server that drops A is asked again, and so is the next one", () => {
  const onlyIpv6: Server = ({ type }) => type === "AAAA" ? { data: IPV6 } : undefined;
  const alone = lookUp({ a: onlyIpv6 });
  assertEquals(alone.answer, IPV6);
  assertSoon(alone.took, 1.5 + TICK);
  const { answer, took } = lookUp({ a: onlyIpv6, b: GOOD });
  assertEquals(answer, [...IPV4, ...IPV6]);
  assertSoon(took, 0.3 + TICK);
});

test("a name with addresses of one type is answered at once", () => {
  for (const only of ["A", "AAAA"]) {
    const { took, answer } = lookUp({
      a: ({ type }) => type === only ? { data: type === "A" ? IPV4 : IPV6 } : {},
      b: SILENT,
    });
    assertEquals(answer, only === "A" ? IPV4 : IPV6);
    assertSoon(took, TICK);
  }
  const failing: Server = ({ type }) => type === "A" ? { data: IPV4 } : { rcode: "SERVFAIL" };
  assertSoon(lookUp({ a: failing, b: SILENT }).took, TICK);
});

test("a first server that is dead, fails or can't be sent to costs 0.3 s at most", () => {
  const others: Server[] = [
    SILENT,
    () => ({ rcode: "SERVFAIL" }),
    () => ({ rcode: "REFUSED" }),
    () => ({ lost: true }),
  ];
  for (const other of others) {
    const { answer, took } = lookUp({ a: other, b: GOOD });
    assertEquals(answer, [...IPV4, ...IPV6]);
    assertSoon(took, 0.3 + TICK);
  }
  assertSoon(lookUp({ a: others[1]!, b: GOOD }).took, 2 * TICK);
});

test("the first server is believed where both know, although the second is faster", () => {
  const inside: Server = ({ type }) => type === "A" ? { data: ["10.0.0.5"] } : {};
  assertEquals(lookUp({ a: slow(inside, 0.2), b: GOOD }).answer, ["10.0.0.5"]);
});

test("an answer counts more than the word of another that there is no such name", () => {
  const { answer, took } = lookUp({ public: NONE, internal: slow(GOOD, 0.8) });
  assertEquals(answer, [...IPV4, ...IPV6]);
  assertSoon(took, 0.8 + 2 * TICK);
  assertEquals(lookUp({ internal: slow(GOOD, 0.8), public: NONE }).answer.length, 2);
  const empty: Server = () => ({});
  assertEquals(lookUp({ public: empty, internal: slow(GOOD, 0.8) }).answer.length, 2);
});

test("a server that is slower than that is not waited for, but heard at the next look", () => {
  const servers = { public: NONE, internal: slow(GOOD, 2.5) };
  const { answer, took, known } = lookUp(servers);
  assertEquals(answer, []);
  assertSoon(took, 1 + 2 * TICK);
  assertEquals(known, { A: IPV4, AAAA: IPV6 });
  assertEquals(lookUp(servers, { before: known }).answer, [...IPV4, ...IPV6]);
});

test("no such name is the answer once all say so, but what was known holds", () => {
  for (const before of [{ A: [], AAAA: [] }, { A: IPV4, AAAA: IPV6 }]) {
    const { answer, took, known } = lookUp({ a: NONE, b: slow(NONE, 0.1) }, { before });
    assertEquals([answer, known], [[...before.A, ...before.AAAA], before]);
    assertSoon(took, 0.1 + 2 * TICK);
  }
});

test("a slow answer is not taken for none because AAAA is not there", () => {
  const cold: Server = ({ type }) => type === "A" ? { data: IPV4, after: 1.9 } : {};
  assertEquals(lookUp({ a: cold }).answer, IPV4);
});

test("where no server says anything, the last addresses hold", () => {
  const before = { A: IPV4, AAAA: [] };
  for (const server of [SILENT, () => ({ lost: true }), () => ({ rcode: "SERVFAIL" } as const)]) {
    assertEquals(lookUp({ a: server }, { before }).answer, IPV4);
    assertEquals(lookUp({ a: server }).answer, []);
  }
});

test("domains are tried in turn, and the first that is found counts", () => {
  const names = ["box.one.example", "box.two.example", "box"];
  const { answer, sent } = lookUp({
    a: (question) => question.name === "box.two.example" ? GOOD(question) : NONE(question),
  }, { names });
  assertEquals(answer, [...IPV4, ...IPV6]);
  assertEquals(sent.length, 4);
});

test("what was cut is asked for over TCP, and what came in the datagram does else", () => {
  const cut: Server = ({ type }) => ({ data: type === "A" ? IPV4 : IPV6, cut: true });
  const { answer, sent } = lookUp({ a: cut });
  assertEquals(answer, [...IPV4, ...IPV6]);
  assertEquals(sent.filter((each) => each.endsWith("tcp")).length, 2);
});

test("plain look-ups come first, then those with the mark of the tunnel's own datagrams", () => {
  const open = lookUp({ a: GOOD }, { mark: MARK });
  assertEquals(open.sent, ["a 0 A udp", "a 0 AAAA udp"]);
  for (const plain of [undefined, { lost: true }] as const) {
    const killSwitch: Server = (question) => question.mark === MARK ? GOOD(question) : plain;
    const { answer, took, sent } = lookUp({ a: killSwitch, b: SILENT }, { mark: MARK });
    assertEquals(answer, [...IPV4, ...IPV6]);
    assertSoon(took, 0.6 + TICK);
    assert(sent.includes(`a ${MARK} A udp`));
  }
  // Who answers without it needn't be told with it.
  const { sent } = lookUp({ a: NONE }, { mark: MARK });
  assertEquals(sent, ["a 0 A udp", "a 0 AAAA udp"]);
});

test("whatever servers do, a look ends, and an answer is of what they said", () => {
  for (let seed = 0; seed < 300; seed++) {
    const number = seededNumbers(seed);
    const pick = <T>(...some: T[]): T => some[Math.floor(number() * some.length)]!;
    const replies = new Map<string, Reply | undefined>();
    const odd = (server: string): Server => ({ type, mark }) => {
      const key = `${server} ${type} ${mark}`;
      if (!replies.has(key)) {
        const after = number() * 12;
        const data = type === "A" ? IPV4 : IPV6;
        replies.set(
          key,
          pick<Reply | undefined>(
            undefined,
            { lost: true, after },
            { data, after },
            { data, cut: true, after },
            { after },
            { rcode: "NXDOMAIN", after },
            { rcode: "SERVFAIL", after },
          ),
        );
      }
      return replies.get(key);
    };
    const names = pick([NAME], ["a.example", "b.example"]);
    const { answer, ended } = lookUp({ a: odd("a"), b: odd("b") }, { names, mark: pick(0, MARK) });
    assert(ended <= names.length * PATIENCE + 1, `${seed}: ${ended}`);
    assert(answer.every((each) => [...IPV4, ...IPV6].includes(each)));
  }
});
