/*
 * Included before libregexp.c: its bytecode in little-endian order on all processors.
 *
 * The engine swaps the bytes of functions when it loads bytecode, but not those of the regular
 * expressions in it. They stay as the machine that compiled them has them, and end elsewhere at
 * worst out of bounds. libregexp.c reads and writes them with these functions only.
 */
#include "cutils.h"

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define get_u16(at) bswap16((get_u16)(at))
#define get_u32(at) bswap32((get_u32)(at))
#define put_u16(at, value) (put_u16)(at, bswap16(value))
#define put_u32(at, value) (put_u32)(at, bswap32(value))
#define dbuf_put_u16(buffer, value) (dbuf_put_u16)(buffer, bswap16(value))
#define dbuf_put_u32(buffer, value) (dbuf_put_u32)(buffer, bswap32(value))
#endif
