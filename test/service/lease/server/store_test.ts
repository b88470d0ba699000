/** Leases on a disk that is slow, full, or somebody else's. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { formatLeaseCidr, parseLeaseIp } from "../../../../lib/core/lease/address.ts";
import { LeaseBook } from "../../../../lib/core/lease/server/book.ts";
import { LEASE_ENTRY_SIZE } from "../../../../lib/core/lease/server/journal.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { BATCH_HEAD, JOURNAL_HEAD } from "../../../../lib/core/store/journal_file.ts";
import { UserError } from "../../../../lib/core/settings/user_error.ts";
import { LeaseStore } from "../../../../lib/service/lease/server/store.ts";
import { Log } from "../../../../lib/service/log/log.ts";
import { idOf } from "../../../support/fake_random.ts";
import { MemoryHost } from "../../../support/memory_host.ts";

const PATH = "/leases";
const GROUP_SIZE = BATCH_HEAD + LEASE_ENTRY_SIZE;

/** A disk that counts what is written, and can be made slow. */
class Disk extends MemoryHost {
  readonly written: string[] = [];
  /** What each write waits for. */
  gate: Promise<void> = Promise.resolve();

  override async writeFile(...args: Parameters<MemoryHost["writeFile"]>): Promise<void> {
    const bytes = args[1].slice();
    await this.gate;
    await super.writeFile(args[0], bytes, args[2]);
    this.written.push(`whole ${bytes.length}`);
  }

  override async appendFile(path: string, bytes: Uint8Array): Promise<number> {
    const added = bytes.slice();
    await this.gate;
    const size = await super.appendFile(path, added);
    this.written.push(`more ${added.length}`);
    return size;
  }

  /** What is to be tried again later waits for the test. */
  override after(seconds: number, run: () => void): () => void {
    return seconds === 0 ? super.after(seconds, run) : () => {};
  }

  get log(): string {
    return this.out.text + this.err.text;
  }
}

function bookOf(): LeaseBook {
  const random = (bytes: Uint8Array) => void crypto.getRandomValues(bytes);
  const pools = ["10.0.0.0/8"];
  const options = { pools, reserved: [], fixed: new Map(), leaseTime: 3600, maxLeases: 100_000 };
  return new LeaseBook(options, random);
}

async function storeOf(disk = new Disk()) {
  const book = bookOf();
  const log = new Log(disk, { format: "text", verbosity: "normal" });
  const store = new LeaseStore(disk, log, PATH, book);
  await store.restore();
  disk.written.length = 0;
  return { disk, book, store };
}

function grant(book: LeaseBook, peer: number, address = "0.0.0.0"): void {
  const wish = { ipv4: parseLeaseIp(address)?.value, ipv6: undefined };
  assert(!book.request(formatKey(idOf(peer)), wish, 0).refused);
}

function giveBack(book: LeaseBook, peer: number): void {
  book.request(formatKey(idOf(peer)), { ipv4: undefined, ipv6: undefined }, 0);
  for (const { publicKey, gone } of book.takeChanges()) book.settled(publicKey, gone);
}

function held(book: LeaseBook): string[] {
  return Array.from(
    book.leases(),
    ({ publicKey, address }) => `${publicKey} ${formatLeaseCidr(address)}`,
  ).sort();
}

/** A file that is being written anew is there. */
async function renewed(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((done) => setTimeout(done, 0));
}

/** What the next run would find. */
async function saved(disk: Disk): Promise<string[]> {
  const book = bookOf();
  const { bytes } = await disk.readFile(PATH, 1 << 26);
  const host = new Disk({ files: { [PATH]: { content: bytes } } });
  const log = new Log(host, { format: "text", verbosity: "normal" });
  await new LeaseStore(host, log, PATH, book).restore();
  assert(!host.log.includes("damaged") && !host.log.includes("cut"), host.log);
  return held(book);
}

Deno.test("one more lease of many costs one small write", async () => {
  const { disk, book, store } = await storeOf();
  for (let i = 0; i < 10_000; i++) grant(book, i);
  await store.save();
  await renewed();
  disk.written.length = 0;
  for (let i = 0; i < 50; i++) {
    grant(book, 10_000 + i);
    await store.save();
  }
  assertEquals(disk.written, Array.from({ length: 50 }, () => `more ${GROUP_SIZE}`));
  await store.save();
  assertEquals(disk.written.length, 50);
  assertEquals(await saved(disk), held(book));
});

Deno.test("who waits for a write is in the next, with all others", async () => {
  const { disk, book, store } = await storeOf();
  let open = () => {};
  disk.gate = new Promise((done) => open = done);
  grant(book, 0);
  const saves = [store.save()];
  await Promise.resolve();
  for (let i = 1; i <= 500; i++) {
    grant(book, i);
    saves.push(store.save());
  }
  open();
  await Promise.all(saves);
  assertEquals(disk.written.length, 2);
  assertEquals(await saved(disk), held(book));
});

Deno.test("the file is written anew when it has doubled, and nothing waits for that", async () => {
  const { disk, book, store } = await storeOf();
  for (let i = 0; i < 1500; i++) grant(book, i);
  await store.save();
  await renewed();
  const lengths: number[] = [];
  for (let i = 0; i < 6000; i++) {
    // Renewals, and now and then another address.
    const peer = i % 1500;
    const [own = ""] = book.addressesOf(formatKey(idOf(peer)));
    grant(book, peer, i % 7 === 0 ? "0.0.0.0" : own);
    for (const { publicKey, gone } of book.takeChanges()) book.settled(publicKey, gone);
    await store.save();
    lengths.push((await disk.readFile(PATH, 1 << 26)).bytes.length);
    // Its slicer get their turns.
    if (i % 100 === 0) await new Promise((done) => setTimeout(done, 0));
  }
  await store.close();
  const wholes = disk.written.filter((each) => each.startsWith("whole"));
  assert(wholes.length >= 3 && wholes.length <= 8, `${wholes}`);
  const largest = Math.max(...lengths);
  assert(largest < 2.2 * 1500 * LEASE_ENTRY_SIZE + 65_536, `${largest}`);
  assertEquals(await saved(disk), held(book));
});

Deno.test("what is granted while the file is written anew is in it", async () => {
  for (const failing of [false, true]) {
    const disk = new Disk();
    // Each slice is long enough for a rest, and each rest for all that follows.
    disk.now = () => {
      disk.elapsed += 0.002;
      return { unix: disk.wall + disk.elapsed, mono: disk.elapsed };
    };
    const rests: (() => void)[] = [];
    disk.after = (_seconds, run) => {
      rests.push(run);
      return () => {};
    };
    const { book, store } = await storeOf(disk);
    for (let i = 0; i < 3000; i++) grant(book, i);
    // Too much to be added without being written anew.
    await store.save();
    await Promise.resolve();
    assertEquals(disk.written.map((each) => each.split(" ")[0]), ["more"]);
    giveBack(book, 1);
    grant(book, 5000);
    await store.save();
    disk.refuses = failing ? { appendFile: "EIO" } : {};
    giveBack(book, 2);
    grant(book, 5001);
    const last = store.save();
    for (let i = 0; i < 100; i++) {
      rests.shift()?.();
      await new Promise((done) => setTimeout(done, 0));
    }
    await last;
    disk.refuses = {};
    await store.close();
    const kinds = disk.written.map((each) => each.split(" ")[0]);
    assertEquals(kinds, failing ? ["more", "more", "whole"] : ["more", "more", "more", "whole"]);
    assertEquals(await saved(disk), held(book));
    assert(!disk.log.includes("leases-not-saved"), disk.log);
  }
});

Deno.test("a file that can't be added to is written whole, or again a little later", async () => {
  const { disk, book, store } = await storeOf();
  // A part of it has come to the disk.
  const { appendFile } = disk;
  disk.appendFile = async (path, bytes) => {
    await appendFile.call(disk, path, bytes.subarray(0, 10));
    throw Object.assign(new Error(), { code: "EIO" });
  };
  grant(book, 1);
  await store.save();
  assertEquals(disk.written, ["more 10", `whole ${JOURNAL_HEAD + GROUP_SIZE}`]);
  disk.appendFile = appendFile;
  // Somebody has changed or removed it.
  await disk.appendFile(PATH, new Uint8Array(3));
  grant(book, 2);
  await store.save();
  assertEquals(await saved(disk), held(book));
  await disk.removeFile(PATH);
  grant(book, 3);
  await store.save();
  assertEquals(await saved(disk), held(book));
  assert(!disk.log.includes("leases-not-saved"), disk.log);

  disk.refuses = { writeFile: "EROFS", appendFile: "EROFS" };
  for (let i = 4; i < 8; i++) {
    grant(book, i);
    await store.save();
  }
  assertEquals(disk.log.split("leases-not-saved").length, 2);
  assertMatch(disk.log, / leases-not-saved file=\/leases why="read-only file system"\n/);
  disk.refuses = {};
  disk.written.length = 0;
  await store.save();
  assertEquals(disk.written, []);
  disk.elapsed += 1.001;
  disk.wall += 1.001;
  await store.save();
  assertMatch(disk.log, / leases-saved-again file=\/leases\n/);
  assertEquals(await saved(disk), held(book));
});

Deno.test("a file of which the end is damaged is put aside, a torn one is not", async () => {
  const { disk, book, store } = await storeOf();
  for (let i = 0; i < 4; i++) {
    grant(book, i);
    await store.save();
  }
  const { bytes } = await disk.readFile(PATH, 1 << 20);
  const restored = async (content: Uint8Array) => {
    const host = new Disk({ files: { [PATH]: { content } } });
    const { book } = await storeOf(host);
    return { host, count: book.count };
  };
  const torn = await restored(bytes.subarray(0, -1));
  assertEquals([torn.count, torn.host.text(`${PATH}.damaged`)], [3, undefined]);
  assertMatch(torn.host.log, / leases-cut file=\/leases bytes=75\n/);
  const damaged = await restored(bytes.map((byte, i) => i === 100 ? byte ^ 1 : byte));
  assertEquals(damaged.count, 1);
  assert(damaged.host.text(`${PATH}.damaged`) !== undefined);
  assertMatch(
    damaged.host.log,
    / leases-damaged file=\/leases why="its last 228 bytes mean nothing" /,
  );
  // It can be read again.
  assertEquals(await saved(damaged.host).then(({ length }) => length), 1);
  // Somebody else's is left alone.
  const others = new Disk({ files: { [PATH]: { content: "something else" } } });
  const why = "/leases is no lease file, and stays as it is; choose another with state in ";
  await assertRejects(() => storeOf(others), UserError, why);
  assertEquals([others.text(PATH), others.events], ["something else", []]);
});

Deno.test("a wall clock that is set makes what was written before count from now", async () => {
  const { disk, book, store } = await storeOf();
  grant(book, 1);
  await store.save();
  // The clock of a router that has just started.
  disk.wall += 50 * 365 * 86_400;
  await store.save();
  const { bytes } = await disk.readFile(PATH, 1 << 20);
  const next = new Disk({ files: { [PATH]: { content: bytes } } });
  next.wall = disk.wall + 1;
  assertEquals((await storeOf(next)).book.count, 1);
});
