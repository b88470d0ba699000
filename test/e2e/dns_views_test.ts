/** Views of a zone, asked with `dig`: by address, with TSIG, and others after SIGHUP. */

import { assertEquals, assertMatch } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { BINARY, testWith, wgsig } from "../support/program.ts";
import { dig } from "./dns_clients.ts";
import { dnsServer, freeDnsAddress, instance, newPeer, SERVICE, ZONE } from "./dns_scene.ts";
import { randomBytes, Scene } from "./scene.ts";

const SECRET = encodeBase64(randomBytes(32));

testWith(["dig"], "dns: each source and key sees the peers of its view alone", async () => {
  await using scene = await Scene.open();
  const [seven, nine] = [newPeer(), newPeer()];
  await scene.file(
    "ops.key",
    `key "ops.example" { algorithm hmac-sha256; secret "${SECRET}"; };\n`,
  );
  await scene.secretIn("secret-7");
  await scene.secretIn("secret-9");
  const address = freeDnsAddress();
  const settings = (...views: readonly string[]) =>
    scene.file(
      "wgsig.toml",
      [
        `[serve]\nlisten = ["127.0.0.1:0"]`,
        ...[7, 9].map((id) => `[[serve.group]]\nid = ${id}\nsecret-file = "secret-${id}"`),
        `[serve.dns]\nlisten = ["${address}"]\nzone = "${ZONE}"\ngroup = [7, 9]`,
        `tsig-files = ["ops.key"]`,
        ...views.map((view) => `[[serve.dns.view]]\n${view}`),
      ].join("\n"),
    );
  const config = await settings(
    `tsig = ["ops.example"]`,
    `from = ["127.0.0.2"]\ngroups = [7]`,
    `from = ["127.0.0.1"]\npeers = ["${nine.publicKey}"]`,
  );
  const running = scene.start([BINARY, "serve", "--config", config]);
  const server = await dnsServer(running);
  assertMatch(running.out, / dns-zone zone=wg\.example\.com group-ids=7,9 views=3 /);
  const [, registry] = await running.printed(/ listening address=127\.0\.0\.1:(\d+)/);
  for (const [id, { publicKey }] of [[7, seven], [9, nine]] as const) {
    const secret = ["--secret", `${scene.folder}/secret-${id}`, "--group", `${id}`];
    const { code, err } = await wgsig([
      ...["query", `127.0.0.1:${registry}`, ...secret, "--key", publicKey],
    ]);
    assertEquals([code, err], [0, ""]);
  }
  const key = ["-y", `hmac-sha256:ops.example:${SECRET}`];
  const seen = async (...how: readonly string[]) => {
    const list = await dig(server.port, ...how, SERVICE, "PTR");
    const found = [];
    for (const [name, peer] of [["seven", seven], ["nine", nine]] as const) {
      const { status, answer } = await dig(server.port, ...how, instance(peer), "SRV");
      assertEquals(answer.length === 1, list.answer.some((each) => each.endsWith(instance(peer))));
      found.push(status === "NOERROR" ? name : status);
    }
    return [list.status, ...found];
  };
  assertEquals(await seen("-b", "127.0.0.2"), ["NOERROR", "seven", "NXDOMAIN"]);
  assertEquals(await seen("-b", "127.0.0.1", "+tcp"), ["NOERROR", "NXDOMAIN", "nine"]);
  assertEquals(await seen("-b", "127.0.0.3"), ["REFUSED", "REFUSED", "REFUSED"]);
  for (const transport of ["+notcp", "+tcp"]) {
    assertEquals(await seen("-b", "127.0.0.3", transport, ...key), ["NOERROR", "seven", "nine"]);
  }

  await settings(`from = ["127.0.0.3"]\ngroups = [9]`, `tsig = ["ops.example"]\ngroups = [7]`);
  await server.signal("SIGHUP", / info reloaded /);
  assertEquals(await seen("-b", "127.0.0.3"), ["NOERROR", "NXDOMAIN", "nine"]);
  assertEquals(await seen("-b", "127.0.0.2"), ["REFUSED", "REFUSED", "REFUSED"]);
  assertEquals(await seen("-b", "127.0.0.2", ...key), ["NOERROR", "seven", "NXDOMAIN"]);
  // Views with a mistake change nothing: nobody sees more for that.
  await settings(`tsig = ["obs.example"]`);
  const [line] = await server.signal("SIGHUP", /^.*reloaded.*$/m);
  assertMatch(
    line,
    / error not-reloaded .*view\[0\]\.tsig: obs\.example is no key of the zone: it has ops\./,
  );
  assertEquals(await seen("-b", "127.0.0.2"), ["REFUSED", "REFUSED", "REFUSED"]);
});
