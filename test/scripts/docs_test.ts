/** The table of options, where files of the repository repeat it. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  eventsTable,
  markedTables,
  metricsTable,
  optionTables,
  repeatedTables,
} from "../../scripts/docs.ts";
import { EVENT_TEXTS } from "../../scripts/event_texts.ts";
import { eventsIn, foundEvents } from "../../scripts/events.ts";
import { OPTION_TEXTS } from "../../scripts/option_texts.ts";
import { test } from "../testing.ts";

test("what repeats the table of options is as `deno task docs` writes it", async () => {
  const files = await repeatedTables();
  assertEquals(files.length, 3);
  for (const { file, is, ought } of files) {
    assert(markedTables(is).length > 0, `${file} has no marks`);
    assertEquals(is, ought, `${file} is not current; run: deno task docs`);
  }
});

test("each table stands in docs/ once", async () => {
  const pages = (await repeatedTables()).filter(({ file }) => file.startsWith("docs/"));
  const marked = pages.flatMap(({ is }) => markedTables(is));
  assertEquals(marked.sort(), [...optionTables().keys()].sort());
});

test("each key of a settings file has a text, and no text is left of a key that is not there", () => {
  const keys = [...optionTables().values()].flat();
  for (const { path, option } of keys) {
    assert((OPTION_TEXTS[path]?.meaning ?? option.help ?? "") !== "", path);
  }
  const paths = new Set(keys.map(({ path }) => path));
  assertEquals(paths.size, keys.length);
  assertEquals(Object.keys(OPTION_TEXTS).filter((path) => !paths.has(path)), []);
});

test("no text of a cell would end it, or its line", () => {
  for (const { path, option } of [...optionTables().values()].flat()) {
    const { flag = "", meaning = "", default: shown = "" } = OPTION_TEXTS[path] ?? {};
    const texts = [path, option.help ?? "", option.shown ?? "", flag, meaning, shown];
    for (const text of texts) assert(!/[|\n]/.test(text), `${path}: ${text}`);
  }
});

test("the table of events is as `deno task docs` writes it", async () => {
  const { file, is, ought } = await eventsTable();
  assertEquals(is, ought, `${file} is not current; run: deno task docs`);
});

test("the table of metrics is as `deno task docs` writes it", async () => {
  const { file, is, ought } = await metricsTable();
  assertEquals(is, ought, `${file} is not current; run: deno task docs`);
  for (const name of ["wireguard_sent_bytes_total", "wgsig_drops_total", "wgsig_interface_up"]) {
    assert(ought.includes(`| \`${name}\` `), name);
  }
});

test("each event has a text, and no text is left of an event that is not there", async () => {
  const names = (await foundEvents()).map(({ name }) => name);
  assertEquals(Object.keys(EVENT_TEXTS).sort(), names);
});

test("events are found however the call names them", () => {
  const found = (file: string, text: string) =>
    eventsIn(file, text).map(({ name, levels, fields, commands, isChange }) =>
      [name, levels.join(), fields.join(), commands.join(), isChange].join(" ")
    );
  const of = (text: string) => found("lib/service/serve/x.ts", text);
  assertEquals(of('this.#log.write("warn", "a-b", { file, why: words(error, ",)") });'), [
    "a-b warn file,why serve false",
  ]);
  assertEquals(of('log.write(ok ? "info" : "warn", isNew ? "a" : "b");'), [
    "a info,warn  serve false",
    "b info,warn  serve false",
  ]);
  assertEquals(of('const fields = { key, "not-shown": 1 };\nyield tell("info", "a", fields);'), [
    "a info key,not-shown serve false",
  ]);
  assertEquals(of('this.#log.write("error", `${this.#file.name}-cut`, { file });'), [
    "state-cut error file serve false",
    "leases-cut error file serve false",
  ]);
  assertEquals(
    found("lib/core/sync/x.ts", 'this.#notes.change("a", { key, ...(b ? {} : { before }) });'),
    ["a info key,before sync true"],
  );
  // What can't be read must not go missing.
  assertThrows(() => of('this.#log.write("info", event, fields);'), TypeError, "Cannot read");
});

test("what is logged when a server runs and ends stands in the table", async () => {
  const { ought } = await eventsTable();
  for (const event of ["listening", "ready", "counters", "stopped", "peer-alive"]) {
    assert(ought.includes(`| \`${event}\` `), event);
  }
});
