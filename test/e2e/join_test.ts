/** `wgsig join` with a server: the peer is registered then, and has the others in wg-quick's file. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { readListed } from "../../lib/core/roster/requests.ts";
import { BINARY, type Finished, run, testWith, wgsig } from "../support/program.ts";
import { JOIN_SIZE } from "../../lib/wire/wgsig2/join.ts";
import { Scene, type Served, type UdpEnd } from "./scene.ts";

const LOOPBACK = "127.0.0.1";

/** Joins on a host that has an `/etc` of its own, which is in that folder. */
async function join(etc: string, link: string, port: number): Promise<Finished> {
  await Deno.mkdir(etc);
  const script = 'mount --bind "$0" /etc && exec "$@"';
  const command = [BINARY, "join", "-", "wgj", "--port", `${port}`];
  return await run(["unshare", "--mount", "sh", "-c", script, etc, ...command], { input: link });
}

/** A link, by which the server is at that port. */
async function invite(
  { port }: Served,
  name: string,
  at: number,
  ...args: string[]
): Promise<string> {
  const server = ["--server", `${LOOPBACK}:${at}`, "--serve", `${port}`];
  const { code, out, err } = await wgsig(["invite", name, ...server, ...args]);
  assertEquals(code, 0, err);
  return out;
}

/** A UDP port that nobody has. */
function freePort(): number {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: LOOPBACK, port: 0 });
  const { addr } = socket;
  assert(addr.transport === "udp");
  socket.close();
  return addr.port;
}

testWith(
  ["root", "wg-quick", "unshare"],
  "who has joined is registered and proved, and has the others in wg-quick's file",
  async () => {
    await using scene = await Scene.open();
    const config = await scene.file(
      "wgsig.toml",
      `[[serve.group]]\nsecret-file = "secret"\nnetwork = ["10.209.87.0/24"]\n`,
    );
    const state = ["--config", config, "--state", `${scene.folder}/state`];
    const served = await scene.serveWith(["--listen", `${LOOPBACK}:0`, ...state]);
    const ports = [freePort(), freePort()] as const;
    const etc = `${scene.folder}/etc`;
    const lan = ["--allowed-ips", "10.219.87.0/24,127.0.0.0/8"];
    const alice = await join(
      `${etc}-a`,
      await invite(served, "alice", served.port, ...lan),
      ports[0],
    );
    assertEquals([alice.code, alice.err], [0, ""]);
    assertMatch(
      alice.out,
      /\nregistered, and has proved its key; the registry knows no other peer yet\n/,
    );
    const bob = await join(`${etc}-b`, await invite(served, "bob", served.port), ports[1]);
    assertEquals(bob.code, 0);
    assertMatch(
      bob.out,
      /\nregistered, .*; the registry knows 1 other peer, in wgj\.conf as well\n/,
    );
    // It is let in by the gate of trust-registry.
    assertMatch(
      bob.err,
      /^wgsig: peer alice \(\S+\) isn't given 127\.0\.0\.0\/8: it is no private/,
    );

    const { out } = await wgsig(["registry", "list", "--json", "--serve", `${served.port}`]);
    const peers = readListed(JSON.parse(out)).groups[0]?.peers ?? [];
    assertEquals(peers.map(({ name, age }) => [name, age !== null]), [["alice", true], [
      "bob",
      true,
    ]]);
    const status = await wgsig(["status", `${served.port}`]);
    for (const name of ["alice", "bob"]) assertMatch(status.out, new RegExp(`${name} .* proved`));

    const conf = await Deno.readTextFile(`${etc}-b/wireguard/wgj.conf`);
    const section = conf.slice(conf.indexOf("[Peer]"));
    assertMatch(section, /^\[Peer\]\n# alice\n# Seen \d+ s ago\n/);
    assertMatch(
      section,
      new RegExp(
        `\nPublicKey = ${RegExp.escape(peers[0]?.publicKey ?? "")}\n` +
          `AllowedIPs = 10\\.209\\.87\\.1/32, 10\\.219\\.87\\.0/24\n` +
          `Endpoint = 127\\.0\\.0\\.1:${ports[0]}\n`,
      ),
    );
    assertEquals(section.match(/^\[Peer\]$/gm)?.length, 1);
    const stripped = await run(["wg-quick", "strip", `${etc}-b/wireguard/wgj.conf`]);
    assertEquals(stripped.code, 0, stripped.err);
  },
);

/** Lets nothing through but joins, and the answers to them. */
async function onlyJoins(way: UdpEnd, port: number): Promise<void> {
  for (let answers = 0; answers === 0;) {
    const question = await way.next(20);
    if (question.bytes.length !== JOIN_SIZE) continue;
    await way.send(question.bytes, port);
    await way.reply(question, (await way.next()).bytes);
    answers++;
  }
}

testWith(
  ["root", "wg-quick", "unshare"],
  "where nothing but the join gets through, this host has joined, and what is left to do is said",
  async () => {
    await using scene = await Scene.open();
    const served = await scene.serve(["--state", `${scene.folder}/state`]);
    const way = scene.peer();
    const link = await invite(served, "alice", way.port);
    const [{ code, out }] = await Promise.all([
      join(`${scene.folder}/etc`, link, freePort()),
      onlyJoins(way, served.port),
    ]);
    assertEquals(code, 0);
    assertMatch(
      out,
      /\nnot registered yet, and wgj\.conf has no peers: \S+ has not answered this within 3 s; this does it: wgsig sync wgj\n/,
    );
    const files: string[] = [];
    for await (const { name } of Deno.readDir(`${scene.folder}/etc/wireguard`)) files.push(name);
    assertEquals(files.toSorted(), ["wgj.conf", "wgj.key"]);
  },
);
