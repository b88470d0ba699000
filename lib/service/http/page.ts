/**
 * The page of `serve --status` and `sync --status`: one text, put together of the files in `page/` as
 * people edit them. In a browser it asks for `/status.json` again and again, and shows what that says.
 *
 * @module
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { encodeBase64 } from "@std/encoding/base64";
import dom from "./page/dom.js" with { type: "text" };
import live from "./page/live.js" with { type: "text" };
import page from "./page/page.js" with { type: "text" };
import css from "./page/page.css" with { type: "text" };
import html from "./page/page.html" with { type: "text" };
import meshView from "./page/mesh_view.js" with { type: "text" };
import plot from "./page/plot.js" with { type: "text" };
import serveView from "./page/serve_view.js" with { type: "text" };
import syncView from "./page/sync_view.js" with { type: "text" };
import table from "./page/table.js" with { type: "text" };
import words from "./page/words.js" with { type: "text" };

/** A page, and what it may do. */
export interface Page {
  /** HTML. */
  readonly text: string;
  /** The value of the header `Content-Security-Policy`: its own script and style, and this server. */
  readonly policy: string;
}

/** Each after what it imports. */
const MODULES = [words, dom, plot, table, syncView, meshView, serveView, live, page];
/** Between modules that are one text there is nothing to import. */
const IMPORTS = /^import [^;]*;\n/gm;
const EXPORTS = /^export /gm;
const STYLE = "<style></style>";
const SCRIPT = '<script type="module"></script>';

/** Puts the page together. */
export function makePage(): Page {
  const script = `\n${MODULES.join("\n").replaceAll(IMPORTS, "").replaceAll(EXPORTS, "")}`;
  const style = `\n${css}`;
  const text = html
    .replace(STYLE, () => `<style>${style}</style>`)
    .replace(SCRIPT, () => `<script type="module">${script}</script>`);
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    // The page's own icon, which is in its text.
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return { text, policy: policy.join("; ") };
}

function hashOf(text: string): string {
  return `sha256-${encodeBase64(sha256(new TextEncoder().encode(text)))}`;
}
