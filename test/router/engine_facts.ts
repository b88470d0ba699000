/**
 * What a JavaScript engine makes of numbers, regular expressions and bytes, as lines of text. All
 * engines print the same, if the arithmetic and the byte order of the processor are right.
 *
 * @module
 */

import { seededNumbers } from "../support/seeded_random.ts";

const ROUNDS = 1500;
const NUMBERS = [
  ...[0, -0, 1, -1, 0.1, 1 / 3, 1e21, 123456789.125, Infinity, -Infinity, NaN],
  ...[Number.MAX_VALUE, Number.MIN_VALUE, Number.EPSILON, 2 ** -1022, 4.35, 1.005, 5e-7],
  ...[2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 52 + 0.5, 2 ** 53, 2 ** 63, -(2 ** 64)],
];
const OPERATIONS: Readonly<Record<string, (a: number, b: number) => unknown>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  remainder: (a, b) => a % b,
  order: (a, b) => [a < b, a <= b, a > b, a >= b, a === b, a !== b].map(Number).join(""),
  bits: (a, b) => [a | b, a & b, a ^ b, a << b, a >> b, a >>> b].join(" "),
  whole: (a) => [Math.floor(a), Math.ceil(a), Math.trunc(a), Math.round(a)].map(show).join(" "),
  root: (a) => Math.sqrt(Math.abs(a)),
  single: (a) => Math.fround(a),
  text: (a, b) => `${a} ${b.toExponential(6)} ${a.toPrecision(9)}`,
  fixed: (a) => Math.abs(a) < 1e15 ? a.toFixed(4) : "",
  parse: (a) => Object.is(Number(String(a)), a) || Number.isNaN(a),
  typed: (a) => [...new Int32Array([a]), ...new Uint8ClampedArray([a]), ...new Float32Array([a])],
  big: (a) => Number.isFinite(a) ? BigInt(Math.trunc(a)) % 1_000_000_007n : 0n,
};
const TEXTS = [
  ...["", "wg0", "ABCdef", "10.20.30.40", "fd00:20::1/64", "a-very-long.name.example.com."],
  ...[
    "жук Жук",
    "ſ K ß",
    "💡 lamp 💡",
    "aaaaaaaaaaaaaaaaaaaaaab",
    "line one\nline two\r\n",
    "k=v; x=y",
  ],
];
/** As literals they are in the bytecode; made of their source, the processor compiles them. */
const PATTERNS = [
  /^[0-9]{1,3}(\.[0-9]{1,3}){3}$/,
  /(?<key>\w+)=(?<value>[^;]*)/g,
  /([\u0400-\u04ff]+) \1/i,
  /[^\t-\u00ff]/u,
  /[\u{1f300}-\u{1f6ff}]/gu,
  /^(a|aa){5,300}b$/,
  /(?<=a)b|(?<!a)c/,
  /(?!wg)[a-z]+(?=\d)/i,
  /^.*$/gm,
  /k|ß/iu,
  /\b[A-F]+\B/g,
  /^(?:[a-z0-9-]{1,63}\.){2,70000}$/,
];

function show(value: unknown): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** FNV-1a over the text's code units. */
function digest(text: string): string {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193) >>> 0;
  }
  return hash.toString(16).padStart(8, "0");
}

function someNumbers(): number[] {
  const next = seededNumbers(7);
  const view = new DataView(new ArrayBuffer(8));
  const numbers = [...NUMBERS];
  while (numbers.length < ROUNDS) {
    view.setUint32(0, Math.floor(next() * 2 ** 32));
    view.setUint32(4, Math.floor(next() * 2 ** 32));
    numbers.push(view.getFloat64(0));
    numbers.push((next() - 0.5) * 2 ** Math.floor(next() * 64));
    numbers.push(Math.floor(next() * 2 ** Math.floor(next() * 54)));
  }
  return numbers;
}

function numberFacts(): string[] {
  const numbers = someNumbers();
  return Object.entries(OPERATIONS).map(([name, operate]) => {
    const results = numbers.map((a, i) => {
      const b = numbers[(i * 7 + 3) % numbers.length] ?? 0;
      const result = operate(a, b);
      return Array.isArray(result) ? result.map(show).join(" ") : show(result);
    });
    return `${name} ${digest(results.join("\n"))} ${results.slice(8, 14).join(" ")}`;
  });
}

function patternFacts(): string[] {
  return PATTERNS.flatMap((literal) => {
    const made = new RegExp(literal.source, literal.flags);
    return [literal, made].map((pattern) => {
      const found = TEXTS.map((text) => {
        pattern.lastIndex = 0;
        const match = pattern.exec(text);
        return `${match?.index} ${JSON.stringify(match)} ${text.replace(pattern, "<$&>")}`;
      });
      return `${pattern.flags} ${digest(found.join("\n"))} ${
        found.filter((each) => each !== "")[1]
      }`;
    });
  });
}

function byteFacts(): string[] {
  const bytes = new Uint8Array(16).map((_, i) => i * 37 + 130);
  const view = new DataView(bytes.buffer);
  return [true, false].map((little) =>
    [
      view.getUint16(3, little),
      view.getInt32(1, little),
      view.getFloat32(5, little),
      view.getFloat64(2, little),
      view.getBigUint64(7, little),
      BigInt.asIntN(64, view.getBigUint64(8, little) << 3n),
    ].join(" ")
  );
}

/** The lines. */
export function engineFacts(): string[] {
  return [...numberFacts(), ...patternFacts(), ...byteFacts(), new Date(1e12 + 7).toISOString()];
}
