/*
 * What the event loop needs of the system: files that are ready (epoll(7)), signals (signalfd(2)),
 * and the jobs of promises. The loop itself is JavaScript.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "native.h"

enum { READABLE = 1, WRITABLE = 2 };

/* Signals by their place here, which is the same on all processors. */
static const int SIGNALS[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD };

static int epoll_fd = -1;
static int signal_fd = -1;
static int has_loop;
static JSValue loop_function;

/* Promises that failed, and that nobody has handled yet. */
typedef struct {
    JSValue promise;
    JSValue reason;
} Rejection;

static Rejection *rejections;
static size_t rejection_count;

static void print_error(JSContext *ctx, JSValueConst error)
{
    const char *text = JS_ToCString(ctx, error);

    fprintf(stderr, "wgsig: internal error, please report it: %s\n", text == NULL ? "?" : text);
    JS_FreeCString(ctx, text);
    if (!JS_IsObject(error))
        return;
    JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
    if (!JS_IsUndefined(stack) && !JS_IsException(stack)) {
        text = JS_ToCString(ctx, stack);
        fputs(text == NULL ? "" : text, stderr);
        JS_FreeCString(ctx, text);
    }
    JS_FreeValue(ctx, stack);
}

_Noreturn void die_of_exception(JSContext *ctx)
{
    print_error(ctx, JS_GetException(ctx));
    exit(1);
}

static void track(JSContext *ctx, JSValueConst promise, JSValueConst reason, int is_handled,
                  void *opaque)
{
    UNUSED(opaque);
    if (!is_handled) {
        Rejection *more = realloc(rejections, (rejection_count + 1) * sizeof *more);
        if (more == NULL)
            abort();
        rejections = more;
        rejections[rejection_count].promise = JS_DupValue(ctx, promise);
        rejections[rejection_count].reason = JS_DupValue(ctx, reason);
        rejection_count++;
        return;
    }
    for (size_t i = 0; i < rejection_count; i++) {
        if (JS_VALUE_GET_PTR(rejections[i].promise) != JS_VALUE_GET_PTR(promise))
            continue;
        JS_FreeValue(ctx, rejections[i].promise);
        JS_FreeValue(ctx, rejections[i].reason);
        rejections[i] = rejections[--rejection_count];
        return;
    }
}

void watch_rejections(JSRuntime *rt)
{
    JS_SetHostPromiseRejectionTracker(rt, track, NULL);
}

void run_jobs(JSContext *ctx)
{
    JSContext *where;

    for (;;) {
        int result = JS_ExecutePendingJob(JS_GetRuntime(ctx), &where);
        if (result < 0)
            die_of_exception(where);
        if (result == 0)
            break;
    }
    if (rejection_count == 0)
        return;
    print_error(ctx, rejections[0].reason);
    exit(1);
}

int run_loop(JSContext *ctx)
{
    run_jobs(ctx);
    if (!has_loop)
        return 0;
    JSValue result = JS_Call(ctx, loop_function, JS_UNDEFINED, 0, NULL);
    int failed = JS_IsException(result);
    JS_FreeValue(ctx, result);
    return failed ? -1 : 0;
}

/* setLoop(run) */
static JSValue set_loop(ARGUMENTS)
{
    NO_SELF;
    if (has_loop)
        JS_FreeValue(ctx, loop_function);
    has_loop = 1;
    loop_function = JS_DupValue(ctx, argv[0]);
    return JS_UNDEFINED;
}

/* runJobs() */
static JSValue js_run_jobs(ARGUMENTS)
{
    NO_SELF;
    UNUSED(argv);
    run_jobs(ctx);
    return JS_UNDEFINED;
}

static int epoll(void)
{
    if (epoll_fd < 0)
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd;
}

/* watch(fd, events): 1 is to be readable, 2 writable, 0 takes it out. EPERM: it always is. */
static JSValue watch(ARGUMENTS)
{
    int32_t fd, events;

    NO_SELF;
    if (JS_ToInt32(ctx, &fd, argv[0]) < 0 || JS_ToInt32(ctx, &events, argv[1]) < 0)
        return JS_EXCEPTION;
    if (epoll() < 0)
        return result_of(ctx, -1);
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = (events & READABLE ? (uint32_t)EPOLLIN : 0) |
                   (events & WRITABLE ? (uint32_t)EPOLLOUT : 0);
    event.data.fd = fd;
    if (events == 0)
        return result_of(ctx, epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, &event));
    int result = epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
    if (result < 0 && errno == ENOENT)
        result = epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    return result_of(ctx, result);
}

/*
 * wait(ms): waits until a file is ready, at most so long (-1: for ever). Returns 4 * fd + events, or
 * -1 where none was. One at a time: what is done about it may close the others. The kernel takes
 * turns among those that are ready.
 */
static JSValue wait_ready(ARGUMENTS)
{
    int32_t timeout;
    struct epoll_event event;

    NO_SELF;
    if (JS_ToInt32(ctx, &timeout, argv[0]) < 0)
        return JS_EXCEPTION;
    if (epoll() < 0)
        return JS_NewInt32(ctx, -1);
    if (epoll_wait(epoll_fd, &event, 1, timeout) != 1)
        return JS_NewInt32(ctx, -1);
    int events = 0;
    if (event.events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        events |= READABLE;
    if (event.events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
        events |= WRITABLE;
    return JS_NewInt32(ctx, 4 * event.data.fd + events);
}

/*
 * signals(wanted): takes these signals (a bit for each place in SIGNALS) through the file descriptor
 * that is returned, and leaves the others to what they do otherwise.
 */
static JSValue set_signals(ARGUMENTS)
{
    int32_t wanted;
    sigset_t taken, left;

    NO_SELF;
    if (JS_ToInt32(ctx, &wanted, argv[0]) < 0)
        return JS_EXCEPTION;
    sigemptyset(&taken);
    sigemptyset(&left);
    for (size_t i = 0; i < COUNT(SIGNALS); i++)
        sigaddset(wanted & 1 << i ? &taken : &left, SIGNALS[i]);
    sigprocmask(SIG_BLOCK, &taken, NULL);
    int fd = signalfd(signal_fd, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0)
        signal_fd = fd;
    sigprocmask(SIG_UNBLOCK, &left, NULL);
    return result_of(ctx, fd);
}

/* readSignals(): those that came, a bit for each place in SIGNALS. */
static JSValue read_signals(ARGUMENTS)
{
    struct signalfd_siginfo info;
    int came = 0;

    NO_SELF;
    UNUSED(argv);
    while (read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        for (size_t i = 0; i < COUNT(SIGNALS); i++) {
            if ((uint32_t)SIGNALS[i] == info.ssi_signo)
                came |= 1 << i;
        }
    }
    return JS_NewInt32(ctx, came);
}

/* collect(): frees what refers to itself alone */
static JSValue collect(ARGUMENTS)
{
    NO_SELF;
    UNUSED(argv);
    JS_RunGC(JS_GetRuntime(ctx));
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("setLoop", 1, set_loop),
    JS_CFUNC_DEF("collect", 0, collect),
    JS_CFUNC_DEF("runJobs", 0, js_run_jobs),
    JS_CFUNC_DEF("watch", 2, watch),
    JS_CFUNC_DEF("wait", 1, wait_ready),
    JS_CFUNC_DEF("signals", 1, set_signals),
    JS_CFUNC_DEF("readSignals", 0, read_signals),
};

void add_loop(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
