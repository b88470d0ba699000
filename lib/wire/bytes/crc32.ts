/**
 * CRC-32 (RFC 1952, section 8), against files that were damaged, not against attackers.
 *
 * @module
 */

const POLYNOMIAL = 0xedb8_8320;
/** What one byte makes of the CRC, and one that 1, 2 or 3 others follow. */
const [TABLE, TABLE_1, TABLE_2, TABLE_3] = tables();

function tables(): [Int32Array, Int32Array, Int32Array, Int32Array] {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    return crc;
  });
  const next = (table: Int32Array) => table.map((crc) => (crc >>> 8) ^ first[crc & 255]!);
  const second = next(first);
  const third = next(second);
  return [first, second, third, next(third)];
}

/** The CRC of `length` bytes at `at`. */
export function crc32(bytes: Uint8Array, at: number, length: number): number {
  let crc = -1;
  const end = at + length;
  for (; at + 4 <= end; at += 4) {
    crc ^= bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
    crc = TABLE_3[crc & 255]! ^ TABLE_2[(crc >>> 8) & 255]! ^ TABLE_1[(crc >>> 16) & 255]! ^
      TABLE[crc >>> 24]!;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}
