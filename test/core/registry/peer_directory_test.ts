import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NONE } from "../../../lib/core/net/none.ts";
import { BlockPool } from "../../../lib/core/registry/block_pool.ts";
import { PeerDirectory } from "../../../lib/core/registry/peer_directory.ts";
import { WantedChanges } from "../../../lib/core/registry/wanted_changes.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { newPrefixes } from "../../../lib/wire/wgsig2/option.ts";
import { hex } from "../../support/bytes.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

/** IDs of which some begin alike. */
function idOf(number: number): WireBuffer {
  const id = new WireBuffer(32);
  id.view.setUint32(0, 0x1111 * (number >> 1));
  id.view.setUint32(20, number);
  return id;
}

/** What a peer is known as: its state is another after each change. */
interface Known {
  readonly state: number;
}

/** A directory, what it must hold, and a client that is told of changes now and then. */
class Model {
  readonly directory = new PeerDirectory(1000, 30, seededRandom(1), PORTABLE);
  readonly peers = new Map<number, Known & { proved: boolean; heard: number }>();
  readonly client = new Map<number, Known>();
  #epoch = new WireBuffer(8);
  #version = 0;
  #state = 0;
  #now = 0;
  readonly #wanted = new WantedChanges();

  #find(number: number): number {
    return this.directory.find(idOf(number), 0);
  }

  add(number: number): void {
    if (this.peers.has(number)) return this.change(number);
    this.directory.add(idOf(number), 0, ++this.#now);
    this.peers.set(number, { state: ++this.#state, proved: false, heard: this.#now });
  }

  change(number: number): void {
    const known = this.peers.get(number);
    if (known === undefined) return;
    this.directory.log.changed(this.#find(number));
    this.peers.set(number, { ...known, state: ++this.#state });
  }

  hear(number: number): void {
    const known = this.peers.get(number);
    if (known === undefined) return;
    this.directory.heard(this.#find(number), ++this.#now);
    this.peers.set(number, { ...known, heard: this.#now });
  }

  prove(number: number): void {
    const known = this.peers.get(number);
    if (known === undefined || known.proved) return;
    this.directory.prove(this.#find(number));
    this.peers.set(number, { ...known, proved: true, state: ++this.#state, heard: ++this.#now });
    this.directory.heard(this.#find(number), this.#now);
  }

  remove(number: number): void {
    if (!this.peers.delete(number)) return;
    this.directory.remove(this.#find(number), this.#now);
  }

  /** Tells the client what changed, of the peers below a number alone where one is given. */
  tell(below?: number): void {
    const { directory } = this;
    const wants = newPrefixes(131);
    const isWanted = (number: number) => below === undefined || number < below;
    if (below !== undefined) {
      wants.isGiven = true;
      for (let number = 0; number < below; number += 2) {
        wants.bytes.bytes.set(idOf(number).bytes.subarray(0, 8), 8 * wants.count++);
      }
    }
    // A client that wants others than before starts anew.
    const wanted = this.#wanted;
    wanted.start(directory, wants, this.#epoch, below === undefined ? this.#version : 0);
    if (below !== undefined || wanted.isWhole) this.client.clear();
    let last = 0;
    while (wanted.next()) {
      assert(wanted.version > last, "changes are not in order");
      last = wanted.version;
      const isGone = wanted.peer === NONE;
      const ids = isGone ? directory.log.goneIds : directory.ids;
      const at = isGone ? wanted.goneAt : directory.idAt(wanted.peer);
      const number = ids.view.getUint32(at + 20);
      if (isGone) this.client.delete(number);
      else this.client.set(number, { state: this.peers.get(number)!.state });
    }
    this.#epoch = directory.epoch;
    this.#version = below === undefined ? directory.log.version : 0;
    const known = [...this.client].map(([number, { state }]) => `${number} ${state}`).sort();
    const all = [...this.peers].filter(([number]) => isWanted(number));
    assertEquals(known, all.map(([number, { state }]) => `${number} ${state}`).sort());
    if (below !== undefined) this.client.clear();
  }

  check(): void {
    const { directory, peers } = this;
    assertEquals(directory.count, peers.size);
    for (let number = 0; number < 40; number++) {
      const peer = this.#find(number);
      assertEquals(peer !== NONE, peers.has(number), `${number}`);
      if (peer === NONE) continue;
      assertEquals(
        hex(directory.ids.bytes.slice(32 * peer, 32 * peer + 32)),
        hex(idOf(number).bytes),
      );
      assertEquals(directory.isProved(peer), peers.get(number)!.proved);
      let alike = 0;
      for (let next = directory.firstAlike(idOf(number), 0); next !== NONE; alike++) {
        next = directory.nextAlike(next);
      }
      assertEquals(alike, Number(peers.has(number)) + Number(peers.has(number ^ 1)));
    }
    const oldestOf = (proved: boolean | undefined) =>
      [...peers].filter(([, known]) => proved === undefined || known.proved === proved)
        .sort(([, a], [, b]) => a.heard - b.heard)[0]?.[0];
    const numberOf = (peer: number) =>
      peer === NONE ? undefined : directory.ids.view.getUint32(directory.idAt(peer) + 20);
    assertEquals(numberOf(directory.oldest), oldestOf(undefined));
    assertEquals(numberOf(directory.oldestUnproved), oldestOf(false));
    const all = Array.from({ length: directory.end }, (_, peer) => directory.isThere(peer));
    assertEquals(all.filter((isThere) => isThere).length, peers.size);
  }
}

const KINDS = ["add", "add", "change", "hear", "prove", "remove"] as const;

test("whoever is told what changed since the last time knows all that there is", () => {
  const step = fc.oneof(
    { weight: 12, arbitrary: fc.tuple(fc.constantFrom(...KINDS), fc.nat(39)) },
    { weight: 2, arbitrary: fc.constant(["tell", undefined] as const) },
    {
      weight: 1,
      arbitrary: fc.tuple(
        fc.constant("tell" as const),
        fc.integer({ min: 1, max: 20 }).map((n) => 2 * n),
      ),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
      const model = new Model();
      for (const [kind, number] of steps) {
        if (kind === "tell") model.tell(number);
        else model[kind](number!);
      }
      model.check();
      model.tell();
    }),
    { numRuns: 150 },
  );
});

test("a log that is full of what means nothing any more has room again", () => {
  const model = new Model();
  for (let number = 0; number < 30; number++) model.add(number);
  model.tell();
  for (let i = 0; i < 5000; i++) model.change(i % 7);
  assert(model.directory.log.length <= 512, `${model.directory.log.length} entries`);
  model.tell();
  for (let i = 0; i < 5000; i++) {
    model.remove(i % 30);
    model.add(i % 30);
  }
  model.tell();
  model.check();
});

test("blocks of a pool don't overlap, and are used again", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 100 })), {
        maxLength: 80,
        size: "max",
      }),
      (steps) => {
        const pool = new BlockPool(100, 4000);
        const held: { block: number; size: number; mark: number }[] = [];
        steps.forEach(([isTaken, size], i) => {
          if (isTaken) {
            const block = pool.take(size);
            if (block === NONE) return;
            const mark = i & 0xff;
            const at = pool.offsetOf(block);
            const { bytes } = pool.bufferOf(block);
            assert(at + size <= bytes.length && bytes.length <= 4000 + 1024);
            bytes.fill(mark, at, at + size);
            held.push({ block, size, mark });
          } else {
            const [given] = held.splice(size % Math.max(1, held.length), 1);
            if (given !== undefined) pool.giveBack(given.block, given.size);
          }
        });
        for (const { block, size, mark } of held) {
          const at = pool.offsetOf(block);
          const { bytes } = pool.bufferOf(block);
          assert(bytes.subarray(at, at + size).every((byte) => byte === mark));
        }
      },
    ),
  );
});
