import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  LeaseClient,
  type LeaseClientOptions,
  type LeaseEvent,
} from "../../../../lib/core/lease/client/client.ts";
import { LeaseBounds } from "../../../../lib/core/lease/client/bounds.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { idOf } from "../../../support/fake_random.ts";
import { test } from "../../../testing.ts";

const ANY = "request_ip=1\nip=0.0.0.0/32\nip=::/128\nleasestart=0\nleasetime=0\n\n";
const HELD = "request_ip=1\nip=10.0.0.2/32\nip=fd00::2/128\nleasestart=0\nleasetime=0\n\n";
const REFUSAL = "errno=3\nerrmsg=Chosen IP(s) unavailable\n\n";
const INVALID = "errno=1\nerrmsg=Invalid request\n\n";

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function grant(ipv4: string, ipv6: string, leaseTime: number, rest = "errno=0\n\n"): string {
  return (ipv4 === "" ? "" : `ip=${ipv4}/32\n`) + (ipv6 === "" ? "" : `ip=${ipv6}/128\n`) +
    `leasestart=1795291448\nleasetime=${leaseTime}\n${rest}`;
}

function clientOf(options: Partial<LeaseClientOptions> = {}): LeaseClient {
  return new LeaseClient({ wants: { routes: false, peers: false }, ...options });
}

/** The question that the client asks now. */
function asked(client: LeaseClient, mono: number): string {
  const step = client.next(mono);
  assert(step.kind === "ask", JSON.stringify(step));
  return text(step.bytes);
}

/** Until when the client waits. */
function waits(client: LeaseClient, mono: number): number {
  const step = client.next(mono);
  assert(step.kind === "wait", JSON.stringify(step));
  return step.until;
}

/** The client asks now, and is answered. */
function exchange(client: LeaseClient, mono: number, reply: string): LeaseEvent[] {
  asked(client, mono);
  client.receive(ascii(reply), mono);
  return client.takeEvents();
}

function leasedClient(leaseTime = 3600): LeaseClient {
  const client = clientOf();
  exchange(client, 0, grant("10.0.0.2", "fd00::2", leaseTime));
  return client;
}

test("a client asks for any address at once, and then for what it holds", () => {
  const client = clientOf();
  assertEquals(asked(client, 5), ANY);
  client.receive(ascii(grant("10.0.0.2", "fd00::2", 3600)), 6);
  assertEquals(client.takeEvents(), [
    {
      kind: "addresses",
      addresses: ["10.0.0.2/32", "fd00::2/128"],
      gone: [],
      why: "leased",
    },
    { kind: "leased", leaseTime: 3600, renewAt: 6 + 3570 },
  ]);
  assertEquals(waits(client, 6), 6 + 3570);
  assertEquals(waits(client, 3575.9), 3576);
  assertEquals(asked(client, 3576), HELD);
  client.receive(ascii(grant("10.0.0.2", "fd00::2", 3600)), 3577);
  assertEquals(client.takeEvents(), [{ kind: "leased", leaseTime: 3600, renewAt: 3577 + 3570 }]);
});

test("a lease is renewed 30 seconds before its end, or half-way", () => {
  const cases = [[3600, 3570], [61, 31], [60, 30], [59, 29.5], [20, 10], [1, 0.5]] as const;
  for (const [leaseTime, renewal] of cases) {
    assertEquals(waits(leasedClient(leaseTime), 0), renewal, `${leaseTime}`);
  }
});

test("a lease counts from its reply, whatever the server's clock says", () => {
  for (const start of ["0", "1", "4294967295"]) {
    const client = clientOf();
    asked(client, 0);
    const reply = `ip=10.0.0.2\nip=fd00::2\nleasestart=${start}\nleasetime=100\nerrno=0\n\n`;
    client.receive(ascii(reply), 8);
    assertEquals(waits(client, 8), 78);
    asked(client, 78);
    client.lost(78);
    client.next(107.9);
    assertEquals(client.addresses.length, 2);
    client.next(108);
    assertEquals(client.addresses.length, 0);
  }
});

test("what a client wants may change while it holds a lease", () => {
  const none = { routes: false, peers: false };
  const peers = { routes: false, peers: true };
  const wanting = HELD.replace("\n\n", "\nwant=peers\n\n");
  const client = leasedClient();
  client.want(none, 10);
  assertEquals(waits(client, 10), 3570);
  client.want(peers, 10);
  assertEquals(asked(client, 10), wanting);
  const news = `errno=0\npeer=${formatKey(idOf(1))} endpoint=192.0.2.1:5\n\n`;
  client.receive(ascii(grant("10.0.0.2", "fd00::2", 3600, news)), 10);
  assertEquals(client.takeEvents().map(({ kind }) => kind), ["leased", "peers"]);
  client.want(peers, 20);
  client.want(none, 20);
  assertEquals(waits(client, 20), 3580);
  assertEquals(asked(client, 3580), HELD);
  // A server that has understood nothing of it is not asked for it again.
  const plain = leasedClient();
  plain.want(peers, 10);
  exchange(plain, 10, INVALID);
  plain.next(10);
  plain.want(peers, 11);
  assertEquals(asked(plain, 11), HELD);
  // One that is away is let be.
  const away = leasedClient();
  asked(away, 3570);
  away.lost(3570);
  away.want(peers, 3570);
  assertEquals(waits(away, 3570), 3571);
});

test("a refusal keeps what is held, and is asked again after 30 seconds", () => {
  const client = leasedClient(100);
  assertEquals(waits(client, 0), 70);
  assertEquals(exchange(client, 70, REFUSAL), [
    { kind: "refused", errno: 3, message: "Chosen IP(s) unavailable", retryAt: 100 },
  ]);
  assertEquals(client.addresses, ["10.0.0.2/32", "fd00::2/128"]);
  assertEquals(waits(client, 70), 100);
  // The lease has ended when it is asked again: any address will do.
  assertEquals(asked(client, 100), ANY);
  assertEquals(client.takeEvents(), [{
    kind: "addresses",
    addresses: [],
    gone: ["10.0.0.2/32", "fd00::2/128"],
    why: "expired",
  }]);
  exchangeNothing(client, 100, REFUSAL);
  assertEquals(waits(client, 100), 130);
  assertEquals(asked(client, 130), ANY);
});

function exchangeNothing(client: LeaseClient, mono: number, reply: string): void {
  client.receive(ascii(reply), mono);
  assertEquals(client.takeEvents().map(({ kind }) => kind), ["refused"]);
}

test("a long lease that is refused is asked for again and again", () => {
  const client = leasedClient(3600);
  exchange(client, 3570, REFUSAL);
  assertEquals(client.addresses.length, 2);
  assertEquals(waits(client, 3570), 3600);
  const early = leasedClient(3600);
  early.next(3570);
  early.receive(ascii(grant("10.0.0.2", "", 3600, REFUSAL)), 3570);
  // The IPv6 address is kept until its own end.
  assertEquals(early.addresses, ["10.0.0.2/32", "fd00::2/128"]);
  assertEquals(waits(early, 3570), 3600);
  assertEquals(asked(early, 3600), HELD.replace("fd00::2", "::"));
  assertEquals(early.addresses, ["10.0.0.2/32"]);
});

test("a family that the server never has is asked for less and less often", () => {
  const client = clientOf();
  const times: number[] = [];
  let mono = 0;
  while (times.length < 8) {
    times.push(mono);
    const ask = asked(client, mono);
    assertEquals(ask, times.length === 1 ? ANY : ANY.replace("0.0.0.0", "10.0.0.2"));
    client.receive(ascii(grant("10.0.0.2", "", 600, REFUSAL)), mono);
    mono = waits(client, mono);
  }
  assertEquals(times, [0, 30, 90, 210, 450, 930, 1500, 2070]);
  assertEquals(client.addresses, ["10.0.0.2/32"]);
  // As soon as it has one, all is as usual.
  asked(client, mono);
  client.receive(ascii(grant("10.0.0.2", "fd00::2", 600)), mono);
  assertEquals(waits(client, mono), mono + 570);
  assertEquals(client.addresses.length, 2);
  mono += 570;
  asked(client, mono);
  client.receive(ascii(grant("10.0.0.2", "", 600, REFUSAL)), mono);
  assertEquals(waits(client, mono), mono + 30);
  mono += 30;
  asked(client, mono);
  client.receive(ascii(grant("10.0.0.2", "", 600, REFUSAL)), mono);
  assertEquals(waits(client, mono), mono + 60);
});

test("another address replaces the one that was held", () => {
  const client = leasedClient(100);
  assertEquals(exchange(client, 70, grant("10.0.0.9", "fd00::2", 100))[0], {
    kind: "addresses",
    addresses: ["10.0.0.9/32", "fd00::2/128"],
    gone: ["10.0.0.2/32"],
    why: "leased",
  });
});

test("addresses of a time before are asked for, and given up when refused", () => {
  const held = ["10.0.0.2/32", "fd00::2", "nonsense"];
  const client = clientOf({ held });
  assertEquals(client.addresses, ["10.0.0.2/32", "fd00::2/128"]);
  assertEquals(asked(client, 0), HELD);
  client.receive(ascii(grant("", "fd00::2", 100, REFUSAL)), 0);
  assertEquals(client.takeEvents()[0], {
    kind: "addresses",
    addresses: ["fd00::2/128"],
    gone: ["10.0.0.2/32"],
    why: "leased",
  });
  assertEquals(asked(client, 0), HELD.replace("10.0.0.2", "0.0.0.0"));
  const confirmed = clientOf({ held });
  assertEquals(exchange(confirmed, 0, grant("10.0.0.2", "fd00::2", 100)), [
    { kind: "leased", leaseTime: 100, renewAt: 70 },
  ]);
  // Where no answer comes, they stay.
  const alone = clientOf({ held });
  for (let mono = 0; mono < 1000; mono++) {
    if (alone.next(mono).kind === "ask") alone.lost(mono);
  }
  assertEquals(alone.addresses.length, 2);
});

test("replies that nobody waits for are passed over", () => {
  const client = leasedClient(3600);
  for (const stray of [INVALID, REFUSAL, grant("10.0.0.66", "fd00::66", 5), "errno=0\n\n"]) {
    client.receive(ascii(stray), 1);
    assertEquals(client.takeEvents(), []);
    assertEquals(waits(client, 1), 3570);
  }
  // Also one that comes with the answer.
  assertEquals(asked(client, 3570), HELD);
  client.receive(ascii(grant("10.0.0.2", "fd00::2", 100) + INVALID), 3570);
  assertEquals(client.takeEvents().map(({ kind }) => kind), ["leased"]);
  assertEquals(client.addresses, ["10.0.0.2/32", "fd00::2/128"]);
});

test("a connection that fails is tried again, after longer and longer waits", () => {
  const client = clientOf();
  const waited: number[] = [];
  let mono = 0;
  for (let i = 0; i < 8; i++) {
    assertEquals(asked(client, mono), ANY);
    client.lost(mono);
    const retryAt = waits(client, mono);
    assertEquals(client.takeEvents(), [{ kind: "no-answer", retryAt }]);
    waited.push(retryAt - mono);
    mono = retryAt;
  }
  assertEquals(waited, [1, 2, 4, 8, 16, 30, 30, 30]);
  // One answer, and it begins anew.
  exchange(client, mono, REFUSAL);
  mono = waits(client, mono);
  asked(client, mono);
  client.lost(mono);
  assertEquals(waits(client, mono), mono + 1);
});

test("a server that is silent is hung up on", () => {
  const client = clientOf();
  asked(client, 0);
  assertEquals(waits(client, 0), 10);
  client.receive(ascii("ip=10.0.0.2\nleasetime=100\n"), 5);
  assertEquals(waits(client, 9.9), 10);
  assertEquals(client.next(10), { kind: "hang-up" });
  assertEquals(client.takeEvents(), [{ kind: "no-answer", retryAt: 11 }]);
  // The half of a reply is forgotten with its connection.
  exchange(client, 11, grant("", "fd00::2", 100, REFUSAL));
  assertEquals(client.addresses, ["fd00::2/128"]);
});

test("a connection that ends between questions changes nothing", () => {
  const client = leasedClient(3600);
  client.lost(100);
  assertEquals(client.takeEvents(), []);
  assertEquals(waits(client, 100), 3570);
});

test("leases end by themselves while the server is away", () => {
  const client = leasedClient(100);
  asked(client, 70);
  client.lost(70);
  for (let mono = 70; mono < 100; mono++) {
    if (client.next(mono).kind === "ask") client.lost(mono);
    assertEquals(client.addresses.length, 2);
  }
  client.takeEvents();
  const step = client.next(100);
  assertEquals(client.takeEvents()[0], {
    kind: "addresses",
    addresses: [],
    gone: ["10.0.0.2/32", "fd00::2/128"],
    why: "expired",
  });
  // Its end is no reason to hurry: the waits stay as long as they are.
  assertEquals(step.kind, "wait");
});

test("what is no reply is hung up on, and nothing of it counts", () => {
  const bad = [
    "foo\n",
    "=\n",
    "\0",
    "\n",
    "ip=10.0.0.9\nleasetime=100\n\n",
    "ip=10.0.0.9\nerrno=0\n\n",
    "ip=10.0.0.9\nleasetime=0\nerrno=0\n\n",
    "ip=\n",
    "ip=10.0.0.999\n",
    "ip=0.0.0.0\nleasetime=100\nerrno=0\n\n",
    "ip=::\nleasetime=100\nerrno=0\n\n",
    "ip=fe80::9\nleasetime=100\nerrno=0\n\n",
    "ip=ff02::9\nleasetime=100\nerrno=0\n\n",
    "ip=127.0.0.1\nleasetime=100\nerrno=0\n\n",
    "ip=::ffff:10.0.0.9\nleasetime=100\nerrno=0\n\n",
    "ip=10.0.0.9\nleasetime=4294967296\nerrno=0\n\n",
    "leasestart=x\n",
    "leasetime=-1\n",
    "errno=\n",
    "errno=one\n",
    "x".repeat(4096),
    `${"a=b\n".repeat(1025)}`,
  ];
  for (const reply of bad) {
    const client = leasedClient(100);
    asked(client, 70);
    client.receive(ascii(reply), 70);
    assertEquals(client.takeEvents(), [{ kind: "bad-reply", retryAt: 71 }], reply.slice(0, 40));
    assertEquals(client.next(70), { kind: "hang-up" });
    assertEquals(client.addresses, ["10.0.0.2/32", "fd00::2/128"]);
    assertEquals(asked(client, 71), HELD);
    client.receive(ascii(grant("10.0.0.2", "fd00::2", 100)), 71);
    assertEquals(client.takeEvents().length, 1);
  }
});

test("a server that does not understand is asked for less", () => {
  const client = clientOf({ wants: { routes: true, peers: true } });
  const wanting = ANY.replace("\n\n", "\nwant=routes,peers\n\n");
  assertEquals(asked(client, 0), wanting);
  client.receive(ascii(INVALID), 0);
  assertEquals(client.takeEvents(), [
    { kind: "refused", errno: 1, message: "Invalid request", retryAt: 1 },
  ]);
  assertEquals(client.next(0), { kind: "hang-up" });
  client.lost(0);
  assertEquals(asked(client, 1), ANY);
  client.receive(ascii("errno=2\nerrmsg=Unsupported protocol\n\n"), 1);
  client.lost(1);
  assertEquals(waits(client, 1), 31);
  assertEquals(asked(client, 31), ANY);
});

test("a server's message is fit for a log", () => {
  const message = (text: string) => {
    const [event] = exchange(clientOf(), 0, `errno=3\nerrmsg=${text}\n\n`);
    assert(event?.kind === "refused");
    return event.message;
  };
  assertEquals(message("a b=c\x1b[31m\t\xe9\x7f"), "a b=c?[31m???");
  assertEquals(message("x".repeat(4000)), "x".repeat(200));
  assertEquals(message(""), "");
});

test("routes and peers are told when they change", () => {
  const client = clientOf({ wants: { routes: true, peers: true } });
  const peer = (address: string) =>
    `peer=${formatKey(idOf(2))} endpoint=${address}:51820 allowed=10.9.0.2/32\n`;
  const told = (mono: number, news: string) =>
    exchange(client, mono, grant("10.0.0.2", "fd00::2", 100, `errno=0\n${news}\n`))
      .filter(({ kind }) => kind === "routes" || kind === "peers");
  const peers = (host: string) => ({
    kind: "peers",
    peers: [{
      publicKey: formatKey(idOf(2)),
      endpoint: { host, port: 51820 },
      allowedIps: ["10.9.0.2/32"],
    }],
  } as const);
  assertEquals(told(0, `route=10.9.0.0/16\nroute=bad\n${peer("192.0.2.1")}peer=bad\n`), [
    { kind: "routes", routes: ["10.9.0.0/16"] },
    peers("192.0.2.1"),
  ]);
  assertEquals(told(70, `route=10.9.0.0/16\n${peer("192.0.2.1")}`), []);
  assertEquals(told(140, `route=10.9.0.0/16\n${peer("192.0.2.9")}`), [peers("192.0.2.9")]);
  assertEquals(told(210, peer("192.0.2.9")), [{ kind: "routes", routes: [] }]);
  assertEquals(told(280, `route=::/0\n${peer("192.0.2.9")}`), [
    { kind: "routes", routes: ["::/0"] },
  ]);
  // Without an address there is no way into the tunnel.
  client.next(350);
  client.lost(350);
  client.next(380);
  assertEquals(client.takeEvents().at(-1), { kind: "routes", routes: [] });
  // Who did not ask is told nothing.
  const plain = clientOf();
  const events = exchange(plain, 0, grant("10.0.0.2", "fd00::2", 100, "errno=0\nroute=::/0\n\n"));
  assertEquals(events.map(({ kind }) => kind), ["addresses", "leased"]);
});

test("in the end all is given back", () => {
  const client = leasedClient(100);
  assertEquals(text(client.end()), "request_ip=1\n\n");
  assertEquals(client.takeEvents(), [{
    kind: "addresses",
    addresses: [],
    gone: ["10.0.0.2/32", "fd00::2/128"],
    why: "released",
  }]);
  client.receive(ascii("errno=0\n\n"), 1);
  client.lost(1);
  assertEquals(waits(client, 1), Infinity);
  assertEquals(waits(client, 1e9), Infinity);
  assertEquals(client.takeEvents(), []);
  assertEquals(client.end().length, 0);
  // Nothing was had, nothing is given back; but what was asked for may have been granted.
  assertEquals(clientOf().end().length, 0);
  const asking = clientOf();
  asked(asking, 0);
  assertEquals(text(asking.end()), "request_ip=1\n\n");
});

const line = fc.oneof(
  fc.constantFrom(
    "ip=10.0.0.2/32",
    "ip=fd00::2",
    "ip=x",
    "leasestart=1",
    "leasetime=100",
    "leasetime=0",
    "errno=0",
    "errno=1",
    "errno=3",
    "errno=4294967295",
    "errmsg=\xff\x01",
    "route=::/0",
    `peer=${formatKey(idOf(1))}`,
    "peer=",
    "",
    "",
    "foo",
  ),
  fc.string({ maxLength: 5 }),
);
const stream = fc.array(line, { maxLength: 20 })
  .map((lines) => ascii(lines.map((line) => `${line}\n`).join("")));

test("whatever a server sends, the client goes on, the same in any pieces", () => {
  const cuts = fc.array(fc.nat({ max: 500 }), { maxLength: 8 });
  const input = fc.oneof(stream, fc.uint8Array({ maxLength: 50 }));
  fc.assert(
    fc.property(input, cuts, (bytes, cuts) => {
      const places = [0, ...cuts.map((at) => at % (bytes.length + 1)), bytes.length]
        .sort((a, b) => a - b);
      const outcome = (pieces: readonly Uint8Array[]) => {
        const client = clientOf({ wants: { routes: true, peers: true }, held: ["10.0.0.7"] });
        asked(client, 0);
        for (const piece of pieces) client.receive(piece, 1);
        const events = client.takeEvents();
        const step = client.next(1);
        client.lost(1);
        // It always comes back to a question.
        let mono = 1;
        for (let steps = 0;; steps++) {
          assert(steps < 10);
          const next = client.next(mono);
          if (next.kind === "ask") break;
          if (next.kind === "wait") mono = next.until;
        }
        return { events, step, addresses: client.addresses, mono };
      };
      const pieces = places.slice(1).map((end, i) => bytes.subarray(places[i], end));
      assertEquals(outcome(pieces), outcome([bytes]));
    }),
    { numRuns: 300 },
  );
});

test("what this host must not have is not taken, and told of once", () => {
  const bounds = new LeaseBounds(
    {
      mark: 0,
      peers: [{
        ...{ latestHandshake: 0, received: 0, sent: 0, persistentKeepalive: 0 },
        publicKey: formatKey(idOf(1)),
        endpoint: { host: "203.0.113.10", port: 1 },
        allowedIps: ["fe80::/128", "10.0.0.0/24", "fd00::/64"],
      }],
    },
    ["192.168.1.0/24"],
  );
  const client = clientOf({ wants: { routes: true, peers: false }, bounds });
  const routes = "errno=0\nroute=0.0.0.0/0\nroute=10.0.0.0/25\n\n";
  assertEquals(exchange(client, 0, grant("192.168.1.1", "fd00::2", 3600, routes)), [
    { kind: "not-taken", prefixes: ["192.168.1.1/32", "0.0.0.0/0"] },
    { kind: "addresses", addresses: ["fd00::2/128"], gone: [], why: "leased" },
    { kind: "leased", leaseTime: 3600, renewAt: 30 },
    { kind: "routes", routes: ["10.0.0.0/25"] },
  ]);
  // It asks for any other.
  const request = asked(client, 30);
  assert(request.includes("ip=0.0.0.0/32\nip=fd00::2/128\n"), request);
  client.receive(ascii(grant("192.168.1.1", "fd00::2", 3600, routes)), 30);
  assertEquals(client.takeEvents().map(({ kind }) => kind), ["leased"]);
  assertEquals(exchange(client, 90, grant("10.0.0.2", "fd00::2", 3600)), [
    { kind: "not-taken", prefixes: [] },
    { kind: "addresses", addresses: ["10.0.0.2/32", "fd00::2/128"], gone: [], why: "leased" },
    { kind: "leased", leaseTime: 3600, renewAt: 3660 },
    { kind: "routes", routes: [] },
  ]);
  // What is held stays until it ends.
  assertEquals(exchange(client, 3660, grant("203.0.113.10", "fd01::2", 3600)), [
    { kind: "not-taken", prefixes: ["203.0.113.10/32", "fd01::2/128"] },
  ]);
  assertEquals(client.addresses, ["10.0.0.2/32", "fd00::2/128"]);
  client.next(90 + 3600);
  assertEquals(client.addresses, []);
});

test("what is noted of a lease before a restart goes where this host must not have it", () => {
  const bounds = { takesAddress: () => false, takesRoute: () => false };
  const client = clientOf({ held: ["10.0.0.2/32", "fd00::2/128"], bounds });
  assertEquals(exchange(client, 0, grant("10.0.0.2", "fd00::2", 3600)).slice(1), [{
    kind: "addresses",
    addresses: [],
    gone: ["10.0.0.2/32", "fd00::2/128"],
    why: "refused",
  }]);
});

test("a lease counts for a day at most", () => {
  for (const time of [86_401, 604_800, 4_294_967_295]) {
    assertEquals(waits(leasedClient(time), 0), 86_400 - 30);
  }
});
