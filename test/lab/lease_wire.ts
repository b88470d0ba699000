/**
 * A program that speaks with a lease server as it is told to: bytes, pauses, resets. Run in a
 * namespace with a job as JSON; prints a `WireResult` as JSON.
 *
 * @module
 */

import { denoHost } from "../../lib/host/deno/deno.ts";
import type { TcpConnection } from "../../lib/host/tcp.ts";
import { errorCode } from "../../lib/host/error.ts";

/** What a client does next. */
export type WireStep =
  /** Sends this, one byte a character. */
  | readonly ["send", string]
  /** Sends it, one byte at a time, with so many milliseconds in between. */
  | readonly ["drip", string, number]
  /** Waits for a whole answer, for a second at most. */
  | readonly ["read"]
  /** Waits for so many seconds at most, and says how the connection is: `open`, `closed`, `reset`. */
  | readonly ["closed", number]
  | readonly ["sleep", number]
  /** Ends its side. */
  | readonly ["end"]
  /** Ends with a reset. */
  | readonly ["reset"];

interface Job {
  readonly host: string;
  readonly port: number;
  readonly count: number;
  readonly steps: readonly WireStep[];
}

const READ_MS = 2000;
const HOST = denoHost();

/** A connection and what came over it. */
class Wire {
  state = "open";
  #text = "";
  #changed: () => void = () => {};
  #connection: TcpConnection | undefined;

  async connect({ host, port }: Job): Promise<boolean> {
    const options = {
      to: { host: "fe80::%wg0", port: 970 },
      from: { host: `${host}%wg0`, port },
      timeout: 10_000,
    };
    const change = (state: string) => {
      if (this.state !== "reset") this.state = state;
      this.#changed();
    };
    try {
      this.#connection = await HOST.tcpConnect(options, {
        onData: (bytes) => {
          this.#text += String.fromCharCode(...bytes);
          this.#changed();
        },
        onEnd: () => change("closed"),
        onClose: (code) => change(code === undefined ? "closed" : "reset"),
      });
      return true;
    } catch (error) {
      this.state = errorCode(error);
      return false;
    }
  }

  async step([kind, a = "", b = 0]: WireStep): Promise<string | undefined> {
    const connection = this.#connection;
    switch (kind) {
      case "send":
        connection?.write(bytesOf(`${a}`));
        return;
      case "drip":
        for (const byte of bytesOf(`${a}`)) {
          connection?.write(Uint8Array.of(byte));
          await sleep(b);
        }
        return;
      case "read":
        return await this.#read();
      case "closed":
        await this.#until(() => this.state !== "open", Number(a) * 1000);
        return this.state;
      case "sleep":
        await sleep(Number(a) * 1000);
        return;
      case "end":
        connection?.end();
        return;
      case "reset":
        connection?.abort();
        return;
    }
  }

  async #read(): Promise<string> {
    await this.#until(() => this.#text.includes("\n\n") || this.state !== "open", READ_MS);
    const end = this.#text.indexOf("\n\n") + 2;
    const answer = end < 2 ? this.#text : this.#text.slice(0, end);
    this.#text = this.#text.slice(answer.length);
    return answer;
  }

  async #until(holds: () => boolean, ms: number): Promise<void> {
    const end = performance.now() + ms;
    while (!holds() && performance.now() < end) {
      await new Promise<void>((done) => {
        const timer = setTimeout(done, 20);
        this.#changed = () => {
          clearTimeout(timer);
          done();
        };
      });
    }
  }
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

if (import.meta.main) {
  const job: Job = JSON.parse(Deno.args[0] ?? "");
  const answers: string[] = [];
  let connected = 0;
  const wires: Wire[] = [];
  for (let i = 0; i < job.count; i++) {
    const wire = new Wire();
    if (await wire.connect({ ...job, port: job.port + i })) connected++;
    else answers.push(wire.state);
    wires.push(wire);
  }
  for (const wire of wires) {
    for (const step of job.steps) {
      const answer = await wire.step(step);
      if (answer !== undefined) answers.push(answer);
    }
  }
  HOST.out.write(`${JSON.stringify({ answers, connected })}\n`);
  Deno.exit(0);
}
