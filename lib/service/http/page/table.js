// Tables of many rows, changed in place: a thousand peers cost what has changed of them.

import { Children, make, say, show } from "./dom.js";
import { figure } from "./words.js";

/**
 * @template Item
 * @typedef {object} Column
 * @property {string} title
 * @property {string} [kind] Its class: `number`, `across`.
 * @property {string} [width] Of the table, where columns have fixed widths.
 * @property {(cell: HTMLElement, item: Item) => (item: Item) => void} fill Makes what is in a cell, and
 * returns what changes it.
 */

/**
 * A column of text.
 *
 * @template Item
 * @param {string} title
 * @param {(item: Item) => string} textOf
 * @param {string} kind
 * @param {string} width
 * @returns {Column<Item>}
 */
export function textColumn(title, textOf, kind = "", width = "") {
  return {
    title,
    kind,
    width,
    fill: (cell) => {
      let shown = "";
      return (item) => {
        const text = textOf(item);
        if (text === shown) return;
        shown = text;
        say(cell, text);
      };
    },
  };
}

/** Of more rows, those that nobody sees are left out of the layout. */
const LONG = 200;

/**
 * A table whose first column names its rows. Where there is little room, a row is a block.
 *
 * @template Item
 * @param {string} caption
 * @param {readonly Column<Item>[]} columns
 * @param {(item: Item) => string} keyOf
 */
export function table(caption, columns, keyOf) {
  const isFixed = columns.some(({ width }) => width);
  const head = make("tr", { role: "row" });
  for (const { title, kind = "" } of columns) {
    head.append(
      make(
        "th",
        { scope: "col", role: "columnheader", class: kind === "number" ? kind : "" },
        title,
      ),
    );
  }
  const body = make("tbody", { role: "rowgroup" });
  const element = make(
    "table",
    { class: `stacked${isFixed ? " wide" : ""}`, role: "table" },
    make("caption", { class: "unseen" }, caption),
    make("thead", { role: "rowgroup" }, head),
    body,
  );
  if (isFixed) {
    const parts = columns.map(({ width = "" }) => `minmax(0, ${Number.parseFloat(width)}fr)`);
    element.style.setProperty("--columns", parts.join(" "));
  }
  /** @type {Children<Item, HTMLElement>} */
  const rows = new Children(body, (item) => {
    const row = make("tr", { role: "row" });
    const updates = columns.map(({ title, kind = "", fill }, i) => {
      const cell = i === 0
        ? make("th", { scope: "row", role: "rowheader", class: kind })
        : make("td", { role: "cell", class: kind, "data-label": title });
      row.append(cell);
      return fill(cell, item);
    });
    return {
      element: row,
      update: (item) => {
        for (const update of updates) update(item);
      },
    };
  });
  return {
    element,
    /** @param {readonly Item[]} items */
    update: (items) => {
      // What is left out of the layout is also left out of what a screen reader finds.
      element.classList.toggle("long", items.length > LONG);
      rows.update(items, keyOf);
    },
  };
}

/** So many rows are seen at a glance. */
const GLANCE = 8;

/**
 * A table with a heading, and with a search where it is long.
 *
 * @template Item
 * @typedef {object} ListOptions
 * @property {string} id
 * @property {string} title
 * @property {boolean} [isCounted] Whether the heading says how many there are.
 * @property {string} empty What stands there where there are none.
 * @property {readonly Column<Item>[]} columns
 * @property {(item: Item) => string} keyOf
 * @property {(item: Item) => string} [textOf] What is searched.
 * @property {{ label: string, is: (item: Item) => boolean }} [only] Those that may be wanted alone.
 */

/**
 * @template Item
 * @param {ListOptions<Item>} options
 */
export function list({ id, title, isCounted = true, empty, columns, keyOf, textOf, only }) {
  const heading = make("h2", { id: `${id}-title` }, title);
  const count = make("span", { class: "quiet" });
  const search = make("input", { type: "search", autocomplete: "off", spellcheck: "false" });
  const check = make("input", { type: "checkbox" });
  const tools = make("div", { class: "tools" });
  if (textOf) tools.append(make("label", {}, "Find", search));
  if (only) tools.append(make("label", {}, check, only.label));
  const found = make("span", { class: "quiet", role: "status" });
  tools.append(found);
  const rows = table(title, columns, keyOf);
  const frame = make("div", { class: "card frame" }, rows.element);
  const nothing = make("p", { class: "quiet" }, empty);
  const element = make(
    "section",
    { id, "aria-labelledby": heading.id },
    make("header", {}, heading, count),
    tools,
    frame,
    nothing,
  );
  /** @type {readonly Item[]} */
  let all = [];
  let more = 0;
  const refresh = () => {
    const wanted = search.value.trim().toLowerCase();
    const isLong = (textOf !== undefined || only !== undefined) && all.length > GLANCE;
    show(tools, isLong);
    const shown = !isLong
      ? all
      : all.filter((item) =>
        (!textOf || textOf(item).toLowerCase().includes(wanted)) &&
        (!only || !check.checked || only.is(item))
      );
    rows.update(shown);
    show(frame, shown.length > 0);
    show(nothing, all.length === 0);
    show(count, isCounted);
    say(
      count,
      more > 0 ? `${figure(all.length)} of ${figure(all.length + more)}` : figure(all.length),
    );
    say(found, shown.length === all.length ? "" : `${figure(shown.length)} shown`);
  };
  search.addEventListener("input", refresh);
  check.addEventListener("change", refresh);
  return {
    element,
    /**
     * @param {readonly Item[]} items
     * @param {number} others So many more there are.
     */
    update(items, others = 0) {
      all = items;
      more = others;
      refresh();
    },
  };
}

/**
 * Terms and what is said of them; those of which there is nothing to say are left out.
 *
 * @template Item
 * @param {readonly (readonly [string, (item: Item) => readonly string[], string?])[]} terms
 * @param {string} kind A class.
 */
export function facts(terms, kind = "") {
  const element = make("dl", { class: `card facts ${kind}` });
  const parts = terms.map(([term, textsOf, kind = ""]) => {
    const texts = make("dd", { class: kind });
    const part = make("div", {}, make("dt", {}, term), texts);
    element.append(part);
    /** @type {Children<string, HTMLElement>} */
    const children = new Children(texts, (text) => ({
      element: make("span", {}, text),
      update: () => {},
    }));
    return (/** @type {Item} */ item) => {
      const said = [...new Set(textsOf(item))];
      show(part, said.length > 0);
      children.update(said, (text) => text);
    };
  });
  return {
    element,
    /** @param {Item} item */
    update(item) {
      for (const part of parts) part(item);
    },
  };
}
