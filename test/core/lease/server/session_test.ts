import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { LeaseBook } from "../../../../lib/core/lease/server/book.ts";
import {
  LeaseBudgets,
  REPLY_BURST,
  REPLY_BYTES_PER_SECOND,
} from "../../../../lib/core/lease/server/budget.ts";
import type { LeaseNews } from "../../../../lib/core/lease/news.ts";
import type { LeaseBookOptions } from "../../../../lib/core/lease/server/options.ts";
import { LeaseSession } from "../../../../lib/core/lease/server/session.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { idOf } from "../../../support/fake_random.ts";
import { seededRandom } from "../../../support/seeded_random.ts";
import { test } from "../../../testing.ts";

const UNIX = 1_795_291_448;
const KEY = formatKey(idOf(1));
const OTHER = formatKey(idOf(2));
const BOTH = "request_ip=1\nip=0.0.0.0/32\nip=::/128\nleasestart=0\nleasetime=0\n\n";
const INVALID = "errno=1\nerrmsg=Invalid request\n\n";
const UNSUPPORTED = "errno=2\nerrmsg=Unsupported protocol\n\n";
const UNAVAILABLE = "errno=3\nerrmsg=Chosen IP(s) unavailable\n\n";

/** With one address of each family that can be drawn. */
const OPTIONS: LeaseBookOptions = {
  pools: ["192.168.4.2/32", "2001:db8:1234::a/128"],
  reserved: [],
  fixed: new Map(),
  leaseTime: 20,
  maxLeases: 100,
};

function bookOf(options: Partial<LeaseBookOptions> = {}): LeaseBook {
  return new LeaseBook({ ...OPTIONS, ...options }, seededRandom(1));
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** A session whose answers are text, with `<close>` where it closes. */
function sessionOf(book: LeaseBook, key = KEY, news?: () => LeaseNews, budgets?: LeaseBudgets) {
  const session = new LeaseSession(key, book, news, budgets);
  return (input: string | Uint8Array, mono = 0, unix = UNIX + mono) => {
    const bytes = typeof input === "string" ? ascii(input) : input;
    const answer = session.receive(bytes, { mono, unix });
    return new TextDecoder().decode(answer.bytes) + (answer.close ? "<close>" : "");
  };
}

test("the exchanges of the C programs, byte for byte", () => {
  const book = bookOf();
  const ask = sessionOf(book);
  const granted = (start: number) =>
    "ip=192.168.4.2/32\nip=2001:db8:1234::a/128\n" +
    `leasestart=${start}\nleasetime=20\nerrno=0\n\n`;
  assertEquals(ask(BOTH), granted(UNIX));
  const renewal = "request_ip=1\nip=192.168.4.2/32\nip=2001:db8:1234::a/128\n" +
    "leasestart=0\nleasetime=0\n\n";
  assertEquals(ask(renewal, 10.7), granted(UNIX + 10));

  const other = sessionOf(book, OTHER);
  assertEquals(other(renewal, 11), UNAVAILABLE);
  assertEquals(other(BOTH, 11), UNAVAILABLE);

  assertEquals(ask("request_ip=1\n\n", 12), "errno=0\n\n");
  assertEquals(other(renewal, 12), granted(UNIX + 12));

  const partial = bookOf({
    pools: ["192.168.4.9/32", "2001:db8:1234::5/128"],
    leaseTime: 3600,
  });
  sessionOf(partial, OTHER)("request_ip=1\nip=2001:db8:1234::5\n\n");
  assertEquals(
    sessionOf(partial)("request_ip=1\nip=0.0.0.0\nip=2001:db8:1234::5\n\n", 0, 1_795_291_554),
    `ip=192.168.4.9/32\nleasestart=1795291554\nleasetime=3600\n${UNAVAILABLE}`,
  );

  assertEquals(sessionOf(book)("request_ip=1\nfoo\n\n"), `${INVALID}<close>`);
  assertEquals(sessionOf(book)("hello=1\n\n"), `${UNSUPPORTED}<close>`);
  assertEquals(sessionOf(book)("request_ip=2\nip=0.0.0.0\n\n"), `${UNSUPPORTED}<close>`);
});

test("what is wrong is answered at once, and the connection closed", () => {
  const invalid = [
    "\0",
    "request_ip=1\n\0",
    "foo\n",
    "=1\n",
    "request_ip=\n",
    "request_ip=x\n",
    "request_ip=-1\n",
    "request_ip= 1\n",
    "request_ip=1\r\n",
    "request_ip=4294967296\n",
    "request_ip=1\nfoo\n",
    "request_ip=1\n=\n",
    "request_ip=1\n=x\n",
    "request_ip=1\nrequest_ip=1\n",
    "request_ip=1\nip=\n",
    "request_ip=1\nip=1.2.3\n",
    "request_ip=1\nip=1.2.3.4.5\n",
    "request_ip=1\nip=1.2.3.4/\n",
    "request_ip=1\nip=1.2.3.4/x\n",
    "request_ip=1\nip=01.2.3.4\n",
    "request_ip=1\nip=::1::\n",
    "request_ip=1\nip=fe80::1%wg0\n",
    "request_ip=1\nip=any\n",
    "request_ip=1\nip=0.0.0.0 \n",
    "request_ip=1\nleasetime=\n",
    "request_ip=1\nleasetime=1s\n",
    "request_ip=1\nleasetime=4294967296\n",
    "request_ip=1\nleasestart=-1\n",
    "request_ip=1\nerrno=x\n",
    "x".repeat(4096),
    `request_ip=1\nx=${"x".repeat(4094)}`,
    `request_ip=1\nx=${"x".repeat(4094)}\n\n`,
  ];
  for (const text of invalid) {
    const book = bookOf();
    assertEquals(sessionOf(book)(text), `${INVALID}<close>`, JSON.stringify(text.slice(0, 40)));
    assertEquals(book.count, 0);
  }
  const unsupported = [
    "\n",
    "hello=1\n",
    "Request_ip=1\n",
    "request_ip =1\n",
    "ip=0.0.0.0\n",
    "errno=0\n",
    "request_ip=0\n",
    "request_ip=2\n",
    "request_ip=10\n",
    "request_ip=4294967295\n",
  ];
  for (const text of unsupported) {
    assertEquals(sessionOf(bookOf())(text), `${UNSUPPORTED}<close>`, JSON.stringify(text));
  }
});

test("what is not wrong is let be", () => {
  const good = [
    "request_ip=1\nip=0.0.0.0/32\n\n",
    "request_ip=001\nip=0.0.0.0\n\n",
    "request_ip=1\nfoo=bar\nIP=x\nip=0.0.0.0/0\nerrmsg=\nerrno=7\nfoo==\n\n",
    "request_ip=1\nip=9.9.9.9\nip=0.0.0.0\n\n",
    "request_ip=1\nip=192.168.4.2/24\nleasestart=4294967295\nleasetime=4294967295\n\n",
    `request_ip=1\nip=0.0.0.0\nx=${"y".repeat(4093)}\n\n`,
    "request_ip=1\nip=0.0.0.0\nwant=\n\n",
    "request_ip=1\nip=0.0.0.0\nwant=news,and,more\n\n",
  ];
  for (const text of good) {
    assertEquals(
      sessionOf(bookOf())(text),
      `ip=192.168.4.2/32\nleasestart=${UNIX}\nleasetime=20\nerrno=0\n\n`,
      JSON.stringify(text.slice(0, 60)),
    );
  }
});

test("after a wrong request nothing is done, what came before is", () => {
  const book = bookOf();
  const ask = sessionOf(book);
  const answer = ask(`${BOTH}request_ip=1\nfoo\n\nrequest_ip=1\n\n`);
  assert(answer.startsWith("ip=192.168.4.2/32\n"));
  assert(answer.endsWith(`errno=0\n\n${INVALID}<close>`));
  assertEquals(ask(BOTH), "<close>");
  assertEquals(book.count, 2);
});

test("a request that is cut off does nothing", () => {
  for (let size = 0; size < BOTH.length; size++) {
    const book = bookOf();
    assertEquals(sessionOf(book)(BOTH.slice(0, size)), "");
    assertEquals(book.count, 0);
  }
});

test("requests may have so many lines", () => {
  const lines = (count: number) => `request_ip=1\n${"a=b\n".repeat(count - 1)}\n`;
  assertEquals(sessionOf(bookOf())(lines(64)), "errno=0\n\n");
  assertEquals(sessionOf(bookOf())(lines(65)), `${INVALID}<close>`);
  assertEquals(sessionOf(bookOf())(lines(40) + lines(40)), "errno=0\n\nerrno=0\n\n");
});

test("a connection gets so much at once, and more with time", () => {
  const ask = sessionOf(bookOf());
  const request = "request_ip=1\n\n";
  const burst = REPLY_BURST / 256;
  assertEquals(ask(request.repeat(burst)), "errno=0\n\n".repeat(burst));
  const rate = REPLY_BYTES_PER_SECOND / 256;
  assertEquals(ask(request.repeat(rate), 1), "errno=0\n\n".repeat(rate));
  assertEquals(ask(request.repeat(rate + 1), 2), `${"errno=0\n\n".repeat(rate)}${INVALID}<close>`);
  // One who asks now and then is never cut off.
  const slow = sessionOf(bookOf());
  for (let i = 0; i < 5000; i++) assertEquals(slow(request, i), "errno=0\n\n");
});

test("a peer that connects anew goes on with what it has left", () => {
  const budgets = new LeaseBudgets();
  const book = bookOf();
  const connect = (key: string) => sessionOf(book, key, undefined, budgets);
  const request = "request_ip=1\n\n";
  const burst = REPLY_BURST / 256;
  assertEquals(connect(KEY)(request.repeat(burst)), "errno=0\n\n".repeat(burst));
  for (let i = 0; i < 3; i++) assertEquals(connect(KEY)(request), `${INVALID}<close>`);
  assertEquals(connect(OTHER)(request), "errno=0\n\n");
  assertEquals(connect(KEY)(request, 1), "errno=0\n\n");
});

const NEWS: LeaseNews = {
  routes: ["10.9.0.0/16"],
  peers: [{
    publicKey: OTHER,
    endpoint: { host: "203.0.113.21", port: 51820 },
    allowedIps: ["10.9.0.2/32"],
  }],
};

test("news is for who wants it", () => {
  const book = bookOf();
  const ask = sessionOf(book, KEY, () => NEWS);
  const plain = `ip=192.168.4.2/32\nleasestart=${UNIX}\nleasetime=20\nerrno=0\n`;
  const route = "route=10.9.0.0/16\n";
  const peer = `peer=${OTHER} endpoint=203.0.113.21:51820 allowed=10.9.0.2/32\n`;
  const request = (want: string) => `request_ip=1\nip=0.0.0.0\n${want}\n`;
  assertEquals(ask(request("")), `${plain}\n`);
  assertEquals(ask(request("want=routes\n")), `${plain}${route}\n`);
  assertEquals(ask(request("want=peers\n")), `${plain}${peer}\n`);
  assertEquals(ask(request("want=routes,peers\n")), `${plain}${route}${peer}\n`);
  // What one request wants, the next does not.
  assertEquals(ask(request("")), `${plain}\n`);
  // Nothing is told to who has nothing.
  assertEquals(ask("request_ip=1\nwant=routes,peers\n\n"), "errno=0\n\n");
});

test("long news counts against what a connection gets", () => {
  const routes = Array.from({ length: 64 }, (_, i) => `10.9.${i}.0/24`);
  const ask = sessionOf(bookOf(), KEY, () => ({ routes, peers: [] }));
  const request = "request_ip=1\nip=0.0.0.0\nwant=routes\n\n";
  const size = ask(request).length;
  const answers = ask(request.repeat(1000)).length;
  assert(answers < REPLY_BURST + 2 * size, `${answers}`);
});

test("the server's time fits into its field", () => {
  const start = (unix: number) =>
    /leasestart=(.*)/.exec(sessionOf(bookOf())("request_ip=1\nip=0.0.0.0\n\n", 0, unix))?.[1];
  assertEquals(start(-5), "0");
  assertEquals(start(12.9), "12");
  assertEquals(start(2 ** 32 + 5), "4294967295");
});

const line = fc.oneof(
  fc.constantFrom(
    "request_ip=1",
    "request_ip=1",
    "request_ip=2",
    "ip=0.0.0.0/32",
    "ip=::/128",
    "ip=192.168.4.2",
    "ip=2001:db8:1234::a/128",
    "ip=10.0.0.1",
    "ip=x",
    "leasestart=0",
    "leasetime=9",
    "want=routes,peers",
    "errno=1",
    "",
    "",
    "",
    "foo",
    "=",
    "a=b",
  ),
  fc.string({ maxLength: 6 }),
);
const stream = fc.array(line, { maxLength: 25 }).map((lines) =>
  ascii(lines.map((line) => `${line}\n`).join(""))
);
const mutation = fc.record({ at: fc.nat({ max: 400 }), byte: fc.nat({ max: 255 }) });
const mutated = fc.tuple(
  fc.constantFrom(BOTH, BOTH + BOTH, `request_ip=1\n\n${BOTH}`),
  fc.array(mutation, { maxLength: 3 }),
).map(([text, mutations]) => {
  const bytes = ascii(text);
  for (const { at, byte } of mutations) bytes[at % bytes.length] = byte;
  return bytes;
});
const cuts = fc.array(fc.nat({ max: 1000 }), { maxLength: 10 });
const REPLY = new RegExp(
  "^(?:(?:ip=192\\.168\\.4\\.2/32\\n)?(?:ip=2001:db8:1234::a/128\\n)?" +
    "(?:leasestart=\\d+\\nleasetime=20\\n)?" +
    "(?:errno=0\\n|errno=3\\nerrmsg=Chosen IP\\(s\\) unavailable\\n)" +
    "(?:route=.*\\n)*(?:peer=.*\\n)*\\n)*" +
    "(?:errno=[12]\\nerrmsg=.*\\n\\n<close>)?$",
);

test("whatever comes is answered or closed, the same in any pieces", () => {
  const input = fc.oneof(stream, mutated, fc.uint8Array({ maxLength: 60 }));
  fc.assert(
    fc.property(input, cuts, (bytes, cuts) => {
      const places = [0, ...cuts.map((at) => at % (bytes.length + 1)), bytes.length]
        .sort((a, b) => a - b);
      const whole = sessionOf(bookOf(), KEY, () => NEWS)(bytes);
      assert(REPLY.test(whole), whole);
      const ask = sessionOf(bookOf(), KEY, () => NEWS);
      let pieces = "";
      for (const [i, end] of places.slice(1).entries()) {
        pieces += ask(bytes.subarray(places[i], end)).replace("<close>", "");
      }
      if (ask(Uint8Array.of()) === "<close>") pieces += "<close>";
      assertEquals(pieces, whole);
    }),
    { numRuns: 500 },
  );
});
