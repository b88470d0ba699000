/*
 * HMAC-SHA256 (RFC 2104, FIPS 180-4) and ChaCha20 (RFC 8439): what lib/wire does in JavaScript,
 * faster; see its primitives.ts. The tests compare the two.
 *
 * Nothing depends on a secret but the arithmetic: no branch, no index.
 */
#include <string.h>

#include "native.h"

enum { HASH_BLOCK = 64, DIGEST_SIZE = 32, STATE_WORDS = 8, BIT_LENGTH = HASH_BLOCK - 8 };
enum { CIPHER_BLOCK = 64, KEY_WORDS = 8, NONCE_SIZE = 12, CIPHER_WORDS = 16 };

static const uint32_t INITIAL_STATE[STATE_WORDS] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint32_t ROUND_CONSTANTS[HASH_BLOCK] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t load_big(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void store_big(uint8_t *bytes, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(word >> (24 - 8 * i));
}

static uint32_t load_little(const uint8_t *bytes)
{
    return (uint32_t)bytes[3] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[1] << 8 | bytes[0];
}

static void store_little(uint8_t *bytes, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(word >> 8 * i);
}

static uint32_t right(uint32_t word, int bits)
{
    return word >> bits | word << (32 - bits);
}

static uint32_t left(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

/* Takes a block into the state (FIPS 180-4, section 6.2.2). */
static void compress(uint32_t *state, const uint8_t *block)
{
    uint32_t w[HASH_BLOCK];

    for (int i = 0; i < 16; i++)
        w[i] = load_big(block + 4 * i);
    for (int i = 16; i < HASH_BLOCK; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (right(x, 7) ^ right(x, 18) ^ x >> 3) +
               (right(y, 17) ^ right(y, 19) ^ y >> 10);
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < HASH_BLOCK; i++) {
        uint32_t t1 = h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & f) ^ (~e & g)) +
                      ROUND_CONSTANTS[i] + w[i];
        uint32_t t2 = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

/* Takes the rest of a message into the state: `before` bytes have gone before. Writes the digest. */
static void finish(uint32_t *state, const uint8_t *bytes, size_t size, uint64_t before,
                   uint8_t *digest)
{
    uint8_t block[HASH_BLOCK];
    uint64_t bits = (before + size) * 8;

    for (; size >= HASH_BLOCK; bytes += HASH_BLOCK, size -= HASH_BLOCK)
        compress(state, bytes);
    memset(block, 0, sizeof block);
    memcpy(block, bytes, size);
    block[size] = 0x80;
    if (size >= BIT_LENGTH) {
        compress(state, block);
        memset(block, 0, sizeof block);
    }
    store_big(block + BIT_LENGTH, (uint32_t)(bits >> 32));
    store_big(block + BIT_LENGTH + 4, (uint32_t)bits);
    compress(state, block);
    for (int i = 0; i < STATE_WORDS; i++)
        store_big(digest + 4 * i, state[i]);
}

/* sha256(bytes, digest) */
static JSValue sha256(ARGUMENTS)
{
    uint32_t state[STATE_WORDS];
    uint8_t digest[DIGEST_SIZE];
    size_t size;

    NO_SELF;
    const uint8_t *bytes = whole_array(ctx, argv[0], &size);
    if (bytes == NULL)
        return JS_EXCEPTION;
    memcpy(state, INITIAL_STATE, sizeof state);
    finish(state, bytes, size, 0, digest);
    uint8_t *out = bytes_at(ctx, argv[1], JS_NewInt32(ctx, 0), DIGEST_SIZE);
    if (out == NULL)
        return JS_EXCEPTION;
    memcpy(out, digest, DIGEST_SIZE);
    return JS_UNDEFINED;
}

/* The state after the block of a key that is XORed with `pad` (RFC 2104, section 2). */
static void state_of(const uint8_t *key, size_t size, uint8_t pad, uint32_t *state)
{
    uint8_t block[HASH_BLOCK];

    memset(block, pad, sizeof block);
    for (size_t i = 0; i < size; i++)
        block[i] ^= key[i];
    memcpy(state, INITIAL_STATE, sizeof INITIAL_STATE);
    compress(state, block);
}

/* hmacKey(key, states): writes the inner and the outer state of a key of at most 64 bytes */
static JSValue hmac_key(ARGUMENTS)
{
    size_t size;

    NO_SELF;
    const uint8_t *key = whole_array(ctx, argv[0], &size);
    int32_t *states = key == NULL ? NULL : ints_of(ctx, argv[1], 2 * STATE_WORDS);
    if (states == NULL)
        return JS_EXCEPTION;
    if (size > HASH_BLOCK)
        return JS_ThrowRangeError(ctx, "the key is too long");
    state_of(key, size, 0x36, (uint32_t *)states);
    state_of(key, size, 0x5c, (uint32_t *)states + STATE_WORDS);
    return JS_UNDEFINED;
}

/* hmac(states, message, at, length, out, outAt) */
static JSValue hmac(ARGUMENTS)
{
    uint32_t state[STATE_WORDS];
    uint8_t digest[DIGEST_SIZE];
    size_t size;

    NO_SELF;
    const int32_t *states = ints_of(ctx, argv[0], 2 * STATE_WORDS);
    const uint8_t *bytes = states == NULL ? NULL : span_at(ctx, argv[1], argv[2], argv[3], &size);
    uint8_t *out = bytes == NULL ? NULL : bytes_at(ctx, argv[4], argv[5], DIGEST_SIZE);
    if (out == NULL)
        return JS_EXCEPTION;
    memcpy(state, states, sizeof state);
    finish(state, bytes, size, HASH_BLOCK, digest);
    memcpy(state, states + STATE_WORDS, sizeof state);
    finish(state, digest, sizeof digest, HASH_BLOCK, digest);
    memcpy(out, digest, DIGEST_SIZE);
    return JS_UNDEFINED;
}

static void quarter_round(uint32_t *x, int a, int b, int c, int d)
{
    x[a] += x[b], x[d] = left(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = left(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = left(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = left(x[b] ^ x[c], 7);
}

/* A block of the keystream (RFC 8439, section 2.3). */
static void next_block(const uint32_t *input, uint8_t *keystream)
{
    uint32_t x[CIPHER_WORDS];

    memcpy(x, input, sizeof x);
    for (int i = 0; i < 10; i++) {
        for (int n = 0; n < 4; n++)
            quarter_round(x, n, 4 + n, 8 + n, 12 + n);
        for (int n = 0; n < 4; n++)
            quarter_round(x, n, 4 + (n + 1) % 4, 8 + (n + 2) % 4, 12 + (n + 3) % 4);
    }
    for (int i = 0; i < CIPHER_WORDS; i++)
        store_little(keystream + 4 * i, x[i] + input[i]);
}

/* chacha20(key, nonce, nonceAt, counter, from, fromAt, to, toAt, length); the same place may be both */
static JSValue chacha20(ARGUMENTS)
{
    uint32_t input[CIPHER_WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
    uint8_t keystream[CIPHER_BLOCK];
    uint32_t counter;
    size_t size;

    NO_SELF;
    const int32_t *key = ints_of(ctx, argv[0], KEY_WORDS);
    const uint8_t *nonce = key == NULL ? NULL : bytes_at(ctx, argv[1], argv[2], NONCE_SIZE);
    if (nonce == NULL || JS_ToUint32(ctx, &counter, argv[3]) < 0)
        return JS_EXCEPTION;
    const uint8_t *from = span_at(ctx, argv[4], argv[5], argv[8], &size);
    uint8_t *to = from == NULL ? NULL : bytes_at(ctx, argv[6], argv[7], size);
    if (to == NULL)
        return JS_EXCEPTION;
    memcpy(input + 4, key, KEY_WORDS * sizeof *key);
    input[12] = counter;
    for (int i = 0; i < 3; i++)
        input[13 + i] = load_little(nonce + 4 * i);
    for (size_t at = 0; at < size; at += CIPHER_BLOCK, input[12]++) {
        next_block(input, keystream);
        for (size_t i = 0; i < CIPHER_BLOCK && at + i < size; i++)
            to[at + i] = from[at + i] ^ keystream[i];
    }
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("sha256", 2, sha256),
    JS_CFUNC_DEF("hmacKey", 2, hmac_key),
    JS_CFUNC_DEF("hmac", 6, hmac),
    JS_CFUNC_DEF("chacha20", 9, chacha20),
};

void add_crypto(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
