import { assert, assertEquals, assertRejects } from "@std/assert";
import { denoHost } from "../../../../lib/host/deno/deno.ts";
import type { Host } from "../../../../lib/host/host.ts";
import {
  askZone,
  type ZoneAnswer,
  type ZoneQuery,
} from "../../../../lib/service/zone/client/asker.ts";
import { MemoryHost } from "../../../support/memory_host.ts";
import { readQuestion } from "../../../support/dns_messages.ts";
import {
  type DoubleOptions,
  type DoublePeer,
  doublePeer,
  ZONE,
  ZoneDouble,
} from "../../../support/zone_double.ts";
import { ZoneServer, type ZoneServerOptions } from "../../../support/zone_server.ts";

const LOOPBACK = "127.0.0.1";
/** Long enough for every answer that comes, on any machine. */
const LONG = 30;

interface Asked extends ZoneAnswer {
  /** What was asked, each once: a slow machine asks twice. */
  readonly questions: readonly string[];
  readonly connections: number;
  readonly port: number;
}

function peersOf(count: number): DoublePeer[] {
  return Array.from({ length: count }, (_, i) => doublePeer((i + 1) * 2 ** 20));
}

/**
 * The host, with more patience: on a slow machine, a connection is idle for the 0.1 s after which it is
 * ended, though the next question comes.
 */
function patientHost(): Host {
  const host = denoHost();
  return { ...host, after: (seconds, run) => host.after(50 * seconds, run) };
}

/** Asks a server of this zone, which behaves so. */
async function ask(
  zone: DoubleOptions,
  behaviour: Partial<ZoneServerOptions> = {},
  query: Partial<ZoneQuery> & { readonly before?: readonly string[] } = {},
  host = denoHost(),
): Promise<Asked> {
  const double = new ZoneDouble(zone);
  const server = new ZoneServer({ zone: double, ...behaviour });
  const { port } = server;
  try {
    const servers = [...query.before ?? [], behaviour.hostname ?? LOOPBACK]
      .map((host) => ({ host, port }));
    const answer = await askZone(host, {
      servers,
      zone: ZONE,
      wantsTxt: false,
      timeout: LONG,
      ...query,
    });
    await server.closedByAll();
    const { connections } = server;
    return { ...answer, questions: [...new Set(double.asked)], connections, port };
  } finally {
    await server.close();
  }
}

function found({ status, peers }: ZoneAnswer): unknown[] {
  return [status, peers.map(({ address, port }) => `${address} ${port}`)];
}

function expected(peers: readonly DoublePeer[], status = "ok"): unknown[] {
  return [status, peers.map(({ addresses, port }) => `${addresses[0]} ${port}`)];
}

Deno.test("a zone is asked over UDP", async () => {
  const peers = peersOf(3);
  const answer = await ask({ peers });
  assertEquals(found(answer), expected(peers));
  assertEquals(answer.server, { host: LOOPBACK, port: answer.port });
  assertEquals([answer.connections, answer.questions.length, answer.skipped], [0, 4, 0]);
  assertEquals(answer.error, undefined);
});

Deno.test("a zone is asked over IPv6", async () => {
  const peers = peersOf(40);
  const answer = await ask({ peers, udpSize: 1232 }, { hostname: "::1" });
  assertEquals(found(answer), expected(peers));
  assertEquals([answer.server?.host, answer.connections], ["::1", 1]);
});

Deno.test("what a bare answer leaves out is asked for", async () => {
  const peers = [...peersOf(2), doublePeer(9, { addresses: ["2001:db8::9"] })];
  const txt = peers.map(({ publicKey }) => [`pub=${publicKey}`, "allowed=10.0.0.1/32"]);
  const withTxt = peers.map((peer, i) => ({ ...peer, txt: txt[i]! }));
  const answer = await ask({ peers: withTxt, bare: true }, {}, { wantsTxt: true });
  assertEquals(found(answer), expected(peers));
  assertEquals(answer.peers.map(({ allowedIps }) => allowedIps?.join()), [
    "10.0.0.1/32",
    "10.0.0.1/32",
    "10.0.0.1/32",
  ]);
  assertEquals(answer.questions.length, 1 + 3 * 3 + 1);
});

Deno.test("some keys are asked for alone", async () => {
  const peers = peersOf(5);
  const keys = [peers[3]!.publicKey, peers[1]!.publicKey];
  const answer = await ask({ peers }, {}, { keys });
  assertEquals(found(answer), expected([peers[3]!, peers[1]!]));
  assertEquals(answer.questions.length, 2);
});

Deno.test("what doesn't fit comes over one connection, in whatever pieces", async () => {
  const peers = peersOf(300);
  for (const tcp of [undefined, "slowly"] as const) {
    const behaviour = tcp === undefined ? {} : { tcp };
    const answer = await ask({ peers, udpSize: 100 }, behaviour, {}, patientHost());
    assertEquals(found(answer), expected(peers));
    // Each once over UDP, which has no room, and once over TCP.
    assertEquals([answer.connections, answer.questions.length], [1, 602]);
    assertEquals(answer.error, undefined);
  }
});

Deno.test("a list in parts is asked for over one connection", async () => {
  const peers = peersOf(400);
  const answer = await ask({ peers, maxNames: 150, udpSize: 1232 }, {}, {}, patientHost());
  assertEquals(answer.status, "ok");
  assertEquals(answer.peers.length, 400);
  assertEquals(answer.connections, 1);
});

Deno.test("wrong IDs, other questions, noise and forgeries are dropped and counted", async () => {
  const peers = peersOf(2);
  const evil = peers.map((peer) => ({ ...peer, addresses: ["192.0.2.66"] }));
  const zone = new ZoneDouble({ peers });
  const forger = new ZoneDouble({ peers: evil });
  const answer = await ask({ peers }, {
    udp(question, send, forge) {
      const forged = forger.answer(question, "udp");
      forge(forged);
      const wrongId = forged.slice();
      wrongId[0]! ^= 0x55;
      send(wrongId);
      const otherName = forged.slice();
      otherName[13]! ^= 1;
      send(otherName);
      send(forged.subarray(0, forged.length - 1));
      send(question);
      send(new Uint8Array(0));
      const long = new Uint8Array(3000);
      long.set(forged);
      send(long);
      send(zone.answer(question, "udp"));
    },
  });
  assertEquals(found(answer), expected(peers));
  for (
    const reason of [
      "drop-stranger",
      "drop-unknown-id",
      "drop-other-question",
      "drop-malformed",
      "drop-no-response",
      "drop-too-long",
    ] as const
  ) assert((answer.dropped.get(reason) ?? 0) >= 3, reason);
});

Deno.test("a question that gets lost is asked again", async () => {
  const peers = peersOf(2);
  const zone = new ZoneDouble({ peers });
  const answer = await ask({ peers }, {
    udp: (question, send, _, count) => {
      if (count > 0) send(zone.answer(question, "udp"));
    },
  });
  assertEquals(found(answer), expected(peers));
});

Deno.test("silence ends with the time, and is no answer", async () => {
  const answer = await ask({ peers: [] }, { udp: () => {} }, { timeout: 0.7 });
  assertEquals(found(answer), ["no-answer", []]);
  assertEquals(answer.server, undefined);
});

Deno.test("what came before the silence is kept", async () => {
  const peers = peersOf(3);
  const zone = new ZoneDouble({ peers });
  const silent = zone.nameOf(peers[1]!.publicKey);
  const answer = await ask({ peers }, {
    udp: (question, send) => {
      if (readQuestion(question).name !== silent) send(zone.answer(question, "udp"));
    },
  }, { timeout: 2 });
  assertEquals(found(answer), expected([peers[0]!, peers[2]!], "incomplete"));
});

Deno.test("a connection that is never answered ends with the time", async () => {
  const peers = peersOf(40);
  const answer = await ask({ peers, udpSize: 1232 }, { tcp: () => {} }, { timeout: 1.5 });
  assertEquals(found(answer), ["incomplete", []]);
  assertEquals(answer.connections, 1);
});

Deno.test("where nobody takes connections, it ends, and says why", async () => {
  const peers = peersOf(40);
  const answer = await ask({ peers, udpSize: 1232 }, { tcp: null }, { timeout: 1.2 });
  assertEquals([...found(answer), answer.error], ["incomplete", [], "ECONNREFUSED"]);
});

Deno.test("a server may close after every answer", async () => {
  const peers = peersOf(6);
  const zone = new ZoneDouble({ peers });
  const answer = await ask({ peers, udpSize: 0 }, {
    tcp(question, stream) {
      if (stream.count > 0) return;
      const bytes = zone.answer(question, "tcp");
      stream.send(Uint8Array.from([bytes.length >> 8, bytes.length & 255, ...bytes]));
      stream.close();
    },
  });
  assertEquals(found(answer), expected(peers));
  assertEquals(answer.connections, 7);
});

Deno.test("a server may end its side after its answers", async () => {
  const peers = peersOf(3);
  const answer = await ask({ peers, udpSize: 0 }, { tcp: "ends" });
  assertEquals(found(answer), expected(peers));
  // It was noticed, not waited for.
  assertEquals(answer.error, undefined);
});

Deno.test("noise on a connection ends it, and another is tried", async () => {
  const peers = peersOf(40);
  const zone = new ZoneDouble({ peers });
  const answer = await ask({ peers, udpSize: 1232 }, {
    tcp(question, stream) {
      if (stream.number === 0) return stream.send(new Uint8Array(4096));
      const bytes = zone.answer(question, "tcp");
      stream.send(Uint8Array.from([bytes.length >> 8, bytes.length & 255, ...bytes]));
    },
  });
  assertEquals(found(answer), expected(peers));
  assertEquals(answer.connections, 2);
  assertEquals(answer.error, "EPROTO");
  assert((answer.dropped.get("drop-no-response") ?? 0) >= 32);
});

Deno.test("the next address is tried where the first is silent", async () => {
  const peers = peersOf(2);
  const answer = await ask({ peers, udpSize: 100 }, {}, { before: ["192.0.2.1"] });
  assertEquals(found(answer), expected(peers));
  assertEquals(answer.server?.host, LOOPBACK);
});

Deno.test("an address of the server that was not asked yet is a stranger", async () => {
  const peers = peersOf(1);
  const zone = new ZoneDouble({ peers });
  const forger = new ZoneDouble({ peers: [{ ...peers[0]!, addresses: ["192.0.2.66"] }] });
  const server = new ZoneServer({
    zone,
    udp: (question, send, forge) => {
      forge(forger.answer(question, "udp"));
      send(zone.answer(question, "udp"));
    },
  });
  try {
    const answer = await askZone(denoHost(), {
      servers: [server.port, server.otherPort].map((port) => ({ host: LOOPBACK, port })),
      zone: ZONE,
      wantsTxt: false,
      timeout: LONG,
    });
    assertEquals(found(answer), expected(peers));
    assert((answer.dropped.get("drop-stranger") ?? 0) > 0);
  } finally {
    await server.close();
  }
});

Deno.test("refusals are told apart", async () => {
  const status = async (rcode: number) => {
    const answer = await ask({ peers: [], instead: () => ({ flags: rcode }) });
    return answer.status;
  };
  assertEquals([await status(5), await status(2), await status(3)], [
    "refused",
    "refused",
    "no-zone",
  ]);
});

Deno.test("what can't be asked is refused before anything is sent", async () => {
  const query = {
    servers: [{ host: LOOPBACK, port: 53 }],
    zone: ZONE,
    wantsTxt: false,
    timeout: 1,
  };
  await assertRejects(() => askZone(denoHost(), { ...query, zone: "a..b" }), RangeError);
  await assertRejects(() => askZone(denoHost(), { ...query, keys: ["x"] }), RangeError);
  const named = [{ host: "localhost", port: 53 }];
  await assertRejects(() => askZone(denoHost(), { ...query, servers: named }), RangeError);
  await assertRejects(() => askZone(new MemoryHost(), query), Error, "EACCES");
  assertEquals((await askZone(denoHost(), { ...query, servers: [] })).status, "no-answer");
});
