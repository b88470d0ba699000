/*
 * The process and its surroundings: arguments, environment, clocks, random bytes, names of errors.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

#if defined(__x86_64__)
#define ARCHITECTURE "x64"
#elif defined(__aarch64__)
#define ARCHITECTURE "arm64"
#elif defined(__arm__)
#define ARCHITECTURE "arm"
#elif defined(__mips__) && defined(__MIPSEL__)
#define ARCHITECTURE "mipsel"
#elif defined(__mips__)
#define ARCHITECTURE "mips"
#else
#define ARCHITECTURE "unknown"
#endif

#define ERROR(name) { name, #name }

static const struct {
    int number;
    const char *name;
} ERRORS[] = {
    ERROR(E2BIG),        ERROR(EACCES),       ERROR(EADDRINUSE),   ERROR(EADDRNOTAVAIL),
    ERROR(EAFNOSUPPORT), ERROR(EAGAIN),       ERROR(EALREADY),     ERROR(EBADF),
    ERROR(EBUSY),        ERROR(ECHILD),       ERROR(ECONNABORTED), ERROR(ECONNREFUSED),
    ERROR(ECONNRESET),   ERROR(EDESTADDRREQ), ERROR(EDQUOT),       ERROR(EEXIST),
    ERROR(EFAULT),       ERROR(EFBIG),        ERROR(EHOSTDOWN),    ERROR(EHOSTUNREACH),
    ERROR(EINPROGRESS),  ERROR(EINTR),        ERROR(EINVAL),       ERROR(EIO),
    ERROR(EISCONN),      ERROR(EISDIR),       ERROR(ELOOP),        ERROR(EMFILE),
    ERROR(EMLINK),       ERROR(EMSGSIZE),     ERROR(ENAMETOOLONG), ERROR(ENETDOWN),
    ERROR(ENETRESET),    ERROR(ENETUNREACH),  ERROR(ENFILE),       ERROR(ENOBUFS),
    ERROR(ENODEV),       ERROR(ENOENT),       ERROR(ENOEXEC),      ERROR(ENOLCK),
    ERROR(ENOMEM),
    ERROR(ENOPROTOOPT),  ERROR(ENOSPC),       ERROR(ENOSYS),       ERROR(ENOTCONN),
    ERROR(ENOTDIR),      ERROR(ENOTEMPTY),    ERROR(ENOTSOCK),     ERROR(ENXIO),
    ERROR(EOPNOTSUPP),   ERROR(EPERM),        ERROR(EPIPE),        ERROR(EPROTO),
    ERROR(EROFS),        ERROR(ESHUTDOWN),    ERROR(ESTALE),       ERROR(ETIMEDOUT),
    ERROR(ETXTBSY),      ERROR(EXDEV),
};

/* errorName(errno) */
static JSValue error_name(ARGUMENTS)
{
    int32_t number;

    NO_SELF;
    if (JS_ToInt32(ctx, &number, argv[0]) < 0)
        return JS_EXCEPTION;
    for (size_t i = 0; i < COUNT(ERRORS); i++) {
        if (ERRORS[i].number == number)
            return JS_NewString(ctx, ERRORS[i].name);
    }
    return JS_NewString(ctx, strerror(number));
}

/* env(name): a string or undefined */
static JSValue env(ARGUMENTS)
{
    NO_SELF;
    const char *name = JS_ToCString(ctx, argv[0]);
    if (name == NULL)
        return JS_EXCEPTION;
    const char *value = getenv(name);
    JS_FreeCString(ctx, name);
    return value == NULL ? JS_UNDEFINED : JS_NewString(ctx, value);
}

static JSValue clock_of(JSContext *ctx, clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return JS_NewFloat64(ctx, (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6);
}

/* now(): milliseconds since 1970, with fractions */
static JSValue now(ARGUMENTS)
{
    NO_SELF;
    UNUSED(argv);
    return clock_of(ctx, CLOCK_REALTIME);
}

/* mono(): milliseconds of a clock that never jumps */
static JSValue mono(ARGUMENTS)
{
    NO_SELF;
    UNUSED(argv);
    return clock_of(ctx, CLOCK_MONOTONIC);
}

/* For kernels before 3.17. */
static int random_from_file(uint8_t *bytes, size_t size)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    size_t got = 0;

    if (fd < 0)
        return -1;
    while (got < size) {
        ssize_t more = read(fd, bytes + got, size - got);
        if (more <= 0 && errno != EINTR)
            break;
        if (more > 0)
            got += (size_t)more;
    }
    close(fd);
    return got == size ? 0 : -1;
}

/* random(bytes): fills them. Without random bytes nothing can go on. */
static JSValue random_bytes(ARGUMENTS)
{
    size_t size;

    NO_SELF;
    uint8_t *bytes = whole_array(ctx, argv[0], &size);
    if (bytes == NULL)
        return JS_EXCEPTION;
    for (size_t got = 0; got < size;) {
        ssize_t more = getrandom(bytes + got, size - got, 0);
        if (more >= 0)
            got += (size_t)more;
        else if (errno == ENOSYS && random_from_file(bytes + got, size - got) == 0)
            break;
        else if (errno != EINTR)
            return JS_ThrowInternalError(ctx, "no random bytes: %s", strerror(errno));
    }
    return JS_UNDEFINED;
}

/* exit(status) */
static JSValue end(ARGUMENTS)
{
    int32_t status;

    NO_SELF;
    if (JS_ToInt32(ctx, &status, argv[0]) < 0)
        return JS_EXCEPTION;
    exit(status);
}

/* user(): the number of the user that the program runs as */
static JSValue user(ARGUMENTS)
{
    NO_SELF;
    (void)argv;
    return JS_NewInt64(ctx, (int64_t)geteuid());
}

/* forbidDumps(): no core dump is made, and no other process of the user may look inside */
static JSValue forbid_dumps(ARGUMENTS)
{
    NO_SELF;
    UNUSED(ctx);
    UNUSED(argv);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return JS_UNDEFINED;
}

/* fileOf(fd): its device and inode, "DEVICE:INODE", or undefined */
static JSValue file_of(ARGUMENTS)
{
    int32_t fd;
    struct stat status;
    char text[48];

    NO_SELF;
    if (JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    if (fstat(fd, &status) < 0)
        return JS_UNDEFINED;
    snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    return JS_NewString(ctx, text);
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("errorName", 1, error_name),
    JS_CFUNC_DEF("env", 1, env),
    JS_CFUNC_DEF("forbidDumps", 0, forbid_dumps),
    JS_CFUNC_DEF("now", 0, now),
    JS_CFUNC_DEF("mono", 0, mono),
    JS_CFUNC_DEF("random", 1, random_bytes),
    JS_CFUNC_DEF("exit", 1, end),
    JS_CFUNC_DEF("fileOf", 1, file_of),
    JS_CFUNC_DEF("user", 0, user),
    JS_PROP_STRING_DEF("target", "linux-" ARCHITECTURE, JS_PROP_ENUMERABLE),
    JS_PROP_STRING_DEF("version", CONFIG_VERSION, JS_PROP_ENUMERABLE),
};

void add_system(JSContext *ctx, JSValueConst native, int argc, char **argv)
{
    JSValue args = JS_NewArray(ctx);

    for (int i = 0; i < argc; i++)
        JS_SetPropertyUint32(ctx, args, (uint32_t)i, JS_NewString(ctx, argv[i]));
    JS_SetPropertyStr(ctx, native, "args", args);
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
