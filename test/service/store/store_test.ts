/** A state file with peers and leases: whose it is, what was there before, and what it comes back with. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { parseLeaseIp } from "../../../lib/core/lease/address.ts";
import { LeaseBook } from "../../../lib/core/lease/server/book.ts";
import { LeaseJournal } from "../../../lib/core/lease/server/journal.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import type { Registry } from "../../../lib/core/registry/registry.ts";
import { EXIT, UserError } from "../../../lib/core/settings/user_error.ts";
import { Log } from "../../../lib/service/log/log.ts";
import { Store, type StoreFile } from "../../../lib/service/store/store.ts";
import { crc32 } from "../../../lib/wire/bytes/crc32.ts";
import { idOf } from "../../support/fake_random.ts";
import { type MemoryFile, MemoryHost } from "../../support/memory_host.ts";
import { RegistryDriver } from "../../support/registry_driver.ts";
import { encodeLeases } from "../../support/saved_leases.ts";
import {
  driverWith,
  encodeFormerState,
  encodeState,
  journalOf,
  keysHeld,
  keysOf,
} from "../../support/saved_state.ts";

const PATH = "/state";
const FILE: StoreFile = { path: PATH, name: "state", what: "state file", option: "--state" };
const FORMER = `${PATH}.leases`;

/** A host whose timers elapse when the test says so. */
class Disk extends MemoryHost {
  readonly timers: { at: number; run: () => void }[] = [];

  constructor(files: Readonly<Record<string, MemoryFile>> = {}) {
    super({ files });
  }

  override after(seconds: number, run: () => void): () => void {
    if (seconds === 0) return super.after(seconds, run);
    const timer = { at: this.elapsed + seconds, run };
    this.timers.push(timer);
    return () => void this.timers.splice(this.timers.indexOf(timer) >>> 0, 1);
  }

  async pass(seconds: number): Promise<void> {
    this.elapsed += seconds;
    this.wall += seconds;
    for (const timer of this.timers.filter(({ at }) => at <= this.elapsed)) {
      this.timers.splice(this.timers.indexOf(timer), 1);
      timer.run();
    }
    for (let i = 0; i < 20; i++) await new Promise((done) => setTimeout(done, 0));
  }

  async bytes(path = PATH): Promise<Uint8Array> {
    return (await this.readFile(path, 1 << 26)).bytes;
  }

  get lines(): string {
    return this.out.text;
  }
}

function bookOf(): LeaseBook {
  const random = (bytes: Uint8Array) => void crypto.getRandomValues(bytes);
  const options = { pools: ["10.0.0.0/16"], reserved: [], fixed: new Map(), leaseTime: 3600 };
  return new LeaseBook({ ...options, maxLeases: 1000 }, random);
}

function grant(book: LeaseBook, peer: number, address: string): void {
  const wish = { ipv4: parseLeaseIp(address)?.value, ipv6: undefined };
  assert(!book.request(formatKey(idOf(peer)), wish, 0).refused);
}

function leasesOf(book: LeaseBook): string[] {
  return Array.from(book.leases(), ({ cidr }) => cidr).sort();
}

/** A server with peers and leases. */
class Server {
  readonly driver: RegistryDriver;
  readonly book = bookOf();
  readonly store: Store;

  constructor(
    readonly disk: Disk,
    { file = FILE, leases = true }: { file?: StoreFile; leases?: boolean } = {},
  ) {
    this.driver = new RegistryDriver();
    this.driver.unix = disk.wall;
    this.driver.mono = disk.elapsed;
    const log = new Log(disk, { format: "text", verbosity: "normal" });
    const registry: Registry = this.driver.registry;
    const parts = [journalOf(registry), ...leases ? [new LeaseJournal(this.book, 5)] : []];
    this.store = new Store(disk, log, file, parts);
  }

  register(peer: number, port = 5): void {
    this.driver.unix = this.disk.wall;
    this.driver.mono = this.disk.elapsed;
    const label = { seconds: Math.floor(this.disk.wall), nanoseconds: peer };
    this.driver.ask({ id: idOf(peer), from: `192.0.2.${peer} ${port}`, ...label });
    this.store.look();
  }
}

async function opened(disk: Disk, options?: ConstructorParameters<typeof Server>[1]) {
  const server = new Server(disk, options);
  await server.store.open();
  return server;
}

/** With what a server does not start. */
async function refusal(opening: Promise<unknown>): Promise<UserError> {
  const error = await opening.then(() => undefined, (error: unknown) => error);
  assert(error instanceof UserError, String(error));
  return error;
}

/** What a server that starts after a crash finds. */
async function found(disk: Disk): Promise<[peers: string[], leases: string[]]> {
  const next = new Disk({ [PATH]: { content: await disk.bytes() } });
  next.wall = disk.wall;
  const { driver, book } = await opened(next);
  assert(!/ state-(?:cut|damaged) /.test(next.lines), next.lines);
  return [keysHeld(driver), leasesOf(book)];
}

Deno.test("peers and leases are in one file, and come back from it", async () => {
  const disk = new Disk();
  const server = await opened(disk);
  server.register(1);
  grant(server.book, 2, "10.0.0.2");
  await server.store.save();
  // What is wanted at once takes along what could wait.
  assertEquals(await found(disk), [keysOf(1), ["10.0.0.2/32"]]);
  server.register(3);
  await disk.pass(1.9);
  assertEquals(await found(disk), [keysOf(1), ["10.0.0.2/32"]]);
  await disk.pass(0.1);
  assertEquals(await found(disk), [keysOf(3, 1), ["10.0.0.2/32"]]);
  assertEquals(disk.timers, []);
  assertEquals(await server.store.close(), true);
  const again = new Disk({ [PATH]: { content: await disk.bytes() } });
  again.wall = disk.wall;
  await opened(again);
  assertMatch(again.lines, / info state-restored file=\/state peers=2\n/);
  assertMatch(again.lines, / info leases-restored file=\/state restored=1 expired=0 dropped=0\n/);
  // Nothing is wrong with it: it is added to as it is.
  assertEquals(again.events, ["removeFile /state.probe"]);
  assertEquals(again.timers, []);
});

Deno.test("one process has a file, until it ends", async () => {
  const disk = new Disk();
  const first = await opened(disk);
  first.register(1);
  const before = await disk.bytes();
  const error = await refusal(opened(disk));
  assertEquals([error.message, error.status], [
    "state file /state is used by another process; stop it, or choose another with --state",
    EXIT.failed,
  ]);
  assertEquals(await disk.bytes(), before);
  await first.store.close();
  const second = await opened(disk);
  await second.store.close();
  assertEquals([...disk.locks], []);
});

Deno.test("a server that can't start leaves the file to others", async () => {
  const disk = new Disk();
  disk.refuses = { writeFile: "EROFS" };
  await assertRejects(() => opened(disk), UserError, "cannot write state file /state: read-only");
  disk.refuses = {};
  await opened(disk);
});

Deno.test("where there are no locks, that is said, and all goes on", async () => {
  for (const code of ["ENOSYS", "ENOLCK", "EOPNOTSUPP"]) {
    const disk = new Disk();
    disk.refuses = { lockFile: code };
    const { store } = await opened(disk);
    assertMatch(disk.lines, / warn state-not-locked file=\/state why=/);
    assertEquals(await store.close(), true);
  }
  const disk = new Disk();
  disk.refuses = { lockFile: "EACCES" };
  await assertRejects(() => opened(disk), UserError, "cannot write state file /state: permission");
});

Deno.test("a file that is none of ours stays as it is", async () => {
  const contents = [
    "wgsig",
    "wgsigst3 and more",
    "\0".repeat(32),
    "c2VjcmV0",
    new Uint8Array(99),
  ];
  for (const content of contents) {
    for (const path of [PATH, FORMER]) {
      const disk = new Disk({ [path]: { content } });
      const before = await disk.bytes(path);
      const file = { ...FILE, former: FORMER };
      const error = await refusal(opened(disk, { file }));
      const why = `${path} is no state file, and stays as it is; choose another with --state`;
      assertEquals([error.message, error.status], [why, EXIT.usage]);
      assertEquals([await disk.bytes(path), disk.events], [before, []]);
    }
  }
  // A file of leases is none of peers.
  const disk = new Disk({ [PATH]: { content: "wgsiglt2" } });
  await assertRejects(() => opened(disk, { leases: false }), UserError, "is no state file");
});

Deno.test("files as they were before are carried over, once", async () => {
  const book = bookOf();
  grant(book, 7, "10.0.0.7");
  const now = new Disk().now();
  const entries = encodeLeases(book, now).subarray(40);
  const group = new Uint8Array(16 + entries.length);
  const view = new DataView(group.buffer);
  view.setUint32(0, entries.length);
  view.setFloat64(8, now.unix);
  group.set(entries, 16);
  view.setUint32(4, crc32(group, 8, group.length - 8));
  const leases = Uint8Array.of(...new TextEncoder().encode("wgsiglt2"), ...group);
  const peers = encodeFormerState(driverWith(3, { maxAge: 1e9 }).registry, now);

  const disk = new Disk({ [PATH]: { content: peers }, [FORMER]: { content: leases } });
  const file = { ...FILE, former: FORMER };
  const server = await opened(disk, { file });
  assertMatch(disk.lines, / state-restored file=\/state peers=3\n/);
  assertMatch(disk.lines, / leases-restored file=\/state\.leases restored=1 expired=0 dropped=0\n/);
  assertEquals(disk.events, ["writeFile /state", "removeFile /state.leases"]);
  const [keys, addresses] = await found(disk);
  // They were all seen at the same time.
  assertEquals(keys!.toSorted(), keysHeld(server.driver).sort());
  assertEquals(addresses, ["10.0.0.7/32"]);
  await server.store.close();
  // Leases alone, in a file of their own that has the name still.
  const alone = new Disk({ [PATH]: { content: leases } });
  const own = await opened(alone);
  assertEquals([leasesOf(own.book), alone.events], [["10.0.0.7/32"], ["writeFile /state"]]);
  // A crash between the two leaves both: what is said in the new one counts.
  const both = new Disk({
    [PATH]: { content: await disk.bytes() },
    [FORMER]: { content: leases },
  });
  const again = await opened(both, { file });
  assertEquals([leasesOf(again.book), both.text(FORMER)], [["10.0.0.7/32"], undefined]);
});

Deno.test("a former file that is damaged is put aside, and the rest carried over", async () => {
  const former = encodeState(driverWith(2, { maxAge: 1e9 }).registry, new Disk().now());
  const leases = new TextEncoder().encode("wgsiglt1 and nothing else");
  const disk = new Disk({ [PATH]: { content: former }, [FORMER]: { content: leases } });
  const { driver } = await opened(disk, { file: { ...FILE, former: FORMER } });
  assertEquals(keysHeld(driver).length, 2);
  assertMatch(
    disk.lines,
    / warn state-damaged file=\/state\.leases why=".*" kept=\/state\.leases\.damaged\n/,
  );
  assertEquals(await disk.bytes(`${FORMER}.damaged`), leases);
});

Deno.test("a server without leases keeps those that are in its file", async () => {
  const disk = new Disk();
  const first = await opened(disk);
  grant(first.book, 2, "10.0.0.2");
  await first.store.save();
  await first.store.close();
  const second = await opened(disk, { leases: false });
  second.register(4);
  assertEquals(await second.store.close(), true);
  assertEquals(await found(disk), [keysOf(4), ["10.0.0.2/32"]]);
});

Deno.test("what can't be saved at the end is said, and told", async () => {
  const disk = new Disk();
  const { store, ...server } = await opened(disk);
  disk.refuses = { writeFile: "ENOSPC", appendFile: "ENOSPC" };
  server.driver.ask({ id: idOf(1), seconds: Math.floor(disk.wall) });
  assertEquals(await store.close(), false);
  assertMatch(disk.lines, / error state-not-saved file=\/state why="no space left"\n/);
  assertEquals([...disk.locks], []);
});

Deno.test("a disk that takes nothing for a while is tried again, whoever asks", async () => {
  const disk = new Disk();
  const server = await opened(disk);
  disk.refuses = { writeFile: "ENOSPC", appendFile: "ENOSPC" };
  server.register(1);
  await disk.pass(2);
  for (let i = 0; i < 5; i++) await disk.pass(1);
  assertEquals(disk.lines.match(/ state-not-saved /g)?.length, 1);
  disk.refuses = {};
  await disk.pass(1);
  assertMatch(disk.lines, / info state-saved-again file=\/state\n/);
  assertEquals(await found(disk), [keysOf(1), []]);
  assertEquals(disk.timers, []);
});

Deno.test("many peers that move at once are written in slices", async () => {
  const disk = new Disk();
  const server = await opened(disk);
  for (let i = 1; i <= 200; i++) server.register(i % 250 + 1);
  // Each look at the clock is a long time.
  let rests = 0;
  disk.now = () => ({ unix: disk.wall, mono: disk.elapsed += 0.002 });
  const { after } = disk;
  disk.after = (seconds, run) => {
    if (seconds === 0) rests++;
    return after.call(disk, seconds, run);
  };
  await disk.pass(2);
  for (let i = 0; i < 50; i++) await disk.pass(0.1);
  assert(rests > 0);
  assertEquals((await found(disk))[0].length, 200);
});

Deno.test("something else in the place of the lock is named", async () => {
  const disk = new Disk();
  disk.refuses = { lockFile: "EISDIR" };
  const { message } = await refusal(opened(disk));
  assertEquals(message, `cannot write state file ${PATH}.lock: it is a directory`);
});

Deno.test("a file without a byte is taken for a new one", async () => {
  const disk = new Disk({ [PATH]: { content: "" } });
  const server = await opened(disk);
  server.register(1);
  await server.store.save();
  assertEquals(await found(disk), [keysOf(1), []]);
});

Deno.test("the program's own folder is made; another that isn't there may be a mistake", async () => {
  const path = "/var/lib/wgsig/state";
  const disk = new Disk();
  await opened(disk, { file: { ...FILE, path } });
  assertEquals(disk.events[0], "makeFolder /var/lib/wgsig");
  const elsewhere = new Disk();
  await opened(elsewhere, { file: { ...FILE, path: "/srv/wgsig/state" } });
  assert(
    !elsewhere.events.some((event) => event.startsWith("makeFolder")),
    elsewhere.events.join(),
  );
  const readOnly = new Disk();
  readOnly.refuses = { makeFolder: "EROFS" };
  const { message } = await refusal(opened(readOnly, { file: { ...FILE, path } }));
  assertMatch(message, /^cannot make the folder of state file \/var\/lib\/wgsig\/state: /);
});
