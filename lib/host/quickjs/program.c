/*
 * Other programs: posix_spawn(3), with pipes to their standard input and from their output.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native.h"

enum { PIPES = 3, MAX_ARGUMENTS = 1024 };

extern char **environ;

/* For each of the child's files: the child's end, and ours, which doesn't wait. */
static int open_pipes(int theirs[PIPES], int ours[PIPES])
{
    for (int i = 0; i < PIPES; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
            return -1;
        int own = i == 0 ? 1 : 0;
        theirs[i] = ends[1 - own];
        ours[i] = ends[own];
        if (fcntl(ours[i], F_SETFL, O_NONBLOCK) < 0)
            return -1;
    }
    return 0;
}

static void close_all(const int fds[PIPES])
{
    for (int i = 0; i < PIPES; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

/*
 * An errno, or 0. The child gets signals as if nobody had ever touched them, and leads a process group
 * of its own.
 */
static int start(char **arguments, const int theirs[PIPES], pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    int problem = 0;

    sigfillset(&all);
    sigemptyset(&none);
    if ((problem = posix_spawn_file_actions_init(&actions)) != 0)
        return problem;
    if ((problem = posix_spawnattr_init(&attributes)) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return problem;
    }
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETPGROUP);
    for (int i = 0; i < PIPES && problem == 0; i++)
        problem = posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
    if (problem == 0)
        problem = posix_spawnp(pid, arguments[0], &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return problem;
}

static void free_arguments(char **arguments)
{
    for (char **each = arguments; *each != NULL; each++)
        free(*each);
    free(arguments);
}

/* The program and its arguments; NULL, and an exception, where they are no array of strings. */
static char **arguments_of(JSContext *ctx, JSValueConst array)
{
    JSValue length = JS_GetPropertyStr(ctx, array, "length");
    uint32_t count;

    if (JS_ToUint32(ctx, &count, length) < 0)
        return NULL;
    JS_FreeValue(ctx, length);
    if (count == 0 || count > MAX_ARGUMENTS) {
        JS_ThrowRangeError(ctx, "%u arguments", count);
        return NULL;
    }
    char **arguments = calloc(count + 1, sizeof *arguments);
    if (arguments == NULL)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        JSValue value = JS_GetPropertyUint32(ctx, array, i);
        const char *text = JS_ToCString(ctx, value);
        JS_FreeValue(ctx, value);
        arguments[i] = text == NULL ? NULL : strdup(text);
        JS_FreeCString(ctx, text);
        if (arguments[i] == NULL) {
            free_arguments(arguments);
            return NULL;
        }
    }
    return arguments;
}

/* spawn(argv, pipes): the process id. `pipes` gets our ends: its input, output, errors. */
static JSValue spawn_program(ARGUMENTS)
{
    int theirs[PIPES] = { -1, -1, -1 }, ours[PIPES] = { -1, -1, -1 };
    pid_t pid = -1;

    NO_SELF;
    int32_t *pipes = ints_of(ctx, argv[1], PIPES);
    char **arguments = pipes == NULL ? NULL : arguments_of(ctx, argv[0]);
    if (arguments == NULL)
        return JS_EXCEPTION;
    int problem = open_pipes(theirs, ours) < 0 ? errno : start(arguments, theirs, &pid);
    free_arguments(arguments);
    close_all(theirs);
    if (problem != 0) {
        close_all(ours);
        return JS_NewInt32(ctx, -problem);
    }
    for (int i = 0; i < PIPES; i++)
        pipes[i] = ours[i];
    return JS_NewInt32(ctx, pid);
}

/* reap(pid): the exit status of a program that has ended (1 where a signal ended it), or -1 */
static JSValue reap(ARGUMENTS)
{
    int32_t pid;
    int status;

    NO_SELF;
    if (JS_ToInt32(ctx, &pid, argv[0]) < 0)
        return JS_EXCEPTION;
    if (pid <= 0 || waitpid(pid, &status, WNOHANG) != pid)
        return JS_NewInt32(ctx, -1);
    return JS_NewInt32(ctx, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* kill(pid): it and what it has started, at once (SIGKILL) */
static JSValue kill_program(ARGUMENTS)
{
    int32_t pid;

    NO_SELF;
    if (JS_ToInt32(ctx, &pid, argv[0]) < 0)
        return JS_EXCEPTION;
    if (pid <= 0)
        return JS_ThrowRangeError(ctx, "%d is no process", pid);
    return result_of(ctx, kill(-pid, SIGKILL));
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("spawn", 2, spawn_program),
    JS_CFUNC_DEF("reap", 1, reap),
    JS_CFUNC_DEF("kill", 1, kill_program),
};

void add_program(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
