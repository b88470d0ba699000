import { assertEquals, assertRejects } from "@std/assert";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { readLink } from "../../../lib/core/roster/link.ts";
import { formatTunnelPrefix } from "../../../lib/core/roster/prefix.ts";
import { readInvited, readListed } from "../../../lib/core/roster/requests.ts";
import { Rosters } from "../../../lib/core/roster/server/rosters.ts";
import { Log } from "../../../lib/service/log/log.ts";
import { MemoryHost } from "../../support/memory_host.ts";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import { RosterService } from "../../../lib/service/roster/roster_service.ts";
import { withoutRosters } from "../../../lib/service/roster/without_rosters.ts";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { test } from "../../testing.ts";

const SERVER_KEY = new Uint8Array(32).fill(7);
const UNIX = 1_800_000_000;

/** A server with a disk whose work the test ends. */
function scene(addresses: string[]) {
  const events: string[] = [];
  const rosters = new Rosters(SERVER_KEY, PORTABLE, 5);
  let written: (isSaved: boolean) => void = () => {};
  const service = new RosterService(
    {
      now: () => ({ unix: UNIX, mono: 5 }),
      after: () => () => {},
      random: (bytes) => bytes.fill(9),
      localAddresses: () => addresses,
    },
    new Log(new MemoryHost(), { format: "text", verbosity: "quiet" }),
    {
      rosters,
      groupIds: () => [0],
      seen: () => undefined,
      port: () => 1224,
      changed: () => events.push("changed"),
      save: () => {
        events.push("save");
        return new Promise((done) => written = done);
      },
    },
  );
  const ask = (word: string, body?: unknown) => service.answers[word]!(body);
  return { events, rosters, service, ask, write: (isSaved = true) => written(isSaved) };
}

test("roster service: a change is told of when it is on the disk", async () => {
  const { events, ask, write } = scene(["192.0.2.1"]);
  const answer = ask("invite", { name: "laptop", server: "vps" });
  void answer.then(() => events.push("answered"));
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(events, ["save"]);
  write();
  assertEquals(readInvited(await answer).name, "laptop");
  assertEquals(events, ["save", "changed", "answered"]);
  readListed(await ask("list"));
  await assertRejects(() => ask("invite", { name: "laptop" }), UserError, "invited already");
  assertEquals(events.length, 3);
  const unsaved = ask("invite", { name: "phone", server: "vps" });
  write(false);
  await assertRejects(() => unsaved, UserError, "the state file can't be written");
});

test("roster service: a server without a state file says so, whatever is asked", async () => {
  for (const answer of Object.values(withoutRosters(true))) {
    await assertRejects(() => answer({}), UserError, "has no --state");
  }
  await assertRejects(() => withoutRosters(false)["list"]!({}), UserError, "has no group");
});

test("roster service: links name what the settings say, else a public address", async () => {
  const { ask, service, write } = scene(["10.0.0.1", "fe80::1", "2001:db8::7", "203.0.113.7"]);
  const serverOf = async (name: string) => {
    const answer = ask("invite", { name });
    write();
    const { host, port, serverKey } = readLink(readInvited(await answer).link);
    assertEquals(formatKey(serverKey), formatKey(SERVER_KEY));
    return { host, port };
  };
  assertEquals(await serverOf("a"), { host: "203.0.113.7", port: 1224 });
  service.configure({ publicAddress: { host: "vps.example.com", port: 0 }, groups: [] });
  assertEquals(await serverOf("b"), { host: "vps.example.com", port: 1224 });
  service.configure({ publicAddress: { host: "vps.example.com", port: 443 }, groups: [] });
  assertEquals(await serverOf("c"), { host: "vps.example.com", port: 443 });
  assertEquals(scene(["10.0.0.1"]).service.publicAddress, undefined);
});

test("roster service: networks of the settings take the place of drawn ones, and are kept once", () => {
  const { events, rosters, service } = scene([]);
  const networks = () => rosters.of(0).networks.map(formatTunnelPrefix);
  rosters.drawNetwork(0, (bytes) => bytes.fill(5));
  service.configure({ publicAddress: undefined, groups: [{ id: 0, network: [] }] });
  assertEquals([networks(), events], [["10.6.5.0/24"], []]);
  const network = ["10.9.0.0/24", "fd00::/64"];
  for (let i = 0; i < 2; i++) {
    service.configure({ publicAddress: undefined, groups: [{ id: 0, network }] });
    assertEquals([networks(), events], [network, ["changed"]]);
  }
});
