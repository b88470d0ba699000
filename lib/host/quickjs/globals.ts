/**
 * What the program uses of the globals that QuickJS lacks. Loaded before everything else.
 *
 * @module
 */

import { Buffer } from "./buffer.ts";
import { native } from "./native.ts";

/** UTF-8 from text, as the Encoding Standard has it. */
class TextEncoder {
  encode(text = ""): Uint8Array<ArrayBuffer> {
    return native.encode(text);
  }
}

/** Text from UTF-8: what is none becomes U+FFFD, and a byte order mark at the start is left out. */
class TextDecoder {
  decode(bytes: Uint8Array = new Uint8Array(0)): string {
    return native.decode(bytes);
  }
}

/** A buffer of another size that begins with the same bytes. The old one stays: nobody minds. */
function transfer(this: ArrayBuffer, size: number = this.byteLength): ArrayBuffer {
  const bytes = new Uint8Array(size);
  bytes.set(new Uint8Array(this, 0, Math.min(size, this.byteLength)));
  return bytes.buffer;
}

/** dns-packet is a CommonJS package, and asks for this one module. */
function require(name: string): unknown {
  if (name === "node:buffer") return { Buffer };
  throw new Error(`there is no module ${name}`);
}

Object.defineProperty(ArrayBuffer.prototype, "transfer", { value: transfer });
Object.assign(globalThis, { TextEncoder, TextDecoder, require });
