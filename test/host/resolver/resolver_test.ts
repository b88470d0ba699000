/**
 * Names are looked up in /etc/hosts, and at name servers that answer, are silent, refuse, or cut.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import dnsPacket from "dns-packet";
import { Buffer } from "node:buffer";
import { denoHost } from "../../../lib/host/deno/deno.ts";
import { codedError, errorCode } from "../../../lib/host/error.ts";
import { denoLibc } from "../../../lib/host/linux/libc_deno.ts";
import { explainLookUp, type SystemResolver } from "../../../lib/host/names.ts";
import { Resolver } from "../../../lib/host/resolver/resolver.ts";
import {
  candidateNames,
  findInHosts,
  parseResolverSettings,
} from "../../../lib/core/dns/resolver_settings.ts";
import { withFolder } from "../../support/program.ts";

const HOST = denoHost();
// Loaded once for all: it stays loaded, which the resource sanitizer would call a leak.
denoLibc();
const RESPONSE = 0x8000;
const TRUNCATED = 0x0200;

/** What a server says to a question: an RCODE and records, or nothing. */
type Answer = {
  readonly rcode?: number;
  readonly data?: readonly string[];
  readonly cut?: boolean;
  /** What is no DNS message, in its place. */
  readonly garbage?: Uint8Array;
};
type Answers = (name: string, type: string) => Answer | undefined;

/** The message that says so. A TCP message isn't cut. */
function message(query: Uint8Array, answers: Answers, tcp: boolean): Uint8Array | undefined {
  const question = dnsPacket.question.decode(Buffer.from(query), 12);
  const answer = answers(question.name, question.type);
  if (answer === undefined) return undefined;
  if (answer.garbage !== undefined) return answer.garbage;
  const cut = answer.cut === true && !tcp;
  const alias = `real.${question.name}`;
  const records = cut ? [] : (answer.data ?? []).map((data) => ({
    type: question.type,
    name: alias,
    class: "IN",
    ttl: 1,
    data,
  }));
  const bytes = dnsPacket.encode({
    type: "response",
    id: (query[0]! << 8) | query[1]!,
    flags: RESPONSE | (cut ? TRUNCATED : 0) | (answer.rcode ?? 0),
    questions: [question],
    answers: records.length === 0
      ? []
      : [{ type: "CNAME", name: question.name, class: "IN", ttl: 1, data: alias }, ...records],
  });
  return Uint8Array.from(bytes);
}

/** Name servers on one port of several addresses, over UDP and TCP. */
async function withServers(
  servers: Readonly<Record<string, Answers>>,
  test: (
    resolver: (settings: string, hosts?: string, system?: SystemResolver) => Resolver,
    asked: string[],
  ) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  const closing: (() => void)[] = [];
  let port = 0;
  for (const [address, answers] of Object.entries(servers)) {
    const socket = Deno.listenDatagram({ transport: "udp", hostname: address, port });
    if (socket.addr.transport === "udp") port = socket.addr.port;
    const listener = Deno.listen({ hostname: address, port });
    closing.push(() => socket.close(), () => listener.close());
    void (async () => {
      for await (const [query, from] of socket) {
        const { name, type } = dnsPacket.question.decode(Buffer.from(query), 12);
        asked.push(`${address} ${type} ${name}`);
        const answer = message(query, answers, false);
        if (answer !== undefined) await socket.send(answer, from);
      }
    })();
    void (async () => {
      for await (const connection of listener) {
        const query = new Uint8Array(512);
        const size = await connection.read(query) ?? 0;
        asked.push(`${address} tcp`);
        const answer = message(query.subarray(2, size), answers, true)!;
        const framed = Uint8Array.from([answer.length >> 8, answer.length & 255, ...answer]);
        await connection.write(framed);
        connection.close();
      }
    })();
  }
  try {
    await withFolder(async (folder) => {
      await test((settings, hosts = "", system?: SystemResolver) => {
        Deno.writeTextFileSync(`${folder}/resolv.conf`, settings);
        Deno.writeTextFileSync(`${folder}/hosts`, hosts);
        const places = { settings: `${folder}/resolv.conf`, hosts: `${folder}/hosts`, port };
        return new Resolver(HOST, places, system);
      }, asked);
    });
  } finally {
    for (const close of closing) close();
    // Sockets that were connected to them are still read once.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A look doesn't go on for longer than a test. */
const ONCE = "options timeout:1 attempts:1\n";
const KNOWN: Answers = (_name, type) =>
  type === "A" ? { data: ["192.0.2.1", "192.0.2.2"] } : { data: ["2001:db8::1"] };

async function refused(lookup: Promise<unknown>): Promise<string> {
  return errorCode(await assertRejects(() => lookup));
}

Deno.test("a name's addresses come behind its aliases, IPv4 first", async () => {
  await withServers({ "127.0.0.1": KNOWN }, async (resolver, asked) => {
    const found = await resolver("nameserver 127.0.0.1\n").resolve("Some.Example.org");
    assertEquals(found, ["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    assertEquals(asked.sort(), ["127.0.0.1 A some.example.org", "127.0.0.1 AAAA some.example.org"]);
  });
});

Deno.test("a name server may have an address with a scope", async () => {
  await withServers({ "::1": KNOWN }, async (resolver) => {
    assertEquals((await resolver("nameserver ::1%lo\n").resolve("a.example")).length, 3);
    assertEquals(
      await refused(resolver("nameserver ::1%none\n").resolve("a.example")),
      "ENOTFOUND",
    );
  });
});

Deno.test("addresses, /etc/hosts and localhost need no server", async () => {
  await withServers({ "127.0.0.1": KNOWN }, async (resolver, asked) => {
    const hosts = "# none\n2001:db8::5 Box.lan box # that one\n192.0.2.5\tbox.lan\nx box.lan\n";
    const one = resolver("nameserver 127.0.0.1\n", hosts);
    assertEquals(await one.resolve("192.0.2.77"), ["192.0.2.77"]);
    assertEquals(await one.resolve("box.LAN."), ["192.0.2.5", "2001:db8::5"]);
    assertEquals(await one.resolve("localhost"), ["127.0.0.1", "::1"]);
    assertEquals(await refused(one.resolve("any.invalid")), "ENOTFOUND");
    assertEquals(asked, []);
  });
});

Deno.test("a server that is silent or fails costs nothing where another one knows", async () => {
  for (const other of [() => undefined, () => ({ rcode: 2 }), () => ({ rcode: 5 })]) {
    await withServers({ "127.0.0.1": other, "127.0.0.2": KNOWN }, async (resolver) => {
      const settings = "nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3\n";
      assertEquals((await resolver(settings).resolve("a.example")).length, 3);
    });
  }
});

Deno.test("nobody who knows is ENOTFOUND, soon where that is certain", async () => {
  const cases: Answers[] = [() => ({ rcode: 3 }), () => ({}), () => ({ rcode: 2 })];
  for (const answers of cases) {
    await withServers({ "127.0.0.1": answers }, async (resolver) => {
      const settings = "nameserver 127.0.0.1\noptions timeout:30\n";
      assertEquals(await refused(resolver(settings).resolve("none.example")), "ENOTFOUND");
      assertEquals(await refused(resolver(settings).resolve("no name")), "ENOTFOUND");
    });
  }
  await withServers({ "127.0.0.1": () => undefined }, async (resolver) => {
    const settings = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
    assertEquals(await refused(resolver(settings).resolve("silent.example")), "ENOTFOUND");
  });
});

Deno.test("what name servers do in the place of an answer is said", async () => {
  const why = async (lookup: Promise<unknown>) => explainLookUp(await assertRejects(() => lookup));
  const garbage = Uint8Array.of(1, 2, 3);
  const answers: readonly (readonly [Answers, string])[] = [
    [() => ({ rcode: 5 }), "name server 127.0.0.1 refuses to answer"],
    [() => ({ rcode: 2 }), "name server 127.0.0.1 fails to find an answer (SERVFAIL)"],
    [() => ({ rcode: 9 }), "name server 127.0.0.1 answers with error 9"],
    [() => ({ garbage }), "name server 127.0.0.1 sends what is no answer"],
    [() => undefined, "name server 127.0.0.1 doesn't answer"],
    [() => ({ rcode: 3 }), "host not found"],
    [() => ({}), "host not found"],
    [(_, type) => type === "A" ? {} : { rcode: 2 }, "host not found"],
  ];
  for (const [answer, says] of answers) {
    await withServers({ "127.0.0.1": answer }, async (resolver) => {
      const settings = `nameserver 127.0.0.1\n${ONCE}`;
      assertEquals(await why(resolver(settings).resolve("a.example")), says);
    });
  }
  const servers = { "127.0.0.1": () => ({ rcode: 5 }), "127.0.0.2": () => undefined };
  await withServers(servers, async (resolver) => {
    const settings = `nameserver 127.0.0.1\nnameserver 127.0.0.2\n${ONCE}`;
    assertEquals(
      await why(resolver(settings).resolve("a.example", { timeout: 0.5 })),
      "timed out: name server 127.0.0.1 refuses to answer, 127.0.0.2 doesn't answer",
    );
  });
  await withServers({ "127.0.0.2": KNOWN }, async (resolver) => {
    for (const settings of [ONCE, `${ONCE}search lan\n# nameserver 127.0.0.2\n`]) {
      assertMatch(
        await why(resolver(settings).resolve("a.example", { timeout: 1 })),
        /\/resolv\.conf names no name server, and name server 127\.0\.0\.1 (?:can't be|doesn't) /,
      );
    }
  });
  // Looks that were given up go on for their own time.
  await new Promise((resolve) => setTimeout(resolve, 4000));
});

Deno.test("what is meant as an address, and is none, is asked nobody for", async () => {
  await withServers({ "127.0.0.1": KNOWN }, async (resolver, asked) => {
    for (const name of ["203.0.113.300", "203.0.113", "1.2.3.4.5"]) {
      const error = await assertRejects(() => resolver("nameserver 127.0.0.1\n").resolve(name));
      assertEquals([errorCode(error), explainLookUp(error)], [
        "ENOTFOUND",
        `${name} is no IP address`,
      ]);
    }
    assertEquals(asked, []);
    assertEquals((await resolver("nameserver 127.0.0.1\n").resolve("1.example")).length, 3);
  });
});

Deno.test("an answer that was cut is asked for over TCP", async () => {
  const cut: Answers = (name, type) => ({ ...KNOWN(name, type), cut: true });
  await withServers({ "127.0.0.1": cut }, async (resolver, asked) => {
    const found = await resolver("nameserver 127.0.0.1\n").resolve("many.example");
    assertEquals(found, ["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    assertEquals(asked.filter((each) => each.endsWith("tcp")).length, 2);
  });
});

Deno.test("short names are looked for in the domains of the settings", async () => {
  const answers: Answers = (name, type) =>
    name === "box.two.example" ? KNOWN(name, type) : { rcode: 3 };
  await withServers({ "127.0.0.1": answers }, async (resolver, asked) => {
    const settings = "search one.example two.example.\nnameserver 127.0.0.1\n";
    assertEquals((await resolver(settings).resolve("box")).length, 3);
    assertEquals(asked.filter((each) => each.includes(" A ")), [
      "127.0.0.1 A box.one.example",
      "127.0.0.1 A box.two.example",
    ]);
  });
});

Deno.test("what comes after the time that was given is for the next look", async () => {
  let answers = 0;
  const slow: Answers = (name, type) => ++answers > 2 ? KNOWN(name, type) : undefined;
  await withServers({ "127.0.0.1": slow }, async (resolver, asked) => {
    const one = resolver("nameserver 127.0.0.1\n");
    // Two looks at the same time are one.
    const looks = [0, 0].map(() => refused(one.resolve("slow.example", { timeout: 0.1 })));
    assertEquals(await Promise.all(looks), ["ETIMEDOUT", "ETIMEDOUT"]);
    assertEquals((await one.resolve("slow.example", { timeout: 5 })).length, 3);
    assertEquals(asked.length, 4);
  });
});

Deno.test("where no server answers any more, the last addresses hold", async () => {
  let isDead = false;
  const dying: Answers = (name, type) => isDead ? undefined : KNOWN(name, type);
  await withServers({ "127.0.0.1": dying }, async (resolver) => {
    const one = resolver("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    const before = await one.resolve("a.example");
    isDead = true;
    assertEquals(await one.resolve("a.example", { timeout: 0.1 }), before);
    assertEquals(await one.resolve("a.example"), before);
  });
});

Deno.test("a name that is not found any more keeps its last addresses, wherever they were from", async () => {
  let isGone = false;
  const known: Answers = (name, type) => isGone ? { rcode: 3 } : KNOWN(name, type);
  const system = {
    isOnly: false,
    lookUp: () => isGone ? Promise.reject(codedError("ENOTFOUND")) : Promise.resolve(["192.0.2.9"]),
  };
  await withServers({ "127.0.0.1": known }, async (resolver) => {
    const servers = "nameserver 127.0.0.1\n";
    const one = resolver(servers, "192.0.2.7 in-hosts.example\n", system);
    const names = ["a.example", "in-hosts.example", "box.local"];
    const look = () => Promise.all(names.map((name) => one.resolve(name)));
    const before = await look();
    isGone = true;
    // The files are one resolver's like another's.
    resolver(servers, "");
    for (let i = 0; i < 2; i++) assertEquals(await look(), before);
    assertEquals(await refused(one.resolve("b.example")), "ENOTFOUND");
  });
});

Deno.test("the system's own resolver is asked for what is not DNS's, and where no socket is to be had", async () => {
  const system = (isOnly: boolean) => ({ isOnly, lookUp: () => Promise.resolve(["192.0.2.9"]) });
  await withServers({ "127.0.0.1": () => ({ rcode: 3 }) }, async (_, asked) => {
    const port = 9;
    const places = { settings: "/dev/null", hosts: "/dev/null", port };
    const none = { ...HOST, connectedUdp: () => Promise.reject(codedError("ENOSYS")) };
    assertEquals(await new Resolver(none, places, system(false)).resolve("a.example"), [
      "192.0.2.9",
    ]);
    assertEquals(await new Resolver(HOST, places, system(true)).resolve("a.example"), [
      "192.0.2.9",
    ]);
    assertEquals(await refused(new Resolver(none, places).resolve("a.example")), "ENOTFOUND");
    assertEquals(asked, []);
  });
  await withServers({ "127.0.0.1": () => ({ rcode: 3 }) }, async (resolver) => {
    const settings = "nameserver 127.0.0.1\n";
    const one = resolver(settings, "", system(false));
    assertEquals(await one.resolve("box.local"), ["192.0.2.9"]);
    assertEquals(await one.resolve("box"), ["192.0.2.9"]);
    assertEquals(await refused(one.resolve("box.example")), "ENOTFOUND");
  });
});

Deno.test("the files are read as their manuals say", () => {
  const settings = parseResolverSettings(
    "; none\nnameserver 192.0.2.1\n nameserver ::1\nnameserver x\nnameserver 192.0.2.3\n" +
      "nameserver 192.0.2.4\ndomain a.example\nsearch b.example c.example.\n" +
      "options ndots:2 timeout:3 attempts:4 rotate\n",
  );
  assertEquals(settings, {
    servers: ["192.0.2.1", "::1", "192.0.2.3"],
    search: ["b.example", "c.example"],
    ndots: 2,
    patience: 12,
  });
  assertEquals(parseResolverSettings(""), {
    servers: ["127.0.0.1"],
    search: [],
    ndots: 1,
    patience: 10,
  });
  assertEquals(candidateNames("x.y", settings), ["x.y.b.example", "x.y.c.example", "x.y"]);
  assertEquals(candidateNames("x.y.z", settings), ["x.y.z", "x.y.z.b.example", "x.y.z.c.example"]);
  assertEquals(candidateNames("x.", settings), ["x"]);
  assertEquals(findInHosts("192.0.2.1 a b\n192.0.2.1 b\n", "B"), ["192.0.2.1"]);
  assertEquals(findInHosts("192.0.2.1 ab # b\n", "b"), []);
});
