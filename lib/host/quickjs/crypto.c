/*
 * BearSSL's SHA-256, HMAC-SHA256, ChaCha20, XChaCha20-Poly1305 and X25519 for JavaScript. The tests
 * compare them with noble's. What BearSSL doesn't have is HChaCha20, which is made of its ChaCha20.
 *
 * BearSSL's code takes the same steps whatever the secrets are: no branch and no index depends on
 * them. Where a processor multiplies short numbers faster, it is built so that it has none; see
 * scripts/router/targets.ts.
 */
#include <string.h>

#include <bearssl.h>

#include "native.h"

enum { DIGEST_SIZE = br_sha256_SIZE, KEY_SIZE = 32, NONCE_SIZE = 12, CIPHER_BLOCK = 64 };
/* XChaCha20's nonce: the first 16 bytes make the key, the last 8 are that key's nonce. */
enum { LONG_NONCE_SIZE = 24, SUBKEY_NONCE_SIZE = 16, TAG_SIZE = 16 };

/* A message to seal or to open. */
struct message {
    uint8_t key[KEY_SIZE], nonce[NONCE_SIZE];
    const uint8_t *header;
    uint8_t *bytes;
    size_t header_size, size;
};

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

static uint32_t load_little(const uint8_t *bytes)
{
    return (uint32_t)bytes[3] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[1] << 8 | bytes[0];
}

static void store_little(uint8_t *bytes, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(word >> 8 * i);
}

/*
 * HChaCha20 (draft-irtf-cfrg-xchacha-03, section 2.2): the first and the last 16 bytes of a block of
 * ChaCha20, less what it adds to them at its end, which are its constants, counter and nonce.
 */
static void derive_key(const uint8_t *key, const uint8_t *nonce, uint8_t *subkey)
{
    static const uint8_t CONSTANTS[] = "expand 32-byte k";
    uint8_t block[CIPHER_BLOCK] = { 0 };

    br_chacha20_ct_run(key, nonce + 4, load_little(nonce), block, sizeof block);
    for (int i = 0; i < SUBKEY_NONCE_SIZE; i += 4) {
        const uint8_t *last = block + CIPHER_BLOCK - SUBKEY_NONCE_SIZE + i;
        store_little(subkey + i, load_little(block + i) - load_little(CONSTANTS + i));
        store_little(subkey + SUBKEY_NONCE_SIZE + i, load_little(last) - load_little(nonce + i));
    }
}

/* Reads the arguments of aeadSeal and aeadOpen. -1, and an exception, where they are wrong. */
static int read_message(JSContext *ctx, JSValueConst *argv, struct message *message)
{
    const uint8_t *key = bytes_at(ctx, argv[0], JS_NewInt32(ctx, 0), KEY_SIZE);
    const uint8_t *nonce = key == NULL ? NULL : bytes_at(ctx, argv[1], argv[2], LONG_NONCE_SIZE);

    if (nonce == NULL)
        return -1;
    message->header = span_at(ctx, argv[3], argv[4], argv[5], &message->header_size);
    if (message->header == NULL || span_at(ctx, argv[6], argv[7], argv[8], &message->size) == NULL)
        return -1;
    message->bytes = bytes_at(ctx, argv[6], argv[7], message->size + TAG_SIZE);
    if (message->bytes == NULL)
        return -1;
    derive_key(key, nonce, message->key);
    memset(message->nonce, 0, NONCE_SIZE);
    memcpy(message->nonce + 4, nonce + SUBKEY_NONCE_SIZE, LONG_NONCE_SIZE - SUBKEY_NONCE_SIZE);
    return 0;
}

/* Seals, or opens, without a look at the tag that was there: `tag` is what it has to be. */
static void run_aead(const struct message *message, uint8_t *tag, int seals)
{
    br_poly1305_ctmul32_run(message->key, message->nonce, message->bytes, message->size,
                            message->header, message->header_size, tag, br_chacha20_ct_run, seals);
}

/*
 * aeadSeal(key, nonce, nonceAt, header, headerAt, headerLength, bytes, at, length): enciphers bytes
 * in their place, and writes the tag after them (XChaCha20-Poly1305)
 */
static JSValue aead_seal(ARGUMENTS)
{
    struct message message;

    NO_SELF;
    if (read_message(ctx, argv, &message) < 0)
        return JS_EXCEPTION;
    run_aead(&message, message.bytes + message.size, 1);
    return JS_UNDEFINED;
}

/* aeadOpen(the same): whether the tag is right; where it isn't, the bytes stay as they were */
static JSValue aead_open(ARGUMENTS)
{
    struct message message;
    uint8_t tag[TAG_SIZE], different = 0;

    NO_SELF;
    if (read_message(ctx, argv, &message) < 0)
        return JS_EXCEPTION;
    run_aead(&message, tag, 0);
    for (int i = 0; i < TAG_SIZE; i++)
        different |= tag[i] ^ message.bytes[message.size + (size_t)i];
    if (different != 0)
        br_chacha20_ct_run(message.key, message.nonce, 1, message.bytes, message.size);
    return JS_NewBool(ctx, different == 0);
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
    JS_CFUNC_DEF("aeadSeal", 9, aead_seal),
    JS_CFUNC_DEF("aeadOpen", 9, aead_open),
    JS_CFUNC_DEF("x25519", 3, x25519),
};

void add_crypto(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
