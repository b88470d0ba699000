/** Sockets beside one that listens on all addresses. */

import { assertEquals, assertRejects } from "@std/assert";
import type { Clock } from "../../lib/host/clock.ts";
import type { LocalAddresses } from "../../lib/host/names.ts";
import type { Udp, UdpSocket } from "../../lib/host/udp.ts";
import { Log } from "../../lib/service/log/log.ts";
import { listenUdp, type SocketMaker } from "../../lib/service/listener.ts";
import { MemoryError, MemoryHost } from "../support/memory_host.ts";
import { test } from "../testing.ts";

const A = "192.0.2.1";
const B = "10.0.0.1";
const C = "10.0.0.2";

/** A host with these addresses, on which sockets are opened in name alone. */
class Scene {
  addresses: string[] = [A, B];
  /** Addresses that can't be bound. */
  readonly refused = new Set<string>();
  /** What is open, in order. */
  open: string[] = [];
  /** What waits for its time. */
  timers: (() => void)[] = [];
  readonly memory = new MemoryHost();
  readonly host: Udp & Clock & LocalAddresses;

  constructor(canShare = true) {
    const socket = (address: string): UdpSocket => {
      this.open.push(address);
      return {
        port: 7,
        send() {},
        close: () => void (this.open = this.open.filter((each) => each !== address)),
        ...canShare && { beside: (options) => this.#bind(options.address, socket) },
      };
    };
    this.host = {
      udp: ({ address }) => this.#bind(address, socket),
      now: () => ({ unix: 0, mono: 0 }),
      after: (_, run) => {
        this.timers.push(run);
        return () => void (this.timers = this.timers.filter((each) => each !== run));
      },
      localAddresses: () => {
        if (this.addresses.length === 0) throw new MemoryError("EMFILE");
        return this.addresses;
      },
    };
  }

  async #bind(address: string, socket: (address: string) => UdpSocket): Promise<UdpSocket> {
    await Promise.resolve();
    if (this.refused.has(address)) throw new MemoryError("EADDRNOTAVAIL");
    return socket(address);
  }

  listen(host: string, make: SocketMaker = (_, open) => open({ onBatch() {}, onSendError() {} })) {
    const options = { format: "text", verbosity: "normal" } as const;
    return listenUdp(
      { host: this.host, log: new Log(this.memory, options) },
      { host, port: 7 },
      make,
    );
  }

  /** Lets the time come for which it waits. */
  async pass(): Promise<void> {
    for (const run of this.timers.splice(0)) run();
    for (let i = 0; i < 50; i++) await Promise.resolve();
  }
}

test("beside a socket for all addresses, each has its own, as they go and come", async () => {
  const scene = new Scene();
  const made: string[] = [];
  const listener = await scene.listen("0.0.0.0", (address, open) => {
    made.push(address);
    return open({ onBatch() {}, onSendError() {} });
  });
  assertEquals([listener.port, scene.open], [7, ["0.0.0.0", A, B]]);
  scene.addresses = [C, A];
  await scene.pass();
  assertEquals(scene.open, ["0.0.0.0", A, C]);
  // Where they can't be read, nothing changes.
  scene.addresses = [];
  await scene.pass();
  assertEquals(scene.open, ["0.0.0.0", A, C]);
  assertEquals(made, ["0.0.0.0", A, B, C]);
  listener.close();
  assertEquals([scene.open, scene.timers], [[], []]);
});

test("one that can't be opened stops no other, is said once, and tried again", async () => {
  const scene = new Scene();
  scene.refused.add(A);
  const listener = await scene.listen("0.0.0.0");
  assertEquals([scene.open, scene.memory.out.text], [["0.0.0.0", B], ""]);
  for (let i = 0; i < 3; i++) await scene.pass();
  assertEquals(scene.memory.out.text.split("\n").length, 2);
  assertEquals(
    scene.memory.out.text.replace(/^\S+ /, ""),
    `warn address-not-listened address=${A} why="no such address on this host" ` +
      'effect="what is sent there may be answered from another address"\n',
  );
  scene.refused.clear();
  await scene.pass();
  assertEquals(scene.open, ["0.0.0.0", B, A]);
  listener.close();
});

test("what is closed while it looks opens nothing more", async () => {
  const scene = new Scene();
  const listener = await scene.listen("0.0.0.0");
  scene.addresses = [A, B, C];
  const passing = scene.pass();
  listener.close();
  await passing;
  assertEquals([scene.open, scene.timers], [[], []]);
});

test("an address is listened on alone, and so are all where a host can do no more", async () => {
  for (const [canShare, address] of [[true, A], [false, "0.0.0.0"], [true, "::"]] as const) {
    const scene = new Scene(canShare);
    const listener = await scene.listen(address);
    assertEquals(scene.open, [address]);
    listener.close();
    assertEquals([scene.open, scene.timers], [[], []]);
  }
});

test("where the first can't be opened, the host says why", async () => {
  const scene = new Scene();
  scene.refused.add("0.0.0.0");
  await assertRejects(() => scene.listen("0.0.0.0"), MemoryError, "EADDRNOTAVAIL");
  assertEquals([scene.open, scene.timers], [[], []]);
});
