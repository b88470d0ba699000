/**
 * Bun's musl binary on a system that holds nothing but musl and a libstdc++: none of the files that
 * systems usually have, not even /proc and /dev.
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../cli/version.ts";
import { makeLibrary, neededSymbols } from "../../scripts/package/musl/libstdcxx.ts";
import { BUN_TARGETS, bunProgram } from "../../scripts/tools.ts";
import { ROOT, run as runScript } from "../../scripts/tools.ts";
import { run, Running, testWith, withFolder } from "../support/program.ts";

const ARCHITECTURE = Deno.build.arch;
const LOADER = `ld-musl-${ARCHITECTURE}.so.1`;
const NEEDS = ["root", "musl-gcc", "g++", "nm"];

/** Makes the binary of what `deno task build` has bundled. */
async function muslBinary(folder: string): Promise<string> {
  const name = `linux-${ARCHITECTURE === "x86_64" ? "x64" : "arm64"}`;
  const target = BUN_TARGETS.find((each) => each.name === `${name}-musl`)!;
  const builder = await bunProgram(BUN_TARGETS.find((each) => each.name === name)!);
  const file = `${folder}/wgsig`;
  await runScript([
    ...[builder, "build", "--compile", "--bytecode", "--format=esm"],
    ...["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"],
    ...[`--target=${target.bun}`, `--compile-executable-path=${await bunProgram(target)}`],
    ...[`--outfile=${file}`, `${ROOT}/dist/wgsig.js`],
  ], { env: { NODE_ENV: "production" } });
  return file;
}

testWith(NEEDS, "the musl binary runs where there is only musl and a libstdc++", async () => {
  await withFolder(async (folder) => {
    const root = `${folder}/root`;
    await Deno.mkdir(`${root}/lib`, { recursive: true });
    const binary = await muslBinary(folder);
    await Deno.rename(binary, `${root}/wgsig`);
    const env = { WGSIG_CONFIG: "", HOME: "/" };
    const inside = (args: readonly string[]) => ["chroot", root, "/wgsig", ...args];
    const wgsig = (args: readonly string[], input = "") => run(inside(args), { env, input });

    // What it says where something is missing, as docs/install.md quotes it.
    await Deno.copyFile(`/lib/${LOADER}`, `${root}/lib/${LOADER}`);
    const without = await wgsig(["--version"]);
    assertEquals(without.code, 127);
    assertStringIncludes(without.err, "Error loading shared library libstdc++.so.6: No such file");

    await makeLibrary(`${root}/wgsig`, `${root}/lib`);
    const { out: files } = await run(["find", root, "-type", "f", "-printf", "%P\\n"]);
    assertEquals(files.trim().split("\n").sort(), [`lib/${LOADER}`, "lib/libstdc++.so.6", "wgsig"]);
    const version = await wgsig(["--version"]);
    assertMatch(version.out, new RegExp(`^wgsig ${VERSION} \\(bun [0-9.]+, linux-\\w+\\)\n$`));
    assertEquals([version.code, version.err], [0, ""]);

    const keys: string[] = [];
    for (let i = 0; i < 2; i++) {
      const { out } = await wgsig(["keygen", "private"]);
      keys.push((await wgsig(["keygen", "public"], out)).out.trim());
    }
    assertEquals((await wgsig(["keygen", "secret", "--output", "/secret"])).code, 0);
    const serve = ["serve", "--listen", "127.0.0.1:0", "--secret", "/secret", "--state", "/state"];
    const server = new Running(inside(serve), { env });
    try {
      const [, port] = await server.printed(/listening address=127\.0\.0\.1:(\d+)[^]*ready/);
      const ask = async (key: string) => {
        const query = ["query", `127.0.0.1:${port}`, "--secret", "/secret", "--key", key, "--dump"];
        const { code, out, err } = await wgsig(query);
        assertEquals([code, err], [0, ""]);
        return out.trimEnd().split("\n").map((line) => line.split("\t"));
      };
      const [alice] = await ask(keys[0]!);
      const [, found] = await ask(keys[1]!);
      assertEquals(found!.slice(0, 2), alice!.slice(0, 2));
    } finally {
      assertEquals([await server.stop(), server.err], [0, ""]);
    }
  });
});

testWith(
  ["musl-gcc", "g++", "nm"],
  "the libstdc++ that is made exports what is needed",
  async () => {
    await withFolder(async (folder) => {
      // The tables of a class's type, and functions of strings, maps and locks.
      const source = `
#include <condition_variable>
#include <map>
#include <stdexcept>
#include <unordered_map>
struct Base { virtual ~Base() {} };
struct Derived : virtual Base { int value = 3; };
std::unordered_map<int, int> numbers;
std::map<int, int> sorted;
std::mutex mutex;
std::condition_variable changed;
int main(int count, char **) {
    Derived derived;
    Base *base = &derived;
    static Derived *again = dynamic_cast<Derived *>(base);
    for (int i = 0; i < 100 + count; i++) sorted[i] = numbers[i] = again->value;
    std::unique_lock<std::mutex> lock(mutex);
    changed.notify_all();
    try {
        if (count > 0) throw std::out_of_range("thrown and caught");
    } catch (const std::exception &error) {
        return error.what()[0] == 't' && numbers.size() == 101 ? 42 : 1;
    }
    return 2;
}
`;
      await Deno.writeTextFile(`${folder}/program.cc`, source);
      // Compiled as g++ does, linked with musl and the library that is made of the program's needs.
      const object = `${folder}/program.o`;
      const compile = ["g++", "-O1", "-fPIC", "-c", "-o", object, `${folder}/program.cc`];
      assertEquals((await run(compile)).err, "");
      const draft = `${folder}/draft`;
      const link = ["musl-gcc", "-fPIC", "-shared", "-o", draft, object];
      assertEquals((await run([...link, "-Wl,--unresolved-symbols=ignore-all"])).err, "");
      const library = await makeLibrary(draft, folder);
      const exported = (await run(["nm", "--dynamic", "--defined-only", library])).out;
      for (const name of await neededSymbols(draft)) assertStringIncludes(exported, ` ${name}\n`);
      const needed = (await run(["readelf", "--dynamic", library])).out.match(/\[lib.*\]/g);
      assertEquals(needed, ["[libc.so]", "[libstdc++.so.6]"]);

      const program = `${folder}/program`;
      // musl-gcc gives the program an unwinder of Debian's as well.
      const shim = `${ROOT}/scripts/package/musl/libgcc_needs.c`;
      const parts = ["-o", program, object, shim, library, `-Wl,-rpath,${folder},--eh-frame-hdr`];
      const linked = await run(["musl-gcc", ...parts]);
      assertEquals([linked.code, linked.err], [0, ""]);
      assertEquals((await run([program])).code, 42);
    });
  },
);
