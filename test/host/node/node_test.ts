/**
 * Files and programs, as all hosts have them. It uses nothing that only one runtime has:
 * runtimes_test.ts runs it on Bun, and quickjs_test.ts on QuickJS.
 *
 * @module
 */

import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { errorCode } from "../../../lib/host/error.ts";
import { commonHost as host } from "../../support/common_host.ts";
import { test } from "../../testing.ts";

const OWNER = { mode: 0o600 };

/** Declares a test that gets a folder of its own. */
function testIn(name: string, body: (folder: string) => Promise<void>): void {
  test(name, async () => {
    const folder = await mkdtemp(`${tmpdir()}/wgsig-test-`);
    try {
      await body(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

/** The POSIX name of what goes wrong. */
async function failure(run: () => Promise<unknown>): Promise<string> {
  return errorCode(await assertRejects(run));
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function textOf(path: string): Promise<string> {
  return await readFile(path, "utf8");
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o7777;
}

function shell(script: string, options?: Parameters<typeof host.run>[1]) {
  return host.run(["sh", "-c", script], options);
}

test("a program's output, errors and exit status are kept apart", async () => {
  assertEquals(await shell("printf out; printf err >&2; exit 7"), {
    code: 7,
    out: "out",
    err: "err",
  });
  assertEquals(await host.run(["true"]), { code: 0, out: "", err: "" });
  assertEquals(await host.run(["printf", "%s|", "a b", "", "*", "$HOME"]), {
    code: 0,
    out: "a b||*|$HOME|",
    err: "",
  });
});

test("a program that a signal ends has failed", async () => {
  assert((await shell("kill -9 $$")).code !== 0);
});

test("a program gets its input, and the end of it", async () => {
  const input = "né\n".repeat(300_000);
  assertEquals((await host.run(["cat"], { input })).out === input, true);
  assertEquals(await host.run(["cat"]), { code: 0, out: "", err: "" });
  assertEquals((await host.run(["cat"], { input: "" })).out, "");
});

test("a program need not read its input", async () => {
  const input = "x".repeat(2_000_000);
  assertEquals((await host.run(["true"], { input })).code, 0);
  assertEquals((await shell("exec <&-; echo done", { input })).out, "done\n");
});

test("much output comes whole, on both pipes at once", async () => {
  const size = 3_000_000;
  const { code, out, err } = await shell(
    `head -c ${size} /dev/zero | tr '\\0' e >&2 & head -c ${size} /dev/zero | tr '\\0' o; wait`,
  );
  assertEquals([code, out.length, err.length], [0, size, size]);
  assert(/^o+$/.test(out) && /^e+$/.test(err));
});

test("a program that is not there, or is none, is an error with its name", async () => {
  assertEquals(await failure(() => host.run(["/nowhere/wg"])), "ENOENT");
  assertEquals(await failure(() => host.run(["wgsig-no-such-program"])), "ENOENT");
  assertEquals(await failure(() => host.run(["/dev/null"])), "EACCES");
});

test("a program that hangs is ended after its time", async () => {
  const start = performance.now();
  assertEquals((await host.run(["sleep", "60"], { timeout: 0.05 })).code, 124);
  assertEquals((await shell("trap '' TERM; while :; do :; done", { timeout: 0.05 })).code, 124);
  assert(performance.now() - start < 10_000);
});

testIn("a program that hangs is ended even if others hold its pipes", async (folder) => {
  const start = performance.now();
  const script = `sleep 60 & echo $! > ${folder}/pid; wait`;
  assertEquals((await shell(script, { timeout: 0.3 })).code, 124);
  assert(performance.now() - start < 10_000);
  await host.run(["kill", (await textOf(`${folder}/pid`)).trim()]);
});

testIn("what a program leaves in the background is waited for no longer", async (folder) => {
  const start = performance.now();
  const script = `sleep 60 & echo $! > ${folder}/pid; echo done; exit 3`;
  assertEquals(await shell(script, { timeout: 0.3 }), { code: 3, out: "done\n", err: "" });
  assert(performance.now() - start < 10_000);
  await host.run(["kill", (await textOf(`${folder}/pid`)).trim()]);
});

test("a program that ends in time is not ended", async () => {
  assertEquals(await shell("echo out; exit 3", { timeout: 30 }), {
    code: 3,
    out: "out\n",
    err: "",
  });
});

testIn("the beginning of a file is read, however large it is", async (folder) => {
  const path = `${folder}/file`;
  await writeFile(path, bytesOf("x".repeat(100_000)));
  const options = { regular: true, beginning: true };
  for (const limit of [0, 8, 70_000, 100_000, 200_000]) {
    const { bytes } = await host.readFile(path, limit, options);
    assertEquals(bytes.length, Math.min(limit, 100_000));
  }
  assertEquals(await failure(() => host.readFile(`${path}.none`, 8, options)), "ENOENT");
  assertEquals(await failure(() => host.readFile(folder, 8, options)), "EISDIR");
});

testIn("bytes are added to the end of a file that is there", async (folder) => {
  const path = `${folder}/file`;
  assertEquals(await failure(() => host.appendFile(path, bytesOf("x"))), "ENOENT");
  await host.writeFile(path, bytesOf("first"), { mode: 0o640 });
  assertEquals(await host.appendFile(path, bytesOf(", second")), 13);
  const large = new Uint8Array(300_000).fill(0x2e);
  assertEquals(await host.appendFile(path, large), 300_013);
  assertEquals(await textOf(path), `first, second${".".repeat(300_000)}`);
  assertEquals(await modeOf(path), 0o640);
  assertEquals(await failure(() => host.appendFile(folder, bytesOf("x"))), "EISDIR");
});

testIn("a file that is written in pieces comes into its place once it is whole", async (folder) => {
  const path = `${folder}/file`;
  await host.writeFile(path, bytesOf("before"), { mode: 0o600 });
  // What a crash has left of another one is no part of it.
  await writeFile(`${path}.new`, "left by a crash");
  const next = await host.replaceFile(path, { mode: 0o640 });
  await next.write(bytesOf("0000 first"));
  await next.write(bytesOf(", second"));
  assertEquals(await textOf(path), "before");
  await next.finish(bytesOf("head"));
  assertEquals([await textOf(path), await modeOf(path)], ["head first, second", 0o640]);
  await next.abandon();
  const given = await host.replaceFile(path, { mode: 0o600 });
  await given.write(bytesOf("nothing"));
  await given.abandon();
  await given.abandon();
  assertEquals(await textOf(path), "head first, second");
  assertEquals(await host.listFolder(folder), ["file"]);
});

testIn("a file is the same under all of its names", async (folder) => {
  const [path, other] = [`${folder}/file`, `${folder}/other`];
  await writeFile(path, "x");
  await writeFile(other, "x");
  await symlink(path, `${folder}/symbolic`);
  await link(path, `${folder}/hard`);
  const file = await host.identify(path);
  for (const name of ["symbolic", "hard", "./file"]) {
    assertEquals(await host.identify(`${folder}/${name}`), file, name);
  }
  assert(await host.identify(other) !== file);
  assertEquals(await failure(() => host.identify(`${folder}/nowhere`)), "ENOENT");
});

testIn("a file is written whole, with its mode", async (folder) => {
  const path = `${folder}/file`;
  for (
    const [text, mode] of [["first, and long", 0o600], ["second", 0o644], ["", 0o600]] as const
  ) {
    await host.writeFile(path, bytesOf(text), { mode });
    assertEquals([await textOf(path), await modeOf(path)], [text, mode]);
    assertEquals(await readdir(folder), ["file"]);
  }
  const large = Uint8Array.from({ length: 3_000_000 }, (_, i) => i * 7);
  await host.writeFile(path, large, OWNER);
  const { bytes, mode } = await host.readFile(path, large.length);
  assertEquals(bytes, large);
  assertEquals(mode, 0o600);
});

testIn("an exclusive write replaces nothing", async (folder) => {
  const path = `${folder}/file`;
  await host.writeFile(path, bytesOf("first"), { mode: 0o640, exclusive: true });
  assertEquals([await textOf(path), await modeOf(path)], ["first", 0o640]);
  const again = () => host.writeFile(path, bytesOf("second"), { ...OWNER, exclusive: true });
  assertEquals(await failure(again), "EEXIST");
  await symlink(`${folder}/nowhere`, `${folder}/link`);
  const through = () =>
    host.writeFile(`${folder}/link`, bytesOf("x"), { ...OWNER, exclusive: true });
  assertEquals(await failure(through), "EEXIST");
  assertEquals(await textOf(path), "first");
  assertEquals((await readdir(folder)).sort(), ["file", "link"]);
});

testIn("what a killed write left neither harms nor stays", async (folder) => {
  const path = `${folder}/file`;
  await writeFile(`${path}.new`, "longer than what is written");
  await chmod(`${path}.new`, 0o666);
  await host.writeFile(path, bytesOf("secret"), OWNER);
  assertEquals([await textOf(path), await modeOf(path)], ["secret", 0o600]);
  assertEquals(await readdir(folder), ["file"]);
});

testIn("a link at FILE.new is not followed", async (folder) => {
  const path = `${folder}/file`;
  const victim = `${folder}/victim`;
  for (const plant of [symlink, link]) {
    await writeFile(victim, "precious");
    await plant(victim, `${path}.new`);
    await host.writeFile(path, bytesOf("x"), OWNER).catch(() => {});
    assertEquals(await textOf(victim), "precious", plant.name);
    await host.writeFile(path, bytesOf("y"), OWNER);
    assertEquals([await textOf(path), await textOf(victim)], ["y", "precious"]);
    assert((await lstat(path)).isFile());
    assertEquals((await readdir(folder)).sort(), ["file", "victim"]);
  }
});

testIn("a write that fails leaves what was there, and nothing else", async (folder) => {
  assertEquals(
    await failure(() => host.writeFile(`${folder}/no/x`, bytesOf("x"), OWNER)),
    "ENOENT",
  );
  await mkdir(`${folder}/full`);
  await writeFile(`${folder}/full/file`, "x");
  assertEquals(
    await failure(() => host.writeFile(`${folder}/full`, bytesOf("x"), OWNER)),
    "EISDIR",
  );
  assertEquals(await readdir(folder), ["full"]);
  await writeFile(`${folder}/file`, "");
  assertEquals(
    await failure(() => host.writeFile(`${folder}/file/x`, bytesOf("x"), OWNER)),
    "ENOTDIR",
  );
});

testIn("a file is read up to its limit", async (folder) => {
  const path = `${folder}/file`;
  await writeFile(path, "12345");
  await chmod(path, 0o604);
  assertEquals(await host.readFile(path, 5), {
    bytes: bytesOf("12345"),
    mode: 0o604,
    owner: host.user,
  });
  assertEquals(await failure(() => host.readFile(path, 4)), "EFBIG");
  await writeFile(path, "");
  assertEquals((await host.readFile(path, 0)).bytes.length, 0);
  await writeFile(path, "x".repeat(200_000));
  assertEquals((await host.readFile(path, 200_000)).bytes.length, 200_000);
  assertEquals(await failure(() => host.readFile(path, 199_999)), "EFBIG");
});

testIn("what is no regular file has no mode, and may have no end", async (folder) => {
  assertEquals(await host.readFile("/dev/null", 10), {
    bytes: new Uint8Array(0),
    mode: undefined,
    owner: undefined,
  });
  assertEquals(await failure(() => host.readFile("/dev/zero", 100_000)), "EFBIG");
  const pipe = `${folder}/pipe`;
  await host.run(["mkfifo", pipe]);
  const [read] = await Promise.all([host.readFile(pipe, 10), shell(`printf abc > ${pipe}`)]);
  assertEquals(read, { bytes: bytesOf("abc"), mode: undefined, owner: undefined });
});

testIn("what cannot be read is an error with its name", async (folder) => {
  assertEquals(await failure(() => host.readFile(`${folder}/none`, 9)), "ENOENT");
  assertEquals(await failure(() => host.readFile(folder, 9)), "EISDIR");
  await writeFile(`${folder}/file`, "");
  assertEquals(await failure(() => host.readFile(`${folder}/file/x`, 9)), "ENOTDIR");
});

testIn("a file is removed", async (folder) => {
  await writeFile(`${folder}/file`, "");
  await host.removeFile(`${folder}/file`);
  assertEquals(await readdir(folder), []);
  assertEquals(await failure(() => host.removeFile(`${folder}/file`)), "ENOENT");
});

testIn("a file gets another name, and replaces what had it", async (folder) => {
  await writeFile(`${folder}/a`, "a");
  await writeFile(`${folder}/b`, "b");
  await host.renameFile(`${folder}/a`, `${folder}/b`);
  assertEquals([await readdir(folder), await textOf(`${folder}/b`)], [["b"], "a"]);
  assertEquals(await failure(() => host.renameFile(`${folder}/a`, `${folder}/c`)), "ENOENT");
});

testIn("a folder is made with those above it, for the owner alone", async (folder) => {
  await host.makeFolder(`${folder}/a/b`);
  assertEquals([await modeOf(`${folder}/a`), await modeOf(`${folder}/a/b`)], [0o700, 0o700]);
  await chmod(`${folder}/a/b`, 0o755);
  await writeFile(`${folder}/a/b/file`, "x");
  await host.makeFolder(`${folder}/a/b`);
  assertEquals([await modeOf(`${folder}/a/b`), await textOf(`${folder}/a/b/file`)], [0o755, "x"]);
  assertEquals(await failure(() => host.makeFolder(`${folder}/a/b/file`)), "EEXIST");
  assertEquals(await failure(() => host.makeFolder(`${folder}/a/b/file/c`)), "ENOTDIR");
});

testIn("what is in a folder is listed", async (folder) => {
  assertEquals(await host.listFolder(folder), []);
  await writeFile(`${folder}/one`, "");
  await mkdir(`${folder}/two`);
  assertEquals([...await host.listFolder(folder)].sort(), ["one", "two"]);
  assertEquals(await failure(() => host.listFolder(`${folder}/none`)), "ENOENT");
  assertEquals(await failure(() => host.listFolder(`${folder}/one`)), "ENOTDIR");
});

/** One side of a connection: what came, and how it ended. */
class LocalSide {
  text = "";
  readonly #decoder = new TextDecoder();
  #told: (code: string | undefined) => void = () => {};
  #heard: () => void = () => {};
  readonly closed = new Promise<string | undefined>((done) => this.#told = done);
  /** Until the other side has said all. */
  readonly ended = new Promise<void>((done) => this.#heard = done);

  onData(bytes: Uint8Array): void {
    this.text += this.#decoder.decode(bytes, { stream: true });
  }

  onEnd(): void {
    this.#heard();
  }

  onClose(code: string | undefined): void {
    this.#told(code);
  }
}

testIn("programs of one machine talk over a socket with a name", async (folder) => {
  const path = `${folder}/socket`;
  assertEquals(
    await failure(() => host.connectLocal({ path, timeout: 5 }, new LocalSide())),
    "ENOENT",
  );
  // What a killed process has left is replaced.
  await writeFile(path, "left over");
  const listener = await host.listenLocal({
    path,
    maxConnections: 2,
    onConnection(connection) {
      const side = new LocalSide();
      void side.ended.then(() => {
        connection.write(bytesOf(side.text.toUpperCase()));
        connection.end();
      });
      return side;
    },
  });
  assertEquals((await host.run(["test", "-S", path])).code, 0);
  assertEquals(await modeOf(path), 0o600);
  for (const text of ["question", "x".repeat(1_000_000)]) {
    const side = new LocalSide();
    const connection = await host.connectLocal({ path, timeout: 5 }, side);
    connection.write(bytesOf(text));
    connection.end();
    await side.ended;
    assertEquals(await side.closed, undefined);
    assert(side.text === text.toUpperCase(), `${side.text.length} bytes`);
  }
  listener.close();
  listener.close();
  assertEquals(await host.listFolder(folder), []);
});

testIn("a socket takes so many connections at once, and ends them with itself", async (folder) => {
  const path = `${folder}/socket`;
  const taken: LocalSide[] = [];
  const listener = await host.listenLocal({
    path,
    maxConnections: 2,
    onConnection() {
      const side = new LocalSide();
      taken.push(side);
      return side;
    },
  });
  const sides = [new LocalSide(), new LocalSide(), new LocalSide()];
  for (const side of sides) await host.connectLocal({ path, timeout: 5 }, side);
  // The third is closed at once: its side has to end its own way, or is cut.
  await Promise.race([sides[2]!.ended, sides[2]!.closed]);
  assertEquals(taken.length, 2);
  listener.close();
  for (const side of taken) assertEquals(await side.closed, undefined);
  for (const side of sides) await Promise.race([side.ended, side.closed]);
  assertEquals(await host.listFolder(folder), []);
  const late = new LocalSide();
  assertEquals(await failure(() => host.connectLocal({ path, timeout: 5 }, late)), "ENOENT");
});

testIn(
  "a name that nobody listens at any more, or that is too long, is refused",
  async (folder) => {
    const listen = (path: string) =>
      host.listenLocal({ path, maxConnections: 1, onConnection: () => new LocalSide() });
    const path = `${folder}/${"x".repeat(108)}`;
    assertEquals(await failure(() => listen(path)), "ENAMETOOLONG");
    assertEquals(
      await failure(() => host.connectLocal({ path, timeout: 5 }, new LocalSide())),
      "ENAMETOOLONG",
    );
    assertEquals(await failure(() => listen(`${folder}/none/socket`)), "ENOENT");
  },
);
