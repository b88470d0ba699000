/**
 * CRC-32 (RFC 1952, section 8), against files that were damaged, not against attackers.
 *
 * @module
 */

const POLYNOMIAL = 0xedb8_8320;
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  return crc;
});

/** The CRC of `length` bytes at `at`. */
export function crc32(bytes: Uint8Array, at: number, length: number): number {
  let crc = -1;
  for (const end = at + length; at < end; at++) {
    crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]!) & 255]!;
  }
  return ~crc >>> 0;
}
