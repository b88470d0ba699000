/** The lease service with 10 000 peers: what a request costs doesn't grow with them. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { LeaseBook } from "../../../../lib/core/lease/server/book.ts";
import { LEASE_ENTRY_SIZE } from "../../../../lib/core/lease/server/journal.ts";
import { BATCH_HEAD } from "../../../../lib/core/store/journal_file.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { idOf } from "../../../support/fake_random.ts";
import { encodeLeases } from "../../../support/saved_leases.ts";
import { MemoryHost } from "../../../support/memory_host.ts";
import { type FakeConnection, Scene } from "./scene.ts";

const PEERS = 10_000;
const BOTH = "request_ip=1\nip=0.0.0.0\nip=::\n\n";
const GRANTED = /^ip=10\.20\.\d+\.\d+\/32\nip=fd00:20::\S+\/128\nleasestart=\d+\n.*errno=0\n\n$/s;
/** A group's head, and two addresses. */
const ONE_GRANT = BATCH_HEAD + 2 * LEASE_ENTRY_SIZE;

const keyOf = (i: number) => formatKey(idOf(100 + i));
const addressOf = (i: number) => `fe80::1:${i.toString(16)}`;

const POOLS = ["10.20.0.0/16", "fd00:20::/64"];
const random = (bytes: Uint8Array) => void crypto.getRandomValues(bytes);
/** All peers with their leases. */
const BOOK = new LeaseBook(
  { pools: POOLS, reserved: [], fixed: new Map(), leaseTime: 3600, maxLeases: PEERS },
  random,
);
for (let i = 0; i < PEERS; i++) BOOK.request(keyOf(i), { ipv4: 0n, ipv6: 0n }, 0);
const STATE = encodeLeases(BOOK, { unix: new MemoryHost().now().unix, mono: 0 });
const ALLOWED = new Map(
  Array.from({ length: PEERS }, (_, i) => {
    const key = keyOf(i);
    return [key, [`${addressOf(i)}/128`, ...BOOK.addressesOf(key)]];
  }),
);

/** A scene that counts what is written, and whose disk can be made slow. */
class ManyScene extends Scene {
  readonly written: number[] = [];
  gate: Promise<void> = Promise.resolve();
  override readonly random = random;

  constructor(files = {}) {
    super({ pools: POOLS, leaseTime: 3600 }, files);
    this.peers = new Map(
      Array.from({ length: PEERS }, (_, i) => [keyOf(i), [`${addressOf(i)}/128`]]),
    );
  }

  override async writeFile(...args: Parameters<Scene["writeFile"]>): Promise<void> {
    await this.gate;
    await super.writeFile(...args);
    this.written.push(args[1].length);
  }

  override async appendFile(path: string, bytes: Uint8Array): Promise<number> {
    await this.gate;
    this.written.push(bytes.length);
    return await super.appendFile(path, bytes);
  }

  /** Asks for many peers at once, and waits until each is answered. */
  async askAll(from: number, to: number, text = BOTH): Promise<FakeConnection[]> {
    const connections: FakeConnection[] = [];
    for (let i = from; i < to; i++) connections.push(this.ask(i, text));
    await this.until(() => connections.every(({ text, state }) => text !== "" || state !== "open"));
    return connections;
  }

  ask(i: number, text = BOTH): FakeConnection {
    const connection = this.connect(addressOf(i));
    connection.events?.onData(new TextEncoder().encode(text));
    return connection;
  }

  async until(holds: () => boolean): Promise<void> {
    for (let i = 0; i < 5000 && !holds(); i++) await this.settle();
    assert(holds(), this.log.slice(-2000));
  }

  /** What ran since the last call. */
  takeEvents(): string[] {
    return this.events.splice(0);
  }

  /** All peers have their leases. */
  static async full(): Promise<ManyScene> {
    const scene = new ManyScene({ "/state": { content: STATE } });
    scene.peers = new Map([...ALLOWED].map(([key, ips]) => [key, [...ips]]));
    await scene.service.start();
    await scene.until(() => scene.listening !== undefined);
    await scene.look();
    scene.written.length = 0;
    assertEquals(calls(scene.takeEvents(), "wg set"), 0);
    return scene;
  }

  async restarted(): Promise<ManyScene> {
    const { bytes } = await this.readFile("/state", 1 << 26);
    const next = new ManyScene({ "/state": { content: bytes } });
    next.peers = this.peers;
    next.wall = this.wall;
    await next.service.start();
    return next;
  }
}

function calls(events: readonly string[], start: string): number {
  return events.filter((each) => each.startsWith(start)).length;
}

Deno.test("10 000 leases: a grant writes and changes its own alone, a group all at once", async () => {
  const scene = await ManyScene.full();

  // One that asks for other addresses: written, taken off and put on, and that is written.
  const [one] = await scene.askAll(7, 8);
  assertMatch(one!.text, GRANTED);
  assertEquals(scene.written, [ONE_GRANT, ONE_GRANT]);
  const events = scene.takeEvents();
  assertEquals(calls(events, "wg set wg0 peer"), 1);
  assertEquals(calls(events, "wg show wg0 dump"), 0);
  assert(events.every((each) => each.length < 500));
  assertEquals(scene.peers?.get(keyOf(7))?.length, 3);
  one!.abort();

  // A renewal costs nothing but its answer, and comes to the disk with the next look.
  const held = scene.peers!.get(keyOf(8))!.slice(1);
  scene.written.length = 0;
  const [renewed] = await scene.askAll(8, 9, `request_ip=1\nip=${held.join("\nip=")}\n\n`);
  assertMatch(renewed!.text, GRANTED);
  assertEquals([scene.written, scene.takeEvents()], [[], []]);
  await scene.look();
  assertEquals(scene.written, [ONE_GRANT]);
  assertEquals(calls(scene.takeEvents(), "wg set"), 0);
  renewed!.abort();

  // Those that come while the disk is slow are written and set together.
  scene.written.length = 0;
  let open = () => {};
  scene.gate = new Promise((done) => open = done);
  const first = scene.ask(100);
  await scene.settle();
  const others = Array.from({ length: 200 }, (_, i) => scene.ask(200 + i));
  await scene.settle();
  assertEquals(others.map(({ text }) => text).join("") + first.text, "");
  open();
  await scene.until(() => others.every(({ text }) => text !== ""));
  for (const each of [first, ...others]) assertMatch(each.text, GRANTED);
  assert(scene.written.length <= 8, `${scene.written}`);
  const together = scene.takeEvents();
  assert(calls(together, "wg set") <= 4, `${calls(together, "wg set")}`);
  assert(calls(together, "wg show") <= 4, `${calls(together, "wg show")}`);
  for (let i = 0; i < 200; i++) assertEquals(scene.peers?.get(keyOf(200 + i))?.length, 3);
  for (const each of [first, ...others]) each.abort();

  // After a crash, everybody has what it had, and nothing is to be changed.
  const next = await scene.restarted();
  await next.until(() => next.listening !== undefined);
  assertEquals(calls(next.takeEvents(), "wg set"), 0);
  assertMatch(next.log, / leases-restored file=\/state restored=20000 expired=0 dropped=0\n/);
  const own = scene.peers!.get(keyOf(300))!.slice(1);
  const [again] = await next.askAll(300, 301, `request_ip=1\nip=${own.join("\nip=")}\n\n`);
  assert(again!.text.startsWith(`ip=${own[0]}\nip=${own[1]}\n`), again!.text);
  await next.service.close();
  await scene.service.close();
});

Deno.test("10 000 leases: what a device has lost or leases have left is done in pieces", async () => {
  const scene = await ManyScene.full();
  // It was made anew.
  for (let i = 0; i < PEERS; i++) scene.peers!.set(keyOf(i), [`${addressOf(i)}/128`]);
  await scene.look();
  const [between] = await scene.askAll(9_999, 10_000);
  assertMatch(between!.text, GRANTED);
  between!.abort();
  const allHave = (count: number) =>
    [...scene.peers!.values()].every((ips) => ips.length === count);
  await scene.until(() => allHave(3));
  const events = scene.takeEvents();
  assert(calls(events, "wg set") < 60, `${calls(events, "wg set")}`);
  const longest = Math.max(...events.map(({ length }) => length));
  assert(longest < 70_000, `${longest}`);

  // All end at once, and requests are answered in between.
  await scene.look(3601);
  const [late] = await scene.askAll(5, 6);
  assertMatch(late!.text, GRANTED);
  const left = () => [...scene.peers!.values()].filter((ips) => ips.length > 1).length;
  await scene.until(() => left() === 1);
  assertEquals(scene.peers!.get(keyOf(5))!.length, 3);
  assert(calls(scene.takeEvents(), "wg set") < 60);
  const next = await scene.restarted();
  assertMatch(next.log, / leases-restored file=\/state restored=2 expired=0 dropped=0\n/);
  await next.service.close();
  await scene.service.close();
});

Deno.test("10 000 peers: one that the admin changes is seen, and nothing else is done", async () => {
  const scene = await ManyScene.full();
  const [leased = ""] = scene.peers!.get(keyOf(3))!.slice(1);
  // The admin gives a leased address to another peer for good, and a range of the pool.
  scene.peers!.set(keyOf(3), scene.peers!.get(keyOf(3))!.filter((each) => each !== leased));
  scene.peers!.set(keyOf(4), [...scene.peers!.get(keyOf(4))!, leased]);
  await scene.look();
  assertMatch(scene.log, / leases-taken-back addresses=1\n/);
  assertEquals(scene.peers!.get(keyOf(4))!.includes(leased), true);
  const [refused] = await scene.askAll(3, 4, `request_ip=1\nip=${leased}\n\n`);
  assertMatch(refused!.text, /^errno=3\n/);
  refused!.abort();
  // And takes it away again.
  scene.peers!.set(keyOf(4), scene.peers!.get(keyOf(4))!.filter((each) => each !== leased));
  await scene.look();
  const [granted] = await scene.askAll(3, 4, `request_ip=1\nip=${leased}\n\n`);
  assert(granted!.text.startsWith(`ip=${leased}\n`), granted!.text);
  // A client whose peer is removed gets nothing, and the peer doesn't come back.
  scene.peers!.delete(keyOf(6));
  const [gone] = await scene.askAll(6, 7);
  assertEquals([gone!.text, gone!.state], ["", "aborted"]);
  assertEquals(scene.peers!.has(keyOf(6)), false);
  await scene.service.close();
});
