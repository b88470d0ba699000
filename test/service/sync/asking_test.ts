/** `sync` asks its servers again and again: what it keeps of name servers between two rounds. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseServerName } from "../../../lib/core/ask/server_name.ts";
import type { SyncQuestion } from "../../../lib/core/sync/actions.ts";
import { denoHost } from "../../../lib/host/deno/deno.ts";
import { Asking } from "../../../lib/service/sync/asking.ts";
import { SYNC_CONFIG } from "../../support/sync_config.ts";
import { TsigDouble, tsigKey } from "../../support/tsig_double.ts";
import { doublePeer, ZONE, ZoneDouble } from "../../support/zone_double.ts";
import { ZoneServer } from "../../support/zone_server.ts";

const PEER = doublePeer(1, { txt: ["txtvers=1", "allowed=10.9.0.1/32"] });
const DAY = 86_400;

const QUESTION: SyncQuestion = {
  way: "unregistered",
  beside: false,
  anew: false,
  port: 51_820,
  mark: 0,
  id: new Uint8Array(32),
  keys: [PEER.publicKey],
  wants: undefined,
  openTo: new Map(),
  own: { candidates: [], probes: false, nat: "unknown", relays: [], directs: [] },
};

Deno.test("peers of a zone that were not seen for longer than max-age are left out", async () => {
  const host = denoHost();
  const { unix } = host.now();
  const seen = [60, 2 * 3600, undefined].map((age, i) =>
    doublePeer(i + 1, {
      txt: ["txtvers=1", ...(age === undefined ? [] : [`seen=${Math.floor(unix) - age}`])],
    })
  );
  const zone = new ZoneDouble({ peers: seen });
  await using server = new ZoneServer({ zone });
  const name = parseServerName(`dns://127.0.0.1:${server.port}/${ZONE}`);
  assert(name?.scheme === "dns");
  const asking = new Asking(host, () => Promise.resolve(undefined), () => {});
  const config = { ...SYNC_CONFIG, timeout: 30, servers: [name] };
  const question = { ...QUESTION, keys: undefined };
  for (const [maxAge, places] of [[3600, [0, 2]], [86_400, [0, 1, 2]]] as const) {
    const { answer } = await asking.ask({ ...config, maxAge }, question);
    assertEquals(
      answer.peers.map(({ publicKey }) => publicKey).toSorted(),
      places.map((place) => seen[place]!.publicKey).toSorted(),
    );
  }
  asking.close();
});

Deno.test("a name server's clock that is off is learnt once, not in each round", async () => {
  const host = denoHost();
  const zone = new ZoneDouble({ peers: [PEER] });
  const signing = new TsigDouble(zone, tsigKey(), host.now().unix + DAY);
  await using server = new ZoneServer({
    zone,
    udp: (question, send) => send(signing.answer(question, "udp")),
  });
  const name = parseServerName(`dns://127.0.0.1:${server.port}/${ZONE}`);
  assert(name?.scheme === "dns");
  const tsigKeys = new Map([[`dns://127.0.0.1:${server.port}/${ZONE}`, tsigKey()]]);
  const asking = new Asking(host, () => Promise.resolve(undefined), () => {});
  const config = { ...SYNC_CONFIG, timeout: 30, servers: [name], tsigKeys };
  /** How many questions were signed with a wrong time, by round. */
  const refused: number[] = [];
  for (let round = 0; round < 3; round++) {
    const before = signing.times.length - signing.signed;
    const { answer } = await asking.ask(config, QUESTION);
    refused.push(signing.times.length - signing.signed - before);
    assertEquals(answer.peers.map(({ publicKey }) => publicKey), [PEER.publicKey]);
    // It is said as long as it is so.
    assertMatch(answer.warnings.join("\n"), /^this host's clock is (86399|86400) s behind that of/);
  }
  assertEquals(refused, [1, 0, 0]);
  asking.close();
});
