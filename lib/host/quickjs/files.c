/*
 * Files: open(2), read(2), write(2), fsync(2) and their neighbours.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "native.h"

/* How a file is opened. */
enum { TO_READ, TO_CREATE, TO_READ_UNFOLLOWED, TO_LIST, TO_APPEND, TO_LOCK };
static const int OPEN_FLAGS[] = {
    /* To open a pipe would else wait for its writer. */
    [TO_READ] = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
    [TO_CREATE] = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
    [TO_READ_UNFOLLOWED] = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
    [TO_LIST] = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
    [TO_APPEND] = O_WRONLY | O_APPEND | O_CLOEXEC,
    [TO_LOCK] = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
};

/* Kinds of files, beside the 12 bits of the permissions. */
enum { REGULAR = 1 << 12, DIRECTORY = 2 << 12 };

/* Calls `call` with a path, and perhaps a number. */
static JSValue with_path(JSContext *ctx, JSValueConst *argv, int (*call)(const char *, int32_t))
{
    int32_t number = 0;
    const char *path = JS_ToCString(ctx, argv[0]);

    if (path == NULL)
        return JS_EXCEPTION;
    if (!JS_IsUndefined(argv[1]) && JS_ToInt32(ctx, &number, argv[1]) < 0) {
        JS_FreeCString(ctx, path);
        return JS_EXCEPTION;
    }
    JSValue result = result_of(ctx, call(path, number));
    JS_FreeCString(ctx, path);
    return result;
}

/* open(path, how, mode): a file descriptor */
static JSValue open_file(ARGUMENTS)
{
    int32_t how, mode;

    NO_SELF;
    if (JS_ToInt32(ctx, &how, argv[1]) < 0 || JS_ToInt32(ctx, &mode, argv[2]) < 0)
        return JS_EXCEPTION;
    if (how < 0 || how >= (int32_t)COUNT(OPEN_FLAGS))
        return JS_ThrowRangeError(ctx, "no way to open a file: %d", how);
    const char *path = JS_ToCString(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    JSValue result = result_of(ctx, open(path, OPEN_FLAGS[how], (mode_t)mode));
    JS_FreeCString(ctx, path);
    return result;
}

/* Reads a file descriptor, and the bytes that argv names. */
static uint8_t *fd_and_bytes(JSContext *ctx, JSValueConst *argv, int32_t *fd, size_t *size)
{
    if (JS_ToInt32(ctx, fd, argv[0]) < 0)
        return NULL;
    return span_at(ctx, argv[1], argv[2], argv[3], size);
}

/* read(fd, bytes, at, size): how many came, 0 at the end */
static JSValue read_file(ARGUMENTS)
{
    int32_t fd;
    size_t size;
    ssize_t got;

    NO_SELF;
    uint8_t *bytes = fd_and_bytes(ctx, argv, &fd, &size);
    if (bytes == NULL)
        return JS_EXCEPTION;
    do
        got = read(fd, bytes, size);
    while (got < 0 && errno == EINTR);
    return result_of(ctx, got);
}

static ssize_t write_some(int fd, const uint8_t *bytes, size_t size)
{
    ssize_t put;

    do
        put = write(fd, bytes, size);
    while (put < 0 && errno == EINTR);
    return put;
}

/* write(fd, bytes, at, size): writes them all; where the other end is slow, it waits. */
static JSValue write_file(ARGUMENTS)
{
    int32_t fd;
    size_t size;

    NO_SELF;
    const uint8_t *bytes = fd_and_bytes(ctx, argv, &fd, &size);
    if (bytes == NULL)
        return JS_EXCEPTION;
    for (size_t put = 0; put < size;) {
        ssize_t more = write_some(fd, bytes + put, size - put);
        if (more >= 0) {
            put += (size_t)more;
            continue;
        }
        if (errno != EAGAIN)
            return result_of(ctx, -1);
        struct pollfd ready = { .fd = fd, .events = POLLOUT };
        poll(&ready, 1, -1);
    }
    return result_of(ctx, (int64_t)size);
}

/*
 * writeNow(fd, bytes, at, size): writes what can be written at once, or EAGAIN. A pipe that is
 * ready takes PIPE_BUF bytes (4096): give no more, and it doesn't wait.
 */
static JSValue write_now(ARGUMENTS)
{
    int32_t fd;
    size_t size;

    NO_SELF;
    const uint8_t *bytes = fd_and_bytes(ctx, argv, &fd, &size);
    if (bytes == NULL)
        return JS_EXCEPTION;
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    if (poll(&ready, 1, 0) == 0) {
        errno = EAGAIN;
        return result_of(ctx, -1);
    }
    ssize_t put = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno == ENOTSOCK)
        put = write_some(fd, bytes, size);
    return result_of(ctx, put);
}

/* Calls `call` with a file descriptor. */
static JSValue with_fd(JSContext *ctx, JSValueConst *argv, int (*call)(int))
{
    int32_t fd;

    if (JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    return result_of(ctx, call(fd));
}

/* sync(fd) */
static JSValue sync_file(ARGUMENTS)
{
    NO_SELF;
    return with_fd(ctx, argv, fsync);
}

/* syncData(fd): the same, but for the times of the file */
static JSValue sync_data(ARGUMENTS)
{
    NO_SELF;
    return with_fd(ctx, argv, fdatasync);
}

static int lock_now(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB);
}

/* lock(fd): or EAGAIN where another process has the lock */
static JSValue lock_file(ARGUMENTS)
{
    NO_SELF;
    return with_fd(ctx, argv, lock_now);
}

/* close(fd) */
static JSValue close_file(ARGUMENTS)
{
    NO_SELF;
    return with_fd(ctx, argv, close);
}

/* isTerminal(fd): 1 or 0 */
static JSValue is_terminal(ARGUMENTS)
{
    NO_SELF;
    return with_fd(ctx, argv, isatty);
}

/* owner(fd): the number of the user whom the file belongs to */
static JSValue file_owner(ARGUMENTS)
{
    NO_SELF;
    int32_t fd;
    struct stat status;

    if (JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    return result_of(ctx, fstat(fd, &status) < 0 ? -1 : (int64_t)status.st_uid);
}

static int kind_of(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -1;
    int mode = (int)(status.st_mode & 07777);
    return mode | (S_ISREG(status.st_mode) ? REGULAR : S_ISDIR(status.st_mode) ? DIRECTORY : 0);
}

/* status(fd): the permissions, with 1 << 12 for a regular file, 2 << 12 for a directory */
static JSValue file_status(ARGUMENTS)
{
    NO_SELF;
    return with_fd(ctx, argv, kind_of);
}

/* size(fd): in bytes */
static JSValue file_size(ARGUMENTS)
{
    int32_t fd;
    struct stat status;

    NO_SELF;
    if (JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    return result_of(ctx, fstat(fd, &status) < 0 ? -1 : (int64_t)status.st_size);
}

static int remove_path(const char *path, int32_t number)
{
    UNUSED(number);
    return unlink(path);
}

static int make_folder(const char *path, int32_t mode)
{
    return mkdir(path, (mode_t)mode);
}

/* unlink(path) */
static JSValue unlink_file(ARGUMENTS)
{
    NO_SELF;
    return with_path(ctx, argv, remove_path);
}

/* mkdir(path, mode) */
static JSValue make_directory(ARGUMENTS)
{
    NO_SELF;
    return with_path(ctx, argv, make_folder);
}

/* rename(from, to) */
static JSValue rename_file(ARGUMENTS)
{
    NO_SELF;
    const char *to = JS_ToCString(ctx, argv[1]);
    const char *from = to == NULL ? NULL : JS_ToCString(ctx, argv[0]);
    JSValue result = from == NULL ? JS_EXCEPTION : result_of(ctx, rename(from, to));
    JS_FreeCString(ctx, from);
    JS_FreeCString(ctx, to);
    return result;
}

/* fileAt(path): what tells it from all other files; follows links, and opens nothing */
static JSValue file_at(ARGUMENTS)
{
    struct stat status;
    char text[48];

    NO_SELF;
    const char *path = JS_ToCString(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    int found = stat(path, &status);
    JSValue failure = found < 0 ? result_of(ctx, found) : JS_UNDEFINED;
    JS_FreeCString(ctx, path);
    if (found < 0)
        return failure;
    snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    return JS_NewString(ctx, text);
}

/* list(path): the names in a folder */
static JSValue list_folder(ARGUMENTS)
{
    NO_SELF;
    const char *path = JS_ToCString(ctx, argv[0]);
    if (path == NULL)
        return JS_EXCEPTION;
    DIR *folder = opendir(path);
    JSValue names = folder == NULL ? result_of(ctx, -1) : JS_NewArray(ctx);
    JS_FreeCString(ctx, path);
    if (folder == NULL || JS_IsException(names))
        return names;
    uint32_t count = 0;
    for (struct dirent *each = readdir(folder); each != NULL; each = readdir(folder)) {
        if (strcmp(each->d_name, ".") != 0 && strcmp(each->d_name, "..") != 0)
            JS_SetPropertyUint32(ctx, names, count++, JS_NewString(ctx, each->d_name));
    }
    closedir(folder);
    return names;
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("open", 3, open_file),
    JS_CFUNC_DEF("read", 4, read_file),
    JS_CFUNC_DEF("write", 4, write_file),
    JS_CFUNC_DEF("writeNow", 4, write_now),
    JS_CFUNC_DEF("sync", 1, sync_file),
    JS_CFUNC_DEF("syncData", 1, sync_data),
    JS_CFUNC_DEF("size", 1, file_size),
    JS_CFUNC_DEF("lock", 1, lock_file),
    JS_CFUNC_DEF("close", 1, close_file),
    JS_CFUNC_DEF("isTerminal", 1, is_terminal),
    JS_CFUNC_DEF("status", 1, file_status),
    JS_CFUNC_DEF("owner", 1, file_owner),
    JS_CFUNC_DEF("unlink", 2, unlink_file),
    JS_CFUNC_DEF("mkdir", 2, make_directory),
    JS_CFUNC_DEF("rename", 2, rename_file),
    JS_CFUNC_DEF("fileAt", 1, file_at),
    JS_CFUNC_DEF("list", 1, list_folder),
};

void add_files(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
