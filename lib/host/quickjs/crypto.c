/*
 * BearSSL's SHA-256, HMAC-SHA256, ChaCha20 and X25519 for JavaScript. The tests compare them with
 * what lib/wire does.
 *
 * BearSSL's code takes the same steps whatever the secrets are: no branch and no index depends on
 * them. Where a processor multiplies short numbers faster, it is built so that it has none; see
 * scripts/router/targets.ts.
 */
#include <string.h>

#include <bearssl.h>

#include "native.h"

enum { DIGEST_SIZE = br_sha256_SIZE, KEY_SIZE = 32, NONCE_SIZE = 12 };

/* sha256(bytes, digest) */
static JSValue sha256(ARGUMENTS)
{
    br_sha256_context hash;
    size_t size;

    NO_SELF;
    const uint8_t *bytes = whole_array(ctx, argv[0], &size);
    uint8_t *out = bytes == NULL ? NULL : bytes_at(ctx, argv[1], JS_NewInt32(ctx, 0), DIGEST_SIZE);
    if (out == NULL)
        return JS_EXCEPTION;
    br_sha256_init(&hash);
    br_sha256_update(&hash, bytes, size);
    br_sha256_out(&hash, out);
    return JS_UNDEFINED;
}

/* hmacKey(key, states): writes the inner and the outer state of a key, 32 bytes each */
static JSValue hmac_key(ARGUMENTS)
{
    br_hmac_key_context made;
    size_t size;

    NO_SELF;
    const uint8_t *key = whole_array(ctx, argv[0], &size);
    uint8_t *states = key == NULL ? NULL
                                  : bytes_at(ctx, argv[1], JS_NewInt32(ctx, 0), 2 * DIGEST_SIZE);
    if (states == NULL)
        return JS_EXCEPTION;
    br_hmac_key_init(&made, &br_sha256_vtable, key, size);
    memcpy(states, made.ksi, DIGEST_SIZE);
    memcpy(states + DIGEST_SIZE, made.kso, DIGEST_SIZE);
    return JS_UNDEFINED;
}

/* hmac(states, message, at, length, out, outAt) */
static JSValue hmac(ARGUMENTS)
{
    br_hmac_key_context key = { .dig_vtable = &br_sha256_vtable };
    br_hmac_context mac;
    size_t size;

    NO_SELF;
    const uint8_t *states = bytes_at(ctx, argv[0], JS_NewInt32(ctx, 0), 2 * DIGEST_SIZE);
    const uint8_t *bytes = states == NULL ? NULL : span_at(ctx, argv[1], argv[2], argv[3], &size);
    uint8_t *out = bytes == NULL ? NULL : bytes_at(ctx, argv[4], argv[5], DIGEST_SIZE);
    if (out == NULL)
        return JS_EXCEPTION;
    memcpy(key.ksi, states, DIGEST_SIZE);
    memcpy(key.kso, states + DIGEST_SIZE, DIGEST_SIZE);
    br_hmac_init(&mac, &key, DIGEST_SIZE);
    br_hmac_update(&mac, bytes, size);
    br_hmac_out(&mac, out);
    return JS_UNDEFINED;
}

/* chacha20(key, nonce, nonceAt, counter, from, fromAt, to, toAt, length); the same place may be both */
static JSValue chacha20(ARGUMENTS)
{
    uint32_t counter;
    size_t size;

    NO_SELF;
    const uint8_t *key = bytes_at(ctx, argv[0], JS_NewInt32(ctx, 0), KEY_SIZE);
    const uint8_t *nonce = key == NULL ? NULL : bytes_at(ctx, argv[1], argv[2], NONCE_SIZE);
    if (nonce == NULL || JS_ToUint32(ctx, &counter, argv[3]) < 0)
        return JS_EXCEPTION;
    const uint8_t *from = span_at(ctx, argv[4], argv[5], argv[8], &size);
    uint8_t *to = from == NULL ? NULL : bytes_at(ctx, argv[6], argv[7], size);
    if (to == NULL)
        return JS_EXCEPTION;
    memmove(to, from, size);
    br_chacha20_ct_run(key, nonce, counter, to, size);
    return JS_UNDEFINED;
}

/* x25519(scalar, point, out): 32 bytes each; zeros where the point is of small order */
static JSValue x25519(ARGUMENTS)
{
    uint8_t product[KEY_SIZE];

    NO_SELF;
    JSValue start = JS_NewInt32(ctx, 0);
    const uint8_t *scalar = bytes_at(ctx, argv[0], start, KEY_SIZE);
    const uint8_t *point = scalar == NULL ? NULL : bytes_at(ctx, argv[1], start, KEY_SIZE);
    uint8_t *out = point == NULL ? NULL : bytes_at(ctx, argv[2], start, KEY_SIZE);
    if (out == NULL)
        return JS_EXCEPTION;
    memcpy(product, point, KEY_SIZE);
    br_ec_c25519_m31.mul(product, KEY_SIZE, scalar, KEY_SIZE, BR_EC_curve25519);
    memcpy(out, product, KEY_SIZE);
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("sha256", 2, sha256),
    JS_CFUNC_DEF("hmacKey", 2, hmac_key),
    JS_CFUNC_DEF("hmac", 6, hmac),
    JS_CFUNC_DEF("chacha20", 9, chacha20),
    JS_CFUNC_DEF("x25519", 3, x25519),
};

void add_crypto(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
