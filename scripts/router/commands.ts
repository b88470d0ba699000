/**
 * Runs compilers, some at a time.
 *
 * @module
 */

/** A command, and the folder that it is run in: relative names in it make the same bytes anywhere. */
export interface Command {
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Variables of the environment beside those that there are. */
  readonly env?: Record<string, string>;
}

/**
 * Runs a command and returns what it printed.
 *
 * @throws {Error} It failed; the message has the end of what it said.
 */
export async function runQuietly({ argv, cwd, env = {} }: Command): Promise<string> {
  const [program = "", ...args] = argv;
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd,
    // Messages in English, and no time of the build in what is made.
    env: { LC_ALL: "C", SOURCE_DATE_EPOCH: "0", ...env },
    stdin: "null",
  }).output();
  const [out = "", said = ""] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (code !== 0) {
    throw new Error(`${argv.join(" ")}: exit status ${code}\n${`${out}${said}`.slice(-4000)}`);
  }
  return out;
}

/** Runs commands, as many at once as there are processors. The first that fails ends it. */
export async function runAll(commands: readonly Command[]): Promise<void> {
  await together(commands, async (command) => void await runQuietly(command));
}

/** Does something with each, with as many at once as there are processors. */
export async function together<T>(
  all: readonly T[],
  work: (one: T) => Promise<void>,
): Promise<void> {
  const left = [...all];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      try {
        await work(next);
      } catch (error) {
        left.length = 0;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, worker));
}

/** The names of what is in a folder, in order. */
export async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  return names.sort();
}
