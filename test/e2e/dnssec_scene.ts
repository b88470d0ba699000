/**
 * What the end-to-end tests of signed zones act with: keys as `wgsig keygen zone` makes them, and the
 * validators that know them: resolvers, and tools that ask the server themselves.
 *
 * All of it is on loopback: what a resolver would ask of others goes to the server as well, which refuses
 * it.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { joinBytes } from "../../lib/wire/bytes/wire_buffer.ts";
import { frameMessage, MessageReader } from "../../lib/wire/dns/frame.ts";
import { BINARY, run } from "../support/program.ts";
import { readTool, TcpEnd, type ToolAnswer } from "./dns_clients.ts";
import { freeDnsAddress } from "./dns_scene.ts";
import { type Scene, until } from "./scene.ts";

const LOOPBACK = "127.0.0.1";
/** How many tools run at a time. */
const AT_A_TIME = 6;

/** Algorithms of keys. */
export type Algorithm = "ecdsa" | "ed25519";

/** A key of a zone, as the zone above and validators know it. */
export interface TestZoneKey {
  readonly zone: string;
  /** Its private half. */
  readonly file: string;
  /** The data of its DS record: `TAG ALGORITHM 2 DIGEST`. */
  readonly ds: string;
  /** The data of its DNSKEY record: `257 3 ALGORITHM KEY`. */
  readonly dnskey: string;
  /** The key tag. */
  readonly tag: string;
}

/** Makes a key. */
export async function newZoneKey(
  scene: Scene,
  zone: string,
  algorithm: Algorithm = "ecdsa",
): Promise<TestZoneKey> {
  const file = `${scene.folder}/${zone}-${crypto.randomUUID()}.key`;
  const argv = ["keygen", "zone", zone, "--algorithm", algorithm, "--output", file];
  const { code, out, err } = await run([BINARY, ...argv]);
  assertEquals(code, 0, err);
  const dataOf = (type: string): string => {
    const [, data = ""] = new RegExp(`^${zone}\\.\\s.*\\bIN\\s+${type}\\s+(.*)$`, "m").exec(out) ??
      [];
    assert(data !== "", out);
    return data.trim();
  };
  const ds = dataOf("DS");
  return { zone, file, ds, dnskey: dataOf("DNSKEY"), tag: ds.split(" ")[0] ?? "" };
}

/** A question: `NAME TYPE`. */
export type Question = string;

/** Asks with dig, which takes many questions at once. */
export async function digAll(
  port: number,
  questions: readonly Question[],
  ...flags: readonly string[]
): Promise<ToolAnswer[]> {
  const asked = questions.flatMap((question) => question.split(" "));
  const common = [
    `@${LOOPBACK}`,
    "-p",
    `${port}`,
    "-r",
    "+tries=1",
    "+time=10",
    "+nocmd",
    ...flags,
  ];
  const { out } = await run(["dig", ...common, ...asked]);
  const answers = out.split(";; Got answer:\n").slice(1).map(readTool);
  assertEquals(answers.length, questions.length, out);
  return answers;
}

/** Does something with each, not with all at the same time. */
export async function eachOf<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < all.length; i += AT_A_TIME) {
    results.push(...await Promise.all(all.slice(i, i + AT_A_TIME).map(act)));
  }
  return results;
}

/** Asks with delv, which validates by itself. Returns what it printed. */
export async function delv(
  scene: Scene,
  port: number,
  keys: readonly TestZoneKey[],
  question: Question,
  ...flags: readonly string[]
): Promise<string> {
  const [{ zone } = { zone: "" }] = keys;
  const anchors = keys.map(({ zone, ds }) => {
    const [tag, algorithm, kind, ...digest] = ds.split(" ");
    return `"${zone}." static-ds ${tag} ${algorithm} ${kind} "${digest.join("")}";`;
  });
  const text = `trust-anchors { ${anchors.join(" ")} };\n`;
  const file = await scene.file(`delv-${crypto.randomUUID()}`, text);
  const argv = ["delv", `@${LOOPBACK}`, "-p", `${port}`, "-a", file, `+root=${zone}`, ...flags];
  const { out, err } = await run([...argv, ...question.split(" ")]);
  return out + err;
}

/** A resolver: which files it needs, and how it is started; `%` stands for its folder. */
interface Resolver {
  readonly files: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
}

/** How a resolver is set up. */
export interface ValidatorOptions {
  /** Keys that it trusts. */
  readonly anchors: readonly TestZoneKey[];
  /** The port that it asks; each zone and all else is there. */
  readonly server: number;
  /** What is different about it: lines of its settings. */
  readonly more?: string;
}

function unbound(port: number, { anchors, server, more = "" }: ValidatorOptions): Resolver {
  const zones = [...new Set(anchors.map(({ zone }) => zone))];
  const config = `server:
  directory: "%"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-daemonize: no
  num-threads: 1
  interface: ${LOOPBACK}@${port}
  do-not-query-localhost: no
  module-config: "validator iterator"
  qname-minimisation: yes
  qname-minimisation-strict: yes
  harden-below-nxdomain: yes
  harden-dnssec-stripped: yes
  aggressive-nsec: yes
  use-caps-for-id: yes
  val-log-level: 2
  root-hints: ""
${anchors.map(({ zone, ds }) => `  trust-anchor: "${zone}. DS ${ds}"\n`).join("")}${more}
${
    zones.map((zone) => `stub-zone:\n  name: "${zone}"\n  stub-addr: ${LOOPBACK}@${server}\n`).join(
      "",
    )
  }
forward-zone:
  name: "."
  forward-addr: ${LOOPBACK}@${server}
remote-control:
  control-enable: no
`;
  return { files: { "unbound.conf": config }, argv: ["unbound", "-d", "-c", "%/unbound.conf"] };
}

function kresd(port: number, { anchors, server, more = "" }: ValidatorOptions): Resolver {
  const config = `net.listen('${LOOPBACK}', ${port}, { kind = 'dns' })
trust_anchors.remove('.')
${anchors.map(({ zone, ds }) => `trust_anchors.add('${zone}. DS ${ds}')\n`).join("")}
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
cache.open(10 * MB, 'lmdb://%/cache')
cache.min_ttl(0)
policy.add(policy.all(policy.FORWARD('${LOOPBACK}@${server}')))
${more}
`;
  return { files: { config }, argv: ["kresd", "-n", "-c", "%/config", "%"] };
}

/** Kinds of resolvers. */
const RESOLVERS = { unbound, kresd } as const;

/** A resolver that validates. */
export class Validator {
  readonly port: number;

  private constructor(port: number) {
    this.port = port;
  }

  /** Starts one, and waits until it answers. */
  static async start(
    scene: Scene,
    kind: keyof typeof RESOLVERS,
    options: ValidatorOptions,
  ): Promise<Validator> {
    const port = Number(freeDnsAddress().split(":")[1]);
    const { files, argv } = RESOLVERS[kind](port, options);
    const folder = `${scene.folder}/${kind}-${port}`;
    await Deno.mkdir(folder);
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text.replaceAll("%", folder));
    }
    const running = scene.start(argv.map((arg) => arg.replaceAll("%", folder)));
    await until(`${kind} answers: ${running.out}${running.err}`, async () => {
      const argv = ["dig", `@${LOOPBACK}`, "-p", `${port}`, "-r", "+tries=1", "+time=1"];
      const { out } = await run([...argv, "localhost", "A"]);
      return readTool(out).status !== undefined || undefined;
    });
    return new Validator(port);
  }

  /** Asks, with AD wanted. */
  ask(questions: readonly Question[], ...flags: readonly string[]): Promise<ToolAnswer[]> {
    return digAll(this.port, questions, "+adflag", ...flags);
  }

  /** Asserts that all is answered and validated. */
  async trusts(questions: readonly Question[], ...flags: readonly string[]): Promise<ToolAnswer[]> {
    const answers = await this.ask(questions, ...flags);
    answers.forEach(({ status, flags, text }, i) => {
      assertMatch(status ?? "", /^(?:NOERROR|NXDOMAIN)$/, `${questions[i]}: ${text}`);
      assertMatch(flags ?? "", /\bad\b/, `${questions[i]}: ${text}`);
    });
    return answers;
  }

  /** Asserts that nothing is answered, because it is forged; it can be had by who doesn't care. */
  async refuses(questions: readonly Question[]): Promise<void> {
    const answers = await this.ask(questions);
    answers.forEach(({ status, answer, text }, i) => {
      assertEquals([status, answer], ["SERVFAIL", []], `${questions[i]}: ${text}`);
    });
    for (const { status, text } of await this.ask(questions, "+cdflag")) {
      assertEquals(status, "NOERROR", text);
    }
  }
}

/** What becomes of an answer on the way: other bytes, or the same. */
export type Forge = (
  answer: Uint8Array<ArrayBuffer>,
  type: number,
) => Uint8Array | Promise<Uint8Array>;

/** Stands between a server and those who ask it, over UDP and TCP, and changes what is answered. */
export class Forger implements AsyncDisposable {
  /** What is done with answers. */
  forge: Forge = (answer) => answer;
  /** How many of them were changed. */
  changed = 0;
  readonly port: number;
  readonly #server: number;
  readonly #udp: Deno.DatagramConn;
  readonly #tcp: Deno.TcpListener;
  readonly #connections = new Set<Deno.Conn>();
  readonly #work = new Set<Promise<void>>();

  /** @param server The port of the server. */
  constructor(server: number) {
    this.#server = server;
    this.port = Number(freeDnsAddress().split(":")[1]);
    const address = { hostname: LOOPBACK, port: this.port };
    this.#udp = Deno.listenDatagram({ transport: "udp", ...address });
    this.#tcp = Deno.listen(address);
    this.#add(this.#serveUdp());
    this.#add(this.#serveTcp());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#udp.close();
    this.#tcp.close();
    for (const connection of this.#connections) closeQuietly(connection);
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  #add(work: Promise<void>): void {
    // What breaks is a question without an answer.
    const quiet = work.catch(() => {}).finally(() => this.#work.delete(quiet));
    this.#work.add(quiet);
  }

  async #serveUdp(): Promise<void> {
    for (;;) {
      const [query, from] = await this.#udp.receive();
      const asked = query.slice();
      this.#add((async () => {
        const whole = await this.#answer(asked);
        // Whatever is too long for the one who asks is to be had over TCP.
        const answer = whole.length <= 1232 ? whole : truncated(whole, asked);
        await this.#udp.send(answer, from);
      })());
    }
  }

  async #serveTcp(): Promise<void> {
    for await (const connection of this.#tcp) {
      this.#connections.add(connection);
      this.#add((async () => {
        const reader = new MessageReader();
        const queries: Uint8Array<ArrayBuffer>[] = [];
        const buffer = new Uint8Array(65_536);
        for (;;) {
          const size = await connection.read(buffer);
          if (size === null) break;
          reader.push(buffer.subarray(0, size), (message) => queries.push(message.slice()));
          for (const query of queries.splice(0)) {
            const answer = frameMessage(await this.#answer(query));
            for (let at = 0; at < answer.length;) at += await connection.write(answer.subarray(at));
          }
        }
        closeQuietly(connection);
      })());
    }
  }

  async #answer(query: Uint8Array): Promise<Uint8Array> {
    using end = await TcpEnd.open(this.#server);
    await end.send(query);
    const answer = await end.next();
    assert(answer !== undefined, "the server has ended the connection");
    let at = HEADER_SIZE;
    while (query[at]! > 0) at += 1 + query[at]!;
    const forged = await this.forge(answer.slice(), query[at + 1]! << 8 | query[at + 2]!);
    if (forged.length !== answer.length || forged.some((byte, i) => byte !== answer[i])) {
      this.changed++;
    }
    return forged;
  }
}

const HEADER_SIZE = 12;
const TC = 0x02;

/** An answer without records that says that it doesn't fit. */
function truncated(answer: Uint8Array, query: Uint8Array): Uint8Array {
  const short = query.slice();
  short.set(answer.subarray(2, 4), 2);
  short[2] = short[2]! | TC;
  return short;
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}

/** Puts other bytes in the place of some, wherever they are. */
export function replaced(
  message: Uint8Array<ArrayBuffer>,
  from: readonly number[],
  to: readonly number[],
): Uint8Array<ArrayBuffer> {
  assertEquals(from.length, to.length);
  for (let at = 0; at + from.length <= message.length; at++) {
    if (from.every((byte, i) => message[at + i] === byte)) message.set(to, at);
  }
  return message;
}

/** The message without records of a type. Its names may point into the question alone. */
export function withoutType(message: Uint8Array<ArrayBuffer>, type: number): Uint8Array {
  const view = new DataView(message.buffer, message.byteOffset);
  let at = HEADER_SIZE;
  while (message[at]! > 0) at += 1 + message[at]!;
  at += 5;
  const parts = [message.subarray(0, at)];
  for (const count of [6, 8, 10]) {
    let left = view.getUint16(count);
    for (let i = view.getUint16(count); i > 0; i--) {
      const start = at;
      while (message[at]! > 0 && message[at]! < 0xc0) at += 1 + message[at]!;
      at += message[at] === 0 ? 1 : 2;
      const isOfType = view.getUint16(at) === type;
      at += 10 + view.getUint16(at + 8);
      if (isOfType) left--;
      else parts.push(message.subarray(start, at));
    }
    view.setUint16(count, left);
  }
  return joinBytes(parts);
}
