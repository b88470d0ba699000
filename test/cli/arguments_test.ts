import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Arguments, readArguments } from "../../cli/arguments.ts";
import { CLIENT } from "../../lib/core/settings/client_options.ts";
import { COMMANDS, type CommandSpec } from "../../lib/core/settings/commands.ts";
import { givenValue, type Option, type OptionReader } from "../../lib/core/settings/option.ts";
import { EXIT, UserError } from "../../lib/core/settings/user_error.ts";
import { test } from "../testing.ts";

const SERVE = commandNamed("serve");
const QUERY = commandNamed("query");
const CONFIG = commandNamed("config");

function commandNamed(name: string): CommandSpec {
  const command = COMMANDS.find((each) => each.name === name);
  assert(command !== undefined, `no command ${name}`);
  return command;
}

/** What was read: the operands, and the options with their values. */
function read(command: CommandSpec, ...args: string[]): [readonly string[], object] {
  return shown(command, readArguments(command, args));
}

function shown({ flags }: CommandSpec, args: Arguments): [readonly string[], object] {
  const given = flags.filter(({ name }) => has(args, name))
    .map(({ name }) => [name, args.texts(name)]);
  return [args.operands, Object.fromEntries(given)];
}

function has(args: Arguments, flag: string): boolean {
  return args.texts(flag) !== undefined;
}

/** The error that a command line ends with. */
function complaint(run: () => unknown): string {
  const error = assertThrows(run, UserError);
  assert(error instanceof UserError);
  assertEquals(error.status, EXIT.usage);
  return error.message;
}

function refusal(command: CommandSpec, ...args: string[]): string {
  const message = complaint(() => readArguments(command, args));
  const see = `; see: wgsig ${command.name} --help`;
  assert(message.endsWith(see), message);
  return message.slice(0, -see.length);
}

test("no arguments are no operands and no options", () => {
  for (const command of COMMANDS) assertEquals(read(command), [[], {}]);
});

test("options take their value from behind an equals sign or from the next argument", () => {
  for (const args of [["--port", "5"], ["--port=5"]]) {
    assertEquals(read(QUERY, ...args), [[], { port: ["5"] }]);
  }
  assertEquals(read(QUERY, "--key=a=b=", "--secret", "c=d"), [[], {
    key: ["a=b="],
    secret: ["c=d"],
  }]);
});

test("operands stand anywhere, and after -- everything is one", () => {
  assertEquals(read(QUERY, "one", "--json", "two", "--port", "5", "three"), [
    ["one", "two", "three"],
    { json: [], port: ["5"] },
  ]);
  assertEquals(read(QUERY, "--json", "--", "--dump", "-x", "--", "-5"), [
    ["--dump", "-x", "--", "-5"],
    { json: [] },
  ]);
});

test("a switch takes nothing away from the operands, whatever these look like", () => {
  for (const operand of ["false", "true", "0", "1", "-", ""]) {
    assertEquals(read(QUERY, "--json", operand), [[operand], { json: [] }]);
    assertEquals(read(QUERY, "-h", operand), [[operand], { help: [] }]);
    assertEquals(read(QUERY, "--no-register", operand), [[operand], { "no-register": [] }]);
  }
});

test("operands and values stay the texts that they are", () => {
  const texts = ["007", "1e3", "0x10", "1.0", "true", "null", "[::1]:5", "é"];
  assertEquals(read(QUERY, ...texts), [texts, {}]);
  for (const text of texts) assertEquals(read(QUERY, "--key", text), [[], { key: [text] }]);
});

test("a dash is a value or an operand", () => {
  assertEquals(read(QUERY, "--secret", "-", "-"), [["-"], { secret: ["-"] }]);
  assertEquals(read(QUERY, "--secret=-"), [[], { secret: ["-"] }]);
});

test("a number below 0 is a value, to be refused by who reads it", () => {
  assertEquals(read(QUERY, "--port", "-5"), [[], { port: ["-5"] }]);
  const args = readArguments(QUERY, ["--port", "-5", "--timeout=-1s"]);
  assertEquals(
    complaint(() => givenValue(args, CLIENT.port)),
    '--port: expected a whole number from 0 to 65535, got "-5"',
  );
  assertEquals(
    complaint(() => givenValue(args, CLIENT.timeout)),
    '--timeout: expected a duration such as "30s", "5m" or "2h", got "-1s"',
  );
});

test("-h and --help are the same, for every command", () => {
  for (const command of COMMANDS) {
    for (const flag of ["-h", "--help"]) assert(has(readArguments(command, [flag]), "help"));
    assertEquals(has(readArguments(command, []), "help"), false);
  }
});

test("an unknown option is refused, with the one that was meant or all", () => {
  assertEquals(refusal(QUERY, "--jsn"), 'unknown option "--jsn" (did you mean "--json"?)');
  assertEquals(refusal(QUERY, "--prot=5"), 'unknown option "--prot" (did you mean "--port"?)');
  assertEquals(
    refusal(SERVE, "--max_age", "5"),
    'unknown option "--max_age" (did you mean "--max-age"?)',
  );
  assertEquals(refusal(QUERY, "-json"), 'unknown option "-json" (did you mean "--json"?)');
  const all = QUERY.flags.map(({ name }) => `--${name}`).join(", ");
  for (const odd of ["-x", "-5", "-hx", "-h5", "--no-json", "---", "--1", "--colour"]) {
    assertEquals(refusal(QUERY, odd), `unknown option "${odd}" (known: ${all})`);
  }
});

test("options of other commands are unknown", () => {
  for (const command of COMMANDS) {
    const own = new Set(command.flags.map(({ name }) => name));
    for (const { name } of COMMANDS.flatMap(({ flags }) => flags)) {
      if (own.has(name)) continue;
      assert(refusal(command, `--${name}`).startsWith(`unknown option "--${name}" (`));
    }
  }
});

test("what every object inherits, or the parser uses itself, is no option", () => {
  for (const name of ["__proto__", "constructor", "toString", "_", "--", "json.x", "port.x", ""]) {
    for (const arg of [[`--${name}=x`], [`--${name}`, "x"]]) {
      if (arg[0] === "--") continue;
      assert(refusal(QUERY, ...arg).startsWith(`unknown option "--${name}" (`), arg[0]);
    }
  }
});

test("an option without its value is refused", () => {
  for (const command of COMMANDS) {
    for (const { name, value } of command.flags) {
      if (value === undefined || value.startsWith("[")) continue;
      const option = `--${name}`;
      const ways = [
        [option],
        [`${option}=`],
        [`${option}=`, "x"],
        [option, ""],
        [option, "--help"],
        [option, "--help", "x"],
        [option, "-h", "x"],
        [option, "--", "x"],
      ];
      for (const args of ways) assertEquals(refusal(command, ...args), `--${name} needs a value`);
    }
  }
});

test("an option whose value may be left out has an empty one then", () => {
  const serve = COMMANDS.find(({ name }) => name === "serve");
  assert(serve !== undefined);
  const self = (...args: string[]) => {
    const read = readArguments(serve, args);
    return [read.texts("self")?.[0], has(read, "json"), read.texts("ttl")?.[0]];
  };
  assertEquals(self("--self"), ["", false, undefined]);
  assertEquals(self("--self", "--ttl", "5s"), ["", false, "5s"]);
  assertEquals(self("--self=", "--ttl", "5s"), ["", false, "5s"]);
  assertEquals(self("--self", "192.0.2.1:5"), ["192.0.2.1:5", false, undefined]);
  assertEquals(self("--self=192.0.2.1:5"), ["192.0.2.1:5", false, undefined]);
  assertEquals(readArguments(serve, []).texts("self"), undefined);
});

test("a switch with a value is refused", () => {
  for (const value of ["", "true", "false", "0"]) {
    assertEquals(refusal(QUERY, `--json=${value}`), "--json takes no value");
    assertEquals(refusal(QUERY, `--no-register=${value}`), "--no-register takes no value");
  }
});

test("only what repeats may be given twice", () => {
  for (const command of COMMANDS) {
    for (const { name, value, repeats } of command.flags) {
      if (value === undefined) {
        assert(has(readArguments(command, [`--${name}`, `--${name}`]), name));
        continue;
      }
      const args = [`--${name}`, "a", `--${name}=b`];
      if (repeats) assertEquals(read(command, ...args), [[], { [name]: ["a", "b"] }]);
      else assertEquals(refusal(command, ...args), `--${name} is given twice`);
    }
  }
});

test("more operands than the command takes are refused", () => {
  for (const command of COMMANDS) {
    const fit = Array.from({ length: command.maxOperands }, (_, i) => `operand${i}`);
    assertEquals(read(command, ...fit), [fit, {}]);
    assertEquals(refusal(command, ...fit, "extra", "more"), 'unexpected argument "extra"');
  }
});

test("a key that is read from standard input is no operand", () => {
  const keygen = commandNamed("keygen");
  const all: readonly (readonly [readonly string[], string])[] = [
    [["ds", "wg.example.com", "new.key"], "ds reads|ds wg.example.com < new.key"],
    [["public", "/etc/wg/a.key"], "public reads|public < /etc/wg/a.key"],
    // Not even where it is the key itself, which nobody is to see.
    [["public", `${"A".repeat(43)}=`], "public reads|public < FILE"],
    [["ds", "wg.example.com", "a b"], "ds reads|ds wg.example.com < FILE"],
  ];
  for (const [args, says] of all) {
    const [kind, use] = says.split("|");
    assertEquals(
      complaint(() => readArguments(keygen, args)),
      `keygen ${kind} the key from standard input; use: wgsig keygen ${use}`,
    );
  }
  assertEquals(read(keygen, "zone", "wg.example.com"), [["zone", "wg.example.com"], {}]);
});

test("who makes a flag of a setting's name is told the flag, or where the setting belongs", () => {
  const all: readonly (readonly [CommandSpec, string, string])[] = [
    [SERVE, "tsig-files", 'did you mean "--tsig"?'],
    [SERVE, "allow-file", 'did you mean "--allow"?'],
    [SERVE, "cds", "it is no flag but a setting: it belongs into [serve.dns]"],
    [SERVE, "secret-file", "it is no flag but a setting: it belongs into [[serve.group]]"],
    [SERVE, "relay-idle", "it is no flag but a setting: it belongs into [serve]"],
    [QUERY, "tsig-files", 'did you mean "--tsig"?'],
  ];
  for (const [command, name, says] of all) {
    assertEquals(refusal(command, `--${name}`, "x"), `unknown option "--${name}" (${says})`);
  }
  assert(refusal(QUERY, "--cds").startsWith('unknown option "--cds" (known: '));
});

test("a value is read by the reader of the setting", () => {
  const args = readArguments(CONFIG, [
    "--max-age=2h",
    "--encryption=on",
    "--group=7",
    "--address=10.0.0.1/24",
    "--address=::1",
  ]);
  assertEquals(givenValue(args, CLIENT["max-age"]), 7200);
  assertEquals(givenValue(args, CLIENT.encryption), "on");
  assertEquals(givenValue(args, CLIENT.group), 7);
  assertEquals(givenValue(args, CLIENT.address), ["10.0.0.1/24", "::1"]);
  assertEquals(args.texts("max-age"), ["2h"]);
});

test("what was not given is undefined, and not read", () => {
  const args = readArguments(CONFIG, []);
  const never = () => {
    throw new Error("was read");
  };
  const reader: OptionReader<unknown> = { inFile: never, ofFlag: never, value: "X" };
  const options: readonly Option[] = [
    { flag: "max-age", reader },
    { flag: "address", reader: { ...reader, repeats: true } },
    { flag: "group", reader },
    { reader, switches: { json: "print JSON" } },
    { reader },
  ];
  for (const option of options) assertEquals(givenValue(args, option), undefined);
  assertEquals(args.texts("max-age"), undefined);
  assertEquals(args.texts("address"), undefined);
});

test("a whole number is decimal digits and nothing else", () => {
  const group = (text: string) =>
    givenValue(readArguments(QUERY, [`--group=${text}`]), CLIENT.group);
  const numbers: readonly (readonly [string, number])[] = [
    ["0", 0],
    ["7", 7],
    ["007", 7],
    ["4294967295", 0xffff_ffff],
  ];
  for (const [text, number] of numbers) assertEquals(group(text), number);
  for (
    const text of ["-1", "+1", "1.0", "1e3", "0x10", " 1", "1 ", "1\n", "1_000", "4294967296", "x"]
  ) {
    assert(complaint(() => group(text)).startsWith("--group: expected a whole number from 0 to "));
  }
});

test("a wrong value is refused with the option and what was expected", () => {
  const args = readArguments(CONFIG, ["--address=::1", "--address=here", "--encryption=maybe"]);
  assertEquals(
    complaint(() => givenValue(args, CLIENT.address)),
    '--address: expected an IP address with a prefix length, such as 10.0.0.2/32, got "here"',
  );
  assertEquals(
    complaint(() => givenValue(args, CLIENT.encryption)),
    '--encryption: expected "on" or "off", got "maybe"',
  );
});

/** A text that can be an option's value in the next argument. */
const value = fc.oneof(
  fc.string({ minLength: 1 }),
  fc.string({ minLength: 1, unit: fc.constantFrom(..."-=019a. \n") }),
  fc.constantFrom("true", "false", "null", "-", "-5", "__proto__", "--"),
);

test("every value comes back as it was given", () => {
  const valued = COMMANDS.filter(({ flags }) => flags.some(({ value }) => value !== undefined));
  const given = fc.record({
    command: fc.constantFrom(...valued),
    pick: fc.nat(),
    value,
    joined: fc.boolean(),
    operand: fc.option(value.filter((text) => text === "-" || !text.startsWith("-")), {
      nil: undefined,
    }),
  });
  fc.assert(
    fc.property(given, ({ command, pick, value, joined, operand }) => {
      const valued = command.flags.filter((option) => option.value !== undefined);
      const { name } = valued[pick % valued.length]!;
      if (!joined && /^-(?!\d|$)/.test(value)) return;
      const operands = operand === undefined || command.maxOperands === 0 ? [] : [operand];
      const option = joined ? [`--${name}=${value}`] : [`--${name}`, value];
      assertEquals(read(command, ...operands, ...option), [operands, { [name]: [value] }]);
      assertEquals(read(command, ...option, ...operands), [operands, { [name]: [value] }]);
    }),
    { numRuns: 500 },
  );
});

test("no command line makes it throw anything but a UserError", () => {
  const names = COMMANDS.flatMap(({ flags }) => flags.map(({ name }) => name));
  const argument = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(..."-=hn_0.5e \n") }),
    value,
    fc.constantFrom(...names).map((name) => `--${name}`),
    fc.tuple(fc.constantFrom("-", "--", "---", "--no-"), fc.constantFrom(...names), value)
      .map(([dashes, name, value]) => `${dashes}${name}=${value}`),
    fc.constantFrom("--_", "--_=x", "--__proto__", "--__proto__.x=1", "--constructor", "--=", "-="),
  );
  const line = fc.array(argument, { maxLength: 6 });
  fc.assert(
    fc.property(fc.constantFrom(...COMMANDS), line, (command, args) => {
      try {
        const read = readArguments(command, args);
        assert(read.operands.every((operand) => args.includes(operand)));
      } catch (error) {
        assert(error instanceof UserError, String(error));
        assertEquals(error.status, EXIT.usage);
      }
    }),
    { numRuns: 2000 },
  );
});
