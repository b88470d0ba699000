/** `wgsig invite` and `wgsig registry` with a server, and peers that come with what was printed. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { readLink } from "../../lib/core/roster/link.ts";
import { formatTunnelPrefix } from "../../lib/core/roster/prefix.ts";
import { readListed } from "../../lib/core/roster/requests.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { type Finished, testWith, wgsig } from "../support/program.ts";
import { MadeJoin } from "../support/join_client.ts";
import { type Peer, randomBytes, Scene, type Served, until } from "./scene.ts";

/** Runs a command that asks a server. */
async function admin({ port }: Served, ...args: string[]): Promise<Finished> {
  return await wgsig([...args, "--serve", `${port}`]);
}

/** The link that is printed for a new peer. */
async function invite(served: Served, name: string, ...args: string[]): Promise<string> {
  const { code, out, err } = await admin(served, "invite", name, "--server", "vps", ...args);
  assertEquals(code, 0, err);
  return out.trim();
}

/** What comes of a link. */
async function join(end: Peer, { port }: Served, link: string, privateKey = randomBytes(32)) {
  const { serverKey, token } = readLink(link);
  const made = new MadeJoin({ serverKey, token, privateKey, nonce: randomBytes(24) });
  await end.send(made.payload, port);
  const { result, told } = made.read((await end.next()).bytes);
  return { result, name: told.name, addresses: told.addresses.map(formatTunnelPrefix), privateKey };
}

/** The only group as `registry list` has it. */
async function list(served: Served) {
  const { out } = await admin(served, "registry", "list", "--json");
  const [group] = readListed(JSON.parse(out)).groups;
  assert(group !== undefined);
  return group;
}

function publicKeyOf(privateKey: Uint8Array): string {
  return encodeBase64(new ExchangeKey(privateKey, PORTABLE).publicKey.bytes);
}

testWith(["root"], "a link is good for one peer, until it ends or is revoked", async () => {
  await using scene = await Scene.open();
  const config = await scene.file(
    "wgsig.toml",
    `[[serve.group]]\nsecret-file = "secret"\nnetwork = ["10.9.0.0/24", "fd09::/64"]\n`,
  );
  const args = ["--listen", "127.0.0.1:0", "--config", config, "--state", `${scene.folder}/state`];
  let served = await scene.serveWith(args);
  const end = scene.peer();
  const link = await invite(served, "laptop");
  assertMatch(link, new RegExp(`^wgsig://vps:${served.port}/`));
  const laptop = await join(end, served, link);
  assertEquals([laptop.result, laptop.name, laptop.addresses], [
    "joined",
    "laptop",
    ["10.9.0.1/24", "fd09::1/64"],
  ]);
  // Whoever has lost the answer is told again; another one comes too late.
  assertEquals((await join(end, served, link, laptop.privateKey)).result, "joined");
  assertEquals((await join(end, served, link)).result, "used");

  const short = await invite(served, "late", "--lifetime", "1s");
  const revoked = await invite(served, "eve");
  assertMatch((await admin(served, "registry", "revoke", "eve")).out, /link for eve is dead/);
  assertEquals((await join(end, served, revoked)).result, "revoked");
  await until("the end of a link", async () => {
    return (await list(served)).invitations.find(({ state }) => state === "ended");
  });
  assertEquals((await join(end, served, short)).result, "ended");

  const many = await invite(served, "team", "--uses", "2");
  const names = [await join(end, served, many), await join(end, served, many)].map(({ name }) =>
    name
  );
  assertEquals(names, ["team", "team-2"]);
  assertEquals((await join(end, served, many)).result, "used");

  // All of that is known after a restart.
  await served.running.stop("SIGTERM");
  served = await scene.serveWith(args);
  const { peers, invitations, network } = await list(served);
  assertEquals(network, ["10.9.0.0/24", "fd09::/64"]);
  assertEquals(peers.map(({ name }) => name), ["laptop", "team", "team-2"]);
  assertEquals(peers[0]?.publicKey, publicKeyOf(laptop.privateKey));
  assertEquals(invitations.map(({ name, state, used }) => `${name} ${state} ${used}`).sort(), [
    "eve revoked 0",
    "laptop used 1",
    "late ended 0",
    "team used 2",
  ]);
  assertEquals((await join(end, served, revoked)).result, "revoked");
  assertEquals((await join(end, served, link)).result, "used");
});

testWith(
  ["root"],
  "a peer that is revoked is refused, and one that is forgotten is a stranger",
  async () => {
    await using scene = await Scene.open();
    const served = await scene.serve(["--state", `${scene.folder}/state`]);
    const [eve, ann] = [scene.peer(), scene.peer()];
    for (const [peer, name] of [[eve, "eve"], [ann, "ann"]] as const) {
      const added = await admin(served, "registry", "add", name, peer.publicKey);
      assertEquals([added.code, added.err], [0, ""]);
      await peer.ask(served.port);
    }
    const { peers } = await list(served);
    assertEquals(peers.map(({ name, age }) => [name, age !== null]), [["ann", true], [
      "eve",
      true,
    ]]);
    const again = await admin(served, "registry", "add", "eve-2", eve.publicKey);
    assertMatch(again.err, /^wgsig: this key is in the roster already, as eve;/);

    assertEquals((await admin(served, "registry", "revoke", "eve")).code, 0);
    // Its record is gone at once, and it isn't heard any more.
    assertEquals((await ann.ask(served.port)).records.length, 1);
    await eve.send(eve.request(), served.port);
    await until("the drop", async () => (await served.counters())["drop-not-allowed"]);
    assertEquals((await admin(served, "registry", "forget", "ann")).code, 0);
    assertEquals((await ann.ask(served.port)).records.length, 1);
    const after = await list(served);
    assertEquals([after.peers, after.refused], [[], [eve.publicKey]]);
    assertEquals((await admin(served, "registry", "add", "eve", eve.publicKey)).code, 0);
    assertEquals((await eve.ask(served.port)).records.length, 2);
    assertMatch(served.running.out, / info roster-changed group=0 name=eve by=revoke\n/);
  },
);

testWith(
  ["root"],
  "a phone is configured to come through the one peer that it reaches",
  async () => {
    await using scene = await Scene.open();
    const served = await scene.serve([
      ...["--state", `${scene.folder}/state`, "--public-address", "vps.example.com"],
    ]);
    const end = scene.peer();
    const link = await invite(served, "hub");
    const hub = await join(end, served, link);
    const none = await admin(served, "invite", "phone", "--wg-conf");
    assertMatch(none.err, /^wgsig: a phone reaches no peer of group 0 by itself \(hub: /);
    const at = ["--endpoint", "hub.example.com:51820"];
    const { code, out } = await admin(served, "invite", "phone", "--wg-conf", ...at);
    assertEquals(code, 0);
    const [, privateKey = ""] = /^PrivateKey = (\S+)$/m.exec(out) ?? [];
    const { peers, network } = await list(served);
    const publicKey = (await wgsig(["keygen", "public"], { input: privateKey })).out.trim();
    const [address] = hub.addresses;
    assertEquals(peers.map(({ name, via }) => [name, via]), [["hub", null], ["phone", "hub"]]);
    assertEquals(peers[1]?.publicKey, publicKey);
    assert(address !== undefined && network[0] !== undefined);
    assertMatch(out, new RegExp(`^AllowedIPs = ${network[0]}$`, "m"));
    assertMatch(
      out,
      new RegExp(`^PublicKey = ${RegExp.escape(publicKeyOf(hub.privateKey))}$`, "m"),
    );
    assertMatch(out, /^Endpoint = hub\.example\.com:51820$/m);
    const state = await Deno.readFile(`${scene.folder}/state`);
    assertEquals(new TextDecoder("latin1").decode(state).includes(privateKey), false);
    assertEquals(served.running.out.includes(privateKey), false);
  },
);

testWith(
  ["root"],
  "a server without a state file has no roster, and says what it lacks",
  async () => {
    await using scene = await Scene.open();
    const served = await scene.serve();
    for (const args of [["invite", "x"], ["registry"], ["registry", "revoke", "x"]]) {
      const { code, out, err } = await admin(served, ...args);
      assertEquals([code, out], [1, ""]);
      assertMatch(
        err,
        /^wgsig: this wgsig serve has no --state, .*--state \/var\/lib\/wgsig\/state\n$/,
      );
    }
  },
);
