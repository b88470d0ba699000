import { assertEquals, assertRejects } from "@std/assert";
import { NameMoves } from "../../../lib/service/sync/name_moves.ts";
import { test } from "../../testing.ts";

const NAME = "vps.example";

/** A resolver that gives these answers in turn; an empty one is a failure. */
function namesWith(...answers: string[][]): { names: NameMoves; moves: string[] } {
  const moves: string[] = [];
  const resolve = () => {
    const answer = answers.shift() ?? [];
    return answer.length > 0 ? Promise.resolve(answer) : Promise.reject(new Error("no answer"));
  };
  const names = new NameMoves(resolve, (name, to) => moves.push(`${name} ${to.join(",")}`));
  return { names, moves };
}

test("a name is looked up each time", async () => {
  const { names, moves } = namesWith(["192.0.2.1"], ["192.0.2.1", "192.0.2.2"], ["192.0.2.2"]);
  assertEquals(await names.resolve(NAME), ["192.0.2.1"]);
  assertEquals(await names.resolve(NAME), ["192.0.2.1", "192.0.2.2"]);
  assertEquals(await names.resolve(NAME), ["192.0.2.2"]);
  assertEquals(moves, [], "one address stayed each time");
});

test("a name that leaves all of its addresses has moved", async () => {
  const { names, moves } = namesWith(["192.0.2.1"], ["192.0.2.2", "192.0.2.3"], ["192.0.2.3"]);
  for (let i = 0; i < 3; i++) await names.resolve(NAME);
  assertEquals(moves, [`${NAME} 192.0.2.2,192.0.2.3`]);
});

test("a look-up that fails is the host's word, and no move", async () => {
  const { names, moves } = namesWith([], ["192.0.2.1"], [], ["192.0.2.1"], [], ["192.0.2.2"]);
  const fails = () => assertRejects(() => names.resolve(NAME), Error, "no answer");
  await fails();
  for (let i = 0; i < 2; i++) {
    assertEquals(await names.resolve(NAME), ["192.0.2.1"]);
    await fails();
  }
  assertEquals(moves, []);
  assertEquals(await names.resolve(NAME), ["192.0.2.2"]);
  assertEquals(moves, [`${NAME} 192.0.2.2`]);
});
