/*
 * What the files of the native module share. It gives JavaScript one object, `wgsigNative`, whose
 * functions are thin: they check their arguments against the buffers, and call the system.
 *
 * A function that can fail returns a number below 0 then: the negative of an errno, which
 * `errorName` turns into its POSIX name. (The numbers are this processor's: MIPS has its own.)
 * Bytes are passed as an array, an offset and a size; what lies outside of the array is a
 * RangeError, and nothing is called.
 */
#ifndef WGSIG_NATIVE_H
#define WGSIG_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#include <quickjs.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNUSED(name) (void)(name)
#define ARGUMENTS JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv
#define NO_SELF           \
    do {                  \
        UNUSED(self);     \
        UNUSED(argc);     \
    } while (0)

/* Size of an IP address as the core has it: IPv6, or IPv4 as ::ffff:a.b.c.d. */
enum { ADDRESS_SIZE = 16 };

/* The bytes of a typed array; NULL, and an exception, where it is none. */
uint8_t *whole_array(JSContext *ctx, JSValueConst array, size_t *size);

/* `size` bytes at `at` of a Uint8Array; NULL, and an exception, where they are not all there. */
uint8_t *bytes_at(JSContext *ctx, JSValueConst array, JSValueConst at, size_t size);

/* The same with a size that JavaScript says. */
uint8_t *span_at(JSContext *ctx, JSValueConst array, JSValueConst at, JSValueConst length,
                 size_t *size);

/* An Int32Array of at least `count` numbers; NULL, and an exception, where it is none. */
int32_t *ints_of(JSContext *ctx, JSValueConst array, size_t count);

/* What a function that returns a number or a negative errno returns. */
JSValue result_of(JSContext *ctx, int64_t result);

/* Adds functions to the native object. */
void add_connected(JSContext *ctx, JSValueConst native);
void add_crypto(JSContext *ctx, JSValueConst native);
void add_files(JSContext *ctx, JSValueConst native);
void add_loop(JSContext *ctx, JSValueConst native);
void add_network(JSContext *ctx, JSValueConst native);
void add_program(JSContext *ctx, JSValueConst native);
void add_raw(JSContext *ctx, JSValueConst native);
void add_system(JSContext *ctx, JSValueConst native, int argc, char **argv);
void add_tcp(JSContext *ctx, JSValueConst native);
void add_text(JSContext *ctx, JSValueConst native);
void add_udp(JSContext *ctx, JSValueConst native);

/* Watches for promises that fail and whose failure nobody handles. */
void watch_rejections(JSRuntime *rt);

/* Runs what promises wait for. Ends the process where one failed that nobody handles. */
void run_jobs(JSContext *ctx);

/* Runs the function that JavaScript gave as its loop, if any. -1 where it threw. */
int run_loop(JSContext *ctx);

/* Prints the exception that was thrown, and ends the process. */
_Noreturn void die_of_exception(JSContext *ctx);

#endif
