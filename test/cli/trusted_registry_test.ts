import { assertEquals, assertThrows } from "@std/assert";
import { trustedRegistry } from "../../cli/asking.ts";
import { PRIVATE_NETWORKS } from "../../lib/core/roster/client/private_networks.ts";
import { CLIENT } from "../../lib/core/settings/client_options.ts";
import { resolve } from "../../lib/core/settings/option.ts";
import { parseSettings } from "../../lib/core/settings/settings.ts";
import { UserError } from "../../lib/core/settings/user_error.ts";
import { readArguments } from "../../cli/arguments.ts";
import { COMMANDS } from "../../lib/core/settings/commands.ts";

const KEY = new Uint8Array(32);

function trusted(toml: string, pinned: readonly string[]) {
  const section = parseSettings(`[sync.wg0]\n${toml}`).sync?.get("wg0") ?? {};
  const sync = COMMANDS.find(({ name }) => name === "sync")!;
  const options = resolve(CLIENT, readArguments(sync, []), section);
  const serverKeys = new Map(pinned.map((name) => [name, KEY]));
  return trustedRegistry(options, { servers: options.servers, serverKeys }, "[sync.wg0]");
}

Deno.test("trust-registry needs a registry, its key and the own private key", () => {
  const whole = 'servers = ["a.test"]\nprivate-key-file = "/k"\ntrust-registry = true\n';
  assertEquals(trusted('servers = ["a.test"]', []), undefined);
  assertEquals(trusted(whole, ["a.test:1223"])?.networks, PRIVATE_NETWORKS);
  const networks = 'trust-networks = ["203.0.113.0/24"]\n';
  assertEquals(trusted(whole + networks, ["a.test:1223"])?.networks, ["203.0.113.0/24"]);
  const refused = (toml: string, pinned: readonly string[], why: string) =>
    assertThrows(() => trusted(toml, pinned), UserError, why);
  refused(whole, [], "set server-key in [sync.wg0]");
  refused(whole.replace('"a.test"', '"a.test", "b.test"'), ["a.test:1223"], "at b.test:1223");
  refused(whole.replace("a.test", "dns://a.test/z"), [], "none among the servers");
  refused(whole.replace(/private.*\n/, ""), ["a.test:1223"], "set private-key-file in [sync.wg0]");
});
