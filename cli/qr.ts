/**
 * QR codes on a terminal, of half-block characters.
 *
 * @module
 */

import encodeQR from "qr";
import { EXIT, UserError } from "../lib/core/settings/user_error.ts";
import { errorCode } from "../lib/host/error.ts";

/** A terminal's columns. */
const WIDTH = 80;
/** Light modules around a code: what ISO/IEC 18004 wants, and what phones can do with. */
const BORDERS = [4, 2] as const;
/** What the package says where no code has so much in it. */
const TOO_MUCH = "Capacity overflow";
/** Light above and below, light above, light below, neither: the terminal's text is light. */
const BLOCKS = ["█", "▀", "▄", " "] as const;
/** White on black, whatever colours the terminal has: of the 256, those that no theme changes. */
const COLOURS = "\x1b[38;5;231;48;5;16m";
const NO_COLOURS = "\x1b[0m";

/**
 * Makes sure that codes can be drawn.
 *
 * @throws {UserError} This is the program for small routers, which has none.
 */
export function checkQr(): void {
  try {
    encodeQR("", "raw");
  } catch (error) {
    if (errorCode(error) !== "ENOSYS") throw error;
    throw new UserError(
      "QR codes are left out of the program for small routers; leave --qr out, and draw what is " +
        "printed elsewhere: qrencode -t ansiutf8",
      EXIT.failed,
    );
  }
}

/**
 * Draws a code in lines of at most 80 columns. Without colours, text has to be lighter than what is
 * behind it.
 *
 * @returns Undefined where it would be wider.
 */
export function drawQr(text: string, isColoured: boolean): string | undefined {
  for (const border of BORDERS) {
    const modules = rows(text, border);
    if (modules !== undefined && modules.length <= WIDTH) return halfBlocks(modules, isColoured);
  }
  return undefined;
}

/** The rows of a code from above, true where it is dark; undefined where no code has so much in it. */
function rows(text: string, border: number): boolean[][] | undefined {
  try {
    return encodeQR(text, "raw", { ecc: "low", border });
  } catch (error) {
    if (error instanceof Error && error.message === TOO_MUCH) return undefined;
    throw error;
  }
}

function halfBlocks(modules: readonly (readonly boolean[])[], isColoured: boolean): string {
  const lines: string[] = [];
  for (let y = 0; y < modules.length; y += 2) {
    const [above = [], below] = [modules[y], modules[y + 1]];
    const line = above.map((isDark, x) => {
      // There is an odd number of rows; what is below the last one is light as well.
      const isDarkBelow = below?.[x] ?? false;
      return BLOCKS[(isDark ? 2 : 0) + (isDarkBelow ? 1 : 0)];
    }).join("");
    lines.push(isColoured ? `${COLOURS}${line}${NO_COLOURS}` : line);
  }
  return `${lines.join("\n")}\n`;
}
