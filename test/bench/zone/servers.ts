/**
 * Servers of the zone that the load asks: the built one, and others with the same records in a zone
 * file: Knot DNS that signs each answer, and Knot DNS and BIND with a zone that was signed beforehand.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { WireBuffer } from "../../../lib/wire/bytes/wire_buffer.ts";
import { encodeQuestion } from "../../../lib/wire/dns/message.ts";
import { has, output, say } from "../../../scripts/tools.ts";
import { freeDnsAddress } from "../../e2e/dns_scene.ts";
import { type Counts, readCounters } from "../../e2e/scene.ts";
import { Running } from "../../support/program.ts";
import { encodeState } from "../../support/saved_state.ts";
import { ahead, pinned, SERVER_CORE } from "../cores.ts";
import { ZONE } from "../dns_questions.ts";
import { portOf, registryOf, SECRET, UNIX, writeId } from "../requests.ts";
import { instanceOf, LISTED } from "./dialogue.ts";

/** For one server with the signatures of all. */
const START_SECONDS = 15;
const PAUSE_MS = 100;
/** So much is repeated of what a server says that doesn't start. */
const MOST_TEXT = 1000;

/** A server of the zone. */
export interface ZoneServer {
  readonly name: string;
  readonly running: Running;
  /** Of 127.0.0.1, UDP and TCP. */
  readonly port: number;
  /** Whether its zone is signed. */
  readonly signs: boolean;
}

/** What the built server is started with. */
export interface OwnOptions {
  readonly name: string;
  readonly binary: string;
  readonly peers: number;
  /** Whether to sign with a new key. */
  readonly signs: boolean;
}

/** Starts `wgsig serve`. Its files go into a folder in `parent`. */
export async function startOwn(
  parent: string,
  { name, binary, peers, signs }: OwnOptions,
): Promise<ZoneServer> {
  const folder = await Deno.makeTempDir({ dir: parent });
  const state = encodeState(registryOf(peers, 10), { unix: Date.now() / 1000, mono: 0 });
  await Deno.writeFile(`${folder}/state`, state, { mode: 0o600 });
  await Deno.writeTextFile(`${folder}/secret`, encodeHex(SECRET), { mode: 0o600 });
  if (signs) await output([binary, "keygen", "zone", ZONE, "--output", `${folder}/key`]);
  // Else the answers to one source would soon be empty.
  const settings = [
    "[serve]",
    "[serve.dns]",
    'listen = ["127.0.0.1:0"]',
    `zone = "${ZONE}"`,
    "answer-budget = 0",
    ...(signs ? [`dnssec-keys = ["${folder}/key"]`] : []),
  ];
  await Deno.writeTextFile(`${folder}/wgsig.toml`, `${settings.join("\n")}\n`);
  const running = new Running(onCore([
    ...[binary, "serve", "--config", `${folder}/wgsig.toml`],
    ...["--secret", `${folder}/secret`, "--state", `${folder}/state`],
    ...["--listen", "127.0.0.1:0"],
  ]));
  return await started(running, async () => {
    const [, port] = await running.printed(/ dns-listening address=\S+:(\d+)\n[^]* ready /);
    return { name, running, port: Number(port), signs };
  });
}

/** Starts what else there is. Says what is left out. */
export async function startOthers(parent: string, peers: number): Promise<ZoneServer[]> {
  const folder = await Deno.makeTempDir({ dir: parent });
  const file = `${folder}/zone`;
  await Deno.writeTextFile(file, zoneFile(peers));
  const servers: ZoneServer[] = [];
  try {
    if (has("knotd")) {
      for (const how of ["signs answers", "signed before"] as const) {
        servers.push(await startKnot(folder, how, file));
      }
    } else say("Knot DNS is left out: there is no knotd");
    if (has("named") && has("dnssec-signzone")) {
      servers.push(await startBind(folder, await signedZone(folder, file)));
    } else say("BIND is left out: there is no named, or no dnssec-signzone");
    return servers;
  } catch (error) {
    for (const { running } of servers) await running.stop();
    throw error;
  }
}

/** The records that the built server has of the peers, but for the list, which is cut. */
function zoneFile(peers: number): string {
  const lines = [
    `$ORIGIN ${ZONE}.`,
    "$TTL 60",
    "@ SOA ns1 postmaster 1 86400 7200 3600000 60",
    "@ NS ns1",
    "ns1 A 127.0.0.1",
    "_services._dns-sd._udp PTR _wireguard._udp",
    "$TTL 0",
    `_wireguard._udp TXT "txtvers=1" "peers=${peers}"`,
  ];
  const id = new WireBuffer(32);
  for (let peer = 0; peer < peers; peer++) {
    // Knot DNS wants the padding of base32 to be escaped.
    const name = `${instanceOf(peer).replaceAll("=", "\\061")}.`;
    writeId(peer, id);
    lines.push(
      `${name} SRV 0 0 ${portOf(peer)} ${name}`,
      `${name} A 127.0.0.1`,
      `${name} TXT "txtvers=1" "pub=${formatKey(id.bytes)}" "seen=${UNIX}"`,
    );
    if (peer < LISTED) lines.push(`_wireguard._udp PTR ${name}`);
  }
  return `${lines.join("\n")}\n`;
}

/** The file signed with one key, as the built server does it. */
async function signedZone(folder: string, file: string): Promise<string> {
  const signed = `${file}.signed`;
  await output(["dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", "-K", folder, ZONE]);
  const options = ["-q", "-S", "-z", "-K", folder, "-d", folder, "-o", ZONE, "-f", signed];
  await output(["dnssec-signzone", ...options, file]);
  return signed;
}

async function startKnot(
  parent: string,
  how: "signs answers" | "signed before",
  file: string,
): Promise<ZoneServer> {
  const folder = await Deno.makeTempDir({ dir: parent });
  const port = Number(freeDnsAddress().split(":")[1]);
  const lines = [
    "server:",
    `  rundir: "${folder}"`,
    `  listen: 127.0.0.1@${port}`,
    "  udp-workers: 1",
    "  tcp-workers: 1",
    "  background-workers: 1",
    "database:",
    `  storage: "${folder}"`,
    "policy:",
    "  - id: ecdsa",
    "    algorithm: ecdsap256sha256",
    "    single-type-signing: on",
    "mod-onlinesign:",
    "  - id: online",
    "    policy: ecdsa",
    "zone:",
    `  - domain: ${ZONE}`,
    `    file: "${file}"`,
    ...(how === "signs answers"
      ? ["    module: mod-onlinesign/online"]
      : ["    dnssec-signing: on", "    dnssec-policy: ecdsa", "    zonefile-sync: -1"]),
  ];
  await Deno.writeTextFile(`${folder}/knot.conf`, `${lines.join("\n")}\n`);
  const running = new Running(onCore(["knotd", "-c", `${folder}/knot.conf`]));
  return await started(running, async () => {
    await answering(port);
    return { name: `Knot DNS, ${how}`, running, port, signs: true };
  });
}

async function startBind(parent: string, file: string): Promise<ZoneServer> {
  const folder = await Deno.makeTempDir({ dir: parent });
  const port = Number(freeDnsAddress().split(":")[1]);
  const lines = [
    "options {",
    `  directory "${folder}";`,
    '  pid-file "named.pid";',
    '  session-keyfile "session.key";',
    `  listen-on port ${port} { 127.0.0.1; };`,
    "  listen-on-v6 { none; };",
    "  recursion no;",
    // Else it asks the root servers for keys.
    "  dnssec-validation no;",
    "  max-records-per-type 0;",
    "  check-names primary ignore;",
    "  notify no;",
    "  minimal-responses no-auth;",
    "};",
    "controls {};",
    `zone "${ZONE}" { type primary; file "${file}"; };`,
  ];
  await Deno.writeTextFile(`${folder}/named.conf`, `${lines.join("\n")}\n`);
  const argv = ["named", "-g", "-n", "1", "-c", `${folder}/named.conf`];
  const running = new Running(onCore(argv));
  return await started(running, async () => {
    await answering(port);
    return { name: "BIND, signed before", running, port, signs: true };
  });
}

/** On the core of the server, and before what else wants it. */
function onCore(argv: readonly string[]): string[] {
  return ahead(pinned(SERVER_CORE, argv));
}

/** The server, once it answers; it is ended where it doesn't. */
async function started(running: Running, answers: () => Promise<ZoneServer>): Promise<ZoneServer> {
  try {
    return await answers();
  } catch (error) {
    await running.stop("SIGKILL");
    throw new Error(`a server did not start: ${running.err.slice(-MOST_TEXT)}`, { cause: error });
  }
}

/** Asks until there is an answer. */
async function answering(port: number): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const query = encodeQuestion({ id: 1, name: ZONE, type: "TXT", edns: true });
  const to = { transport: "udp", hostname: "127.0.0.1", port } as const;
  const timer = setInterval(() => void socket.send(query, to).catch(() => {}), PAUSE_MS);
  const end = performance.now() + START_SECONDS * 1000;
  try {
    for (;;) {
      try {
        const [bytes] = await socket.receive();
        // Not SERVFAIL, which is said while the zone is read.
        if ((bytes[3]! & 15) === 0) return;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      }
      if (performance.now() > end) throw new Error(`no answer in ${START_SECONDS} s`);
    }
  } finally {
    clearInterval(timer);
    socket.close();
  }
}

/** The counters of the built server. */
export async function countersOf({ running }: ZoneServer): Promise<Counts> {
  const from = running.out.length;
  running.signal("SIGUSR1");
  const [line] = await running.printed(/^.*counters.*\n/m, 10, from);
  return readCounters(line);
}
