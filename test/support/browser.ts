/**
 * Chromium without a window, as a person's browser: driven by the DevTools protocol over two pipes, so
 * that it opens no port, and also runs in a network namespace.
 *
 * @module
 */

import { assert } from "@std/assert";

/** Nothing but what a test asks for leaves it, and nothing of it stays. */
const FLAGS = [
  "--headless=new",
  "--remote-debugging-pipe",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-dev-shm-usage",
  "--disable-extensions",
  "--disable-gpu",
  // Pictures are for all screens.
  "--disable-lcd-text",
  "--disable-sync",
  "--force-color-profile=srgb",
  "--hide-scrollbars",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  "--lang=en-GB",
  "--no-default-browser-check",
  "--no-first-run",
  // Its sandbox doesn't run as root.
  "--no-sandbox",
];
/** The shell gives it the two pipes where it looks for them. */
const WITH_PIPES = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1';
/** So long an answer, or what is waited for, may take, in seconds. */
const PATIENCE = 20;
/** Between two looks, in milliseconds. */
const PAUSE = 50;

type Fields = Readonly<Record<string, unknown>>;
type Listener = (method: string, params: Fields) => void;

interface Waiting {
  done(result: Fields): void;
  fail(error: Error): void;
}

/** A running browser. */
export class Browser implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #profile: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Map<string, Listener>();
  readonly #reading: Promise<void>;
  #last = 0;

  private constructor(child: Deno.ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    this.#writer = child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** Starts one. @param within A command that runs it, such as `ip netns exec NAME`. */
  static async start(within: readonly string[] = []): Promise<Browser> {
    const profile = await Deno.makeTempDir({ prefix: "wgsig-browser-" });
    const argv = [...within, "chromium", ...FLAGS, `--user-data-dir=${profile}`];
    const child = new Deno.Command("sh", {
      args: ["-c", WITH_PIPES, "sh", ...argv],
      env: { HOME: profile },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    return new Browser(child, profile);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.send("Browser.close").catch(() => this.#child.kill("SIGKILL"));
    await this.#child.status;
    await this.#reading;
    await this.#writer.close().catch(() => {});
    // Its processes may still be writing there for a moment.
    for (let tries = 0; tries < 20; tries++) {
      try {
        return await Deno.remove(this.#profile, { recursive: true });
      } catch {
        await new Promise((done) => setTimeout(done, PAUSE));
      }
    }
  }

  async #read(): Promise<void> {
    let text = "";
    for await (const piece of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      text += piece;
      const messages = text.split("\0");
      text = messages.pop() ?? "";
      for (const message of messages) this.#take(JSON.parse(message));
    }
    for (const { fail } of this.#waiting.values()) fail(new Error("the browser has ended"));
  }

  #take({ id, method, params, result, error, sessionId }: {
    readonly id?: number;
    readonly method?: string;
    readonly params?: Fields;
    readonly result?: Fields;
    readonly error?: { readonly message: string };
    readonly sessionId?: string;
  }): void {
    if (id === undefined) {
      return this.#listeners.get(sessionId ?? "")?.(method ?? "", params ?? {});
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error !== undefined) waiting?.fail(new Error(`the browser refused it: ${error.message}`));
    else waiting?.done(result ?? {});
  }

  /** Asks for something, and waits for the answer. */
  async send(method: string, params: Fields = {}, sessionId?: string): Promise<Fields> {
    const id = ++this.#last;
    const answer = new Promise<Fields>((done, fail) => this.#waiting.set(id, { done, fail }));
    const timer = setTimeout(
      () => this.#waiting.get(id)?.fail(new Error(`the browser doesn't answer ${method}`)),
      PATIENCE * 1000,
    );
    const message = JSON.stringify({ id, method, params, sessionId });
    try {
      const [result] = await Promise.all([
        answer,
        this.#writer.write(new TextEncoder().encode(`${message}\0`)),
      ]);
      return result;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Opens a page, in a window of so many CSS pixels. */
  async open(url: string, width = 1280, height = 900): Promise<BrowserPage> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    assert(typeof sessionId === "string");
    const page = new BrowserPage(this, sessionId);
    this.#listeners.set(sessionId, (method, params) => page.hear(method, params));
    for (const domain of ["Page", "Runtime", "Network", "Log"]) {
      await page.send(`${domain}.enable`);
    }
    await page.resize(width, height);
    await page.send("Page.navigate", { url });
    return page;
  }
}

/** An expression of the text that is not hidden: innerText lacks what nobody has scrolled to. */
function textOf(selector: string): string {
  return `[...document.querySelectorAll(${JSON.stringify(selector)})].map((element) => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let text = "";
    while (walker.nextNode()) {
      if (walker.currentNode.parentElement.checkVisibility()) text += walker.currentNode.data;
    }
    return text;
  }).join("\\n")`;
}

/** What the accessibility tree has of a place of the page. */
export interface AccessibleNode {
  readonly role: string;
  readonly name: string;
}

/** A page in a browser. */
export class BrowserPage {
  readonly #browser: Browser;
  readonly #session: string;
  /** What it has asked for, by address. */
  readonly requests: string[] = [];
  /** Errors and warnings of its script, its policy and its console, but for failed requests. */
  readonly problems: string[] = [];

  constructor(browser: Browser, session: string) {
    this.#browser = browser;
    this.#session = session;
  }

  /** Takes an event. */
  hear(method: string, params: Fields): void {
    if (method === "Network.requestWillBeSent") {
      const { request } = params as { readonly request: { readonly url: string } };
      this.requests.push(request.url);
    }
    if (method === "Runtime.exceptionThrown") this.problems.push(JSON.stringify(params));
    if (method === "Runtime.consoleAPICalled") {
      if (params["type"] !== "log") this.problems.push(JSON.stringify(params["args"]));
    }
    if (method === "Log.entryAdded") {
      const { entry } = params as {
        readonly entry: { source: string; level: string; text: string };
      };
      const isProblem = entry.level === "error" || entry.level === "warning";
      if (isProblem && entry.source !== "network") this.problems.push(entry.text);
    }
  }

  /** Asks for something of this page. */
  async send(method: string, params: Fields = {}): Promise<Fields> {
    return await this.#browser.send(method, params, this.#session);
  }

  /** What an expression is there. */
  async evaluate(expression: string): Promise<unknown> {
    const options = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", options);
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { readonly value?: unknown }).value;
  }

  /** The text that a person sees of it, also where that must be scrolled to. */
  async text(selector = "body"): Promise<string> {
    return String(await this.evaluate(textOf(selector)));
  }

  /** Waits until an expression is true there. */
  async until(expression: string, seconds = PATIENCE): Promise<void> {
    const end = performance.now() + seconds * 1000;
    while (await this.evaluate(`Boolean(${expression})`) !== true) {
      if (performance.now() > end) {
        const said = `${await this.text()}\n${this.problems.join("\n")}`;
        throw new Error(`${expression} has not become true; the page says: ${said}`);
      }
      await new Promise((done) => setTimeout(done, PAUSE));
    }
  }

  /** Waits until it shows a text. */
  async shows(text: string, selector = "body", seconds = PATIENCE): Promise<void> {
    await this.until(`${textOf(selector)}.includes(${JSON.stringify(text)})`, seconds);
  }

  /** Makes its window so many CSS pixels wide and high. */
  async resize(width: number, height: number, scale = 1): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: scale, mobile: false };
    await this.send("Emulation.setDeviceMetricsOverride", metrics);
  }

  /** Prefers colours. */
  async prefer(value: "dark" | "light"): Promise<void> {
    const features = [{ name: "prefers-color-scheme", value }];
    await this.send("Emulation.setEmulatedMedia", { features });
  }

  /** A picture of it as PNG. @param isWhole Or of what fits into the window. */
  async picture(isWhole = false): Promise<Uint8Array> {
    const options = { format: "png", captureBeyondViewport: isWhole };
    const { data } = await this.send("Page.captureScreenshot", options);
    return Uint8Array.fromBase64(String(data));
  }

  /** What is told to a screen reader, in order. */
  async accessibleNodes(): Promise<readonly AccessibleNode[]> {
    const { nodes } = await this.send("Accessibility.getFullAXTree");
    interface Node {
      readonly ignored: boolean;
      readonly role?: { readonly value: string };
      readonly name?: { readonly value: string };
    }
    return (nodes as readonly Node[]).filter(({ ignored }) => !ignored)
      .map(({ role, name }) => ({ role: role?.value ?? "", name: name?.value ?? "" }));
  }
}
