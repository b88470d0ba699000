/**
 * Everything that must hold before a commit: format, lint, types, documentation, tests.
 *
 * @module
 */

import settings from "../deno.json" with { type: "json" };
import { DENO, ROOT, say, status } from "./tools.ts";

const CHECKS: readonly (readonly string[])[] = [
  ["fmt", "--check"],
  ["lint"],
  ["check", "."],
  ["doc", "--lint", ...Object.values(settings.exports)],
  ["run", "--allow-all", "scripts/test.ts"],
];

for (const args of CHECKS) {
  say(`deno ${args.join(" ")}`);
  if (await status([DENO, ...args], { cwd: ROOT }) !== 0) {
    say(`failed: deno ${args.join(" ")}`);
    Deno.exit(1);
  }
}
say("ok");
