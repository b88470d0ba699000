/** Threads and shared ports, on Deno and on Bun. */

import { assertEquals } from "@std/assert";
import { run, withFolder } from "../support/program.ts";
import { bundle, bunProgram, DENO, ownTarget, ROOT } from "../../scripts/tools.ts";

const RUNTIMES = [
  {
    name: "Deno",
    make: "denoHost",
    file: "deno.ts",
    start: () => [DENO, "run", "--allow-all", "--unstable-net"],
  },
  {
    name: "Bun",
    make: "bunHost",
    file: "bun.ts",
    start: async () => [await bunProgram(ownTarget())],
  },
] as const;

/** What a thread does with a message. */
const CHILD = `
  host.parent.onMessage(async (message) => {
    if (message === "throw") throw new Error("it broke");
    if (message === "exit") process.exit(3);
    if (message instanceof SharedArrayBuffer) {
      Atomics.store(new Int32Array(message), 0, 42);
      return host.parent.post("stored");
    }
    if (message.port) {
      let count = 0;
      await host.udp({ address: message.address, port: message.port, sharePort: true,
        onBatch(batch) { for (let i = 0; i < batch.count; i++) host.parent.post("datagram"); },
        onSendError() {}, onOverload() {} });
      return host.parent.post("listening");
    }
    host.parent.post({ echo: message });
  });
  host.parent.post("ready");
`;

/** Starts a thread, and tells what comes from it. */
const PARENT = `
  function begin() {
    const waiting = [];
    const came = [];
    const take = (text) => { const next = waiting.shift(); if (next) next(text); else came.push(text); };
    const thread = host.startThread({ onMessage: take, onEnd: (why) => take("end: " + why) });
    const next = () => came.length > 0 ? Promise.resolve(came.shift()) : new Promise((done) => waiting.push(done));
    return { thread, next };
  }
  const say = (value) => host.out.write(JSON.stringify(value) + "\\n");
`;

for (const { name, make, file, start } of RUNTIMES) {
  /** Runs the body in the first thread, and returns the values that it says. */
  const runThreads = async (body: string): Promise<unknown[]> => {
    let values: unknown[] = [];
    await withFolder(async (folder) => {
      const script = `import { ${make} } from "${ROOT}/lib/host/${file}";
        import process from "node:process";
        const host = ${make}({ program: import.meta.url });
        if (host.parent !== undefined) { ${CHILD} } else { ${PARENT} ${body}; process.exit(0); }`;
      await Deno.writeTextFile(`${folder}/script.ts`, script);
      await bundle(`${folder}/script.ts`, `${folder}/script.js`);
      const { code, out, err } = await run([...await start(), `${folder}/script.js`]);
      assertEquals(code, 0, err);
      values = out.trim().split("\n").map((line) => JSON.parse(line));
    });
    return values;
  };

  Deno.test(`${name}: a thread gets messages, shares memory, and ends when it is told`, async () => {
    const values = await runThreads(`
      say(host.processors > 0);
      const { thread, next } = begin();
      say(await next());
      thread.post({ a: [1, new Uint8Array([2])] });
      say((await next()).echo.a[1][0]);
      const memory = new SharedArrayBuffer(4);
      thread.post(memory);
      say(await next());
      say(Atomics.load(new Int32Array(memory), 0));
      thread.end();
      say(await Promise.race([next(), new Promise((done) => setTimeout(() => done("silence"), 300))]));
    `);
    assertEquals(values, [true, "ready", 2, "stored", 42, "silence"]);
  });

  Deno.test(`${name}: that a thread ends by itself is told once`, async () => {
    const values = await runThreads(`
      for (const message of ["throw", "exit"]) {
        const { thread, next } = begin();
        await next();
        thread.post(message);
        say(await next());
        say(await Promise.race([next(), new Promise((done) => setTimeout(() => done("silence"), 300))]));
      }
    `);
    assertEquals(values, ["end: it broke", "silence", "end: it ended with code 3", "silence"]);
  });

  Deno.test(`${name}: threads share a port, and others don't get it`, async () => {
    const values = await runThreads(`
      for (const address of ["127.0.0.1", "::1"]) {
        let own = 0, others = 0;
        const quiet = { onSendError() {}, onOverload() {} };
        const socket = await host.udp({ address, port: 0, sharePort: true, ...quiet,
          onBatch(batch) { own += batch.count; } });
        const { thread, next } = begin();
        await next();
        thread.post({ address, port: socket.port });
        say(await next());
        say(await host.udp({ address, port: socket.port, onBatch() {}, ...quiet })
          .then(() => "opened", ({ code }) => code));
        for (let i = 0; i < 40; i++) {
          const client = await host.udp({ address, port: 0, onBatch() {}, onSendError() {} });
          client.send(new Uint8Array(3), { host: address, port: socket.port });
        }
        const count = async () => { for (;;) { await next(); others++; } };
        void count();
        const end = host.mono() + 5000;
        while (own + others < 40 && host.mono() < end) await new Promise((done) => setTimeout(done, 20));
        say([own + others, own > 0, others > 0]);
        thread.end();
      }
    `);
    const each = ["listening", "EADDRINUSE", [40, true, true]];
    assertEquals(values, [...each, ...each]);
  });
}
