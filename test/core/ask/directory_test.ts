import { assert, assertEquals } from "@std/assert";
import { Directory, MAX_PEERS_KEPT } from "../../../lib/core/ask/directory.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { flagsOfNat, NAT } from "../../../lib/wire/wgsig2/nat.ts";
import { newPeerNews, type PeerNews, RECORD_FLAG } from "../../../lib/wire/wgsig2/record.ts";
import { idOf } from "../../support/fake_random.ts";
import { test } from "../../testing.ts";

function news(peer: number, flags = 0): PeerNews {
  const news = newPeerNews();
  news.id.bytes.set(idOf(peer));
  news.flags = flags;
  news.age = 4;
  return news;
}

test("more peers than can be kept are counted, and those that are known still change", () => {
  const directory = new Directory();
  const any = news(0);
  for (let i = 0; i < MAX_PEERS_KEPT + 5; i++) {
    any.id.view.setUint32(0, i);
    directory.take(any, { version: 1, generation: 1 }, 100);
  }
  assertEquals([directory.size, directory.leftOut], [MAX_PEERS_KEPT, 5]);
  directory.take(news(3, RECORD_FLAG.proved), { version: 2, generation: 1 }, 100);
  assert(directory.get(formatKey(idOf(3)))?.isProved);
  // Who is gone counts until nothing older can come any more.
  directory.take(news(3, RECORD_FLAG.gone), { version: 3, generation: 1 }, 100);
  assertEquals(directory.size, MAX_PEERS_KEPT);
  directory.settle(3);
  assertEquals(directory.size, MAX_PEERS_KEPT - 1);
});

test("a record says when the peer was heard, whether it is near and proved, and what its port does", () => {
  const directory = new Directory();
  const flags = RECORD_FLAG.near | RECORD_FLAG.probes | flagsOfNat(NAT.hard);
  directory.take(news(1, flags), { version: 1, generation: 1 }, 100);
  assertEquals([...directory.peers()], [
    {
      publicKey: formatKey(idOf(1)),
      isProved: false,
      isNear: true,
      probes: true,
      nat: "hard",
      heardAt: 96,
      candidates: [],
    },
  ]);
});

test("what is older changes nothing, neither who is there nor who is gone", () => {
  const directory = new Directory();
  directory.take(news(1, RECORD_FLAG.gone), { version: 5, generation: 1 }, 100);
  directory.take(news(2, RECORD_FLAG.proved), { version: 5, generation: 1 }, 100);
  for (const peer of [1, 2]) directory.take(news(peer), { version: 4, generation: 1 }, 100);
  assertEquals([...directory.peers()].map(({ isProved }) => isProved), [true]);
});
