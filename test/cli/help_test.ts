import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { commandHelp, programHelp } from "../../cli/help.ts";
import { COMMANDS } from "../../lib/core/settings/commands.ts";
import { test } from "../testing.ts";

test("the help of a command lists every option with its value, and the operands", () => {
  for (const command of COMMANDS) {
    const help = commandHelp(command);
    assert(help.startsWith(`usage: wgsig ${command.name} [OPTION]...`));
    assertStringIncludes(help.split("\n")[0]!, command.operands);
    const lines = help.split("\n").filter((line) => line.startsWith("  --"));
    assertEquals(lines.length, command.flags.length);
    command.flags.forEach(({ name, value, repeats, help }, i) => {
      const line = lines[i]!;
      const left = `  --${name}${value === undefined ? "" : ` ${value}`}${repeats ? " ..." : ""}  `;
      assert(line.startsWith(left) && line.endsWith(`  ${help}`), line);
    });
    const columns = new Set(lines.map((line, i) => line.length - command.flags[i]!.help.length));
    assertEquals(columns.size, 1, "the help texts begin in one column");
  }
});

test("the help of the program lists every command", () => {
  const lines = programHelp().split("\n");
  for (const { name, help } of COMMANDS) {
    const pattern = new RegExp(`^  ${name} +`);
    const line = lines.find((each) => pattern.test(each));
    assertEquals(line?.replace(pattern, ""), help);
  }
});

test("no line of a help text is longer than 110 characters or ends with spaces", () => {
  for (const text of [programHelp(), ...COMMANDS.map(commandHelp)]) {
    for (const line of text.split("\n")) assert(line.length <= 110, line);
    assert(text.endsWith("\n") && !text.endsWith("\n\n"));
    assert(!/[ \t]$/m.test(text));
  }
});
