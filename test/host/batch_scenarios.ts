/**
 * Servers that answer with runs of datagrams, through what every host has.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type DatagramBatch, ReplyBatch, SLOT_SIZE } from "../../lib/core/net/datagram_batch.ts";
import { parseAddress } from "../../lib/core/net/ip_address.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import type { UdpSocket } from "../../lib/host/udp.ts";
import type { Host } from "../../lib/host/host.ts";

const PATIENCE_MS = 10_000;
const REQUEST_SIZE = 4;

/** The bytes of a datagram: a different one for each `index`, as far as its size allows. */
export function datagramOf(size: number, index: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = i < 2 ? index >> (8 * i) : (index * 31 + i * 7) & 255;
  return bytes;
}

/** A server: a request names a size and how many datagrams of it are the answer. */
async function serve(host: Host, address: string) {
  const memory = new Map<number, Uint8Array>();
  const errors: string[] = [];
  /** The sizes of the batches. */
  const batches: number[] = [];
  const room = 151;
  const socket = await host.udp({
    address,
    port: 0,
    onSendError: (code) => errors.push(code),
    onOverload() {},
    onBatch({ count, payloads }: DatagramBatch, replies: ReplyBatch) {
      batches.push(count);
      for (let i = 0; i < count; i++) {
        const size = payloads.view.getUint16(i * SLOT_SIZE);
        const run = payloads.view.getUint16(i * SLOT_SIZE + 2);
        let buffer = memory.get(size);
        if (buffer === undefined) {
          buffer = new Uint8Array(room * size);
          for (let n = 0; n < room; n++) buffer.set(datagramOf(size, n), n * size);
          memory.set(size, buffer);
        }
        // In two runs, as the registry has it.
        replies.add(i, buffer, 0, size, 1);
        if (run > 1) replies.add(i, buffer, size, size, run - 1);
      }
    },
  });
  return { socket, errors, batches };
}

interface Client {
  readonly socket: UdpSocket;
  readonly datagrams: Uint8Array[];
  ask(size: number, count: number): void;
  /** Waits for so many datagrams, and checks that they are those that were asked for. */
  gets(size: number, count: number): Promise<void>;
}

async function clientOf(host: Host, address: string, server: string, port: number) {
  const datagrams: Uint8Array[] = [];
  let arrived = () => {};
  const socket = await host.udp({
    address,
    port: 0,
    onSendError() {},
    // Servers' sockets have larger buffers.
    onOverload() {},
    onBatch({ count, payloads, lengths }) {
      for (let i = 0; i < count; i++) {
        const at = i * SLOT_SIZE;
        datagrams.push(payloads.bytes.slice(at, at + lengths[i]!));
      }
      arrived();
    },
  });
  const client: Client = {
    socket,
    datagrams,
    ask(size, count) {
      const view = new DataView(new ArrayBuffer(REQUEST_SIZE));
      view.setUint16(0, size);
      view.setUint16(2, count);
      socket.send(new Uint8Array(view.buffer), { host: server, port });
    },
    async gets(size, count) {
      const until = performance.now() + PATIENCE_MS;
      while (datagrams.length < count) {
        const left = until - performance.now();
        assert(left > 0, `${datagrams.length} of ${count} datagrams of ${size} bytes came`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left);
          arrived = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      const wanted = Array.from({ length: count }, (_, i) => datagramOf(size, i));
      assertEquals(datagrams.map(String), wanted.map(String));
      datagrams.length = 0;
    },
  };
  return client;
}

/** On Deno, threads wait for sockets a moment longer than these are open. */
function threadsEnd(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}

/** Opens a server and clients, and closes them. */
async function among(
  hosts: readonly [server: Host, client: Host],
  address: string,
  count: number,
  test: (clients: Client[], server: Awaited<ReturnType<typeof serve>>) => Promise<void>,
  listen: string = address,
): Promise<void> {
  const server = await serve(hosts[0], listen);
  const clients: Client[] = [];
  try {
    for (let i = 0; i < count; i++) {
      clients.push(await clientOf(hosts[1], address, address, server.socket.port));
    }
    await test(clients, server);
  } finally {
    for (const { socket } of [server, ...clients]) socket.close();
    await threadsEnd();
  }
}

/** What a server must do on every way that its answers can take. */
export const SCENARIOS: Readonly<Record<string, (server: Host, client: Host) => Promise<void>>> = {
  async "runs of all lengths and sizes arrive whole and in order"(...hosts) {
    for (const address of ["127.0.0.1", "::1"]) {
      await among(hosts, address, 1, async ([client], { errors }) => {
        for (const size of [1, 540, 572, 1232, 1500]) {
          for (const count of [1, 2, 64, 65, 101, 150]) {
            client!.ask(size, count);
            await client!.gets(size, count);
          }
        }
        assertEquals(errors, []);
      });
    }
  },

  async "a server on all addresses answers"(...hosts) {
    for (const [address, all] of [["127.0.0.1", "0.0.0.0"], ["::1", "::"]] as const) {
      await among(hosts, address, 1, async ([client]) => {
        client!.ask(540, 3);
        await client!.gets(540, 3);
      }, all);
    }
  },

  async "each of many clients gets its own answer"(...hosts) {
    await among(hosts, "127.0.0.1", 60, async (clients, { errors }) => {
      for (const [i, client] of clients.entries()) client.ask(100 + i, 1 + i % 7);
      for (const [i, client] of clients.entries()) await client.gets(100 + i, 1 + i % 7);
      assertEquals(errors, []);
    });
  },

  async "no datagram of 100 answers with 1000 peers is lost"(...hosts) {
    await among(hosts, "127.0.0.1", 1, async ([client]) => {
      for (let i = 0; i < 100; i++) {
        client!.ask(540, 101);
        await client!.gets(540, 101);
      }
    });
  },

  async "clients that are gone cost nobody else an answer"(...hosts) {
    await among(hosts, "127.0.0.1", 21, async ([patient, ...hasty]) => {
      for (const client of hasty) {
        client.ask(540, 3);
        client.socket.close();
        patient!.ask(540, 3);
        await patient!.gets(540, 3);
      }
    });
  },

  async "what a server passes on arrives where it is to go, in both families, beside answers"(
    ...hosts
  ) {
    const [host] = hosts;
    const clients: Client[] = [];
    const errors: string[] = [];
    const others = new ReplyBatch();
    const handlers = { onSendError: (code: string) => void errors.push(code), onOverload() {} };
    const sixth = await host.udp({ ...handlers, address: "::1", port: 0, onBatch() {} });
    const endpoint = new WireBuffer(18);
    const place = (replies: ReplyBatch, address: string, port: number) => {
      parseAddress(address, endpoint, 0);
      endpoint.view.setUint16(16, port);
      return replies.addDestination(endpoint, 0);
    };
    const server = await host.udp({
      ...handlers,
      address: "127.0.0.1",
      port: 0,
      onBatch({ count, payloads, lengths }, replies) {
        replies.clear();
        others.clear();
        const [, second, third] = clients;
        const fourth = place(replies, "127.0.0.1", second!.socket.port);
        const other = place(others, "::1", third!.socket.port);
        for (let i = 0; i < count; i++) {
          replies.add(i, payloads.bytes, i * SLOT_SIZE, lengths[i]!, 1);
          replies.add(fourth, payloads.bytes, i * SLOT_SIZE, lengths[i]!, 1);
          others.add(other, payloads.bytes, i * SLOT_SIZE, lengths[i]!, 1);
        }
        sixth.sendBatch!(others);
      },
    });
    for (const address of ["127.0.0.1", "127.0.0.1", "::1"]) {
      clients.push(await clientOf(hosts[1], address, "127.0.0.1", server.port));
    }
    const [first] = clients;
    for (const size of [1, 32, 1452, 2048]) {
      for (let n = 0; n < 40; n++) {
        first!.socket.send(datagramOf(size, n), { host: "127.0.0.1", port: server.port });
      }
      for (const client of clients) await client.gets(size, 40);
    }
    assertEquals(errors, []);
    // A batch that is empty, and a socket that is closed.
    others.clear();
    sixth.sendBatch!(others);
    sixth.close();
    sixth.sendBatch!(others);
    for (const socket of [server, ...clients.map((each) => each.socket)]) socket.close();
    await threadsEnd();
  },

  async "a server that is closed while it answers sends nothing, and is silent"(...hosts) {
    const [host] = hosts;
    let batches = 0;
    const errors: string[] = [];
    const socket = await host.udp({
      address: "127.0.0.1",
      port: 0,
      onSendError: (code) => errors.push(code),
      onOverload() {},
      onBatch(_batch, replies) {
        batches++;
        replies.add(0, new Uint8Array(1), 0, 1, 1);
        socket.close();
      },
    });
    const client = await clientOf(hosts[1], "127.0.0.1", "127.0.0.1", socket.port);
    client.ask(1, 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assertEquals([batches, client.datagrams.length, errors], [1, 0, []]);
    client.socket.close();
    await threadsEnd();
  },
};

/** What a server must do that takes datagrams as they come, many at once. */
export const BATCH_SCENARIOS: typeof SCENARIOS = {
  async "datagrams that wait make one batch, and each is answered"(...hosts) {
    await among(hosts, "127.0.0.1", 60, async (clients, { batches, errors }) => {
      for (const [i, client] of clients.entries()) client.ask(100 + i, 1 + i % 7);
      for (const [i, client] of clients.entries()) await client.gets(100 + i, 1 + i % 7);
      assert(Math.max(...batches) > 30, `they came in batches of ${batches}`);
      assertEquals(errors, []);
    });
  },

  async "a server for which something always waits lets others have their turn"(...hosts) {
    const others = { onSendError() {}, onBatch() {} };
    const client = await hosts[1].udp({ address: "127.0.0.1", port: 0, ...others });
    const request = new Uint8Array(1);
    let [batches, turns] = [0, 0];
    const server: UdpSocket = await hosts[0].udp({
      ...others,
      address: "127.0.0.1",
      port: 0,
      onOverload() {},
      onBatch() {
        batches++;
        if (turns < 3 && batches < 1000) ask();
      },
    });
    const ask = () => client.send(request, { host: "127.0.0.1", port: server.port });
    ask();
    const turn = () => new Promise<void>((resolve) => void hosts[0].after(0, resolve));
    while (batches === 0) await turn();
    for (; turns < 3; turns++) await turn();
    const met = batches;
    for (const socket of [server, client]) socket.close();
    await threadsEnd();
    assert(met < 1000, `there were ${met} batches before anything else`);
  },
};

const LINK_PORT = 1223;

/** The two sides of a link, each in a process of its own. */
export const LINK: Readonly<Record<string, (host: Host, own: string, other: string) => unknown>> = {
  serve: (host) =>
    host.udp({
      address: "::",
      port: LINK_PORT,
      onSendError() {},
      onOverload() {},
      onBatch: (_batch, replies) => replies.add(0, datagramOf(5, 1), 0, 5, 1),
    }),

  async ask(host, own, other) {
    const client = await clientOf(host, own, other, LINK_PORT);
    // The server may not be there yet.
    for (let tries = 0; client.datagrams.length === 0 && tries < 100; tries++) {
      client.ask(5, 1);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    client.socket.close();
    host.out.write(client.datagrams.length > 0 ? "answered" : "no answer");
  },
};

/** A client that hears of one address alone; what it got, and a way to wait for the next answer. */
async function strictClient(host: Host, to: { host: string; port: number }) {
  let came = () => {};
  const socket = await host.connectedUdp({
    port: 0,
    raw: false,
    to,
    mark: 0,
    onSendError() {},
    onBatch: () => came(),
  });
  return {
    async isAnswered(): Promise<boolean> {
      const answer = new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), PATIENCE_MS);
        came = () => {
          clearTimeout(timer);
          resolve(true);
        };
      });
      socket.send(Uint8Array.of(1), to);
      return await answer;
    },
    close: () => socket.close(),
  };
}

/** Sockets for one address beside one for all. */
export const BESIDE: Readonly<Record<string, (server: Host, client: Host) => Promise<void>>> = {
  "a socket beside one for all addresses answers from its own": async (host, other) => {
    const heard: string[] = [];
    const handlers = (name: string) => ({
      onSendError: (code: string) => void heard.push(code),
      onOverload() {},
      onBatch({ count }: DatagramBatch, replies: ReplyBatch) {
        for (let i = 0; i < count; i++) {
          heard.push(name);
          replies.add(i, Uint8Array.of(7), 0, 1, 1);
        }
      },
    });
    const fails = async (opening: Promise<UdpSocket>) => {
      try {
        (await opening).close();
      } catch (error) {
        return (error as { code?: unknown }).code;
      }
      return "opened";
    };
    const all = await host.udp({ ...handlers("all"), address: "0.0.0.0", port: 0 });
    const { port } = all;
    const beside = (address: string) => all.beside!({ ...handlers(address), address });
    const one = await beside("127.0.0.2");
    assertEquals(one.port, port);
    assertEquals(await fails(beside("127.0.0.2")), "EADDRINUSE");
    assertEquals(await fails(beside("192.0.2.1")), "EADDRNOTAVAIL");
    assertEquals(
      await fails(host.udp({ ...handlers(""), address: "127.0.0.3", port })),
      "EADDRINUSE",
    );
    for (const [address, name] of [["127.0.0.1", "all"], ["127.0.0.2", "127.0.0.2"]] as const) {
      const client = await strictClient(other, { host: address, port });
      assertEquals([await client.isAnswered(), heard.splice(0)], [true, [name]]);
      client.close();
    }
    one.close();
    await threadsEnd();
    // It is the other's again.
    const last = await beside("127.0.0.2");
    const client = await strictClient(other, { host: "127.0.0.2", port });
    assertEquals([await client.isAnswered(), heard.splice(0)], [true, ["127.0.0.2"]]);
    for (const each of [client, last, all]) each.close();
    await threadsEnd();
  },
};
