import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  formatPeerNews,
  formatWants,
  MAX_NEWS_PEERS,
  MAX_NEWS_PREFIXES,
  MAX_NEWS_SIZE,
  MAX_ROUTES,
  newsValues,
  parsePeerNews,
  parseRoute,
  parseWants,
  type PeerNews,
} from "../../../lib/core/lease/news.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { key32 } from "../../support/arbitraries.ts";
import { idOf } from "../../support/fake_random.ts";
import { test } from "../../testing.ts";

const KEY = formatKey(idOf(1));
const ALL = { routes: true, peers: true };

test("what is wanted is read as it was written", () => {
  for (const routes of [true, false]) {
    for (const peers of [true, false]) {
      const text = formatWants({ routes, peers });
      assertEquals(text === undefined, !routes && !peers);
      assertEquals(parseWants(text ?? ""), { routes, peers });
    }
  }
  assertEquals(formatWants(ALL), "routes,peers");
  assertEquals(parseWants("names,peers,1,,Routes"), { routes: false, peers: true });
});

test("a peer's news is a line of words", () => {
  const news = {
    publicKey: KEY,
    endpoint: { host: "203.0.113.21", port: 51820 },
    allowedIps: ["10.9.0.2/32", "fd00::2/128"],
  };
  const text = `${KEY} endpoint=203.0.113.21:51820 allowed=10.9.0.2/32,fd00::2/128`;
  assertEquals(formatPeerNews(news), text);
  assertEquals(parsePeerNews(text), news);
  assertEquals(formatPeerNews({ publicKey: KEY, allowedIps: [] }), KEY);
  assertEquals(parsePeerNews(KEY), { publicKey: KEY, endpoint: undefined, allowedIps: [] });
  assertEquals(parsePeerNews(`${KEY} name=bob  endpoint=[fd00::1]:1 new`), {
    publicKey: KEY,
    endpoint: { host: "fd00::1", port: 1 },
    allowedIps: [],
  });
});

test("news is read as it was written", () => {
  const endpoint = fc.record({
    host: fc.oneof(fc.ipV4(), fc.constant("2001:db8::7")),
    port: fc.integer({ min: 1, max: 0xffff }),
  });
  const prefix = fc.constantFrom("10.0.0.0/8", "fd00::/64", "192.0.2.1/32", "::/0");
  const news = fc.record({
    publicKey: key32.map(formatKey),
    endpoint: fc.option(endpoint, { nil: undefined }),
    allowedIps: fc.array(prefix, { maxLength: MAX_NEWS_PREFIXES }),
  });
  fc.assert(fc.property(news, (news) => {
    assertEquals(parsePeerNews(formatPeerNews(news)), news);
  }));
});

test("wrong news is none", () => {
  const many = Array.from({ length: MAX_NEWS_PREFIXES + 1 }, (_, i) => `10.0.0.${i}/32`).join(",");
  const bad = [
    "",
    " ",
    KEY.slice(1),
    `${KEY}=`,
    ` ${KEY}`,
    `${KEY} endpoint=`,
    `${KEY} endpoint=example.com:1`,
    `${KEY} endpoint=10.0.0.1`,
    `${KEY} endpoint=10.0.0.1:0`,
    `${KEY} endpoint=10.0.0.1:65536`,
    `${KEY} endpoint=fe80::1:1`,
    `${KEY} allowed=`,
    `${KEY} allowed=10.0.0.1/33`,
    `${KEY} allowed=10.0.0.1/32,`,
    `${KEY} allowed=x`,
    `${KEY} allowed=${many}`,
  ];
  for (const value of bad) assertEquals(parsePeerNews(value), undefined, value);
  for (const value of ["", "x", "10.0.0.0/33", "10.0.0.0/8 via x", "fe80::%wg0/64"]) {
    assertEquals(parseRoute(value), undefined, value);
  }
  assertEquals(parseRoute("10.9.8.7/16"), "10.9.0.0/16");
});

test("any text is news or none, and never an error", () => {
  const words = fc.array(
    fc.oneof(
      fc.constantFrom(KEY, "endpoint=", "allowed=", "10.0.0.1/32", ",", ":", "[", "]", "="),
      fc.string({ maxLength: 5 }),
    ),
    { maxLength: 8 },
  );
  fc.assert(fc.property(words, fc.constantFrom("", " "), (words, glue) => {
    const text = words.join(glue);
    const news = parsePeerNews(text);
    parseRoute(text);
    if (news === undefined) return;
    assertEquals(parsePeerNews(formatPeerNews(news)), news);
  }));
});

test("a client is told what it wants", () => {
  const news = { routes: ["10.9.0.0/16"], peers: [{ publicKey: KEY, allowedIps: [] }] };
  assertEquals(newsValues(news, ALL), { routes: ["10.9.0.0/16"], peers: [KEY] });
  assertEquals(newsValues(news, { routes: true, peers: false }).peers, []);
  assertEquals(newsValues(news, { routes: false, peers: true }).routes, []);
});

test("what is told has limits", () => {
  const routes = Array.from({ length: 500 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);
  const peer = (number: number): PeerNews => ({
    publicKey: formatKey(idOf(number)),
    endpoint: { host: "203.0.113.21", port: 51820 },
    allowedIps: Array.from({ length: 40 }, (_, i) => `10.0.0.${i}/32`),
  });
  const peers = Array.from({ length: 500 }, (_, i) => peer(i));
  const few = peers.map(({ publicKey }) => ({ publicKey, allowedIps: [] }));
  const short = newsValues({ routes, peers: few }, ALL);
  assertEquals([short.routes.length, short.peers.length], [MAX_ROUTES, MAX_NEWS_PEERS]);
  const long = newsValues({ routes, peers }, ALL);
  let size = 0;
  for (const route of long.routes) size += `route=${route}\n`.length;
  for (const value of long.peers) size += `peer=${value}\n`.length;
  assert(size <= MAX_NEWS_SIZE, `${size}`);
  assert(size > MAX_NEWS_SIZE - 1000, `${size}`);
  assertEquals(parsePeerNews(long.peers[0]!)?.allowedIps.length, MAX_NEWS_PREFIXES);
  // A line that is too long is left out, and others are not.
  const tooLong = newsValues({ routes: ["x".repeat(5000), "::/0"], peers: [] }, ALL);
  assertEquals(tooLong.routes, ["::/0"]);
});
