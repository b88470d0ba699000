/**
 * A program for the lab: a UDP socket that says what it hears, and sends what it is told.
 *
 * `ADDRESS PORT [STEP]...`, where a step is `echo` (answer each with where it came from),
 * `HOST PORT` joined by `=` (send a datagram there), or a number (wait so many milliseconds).
 * Each datagram that comes is a line on standard output: who sent it, and its text.
 *
 * @module
 */

const [hostname = "", port = "", ...steps] = Deno.args;
const socket = Deno.listenDatagram({ transport: "udp", hostname, port: Number(port) });
const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
const isEcho = steps.includes("echo");

async function hear(): Promise<void> {
  for await (const [bytes, from] of socket) {
    if (from.transport !== "udp") continue;
    const place = `${from.hostname} ${from.port}`;
    say(`${place} ${new TextDecoder().decode(bytes)}`);
    if (isEcho) await socket.send(new TextEncoder().encode(place), from);
  }
}

const heard = hear();
say("ready");
for (const step of steps) {
  const [host = "", to] = step.split("=");
  if (to !== undefined) {
    const address = { transport: "udp" as const, hostname: host, port: Number(to) };
    // What a router refuses may come back as an error of the next one.
    await socket.send(new TextEncoder().encode("hello"), address).catch(() => 0);
  } else if (step !== "echo") {
    await new Promise((done) => setTimeout(done, Number(step)));
  }
}
await heard;
