/** The page of `--status` in a browser: what is on it, that it goes on by itself, and that nothing of it is hostile. */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import type { InterfaceReport, PeerReport } from "../../lib/core/status/report.ts";
import type { RegisteredPeerReport, ServeReport } from "../../lib/core/status/serve_report.ts";
import { Browser, type BrowserPage } from "../support/browser.ts";
import { isRouterBinary, testWith, wgsig } from "../support/program.ts";
import { ALICE, REPORT, SERVE_REPORT } from "../support/status_report.ts";
import { ToldSite } from "../support/told_site.ts";
import { Scene } from "./scene.ts";

const EMOJI = "😀".repeat(15) + "abc";
const MARKUP = '<img src="x" onerror="alert(1)">';
const TURNED = "\u202eevil \u05d0\u05d1";
/** What WCAG 2.2 wants of text (1.4.3). */
const CONTRAST = 4.5;

/** A peer with a name. */
function peer(name: string | null, fields: Partial<PeerReport> = {}): PeerReport {
  const bytes = new TextEncoder().encode(`${name}`.padEnd(32).slice(0, 32));
  return { ...ALICE, name, publicKey: encodeBase64(bytes.slice(0, 32)), ...fields };
}

const BOB = peer("bob", { path: "relay", why: "better ways tried in vain: lan, punched" });
const HOME: InterfaceReport = {
  ...REPORT,
  peers: [peer("alice"), BOB, peer(MARKUP), peer(TURNED), peer(EMOJI), peer(null)],
};

/** What is visibly too faint: the texts, and their contrast to what is behind them. */
const FAINT = `(() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const channel = (value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  const light = ([r, g, b]) =>
    0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const [r, g, b, a = 1] = parts(getComputedStyle(each).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const has = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!has || element.closest("script, style, noscript, .unseen") || !element.checkVisibility()) continue;
    const [a, b] = [light(parts(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < ${CONTRAST}) faint.push(element.textContent + " " + contrast);
  }
  return faint;
})()`;

/** How far the page is wider than its window. */
const OVERFLOW = "document.documentElement.scrollWidth - innerWidth";

function assertQuiet(page: BrowserPage, origin: string): void {
  assertEquals(page.problems, []);
  for (const url of page.requests) {
    assert(url.startsWith(origin) || url.startsWith("data:"), `it has asked for ${url}`);
  }
}

/** On a telephone, on a desk, in the light and in the dark. */
async function assertReadable(page: BrowserPage): Promise<void> {
  const grounds: unknown[] = [];
  for (const theme of ["light", "dark"] as const) {
    await page.prefer(theme);
    for (const width of [1280, 360]) {
      await page.resize(width, 800);
      assertEquals(await page.evaluate(OVERFLOW), 0, `${width} px`);
      assertEquals(await page.evaluate(FAINT), [], `${theme}, ${width} px`);
    }
    const ground = "getComputedStyle(document.documentElement).backgroundColor";
    grounds.push(await page.evaluate(ground));
  }
  assertNotEquals(grounds[0], grounds[1]);
}

/** As if somebody looked at another page. */
async function hide(page: BrowserPage, isHidden: boolean): Promise<void> {
  await page.evaluate(
    `Object.defineProperty(document, "hidden", { value: ${isHidden}, configurable: true });` +
      `document.dispatchEvent(new Event("visibilitychange"))`,
  );
}

/** What a screen reader says of all that have a role. */
async function namesOf(page: BrowserPage, role: string): Promise<readonly string[]> {
  const nodes = await page.accessibleNodes();
  return nodes.filter((node) => node.role === role).map(({ name }) => name);
}

testWith(["chromium"], "page: an interface's peers, as they change, for everybody", async () => {
  await using site = new ToldSite(HOME);
  await site.open();
  await using browser = await Browser.start();
  const page = await browser.open(site.url);
  await page.shows("All 6 peers are reached, 1 of them by relay.");
  assertEquals(await page.evaluate("document.querySelectorAll('#peers tbody tr').length"), 6);
  await page.shows("better ways tried in vain: lan, punched", "#peers");
  await page.shows("vps.example.com:1223", "#registries");

  // Names are text, whatever is in them.
  const names = await page.evaluate(
    "[...document.querySelectorAll('#peers .name')].map((each) => each.textContent)",
  );
  const shown = names as readonly string[];
  for (const name of ["alice", "bob", MARKUP, EMOJI]) assert(shown.includes(name), name);
  assert(shown.includes(TURNED.replace("\u202e", "\ufffd")), "nothing turns a line around");
  assertEquals(await page.evaluate("document.querySelectorAll('main img').length"), 0);

  // A screen reader is told what each thing is.
  const nodes = await page.accessibleNodes();
  const named = (role: string) =>
    nodes.filter((node) => node.role === role).map(({ name }) => name);
  assertEquals(named("table"), ["Peers", "Registries"]);
  assertEquals(named("columnheader").slice(0, 2), ["Peer", "Path"]);
  assertEquals(named("rowheader").length, 8);
  const [bytes = "", reached = ""] = named("image");
  assert(bytes.startsWith("Bytes. received: "), bytes);
  assert(reached.includes("in all: 6 now; in the last hour between 6 and 6"), reached);
  assertEquals([named("main").length, named("banner").length, named("contentinfo").length], [
    1,
    1,
    1,
  ]);
  for (const heading of ["wg0", "The last hour", "Bytes", "Peers", "Registries"]) {
    assert(named("heading").includes(heading), heading);
  }
  for (const role of ["button", "link", "searchbox", "checkbox"]) {
    for (const name of named(role)) assertNotEquals(name, "", role);
  }

  // What somebody has opened and looks at stays as it is while the rest changes.
  await page.evaluate("window.isSame = true");
  await page.evaluate(`(() => {
    const summary = document.querySelector("#peers tr:nth-child(2) summary");
    summary.click();
    summary.focus();
  })()`);
  await page.shows("lan 192.168.1.7:51820: no answer", "#peers");
  site.report = {
    ...HOME,
    peers: [
      peer("alice", { alive: false, path: "none", why: "its endpoints are probed in vain" }),
      ...HOME.peers.slice(1),
      peer("aaron"),
    ],
  };
  await page.shows("Not reached: alice; 6 of 7 peers are reached", ".verdict");
  assertEquals(
    await page.text("#peers tbody tr:nth-child(1) .name"),
    "aaron".replace("aaron", MARKUP),
  );
  assertEquals(await page.text("#announcer"), "alice: down.");
  assertEquals(await page.evaluate("window.isSame"), true);
  assertEquals(await page.evaluate("document.activeElement.tagName"), "SUMMARY");
  await page.shows("lan 192.168.1.7:51820: no answer", "#peers");

  await assertReadable(page);
  assertEquals(await namesOf(page, "table"), ["Peers", "Registries"], "blocks are tables, too");
  await page.resize(1280, 800);
  assertQuiet(page, site.url);

  // The server goes, and comes back.
  await site.close();
  await page.shows("wgsig doesn't answer; it is asked again in 2 s.", "#banner");
  assertEquals(await page.text("#announcer"), "wgsig doesn't answer.");
  await page.shows("Not reached: alice", ".verdict");
  site.report = HOME;
  await site.open();
  await page.shows("All 6 peers are reached");
  assertEquals(await page.evaluate("document.querySelector('#banner').hidden"), true);
  assertEquals(await page.evaluate("window.isSame"), true);
  assertQuiet(page, site.url);

  // Nobody is asked for a page that nobody sees, or that somebody wants to read in peace.
  await hide(page, true);
  const asked = page.requests.length;
  site.report = { ...HOME, peers: [] };
  await page.evaluate("new Promise((done) => setTimeout(done, 2500))");
  assertEquals(page.requests.length, asked);
  await page.evaluate("document.querySelector('#pause').click()");
  await page.shows("Paused at", ".live");
  await hide(page, false);
  assertEquals(page.requests.length, asked);
  await page.evaluate("document.querySelector('#pause').click()");
  await page.shows("The interface has no peers.");

  // Without JavaScript it says what else there is.
  const plain = await browser.open("about:blank");
  await plain.send("Emulation.setScriptExecutionDisabled", { value: true });
  await plain.send("Page.navigate", { url: site.url });
  await plain.shows("This page needs JavaScript to show how wgsig is doing.");
});

testWith(["chromium"], "page: a thousand peers, of whom what has changed is touched", async () => {
  const peers = Array.from({ length: 1000 }, (_, i) => peer(`peer ${i}`));
  await using site = new ToldSite({ ...HOME, peers, more: 7 });
  await site.open();
  await using browser = await Browser.start();
  const page = await browser.open(site.url);
  await page.until("document.querySelectorAll('#peers tbody tr').length === 1000");
  await page.shows("1\u202f000 of 1\u202f007", "#peers header");
  await page.evaluate(`(() => {
    window.touched = new Set();
    new MutationObserver((records) => {
      for (const { target } of records) {
        window.touched.add(target.parentElement?.closest("tr")?.querySelector(".name").textContent);
      }
    }).observe(document.querySelector("#peers tbody"), {
      subtree: true, childList: true, characterData: true, attributes: true,
    });
  })()`);
  site.report = {
    ...HOME,
    peers: peers.with(500, { ...peers[500]!, sent: 4096 }),
    more: 7,
  };
  const name = "[...document.querySelectorAll('#peers tbody tr')].find((row) => " +
    "row.cells[0].textContent.startsWith('peer 500'))";
  await page.until(`${name}.cells[6].textContent === "4.0 KiB"`);
  assertEquals(await page.evaluate("[...window.touched]"), ["peer 500"]);

  await page.evaluate(`(() => {
    const search = document.querySelector("#peers input");
    search.value = "PEER 99";
    search.dispatchEvent(new Event("input"));
  })()`);
  await page.shows("11 shown", "#peers .tools");
  assertEquals(await page.evaluate("document.querySelectorAll('#peers tbody tr').length"), 11);
  assertQuiet(page, site.url);
});

/** A group with a pair of every kind, and names of every kind. */
function group(names: readonly string[]): ServeReport["groups"][number] {
  const nats = ["easy", "hard", "hard", "unknown"] as const;
  const peers = names.map((name, i): RegisteredPeerReport => ({
    publicKey: peer(name).publicKey,
    name,
    proved: i % 2 === 0,
    protocol: 2,
    age: i,
    endpoints: [`203.0.113.${i + 1}:51820`],
    places: [{ kind: "lan", endpoint: `192.168.${i}.2:51820` }],
    nat: nats[i % nats.length]!,
    probes: true,
  }));
  const [first] = SERVE_REPORT.groups;
  return { ...first!, count: peers.length, peers, more: 0 };
}

testWith(["chromium"], "page: a registry, and who of its peers reaches whom", async () => {
  const groups = [group(["alice", "bob", MARKUP, TURNED, EMOJI])];
  await using site = new ToldSite({ ...SERVE_REPORT, groups });
  await site.open();
  await using browser = await Browser.start();
  const page = await browser.open(site.url);
  await page.shows("5 peers, 1 proved, 1 pair relayed.", ".verdict");
  for (const text of [SERVE_REPORT.serverKey!, "wg.example.com", "[::]:1223", "10 pairs: "]) {
    await page.shows(text);
  }
  const tables = await namesOf(page, "table");
  for (
    const name of ["Peers of group 7", "Who reaches whom", "Relayed pairs", "Leased addresses"]
  ) {
    assert(tables.includes(name), name);
  }
  const plots = await namesOf(page, "image");
  assertEquals(plots.map((name) => name.split(".")[0]), [
    "Requests",
    "Dropped",
    "Relayed",
    "Registered",
  ]);
  const pair = await page.evaluate("document.querySelector('.mesh td[title]').title");
  assert(/^.+ and .+: (direct|hard|relay|not known)$/s.test(String(pair)), String(pair));
  const reaches = await page.text("#group-7 tbody tr:first-child td[data-label=Reaches]");
  assert(/\d (hard|by relay|not known)/.test(reaches), reaches);
  assertEquals(await page.evaluate("document.querySelectorAll('main img').length"), 0);
  await page.evaluate("document.querySelector('#counters summary').click()");
  await page.shows("received", "#counters");
  await assertReadable(page);
  assertQuiet(page, site.url);
});

testWith(["chromium"], "page: the binary's, while real peers come", async () => {
  await using scene = await Scene.open();
  const served = await scene.serve(["--status", `127.0.0.1:0`]);
  const [, at] = await served.running.printed(/status-listening address=(\S+)/);
  const url = `http://${at}/`;
  if (isRouterBinary()) {
    const text = await (await fetch(url)).text();
    return assert(text.includes("/status.json"), text);
  }
  await using browser = await Browser.start();
  const page = await browser.open(url);
  await page.shows("Nobody is registered.");
  await scene.query([served.address]);
  await page.shows("1 peer, 0 proved.", ".verdict");
  await page.shows("not proved", "#group-0");
  const key = await scene.file("key", (await wgsig(["keygen", "private"])).out);
  const asked = ["query", served.address, "--secret", scene.secretFile, "--private-key", key];
  const { code, err } = await wgsig([...asked, ...served.pin]);
  assertEquals(code, 0, err);
  await page.shows("2 peers, 1 proved.", ".verdict");
  assertEquals(await page.evaluate("document.querySelectorAll('#group-0 tbody tr').length"), 2);
  assertQuiet(page, url);
});
