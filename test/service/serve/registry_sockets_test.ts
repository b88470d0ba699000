/** What a registry is told of its sockets. */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { HostPort } from "../../../lib/core/net/host_port.ts";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import { codedError } from "../../../lib/host/error.ts";
import type { UdpSocket } from "../../../lib/host/udp.ts";
import { Log } from "../../../lib/service/log/log.ts";
import type { ServeConfig } from "../../../lib/service/serve/config.ts";
import { RegistrySockets } from "../../../lib/service/serve/registry_sockets.ts";
import { newPorts } from "../../../lib/wire/wgsig2/option.ts";
import { MemoryHost } from "../../support/memory_host.ts";
import { RegistryDriver } from "../../support/registry_driver.ts";
import { test } from "../../testing.ts";

const LOG = { format: "text", verbosity: "normal" } as const;

function config(listen: readonly HostPort[]): ServeConfig {
  return {
    version: "1.0.0",
    names: new Map(),
    listen,
    groups: [{
      id: 0,
      secretFiles: [],
      isUsualSecret: false,
      allowFile: undefined,
      proof: "auto",
      interface: undefined,
      network: [],
    }],
    publicAddress: undefined,
    skipMissingAddresses: true,
    state: undefined,
    key: undefined,
    maxPeers: 100,
    answerBudget: 0,
    maxAnswer: 10,
    maxAge: 60,
    encryption: "auto",
    window: 30,
    relay: undefined,
    lease: undefined,
    dns: undefined,
    punch: undefined,
    log: LOG,
  };
}

test("a registry knows the ports of its sockets, also of those that come later and go", async () => {
  const { registry, unix, mono } = new RegistryDriver({ groups: [{}] });
  let addresses = ["192.0.2.1", "10.0.0.1"];
  let timers: (() => void)[] = [];
  const socket = (port: number): UdpSocket => ({
    port,
    send() {},
    close() {},
    beside: () => Promise.resolve(socket(port)),
  });
  const host = {
    // The system chooses a port where none is given.
    udp: ({ port }: { port: number }) => Promise.resolve(socket(port || 40_000)),
    now: () => ({ unix, mono }),
    after: (_: number, run: () => void) => {
      timers.push(run);
      return () => {};
    },
    localAddresses: () => addresses,
  };
  const log = new Log(new MemoryHost(), LOG);
  const sockets = new RegistrySockets({ host, log, tick: host.now }, registry, () => {});
  await sockets.listen(config([
    { host: "0.0.0.0", port: 1223 },
    { host: "0.0.0.0", port: 443 },
    { host: "10.0.0.1", port: 0 },
  ]));
  const others = () =>
    [0, 1, 2, 3, 4, 5, 6, 7, 8].map((number) => {
      const list = newPorts();
      registry.otherPorts.read(number, list);
      return [...list.ports.subarray(0, list.count)].join(" ");
    });
  // For each of two ports all addresses, and each of them beside that; and one more.
  const before = ["443", "443", "443 40000", "1223", "1223", "1223 40000", "1223 443"];
  assertEquals(others(), [...before, "", ""]);
  addresses = ["192.0.2.1", "10.0.0.1", "192.0.2.2"];
  for (const run of timers.splice(0)) run();
  for (let i = 0; i < 50; i++) await Promise.resolve();
  assertEquals(others(), [...before, "443", "1223"]);
  sockets.close();
  assertEquals(others(), new Array(9).fill(""));
  timers = [];
});

test("a default port that shows peers their NATs may be another program's, the one that is asked not", async () => {
  const open = async (taken: number) => {
    const { registry, unix, mono } = new RegistryDriver({ groups: [{}] });
    const host = {
      udp: ({ port }: { port: number }): Promise<UdpSocket> =>
        port === taken
          ? Promise.reject(codedError("EADDRINUSE"))
          : Promise.resolve({ port, send() {}, close() {} }),
      now: () => ({ unix, mono }),
      after: () => () => {},
      localAddresses: () => [],
    };
    const memory = new MemoryHost();
    const log = new Log(memory, LOG);
    const sockets = new RegistrySockets({ host, log, tick: host.now }, registry, () => {});
    const usual = [1223, 1224].map((port) => ({ host: "127.0.0.1", port }));
    try {
      await sockets.listen(config(usual));
      return [sockets.bound.map(({ port }) => port), memory.out.text];
    } finally {
      sockets.close();
    }
  };
  const [bound, text] = await open(1224);
  assertEquals(bound, [1223]);
  assertMatch(String(text), /warn not-listening why="cannot listen on 127\.0\.0\.1:1224: .*in use/);
  assertEquals((await open(0))[0], [1223, 1224]);
  await assertRejects(() => open(1223), UserError, "cannot listen on 127.0.0.1:1223");
});
