/**
 * A wireguard-go of its own in a network namespace of its own, and what happens where there is none.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { formatKey } from "../../lib/core/net/peer_key.ts";
import { EXIT, UserError } from "../../lib/core/settings/user_error.ts";
import { denoHost } from "../../lib/host/deno/deno.ts";
import type { Host } from "../../lib/host/host.ts";
import {
  interfaceKey,
  readAllowedIps,
  readDevice,
  replacePeer,
  setAllowedIps,
  setListenPort,
  setPeer,
} from "../../lib/wireguard/device.ts";
import { parseDump } from "../../lib/core/net/wg_dump.ts";
import { idOf } from "../support/fake_random.ts";
import { MemoryHost } from "../support/memory_host.ts";
import { BINARY, run, testWith, withFolder } from "../support/program.ts";

const NEEDS = ["root", "wg", "wireguard-go", "ip"];
const SOCKETS = "/var/run/wireguard";
const PRIVATE = "2N8Q3yVcRTHJVIv7CJBhXs7Vp7mhTGBVdMcQFcZ6t2s=";
const PUBLIC = "MXjVufD836NOiHz1eIC06rGeS3qVxCDFKe+DcKdPCQM=";
const PEER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const OTHER = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";

/** A network namespace with a wg0 that has two peers. */
class Scene {
  readonly #name: string;
  readonly #folder: string;

  constructor(name: string, folder: string) {
    this.#name = name;
    this.#folder = folder;
  }

  /** The command that runs a program in the namespace, where no other wg0 is seen. */
  inside(argv: readonly string[]): string[] {
    const script = `mount --bind "$0" ${SOCKETS} && exec "$@"`;
    return ["ip", "netns", "exec", this.#name, "sh", "-c", script, `${this.#folder}/wg`, ...argv];
  }

  /** A host whose programs run in the namespace. */
  get host(): Host {
    const host = denoHost();
    return { ...host, run: (argv, options) => host.run(this.inside(argv), options) };
  }

  async must(argv: readonly string[]): Promise<string> {
    const { code, out, err } = await run(this.inside(argv));
    assertEquals(code, 0, `${argv.join(" ")}: ${err}`);
    return out;
  }

  /** The dump; its peers, which come in any order, by their keys. */
  async dump(): Promise<string> {
    const [first, ...peers] = (await this.must(["wg", "show", "wg0", "dump"])).trim().split("\n");
    return [first, ...peers.sort()].join("\n");
  }

  async make(): Promise<void> {
    await this.must(["wireguard-go", "wg0"]);
    await Deno.writeTextFile(`${this.#folder}/private`, PRIVATE, { mode: 0o600 });
    await Deno.writeTextFile(`${this.#folder}/psk`, formatKey(idOf(9)), { mode: 0o600 });
    const key = ["private-key", `${this.#folder}/private`];
    await this.must(["wg", "set", "wg0", ...key, "listen-port", "51820", "fwmark", "0xca6c"]);
    const first = ["peer", PEER, "preshared-key", `${this.#folder}/psk`];
    const to = ["endpoint", "192.0.2.7:41641", "allowed-ips", "10.0.0.2/32,fd00::2/128"];
    await this.must(["wg", "set", "wg0", ...first, ...to, "persistent-keepalive", "21"]);
    await this.must(["wg", "set", "wg0", "peer", OTHER, "allowed-ips", "10.0.0.3/32"]);
  }
}

async function withDevice(test: (scene: Scene) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const name = `wgsig-test-${crypto.randomUUID().slice(0, 8)}`;
    await Deno.mkdir(`${folder}/wg`);
    await Deno.mkdir(SOCKETS, { recursive: true });
    assertEquals((await run(["ip", "netns", "add", name])).code, 0);
    const scene = new Scene(name, folder);
    try {
      await scene.make();
      await test(scene);
    } finally {
      // wireguard-go ends with its interface.
      await run(scene.inside(["ip", "link", "del", "wg0"]));
      await run(["ip", "netns", "del", name]);
    }
  });
}

/** A dump's lines as fields, the preshared and the private keys with them. */
function lines(dump: string): string[][] {
  return dump.split("\n").map((line) => line.split("\t"));
}

/** The fields that differ, as `line.field before → after`. */
function differences(before: string, after: string): string[] {
  const [old, now] = [lines(before), lines(after)];
  assertEquals(now.length, old.length);
  return old.flatMap((fields, line) =>
    fields.flatMap((field, at) => {
      const other = now[line]?.[at];
      return field === other ? [] : [`${line}.${at} ${field} → ${other}`];
    })
  );
}

testWith(NEEDS, "a device is read with all that it has", async () => {
  await withDevice(async (scene) => {
    const device = await readDevice(scene.host, "wg0");
    assertEquals(device, {
      publicKey: PUBLIC,
      listenPort: 51820,
      mark: 0xca6c,
      peers: device?.peers ?? [],
    });
    assertEquals(device?.peers.length, 2);
    const [peer, other] = [PEER, OTHER].map((key) =>
      device?.peers.find(({ publicKey }) => publicKey === key)
    );
    assertEquals([peer?.endpoint, other?.endpoint], [
      { host: "192.0.2.7", port: 41641 },
      undefined,
    ]);
    assertEquals(peer?.allowedIps.toSorted(), ["10.0.0.2/32", "fd00::2/128"]);
    assertEquals([peer?.persistentKeepalive, other?.persistentKeepalive], [21, 0]);
    assertEquals(formatKey(await interfaceKey(scene.host, "wg0")), PUBLIC);
  });
});

testWith(NEEDS, "a change of a peer changes what it is told to, and nothing else", async () => {
  await withDevice(async (scene) => {
    const before = await scene.dump();
    const at = lines(before).findIndex(([key]) => key === PEER);
    const set = async (change: Parameters<typeof setPeer>[3]) => {
      const before = await scene.dump();
      await setPeer(scene.host, "wg0", PEER, change);
      return differences(before, await scene.dump());
    };
    const endpoint = { host: "198.51.100.1", port: 5 };
    assertEquals(await set({ endpoint }), [`${at}.2 192.0.2.7:41641 → 198.51.100.1:5`]);
    assertEquals(await set({ endpoint }), []);
    assertEquals(await set({}), []);
    assertEquals(await set({ persistentKeepalive: 25 }), [`${at}.7 21 → 25`]);
    assertEquals(await set({ persistentKeepalive: 0 }), [`${at}.7 25 → off`]);
    const ipv6 = { endpoint: { host: "2001:db8::7", port: 6 }, persistentKeepalive: 21 };
    assertEquals(await set(ipv6), [
      `${at}.2 198.51.100.1:5 → [2001:db8::7]:6`,
      `${at}.7 off → 21`,
    ]);
    await set({ endpoint: { host: "192.0.2.7", port: 41641 } });
    assertEquals(await scene.dump(), before);
    const [changed] = await set({ allowedIps: ["10.0.0.9/32"] });
    assertMatch(changed ?? "", /^\d\.3 .* → 10\.0\.0\.9\/32$/);
  });
});

testWith(NEEDS, "a peer is added with what it is given, beside the others", async () => {
  await withDevice(async (scene) => {
    const before = lines(await scene.dump());
    const key = formatKey(idOf(5));
    await setPeer(scene.host, "wg0", key, {
      endpoint: { host: "192.0.2.9", port: 9 },
      persistentKeepalive: 25,
      allowedIps: ["10.0.0.9/32", "fd00::9/128"],
    });
    const after = lines(await scene.dump());
    const isNew = ([first]: string[]) => first === key;
    assertEquals(after.filter((fields) => !isNew(fields)).toSorted(), before.toSorted());
    const added = (await readDevice(scene.host, "wg0"))?.peers.find((peer) =>
      peer.publicKey === key
    );
    assertEquals({ ...added, allowedIps: added?.allowedIps.toSorted() }, {
      publicKey: key,
      endpoint: { host: "192.0.2.9", port: 9 },
      allowedIps: ["10.0.0.9/32", "fd00::9/128"],
      latestHandshake: 0,
      received: 0,
      sent: 0,
      persistentKeepalive: 25,
    });
  });
});

testWith(NEEDS, "many peers get their AllowedIPs in few calls, and are read again", async () => {
  await withDevice(async (scene) => {
    const { host } = scene;
    let calls = 0;
    const counting: Host = {
      ...host,
      run: (argv, options) => {
        calls++;
        return host.run(argv, options);
      },
    };
    const keys = Array.from({ length: 1500 }, (_, i) => formatKey(idOf(1000 + i)));
    const wanted = new Map(
      keys.map((
        key,
        i,
      ) => [key, [`10.7.${i >> 8}.${i & 255}/32`, `fd07::${(i + 1).toString(16)}/128`]]),
    );
    // Who loses an address, and who gets it.
    wanted.set(PEER, ["fd00::2/128"]);
    wanted.set(OTHER, ["10.0.0.2/32"]);
    await setAllowedIps(counting, "wg0", wanted);
    assert(calls > 1 && calls < 5, `${calls}`);
    const sorted = (prefixes: readonly string[] = []) => prefixes.toSorted();
    for (const asked of [[PEER, OTHER], keys]) {
      const found = await readAllowedIps(host, "wg0", new Set([...asked, formatKey(idOf(5))]));
      assertEquals(found?.size, asked.length);
      for (const key of asked) assertEquals(sorted(found?.get(key)), sorted(wanted.get(key)));
    }
    await setAllowedIps(host, "wg0", new Map([[PEER, []]]));
    assertEquals((await readAllowedIps(host, "wg0", new Set([PEER])))?.get(PEER), []);
    assertEquals(await readAllowedIps(host, "wg1", new Set([PEER])), undefined);
    calls = 0;
    await setAllowedIps(counting, "wg0", new Map());
    assertEquals(calls, 0);
  });
});

testWith(NEEDS, "the port is changed, and nothing else", async () => {
  await withDevice(async (scene) => {
    const before = await scene.dump();
    await setListenPort(scene.host, "wg0", 51821);
    assertEquals(differences(before, await scene.dump()), ["0.2 51820 → 51821"]);
    await setListenPort(scene.host, "wg0", 0);
    const { listenPort } = parseDump(await scene.dump());
    assert(listenPort !== 51821);
    await setListenPort(scene.host, "wg0", 51820);
    assertEquals(await scene.dump(), before);
  });
});

testWith(NEEDS, "an interface that there isn't is undefined, or one line for a user", async () => {
  await withDevice(async (scene) => {
    assertEquals(await readDevice(scene.host, "wg9"), undefined);
    assertMatch(
      await complaint(() => interfaceKey(scene.host, "wg9")),
      /^there is no WireGuard interface wg9; bring it up first/,
    );
    assertMatch(
      await complaint(() => setListenPort(scene.host, "wg9", 5)),
      /^cannot change WireGuard interface wg9: .*(No such device|Protocol not supported)/,
    );
  });
});

testWith([...NEEDS, "setpriv"], "without permission there is one line that says so", async () => {
  await withDevice(async (scene) => {
    const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const { host } = scene;
    const poor: Host = { ...host, run: (argv, options) => host.run([...nobody, ...argv], options) };
    for (
      const attempt of [
        () => readDevice(poor, "wg0"),
        () => setListenPort(poor, "wg0", 5),
        () => setPeer(poor, "wg0", PEER, { persistentKeepalive: 1 }),
      ]
    ) {
      assertMatch(
        await complaint(attempt),
        /^cannot (read|change) WireGuard interface wg0: .*; run this as root, or with CAP_NET_ADMIN$/,
      );
    }
  });
});

testWith(
  ["root"],
  "without wg the program ends with one line that says what to install",
  async () => {
    await withFolder(async (folder) => {
      await Deno.writeFile(`${folder}/secret`, idOf(3), { mode: 0o600 });
      const sync = [BINARY, "sync", "wg0", "--once", "--server", "127.0.0.1:9"];
      const { code, out, err } = await run([...sync, "--secret", `${folder}/secret`], {
        env: { PATH: folder, WGSIG_CONFIG: "/dev/null" },
      });
      assertEquals([code, out], [EXIT.failed, ""]);
      assertMatch(
        err,
        /^wgsig: cannot run wg: no such file or directory; install wireguard-tools\n$/,
      );
    });
  },
);

/** The message of the error that a user gets. */
async function complaint(attempt: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(attempt, UserError);
  assert(error instanceof UserError);
  assertEquals(error.status, EXIT.failed);
  assert(!error.message.includes("\n"), "more than a line");
  return error.message;
}

/** A host whose wg prints this. */
function printing(err: string, code = 1): MemoryHost {
  return new MemoryHost({ run: () => ({ code, out: "", err }) });
}

Deno.test("all that wg calls a missing interface is one", async () => {
  for (
    const why of ["No such device", "No such file or directory", "Protocol not supported"]
  ) {
    assertEquals(
      await readDevice(printing(`Unable to access interface: ${why}\n`), "wg0"),
      undefined,
    );
  }
});

Deno.test("what else goes wrong is told with wg's last line", async () => {
  const host = printing("Warning: something\nUnable to access interface: Invalid argument\n");
  assertEquals(
    await complaint(() => readDevice(host, "wg0")),
    "cannot read WireGuard interface wg0: Unable to access interface: Invalid argument",
  );
  assertEquals(
    await complaint(() => readDevice(printing("Operation not permitted"), "wg0")),
    "cannot read WireGuard interface wg0: Operation not permitted" +
      "; run this as root, or with CAP_NET_ADMIN",
  );
});

Deno.test("the command lines of wg are those that change one thing", async () => {
  const host = printing("", 0);
  await setPeer(host, "wg0", PEER, {});
  await setPeer(host, "wg0", PEER, {
    endpoint: { host: "2001:db8::7", port: 6 },
    persistentKeepalive: 0,
    allowedIps: ["10.0.0.9/32", "fd00::9/128"],
  });
  await setListenPort(host, "wg0", 0);
  assertEquals(host.events, [
    `wg set wg0 peer ${PEER}`,
    `wg set wg0 peer ${PEER} endpoint [2001:db8::7]:6 persistent-keepalive 0 ` +
    "allowed-ips 10.0.0.9/32,fd00::9/128",
    "wg set wg0 listen-port 0",
  ]);
});

Deno.test("a name that no interface can have never gets to wg", async () => {
  for (const name of ["", "-a", "a b", "a/b", "a".repeat(16), "wg0\n"]) {
    const host = printing("", 0);
    const error = await assertRejects(() => readDevice(host, name), UserError);
    assert(error instanceof UserError && error.status === EXIT.usage, name);
    await assertRejects(() => setListenPort(host, name, 5), UserError);
    assertEquals(host.events, []);
  }
});

Deno.test("an interface without a key is one line for a user", async () => {
  const out = "(none)\t(none)\t49285\toff\n";
  const host = new MemoryHost({ run: () => ({ code: 0, out, err: "" }) });
  assertMatch(await complaint(() => interfaceKey(host, "wg0")), /has no key; set one with: wg set/);
  const named = new Uint8Array(32).fill(7);
  assertEquals(await interfaceKey(host, "wg0", () => Promise.resolve(named)), named);
});

Deno.test("a peer that is replaced is removed, and is what it was but for its endpoint", async () => {
  const line = (key: string) =>
    `${PEER}\t${key}\t192.0.2.1:1\t10.0.0.2/32,fd00::2/128\t0\t0\t0\t25\n`;
  const added = (endpoint: string) =>
    `wg set wg0 peer ${PEER} endpoint ${endpoint} persistent-keepalive 25 ` +
    "allowed-ips 10.0.0.2/32,fd00::2/128";
  const removed = ["wg show wg0 dump", `wg set wg0 peer ${PEER} remove`];
  const endpoint = { host: "192.0.2.7", port: 7 };
  for (const key of ["(none)", OTHER]) {
    const withKey = key === OTHER ? " preshared-key /dev/stdin" : "";
    for (const fails of [false, true]) {
      const host = new MemoryHost({
        run: (argv) => {
          const out = argv.includes("show") ? `(none)\t(none)\t1\toff\n${line(key)}` : "";
          const code = fails && argv.includes("192.0.2.7:7") ? 1 : 0;
          return { code, out, err: "no luck\n" };
        },
      });
      const replaced = replacePeer(host, "wg0", PEER, { endpoint });
      if (fails) await assertRejects(() => replaced, UserError, "no luck");
      else await replaced;
      const again = fails ? [added("192.0.2.1:1") + withKey] : [];
      assertEquals(host.events, [...removed, added("192.0.2.7:7") + withKey, ...again]);
      assertEquals(host.runs.at(-1)?.input, key === OTHER ? `${OTHER}\n` : undefined);
    }
  }
});

testWith(NEEDS, "replacePeer keeps what a peer has, its preshared key as well", async () => {
  await withDevice(async (scene) => {
    await scene.must([
      "sh",
      "-c",
      `echo ${OTHER} | wg set wg0 peer ${PEER} preshared-key /dev/stdin`,
    ]);
    const before = await scene.must(["wg", "showconf", "wg0"]);
    await replacePeer(scene.host, "wg0", PEER, { endpoint: { host: "192.0.2.77", port: 7 } });
    const after = await scene.must(["wg", "showconf", "wg0"]);
    const sorted = (text: string) => text.split("\n\n").map((each) => each.trim()).toSorted();
    const peer = sorted(after).find((each) => each.includes(PEER)) ?? "";
    assert(peer.includes("Endpoint = 192.0.2.77:7") && peer.includes(OTHER), after);
    const lines = (text: string) =>
      text.split("\n").filter((each) => !each.startsWith("Endpoint")).toSorted();
    assertEquals(lines(after), lines(before));
  });
});
