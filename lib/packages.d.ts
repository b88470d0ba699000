// Types of the packages that come without them. Untyped imports pass `deno check` as `any`, so
// each one used is declared here; test/packages_test.ts checks that these types are in force.

declare module "@std/assert" {
  export function assert(value: unknown, message?: string): asserts value;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertThrows(
    run: () => unknown,
    // deno-lint-ignore no-explicit-any -- any constructor of an error class
    errorClass?: new (...args: any[]) => Error,
    messageIncludes?: string,
  ): unknown;
  export function assertRejects(
    run: () => Promise<unknown>,
    // deno-lint-ignore no-explicit-any -- any constructor of an error class
    errorClass?: new (...args: any[]) => Error,
    messageIncludes?: string,
  ): Promise<unknown>;
}

declare module "@std/cli/parse-args" {
  export interface ParseArgsOptions {
    readonly string?: readonly string[];
    readonly boolean?: readonly string[];
    readonly collect?: readonly string[];
    readonly alias?: Readonly<Record<string, string>>;
    readonly stopEarly?: boolean;
    readonly "--"?: boolean;
    readonly unknown?: (arg: string, key?: string, value?: unknown) => unknown;
  }
  export interface ParsedArgs {
    readonly _: readonly (string | number)[];
    readonly [option: string]: unknown;
  }
  export function parseArgs(args: readonly string[], options?: ParseArgsOptions): ParsedArgs;
}

declare module "@std/encoding/base64" {
  export function encodeBase64(data: Uint8Array | ArrayBuffer | string): string;
  export function decodeBase64(text: string): Uint8Array<ArrayBuffer>;
}

declare module "@std/encoding/base32" {
  export function encodeBase32(data: Uint8Array | ArrayBuffer | string): string;
  export function decodeBase32(text: string): Uint8Array<ArrayBuffer>;
}

declare module "@std/encoding/hex" {
  export function encodeHex(data: Uint8Array | ArrayBuffer | string): string;
  export function decodeHex(text: string): Uint8Array<ArrayBuffer>;
}

declare module "@std/toml/parse" {
  export function parse(text: string): Record<string, unknown>;
}

declare module "dns-packet" {
  import type { Buffer } from "node:buffer";
  interface Question {
    readonly name: string;
    readonly type: string;
    readonly class: string;
  }
  interface OptRecord {
    readonly type: "OPT";
    readonly name: ".";
    readonly udpPayloadSize: number;
    readonly flags: number;
    readonly options: readonly never[];
  }
  /** What is decoded is whatever the bytes hold: its fields must be looked at. */
  interface DecodedRecord {
    readonly name: string;
    readonly type: string;
    readonly data: unknown;
  }
  interface Packet {
    readonly type: "query" | "response";
    readonly id: number;
    readonly flags: number;
    readonly questions: Question[];
    readonly answers?: unknown[];
    readonly authorities?: unknown[];
    readonly additionals?: unknown[];
  }
  const dnsPacket: {
    readonly RECURSION_DESIRED: number;
    encode(packet: Packet): Buffer;
    readonly question: { decode(buffer: Buffer, offset: number): Question };
    readonly answer: { decode(buffer: Buffer, offset: number): DecodedRecord };
  };
  export default dnsPacket;
}

declare module "bun:ffi" {
  type Name = "i32" | "u32" | "u64" | "i64_fast" | "ptr";
  interface Signature {
    readonly args: readonly Name[];
    readonly returns: Name;
  }
  type Pointer = number;
  export function dlopen<S extends Readonly<Record<string, Signature>>>(
    library: string,
    symbols: S,
  ): {
    readonly symbols: { readonly [K in keyof S]: (...args: (number | null)[]) => number | bigint };
  };
  export function ptr(bytes: Uint8Array): Pointer;
  export const read: { i32(pointer: Pointer, offset: number): number };
}
