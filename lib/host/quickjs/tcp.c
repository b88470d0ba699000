/*
 * TCP: listen(2), accept(2), connect(2), shutdown(2), and resets (SO_LINGER of socket(7)).
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "socket.h"

/* tcpListen(address, scope, port, backlog): a file descriptor */
static JSValue tcp_listen(ARGUMENTS)
{
    SocketAddress address;
    int32_t backlog;

    NO_SELF;
    socklen_t size = socket_address(ctx, argv, &address);
    if (size == 0 || JS_ToInt32(ctx, &backlog, argv[3]) < 0)
        return JS_EXCEPTION;
    int fd = open_socket(&address, SOCK_STREAM, 0);
    /* A port is free although its last connection still waits. */
    if (fd < 0 || set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
        bind(fd, &address.any, size) < 0 || listen(fd, backlog) < 0)
        return result_of(ctx, give_up(fd));
    return JS_NewInt32(ctx, fd);
}

/* accept(fd): the file descriptor of a new connection, TCP or not */
static JSValue accept_one(ARGUMENTS)
{
    int32_t fd;

    NO_SELF;
    if (JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    int taken = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (taken >= 0)
        set_option(taken, IPPROTO_TCP, TCP_NODELAY, 1);
    return result_of(ctx, taken);
}

/*
 * tcpConnect(address, scope, port[, ownAddress, ownScope, ownPort]): a file descriptor that is
 * writable once it is connected, or has failed; socketError says which
 */
static JSValue tcp_connect(ARGUMENTS)
{
    SocketAddress to, from;
    socklen_t from_size = 0;

    UNUSED(self);
    socklen_t size = socket_address(ctx, argv, &to);
    int has_from = argc >= 6;
    if (size != 0 && has_from)
        from_size = socket_address(ctx, argv + 3, &from);
    if (size == 0 || (has_from && from_size == 0))
        return JS_EXCEPTION;
    int fd = open_socket(&to, SOCK_STREAM, 0);
    if (fd < 0)
        return result_of(ctx, -1);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (from_size != 0 && (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
                           bind(fd, &from.any, from_size) < 0))
        return result_of(ctx, give_up(fd));
    if (connect(fd, &to.any, size) < 0 && errno != EINPROGRESS)
        return result_of(ctx, give_up(fd));
    return JS_NewInt32(ctx, fd);
}

/* socketError(fd): what went wrong, as a negative errno, or 0 */
static JSValue socket_error(ARGUMENTS)
{
    int32_t fd;
    int problem = 0;
    socklen_t size = sizeof problem;

    NO_SELF;
    if (JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0)
        problem = errno;
    return JS_NewInt32(ctx, -problem);
}

/* receive(fd, bytes, at, size): how many came, 0 at the end, EAGAIN where nothing is there */
static JSValue tcp_receive(ARGUMENTS)
{
    int32_t fd;
    size_t size;
    ssize_t got;

    NO_SELF;
    uint8_t *bytes = span_at(ctx, argv[1], argv[2], argv[3], &size);
    if (bytes == NULL || JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    do
        got = recv(fd, bytes, size, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return result_of(ctx, got);
}

/* send(fd, bytes, at, size): how many the system took, EAGAIN where none */
static JSValue tcp_send(ARGUMENTS)
{
    int32_t fd;
    size_t size;
    ssize_t put;

    NO_SELF;
    const uint8_t *bytes = span_at(ctx, argv[1], argv[2], argv[3], &size);
    if (bytes == NULL || JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    do
        put = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    return result_of(ctx, put);
}

/* endSending(fd): the other side gets the end of what was sent */
static JSValue end_sending(ARGUMENTS)
{
    int32_t fd;

    NO_SELF;
    if (JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    return result_of(ctx, shutdown(fd, SHUT_WR));
}

/* reset(fd): closes it, and the other side gets a reset */
static JSValue reset(ARGUMENTS)
{
    int32_t fd;
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    NO_SELF;
    if (JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return result_of(ctx, close(fd));
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("tcpListen", 4, tcp_listen),
    JS_CFUNC_DEF("accept", 1, accept_one),
    JS_CFUNC_DEF("tcpConnect", 3, tcp_connect),
    JS_CFUNC_DEF("socketError", 1, socket_error),
    JS_CFUNC_DEF("receive", 4, tcp_receive),
    JS_CFUNC_DEF("send", 4, tcp_send),
    JS_CFUNC_DEF("endSending", 1, end_sending),
    JS_CFUNC_DEF("reset", 1, reset),
};

void add_tcp(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
