import { assertEquals } from "@std/assert";
import { marked, mayReplace } from "../../../lib/core/ask/made_file.ts";
import { test } from "../../testing.ts";

const FILE = "[Interface]\nPrivateKey = a\nAddress = 10.0.0.1/24\n";

test("made_file: what is its own and unchanged may go, as long as its key stays", () => {
  const own = marked(FILE);
  const cases: [former: string, text: string, may: boolean][] = [
    [own, FILE, true],
    [own, `${FILE}ListenPort = 1\n`, true],
    ["", FILE, true],
    [FILE, FILE, false],
    [`${own}PostUp = x\n`, FILE, false],
    [own.replace("10.0.0.1", "10.0.0.7"), FILE, false],
    [own, FILE.replace("= a", "= b"), false],
    [own, "[Peer]\n", false],
    [`\n${own}`, FILE, false],
  ];
  for (const [former, text, may] of cases) assertEquals(mayReplace(former, text), may, former);
});
