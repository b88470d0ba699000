/**
 * A network namespace, and the programs that run in it.
 *
 * @module
 */

import { type Finished, run, Running, type RunOptions } from "../support/program.ts";

/** Runs a program that must succeed, and returns what it printed. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, out, err } = await run(argv, options);
  if (code !== 0) throw new Error(`${argv.join(" ")}: exit status ${code}: ${err || out}`);
  return out;
}

/** Waits. */
export function sleep(seconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, seconds * 1000));
}

/**
 * A namespace with a `/var/run` and an `/etc/hosts` of its own, so that each can have a WireGuard
 * interface wg0, and names that others don't know.
 */
export class Namespace {
  /** As `ip netns` has it. */
  readonly name: string;
  /** What is in its `/var/run`. */
  readonly runFolder: string;
  /** What is its `/etc/hosts`. */
  readonly hostsFile: string;
  readonly #programs = new Set<Running>();
  #made = false;

  constructor(name: string, folder: string) {
    this.name = name;
    this.runFolder = `${folder}/run`;
    this.hostsFile = `${folder}/hosts`;
  }

  /** Makes it. */
  async make(): Promise<void> {
    await Deno.mkdir(this.runFolder, { recursive: true });
    await this.setHosts({});
    await must(["ip", "netns", "add", this.name]);
    this.#made = true;
    await this.ip("link set lo up");
  }

  /** Says which names it knows. The file stays the same one, because others look at it. */
  async setHosts(hosts: Readonly<Record<string, string | readonly string[]>>): Promise<void> {
    const lines = Object.entries({ localhost: "127.0.0.1", ...hosts }).flatMap(([name, of]) =>
      [of].flat().map((address) => `${address} ${name}\n`)
    );
    await Deno.writeTextFile(this.hostsFile, lines.join(""));
  }

  /** The command line that runs `argv` in here; the process stays the same one all along. */
  argv(argv: readonly string[]): string[] {
    // Each `ip netns exec` has a mount namespace of its own already.
    const script = 'mount --bind "$0" /var/run && mount --bind "$1" /etc/hosts && ' +
      'shift && exec "$@"';
    const shell = ["sh", "-c", script, this.runFolder, this.hostsFile];
    return ["ip", "netns", "exec", this.name, ...shell, ...argv];
  }

  /** Runs a program to its end. */
  run(argv: readonly string[], options?: RunOptions): Promise<Finished> {
    return run(this.argv(argv), options);
  }

  /** Runs a program that must succeed, and returns what it printed. */
  must(argv: readonly string[], options?: RunOptions): Promise<string> {
    return must(this.argv(argv), options);
  }

  /** Starts a program that goes on; it ends with the namespace at the latest. */
  start(argv: readonly string[], options?: RunOptions): Running {
    const program = new Running(this.argv(argv), options);
    this.#programs.add(program);
    void program.ended().then(() => this.#programs.delete(program));
    return program;
  }

  /** Runs lines of `ip`. */
  async ip(...lines: readonly string[]): Promise<void> {
    await must(["ip", "-n", this.name, "-b", "-"], { input: lines.join("\n") + "\n" });
  }

  /** Ends what runs in here, and removes it. */
  async remove(): Promise<void> {
    await Promise.all([...this.#programs].map((program) => program.stop("SIGKILL")));
    if (this.#made) await Namespace.removeNamed(this.name);
  }

  /** Removes a namespace with all that still runs in it: a hook that hangs, say. */
  static async removeNamed(name: string): Promise<void> {
    const { out } = await run(["ip", "netns", "pids", name]);
    for (const pid of out.split("\n").filter((line) => line !== "")) {
      try {
        Deno.kill(Number(pid), "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
    await must(["ip", "netns", "delete", name]);
  }
}
