/** The table of options, where files of the repository repeat it. */

import { assert, assertEquals } from "@std/assert";
import { markedTables, optionTables, repeatedTables } from "../../scripts/docs.ts";
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
