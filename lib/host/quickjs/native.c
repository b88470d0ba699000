/*
 * Access to the buffers of JavaScript, always within their bounds.
 */
#include <errno.h>

#include "native.h"

static uint8_t *array_bytes(JSContext *ctx, JSValueConst array, size_t *size, size_t *unit)
{
    size_t offset, whole;
    JSValue buffer = JS_GetTypedArrayBuffer(ctx, array, &offset, size, unit);

    if (JS_IsException(buffer))
        return NULL;
    /* The array still holds it. */
    uint8_t *bytes = JS_GetArrayBuffer(ctx, &whole, buffer);
    JS_FreeValue(ctx, buffer);
    if (bytes == NULL)
        return NULL;
    if (offset > whole || *size > whole - offset) {
        JS_ThrowRangeError(ctx, "the array is larger than its buffer");
        return NULL;
    }
    return bytes + offset;
}

uint8_t *whole_array(JSContext *ctx, JSValueConst array, size_t *size)
{
    size_t unit;

    return array_bytes(ctx, array, size, &unit);
}

static uint8_t *within(JSContext *ctx, JSValueConst array, int64_t at, int64_t size)
{
    size_t there;
    uint8_t *bytes = whole_array(ctx, array, &there);

    if (bytes == NULL)
        return NULL;
    if (at < 0 || size < 0 || (uint64_t)at > there || (uint64_t)size > there - (uint64_t)at) {
        JS_ThrowRangeError(ctx, "bytes %lld to %lld of %llu", (long long)at, (long long)(at + size),
                           (unsigned long long)there);
        return NULL;
    }
    return bytes + at;
}

/* Offsets are below 2^53, so that no sum of two overflows. */
static int offset_of(JSContext *ctx, JSValueConst value, int64_t *offset)
{
    if (JS_ToInt64(ctx, offset, value) < 0)
        return -1;
    if (*offset < 0 || *offset > INT64_C(1) << 53) {
        JS_ThrowRangeError(ctx, "%lld is no offset", (long long)*offset);
        return -1;
    }
    return 0;
}

uint8_t *bytes_at(JSContext *ctx, JSValueConst array, JSValueConst at, size_t size)
{
    int64_t offset;

    if (offset_of(ctx, at, &offset) < 0)
        return NULL;
    return within(ctx, array, offset, (int64_t)size);
}

uint8_t *span_at(JSContext *ctx, JSValueConst array, JSValueConst at, JSValueConst length,
                 size_t *size)
{
    int64_t offset, count;

    if (offset_of(ctx, at, &offset) < 0 || offset_of(ctx, length, &count) < 0)
        return NULL;
    *size = (size_t)count;
    return within(ctx, array, offset, count);
}

int32_t *ints_of(JSContext *ctx, JSValueConst array, size_t count)
{
    size_t size, unit;
    uint8_t *bytes = array_bytes(ctx, array, &size, &unit);

    if (bytes == NULL)
        return NULL;
    if (unit != sizeof(int32_t) || size / unit < count) {
        JS_ThrowRangeError(ctx, "no Int32Array of %u numbers", (unsigned)count);
        return NULL;
    }
    return (int32_t *)(void *)bytes;
}

JSValue result_of(JSContext *ctx, int64_t result)
{
    return JS_NewInt64(ctx, result < 0 ? -(int64_t)errno : result);
}
