/** What `serve` makes of flags and settings of DNS zones. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { readArguments } from "../../cli/arguments.ts";
import { dnsConfig } from "../../cli/serve_dns.ts";
import { COMMANDS } from "../../lib/core/settings/commands.ts";
import { parseSettings } from "../../lib/core/settings/settings.ts";
import { UserError } from "../../lib/core/settings/user_error.ts";
import { test } from "../testing.ts";

const SERVE = COMMANDS.find(({ name }) => name === "serve")!;

/** The zones with what each tells the zone above. */
function zones(toml: string, ...args: readonly string[]): string[] {
  const loaded = { settings: parseSettings(`[serve.dns]\nlisten = ["127.0.0.1"]\n${toml}`) };
  const { zones } = dnsConfig(readArguments(SERVE, args), { ...loaded, path: undefined }, []);
  return zones.map(({ name, cds }) => `${name} ${cds}`);
}

function complaint(toml: string, ...args: readonly string[]): string {
  const error = assertThrows(() => zones(toml, ...args), UserError);
  assert(error instanceof UserError);
  return error.message;
}

const [A, B] = ["[[zone]]\nname = 'a.test'\n", "[[zone]]\nname = 'b.test'\n"].map((head) =>
  head.replace("zone", "serve.dns.zone")
) as [string, string];
const KEYS = "dnssec-keys = ['/a.key']\n";
const DELETE = "cds = 'delete'\n";

test("cds is for zones that are signed", () => {
  const why = "cds is for a zone that is signed: name its keys in dnssec-keys, or leave cds out";
  assertEquals(complaint(A + KEYS + B + DELETE), `DNS zone b.test: ${why}`);
  assertEquals(complaint(DELETE + A + B), `serve.dns.${why}`);
  assertEquals(complaint(`${DELETE}zone = 'a.test'`), `serve.dns.${why}`);
  assertEquals(zones(A + B), ["a.test publish", "b.test publish"]);
  assertEquals(zones(A + KEYS + DELETE + B), ["a.test delete", "b.test publish"]);
  // What holds for all is for those that are signed.
  assertEquals(zones(DELETE + A + KEYS + B), ["a.test delete", "b.test delete"]);
  assertEquals(zones(`${DELETE}zone = 'a.test'`, "--dnssec-key", "/a.key"), ["a.test delete"]);
});
