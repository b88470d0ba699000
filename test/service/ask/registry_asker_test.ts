import { assertEquals } from "@std/assert";
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
