/**
 * Who validates in the end-to-end tests of signed zones: resolvers, and tools that ask the server
 * themselves.
 *
 * All of it is on loopback, where what a resolver would ask of others goes to the server as well, which
 * refuses it; or in a namespace without a way out.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Namespace } from "../lab/namespace.ts";
import { type Finished, run } from "../support/program.ts";
import { readTool, type ToolAnswer } from "./dns_clients.ts";
import { freeDnsAddress } from "./dns_scene.ts";
import type { Question, TestZoneKey } from "./dnssec_scene.ts";
import { type Scene, until } from "./scene.ts";

const LOOPBACK = "127.0.0.1";
/** Where a program answers on port 53, in a namespace. */
export interface Place {
  readonly within: Namespace;
  readonly host: string;
}
/** Where to ask: a port of loopback, or a place. */
export type Where = number | Place;

/** How a tool is told where to ask. */
function addressOf(where: Where): string[] {
  return typeof where === "number"
    ? [`@${LOOPBACK}`, "-p", `${where}`]
    : [`@${where.host}`, "-p", "53"];
}

/** Runs a tool where it can ask. */
async function runTool(where: Where, argv: readonly string[]): Promise<Finished> {
  return await (typeof where === "number" ? run(argv) : where.within.run(argv));
}

/** How many tools run at a time. */
const AT_A_TIME = 8;

/** Asks with dig, which takes many questions at once. */
export async function digAll(
  where: Where,
  questions: readonly Question[],
  ...flags: readonly string[]
): Promise<ToolAnswer[]> {
  const asked = questions.flatMap((question) => question.split(" "));
  const common = [...addressOf(where), "-r", "+tries=1", "+time=10", "+nocmd", ...flags];
  const { out } = await runTool(where, ["dig", ...common, ...asked]);
  const answers = out.split(";; Got answer:\n").slice(1).map(readTool);
  assertEquals(answers.length, questions.length, out);
  return answers;
}

/** Does something with each, not with all at the same time. */
export async function eachOf<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = [...all.entries()];
  const work = async () => {
    for (;;) {
      const next = left.shift();
      if (next === undefined) return;
      const [i, one] = next;
      results[i] = await act(one);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return results;
}

/** Asks with delv, which validates by itself. Returns what it printed. */
export async function delv(
  scene: Scene,
  where: Where,
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
  const argv = ["delv", ...addressOf(where), "-a", file, `+root=${zone}.`, ...flags];
  const { out, err } = await runTool(where, [...argv, ...question.split(" ")]);
  return out + err;
}

/** Asks with kdig, which takes many questions at once. */
export async function kdigAll(
  where: Where,
  questions: readonly Question[],
  ...flags: readonly string[]
): Promise<ToolAnswer[]> {
  const common = [...addressOf(where), "+retry=0", "+time=10", ...flags];
  const asked = questions.flatMap((question) => question.split(" "));
  const { out } = await runTool(where, ["kdig", ...common, ...asked]);
  const answers = out.match(/->>HEADER<<-(?:(?!->>HEADER<<-)[^])*/g)?.map(readTool) ?? [];
  assertEquals(answers.length, questions.length, out);
  return answers;
}

/** Lets drill chase the signatures up to a key. Returns what it printed. */
export async function drill(
  scene: Scene,
  where: Where,
  keys: readonly TestZoneKey[],
  question: Question,
  ...flags: readonly string[]
): Promise<string> {
  const text = keys.map(({ zone, dnskey }) => `${zone}. 300 IN DNSKEY ${dnskey}\n`).join("");
  const file = await scene.file(`drill-${crypto.randomUUID()}`, text);
  const argv = ["drill", "-S", "-k", file, ...flags, ...question.split(" "), ...addressOf(where)];
  const { code, out, err } = await runTool(where, argv);
  return `${out}${err};; exit status ${code}\n`;
}

/**
 * Lines of ldns-verify-zone and dnssec-verify that say nothing of signatures: each NSEC record here denies
 * one name alone, so that they make no chain.
 */
const ABOUT_THE_CHAIN = [
  /^Error: the NSEC record for \S+ points to the wrong next owner name$/,
  /^\t: \\000\.\S+ i\.s\.o\. \S+$/,
  /^Bad NSEC record for (\S+), next name mismatch \(expected:\S+, found:\\000\.\1\)$/,
  /^(?:Cannot chase the root: All OK|There were errors in the zone)$/,
  /^(?:Loading zone '|Verifying the zone using the following algorithms:$)/,
  /^(?:DNSSEC completeness test failed|The zone is not fully signed for the following algorithms:$)/,
  /^(?:(?:- | )(?:ECDSAP256SHA256|ED25519)|\.|)$/,
];

/**
 * Lets ldns-verify-zone and dnssec-verify check a zone that was put together from answers. Returns what
 * they find wrong but for its chain of NSEC records.
 */
export async function wrongIn(
  scene: Scene,
  { zone, dnskey }: TestZoneKey,
  records: readonly string[],
): Promise<string[]> {
  const anchor = await scene.file("anchor", `${zone}. 300 IN DNSKEY ${dnskey}\n`);
  const file = await scene.file("zone", [...new Set(records), ""].join("\n"));
  const verifiers = [["ldns-verify-zone", "-k", anchor], ["dnssec-verify", "-z", "-o", zone]];
  const said = await Promise.all(verifiers.map((argv) => run([...argv, file])));
  return said.flatMap(({ out, err }) => {
    const lines = `${out}${err}`.split("\n");
    assert(lines.some((line) => /next (?:owner )?name/.test(line)), `${out}${err}`);
    return lines.filter((line) => !ABOUT_THE_CHAIN.some((pattern) => pattern.test(line)));
  });
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
  /** The port that it asks; each zone and all else is there. Or the address of a root server. */
  readonly server: number | string;
  /** Where it is, if not on loopback. */
  readonly at?: Place;
  /** What is different about it: lines of its settings. */
  readonly more?: string;
}

function unbound(
  host: string,
  port: number,
  { anchors, server, more = "" }: ValidatorOptions,
): Resolver {
  const ways = typeof server === "string" ? [] : [
    ...new Set(anchors.map(({ zone }) => `stub-zone:\n  name: "${zone}"\n  stub-addr`)),
    `forward-zone:\n  name: "."\n  forward-addr`,
  ].map((way) => `${way}: ${LOOPBACK}@${server}\n`);
  const config = `server:
  directory: "%"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-daemonize: no
  num-threads: 1
  interface: ${host}@${port}
  access-control: 0.0.0.0/0 allow
  do-not-query-localhost: no
  module-config: "validator iterator"
  qname-minimisation: yes
  qname-minimisation-strict: yes
  harden-below-nxdomain: yes
  harden-dnssec-stripped: yes
  aggressive-nsec: yes
  use-caps-for-id: yes
  val-log-level: 2
  root-hints: "${typeof server === "string" ? "%/hints" : ""}"
${anchors.map(({ zone, ds }) => `  trust-anchor: "${zone}. DS ${ds}"\n`).join("")}${more}
${ways.join("")}
remote-control:
  control-enable: no
`;
  return {
    files: { "unbound.conf": config, hints: `. 60 NS a.root.\na.root. 60 A ${server}\n` },
    argv: ["unbound", "-d", "-c", "%/unbound.conf"],
  };
}

function kresd(
  host: string,
  port: number,
  { anchors, server, more = "" }: ValidatorOptions,
): Resolver {
  const way = typeof server === "string"
    ? `modules.load('hints')\nhints.root({ ['a.root.'] = '${server}' })`
    : `policy.add(policy.all(policy.FORWARD('${LOOPBACK}@${server}')))`;
  const config = `net.listen('${host}', ${port}, { kind = 'dns' })
trust_anchors.remove('.')
${anchors.map(({ zone, ds }) => `trust_anchors.add('${zone}. DS ${ds}')\n`).join("")}
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
cache.open(10 * MB, 'lmdb://%/cache')
cache.min_ttl(0)
${more}
${way}
`;
  return { files: { config }, argv: ["kresd", "-n", "-c", "%/config", "%"] };
}

/** Kinds of resolvers. */
const RESOLVERS = { unbound, kresd } as const;

/** A resolver that validates. */
export class Validator {
  /** Where it answers. */
  readonly where: Where;

  private constructor(where: Where) {
    this.where = where;
  }

  /** Starts one, and waits until it answers. */
  static async start(
    scene: Scene,
    kind: keyof typeof RESOLVERS,
    options: ValidatorOptions,
  ): Promise<Validator> {
    const where = options.at ?? Number(freeDnsAddress().split(":")[1]);
    const [host, port] = typeof where === "number" ? [LOOPBACK, where] : [where.host, 53];
    const { files, argv } = RESOLVERS[kind](host, port, options);
    const folder = `${scene.folder}/${kind}-${port}`;
    await Deno.mkdir(folder);
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text.replaceAll("%", folder));
    }
    const command = argv.map((arg) => arg.replaceAll("%", folder));
    const running = typeof where === "number" ? scene.start(command) : where.within.start(command);
    const ask = ["dig", ...addressOf(where), "-r", "+tries=1", "+time=1", "localhost", "A"];
    await until(`${kind} answers: ${running.out}${running.err}`, async () => {
      const { out } = await runTool(where, ask);
      return readTool(out).status !== undefined || undefined;
    });
    return new Validator(where);
  }

  /** Asks, with AD wanted. */
  ask(questions: readonly Question[], ...flags: readonly string[]): Promise<ToolAnswer[]> {
    return digAll(this.where, questions, "+adflag", ...flags);
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
