/*
 * X25519 (RFC 7748, section 5), for public keys. The same steps for every scalar: no branch and no
 * index depends on it.
 *
 * A number modulo p = 2^255 - 19 is eight words of 32 bits, the lowest first; it may be anything
 * below 2^256, where 2^256 is 38.
 */
#include <string.h>

#include "native.h"

enum { KEY_SIZE = 32, WORDS = 8, TOP_BIT = 254, FOLD = 38, A24 = 121665 };

typedef uint32_t Number[WORDS];

/* Adds `high` times 2^256, which is at most 38 * 2^32. */
static void fold(Number a, uint64_t high)
{
    /* The second time there is at most 1 left, and the third time nothing. */
    for (int times = 0; times < 3; times++) {
        uint64_t carry = high * FOLD;
        for (int i = 0; i < WORDS; i++) {
            carry += a[i];
            a[i] = (uint32_t)carry;
            carry >>= 32;
        }
        high = carry;
    }
}

static void add(Number sum, const Number a, const Number b)
{
    uint64_t carry = 0;

    for (int i = 0; i < WORDS; i++) {
        carry += (uint64_t)a[i] + b[i];
        sum[i] = (uint32_t)carry;
        carry >>= 32;
    }
    fold(sum, carry);
}

static void subtract(Number difference, const Number a, const Number b)
{
    int64_t borrow = 0;

    for (int i = 0; i < WORDS; i++) {
        borrow += (int64_t)a[i] - b[i];
        difference[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    /* What was borrowed is 2^256: 38 too much. Taking that away may borrow once more. */
    for (int times = 0; times < 2; times++) {
        borrow *= FOLD;
        for (int i = 0; i < WORDS; i++) {
            borrow += difference[i];
            difference[i] = (uint32_t)borrow;
            borrow >>= 32;
        }
    }
}

static void multiply(Number product, const Number a, const Number b)
{
    uint32_t wide[2 * WORDS] = { 0 };
    uint64_t carry = 0;

    for (int i = 0; i < WORDS; i++) {
        carry = 0;
        for (int j = 0; j < WORDS; j++) {
            carry += (uint64_t)a[i] * b[j] + wide[i + j];
            wide[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        wide[i + WORDS] = (uint32_t)carry;
    }
    carry = 0;
    for (int i = 0; i < WORDS; i++) {
        carry += (uint64_t)wide[i + WORDS] * FOLD + wide[i];
        product[i] = (uint32_t)carry;
        carry >>= 32;
    }
    fold(product, carry);
}

/* 1 / a, which is a^(p - 2): of that exponent's bits, only the third and the fifth are 0. */
static void invert(Number inverse, const Number a)
{
    Number result;

    memcpy(result, a, sizeof result);
    for (int bit = TOP_BIT - 1; bit >= 0; bit--) {
        multiply(result, result, result);
        if (bit != 2 && bit != 4)
            multiply(result, result, a);
    }
    memcpy(inverse, result, sizeof result);
}

/* Swaps two numbers where `swap` is 1. */
static void swap_if(uint32_t swap, Number a, Number b)
{
    for (int i = 0; i < WORDS; i++) {
        uint32_t both = (0 - swap) & (a[i] ^ b[i]);
        a[i] ^= both;
        b[i] ^= both;
    }
}

/* Makes it less than p. */
static void reduce(Number a)
{
    Number less;
    uint64_t carry;

    /* Below 2^255 + 19: the highest bit is 19. */
    carry = 19 * (uint64_t)(a[WORDS - 1] >> 31);
    a[WORDS - 1] &= 0x7fffffff;
    for (int i = 0; i < WORDS; i++) {
        carry += a[i];
        a[i] = (uint32_t)carry;
        carry >>= 32;
    }
    /* Where 19 more reach 2^255, it was p or more. */
    carry = 19;
    for (int i = 0; i < WORDS; i++) {
        carry += a[i];
        less[i] = (uint32_t)carry;
        carry >>= 32;
    }
    uint32_t reached = less[WORDS - 1] >> 31;
    less[WORDS - 1] &= 0x7fffffff;
    swap_if(reached, a, less);
}

/* The ladder of RFC 7748: z2 and z3 are what x2 and x3 are divided by. */
static void ladder(const uint8_t scalar[KEY_SIZE], const Number x1, Number x2)
{
    Number z2 = { 0 }, x3, z3 = { 1 }, a, b, c, d, aa, bb, e;
    static const Number a24 = { A24 };
    uint32_t swap = 0;

    memset(x2, 0, sizeof(Number));
    x2[0] = 1;
    memcpy(x3, x1, sizeof x3);
    for (int bit = TOP_BIT; bit >= 0; bit--) {
        uint32_t now = scalar[bit / 8] >> bit % 8 & 1;
        swap_if(swap ^ now, x2, x3);
        swap_if(swap ^ now, z2, z3);
        swap = now;
        add(a, x2, z2);
        subtract(b, x2, z2);
        add(c, x3, z3);
        subtract(d, x3, z3);
        multiply(aa, a, a);
        multiply(bb, b, b);
        subtract(e, aa, bb);
        multiply(d, d, a);
        multiply(c, c, b);
        add(a, d, c);
        multiply(x3, a, a);
        subtract(b, d, c);
        multiply(b, b, b);
        multiply(z3, x1, b);
        multiply(x2, aa, bb);
        multiply(b, a24, e);
        add(b, aa, b);
        multiply(z2, e, b);
    }
    swap_if(swap, x2, x3);
    swap_if(swap, z2, z3);
    invert(z2, z2);
    multiply(x2, x2, z2);
    reduce(x2);
}

/* x25519(scalar, point, out): 32 bytes each */
static JSValue x25519(ARGUMENTS)
{
    uint8_t scalar[KEY_SIZE];
    Number point, result;

    NO_SELF;
    JSValue start = JS_NewInt32(ctx, 0);
    const uint8_t *given = bytes_at(ctx, argv[0], start, KEY_SIZE);
    const uint8_t *bytes = given == NULL ? NULL : bytes_at(ctx, argv[1], start, KEY_SIZE);
    uint8_t *out = bytes == NULL ? NULL : bytes_at(ctx, argv[2], start, KEY_SIZE);
    if (out == NULL)
        return JS_EXCEPTION;
    memcpy(scalar, given, sizeof scalar);
    scalar[0] &= 248;
    scalar[KEY_SIZE - 1] = (scalar[KEY_SIZE - 1] & 127) | 64;
    for (int i = 0; i < WORDS; i++)
        point[i] = (uint32_t)bytes[4 * i] | (uint32_t)bytes[4 * i + 1] << 8 |
                   (uint32_t)bytes[4 * i + 2] << 16 | (uint32_t)bytes[4 * i + 3] << 24;
    point[WORDS - 1] &= 0x7fffffff;
    ladder(scalar, point, result);
    for (int i = 0; i < KEY_SIZE; i++)
        out[i] = (uint8_t)(result[i / 4] >> 8 * (i % 4));
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("x25519", 3, x25519),
};

void add_x25519(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
