/**
 * Writes the state of a registry that knows a crowd, as the registry itself writes it.
 *
 * @module
 */

import { Counters } from "../../lib/core/net/counters.ts";
import { writeIpv4 } from "../../lib/core/net/ip_address.ts";
import { AskedQuestion } from "../../lib/core/registry/asked_question.ts";
import { RegistryGroup } from "../../lib/core/registry/group.ts";
import { RegistryJournal } from "../../lib/core/registry/journal.ts";
import { MemberJournal } from "../../lib/core/registry/member_journal.ts";
import { Registrar } from "../../lib/core/registry/registrar.ts";
import { Registry } from "../../lib/core/registry/registry.ts";
import { NonceSource } from "../../lib/core/net/random.ts";
import { encodeFile } from "../../lib/core/store/encoding.ts";
import type { Host } from "../../lib/host/host.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { writeLabel } from "../../lib/wire/wgsig/tai64n.ts";
import { QUESTION_FLAG } from "../../lib/wire/wgsig2/question.ts";
import {
  crowdAddress,
  NETWORKS,
  readKey,
  type SeedJob,
  setCrowdPlaces,
  writeCrowdId,
} from "./crowd.ts";

/** Peers were heard over so many seconds before the file was written. */
const SPREAD = 60;
const STRIDE = 7_368_787;

/** Writes the file. */
export async function seedCrowd(host: Host, job: SeedJob): Promise<void> {
  const random = (bytes: Uint8Array) => host.random(bytes);
  const count = job.peers + job.first;
  const registry = new Registry({ encryption: "auto", window: 30 }, {
    endpointChanged() {},
    dropped() {},
  });
  const group = new RegistryGroup(
    {
      id: 0,
      secrets: [await readKey(host, job.secret)],
      primitives: host.primitives,
      allowed: undefined,
      maxAge: 86_400,
      window: 30,
      serverKey: new ExchangeKey(await readKey(host, job.key), host.primitives),
    },
    { maxPeers: count, maxAnswer: 10, seed: 1 },
    new NonceSource(random),
  );
  registry.setGroup(group);
  const parts = [new MemberJournal(registry, 1, random), new RegistryJournal(registry, 1)];
  const directory = group.openDirectory(random, 0);
  const registrar = new Registrar();
  const asked = new AskedQuestion();
  const { question } = asked;
  const counters = new Counters();
  const now = { unix: host.now().unix - SPREAD, mono: 0 };
  asked.sources = new WireBuffer(16);
  asked.buffer = new WireBuffer(200);
  asked.isIpv4 = asked.isShown = true;
  question.candidates.count = setCrowdPlaces(0, question.candidates);
  for (let peer = 0; peer < count; peer++) {
    // They were heard in another order than that in which they came.
    now.mono = SPREAD * (peer * STRIDE % count) / count;
    writeCrowdId(peer, question.id, 0);
    question.flags = peer < job.peers ? QUESTION_FLAG.proved : 0;
    question.candidates.count = peer < job.peers ? setCrowdPlaces(peer, question.candidates) : 0;
    question.seconds = Math.floor(now.unix);
    writeLabel(asked.buffer, asked.labelAt, question);
    writeIpv4(asked.sources, 0, crowdAddress(peer % NETWORKS));
    asked.port = 1;
    asked.peer = directory.find(question.id, 0);
    registrar.reset();
    registrar.register(group, directory, asked, now, counters);
  }
  const bytes = encodeFile(parts, { unix: host.now().unix, mono: SPREAD });
  await host.writeFile(job.state, bytes, { mode: 0o600 });
}
