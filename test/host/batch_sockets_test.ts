/**
 * Batches of answers through libc on real sockets, on Deno and on Bun.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { bundle, bunProgram, ownTarget, ROOT } from "../../scripts/tools.ts";
import type { DatagramBatch } from "../../lib/core/net/datagram_batch.ts";
import { parseAddress } from "../../lib/core/net/ip_address.ts";
import { denoHost } from "../../lib/host/deno/deno.ts";
import { batchSenderFor } from "../../lib/host/linux/batch_sender.ts";
import type { BatchLibc } from "../../lib/host/linux/libc.ts";
import { denoLibc } from "../../lib/host/linux/libc_deno.ts";
import { growBuffers, readOption } from "../../lib/host/linux/socket_options.ts";
import { run, Running, testWith, withFolder } from "../support/program.ts";
import { answers, expected } from "./batch_answers.ts";
import { BATCH_SCENARIOS, BESIDE, SCENARIOS } from "./batch_scenarios.ts";

/** Loaded once for all: it stays loaded, which the resource sanitizer would call a leak. */
const LIBC = denoLibc();

/** An address of this host, as struct sockaddr. */
function sockaddr(ipv4: boolean): Uint8Array {
  const name = new Uint8Array(ipv4 ? 16 : 28);
  name[0] = ipv4 ? 2 : 10;
  if (ipv4) name.set([127, 0, 0, 1], 4);
  else name[23] = 1;
  return name;
}

/** A socket of the system on a loopback address. */
function openSocket(ipv4: boolean): number {
  const fd = LIBC.socket(ipv4 ? 2 : 10, 2, 0);
  assertEquals(LIBC.bind(fd, sockaddr(ipv4), ipv4 ? 16 : 28), 0);
  return fd;
}

/** Opens a socket with room for all, and makes source `i` of the batch its address. */
async function client(batch: DatagramBatch, ipv4: boolean, i: number) {
  const hostname = ipv4 ? "127.0.0.1" : "::1";
  // A free port, which is known.
  const taken = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  assert(taken.addr.transport === "udp");
  const { port } = taken.addr;
  taken.close();
  await new Promise((closed) => setTimeout(closed, 10));
  const fd = LIBC.socket(ipv4 ? 2 : 10, 2, 0);
  const name = sockaddr(ipv4);
  new DataView(name.buffer).setUint16(2, port);
  assertEquals(LIBC.bind(fd, name, name.length), 0);
  // SO_RCVBUFFORCE
  const room = new Uint8Array(Int32Array.of(64 << 20).buffer);
  assertEquals(LIBC.setsockopt(fd, 1, 33, room, 4), 0);
  parseAddress(hostname, batch.sources, batch.sourceAt(i));
  batch.setSourcePort(i, port);
  return fd;
}

/** All that waits at a socket. */
function drain(fd: number): Uint8Array[] {
  const all: Uint8Array[] = [];
  const buffer = new Uint8Array(4096);
  for (;;) {
    const size = LIBC.recv(fd, buffer, buffer.length, 0x40);
    if (size < 0) return all;
    all.push(buffer.slice(0, size));
  }
}

/** The system, counting calls. */
function counting(calls: number[]): BatchLibc {
  return {
    ...LIBC,
    sendmmsg(fd, messages, count, flags) {
      if (count > 0) calls.push(count);
      return LIBC.sendmmsg(fd, messages, count, flags);
    },
  };
}

for (const ipv4 of [true, false]) {
  const family = ipv4 ? "IPv4" : "IPv6";
  testWith(["root"], `runs of all lengths and sizes arrive over ${family}`, async () => {
    const fd = openSocket(ipv4);
    const calls: number[] = [];
    const errors: string[] = [];
    const sender = batchSenderFor(counting(calls), fd, (code) => errors.push(code));
    assert(sender !== undefined);
    growBuffers(LIBC, fd);
    assertEquals(readOption(LIBC, fd, 1, 8), 2 << 20);
    const { batch } = answers([], ipv4);
    const clients = [await client(batch, ipv4, 0), await client(batch, ipv4, 5)];
    for (const size of [1, 540, 572, 1232]) {
      for (const count of [1, 2, 64, 65, 101, 1000]) {
        const made = answers([5, 0, 5].map((to) => ({ to, size, count })), ipv4);
        for (let i = 0; i < 6; i += 5) {
          const [from, to] = [batch.sourceAt(i), made.batch.sourceAt(i)];
          made.batch.sources.bytes.set(batch.sources.bytes.subarray(from, from + 18), to);
        }
        const wanted = expected(made);
        calls.length = 0;
        sender.send(fd, made, made.replies);
        // Each client's order is kept.
        assertEquals(clients.map(drain), [...wanted.values()].reverse());
        assertEquals(errors, []);
        const kernelTakesApart = readOption(LIBC, fd, 17, 103) !== undefined;
        const segments = Math.min(64, Math.floor(65_507 / size));
        const messages = Math.ceil(count / segments) * 3;
        if (kernelTakesApart) assertEquals(calls, [messages]);
      }
    }
    for (const each of [fd, ...clients]) LIBC.close(each);
  });
}

/** Runs scenarios on Bun, under what makes the network. */
async function onBun(
  names: readonly string[],
  start: readonly string[] = [],
  libcs: readonly boolean[] = [true, false],
): Promise<void> {
  await withFolder(async (folder) => {
    const script = `import { bunHost } from "${ROOT}/lib/host/bun/bun.ts";
      import { BATCH_SCENARIOS, BESIDE, SCENARIOS } from "${ROOT}/test/host/batch_scenarios.ts";
      import { test } from "${ROOT}/test/testing.ts";
      const all = { ...SCENARIOS, ...BATCH_SCENARIOS, ...BESIDE };
      for (const name of ${JSON.stringify(names)}) {
        for (const libc of ${JSON.stringify(libcs)}) {
          test(name + libc, () => all[name](bunHost({ libc }), bunHost()));
        }
      }`;
    await Deno.writeTextFile(`${folder}/script.ts`, script);
    const file = `${folder}/script.test.js`;
    await bundle(`${folder}/script.ts`, file, "--external", "bun:test");
    const argv = [...start, await bunProgram(ownTarget()), "test", "--timeout", "60000", file];
    const { code, err } = await run(argv, { env: { NO_COLOR: "1" } });
    assertEquals(code, 0, err);
    assertMatch(err, new RegExp(`\\b${libcs.length * names.length} pass\\n +0 fail\\n`));
  });
}

for (const [name, scenario] of Object.entries(BESIDE)) {
  Deno.test({
    name: `UDP on Deno: ${name}`,
    sanitizeOps: false,
    fn: () => scenario(denoHost(), denoHost()),
  });
  Deno.test(`UDP on Bun: ${name}`, () => onBun([name], [], [true]));
}

Deno.test("no other process gets the port of a socket that others are beside", async () => {
  const handlers = { onBatch() {}, onSendError() {}, onOverload() {} };
  const all = await denoHost().udp({ ...handlers, address: "0.0.0.0", port: 0 });
  const one = await all.beside!({ ...handlers, address: "127.0.0.2" });
  const name = sockaddr(true);
  new DataView(name.buffer).setUint16(2, all.port);
  for (const last of [2, 3]) {
    name[7] = last;
    const fd = LIBC.socket(2, 2, 0);
    assertEquals(LIBC.setsockopt(fd, 1, 2, new Uint8Array(Int32Array.of(1).buffer), 4), 0);
    assertEquals(LIBC.bind(fd, name, name.length), -1);
    LIBC.close(fd);
  }
  for (const socket of [one, all]) socket.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
});

for (const libc of [true, false]) {
  // Without it, they come one by one.
  const scenarios = libc ? { ...SCENARIOS, ...BATCH_SCENARIOS } : SCENARIOS;
  for (const [name, scenario] of Object.entries(scenarios)) {
    Deno.test({
      name: `UDP on Deno ${libc ? "with" : "without"} libc: ${name}`,
      // How soon a thread ends that waited for a socket is the system's.
      sanitizeOps: false,
      fn: () => scenario(denoHost({ libc }), denoHost()),
    });
  }
}

Deno.test("Bun's server answers the same with and without libc", async () => {
  await onBun([...Object.keys(SCENARIOS), ...Object.keys(BATCH_SCENARIOS)]);
});

testWith(
  ["network namespaces", "ip"],
  "Bun's server answers where the datagrams don't fit the path",
  async () => {
    const network = `ip link set lo up mtu 1280 && exec "$@"`;
    const names = ["runs of all lengths and sizes arrive whole and in order"];
    await onBun(names, ["unshare", "--net", "sh", "-c", network, "sh"]);
  },
);

testWith(
  ["network namespaces", "ip"],
  "Bun's server answers a link-local client on the link that it asks from",
  async () => {
    await withFolder(async (folder) => {
      // Without a scope, the way would lead to the other link.
      const network = `set -e
        ip link add other type veth peer name nobody
        ip link add near type veth peer name far netns "$0"
        ip link set other up
        ip -6 address add fe80::9/64 dev other nodad
        ip link set near up
        ip -6 address add fe80::5/64 dev near nodad
        nsenter --net="/proc/$0/ns/net" sh -c '
          ip link set far up; ip -6 address add fe80::6/64 dev far nodad'
        "$1" "$2" serve & server=$!
        nsenter --net="/proc/$0/ns/net" "$1" "$2" ask
        kill $server`;
      const script = `import { bunHost } from "${ROOT}/lib/host/bun/bun.ts";
        import { LINK } from "${ROOT}/test/host/batch_scenarios.ts";
        await LINK[bunHost().args[0]](bunHost(), "fe80::6%far", "fe80::5%far");`;
      await Deno.writeTextFile(`${folder}/script.ts`, script);
      const file = `${folder}/script.js`;
      await bundle(`${folder}/script.ts`, file);
      const far = new Running(["unshare", "--net", "sh", "-c", "echo made; exec sleep 60"]);
      try {
        await far.printed(/made/);
        const near = ["unshare", "--net", "sh", "-c", network, String(far.pid)];
        const argv = [...near, await bunProgram(ownTarget()), file];
        assertEquals(await run(argv), { code: 0, out: "answered", err: "" });
      } finally {
        await far.stop();
      }
    });
  },
);
