import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  formatLink,
  type InvitationLink,
  isLinkable,
  readLink,
} from "../../../lib/core/roster/link.ts";
import { test } from "../../testing.ts";

const SERVER_KEY = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);
const TOKEN = Uint8Array.from({ length: 16 }, (_, i) => 251 + i);
const LINK = { host: "vps.example.com", port: 1223, serverKey: SERVER_KEY, token: TOKEN };
const CODE = "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eD7_P3-_wABAgMEBQYHCAkKPFQZ";

function why(text: string): string {
  const error = assertThrows(() => readLink(text), SyntaxError);
  assert(error instanceof SyntaxError);
  assertEquals(error.message.includes("\n"), false);
  return error.message;
}

test("a link has the server, its key and the token on one line", () => {
  assertEquals(formatLink(LINK), `wgsig://vps.example.com/${CODE}`);
  assertEquals(formatLink({ ...LINK, port: 443 }), `wgsig://vps.example.com:443/${CODE}`);
  assertEquals(formatLink({ ...LINK, host: "2001:db8::1" }), `wgsig://[2001:db8::1]/${CODE}`);
  assertEquals(
    formatLink({ ...LINK, host: "2001:db8::1", port: 5 }),
    `wgsig://[2001:db8::1]:5/${CODE}`,
  );
  assertEquals(readLink(` wgsig://vps.example.com/${CODE}\r\n`), LINK);
  assertEquals(readLink(`WGSIG://[2001:db8::1]:5/${CODE}`), {
    ...LINK,
    host: "2001:db8::1",
    port: 5,
  });
});

test("what is written as a link is read as the same", () => {
  const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
  const host = fc.oneof(
    fc.constantFrom("vps.example.com", "a", "my_host", "203.0.113.9"),
    fc.constantFrom("::1", "2001:db8::9"),
  );
  const link: fc.Arbitrary<InvitationLink> = fc.record({
    host,
    port: fc.integer({ min: 1, max: 0xffff }),
    serverKey: bytes(32),
    token: bytes(16),
  });
  fc.assert(fc.property(link, (each) => {
    const text = formatLink(each);
    assertMatch(text, /^wgsig:\/\/[\w.:[\]-]+\/[\w-]{68}$/);
    assertEquals(readLink(text), each);
  }));
});

test("what is no link says so on a line that has nothing of it", () => {
  assertMatch(why(""), /no link/);
  assertMatch(why("https://vps.example.com/"), /no link .*wgsig:\/\//);
  assertMatch(why("wgsig://"), /names no server/);
  assertMatch(why(`wgsig:///${CODE}`), /names no server/);
  assertMatch(why(`wgsig://a$(b)/${CODE}`), /names no server/);
  assertMatch(why(`wgsig://vps.example.com:0/${CODE}`), /names no server/);
  assertMatch(why(`wgsig://[fe80::1%eth0]/${CODE}`), /names no server/);
  assertMatch(why("wgsig://vps.example.com"), /cut off: it has 0 /);
  for (let i = 0; i < CODE.length; i++) {
    const message = why(`wgsig://vps.example.com/${CODE.slice(0, i)}`);
    assert(message.includes(`cut off: it has ${i} `), message);
  }
  assertMatch(why(`wgsig://vps.example.com/${CODE}A`), /too long/);
  assertMatch(why(`wgsig://vps.example.com/${CODE.slice(0, 20)} ${CODE.slice(20)}`), /spaces/);
  for (const wrong of ["=", "+", "/", "?", "%", "…"]) {
    assertMatch(why(`wgsig://vps.example.com/${CODE.slice(0, 67)}${wrong}`), /damaged/);
  }
  for (let i = 0; i < CODE.length; i++) {
    const other = CODE[i] === "A" ? "B" : "A";
    const text = `wgsig://vps.example.com/${CODE.slice(0, i)}${other}${CODE.slice(i + 1)}`;
    assertMatch(why(text), /damaged: a character in it is another one/);
  }
  fc.assert(fc.property(fc.string(), fc.nat(CODE.length), (noise, at) => {
    const text = `wgsig://vps.example.com/${CODE.slice(0, at)}${noise}`;
    try {
      readLink(text);
    } catch (error) {
      assert(error instanceof SyntaxError, String(error));
      assert(at < 8 || !error.message.includes(CODE.slice(0, at)), error.message);
    }
  }));
});

test("a link names what can be asked, and what a shell leaves alone", () => {
  for (const host of ["vps.example.com", "203.0.113.1", "2001:db8::1"]) {
    assert(isLinkable({ host, port: 1223 }));
    assert(!isLinkable({ host, port: 0 }));
  }
  for (const host of ["", "a b", "a;b", "$(x)", "fe80::1%eth0", "-rf", "ä", "a/b", "a:b:c", ":"]) {
    assert(!isLinkable({ host, port: 1223 }), host);
  }
});
