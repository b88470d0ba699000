import { assert, assertEquals } from "@std/assert";
import { COMMANDS, flagsOf } from "../../../lib/core/settings/commands.ts";
import type { Option, Rows } from "../../../lib/core/settings/option.ts";
import { SETTINGS } from "../../../lib/core/settings/sections.ts";
import { test } from "../../testing.ts";

/** The options of a table and, where `deep`, of the tables in it. */
function optionsOf(rows: Rows, deep = false): Option[] {
  return Object.values(rows).flatMap((row) => {
    if ("gone" in row) return [];
    if ("nested" in row) return deep ? optionsOf(row.rows, deep) : [];
    return [row];
  });
}

const ALL = [...COMMANDS.flatMap(({ tables }) => [...tables]), SETTINGS]
  .flatMap((rows) => optionsOf(rows, true));

test("every default is what its reader takes", () => {
  let count = 0;
  for (const { reader, default: written } of ALL) {
    if (written === undefined) continue;
    count++;
    assert(reader.inFile(written, "default") !== undefined);
  }
  assert(count > 50);
});

test("every flag has a line of help, in small letters and without a full stop", () => {
  for (const { name, flags } of COMMANDS) {
    assert(flags.length > 0);
    for (const flag of flags) {
      assert(
        /^(?:[a-z]|32|DNS|UDP|WireGuard)[^\n]*[^.\n]$/.test(flag.help),
        `${name} --${flag.name}`,
      );
    }
  }
});

test("every flag of a section is a flag of some command", () => {
  const known = new Set(COMMANDS.flatMap(({ flags }) => flags.map(({ name }) => name)));
  for (const option of optionsOf(SETTINGS, true)) {
    for (const { name } of flagsOf(option)) assert(known.has(name), name);
  }
});

test("rows that share a flag in a command say the same of it", () => {
  for (const { name, tables, flags } of COMMANDS) {
    for (const option of tables.flatMap((rows) => optionsOf(rows))) {
      if (option.commands?.includes(name) === false) continue;
      for (const flag of flagsOf(option)) {
        assertEquals(flag, flags.find((each) => each.name === flag.name), `${name} --${flag.name}`);
      }
    }
  }
});

test("what is gone is no flag of that command", () => {
  const gone = COMMANDS.flatMap(({ gone, flags }) =>
    Object.keys(gone).map((name) => flags.some((flag) => flag.name === name))
  );
  assertEquals(gone, [false]);
});

test("a switch is off unless it is given", () => {
  for (const { flag, reader, default: written } of ALL) {
    if (flag !== undefined && reader.value === undefined) assertEquals(written, false, flag);
  }
});
