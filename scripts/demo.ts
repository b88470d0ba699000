/**
 * Shows the main job: a registry and three peers on loopback, through the real commands, and each
 * peer's configuration.
 *
 * @module
 */

import { BINARY, DENO, portOf, ROOT, run, say } from "./tools.ts";

const NAMES = ["alice", "bob", "carol"];
const DECODER = new TextDecoder();

/** A port that is free now. */
function freePort(): number {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
  const { addr } = socket;
  socket.close();
  if (addr.transport !== "udp") throw new TypeError("not a UDP socket");
  return addr.port;
}

/** Shows a command as a user would type it, runs it, and returns what it printed. */
async function show(command: string, folder: string): Promise<string> {
  say(`$ ${command}`);
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", command],
    cwd: folder,
    env: { PATH: `${ROOT}/dist:${Deno.env.get("PATH") ?? ""}` },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = DECODER.decode(stdout) + DECODER.decode(stderr);
  if (text !== "") say(text.trimEnd());
  if (code !== 0) throw new Error(`exit status ${code}`);
  return DECODER.decode(stdout);
}

say("# Building dist/wgsig");
await run([DENO, "run", "--allow-all", `${ROOT}/scripts/build.ts`]);
const folder = await Deno.makeTempDir({ prefix: "wgsig-demo-" });
say("\n# A secret for the group, and a key for each peer");
await show("wgsig keygen secret --output secret", folder);
for (const name of NAMES) {
  await show(`wgsig keygen private --output ${name}.key`, folder);
  await show(`wgsig keygen public < ${name}.key > ${name}.pub`, folder);
}
const settings = NAMES.map((name, i) =>
  `[[peer]]\nname = "${name}"\n` +
  `public-key = "${Deno.readTextFileSync(`${folder}/${name}.pub`).trim()}"\n` +
  `allowed-ips = ["10.0.0.${i + 1}/32"]\n`
);
await Deno.writeTextFile(`${folder}/wgsig.toml`, settings.join("\n"));
say("\n# What the registry doesn't carry: names and addresses in the tunnel");
await show("cat wgsig.toml", folder);

say("\n# The registry (its port is chosen by the system here; the usual one is 1223)");
say("$ wgsig serve --listen 127.0.0.1:0 --secret secret");
const server = new Deno.Command(BINARY, {
  args: ["serve", "--listen", "127.0.0.1:0", "--secret", "secret"],
  cwd: folder,
  stdout: "piped",
}).spawn();
try {
  const port = await portOf(server);
  const asking = `127.0.0.1:${port} --config wgsig.toml --secret secret`;
  const ports = NAMES.map(freePort);
  say("\n# Each peer registers the port that its WireGuard will listen on");
  for (const [i, name] of NAMES.entries()) {
    await show(`wgsig query ${asking} --key ${name}.pub --port ${ports[i]}`, folder);
  }
  say("\n# Each peer's configuration, ready for wg-quick");
  for (const [i, name] of NAMES.entries()) {
    await show(
      `wgsig config --server ${asking} --private-key ${name}.key --port ${ports[i]} ` +
        `--address 10.0.0.${i + 1}/24`,
      folder,
    );
    say("");
  }
} finally {
  server.kill("SIGTERM");
  await server.stdout.cancel();
  const { code } = await server.status;
  say(`# The registry ended with status ${code}`);
  await Deno.remove(folder, { recursive: true });
}
