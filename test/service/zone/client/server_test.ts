/** A name server that is asked with a TSIG key: what is taken, and what a person is told. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseServerName } from "../../../../lib/core/ask/server_name.ts";
import { denoHost } from "../../../../lib/host/deno/deno.ts";
import type { ServerReply } from "../../../../lib/service/ask/server_reply.ts";
import { askZoneServer } from "../../../../lib/service/zone/client/server.ts";
import { frameMessage } from "../../../../lib/wire/dns/frame.ts";
import { bareQuestion, forgeries, TsigDouble, tsigKey } from "../../../support/tsig_double.ts";
import { type DoublePeer, doublePeer, ZONE, ZoneDouble } from "../../../support/zone_double.ts";
import { ZoneServer, type ZoneServerOptions } from "../../../support/zone_server.ts";

/** Long enough for every answer that comes, and so long that nobody waits until it is over. */
const [LONG, ENDLESS] = [30, 3600];
const PEERS = [1, 2].map((number) =>
  doublePeer(number * 2 ** 20, { txt: ["txtvers=1", `allowed=10.9.0.${number}/32`] })
);

interface Scene {
  /** What the server knows, and how it answers over UDP and TCP. */
  readonly key?: ReturnType<typeof tsigKey>;
  readonly ahead?: number;
  readonly udpSize?: number;
  readonly peers?: readonly DoublePeer[];
  readonly timeout?: number;
  /** What comes before each answer. */
  readonly forge?: (question: Uint8Array) => readonly Uint8Array[];
  readonly isUnsigned?: boolean;
  /** The RCODE of all answers, without records. */
  readonly rcode?: number;
  /** It is asked without a key. */
  readonly isPlain?: boolean;
}

async function ask(
  { key = tsigKey(), ahead = 0, udpSize = 65_535, timeout = LONG, ...scene }: Scene,
): Promise<ServerReply & { readonly connections: number }> {
  const host = denoHost();
  const { rcode } = scene;
  const zone = new ZoneDouble({
    peers: scene.peers ?? PEERS,
    udpSize,
    instead: () => rcode === undefined ? undefined : { flags: rcode },
  });
  const signing = new TsigDouble(zone, key, host.now().unix + ahead);
  const answer = (question: Uint8Array, transport: "udp" | "tcp") =>
    scene.isPlain
      ? zone.answer(question, transport)
      : scene.isUnsigned
      ? zone.answer(bareQuestion(question), transport)
      : signing.answer(question, transport);
  const options: ZoneServerOptions = {
    zone,
    udp: (question, send) => {
      for (const each of scene.forge?.(question) ?? []) send(each);
      send(answer(question, "udp"));
    },
    tcp: (question, stream) => {
      for (const each of scene.forge?.(question) ?? []) stream.send(frameMessage(each));
      stream.send(frameMessage(answer(question, "tcp")));
    },
  };
  const server = new ZoneServer(options);
  try {
    const name = parseServerName(`dns://127.0.0.1:${server.port}/${ZONE}`);
    assert(name?.scheme === "dns");
    const reply = await askZoneServer(host, name, ["127.0.0.1"], {
      tsigKeys: scene.isPlain
        ? undefined
        : new Map([[`dns://127.0.0.1:${server.port}/${ZONE}`, tsigKey()]]),
      timeout,
      startedAt: host.now().mono,
    });
    const { connections } = server;
    return { ...reply, connections, warning: reply.warning?.replace(`:${server.port}`, "") };
  } finally {
    await server.close();
  }
}

const ENDPOINTS = PEERS.map(({ publicKey, addresses, port }, i) => [
  publicKey,
  `${addresses[0]} ${port}`,
  `10.9.0.${i + 1}/32`,
  true,
]);

function found({ peers }: ServerReply): unknown[] {
  return peers.map(({ publicKey, address, port, allowedIps, isSigned }) => [
    publicKey,
    `${address} ${port}`,
    allowedIps?.join(),
    isSigned,
  ]);
}

Deno.test("tsig: peers of a zone that signs are taken, over UDP and TCP", async () => {
  for (const udpSize of [65_535, 0]) {
    const reply = await ask({ udpSize });
    assertEquals([reply.outcome.status, reply.warning], ["ok", undefined]);
    assertEquals(found(reply), ENDPOINTS);
    assertEquals(reply.connections > 0, udpSize === 0);
  }
});

Deno.test("tsig: whoever forges before each answer changes nothing, and is told of", async () => {
  for (const udpSize of [65_535, 0]) {
    const reply = await ask({ udpSize, forge: (question) => forgeries(question, PEERS) });
    assertEquals(reply.outcome.status, "ok");
    assertEquals(found(reply), ENDPOINTS);
    assertMatch(
      reply.warning ?? "",
      /^dns:\/\/127\.0\.0\.1\/example\.com: \d+ answers that aren't signed with the key wg\.example\.com were left out; look who /,
    );
  }
});

Deno.test("tsig: a clock that is off is said, and stops nothing", async () => {
  const reply = await ask({ ahead: 1e6 });
  assertEquals([reply.outcome.status, found(reply)], ["ok", ENDPOINTS]);
  assertMatch(
    reply.warning ?? "",
    /^this host's clock is (999999|1000000) s behind that of dns:.*; set it with: timedatectl/,
  );
});

Deno.test("tsig: why nothing was believed is one line", async () => {
  const said = async (scene: Scene) => {
    const { outcome, peers, warning } = await ask({ timeout: ENDLESS, ...scene });
    assertEquals([outcome.status, peers], ["not-authenticated", []]);
    return warning ?? "";
  };
  const at = "^dns://127\\.0\\.0\\.1/example\\.com ";
  const all: readonly (readonly [Scene, string])[] = [
    [
      { key: tsigKey("other.test") },
      "says that it doesn't know the key wg\\.example\\.com \\(BADKEY, not authenticated\\)",
    ],
    [
      { key: tsigKey(undefined, 8) },
      "says that it has another secret for the key wg\\.example\\.com \\(BADSIG, not authenticated\\)",
    ],
    [{ isUnsigned: true }, "doesn't sign its answers with TSIG"],
  ];
  for (const [scene, text] of all) {
    assertMatch(await said(scene), new RegExp(`${at}${text}.*; `));
  }
});

Deno.test("each refusal has a line of its own, with a key and without one", async () => {
  const all: readonly (readonly [number, string])[] = [
    [5, "refuses to answer for example\\.com \\(REFUSED\\): .*, and there allow-from, views and "],
    [
      2,
      "fails to answer for example\\.com \\(SERVFAIL\\): the interface there .*; or .* a resolver,",
    ],
    [1, "has no answer for example\\.com: .* \\(FORMERR\\); "],
    [4, "has no answer for example\\.com: .* \\(NOTIMP\\); "],
    [9, "has no answer for example\\.com: .* \\(NOTAUTH\\); "],
    [11, "has no answer for example\\.com: it says RCODE 11; "],
    [0, "doesn't serve example\\.com, and points to other name servers; "],
  ];
  for (const [rcode, text] of all) {
    for (const isPlain of [false, true]) {
      const { outcome, peers, warning } = await ask({ rcode, isPlain, timeout: ENDLESS });
      assertEquals([outcome.status, peers], ["refused", []]);
      assertMatch(warning ?? "", new RegExp(`^dns://127\\.0\\.0\\.1/example\\.com ${text}`));
    }
  }
});
