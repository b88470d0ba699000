import { assert, assertEquals } from "@std/assert";
import type { HostPort } from "../../../lib/core/net/host_port.ts";
import { denoHost } from "../../../lib/host/deno/deno.ts";
import { askRegistries } from "../../../lib/service/ask/registry_asker.ts";
import { Wgsig2Server } from "../../e2e/wgsig2_scene.ts";
import { OWN_PRIVATE, OWN_PUBLIC } from "../../support/conversation_driver.ts";
import { SECRET } from "../../support/registry_driver.ts";

Deno.test("over both families, the same port is registered", async () => {
  const hosts = ["127.0.0.1", "::1"];
  await using server = new Wgsig2Server(SECRET, {}, hosts);
  const host = denoHost();
  const name = { scheme: "wgsig", host: "both.example", port: server.port } as const;
  const question = {
    id: OWN_PUBLIC,
    privateKey: OWN_PRIVATE,
    secret: SECRET,
    group: 0,
    encrypt: true,
    maxAge: 60,
    port: 0,
    anyPort: true,
    register: true,
    timeout: 5,
    startedAt: host.now().mono,
  };
  const answer = await askRegistries(host, question, new Map([[name, hosts]]));
  const [outcome] = answer.servers;
  assertEquals([outcome?.status, outcome?.protocol, answer.registered], ["ok", 2, true]);
  assertEquals(
    outcome?.peers.map(({ address, port }) => [address, port]),
    hosts.map((address) => [address, answer.port]),
  );
});

Deno.test("where nothing listens, and there is no IPv6 here, nobody waits for IPv6", async () => {
  const real = denoHost();
  const host: typeof real = {
    ...real,
    udp: ({ address, onSendError }) => {
      if (address === "::") return Promise.reject(new Error("no IPv6 here"));
      const send = (_: Uint8Array, to: HostPort) =>
        queueMicrotask(() => onSendError?.("ECONNREFUSED", to));
      return Promise.resolve({ port: 40_000, send, close() {} });
    },
  };
  const name = { scheme: "wgsig", host: "both.example", port: 1223 } as const;
  const startedAt = real.now().mono;
  const { servers: [outcome] } = await askRegistries(host, {
    ...{ id: OWN_PUBLIC, privateKey: OWN_PRIVATE, secret: SECRET, group: 0, encrypt: true },
    ...{ maxAge: 60, port: 0, anyPort: true, register: true, timeout: 12, startedAt },
  }, new Map([[name, ["127.0.0.1", "::1"]]]));
  assertEquals([outcome?.status, outcome?.isClosed], ["no-answer", true]);
  assert(real.now().mono - startedAt < 11);
});
