/**
 * A name server that knows one name, and does what those of real networks do. It is a program of its
 * own, to run in a namespace: `deno run -A name_server.ts ADDRESS OPTIONS` with the options as JSON.
 *
 * @module
 */

import { dnsResponse, readQuestion } from "../support/dns_messages.ts";

/** What a name server is like. */
export interface NameServerOptions {
  /** The name that it knows. */
  readonly name: string;
  /** Its addresses. */
  readonly A: readonly string[];
  readonly AAAA: readonly string[];
  /** Types that it doesn't answer. */
  readonly drops?: readonly string[];
  /** Whether it answers only one question from each port. */
  readonly onePerPort?: boolean;
  /** Seconds until it answers. */
  readonly delay?: number;
  /** Whether it says that there is no such name. */
  readonly denies?: boolean;
}

const NXDOMAIN = 3;

async function serve(hostname: string, options: NameServerOptions): Promise<void> {
  const { name: known, drops = [], onePerPort = false, delay = 0, denies = false } = options;
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 53 });
  const ports = new Set<number>();
  await Deno.stdout.write(new TextEncoder().encode("ready\n"));
  for await (const [bytes, from] of socket) {
    if (from.transport !== "udp") continue;
    const { id, name, type, class: klass } = readQuestion(bytes);
    if (drops.includes(type) || (onePerPort && ports.has(from.port))) continue;
    ports.add(from.port);
    const isKnown = name === known && !denies;
    const addresses = type === "A" ? options.A : type === "AAAA" ? options.AAAA : [];
    const answer = dnsResponse({
      id,
      flags: isKnown ? 0 : NXDOMAIN,
      questions: [{ name, type, class: klass }],
      answers: isKnown ? addresses.map((data) => ({ name, type, data })) : [],
    });
    setTimeout(() => void socket.send(answer, from), delay * 1000);
  }
}

if (import.meta.main) {
  const [address = "", options = ""] = Deno.args;
  await serve(address, JSON.parse(options));
}
