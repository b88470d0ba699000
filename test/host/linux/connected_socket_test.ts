/**
 * Raw sockets on loopback addresses, on Deno and on Bun.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { bundle, bunProgram, DENO, ownTarget, ROOT } from "../../../scripts/tools.ts";
import { denoHost } from "../../../lib/host/deno/deno.ts";
import { errorCode } from "../../../lib/host/error.ts";
import type { Libc } from "../../../lib/host/linux/libc.ts";
import { denoLibc } from "../../../lib/host/linux/libc_deno.ts";
import { openConnectedSocket } from "../../../lib/host/linux/connected_socket.ts";
import { run, testWith, withFolder } from "../../support/program.ts";
import {
  exchange,
  type Exchanged,
  Inbox,
  MARKED_NETWORK,
  rawStation,
  RELAYED,
  relayed,
  station,
  unsplit,
} from "./raw_exchange.ts";

const WITHOUT_RAW = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"];
/** Loaded once for all: it stays loaded, which the resource sanitizer would call a leak. */
const LIBC = denoLibc();
/** The address of everybody, and one from which a stranger speaks. */
const FAMILIES = [["127.0.0.1", "127.0.0.2"], ["::1", undefined]] as const;

function expected(far: boolean): Exchanged {
  return {
    server: ["question from owner"],
    raw: ["answer from server", " from server"],
    owner: [
      "noise from stranger",
      ...(far ? ["far noise from server"] : []),
      "answer from server",
      " from server",
      "too late from server",
    ],
    errors: [],
    closed: [],
  };
}

for (const [address, elsewhere] of FAMILIES) {
  testWith(
    ["root"],
    `a raw socket on ${address} speaks from a port that another owns`,
    async () => {
      assertEquals(
        await exchange(denoHost(), address, elsewhere),
        expected(elsewhere !== undefined),
      );
    },
  );
}

testWith(["root"], "datagrams of all sizes go through a raw socket whole", async () => {
  for (const [address] of FAMILIES) {
    const host = denoHost();
    const [owner, server] = [await station(host, address), await station(host, address)];
    const raw = await rawStation(host, address, owner.socket.port, server.socket.port);
    const texts = [0, 1, 2, 81, 82, 99, 539, 540, 1472, 2048].map((size) => "x".repeat(size));
    for (const text of texts) {
      raw.say(text, 0);
      server.say(text, owner.socket.port);
    }
    const sizes = (received: readonly string[]) =>
      received.map((text) => text.indexOf(" ")).toSorted((a, b) => a - b);
    const all = texts.map(({ length }) => length);
    assertEquals(sizes(await server.first(all.length)), all);
    assertEquals(sizes(await raw.first(all.length)), all);
    for (const { socket } of [raw, owner, server]) socket.close();
  }
});

testWith(["root"], "more datagrams come than a batch holds", async () => {
  const host = denoHost();
  const [owner, server] = [await station(host, "127.0.0.1"), await station(host, "127.0.0.1")];
  const raw = await rawStation(host, "127.0.0.1", owner.socket.port, server.socket.port);
  const texts = Array.from({ length: 150 }, (_, i) => `datagram ${i}`);
  for (const text of texts) server.say(text, owner.socket.port);
  const from = ` from ${server.socket.port}`;
  assertEquals((await raw.first(150)).toSorted(), texts.map((text) => text + from).toSorted());
  assertEquals([...raw.addresses], ["127.0.0.1"]);
  for (const { socket } of [raw, owner, server]) socket.close();
});

testWith(["root"], "two raw sockets from one port each hear their own server", async () => {
  const host = denoHost();
  const [owner, one, two] = await Promise.all([1, 2, 3].map(() => station(host, "127.0.0.1")));
  assert(owner !== undefined && one !== undefined && two !== undefined);
  const raws = await Promise.all(
    [one, two].map(({ socket }) => rawStation(host, "127.0.0.1", owner.socket.port, socket.port)),
  );
  one.say("of one", owner.socket.port);
  two.say("of two", owner.socket.port);
  await owner.first(2);
  await Promise.all(raws.map((raw) => raw.first(1)));
  assertEquals(raws.map(({ texts }) => texts), [
    [`of one from ${one.socket.port}`],
    [`of two from ${two.socket.port}`],
  ]);
  for (const { socket } of [...raws, owner, one, two]) socket.close();
});

testWith(["root"], "sockets that are not raw share a free port, each with its server", async () => {
  const host = denoHost();
  for (const [address] of FAMILIES) {
    const [one, two, free] = await Promise.all([1, 2, 3].map(() => station(host, address)));
    assert(one !== undefined && two !== undefined && free !== undefined);
    const { port } = free.socket;
    free.socket.close();
    await new Promise((closed) => setTimeout(closed, 50));
    const inboxes = [new Inbox(), new Inbox()] as const;
    const [first, second] = [one, two].map(({ socket }, i) => {
      const to = { host: address, port: socket.port };
      const options = { port, to, mark: 7, raw: false, ...inboxes[i]!.handlers };
      const connected = openConnectedSocket(LIBC, options);
      connected.send(new TextEncoder().encode(`to ${i}`), to);
      return connected;
    });
    assertEquals(await one.first(1), [`to 0 from ${port}`]);
    assertEquals(await two.first(1), [`to 1 from ${port}`]);
    one.say("of one", port);
    two.say("of two", port);
    assertEquals(await inboxes[0].first(1), [`of one from ${one.socket.port}`]);
    assertEquals(await inboxes[1].first(1), [`of two from ${two.socket.port}`]);
    assertEquals(inboxes.map(({ texts }) => texts.length), [1, 1]);
    for (const socket of [first, second, one.socket, two.socket]) socket?.close();
  }
});

for (const [address] of FAMILIES) {
  testWith(
    ["root"],
    `what a relay forwards to ${address} is not heard, and pages are`,
    async () => {
      assertEquals<unknown>(await relayed(denoHost(), address), RELAYED);
    },
  );
}

Deno.test("what is not raw comes as the kernel has it, whatever size is expected", async () => {
  for (const [address] of FAMILIES) {
    assertEquals(await unsplit(denoHost(), address), [556, 556, 1112]);
  }
});

testWith(["root"], "a closed raw socket touches no file that has its number now", async () => {
  await withFolder(async (folder) => {
    const closed: number[] = [];
    const sent: number[] = [];
    const libc: Libc = {
      ...LIBC,
      close: (fd) => {
        closed.push(fd);
        return LIBC.close(fd);
      },
      send: (fd, ...rest) => {
        sent.push(fd);
        return LIBC.send(fd, ...rest);
      },
    };
    const inbox = new Inbox();
    const to = { host: "127.0.0.1", port: 9 };
    const raw = openConnectedSocket(libc, { port: 5, to, mark: 0, raw: true, ...inbox.handlers });
    raw.close();
    await Deno.writeTextFile(`${folder}/file`, "x");
    raw.close();
    raw.send(Uint8Array.of(1), to);
    assertEquals([closed.length, sent.length], [1, 0]);
  });
});

testWith(
  ["root"],
  "what comes between opening and filtering is not taken for an answer",
  async () => {
    const host = denoHost();
    for (const [address] of FAMILIES) {
      const [owner, server] = [await station(host, address), await station(host, address)];
      const inbox = new Inbox();
      const libc: Libc = {
        ...LIBC,
        socket(...options) {
          const fd = LIBC.socket(...options);
          sendNow(address, owner.socket.port);
          return fd;
        },
      };
      const to = { host: address, port: server.socket.port };
      const raw = openConnectedSocket(libc, {
        port: owner.socket.port,
        to,
        mark: 0,
        raw: true,
        ...inbox.handlers,
      });
      await owner.first(1);
      server.say("answer", owner.socket.port);
      const texts = await inbox.first(1);
      assertEquals(texts, [`answer from ${server.socket.port}`]);
      raw.close();
      for (const { socket } of [owner, server]) socket.close();
    }
  },
);

/** Sends a datagram from any port before it returns. */
function sendNow(address: string, port: number): void {
  const libc = LIBC;
  const ipv4 = !address.includes(":");
  const socketAddress = new Uint8Array(ipv4 ? 16 : 28);
  const view = new DataView(socketAddress.buffer);
  socketAddress.set(new Uint8Array(Uint16Array.of(ipv4 ? 2 : 10).buffer));
  view.setUint16(2, port);
  if (ipv4) view.setUint32(4, 0x7f000001);
  else view.setUint8(23, 1);
  const fd = libc.socket(ipv4 ? 2 : 10, 2, 0);
  assertEquals(libc.connect(fd, socketAddress, socketAddress.length), 0);
  assertEquals(libc.send(fd, Uint8Array.of(110, 111), 2, 0), 2);
  libc.close(fd);
}

testWith(["root"], "what a system refuses has its name, and leaves nothing open", async () => {
  const inbox = new Inbox();
  const open = (to: string, errno: number, fails: "setsockopt" | "connect" | "socket") => {
    let opened = 0;
    const libc: Libc = {
      ...LIBC,
      socket: (...options) => {
        if (fails === "socket") return -1;
        opened++;
        return LIBC.socket(...options);
      },
      close: (fd) => {
        opened--;
        return LIBC.close(fd);
      },
      errno: () => errno,
      [fails]: () => -1,
    };
    const options = { port: 5, to: { host: to, port: 9 }, mark: 7, raw: true, ...inbox.handlers };
    return assertRejects(async () => {
      try {
        return await Promise.resolve(openConnectedSocket(libc, options));
      } finally {
        assertEquals(opened, 0, "a socket was left open");
      }
    });
  };
  const code = async (...options: Parameters<typeof open>) => errorCode(await open(...options));
  assertEquals(await code("127.0.0.1", 1, "socket"), "EPERM");
  assertEquals(await code("::1", 97, "socket"), "EAFNOSUPPORT");
  assertEquals(await code("127.0.0.1", 1, "setsockopt"), "EPERM");
  assertEquals(await code("2001:db8::1", 101, "connect"), "ENETUNREACH");
  assertEquals(await code("127.0.0.1", 99, "connect"), "EADDRNOTAVAIL");
  assertEquals(await code("127.0.0.1", 9999, "connect"), "errno 9999");
  assertEquals(await code("example.org", 1, "connect"), "EINVAL");
});

for (const runtime of ["Deno", "Bun"] as const) {
  /** Bundles a script that has the `host`, and what comes before it on the command line. */
  const withScript = async (
    script: string,
    test: (argv: readonly string[]) => Promise<void>,
  ): Promise<void> => {
    await withFolder(async (folder) => {
      const name = runtime.toLowerCase();
      const text = `import { ${name}Host } from "${ROOT}/lib/host/${name}/${name}.ts";
        import { exchange, marked, refusal, unsplit } from "${ROOT}/test/host/linux/raw_exchange.ts";
        const host = ${name}Host();
        host.out.write(JSON.stringify(${script}));`;
      await Deno.writeTextFile(`${folder}/script.ts`, text);
      await bundle(`${folder}/script.ts`, `${folder}/script.js`);
      const start = runtime === "Deno" ? [DENO, "run", "--allow-all", "--unstable-net"] : [
        await bunProgram(ownTarget()),
      ];
      await test([...start, `${folder}/script.js`]);
    });
  };

  testWith(["root", "setpriv"], `without permission it is EPERM on ${runtime}`, async () => {
    await withScript("await refusal(host)", async (argv) => {
      assertEquals((await run(argv)).out, '"none"');
      assertEquals(await run([...WITHOUT_RAW, ...argv]), { code: 0, out: '"EPERM"', err: "" });
    });
  });

  testWith(["root", "setpriv"], `CAP_NET_RAW alone is enough on ${runtime}`, async () => {
    await withScript("await refusal(host)", async (argv) => {
      const only = ["--bounding-set=-all,+net_raw", "--inh-caps=-all,+net_raw"];
      assertEquals((await run(["setpriv", ...only, ...argv])).out, '"none"');
    });
  });

  testWith(
    ["root", "unshare", "ip", "setpriv"],
    `datagrams have a mark on ${runtime}`,
    async () => {
      await withScript("await marked(host)", async (argv) => {
        const some = "-net_admin,-net_raw";
        const without = ["setpriv", `--bounding-set=${some}`, `--inh-caps=${some}`];
        for (const [before, marked] of [[[], "ENETUNREACH"], [without, "EPERM"]] as const) {
          const { code, out, err } = await run([...MARKED_NETWORK, ...before, ...argv]);
          assertEquals([code, out, err], [0, `["sent","${marked}"]`, ""]);
        }
      });
    },
  );

  if (runtime === "Bun") {
    Deno.test("what is not raw comes as the kernel has it on Bun", async () => {
      await withScript('await unsplit(host, "127.0.0.1")', async (argv) => {
        const { code, out, err } = await run(argv);
        assertEquals([code, out, err], [0, "[556,556,1112]", ""]);
      });
    });

    testWith(["root"], "the same exchange on Bun", async () => {
      for (const [address, elsewhere] of FAMILIES) {
        const far = elsewhere === undefined ? "undefined" : `"${elsewhere}"`;
        await withScript(`await exchange(host, "${address}", ${far})`, async (argv) => {
          const { code, out, err } = await run(argv);
          assertEquals([code, err], [0, ""]);
          assertEquals<unknown>(JSON.parse(out), expected(elsewhere !== undefined));
        });
      }
    });
  }
}
