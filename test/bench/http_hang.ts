/**
 * Holds 1 000 connections to a port and says nothing on them, opens each anew when it is cut, and asks
 * once a second what there is to read. Prints a line for each answer: its path, its status (0 where
 * there was none), and how long it took in milliseconds.
 *
 * @module
 */

const CONNECTIONS = 1000;
const AGAIN_MS = 5000;
const SCRAPE_MS = 1000;
const PATHS = ["/metrics", "/status.json"];

const [port = NaN] = Deno.args.map(Number);

async function hang(): Promise<never> {
  for (;;) {
    try {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      await connection.read(new Uint8Array(1024));
    } catch {
      // Refused or cut: it comes again.
    }
    await pause(AGAIN_MS);
  }
}

async function say(line: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(line));
}

async function pause(ms: number): Promise<void> {
  await new Promise<void>((done) => setTimeout(done, ms));
}

for (let i = 0; i < CONNECTIONS; i++) void hang();
for (let i = 0;; i++) {
  await pause(SCRAPE_MS);
  const path = PATHS[i % PATHS.length]!;
  const begun = performance.now();
  let status = 0;
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    await answer.bytes();
    status = answer.status;
  } catch {
    // There was no place.
  }
  await say(`${path} ${status} ${(performance.now() - begun).toFixed(1)}\n`);
}
