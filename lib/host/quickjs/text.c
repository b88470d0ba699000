/*
 * Text as UTF-8 and back, as the Encoding Standard has it: what is no UTF-8 becomes U+FFFD.
 */
#include <stdlib.h>
#include <string.h>

#include "native.h"

enum { REPLACEMENT_SIZE = 3 };
static const uint8_t REPLACEMENT[REPLACEMENT_SIZE] = { 0xef, 0xbf, 0xbd };

/* Whether the three bytes at `bytes` are half of a surrogate pair, as QuickJS writes it. */
static int is_surrogate(const uint8_t *bytes, size_t left)
{
    return left >= 3 && bytes[0] == 0xed && bytes[1] >= 0xa0 && bytes[1] <= 0xbf;
}

/* encode(text): a Uint8Array */
static JSValue encode(ARGUMENTS)
{
    size_t size;

    NO_SELF;
    const char *text = JS_ToCStringLen(ctx, &size, argv[0]);
    if (text == NULL)
        return JS_EXCEPTION;
    JSValue buffer = JS_NewArrayBufferCopy(ctx, (const uint8_t *)text, size);
    JS_FreeCString(ctx, text);
    if (JS_IsException(buffer))
        return buffer;
    uint8_t *bytes = JS_GetArrayBuffer(ctx, &size, buffer);
    for (size_t i = 0; bytes != NULL && i < size; i++) {
        if (is_surrogate(bytes + i, size - i))
            memcpy(bytes + i, REPLACEMENT, REPLACEMENT_SIZE);
    }
    JSValueConst arguments[] = { buffer, JS_UNDEFINED, JS_UNDEFINED };
    JSValue array = JS_NewTypedArray(ctx, COUNT(arguments), arguments, JS_TYPED_ARRAY_UINT8);
    JS_FreeValue(ctx, buffer);
    return array;
}

/*
 * The size of the character at `bytes`, of which `left` are there; 0 where it is none, and then
 * *wrong bytes are one mistake (Unicode, section 3.9, "maximal subparts").
 */
static size_t character_size(const uint8_t *bytes, size_t left, size_t *wrong)
{
    uint8_t first = bytes[0], low = 0x80, high = 0xbf;
    size_t size;

    *wrong = 1;
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first == 0xe0)
        low = 0xa0;
    if (first == 0xed)
        high = 0x9f;
    if (first == 0xf0)
        low = 0x90;
    if (first == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < size; i++) {
        if (i >= left || bytes[i] < low || bytes[i] > high) {
            *wrong = i;
            return 0;
        }
        low = 0x80;
        high = 0xbf;
    }
    return size;
}

/* Writes the text of `size` bytes to `out`, which has room, or counts where that is NULL. */
static size_t mend(const uint8_t *bytes, size_t size, uint8_t *out)
{
    size_t made = 0;

    for (size_t at = 0; at < size;) {
        size_t wrong;
        size_t length = character_size(bytes + at, size - at, &wrong);
        if (out != NULL)
            memcpy(out + made, length > 0 ? bytes + at : REPLACEMENT,
                   length > 0 ? length : (size_t)REPLACEMENT_SIZE);
        made += length > 0 ? length : (size_t)REPLACEMENT_SIZE;
        at += length > 0 ? length : wrong;
    }
    return made;
}

/* decode(bytes): a string, without the byte order mark at its beginning */
static JSValue decode(ARGUMENTS)
{
    size_t size;

    NO_SELF;
    const uint8_t *bytes = whole_array(ctx, argv[0], &size);
    if (bytes == NULL)
        return JS_EXCEPTION;
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        size -= 3;
    }
    size_t made = mend(bytes, size, NULL);
    uint8_t *text = js_malloc(ctx, made + 1);
    if (text == NULL)
        return JS_EXCEPTION;
    mend(bytes, size, text);
    JSValue string = JS_NewStringLen(ctx, (const char *)text, made);
    js_free(ctx, text);
    return string;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("encode", 1, encode),
    JS_CFUNC_DEF("decode", 1, decode),
};

void add_text(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
