/** Errors in words: that all of the services say them so. */

import { assertEquals } from "@std/assert";
import { ROOT } from "../../../scripts/tools.ts";
import { codedError } from "../../../lib/host/error.ts";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import { inWords } from "../../../lib/service/log/in_words.ts";

/** A message of somebody else's error, which may be a name that nobody knows. */
const OWN_WORDS = /error instanceof Error \? error\.message|why: String\(error\)|why: errorCode\(/;

Deno.test("an error is said as its user is told, or as the system means it", () => {
  assertEquals(inWords(new UserError("give it a name")), "give it a name");
  assertEquals(inWords(codedError("ENOSPC", "ENOSPC: write")), "no space left");
});

Deno.test("no service has words of its own for what others throw", async () => {
  const found: string[] = [];
  const look = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory) await look(path);
      else if (OWN_WORDS.test(await Deno.readTextFile(path))) found.push(path);
    }
  };
  for (const floor of ["lib/service", "lib/wireguard", "cli"]) await look(`${ROOT}/${floor}`);
  assertEquals(found, []);
});
