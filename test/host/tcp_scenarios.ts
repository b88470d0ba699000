/**
 * TCP through what every host has: it runs on Deno and on Bun.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Host } from "../../lib/host/host.ts";
import {
  call,
  descriptors,
  pair,
  PATIENCE_MS,
  pause,
  refusal,
  resetCode,
  Side,
  station,
  Stream,
} from "./tcp_side.ts";

const ADDRESSES = ["127.0.0.1", "::1"] as const;
const GREETING = new TextEncoder().encode("greeting");

/** What both runtimes must do alike. */
export const SCENARIOS: Readonly<Record<string, (host: Host) => Promise<void>>> = {
  async "both sides say who they are, and hear what the other one says"(host) {
    for (const address of ADDRESSES) {
      const { client, far, listener, at } = await pair(host, address);
      assertEquals(client.c.remote, at);
      assertEquals(far.c.local, at);
      assertEquals(client.c.local, far.c.remote);
      client.say("question");
      await far.heard("question");
      far.say("answer");
      far.say(" and more");
      await client.heard("answer and more");
      listener.close();
    }
  },

  async "megabytes go both ways whole, although each side often waits"(host) {
    const size = 4_000_000;
    const far = new Stream();
    const server = await station(host, {
      onConnection(connection) {
        far.connection = connection;
        return far;
      },
    });
    const near = new Stream();
    near.connection = await host.tcpConnect({ to: server.at, timeout: PATIENCE_MS }, near);
    await far.until(() => far.connection !== undefined);
    await Promise.all([near.send(size), far.send(size), near.closed(), far.closed()]);
    for (const side of [near, far]) {
      assertEquals([side.received, side.wrong, side.c.waiting], [size, 0, 0]);
      assertEquals(side.log, ["end", "close undefined"]);
      assert(side.drains > 0);
    }
    server.listener.close();
  },

  async "what is not taken waits, is counted, and is taken in the end"(host) {
    const { client, far, listener } = await pair(host);
    far.c.pause();
    const size = 16_000_000;
    client.c.write(new Uint8Array(size));
    await pause();
    assert(client.c.waiting > 0 && client.c.waiting <= size, `${client.c.waiting}`);
    assertEquals(far.log, []);
    let drained = 0;
    Object.assign(client.act, { onDrain: () => drained++ });
    far.c.resume();
    await client.until(() => drained > 0);
    assertEquals(client.c.waiting, 0);
    listener.close();
    assertEquals(client.c.waiting, 0);
    client.c.abort();
  },

  async "a side that has ended still hears the other one"(host) {
    for (const first of ["client", "server"]) {
      const { client, far, listener } = await pair(host);
      const [one, other] = first === "client" ? [client, far] : [far, client];
      one.say("last words");
      one.c.end();
      one.say("too late");
      one.c.end();
      await other.until(() => other.log.includes("end"));
      assertEquals([one.log, other.log], [[], ["data", "end"]]);
      other.say("still here");
      await one.heard("still here");
      other.c.end();
      assertEquals(await one.closed(), ["data", "end", "close undefined"]);
      assertEquals(await other.closed(), ["data", "end", "close undefined"]);
      assertEquals(other.text, "last words");
      listener.close();
      assertEquals(one.log.length + other.log.length, 6);
    }
  },

  async "to abort is over at once here, and a reset there"(host) {
    for (const first of ["client", "server"]) {
      const { client, far, listener } = await pair(host);
      const [one, other] = first === "client" ? [client, far] : [far, client];
      other.say("on its way");
      one.c.abort();
      assertEquals(one.log, ["close undefined"]);
      one.say("nothing");
      one.c.end();
      one.c.pause();
      one.c.resume();
      one.c.abort();
      await other.closed();
      assertEquals(other.log, ["close ECONNRESET"]);
      other.say("nothing");
      await pause();
      assertEquals([one.log, one.c.waiting, other.c.waiting], [["close undefined"], 0, 0]);
      listener.close();
    }
  },

  async "to abort loses what waits"(host) {
    const { client, far, listener } = await pair(host);
    far.c.pause();
    client.c.write(new Uint8Array(16_000_000));
    await pause();
    client.c.abort();
    assertEquals([client.log, client.c.waiting], [["close undefined"], 0]);
    far.c.resume();
    assertEquals((await far.closed()).at(-1), "close ECONNRESET");
    await pause();
    assertEquals(client.log, ["close undefined"]);
    listener.close();
  },

  async "a connection may be aborted by what it tells"(host) {
    const server = await station(host, {}, (side) => ({ onData: () => side.c.abort() }));
    const client = await call(host, server.at, { act: { onEnd: () => client.c.abort() } });
    client.say("go away");
    assertEquals(await client.closed(), ["close ECONNRESET"]);
    assertEquals((await server.next()).log, ["data", "close undefined"]);
    server.listener.close();
    const polite = await station(host, {}, (side) => ({ onData: () => side.c.end() }));
    const other = await call(host, polite.at, { act: { onEnd: () => other.c.abort() } });
    other.say("good bye");
    assertEquals(await other.closed(), ["end", "close undefined"]);
    polite.listener.close();
  },

  async "a connection may be aborted, paused, or spoken to before its events are known"(host) {
    let aborted = 0;
    const rude = await station(host, {}, (side) => {
      side.c.abort();
      aborted++;
      return {};
    });
    assertEquals(await resetCode(host, rude.at), "ECONNRESET");
    await new Side().until(() => rude.sides.length > 0);
    assertEquals([aborted, rude.sides[0]?.log], [1, ["close undefined"]]);
    rude.listener.close();

    const slow = await station(host, {}, (side) => {
      side.c.pause();
      side.c.write(GREETING);
      side.c.end();
      return {};
    });
    const client = await call(host, slow.at);
    client.say("question");
    client.c.end();
    await client.until(() => client.log.includes("end"));
    assertEquals([client.text, slow.sides[0]?.log], ["greeting", []]);
    slow.sides[0]!.c.resume();
    assertEquals(await slow.sides[0]!.closed(), ["data", "end", "close undefined"]);
    slow.listener.close();
  },

  async "the caller has the connection before anything comes from it"(host) {
    const server = await station(host, {}, (side) => {
      side.c.write(GREETING);
      side.c.end();
      return {};
    });
    for (let i = 0; i < 20; i++) {
      const client = await call(host, server.at);
      if (i % 5 === 0) await pause();
      await client.until(() => client.log.includes("end"));
      client.c.end();
      assertEquals(await client.closed(), ["data", "end", "close undefined"]);
      assertEquals(client.text, "greeting");
    }
    server.listener.close();
  },

  async "a listener that closes takes its connections along, and gives its port back"(host) {
    const { client, far, listener, at } = await pair(host);
    listener.close();
    assertEquals(far.log, ["close undefined"]);
    const again = await station(host, { port: at.port });
    assertEquals(await client.closed(), ["close ECONNRESET"]);
    const other = await call(host, at);
    listener.close();
    other.say("hello");
    await (await again.next()).heard("hello");
    again.listener.close();
    assertEquals(await refusal(call(host, at)), "ECONNREFUSED");
    assertEquals(far.log, ["close undefined"]);
  },

  async "a port whose connections have just ended can be listened on"(host) {
    for (const address of ADDRESSES) {
      const { client, far, listener, at } = await pair(host, address);
      far.c.end();
      await client.until(() => client.log.includes("end"));
      client.c.end();
      await far.closed();
      listener.close();
      const again = await station(host, { address, port: at.port });
      again.listener.close();
    }
  },

  async "there are never more connections than the limit"(host) {
    let refused = 0;
    const server = await station(host, { maxConnections: 2, onRefused: () => refused++ });
    const [one, two] = [await call(host, server.at), await call(host, server.at)];
    await server.next();
    await server.next();
    assertEquals(await resetCode(host, server.at), "ECONNRESET");
    assertEquals([server.sides.length, refused], [2, 1]);
    two.c.abort();
    await server.sides[1]!.closed();
    const four = await call(host, server.at);
    four.say("room");
    await (await server.next()).heard("room");
    one.say("still");
    await server.sides[0]!.heard("still");
    assertEquals([server.sides.length, refused], [3, 1]);
    server.listener.close();
  },

  async "IPv6 alone leaves IPv4's port free"(host) {
    for (const first of ["::", "0.0.0.0"]) {
      const one = await station(host, { address: first });
      const second = first === "::" ? "0.0.0.0" : "::";
      const other = await station(host, { address: second, port: one.at.port });
      for (const [at, address] of [[one, first], [other, second]] as const) {
        const loopback = address === "::" ? "::1" : "127.0.0.1";
        const client = await call(host, { host: loopback, port: one.at.port });
        const side = await at.next();
        assertEquals([side.c.remote, side.c.local], [client.c.local, client.c.remote]);
        assertEquals(side.c.remote.host, loopback);
      }
      for (const { listener } of [one, other]) listener.close();
    }
  },

  async "a connection comes from the address and the port that it shall come from"(host) {
    for (const address of ADDRESSES) {
      const servers = [await station(host, { address }), await station(host, { address })];
      const source = await station(host, { address });
      const from = { host: address, port: source.at.port };
      assertEquals(await refusal(call(host, servers[0]!.at, { from })), "EADDRINUSE");
      source.listener.close();
      // The second time, the port's last connection has just ended.
      for (const server of servers) {
        const client = await call(host, server.at, { from });
        const side = await server.next();
        assertEquals([client.c.local, side.c.remote], [from, from]);
        client.c.end();
        await side.until(() => side.log.includes("end"));
        side.c.end();
        await client.closed();
        const any = await call(host, server.at, { from: { host: address, port: 0 } });
        assertEquals(any.c.local.host, address);
        server.listener.close();
      }
    }
  },

  async "what the system refuses has its name"(host) {
    const server = await station(host);
    const { port } = server.at;
    const listen = (address: string, port = 0) => refusal(station(host, { address, port }));
    const connect = (to: string, from?: string, at = port) =>
      refusal(
        call(
          host,
          { host: to, port: at },
          from === undefined ? {} : { from: { host: from, port: 0 } },
        ),
      );
    assertEquals(await listen("127.0.0.1", port), "EADDRINUSE");
    assertEquals(await listen("203.0.113.9"), "EADDRNOTAVAIL");
    assertEquals(await listen("fe80::1%lo"), "EADDRNOTAVAIL");
    assertEquals(await listen("fe80::1%nowhere"), "ENODEV");
    assertEquals(await listen("localhost"), "EINVAL");
    assertEquals(await listen("127.0.0.1", 65_536), "EINVAL");
    assertEquals(await connect("127.0.0.1", "203.0.113.9"), "EADDRNOTAVAIL");
    assertEquals(await connect("fe80::1%nowhere"), "ENODEV");
    assertEquals(await connect("127.0.0.1", "::1"), "EINVAL");
    assertEquals(await connect("localhost"), "EINVAL");
    assertEquals(await connect("127.0.0.1", undefined, -1), "EINVAL");
    server.listener.close();
    assertEquals(await connect("127.0.0.1"), "ECONNREFUSED");
    const before = descriptors();
    for (let i = 0; i < 20; i++) {
      assertEquals(await connect("127.0.0.1", "127.0.0.1"), "ECONNREFUSED");
      assertEquals(await listen("203.0.113.9"), "EADDRNOTAVAIL");
    }
    await pause();
    const after = descriptors();
    assert(after <= before + 5, `${before} descriptors before, ${after} after`);
    assertEquals(server.sides.length, 0);
  },

  async "many connections that end in all ways leave nothing"(host) {
    const server = await station(host, {}, (side) => ({
      onData: (bytes) => side.c.write(bytes),
      onEnd: () => side.c.end(),
    }));
    const visit = async (i: number) => {
      const from = i % 7 === 0 ? { from: { host: "127.0.0.1", port: 0 } } : {};
      const client = await call(host, server.at, from);
      if (i % 5 === 4) return client.c.abort();
      client.say("hello");
      if (i % 5 === 3) return client.c.abort();
      if (i % 5 === 2) client.c.end();
      await client.heard("hello");
      if (i % 5 === 1) return client.c.abort();
      client.c.end();
      assertEquals(await client.closed(), ["data", "end", "close undefined"]);
    };
    await visit(0);
    await server.sides[0]!.closed();
    const before = descriptors();
    for (let i = 1; i < 200; i++) await visit(i);
    await Promise.all(Array.from({ length: 90 }, (_, i) => visit(i)));
    await pause();
    for (const side of server.sides) {
      const closes = (await side.closed()).filter((event) => event.startsWith("close"));
      assertEquals(closes.length, 1, side.log.join());
    }
    await pause();
    const after = descriptors();
    assert(after <= before + 5, `${before} descriptors before, ${after} after`);
    server.listener.close();
  },
};

/** In a new network namespace: runs a program where {@linkcode overLink} finds its interface `near`. */
export const OWN_LINK: readonly string[] = [
  "unshare",
  "--net",
  "--mount",
  "sh",
  "-c",
  `set -e
  ip link set lo up
  ip link add near type veth peer name far
  ip link set near up
  ip link set far up
  ip address add 192.0.2.1/24 dev near
  ip -6 address add fe80::/128 dev near nodad
  ip -6 address add fe80::5/128 dev near nodad
  exec "$@"`,
  "sh",
];

/**
 * A link-local address with its scope, and a port on both sides; an address where nobody answers.
 *
 * @param scope An interface that has fe80::, fe80::5 and, with a route to `silent`, IPv4.
 */
export async function overLink(host: Host, scope: string, silent: string): Promise<void> {
  const server = await station(host, { address: `fe80::%${scope}`, port: 970 });
  const from = { host: `fe80::5%${scope}`, port: 970 };
  // After a reset, the same ports can be connected again at once.
  for (const how of ["reset", "end"]) {
    const client = await call(host, server.at, { from });
    const side = await server.next();
    assertEquals(client.c.local, { host: "fe80::5", port: 970 });
    assertEquals(client.c.remote, { host: "fe80::", port: 970 });
    assertEquals([side.c.local, side.c.remote], [client.c.remote, client.c.local]);
    client.say("question");
    await side.heard("question");
    side.say("answer");
    await client.heard("answer");
    if (how === "reset") client.c.abort();
    else client.c.end();
    await side.until(() => side.log.length > 1);
    side.c.end();
    await Promise.all([client.closed(), side.closed()]);
  }
  const free = await call(host, server.at);
  assertEquals(free.c.remote, { host: "fe80::", port: 970 });
  const elsewhere = { from: { host: `fe80::6%${scope}`, port: 970 } };
  assertEquals(await refusal(call(host, server.at, elsewhere)), "EADDRNOTAVAIL");
  server.listener.close();
  assertEquals(
    await refusal(call(host, server.at, { from: { ...from, port: 0 } })),
    "ECONNREFUSED",
  );

  const events = new Side();
  const to = { host: silent, port: 9 };
  for (const source of [{}, { from: { host: "0.0.0.0", port: 0 } }]) {
    assertEquals(
      await refusal(host.tcpConnect({ to, timeout: 0.1, ...source }, events)),
      "ETIMEDOUT",
    );
  }
  await pause();
  assertEquals(events.log, []);
}
