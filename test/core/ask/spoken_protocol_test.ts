import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { SpokenProtocol } from "../../../lib/core/ask/spoken_protocol.ts";
import { T0 } from "../../support/registry_driver.ts";
import { test } from "../../testing.ts";

function at(mono: number) {
  return { unix: T0 + mono, mono };
}

const BOTH = { v1: true, v2: true };
const FIRST = { v1: true, v2: false };
const SECOND = { v1: false, v2: true };

test("a server that is not known is asked in both protocols", () => {
  assertEquals(new SpokenProtocol(false).asks(at(0)), BOTH);
});

test("whoever has spoken wgsig 2 once is asked in that alone", () => {
  const server = new SpokenProtocol(false);
  server.heard(2, at(0));
  assertEquals(server.asks(at(1)), SECOND);
  // What the first protocol says then says nothing of the server.
  server.heard(1, at(1));
  assertEquals([server.asks(at(2)), server.known], [SECOND, 2]);
});

test("who answers in the first protocol is asked in that, and in wgsig 2 again after longer and longer", () => {
  const server = new SpokenProtocol(false);
  server.heard(1, at(0));
  const tried: number[] = [];
  for (let mono = 1; mono <= 3000; mono++) {
    const { v1, v2 } = server.asks(at(mono));
    assert(v1);
    if (v2) tried.push(mono);
    server.heard(1, at(mono));
  }
  assertEquals(tried, [30, 150, 750, 1350, 1950, 2550]);
  server.heard(2, at(3000));
  assertEquals(server.asks(at(3001)), SECOND);
});

test("who answered in the first protocol and is silent is asked in both again", () => {
  const server = new SpokenProtocol(false);
  server.heard(1, at(0));
  assertEquals(server.asks(at(1)), FIRST);
  server.wasSilent(at(2));
  assertEquals(server.asks(at(2)), BOTH);
});

test("who spoke wgsig 2 and is silent for long may be another one", () => {
  const server = new SpokenProtocol(false);
  server.heard(2, at(0));
  server.wasSilent(at(1));
  server.wasSilent(at(2));
  server.heard(2, at(3));
  server.wasSilent(at(4));
  server.wasSilent(at(5));
  assertEquals(server.asks(at(5)), SECOND);
  server.wasSilent(at(6));
  assertEquals(server.asks(at(6)), BOTH);
});

test("whose key is pinned is never asked in the first protocol, whatever is dropped or said", () => {
  const event = fc.constantFrom("1", "2", "silent");
  fc.assert(fc.property(fc.array(event, { maxLength: 30 }), (events) => {
    const server = new SpokenProtocol(true);
    events.forEach((event, i) => {
      if (event === "silent") server.wasSilent(at(i));
      else server.heard(event === "1" ? 1 : 2, at(i));
      assertEquals(server.asks(at(i)), SECOND);
    });
  }));
});
