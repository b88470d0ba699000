/*
 * The program: a QuickJS context with the native object, the bundle of the TypeScript sources in it,
 * and the loop that these bring. With WGSIG_SCRIPT it runs a script instead, for tests.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ZLIB_CONST
#include <zlib.h>

#include "native.h"
#ifndef WGSIG_SCRIPT
#include "parts.h"
#endif

_Noreturn static void die(const char *message)
{
    fprintf(stderr, "wgsig: %s\n", message);
    exit(1);
}

#ifndef WGSIG_SCRIPT
/*
 * The pages of the file that hold parts aren't needed until another one is loaded: the system maps
 * those around the one that was read as well. They are constant data, and whatever shares the first or
 * the last page is, too: it is read from the file again.
 */
static void drop(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = UINTPTR_MAX;
    uintptr_t end = 0;

    for (uint32_t i = 0; i < part_count; i++) {
        uintptr_t at = (uintptr_t)parts[i].packed;
        if (at < start)
            start = at;
        if (at + parts[i].packed_size > end)
            end = at + parts[i].packed_size;
    }
    start = start / page * page;
    if (start < end)
        madvise((void *)start, end - start, MADV_DONTNEED);
}

/*
 * The bytecode, which is the caller's to free. The engine trusts what it is given, so a part that is
 * damaged ends the program here.
 */
static uint8_t *unpack(const Part *part)
{
    uint8_t *bytecode = malloc(part->size);
    z_stream stream = {
        .next_in = part->packed,
        .avail_in = part->packed_size,
        .next_out = bytecode,
        .avail_out = part->size,
    };

    if (bytecode == NULL || inflateInit(&stream) != Z_OK)
        die("no memory");
    if (inflate(&stream, Z_FINISH) != Z_STREAM_END || stream.avail_in != 0 || stream.avail_out != 0)
        die("this file is damaged: the program in it can't be unpacked");
    inflateEnd(&stream);
    drop();
    return bytecode;
}

static JSValue load(JSContext *ctx, const Part *part)
{
    uint8_t *bytecode = unpack(part);
    JSValue module = JS_ReadObject(ctx, bytecode, part->size, JS_READ_OBJ_BYTECODE);

    /* The module has a copy of its own. */
    free(bytecode);
    return module;
}

/* What a part imports. */
static JSModuleDef *load_import(JSContext *ctx, const char *name, void *opaque)
{
    (void)opaque;
    for (uint32_t i = 0; i < part_count; i++) {
        if (strcmp(parts[i].name, name) != 0)
            continue;
        JSValue module = load(ctx, &parts[i]);
        if (JS_IsException(module))
            return NULL;
        JSModuleDef *found = JS_VALUE_GET_PTR(module);
        /* The context keeps it. */
        JS_FreeValue(ctx, module);
        return found;
    }
    JS_ThrowReferenceError(ctx, "no part %s", name);
    return NULL;
}

/*
 * load(name): a promise of what a part exports. Without debug information, `import` doesn't know where
 * it stands.
 */
static JSValue load_later(ARGUMENTS)
{
    NO_SELF;
    const char *name = JS_ToCString(ctx, argv[0]);
    if (name == NULL)
        return JS_EXCEPTION;
    JSValue promise = JS_LoadModule(ctx, "", name);
    JS_FreeCString(ctx, name);
    return promise;
}
#else
static JSValue load_script(JSContext *ctx, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t size = 0, room = 0;

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    for (;;) {
        if (size == room) {
            room = room == 0 ? 65536 : 2 * room;
            text = realloc(text, room + 1);
            if (text == NULL)
                abort();
        }
        size_t got = fread(text + size, 1, room - size, file);
        if (got == 0)
            break;
        size += got;
    }
    fclose(file);
    text[size] = 0;
    JSValue module =
        JS_Eval(ctx, text, size, path, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    free(text);
    return module;
}
#endif

/* So much is there once all is loaded: to look for garbage before that is in vain. */
enum { FIRST_COLLECTION = 2 << 20 };

/* No eval, no Proxy, no normalization: nothing here uses them. */
static JSContext *new_context(JSRuntime *rt)
{
    JSContext *ctx = JS_NewContextRaw(rt);

    if (ctx == NULL)
        return NULL;
    JS_AddIntrinsicBaseObjects(ctx);
    JS_AddIntrinsicDate(ctx);
#ifdef WGSIG_SCRIPT
    JS_AddIntrinsicEval(ctx);
#endif
    JS_AddIntrinsicRegExp(ctx);
    JS_AddIntrinsicJSON(ctx);
    JS_AddIntrinsicMapSet(ctx);
    JS_AddIntrinsicTypedArrays(ctx);
    JS_AddIntrinsicPromise(ctx);
    JS_AddIntrinsicWeakRef(ctx);
    return ctx;
}

/*
 * Standard files that are closed get something that can't be used (EBADF), so that no pipe or socket
 * takes their numbers.
 */
static void keep_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
            return;
    }
}

static void add_native(JSContext *ctx, int argc, char **argv)
{
    JSValue global = JS_GetGlobalObject(ctx);
    JSValue native = JS_NewObject(ctx);

    add_connected(ctx, native);
    add_raw(ctx, native);
    add_crypto(ctx, native);
    add_files(ctx, native);
    add_loop(ctx, native);
    add_network(ctx, native);
    add_program(ctx, native);
    add_system(ctx, native, argc, argv);
    add_tcp(ctx, native);
    add_text(ctx, native);
    add_udp(ctx, native);
#ifndef WGSIG_SCRIPT
    JS_SetPropertyStr(ctx, native, "load", JS_NewCFunction(ctx, load_later, "load", 1));
#endif
    if (JS_SetPropertyStr(ctx, global, "wgsigNative", native) < 0)
        die_of_exception(ctx);
    JS_FreeValue(ctx, global);
}

int main(int argc, char **argv)
{
    JSRuntime *rt = JS_NewRuntime();
    JSContext *ctx = rt == NULL ? NULL : new_context(rt);

    if (ctx == NULL)
        die("no memory");
    keep_standard_files();
    /* A reader that has gone away is an error of its write. */
    signal(SIGPIPE, SIG_IGN);
    watch_rejections(rt);
    JS_SetGCThreshold(rt, FIRST_COLLECTION);
#ifdef WGSIG_SCRIPT
    if (argc < 2) {
        fputs("usage: runner SCRIPT [ARGUMENT]...\n", stderr);
        return 1;
    }
    add_native(ctx, argc - 2, argv + 2);
    JSValue module = load_script(ctx, argv[1]);
#else
    JS_SetModuleLoaderFunc(rt, NULL, load_import, NULL);
    add_native(ctx, argc - 1, argv + 1);
    JSValue module = load(ctx, &parts[0]);
#endif
    if (JS_IsException(module) || JS_ResolveModule(ctx, module) < 0)
        die_of_exception(ctx);
    /* A promise; where it fails, nobody handles that. */
    JSValue done = JS_EvalFunction(ctx, module);
    if (JS_IsException(done))
        die_of_exception(ctx);
    JS_FreeValue(ctx, done);
    if (run_loop(ctx) < 0)
        die_of_exception(ctx);
    return 0;
}
