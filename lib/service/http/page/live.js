// Asks again and again, and says whether what is shown is of now.

import { byId, make, say, show, state } from "./dom.js";
import { duration, timeOfDay } from "./words.js";

/** @typedef {import("../../../core/status/history.ts").HistoryReport} HistoryReport */

/**
 * How a report is shown.
 *
 * @template Report
 * @typedef {object} View
 * @property {readonly HTMLElement[]} parts
 * @property {(report: Report) => string} title
 * @property {(report: Report) => readonly [string, string, string]} verdict A kind of state, a word, and
 * a sentence.
 * @property {(report: Report) => readonly (readonly [string, string, string])[]} states What is said
 * aloud when it changes: a key, who, and how it is.
 * @property {(report: Report, history: HistoryReport) => void} update
 */

/** Milliseconds between two questions, and after how many somebody who doesn't answer is asked again at most. */
const PAUSE = 2000;
const LONGEST_PAUSE = 30_000;
/** So long an answer is awaited. */
const PATIENCE = 10_000;
/** So much of what has changed is said aloud at once. */
const MOST_SAID = 3;
/** @type {HistoryReport} */
const NO_HISTORY = { interval: 30, age: null, series: {} };

class NoAnswer extends Error {}

/** Asks for a report. */
async function fetchReport() {
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const response = await fetch("/status.json", { cache: "no-store", signal });
    if (!response.ok) throw new NoAnswer(`wgsig answers with status ${response.status}`);
    return await response.json();
  } catch (error) {
    throw error instanceof NoAnswer ? error : new NoAnswer("wgsig doesn't answer");
  }
}

/**
 * Begins.
 *
 * @param {(kind: string) => View<any> | undefined} viewOf
 */
export function goLive(viewOf) {
  const main = byId("main");
  const live = byId("live");
  const lamp = byId("lamp");
  const banner = byId("banner");
  const button = byId("pause");
  const badge = make("span", {});
  const sentence = make("span", {});
  const title = make("h1", {});
  const heading = make(
    "div",
    { class: "heading" },
    title,
    make("p", { class: "verdict" }, badge, " ", sentence),
  );
  /** @type {{ kind: string, view: View<any> } | undefined} */
  let current;
  /** @type {Map<string, string>} */
  let states = new Map();
  let failures = 0;
  let isPaused = false;
  let isAsking = false;
  let answeredAt = 0;
  let timer = 0;

  const announce = (/** @type {readonly string[]} */ texts) => {
    if (texts.length === 0) return;
    const more = texts.length - MOST_SAID;
    const said = texts.slice(0, MOST_SAID).join(". ");
    say(byId("announcer"), `${said}${more > 0 ? `. And ${more} more changes` : ""}.`);
  };

  /** @param {any} report */
  const take = (report) => {
    const { kind, history } = report;
    if (current?.kind !== kind) {
      const view = viewOf(kind);
      if (view === undefined) throw new TypeError(`a report of another kind: ${kind}`);
      current = { kind, view };
      states = new Map();
      main.replaceChildren(heading, ...view.parts);
    }
    const view = current?.view;
    if (view === undefined) return;
    const [form, word, text] = view.verdict(report);
    say(title, view.title(report));
    state(badge, form, word);
    say(sentence, text);
    document.title = `${word} · ${view.title(report)} · wgsig`;
    say(byId("version"), report.version ? `wgsig ${report.version}` : "");
    view.update(report, history ?? NO_HISTORY);
    /** @type {readonly (readonly [string, string, string])[]} */
    const now = view.states(report);
    if (states.size > 0) {
      announce(
        now.filter(([key, , how]) => (states.get(key) ?? how) !== how)
          .map(([, who, how]) => `${who}: ${how}`),
      );
    }
    states = new Map(now.map(([key, , how]) => [key, how]));
  };

  const sayLive = (/** @type {string} */ why) => {
    lamp.className = `lamp ${failures > 0 ? "gone" : isPaused || document.hidden ? "" : "on"}`;
    say(button, isPaused ? "Go on" : failures > 0 ? "Ask now" : "Pause");
    show(banner, failures > 0);
    if (failures > 0) say(banner, why);
    const at = answeredAt === 0 ? "" : timeOfDay(answeredAt);
    say(live, isPaused ? `Paused at ${at}` : failures > 0 ? "No connection" : `Live, ${at}`);
  };

  const again = (/** @type {number} */ pause) => {
    clearTimeout(timer);
    if (!isPaused && !document.hidden) timer = setTimeout(ask, pause);
  };

  /** What keeps this page from being of now. */
  const fail = (/** @type {string} */ why) => {
    const pause = Math.min(PAUSE * 2 ** failures, LONGEST_PAUSE);
    const age = answeredAt === 0 ? "" : ` What is below is as it was at ${timeOfDay(answeredAt)}.`;
    failures++;
    if (failures === 1) announce([why]);
    sayLive(`${why}; it is asked again in ${duration(pause / 1000)}.${age}`);
    again(pause);
  };

  async function ask() {
    if (isAsking) return;
    isAsking = true;
    clearTimeout(timer);
    try {
      const report = await fetchReport();
      if (failures > 0) announce(["wgsig answers again"]);
      take(report);
      failures = 0;
      answeredAt = Date.now();
      sayLive("");
      again(PAUSE);
    } catch (error) {
      fail(
        error instanceof NoAnswer
          ? error.message
          : "wgsig answers as this page doesn't understand: reload it",
      );
    } finally {
      isAsking = false;
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (!isPaused) void ask();
  });
  button.addEventListener("click", () => {
    isPaused = !isPaused && failures === 0;
    if (isPaused) clearTimeout(timer);
    else void ask();
    sayLive(banner.textContent ?? "");
  });
  void ask();
}
