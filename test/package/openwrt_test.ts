/** OpenWrt: what its init script starts, run by the shell of its busybox, and what is in packages. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../lib/core/settings/commands.ts";
import { buildApk, buildIpk } from "../../scripts/package/openwrt.ts";
import { RELEASE } from "../../scripts/package/release.ts";
import { ROOT } from "../../scripts/tools.ts";
import { BINARY, type Finished, run, Running, testWith, withFolder } from "../support/program.ts";

const FILES = `${ROOT}/scripts/package/openwrt/files`;
const INIT = `${FILES}/wgsig.init`;
const STAND_IN = `${ROOT}/test/package/openwrt_stand_in.sh`;
const DATE = Date.UTC(2026, 1, 3) / 1000;
/** Options that have no place in a service of the system. */
const LEFT_OUT = ["--help", "--once", "--dry-run", "--json", "--until-gone"];

interface Instance {
  readonly command: string[];
  readonly file: string[];
  readonly [name: string]: string[];
}

function ash(argv: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  return run(["busybox", "ash", ...argv], { env });
}

/** What the init script asks of procd, with these settings. */
async function asked(config: string, action = "start", ...args: string[]): Promise<string[][]> {
  let calls: string[][] = [];
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/wgsig`, config);
    const env = { UCI_FOLDER: folder };
    const { code, out, err } = await ash([STAND_IN, INIT, action, ...args], env);
    assertEquals([code, err], [0, ""]);
    calls = out.trimEnd().split("\n").map((line) => line.split("\t"));
  });
  return calls;
}

/** The instances that procd would have. */
async function instances(config: string): Promise<Map<string, Instance>> {
  const found = new Map<string, Instance>();
  let open: Record<string, string[]> | undefined;
  for (const [call, ...words] of await asked(config)) {
    const [name = "", ...values] = words;
    if (call === "instance") {
      open = {};
      found.set(name, open as Instance);
    } else if (call === "set") open![name] = values;
    else if (call === "append") open![name] = [...open![name] ?? [], ...values];
    else if (call === "close") open = undefined;
  }
  return found;
}

const CONFIG = `
config serve 'registry'
	option enabled '1'
	list listen '127.0.0.1:0'
	list listen '[::1]:0'
	option secret_file '/etc/wgsig/a secret'
	option allow_file '/etc/wgsig/peers'
	option state '/var/run/wgsig/state'
	option max_peers '100'
	option verbose '1'
	option quiet '0'
	option punch '1'
	option self '203.0.113.1:51820'

config serve 'off'
	option enabled '0'

config network 'home'
	option interface 'wg0'
	list server 'vps.example.com'
	list server 'dns://ns.example.com/wg.example.com'
	option secret_file '/etc/wgsig/secret'
	option group '7'
	option interval '30s'
	option add_peers '1'
	option hook 'logger -t "peers" *'
	option config '/etc/wgsig/home.toml'

config network 'nameless'
	option enabled '1'

config network 'away'
	option enabled '0'
	option interface 'wg1'

config network 'work'
	option interface 'wg2'
`;

testWith(["shellcheck"], "shellcheck finds nothing wrong with OpenWrt's scripts", async () => {
  const files = [INIT, `${FILES}/wgsig.hotplug`, STAND_IN];
  const { code, out } = await run(["shellcheck", "--shell=dash", ...files]);
  assertEquals([code, out], [0, ""]);
});

testWith(["busybox"], "the settings as they come start nothing", async () => {
  const config = await Deno.readTextFile(`${FILES}/wgsig.config`);
  assertEquals((await instances(config)).size, 0);
  const enabled = config.replaceAll("option enabled '0'", "option enabled '1'");
  const commands = [...(await instances(enabled)).values()].map(({ command }) => command);
  assertEquals(commands, [
    [
      ...["/usr/bin/wgsig", "serve", "--secret", "/etc/wgsig/secret"],
      ...["--key", "/etc/wgsig/registry.key", "--state", "/var/run/wgsig/state"],
    ],
    [
      ...["/usr/bin/wgsig", "sync", "wg0", "--secret", "/etc/wgsig/secret"],
      ...["--server", "vps.example.com"],
    ],
  ]);
});

testWith(["busybox"], "the init script starts what the settings say, word for word", async () => {
  const found = await instances(CONFIG);
  assertEquals([...found.keys()], ["registry", "home", "work"]);
  const { registry, home, work } = Object.fromEntries(found);
  assertEquals(registry!.command, [
    ...["/usr/bin/wgsig", "serve"],
    ...["--secret", "/etc/wgsig/a secret", "--allow", "/etc/wgsig/peers"],
    ...["--state", "/var/run/wgsig/state", "--max-peers", "100"],
    ...["--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--verbose"],
    ...["--self=203.0.113.1:51820", "--punch"],
  ]);
  assertEquals(registry!.file, [
    ...["/etc/wgsig/wgsig.toml", "/etc/wgsig/a secret", "/etc/wgsig/peers"],
  ]);
  assertEquals(home!.command, [
    ...["/usr/bin/wgsig", "sync", "wg0", "--secret", "/etc/wgsig/secret", "--group", "7"],
    ...["--interval", "30s", "--hook", 'logger -t "peers" *', "--config", "/etc/wgsig/home.toml"],
    ...["--server", "vps.example.com", "--server", "dns://ns.example.com/wg.example.com"],
    "--add-peers",
  ]);
  assertEquals(home!.file, [
    ...["/etc/wgsig/wgsig.toml", "/etc/wgsig/home.toml", "/etc/wgsig/secret"],
  ]);
  assertEquals(work!.command, ["/usr/bin/wgsig", "sync", "wg2"]);
  for (const instance of found.values()) {
    assertEquals(instance["respawn"], ["3600", "5", "0"]);
    assertEquals([instance["stdout"], instance["stderr"]], [["1"], ["1"]]);
  }

  const calls = await asked(CONFIG);
  assertEquals(calls[0], ["mkdir", "-p", "/var/run/wgsig", "0077"]);
  assertEquals(calls.at(-1), ["trigger", "wgsig"]);
  const [said] = calls.filter(([call]) => call === "logger");
  assertStringIncludes(said!.at(-1)!, "network 'nameless' names no interface");
});

testWith(["busybox"], "all options of the command line can be set, and no others", async () => {
  const text = await Deno.readTextFile(INIT);
  for (const [command, section] of [["serve", "serve"], ["sync", "network"]] as const) {
    const listed = (kind: string): readonly string[] => {
      const pattern = new RegExp(`^${command.toUpperCase()}_${kind}="([^"]*)"`, "m");
      return pattern.exec(text)![1]!.match(/\w+/g) ?? [];
    };
    const all = ["VALUES", "LISTS", "SWITCHES", "OPTIONALS"].flatMap((kind) =>
      listed(kind).map((name) => `${kind === "LISTS" ? "list" : "option"} ${name} '1'`)
    );
    const own = section === "network" ? ["option interface 'wg0'"] : [];
    const config = `config ${section} 'all'\n${[...own, ...all].join("\n")}\n`;
    const started = (await instances(config)).get("all")!.command;
    const flags = started.filter((word) => word.startsWith("--"));
    const options = COMMANDS.find(({ name }) => name === command)!.flags;
    const known = options.map(({ name }) => `--${name}`).filter((flag) => !LEFT_OUT.includes(flag));
    assertEquals(flags.sort(), known.sort());
    for (const { name, value, repeats = false } of options) {
      if (LEFT_OUT.includes(`--${name}`)) continue;
      // UCI has one secret_file: where there was an option, a list would find nothing.
      const kind = value === undefined
        ? "SWITCHES"
        : repeats && name !== "secret"
        ? "LISTS"
        : value.startsWith("[")
        ? "OPTIONALS"
        : "VALUES";
      const named = name.replaceAll("-", "_");
      const names = listed(kind);
      assert(names.includes(named) || names.includes(`${named}_file`), `${name} in ${kind}`);
    }
  }
});

/** The binary under test, and the router's where it was built. */
const BINARIES = [BINARY, `${ROOT}/dist/router/wgsig-${Deno.build.arch}`].filter((file) => {
  try {
    return Deno.statSync(file).isFile;
  } catch {
    return false;
  }
});

testWith(["busybox"], "what procd would start does start", async () => {
  assert(BINARIES.length > 0, "there is no binary");
  for (const binary of BINARIES) await withFolder((folder) => startAll(binary, folder));
});

async function startAll(binary: string, folder: string): Promise<void> {
  const secret = `${folder}/a secret`;
  await run([binary, "keygen", "secret", "--output", secret]);
  const config = CONFIG.replaceAll(/\/etc\/wgsig\/(?:a )?secret/g, secret)
    .replaceAll("/var/run/wgsig/state", `${folder}/state`)
    .replace("/etc/wgsig/home.toml", "/dev/null")
    .replace(/.*(?:allow_file|self).*\n/g, "")
    .replace(/option punch '1'/, "option punch '127.0.0.1:0'")
    .replace("vps.example.com", "127.0.0.1:9")
    .replace(/.*dns:.*\n/, "");
  const { registry, home } = Object.fromEntries(await instances(config));
  const env = { WGSIG_CONFIG: "/dev/null" };
  const server = new Running([binary, ...registry!.command.slice(1)], { env });
  try {
    const [, port] = await server.printed(/listening address=127\.0\.0\.1:(\d+)[^]*ready/);
    const key = (await run([binary, "keygen", "public"], {
      input: (await run([binary, "keygen", "private"])).out,
    })).out.trim();
    const asking = ["query", `127.0.0.1:${port}`, "--secret", secret, "--key", key, "--dump"];
    assertEquals((await run([binary, ...asking], { env })).code, 0);
  } finally {
    assertEquals(await server.stop(), 0);
  }
  const client = new Running([binary, ...home!.command.slice(1)], { env });
  try {
    await client.printed(/interface/);
  } finally {
    assertEquals([await client.stop(), client.err], [0, ""]);
  }
}

testWith(["busybox"], "an interface that comes up lets sync look at once", async () => {
  const signal = (name: string) => ["signal", "wgsig", name, "HUP"];
  assertEquals(await asked(CONFIG, "look"), [signal("home"), signal("work")]);
  assertEquals(await asked(CONFIG, "look", "wg2"), [signal("work")]);
  assertEquals(await asked(CONFIG, "look", "wg1"), [[""]]);

  await withFolder(async (folder) => {
    const write = (name: string, text: string) =>
      Deno.writeTextFile(`${folder}/${name}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    await write("init", '[ "$1" = enabled ] || echo "$@"');
    await write("uci", `[ "$*" = "-q get network.wg2.proto" ] && echo wireguard || echo dhcp`);
    const hotplug = `${folder}/hotplug`;
    const text = await Deno.readTextFile(`${FILES}/wgsig.hotplug`);
    await Deno.writeTextFile(hotplug, text.replaceAll("/etc/init.d/wgsig", `${folder}/init`));
    const PATH = `${folder}:${Deno.env.get("PATH")}`;
    const said = async (env: Record<string, string>) => {
      const { code, out, err } = await ash([hotplug], { ...env, PATH });
      assertEquals([code, err], [0, ""]);
      return out;
    };
    assertEquals(await said({ ACTION: "ifup", INTERFACE: "wan", DEVICE: "eth0" }), "look\n");
    assertEquals(await said({ ACTION: "ifup", INTERFACE: "wg2", DEVICE: "wg2" }), "look wg2\n");
    assertEquals(await said({ ACTION: "ifup", INTERFACE: "wg2" }), "look wg2\n");
    assertEquals(await said({ ACTION: "ifdown", INTERFACE: "wan" }), "");
    assertEquals(await said({ ACTION: "ifup", INTERFACE: "loopback" }), "");
    await write("init", '[ "$1" != enabled ]');
    assertEquals(await said({ ACTION: "ifup", INTERFACE: "wan" }), "");
  });
});

/** The program of busybox itself, if it is static, else any static one: what packages want. */
async function staticProgram(folder: string): Promise<string> {
  const source = `${folder}/program.c`;
  await Deno.writeTextFile(source, "int main(void) { return 0; }\n");
  const file = `${folder}/program`;
  const { code, err } = await run(["musl-gcc", "-static", "-s", "-o", file, source]);
  assertEquals(code, 0, err);
  return file;
}

testWith(["musl-gcc"], "an ipk holds what opkg wants, and is the same each time", async () => {
  await withFolder(async (folder) => {
    const binary = await staticProgram(folder);
    const made: Uint8Array[] = [];
    for (const name of ["a", "b"]) {
      await Deno.mkdir(`${folder}/${name}`);
      const file = await buildIpk({ binary, folder: `${folder}/${name}`, date: DATE });
      assert(/\/wgsig_[0-9.]+-r1_(?:x86_64|aarch64)\.ipk$/.test(file), file);
      made.push(await Deno.readFile(file));
      const outer = await run(["tar", "-tzf", file]);
      assertEquals(outer.out, "./debian-binary\n./data.tar.gz\n./control.tar.gz\n");
      await run(["tar", "-xzf", file, "-C", `${folder}/${name}`]);
    }
    assertEquals(made[0], made[1]);

    const list = ["tar", "--numeric-owner", "-tvzf", `${folder}/a/data.tar.gz`];
    const { out } = await run(list, { env: { TZ: "UTC" } });
    const entries = out.trimEnd().split("\n").map((line) => line.trim().split(/\s+/));
    for (const [, owner, , day] of entries) assertEquals([owner, day], ["0/0", "2026-02-03"]);
    assertEquals(entries.filter(([mode]) => !mode!.startsWith("d")).map((e) => [e[0], e[5]]), [
      ["-rw-------", "./etc/config/wgsig"],
      ["-rw-r--r--", "./etc/hotplug.d/iface/90-wgsig"],
      ["-rwxr-xr-x", "./etc/init.d/wgsig"],
      ["-rw-r--r--", "./lib/upgrade/keep.d/wgsig"],
      ["-rwxr-xr-x", "./usr/bin/wgsig"],
    ]);
    await run(["tar", "-xzf", `${folder}/a/control.tar.gz`, "-C", `${folder}/a`]);
    const control = await Deno.readTextFile(`${folder}/a/control`);
    assertStringIncludes(control, `Version: ${RELEASE.version}-r1\n`);
    assertEquals(await Deno.readTextFile(`${folder}/a/conffiles`), "/etc/config/wgsig\n");

    // On the device: the usual is left to OpenWrt's functions, if the program runs there.
    await Deno.mkdir(`${folder}/lib`);
    const functions = 'default_postinst() { echo "$pkgname $*"; }\n';
    await Deno.writeTextFile(`${folder}/lib/functions.sh`, functions);
    const image = await ash([`${folder}/a/postinst`, "configure"], { IPKG_INSTROOT: folder });
    assertEquals(image, { code: 0, out: `wgsig ${folder}/a/postinst configure\n`, err: "" });
    const wrong = await Deno.readTextFile(`${folder}/a/postinst`);
    await Deno.writeTextFile(
      `${folder}/wrong`,
      wrong.replace("/usr/bin/wgsig --version", "/bin/false"),
    );
    const { code, err } = await ash([`${folder}/wrong`, "configure"]);
    assertEquals(code, 1);
    assertStringIncludes(err, "does not run on this device");
  });
});

testWith(["musl-gcc"], "apk mkpkg is told all that an ipk says", async () => {
  await withFolder(async (folder) => {
    const binary = await staticProgram(folder);
    await Deno.mkdir(`${folder}/bin`);
    await Deno.writeTextFile(
      `${folder}/bin/apk`,
      `#!/bin/sh\nprintf '%s\\n' "$@" > ${folder}/said\nfor last; do :; done\n` +
        `while [ "$1" != --files ]; do shift; done\n` +
        `(cd "$2" && find . -type f && cat lib/apk/packages/wgsig.conffiles_static) > "$last"\n`,
      { mode: 0o755 },
    );
    const path = Deno.env.get("PATH")!;
    Deno.env.set("PATH", `${folder}/bin:${path}`);
    try {
      const file = await buildApk({ binary, folder, date: DATE });
      const said = (await Deno.readTextFile(`${folder}/said`)).split("\n");
      assertEquals(said[0], "mkpkg");
      for (
        const each of [
          ...["name:wgsig", `version:${RELEASE.version}-r1`, "arch:noarch"],
          ...["depends:wireguard-tools", "license:MIT"],
        ]
      ) assert(said.includes(each), each);
      const scripts = said.filter((_, i) => said[i - 1] === "--script");
      assertEquals(scripts.map((each) => each.split(":")[0]), [
        ...["post-install", "post-upgrade", "pre-deinstall"],
      ]);
      const files = await Deno.readTextFile(file!);
      for (const each of ["./etc/init.d/wgsig", "./lib/apk/packages/wgsig.list"]) {
        assertStringIncludes(files, each);
      }
      const sum = (await run(["sha256sum", `${FILES}/wgsig.config`])).out.split(" ")[0]!;
      assertStringIncludes(files, `/etc/config/wgsig ${sum}`);
    } finally {
      Deno.env.set("PATH", path);
    }
  });
});

testWith(["make"], "the Makefile for OpenWrt's SDK installs the same files", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/rules.mk`,
      "INSTALL_DIR:=install -d -m0755\nINSTALL_BIN:=install -m0755\n" +
        "INSTALL_CONF:=install -m0600\nINSTALL_DATA:=install -m0644\n",
    );
    await Deno.writeTextFile(
      `${folder}/package.mk`,
      "define BuildPackage\nall:\n\t$$(Build/Prepare)\n\t$$(call Package/$(1)/install,$(OUT))\n" +
        "\t@echo $(PKG_VERSION)\nendef\n",
    );
    const make = (binary: string) =>
      run([
        ...["make", "-s", "-C", `${ROOT}/scripts/package/openwrt`, `TOPDIR=${folder}`],
        ...[`INCLUDE_DIR=${folder}`, `OUT=${folder}/out`, `WGSIG_BINARY=${binary}`],
      ]);
    const { code, out, err } = await make("/bin/true");
    assertEquals([code, out, err], [0, `${RELEASE.version}\n`, ""]);
    const { out: found } = await run(["find", `${folder}/out`, "-type", "f", "-printf", "%P %m\n"]);
    assertEquals(found.trimEnd().split("\n").sort(), [
      "etc/config/wgsig 600",
      "etc/hotplug.d/iface/90-wgsig 644",
      "etc/init.d/wgsig 755",
      "usr/bin/wgsig 755",
    ]);
    assertEquals((await make("/nowhere")).code, 2);
  });
});

Deno.test("a program that needs a loader is not packaged for OpenWrt", async () => {
  await withFolder(async (folder) => {
    const options = { binary: "/bin/sh", folder, date: DATE };
    await assertRejects(() => buildIpk(options), TypeError, "a router binary needs none");
  });
});
