import { assert, assertEquals } from "@std/assert";
import { Directory, MAX_PEERS_KEPT } from "../../../lib/core/ask/directory.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { CANDIDATE } from "../../../lib/wire/wgsig2/candidate.ts";
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

/** Peer 1, at a port where it was heard so many seconds ago. */
function told(age: number, port: number, flags = 0): PeerNews {
  const told = news(1, flags);
  told.age = age;
  told.candidates.count = 1;
  const [slot] = told.candidates.slots;
  slot!.kind = CANDIDATE.seen;
  slot!.port = port;
  slot!.address.bytes.set([0xff, 0xff, 192, 0, 2, 1], 10);
  return told;
}

test("where the registry counts anew, or is another, a record that is older doesn't undo a newer one", () => {
  const directory = new Directory();
  const ports = () => [...directory.peers()].map(({ candidates: [one] }) => one?.port);
  // A peer has moved two seconds ago.
  directory.take(told(2, 2000), { version: 9, generation: 1 }, 100);
  directory.recount();
  // Another registry hasn't heard of that: as far as it knows, the peer was heard a minute ago.
  directory.take(told(60, 1000), { version: 4, generation: 2 }, 101);
  assertEquals(ports(), [2000]);
  // Whatever it tells from then on is newer: also where it is about the same move, or seems older.
  directory.take(told(4, 2000), { version: 5, generation: 2 }, 102);
  assertEquals(ports(), [2000]);
  directory.take(told(9, 3000), { version: 6, generation: 2 }, 103);
  assertEquals(ports(), [3000]);
  // What is newer, as far as whole seconds tell, is taken at once; and so is who is gone.
  directory.recount();
  directory.take(told(11, 4000), { version: 1, generation: 3 }, 104);
  assertEquals(ports(), [4000]);
  directory.recount();
  directory.take(told(600, 0, RECORD_FLAG.gone), { version: 1, generation: 4 }, 105);
  assertEquals(ports(), []);
});

test("a registry that makes up ages holds a peer until all is told anew, and no longer", () => {
  const directory = new Directory();
  const port = () => [...directory.peers()].map(({ candidates: [one] }) => one?.port);
  directory.take(told(0, 666), { version: 9, generation: 1 }, 100);
  directory.recount();
  directory.take(told(60, 1000), { version: 4, generation: 2 }, 101);
  assertEquals(port(), [666]);
  // It is asked for anew, since the peer isn't reached: the same is told once more.
  directory.take(told(61, 1000), { version: 4, generation: 3 }, 102);
  assertEquals(port(), [1000]);
});
