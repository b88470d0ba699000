import { assertEquals } from "@std/assert";
import { descriptorsForConnections, LIMITS_FILE } from "../../lib/host/descriptors.ts";

const limits = (soft: string) =>
  "Limit                     Soft Limit           Hard Limit           Units     \n" +
  `Max open files            ${soft.padEnd(20)} 524288               files     \n`;

Deno.test("connections leave 64 descriptors to all else, or a quarter of few", () => {
  assertEquals(descriptorsForConnections(limits("1024")), 960);
  assertEquals(descriptorsForConnections(limits("40")), 30);
  assertEquals(descriptorsForConnections(limits("unlimited")), Infinity);
  assertEquals(descriptorsForConnections(undefined), Infinity);
  assertEquals(descriptorsForConnections("something else"), Infinity);
});

Deno.test({
  name: "the system says how many descriptors there may be",
  ignore: Deno.build.os !== "linux",
  fn: () => {
    assertEquals(
      Number.isFinite(descriptorsForConnections(Deno.readTextFileSync(LIMITS_FILE))),
      true,
    );
  },
});
