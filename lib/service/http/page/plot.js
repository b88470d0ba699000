// How figures went in the last hour, as a picture, in figures, and in words.

import { draw, make, mark, say, section } from "./dom.js";

/** @typedef {import("../../../core/status/history.ts").HistoryReport} HistoryReport */

/**
 * @typedef {object} Line
 * @property {string} name Of the series.
 * @property {string} title
 */

/**
 * @typedef {object} PlotOptions
 * @property {string} title
 * @property {readonly Line[]} lines Two at most.
 * @property {(value: number) => string} format
 * @property {number} [base] Of the units, where it isn't ten.
 */

const SLOTS = 120;
const WIDTH = 480;
const HEIGHT = 88;
/** What a scale may end at, times a power of ten. */
const STEPS = [1, 1.2, 1.5, 2, 3, 4, 5, 6, 8, 10];

/**
 * The end of a scale that has this in it.
 *
 * @param {number} most
 * @param {number} base Of its units: 10, or 1024.
 */
export function scaleEnd(most, base = 10) {
  if (!(most > 0)) return 1;
  const unit = base === 10 ? 1 : base ** Math.floor(Math.log(most) / Math.log(base));
  const power = unit * 10 ** Math.floor(Math.log10(most / unit));
  // What is counted has no halves.
  const isFit = (/** @type {number} */ step) =>
    step * power >= most && (power !== 1 || Number.isInteger(step));
  return power * (STEPS.find(isFit) ?? 10);
}

/** @typedef {readonly (number | null)[]} Samples */

/** The samples on their places, the newest at the end. @param {Samples} samples @returns {Samples} */
function placed(samples) {
  const kept = samples.slice(-SLOTS);
  return [...Array.from({ length: SLOTS - kept.length }, () => null), ...kept];
}

/**
 * Pieces of line, without those that are not known.
 *
 * @param {Samples} samples
 * @returns {readonly (readonly (readonly [number, number])[])[]}
 */
export function pieces(samples) {
  /** @type {[number, number][][]} */
  const all = [];
  let isOpen = false;
  for (const [i, value] of samples.entries()) {
    if (value !== null) {
      if (isOpen) all.at(-1)?.push([i, value]);
      else all.push([[i, value]]);
    }
    isOpen = value !== null;
  }
  return all;
}

/**
 * @param {Samples} samples
 * @param {number} end Of the scale.
 * @param {boolean} isFilled
 */
function pathOf(samples, end, isFilled) {
  const x = (/** @type {number} */ i) => (i * WIDTH / (SLOTS - 1)).toFixed(1);
  const y = (/** @type {number} */ value) => (HEIGHT - value / end * HEIGHT).toFixed(1);
  return pieces(samples).map((piece) => {
    const line = piece.map(([i, value]) => `${x(i)} ${y(value)}`).join("L");
    const [first = [0, 0]] = piece;
    const last = piece.at(-1) ?? first;
    // What stands alone is a point: a line without a length has round ends.
    if (!isFilled) return `M${line}${piece.length === 1 ? "h0.01" : ""}`;
    return piece.length === 1 ? "" : `M${x(first[0])} ${HEIGHT}L${line}L${x(last[0])} ${HEIGHT}Z`;
  }).join("");
}

/** @param {PlotOptions} options */
export function plot({ title, lines, format, base = 10 }) {
  const heading = make("h3", {}, title);
  const names = make("p", { class: "names" });
  const end = make("span", {});
  const picture = draw("svg", {
    class: "plot",
    role: "img",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
  });
  const line = (/** @type {string} */ name, d = "") => draw("path", { class: name, d });
  picture.append(line("grid", `M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}`));
  const area = line("area");
  const drawn = lines.map((_, i) => line(i === 0 ? "first" : "second"));
  const cross = line("cross");
  picture.append(area, ...drawn, cross);
  const at = make("span", {}, "an hour ago");
  const axis = make("p", { class: "axis", "aria-hidden": "true" }, at, make("span", {}, "now"));
  const element = make(
    "figure",
    { class: "card" },
    make("figcaption", {}, heading, names),
    make("p", { class: "axis end", "aria-hidden": "true" }, end),
    picture,
    axis,
  );
  /** @type {Samples[]} */
  let shown = lines.map(() => []);
  let interval = 30;
  /** Which sample is pointed at. @type {number | undefined} */
  let pointed;
  const values = lines.map(({ title }, i) => {
    const value = make("b", {});
    const swatch = make("i", { class: i === 0 ? "first" : "second", "aria-hidden": "true" });
    names.append(make("span", {}, ...lines.length > 1 ? [swatch] : [], value, title));
    return value;
  });
  const sayValues = () => {
    for (const [i, value] of values.entries()) {
      const sample = shown[i]?.at(pointed ?? -1) ?? null;
      say(value, sample === null ? "–" : format(sample));
    }
    const age = pointed === undefined ? SLOTS : SLOTS - 1 - pointed;
    const minutes = Math.round(age * interval / 60);
    say(at, pointed === undefined ? "an hour ago" : `${minutes} min ago, as shown above`);
    const x = ((pointed ?? 0) * WIDTH / (SLOTS - 1)).toFixed(1);
    mark(cross, "d", pointed === undefined ? "" : `M${x} 0V${HEIGHT}`);
  };
  picture.addEventListener("pointermove", ({ clientX }) => {
    const { left, width } = picture.getBoundingClientRect();
    const slot = Math.round((clientX - left) / width * (SLOTS - 1));
    pointed = Math.min(Math.max(slot, 0), SLOTS - 1);
    sayValues();
  });
  picture.addEventListener("pointerleave", () => {
    pointed = undefined;
    sayValues();
  });
  return {
    element,
    /** @param {HistoryReport} history */
    update(history) {
      interval = history.interval;
      shown = lines.map(({ name }) => placed(history.series[name] ?? []));
      const known = shown.flat().filter((value) => value !== null);
      const most = scaleEnd(Math.max(0, ...known), base);
      say(end, known.length === 0 ? "the first figure comes within a minute" : format(most));
      mark(area, "d", lines.length > 1 ? "" : pathOf(shown[0] ?? [], most, true));
      for (const [i, path] of drawn.entries()) mark(path, "d", pathOf(shown[i] ?? [], most, false));
      mark(
        picture,
        "aria-label",
        `${title}. ${lines.map((line, i) => inWords(line, shown[i] ?? [], format)).join(" ")}`,
      );
      sayValues();
    },
  };
}

/**
 * @param {Line} line
 * @param {Samples} samples
 * @param {(value: number) => string} format
 */
function inWords({ title }, samples, format) {
  const known = samples.filter((value) => value !== null);
  if (known.length === 0) return `${title}: nothing was noted yet.`;
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const last = samples.at(-1) ?? null;
  const now = last === null ? "not known now" : `${format(last)} now`;
  return `${title}: ${now}; in the last hour between ${format(Math.min(...known))} and ` +
    `${format(Math.max(...known))}, ${format(mean)} on average.`;
}

/**
 * The part of the page with the plots.
 *
 * @param {readonly PlotOptions[]} options
 */
export function plots(options) {
  const all = options.map(plot);
  const { element } = section("hour", "The last hour");
  element.append(make("div", { class: "plots" }, ...all.map(({ element }) => element)));
  return {
    element,
    /** @param {HistoryReport} history */
    update(history) {
      for (const each of all) each.update(history);
    },
  };
}
