import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { MAX_CUTS } from "../../../lib/core/ask/inquiry.ts";
import type { Wish } from "../../../lib/core/ask/question_writer.ts";
import type { OwnReach } from "../../../lib/core/ask/own_reach.ts";
import type { HostPort } from "../../../lib/core/net/host_port.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { flagsOfNat, NAT } from "../../../lib/wire/wgsig2/nat.ts";
import { MIN_QUESTION_SIZE, QUESTION_FLAG } from "../../../lib/wire/wgsig2/question.ts";
import { RETRY } from "../../../lib/wire/wgsig2/retry.ts";
import {
  ASKING,
  ConversationDriver,
  OWN_PRIVATE,
  OWN_PUBLIC,
  ownProver,
  REGISTERING,
} from "../../support/conversation_driver.ts";
import { idOf } from "../../support/fake_random.ts";
import { SECRET } from "../../support/registry_driver.ts";
import { type Place, type Script, ScriptedRegistry } from "../../support/scripted_registry.ts";
import { seededNumbers, seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const SUBSCRIBING: Wish = { ...ASKING, subscribes: true };
const OTHER_SERVER = new Uint8Array(32).fill(0x77);

function registryOf(script: Script = {}): ScriptedRegistry {
  return new ScriptedRegistry(seededRandom(9), script);
}

function placeOf(peer: number): Place {
  return ["seen", `192.0.2.${peer % 256}`, 1000 + peer];
}

/** A registry with some peers. */
function crowd(peers: number, script: Script = {}): ScriptedRegistry {
  const registry = registryOf(script);
  for (let i = 1; i <= peers; i++) registry.set(idOf(i), placeOf(i));
  return registry;
}

test("an unproved question is answered, and the answer says where it came from", () => {
  const driver = new ConversationDriver();
  const registry = crowd(3);
  registry.set(
    idOf(9),
    ["seen", "192.0.2.9", 9],
    ["seen", "2001:db8::9", 9],
    ["lan", "10.0.0.9", 51820],
    ["mapped", "198.51.100.9", 77],
  );
  const inquiry = driver.inquire();
  assertEquals(driver.run(inquiry, registry), 1);
  assertEquals(driver.peers, registry.peers);
  assertEquals(inquiry.seen, { host: "203.0.113.7", port: 4000 });
  assert(inquiry.isAnswered && inquiry.isRegistered && !inquiry.isSubscribed);
  assertEquals(driver.conversation.serverKey, registry.publicKey.bytes);
  const note = driver.conversation.takeNote();
  assertEquals(note, { kind: "server-key-learnt", key: formatKey(registry.publicKey.bytes) });
  assertEquals(driver.conversation.takeNote(), undefined);
});

test("what no host can have as an endpoint is left out", () => {
  const driver = new ConversationDriver();
  const registry = registryOf();
  registry.set(
    idOf(1),
    ["seen", "0.1.2.3", 1],
    ["seen", "224.0.0.1", 1],
    ["seen", "192.0.2.1", 0],
    ["lan", "127.0.0.1", 1],
    ["seen", "ff02::1", 1],
    ["lan", "fe80::1", 1],
    ["mapped", "::", 1],
    ["lan", "::1", 1],
  );
  registry.set(idOf(2), ["seen", "127.0.0.1", 1], ["seen", "::1", 1]);
  driver.run(driver.inquire(), registry);
  const found = [...driver.conversation.directory.peers()].map(({ candidates }) =>
    candidates.map(({ address }) => address)
  );
  assertEquals(found, [[], ["127.0.0.1", "::1"]]);
});

test("who proves first learns the registry's key, then proves, and is answered for that alone", () => {
  const driver = new ConversationDriver({ prover: ownProver() });
  const registry = crowd(3);
  const inquiry = driver.inquire();
  assertEquals(driver.run(inquiry, registry), 2);
  assertEquals(driver.peers, registry.peers);
  assert(registry.asked.every(({ question: { flags } }) => (flags & QUESTION_FLAG.proved) !== 0));
  assert(inquiry.isRegistered);
  // From then on, one question will do.
  assertEquals(driver.run(driver.inquire(), registry), 1);
});

test("with the key pinned, the first question is proved", () => {
  const registry = crowd(2);
  const driver = new ConversationDriver({
    prover: ownProver(),
    serverKey: registry.publicKey.bytes,
  });
  assertEquals(driver.run(driver.inquire(), registry), 1);
  assertEquals(driver.peers, registry.peers);
  assertEquals(driver.conversation.takeNote(), undefined);
});

test("a question says what it is for", () => {
  const registry = crowd(1);
  const driver = new ConversationDriver();
  const asked = (wish: Wish) => {
    const question = driver.ask(driver.inquire(wish));
    assert(question.length >= MIN_QUESTION_SIZE);
    registry.answer(question, driver.unix);
    return registry.asked.at(-1)!.question;
  };
  assertEquals(asked(REGISTERING).flags, 0);
  assertEquals(asked(ASKING).flags, QUESTION_FLAG.keep);
  assertEquals(asked(SUBSCRIBING).flags, QUESTION_FLAG.keep | QUESTION_FLAG.subscribe);
  assertEquals(asked(ASKING).wants.isGiven, false);
  const nobody = asked({ ...ASKING, asks: false }).wants;
  assertEquals([nobody.isGiven, nobody.count], [true, 0]);
  driver.conversation.want([formatKey(idOf(5)), formatKey(idOf(6))]);
  const { wants } = asked(ASKING);
  assertEquals([wants.isGiven, wants.count], [true, 2]);
  assertEquals([...wants.bytes.bytes.slice(8, 16)], [...idOf(6).slice(0, 8)]);
});

test("a question that registers says how its peer is reached, and all say whom it relays", () => {
  const registry = crowd(1);
  const driver = new ConversationDriver();
  const asked = (wish: Wish) => {
    registry.answer(driver.ask(driver.inquire(wish)), driver.unix);
    const { flags, candidates: { slots, count }, relayed, directs } =
      registry.asked.at(-1)!.question;
    return {
      flags,
      candidates: slots.slice(0, count).map(({ kind, port }) => [kind, port]),
      relayed: [relayed.isGiven, relayed.count],
      directs: [directs.isGiven, directs.count],
    };
  };
  const own: OwnReach = {
    candidates: [
      { kind: "lan", host: "10.0.0.1", port: 51820 },
      { kind: "declared", host: "2001:db8::5", port: 51820 },
      { kind: "lan", host: "nonsense", port: 1 },
    ],
    probes: true,
    nat: "sequential",
    relays: [formatKey(idOf(5)), formatKey(idOf(6)), "nonsense"],
    directs: [formatKey(idOf(7))],
  };
  const lists = { relayed: [true, 2], directs: [true, 1] };
  const flags = QUESTION_FLAG.probes | flagsOfNat(NAT.sequential);
  const candidates = [[2, 51820], [4, 51820]];
  assertEquals(asked({ ...REGISTERING, own: () => own }), { flags, candidates, ...lists });
  const { keep, subscribe } = QUESTION_FLAG;
  const only = { flags: keep | subscribe, candidates: [] };
  assertEquals(asked({ ...SUBSCRIBING, own: () => own }), { ...only, ...lists });
  // Nobody is relayed any more where the list is left out.
  const none = { relayed: [false, 0], directs: [false, 0] };
  const nobody = { ...own, relays: [], directs: [] };
  assertEquals(asked({ ...SUBSCRIBING, own: () => nobody }), { ...only, ...none });
  assertEquals(asked(REGISTERING), { flags: 0, candidates: [], ...none });
});

test("whatever it names, a question fits, and wants all who are wanted", () => {
  const registry = crowd(1, { wantsCookie: true });
  const driver = new ConversationDriver({ prover: ownProver() });
  const keys = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => formatKey(idOf(from + i)));
  const candidates = Array.from({ length: 8 }, (_, i) => ({
    kind: "lan" as const,
    host: `2001:db8::${i}`,
    port: 1,
  }));
  const scenes = [false, true].flatMap((roster) =>
    [0, 10, 11, 12, 13, 100].map((wanted) => ({ roster, wanted }))
  );
  for (const { roster, wanted } of scenes) {
    for (const [relays, directs] of [[0, 0], [64, 0], [64, 32], [200, 200], [0, 9]] as const) {
      driver.conversation.want(keys(0, wanted));
      const own: OwnReach = {
        ...{ candidates, probes: true, nat: "easy" },
        ...{ relays: keys(200, relays), directs: keys(500, directs) },
      };
      const wish = { ...REGISTERING, subscribes: true, own: () => own, roster };
      driver.run(driver.inquire(wish), registry);
      const { wants, relayed, directs: direct, roster: version } = registry.asked.at(-1)!.question;
      assertEquals([relayed.count, direct.count], [Math.min(relays, 64), Math.min(directs, 32)]);
      assertEquals(version, roster ? 0 : -1);
      const fits = wanted + relayed.count + direct.count <= (roster ? 106 : 108);
      assertEquals([wants.isGiven, wants.count], fits ? [true, wanted] : [false, 0]);
    }
  }
});

test("a question for as many peers as can be named fits, with all else that it may have", () => {
  const registry = crowd(1, { wantsCookie: true });
  const driver = new ConversationDriver({ prover: ownProver() });
  const keys = Array.from({ length: 100 }, (_, i) => formatKey(idOf(i)));
  driver.conversation.want(keys);
  const candidates = Array.from({ length: 9 }, (_, i) => ({
    kind: "lan" as const,
    host: `2001:db8::${i}`,
    port: 1,
  }));
  const own = { candidates, probes: false, nat: "unknown", relays: [], directs: [] } as const;
  const wish = { ...REGISTERING, subscribes: true, own: () => own };
  driver.run(driver.inquire(wish), registry);
  driver.hear(registry.push());
  assertEquals(driver.run(driver.inquire(wish), registry), 1);
  const { question } = registry.asked.at(-1)!;
  assertEquals([question.wants.count, question.candidates.count, question.ack], [100, 8, 1]);
  // Of more, the whole group is asked for, and those are picked here.
  driver.conversation.want([...keys, formatKey(idOf(500))]);
  registry.set(idOf(501), placeOf(501));
  registry.set(idOf(500), placeOf(500));
  assertEquals(driver.run(driver.inquire(wish), registry), 1);
  assertEquals(registry.asked.at(-1)!.question.wants.isGiven, false);
  assertEquals(driver.peers.length, 2);
  assert(driver.conversation.directory.get(formatKey(idOf(500))));
});

test("a poll with nothing new is answered by who knows the cursor, and says nothing", () => {
  const driver = new ConversationDriver();
  const registry = crowd(50, { records: 5 });
  driver.run(driver.inquire(), registry);
  const { revision } = driver.conversation.directory;
  const inquiry = driver.inquire();
  driver.run(inquiry, registry);
  assertEquals([inquiry.received, inquiry.expected], [1, 1]);
  assertEquals(driver.conversation.directory.revision, revision);
  registry.set(idOf(7), placeOf(77));
  driver.run(driver.inquire(), registry);
  assertEquals(driver.conversation.directory.revision, revision + 1);
  assertEquals(driver.peers, registry.peers);
});

test("whatever is lost, doubled, late or mixed up, what is known comes to be what there is", () => {
  const step = fc.record({
    set: fc.array(fc.nat(12), { maxLength: 4 }),
    remove: fc.array(fc.nat(12), { maxLength: 2 }),
    pushes: fc.nat(2),
    restarts: fc.nat(14),
    wants: fc.nat(6),
  });
  const steps = fc.array(step, { minLength: 1, maxLength: 12 });
  const shape = fc.record({
    records: fc.integer({ min: 1, max: 4 }),
    parts: fc.integer({ min: 1, max: 4 }),
    isProved: fc.boolean(),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(steps, shape, (steps, { records, parts, isProved, seed }) => {
      const chance = seededNumbers(seed);
      const registry = crowd(5, { records, parts });
      const driver = new ConversationDriver(isProved ? { prover: ownProver() } : {}, seed);
      const late: Uint8Array[] = [];
      /** Loses some, keeps some for later, doubles some, in any order. */
      const network = (datagrams: Uint8Array[]) => {
        const through: Uint8Array[] = [];
        for (const datagram of [...datagrams, ...late.splice(0)]) {
          const dice = chance();
          if (dice < 0.2) continue;
          if (dice < 0.45) late.push(datagram);
          else through.push(datagram);
          if (dice > 0.9) late.push(datagram);
        }
        return through.sort(() => chance() - 0.5);
      };
      let epoch = 1;
      let wanted: number[] | undefined;
      for (const { set, remove, pushes, restarts, wants } of steps) {
        for (const peer of set) registry.set(idOf(peer), placeOf(Math.floor(chance() * 1000)));
        for (const peer of remove) registry.remove(idOf(peer));
        if (restarts === 0) registry.restart(++epoch, chance() < 0.5);
        if (wants < 3) {
          wanted = wants === 0 ? undefined : Array.from({ length: 12 }, (_, i) => i + wants * 3);
          driver.conversation.want(wanted?.map((peer) => formatKey(idOf(peer))));
        }
        driver.run(driver.inquire(SUBSCRIBING), registry, network, 3);
        for (let i = 0; i < pushes && registry.asked.length > 0; i++) {
          registry.set(idOf(Math.floor(chance() * 12)), placeOf(Math.floor(chance() * 1000)));
          for (const datagram of network([registry.push()])) driver.hear(datagram);
        }
      }
      const inquiry = driver.inquire();
      driver.run(inquiry, registry);
      assert(inquiry.isAnswered);
      const isWanted = (text: string) =>
        wanted === undefined || wanted.some((peer) => text.startsWith(formatKey(idOf(peer))));
      assertEquals(driver.peers, registry.peers.filter(isWanted));
      // What comes late changes nothing.
      for (const datagram of late) driver.hear(datagram);
      assertEquals(driver.peers, registry.peers.filter(isWanted));
    }),
    { numRuns: 100 },
  );
});

test("an answer that was asked for earlier, and comes between the parts of a later one, brings nobody back", () => {
  const driver = new ConversationDriver();
  const registry = crowd(5, { records: 2 });
  const [earlier, later] = [driver.inquire(), driver.inquire()];
  const before = registry.answer(driver.ask(earlier), driver.unix);
  registry.remove(idOf(1));
  const [first, ...others] = registry.answer(driver.ask(later), driver.unix);
  for (const datagram of [first!, ...before, ...others]) driver.hear(datagram);
  assert(later.isAnswered);
  assertEquals(driver.peers, registry.peers);
  driver.run(driver.inquire(), registry);
  assertEquals(driver.peers, registry.peers);
});

test("parts of answers to two questions make no whole one", () => {
  const driver = new ConversationDriver();
  const registry = crowd(4, { records: 2 });
  const inquiry = driver.inquire();
  const [first] = registry.answer(driver.ask(inquiry), driver.unix);
  const [, second] = registry.answer(driver.ask(inquiry), driver.unix);
  assertEquals([driver.hear(first!), driver.hear(second!)], ["answer", "answer"]);
  assert(!inquiry.isAnswered);
  assertEquals(inquiry.received, 1);
  assertEquals(driver.run(inquiry, registry), 1);
  assert(inquiry.isAnswered);
});

test("a part that says another thing than the first one is dropped", () => {
  const driver = new ConversationDriver();
  const registry = crowd(4, { records: 2 });
  const question = driver.ask(driver.inquire());
  const [first] = registry.answer(question, driver.unix);
  registry.set(idOf(1), placeOf(70));
  const [, second] = registry.answer(question, driver.unix);
  assertEquals([driver.hear(first!), driver.hear(second!)], ["answer", "drop-mixed"]);
});

test("an answer that was forged, shortened, lengthened or is another question's is dropped", () => {
  const registry = crowd(3);
  const driver = new ConversationDriver({
    prover: ownProver(),
    serverKey: registry.publicKey.bytes,
  });
  const other = new ConversationDriver({}, 2);
  const inquiry = driver.inquire();
  const [answer] = registry.answer(driver.ask(inquiry), driver.unix);
  const [others] = registry.answer(other.ask(other.inquire()), other.unix);
  const change = fc.tuple(fc.nat(answer!.length - 1), fc.integer({ min: 1, max: 255 }));
  fc.assert(fc.property(change, ([at, bits]) => {
    const forged = answer!.slice();
    forged[at]! ^= bits;
    assert(driver.hear(forged).startsWith("drop-"));
  }));
  for (let length = 0; length < answer!.length; length++) {
    assert(driver.hear(answer!.slice(0, length)).startsWith("drop-"));
  }
  assert(driver.hear(Uint8Array.from([...answer!, 0])).startsWith("drop-"));
  assertEquals(driver.hear(others!), "drop-not-opened");
  assertEquals([driver.peers, inquiry.isHeard, inquiry.received], [[], false, 0]);
  assertEquals(driver.hear(answer!), "answer");
  assertEquals(driver.hear(answer!), "duplicate");
  assertEquals(driver.peers, registry.peers);
});

test("noise is dropped, whatever it is", () => {
  const driver = new ConversationDriver({ prover: ownProver() });
  driver.ask(driver.inquire(SUBSCRIBING));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1300 }), fc.nat(5), (bytes, type) => {
    // Half of it looks like wgsig 2 for the group.
    if (type < 5 && bytes.length > 16) {
      bytes.set(bytes.slice(8, 12));
      [0x77, 0x67, 2, type].forEach((byte, i) => bytes[4 + i] = byte ^ bytes[12 + i]!);
    }
    assert(driver.hear(bytes).startsWith("drop-"));
  }));
});

test("the datagrams of another group are dropped", () => {
  const driver = new ConversationDriver({ group: 5 });
  const registry = crowd(1, { group: 6 });
  const other = new ConversationDriver({ group: 6 });
  driver.ask(driver.inquire());
  const [answer] = registry.answer(other.ask(other.inquire()), other.unix);
  assertEquals(driver.hear(answer!), "drop-group-mismatch");
});

test("a member who has the secret but not the registry's key can't answer a proved question", () => {
  const registry = crowd(3);
  const member = crowd(3, { isImpostor: true });
  member.set(idOf(1), ["seen", "198.51.100.66", 666]);
  const driver = new ConversationDriver({ prover: ownProver() });
  driver.run(driver.inquire(), registry);
  const inquiry = driver.inquire();
  const question = driver.ask(inquiry);
  for (const forged of member.answer(question, driver.unix)) {
    assertEquals(driver.hear(forged), "drop-not-opened");
  }
  assertEquals(driver.peers, registry.peers);
  assert(!inquiry.isHeard);
  // Neither can it push.
  assertEquals(driver.hear(member.push()), "drop-not-opened");
  for (const datagram of registry.answer(question, driver.unix)) driver.hear(datagram);
  assert(inquiry.isAnswered);
});

test("a server with another key is refused by who has pinned it, whoever it is", () => {
  const registry = crowd(2, { privateKey: OTHER_SERVER });
  const pinned = crowd(2);
  for (const prover of [undefined, ownProver()]) {
    const driver = new ConversationDriver({ prover, serverKey: pinned.publicKey.bytes });
    const inquiry = driver.inquire();
    assertEquals(driver.run(inquiry, registry, undefined, 5), 5);
    assertEquals(driver.peers, []);
    assert(inquiry.isKeyRefused && !inquiry.isAnswered);
    assertEquals(driver.conversation.takeNote(), {
      kind: "server-key-refused",
      key: formatKey(registry.publicKey.bytes),
    });
    assertEquals(driver.conversation.takeNote(), undefined);
    assertEquals(driver.conversation.serverKey, pinned.publicKey.bytes);
    // The right one is still heard.
    driver.run(inquiry, pinned);
    assert(inquiry.isAnswered && !inquiry.isKeyRefused);
  }
});

test("a server that changes its key is said by who has not pinned it, once it has proved the new one", () => {
  for (const prover of [undefined, ownProver()]) {
    const driver = new ConversationDriver({ prover });
    const before = crowd(2);
    const registry = crowd(3, { privateKey: OTHER_SERVER });
    registry.restart(0x77);
    driver.run(driver.inquire(), before);
    assertEquals(driver.conversation.takeNote()?.kind, "server-key-learnt");
    const inquiry = driver.inquire();
    driver.run(inquiry, registry);
    assert(inquiry.isAnswered);
    assertEquals(driver.conversation.takeNote(), {
      kind: "server-key-changed",
      key: formatKey(registry.publicKey.bytes),
      before: formatKey(before.publicKey.bytes),
    });
    assertEquals(driver.peers, registry.peers);
  }
});

test("a key that somebody has made up is tried for one question, and costs no more than that", () => {
  const registry = crowd(2);
  const driver = new ConversationDriver({ prover: ownProver() });
  driver.run(driver.inquire(), registry);
  driver.conversation.takeNote();
  const inquiry = driver.inquire();
  registry.answer(driver.ask(inquiry), driver.unix);
  const other = crowd(0, { privateKey: OTHER_SERVER });
  const forged = registry.retry(registry.asked.at(-1)!, RETRY.proof, driver.unix, other.publicKey);
  assertEquals(driver.hear(forged), "retry");
  // The next question is for that key: nobody answers it. The one after goes by the key before.
  assertEquals(inquiry.next(driver.now).kind, "ask");
  driver.ask(inquiry);
  driver.mono += 1;
  assertEquals(driver.run(inquiry, registry), 1);
  assert(inquiry.isAnswered);
  assertEquals(driver.conversation.takeNote(), undefined);
});

test("a key of small order is none", () => {
  const registry = crowd(1);
  const driver = new ConversationDriver({ prover: ownProver() });
  const inquiry = driver.inquire();
  registry.answer(driver.ask(inquiry), driver.unix);
  const { publicKey } = registry;
  const zeros = Object.assign(Object.create(Object.getPrototypeOf(publicKey)), {
    bytes: new Uint8Array(32),
    view: publicKey.view,
  });
  const forged = registry.retry(registry.asked.at(-1)!, RETRY.proof, driver.unix, zeros);
  assertEquals(driver.hear(forged), "drop-key-refused");
  assertEquals(driver.conversation.serverKey, undefined);
});

test("a proof that the registry doesn't take is not tried again at once", () => {
  const registry = crowd(1);
  const driver = new ConversationDriver({
    prover: ownProver(),
    serverKey: registry.publicKey.bytes,
  });
  const inquiry = driver.inquire();
  registry.script.retries = [RETRY.proof];
  driver.hear(registry.answer(driver.ask(inquiry), driver.unix)[0]!);
  assertEquals(inquiry.next(driver.now), { kind: "wait", until: driver.mono + 0.5 });
  assert(inquiry.isProofRefused);
  // Without a private key there is no proof at all.
  const other = new ConversationDriver();
  const unproved = other.inquire();
  registry.script.retries = [RETRY.proof];
  other.hear(registry.answer(other.ask(unproved), other.unix)[0]!);
  assert(unproved.isProofRefused);
  assertEquals(unproved.next(other.now).kind, "wait");
});

test("each retry is followed at once: an answer is there after as many questions", () => {
  const registry = crowd(3, { wantsCookie: true });
  const driver = new ConversationDriver({ prover: ownProver() });
  driver.ahead = -1_699_999_000;
  registry.script.leastLabel = driver.unix + 20;
  const inquiry = driver.inquire();
  // Clock, key, cookie, label.
  assertEquals(driver.run(inquiry, registry), 5);
  assert(inquiry.isAnswered);
  assert(driver.mono < 1000.1);
  assertEquals(driver.peers, registry.peers);
  assert(Math.abs(driver.conversation.labels.ahead + driver.ahead) < 1);
});

test("a registry that has nothing but retries is asked in the usual rhythm then", () => {
  const registry = crowd(1);
  registry.script.retries = new Array<number>(30).fill(RETRY.address);
  const driver = new ConversationDriver();
  driver.run(driver.inquire(), registry, undefined, 20);
  assert(driver.mono > 1020, `${driver.mono}`);
});

test("a busy registry is left alone for a second", () => {
  const registry = crowd(1, { retries: [RETRY.busy] });
  const driver = new ConversationDriver();
  const inquiry = driver.inquire();
  assertEquals(driver.run(inquiry, registry), 2);
  assert(driver.mono >= 1001);
});

test("a retry is believed for the last question, once, and for no other client", () => {
  const registry = crowd(1, { ahead: 5000 });
  const driver = new ConversationDriver();
  const inquiry = driver.inquire();
  const first = driver.ask(inquiry);
  const [retry] = registry.answer(first, driver.unix);
  const second = driver.ask(inquiry);
  // It belongs to the question before.
  assertEquals(driver.hear(retry!), "drop-not-opened");
  assertEquals(driver.conversation.labels.ahead, 0);
  const [newer] = registry.answer(second, driver.unix);
  assertEquals(driver.hear(newer!), "retry");
  assertEquals(driver.hear(newer!), "drop-not-opened");
  driver.run(inquiry, registry);
  for (const replayed of [retry!, newer!]) assertEquals(driver.hear(replayed), "drop-not-opened");
  const other = new ConversationDriver({}, 2);
  other.ask(other.inquire());
  assertEquals(other.hear(newer!), "drop-not-opened");
});

test("a label far in the future that a member has made up is out of the way after one more question", () => {
  const registry = crowd(1);
  const driver = new ConversationDriver();
  const inquiry = driver.inquire();
  registry.answer(driver.ask(inquiry), driver.unix);
  registry.script.leastLabel = driver.unix + 1e9;
  const forged = registry.retry(registry.asked.at(-1)!, RETRY.label, driver.unix);
  registry.script.leastLabel = 0;
  assertEquals(driver.hear(forged), "retry");
  assertEquals(driver.run(inquiry, registry), 2);
  assert(inquiry.isAnswered);
});

test("more parts than anybody has are dropped, and keep nothing", () => {
  const driver = new ConversationDriver();
  const registry = crowd(1);
  const question = driver.ask(driver.inquire());
  const [read] = [registry.answer(question, driver.unix), registry.asked.at(-1)!].slice(1);
  assertNotEquals(read, undefined);
  registry.script.claimedParts = 0xffff;
  const [huge] = registry.answer(question, driver.unix);
  assertEquals(driver.hear(huge!), "drop-too-many");
  registry.script.claimedParts = undefined;
  assertEquals(driver.hear(registry.answer(question, driver.unix)[0]!), "answer");
});

test("an answer that is cut is followed by the next question, from where it ends", () => {
  const driver = new ConversationDriver();
  const registry = crowd(20, { records: 3, parts: 2 });
  const inquiry = driver.inquire();
  assertEquals(driver.run(inquiry, registry), 4);
  assert(inquiry.isAnswered && !inquiry.isCut);
  assertEquals([inquiry.received, inquiry.expected], [7, 7]);
  assertEquals(driver.peers, registry.peers);
  assert(driver.mono < 1000.1);
});

test("who is gone is forgotten at the end of a whole answer that was cut, not before", () => {
  const driver = new ConversationDriver();
  const registry = crowd(6, { records: 1, parts: 2 });
  driver.run(driver.inquire(), registry);
  const before = driver.peers;
  registry.restart(9);
  registry.remove(idOf(4));
  registry.restart(10);
  const inquiry = driver.inquire();
  for (const datagram of registry.answer(driver.ask(inquiry), driver.unix)) driver.hear(datagram);
  assertEquals(driver.peers, before);
  driver.run(inquiry, registry);
  assertEquals(driver.peers, registry.peers);
  assertEquals(driver.peers.length, 5);
});

test("a registry that always has more is asked so often, and no more", () => {
  const driver = new ConversationDriver();
  const registry = crowd(2, { cutsAlways: true });
  const inquiry = driver.inquire();
  assertEquals(driver.run(inquiry, registry, undefined, 10_000), MAX_CUTS + 1);
  assert(inquiry.isCut && !inquiry.isAnswered);
});

test("a push is taken over, acknowledged by the next question, and dropped when it comes again", () => {
  const driver = new ConversationDriver({ prover: ownProver() });
  const registry = crowd(3);
  const inquiry = driver.inquire(SUBSCRIBING);
  driver.run(inquiry, registry);
  assert(inquiry.isSubscribed);
  registry.set(idOf(2), placeOf(99));
  registry.remove(idOf(3));
  const push = registry.push();
  assertEquals(driver.hear(push), "push");
  assertEquals(driver.hear(push), "duplicate");
  assertEquals(driver.peers, registry.peers);
  assert(!driver.conversation.isBehind);
  driver.run(driver.inquire(SUBSCRIBING), registry);
  const { question } = registry.asked.at(-1)!;
  assertEquals([question.ack, question.version], [1, registry.version]);
});

test("who has missed a push takes over the next one, and asks", () => {
  const driver = new ConversationDriver();
  const registry = crowd(3);
  driver.run(driver.inquire(SUBSCRIBING), registry);
  registry.set(idOf(1), placeOf(98));
  registry.push();
  registry.set(idOf(2), placeOf(99));
  assertEquals(driver.hear(registry.push()), "push");
  assert(driver.conversation.isBehind);
  const moved = driver.conversation.directory.get(formatKey(idOf(2)));
  assertEquals(moved?.candidates[0]?.port, 1099);
  assertNotEquals(driver.peers, registry.peers);
  driver.run(driver.inquire(SUBSCRIBING), registry);
  assert(!driver.conversation.isBehind);
  assertEquals(driver.peers, registry.peers);
});

test("who is pushed to again asks, so that the registry knows of it", () => {
  const driver = new ConversationDriver();
  const registry = crowd(3);
  driver.run(driver.inquire(SUBSCRIBING), registry);
  registry.set(idOf(1), placeOf(50));
  const { version } = registry;
  assertEquals(driver.hear(registry.push()), "push");
  assert(!driver.conversation.isBehind);
  // The same once more has another number.
  registry.repeat();
  const { revision } = driver.conversation.directory;
  assertEquals(driver.hear(registry.push()), "push");
  assert(driver.conversation.isBehind);
  assertEquals(driver.conversation.directory.revision, revision);
  driver.run(driver.inquire(SUBSCRIBING), registry);
  const { question } = registry.asked.at(-1)!;
  assertEquals([question.ack, question.version], [2, version]);
  assert(!driver.conversation.isBehind);
});

/** Asks and subscribes so many times, 25 s apart; what comes back may be lost. */
function keepAsking(
  driver: ConversationDriver,
  registry: ScriptedRegistry,
  times: number,
  from?: HostPort,
): void {
  for (let i = 0; i < times; i++) {
    driver.mono += 25;
    const [answer, ...more] = registry.answer(
      driver.ask(driver.inquire(SUBSCRIBING)),
      driver.unix,
      from,
    );
    assertEquals([driver.hear(answer!), more], ["answer", []]);
  }
}

test("a push of a registry that was started anew belongs to the question that began it all", () => {
  for (const isLost of [false, true]) {
    const driver = new ConversationDriver();
    const registry = crowd(3);
    // The answer to the first one may have been lost.
    if (isLost) registry.answer(driver.ask(driver.inquire(SUBSCRIBING)), driver.unix);
    keepAsking(driver, registry, 40);
    registry.restart(7);
    registry.set(idOf(2), placeOf(99));
    assertEquals(driver.hear(registry.push(registry.asked[20])), "drop-not-opened");
    assert(!driver.conversation.isBehind);
    assertEquals(driver.hear(registry.push(registry.asked[0])), "push");
    assert(driver.conversation.isBehind);
    driver.run(driver.inquire(SUBSCRIBING), registry);
    assertEquals(driver.peers, registry.peers);
  }
});

test("a subscription begins anew where its registry takes it for another one", () => {
  const begins: Readonly<
    Record<string, (driver: ConversationDriver, registry: ScriptedRegistry) => void>
  > = {
    "after 3 minutes": (driver, registry) => {
      driver.mono += 160;
      keepAsking(driver, registry, 20);
    },
    "from elsewhere": (driver, registry) =>
      keepAsking(driver, registry, 20, { host: "203.0.113.7", port: 4001 }),
    "of another EPOCH": (driver, registry) => {
      registry.restart(7);
      keepAsking(driver, registry, 20);
    },
    "for others": (driver, registry) => {
      driver.conversation.want([formatKey(idOf(2))]);
      keepAsking(driver, registry, 20);
    },
  };
  for (const [when, begin] of Object.entries(begins)) {
    const driver = new ConversationDriver();
    const registry = crowd(3);
    keepAsking(driver, registry, 20);
    begin(driver, registry);
    registry.restart(9);
    registry.set(idOf(2), placeOf(99));
    assertEquals(driver.hear(registry.push(registry.asked[0])), "drop-not-opened", when);
    assertEquals(driver.hear(registry.push(registry.asked[20])), "push", when);
    assert(driver.conversation.isBehind, when);
  }
});

test("an answer that a push has overtaken brings nothing back", () => {
  const driver = new ConversationDriver();
  const registry = crowd(3);
  driver.run(driver.inquire(SUBSCRIBING), registry);
  const inquiry = driver.inquire(SUBSCRIBING);
  registry.set(idOf(1), placeOf(50));
  const [answer] = registry.answer(driver.ask(inquiry), driver.unix);
  registry.set(idOf(1), placeOf(51));
  registry.set(idOf(2), placeOf(52));
  assertEquals(driver.hear(registry.push()), "push");
  driver.hear(answer!);
  assertEquals(driver.conversation.directory.get(formatKey(idOf(1)))?.candidates[0]?.port, 1051);
  assert(inquiry.isAnswered);
  driver.run(driver.inquire(SUBSCRIBING), registry);
  assertEquals(driver.peers, registry.peers);
});

test("a question to register alone leaves what is known as it is", () => {
  const driver = new ConversationDriver();
  const registry = crowd(4);
  driver.run(driver.inquire(), registry);
  registry.set(idOf(2), placeOf(33));
  const before = driver.peers;
  const inquiry = driver.inquire({ family: 6, registers: true, asks: false });
  assertEquals(driver.run(inquiry, registry), 1);
  assert(inquiry.isAnswered && inquiry.isRegistered);
  assertEquals(driver.peers, before);
  driver.run(driver.inquire(), registry);
  assertEquals(driver.peers, registry.peers);
});

test("a cookie is shown over the addresses that it was given for", () => {
  const driver = new ConversationDriver();
  const registry = crowd(1, { wantsCookie: true });
  assertEquals(driver.run(driver.inquire(), registry), 2);
  assertEquals(driver.run(driver.inquire(), registry), 1);
  assertEquals(driver.run(driver.inquire({ ...ASKING, family: 6 }), registry), 2);
});

test("who asks and who proves are the same, and keys have 32 bytes", () => {
  assertThrows(() => new ConversationDriver({ id: idOf(3), prover: ownProver() }), RangeError);
  assertThrows(() => new ConversationDriver({ id: OWN_PUBLIC.slice(1) }), RangeError);
  assertThrows(() => new ConversationDriver({ serverKey: OWN_PUBLIC.slice(1) }), RangeError);
});

test("neither the private key nor the secret is kept as it was handed in", () => {
  const registry = crowd(1);
  const privateKey = OWN_PRIVATE.slice();
  const secret = SECRET.slice();
  const prover = ownProver(secret);
  const driver = new ConversationDriver({ prover });
  privateKey.fill(0);
  secret.fill(0);
  driver.run(driver.inquire(), registry);
  assertEquals(driver.peers, registry.peers);
});
