/**
 * Clients of wgsig 2: each proves its key, has three candidates, wants one peer, and polls when nothing
 * is new.
 *
 * @module
 */

import type { Host } from "../../lib/host/host.ts";
import { labelOf } from "../../lib/wire/wgsig/tai64n.ts";
import { MAX_DATAGRAM_SIZE } from "../../lib/wire/wgsig2/datagram.ts";
import { seededRandom } from "../support/seeded_random.ts";
import type { Dialogue } from "./dialogue.ts";
import { peerKit, QuestionPeer } from "./question_peer.ts";
import { SECRET } from "./requests.ts";

/** Before it is known, a client is told what to do so often, at most. */
const MOST_RETRIES = 100;

/** The protocol for some clients; see {@linkcode Job} for `bareSize`. */
export function questionDialogue(host: Host, clients: number, bareSize: number): Dialogue {
  // The same peers come again with each load. What is random in a question is not.
  const keys = seededRandom(5);
  let drawn = 0;
  const random = (bytes: Uint8Array) => bytes.length === 32 ? keys(bytes) : host.random(bytes);
  const kit = peerKit(SECRET, host.primitives, random);
  const peers = Array.from({ length: clients }, () => new QuestionPeer(kit, undefined));
  return {
    size: MAX_DATAGRAM_SIZE,
    perSocket: 1,
    clientOf: () => 0,
    ask: (client, out, at) => peers[client]!.ask(labelOf(host.now().unix), out, at),
    isAnswer(client, answers, at, length) {
      if (bareSize > 0) return length === bareSize;
      const heard = peers[client]!.hear(answers, at, length);
      return heard === "answer" || heard === "retry" && ++drawn < MOST_RETRIES * clients;
    },
  };
}
