import { assertEquals, assertMatch } from "@std/assert";
import { codedError, explain, explainCode } from "../../lib/host/error.ts";
import { ROOT } from "../../scripts/tools.ts";

Deno.test("every error that the system has a name for is said in words", async () => {
  const source = await Deno.readTextFile(`${ROOT}/lib/host/quickjs/system.c`);
  const names = [...source.matchAll(/ERROR\((E\w+)\)/g)].map(([, name = ""]) => name);
  assertEquals(names.length > 50, true);
  for (const name of names) assertMatch(explainCode(name), /^[a-z][^A-Z]*$/, name);
});

Deno.test("an error without words is said to be the system's, a text is left as it is", () => {
  assertEquals(explain(codedError("EKEYREVOKED")), "the system says EKEYREVOKED");
  assertEquals(explain(new Error("the answer was none")), "the answer was none");
  assertEquals(
    explain("EMFILE"),
    "this program has too many files and sockets open (see ulimit -n)",
  );
});
