/*
 * A UDP socket that speaks with one other; a raw one speaks from a port that another socket owns.
 * lib/host/linux/connected_socket.ts is the same for runtimes with an FFI, and says why it is so.
 *
 * Sources: raw(7), udp(7), socket(7).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "raw.h"
#include "socket.h"

/* The most that one call can receive without its headers. */
enum { MAX_PIECE_SIZE = 65535 };

/* Hears only what comes from there, and nothing that a relay forwards. */
static int open_raw_to(const SocketAddress *to, uint16_t own_port, int segment)
{
    int is_ipv4 = to->any.sa_family == AF_INET;
    uint16_t port = ntohs(is_ipv4 ? to->ipv4.sin_port : to->ipv6.sin6_port);
    const Heard heard = { is_ipv4, port, own_port, 0, 0, segment };

    return open_raw(&heard);
}

static int open_plain(const SocketAddress *to, uint16_t own_port)
{
    SocketAddress own;
    int is_ipv4 = to->any.sa_family == AF_INET;
    int fd = open_socket(to, SOCK_DGRAM, 0);

    memset(&own, 0, sizeof own);
    own.any.sa_family = to->any.sa_family;
    if (is_ipv4)
        own.ipv4.sin_port = htons(own_port);
    else
        own.ipv6.sin6_port = htons(own_port);
    /* Several of ours, each to another server, speak from one port. */
    if (fd < 0 || (own_port != 0 && set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0) ||
        bind(fd, &own.any, is_ipv4 ? sizeof own.ipv4 : sizeof own.ipv6) < 0)
        return give_up(fd);
    return fd;
}

/* connectedOpen(address, scope, port, ownPort, isRaw, mark, segment): a file descriptor */
static JSValue connected_open(ARGUMENTS)
{
    SocketAddress to;
    int32_t own_port, is_raw, mark, segment;

    NO_SELF;
    socklen_t size = socket_address(ctx, argv, &to);
    if (size == 0 || JS_ToInt32(ctx, &own_port, argv[3]) < 0 ||
        JS_ToInt32(ctx, &is_raw, argv[4]) < 0 || JS_ToInt32(ctx, &mark, argv[5]) < 0 ||
        JS_ToInt32(ctx, &segment, argv[6]) < 0)
        return JS_EXCEPTION;
    if (own_port < 0 || own_port > 0xffff)
        return JS_ThrowRangeError(ctx, "%d is no port", own_port);
    int fd = is_raw ? open_raw_to(&to, (uint16_t)own_port, segment)
                    : open_plain(&to, (uint16_t)own_port);
    if (fd < 0)
        return result_of(ctx, -1);
    /* Set to the mark of WireGuard's own datagrams, ours take the way that theirs take. */
    if (mark != 0 && set_option(fd, SOL_SOCKET, SO_MARK, mark) < 0)
        return result_of(ctx, give_up(fd));
    /* A raw socket has no port. */
    if (is_raw && to.any.sa_family == AF_INET)
        to.ipv4.sin_port = 0;
    else if (is_raw)
        to.ipv6.sin6_port = 0;
    if (connect(fd, &to.any, size) < 0)
        return result_of(ctx, give_up(fd));
    drain(fd);
    return JS_NewInt32(ctx, fd);
}

/*
 * What one call receives, without its headers, into `room` slots. It is one datagram, or what was sent
 * with UDP_SEGMENT and left in one piece, as raw sockets get it: that is split at `segment` bytes (0:
 * never; the kernel doesn't say where). Returns how many there are, 0 where it is none of ours, -1
 * where nothing is there (or errno says what the system tells).
 */
static int receive_one(int fd, int headers, int segment, uint8_t *slots, int32_t *lengths, int room)
{
    static uint8_t packet[MAX_IPV4_HEADER_SIZE + UDP_HEADER_SIZE + MAX_PIECE_SIZE];
    ssize_t size = recv(fd, packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC);

    if (size < 0)
        return -1;
    ssize_t at = !headers ? 0 : (ssize_t)udp_header_at(packet, headers == 4) + UDP_HEADER_SIZE;
    ssize_t left = size - at;
    if (left < 0 || size > (ssize_t)sizeof packet)
        return 0;
    ssize_t step = segment > 0 && left > segment && left % segment == 0 ? segment : left;
    if (step > SLOT_SIZE)
        return 0;
    int count = 0;
    do {
        memcpy(slots + count * SLOT_SIZE, packet + at, (size_t)step);
        lengths[count++] = (int32_t)step;
        at += step;
    } while (at < size && count < room);
    return count;
}

/*
 * connectedReceive(fd, headers, payloads, lengths, segment): fills a batch, and returns how many there are, or
 * a negative errno: EAGAIN, or what became of a datagram that was sent (ECONNREFUSED).
 * `headers` is 0 for a socket that is not raw, 4 or 6 for one of IPv4 or IPv6 that is.
 */
static JSValue connected_receive(ARGUMENTS)
{
    int32_t fd, headers, segment;
    int count = 0;

    NO_SELF;
    if (JS_ToInt32(ctx, &fd, argv[0]) < 0 || JS_ToInt32(ctx, &headers, argv[1]) < 0 ||
        JS_ToInt32(ctx, &segment, argv[4]) < 0 || segment < 0)
        return JS_EXCEPTION;
    JSValue start = JS_NewInt32(ctx, 0);
    uint8_t *payloads = bytes_at(ctx, argv[2], start, BATCH_SIZE * SLOT_SIZE);
    int32_t *lengths = payloads == NULL ? NULL : ints_of(ctx, argv[3], BATCH_SIZE);
    if (lengths == NULL)
        return JS_EXCEPTION;
    /* Those that are none of ours count here, so that many of them take no turn of others. */
    for (int tries = 0; tries < BATCH_SIZE && count < BATCH_SIZE; tries++) {
        /* What is to be split may need all of the room. */
        if (segment > 0 && count > 0)
            break;
        int received = receive_one(fd, headers, segment, payloads + count * SLOT_SIZE, lengths + count,
                                   BATCH_SIZE - count);
        if (received == -1 && tries == 0)
            return result_of(ctx, -1);
        if (received == -1)
            break;
        count += received;
    }
    return JS_NewInt32(ctx, count);
}

/* connectedSend(fd, bytes[, ownPort, port]): with the ports, behind a header of UDP */
static JSValue connected_send(ARGUMENTS)
{
    int32_t fd, from = 0, to = 0;
    size_t size;
    uint8_t header[UDP_HEADER_SIZE] = { 0 };

    UNUSED(self);
    const uint8_t *bytes = whole_array(ctx, argv[1], &size);
    if (bytes == NULL || JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    if (argc > 3 && (JS_ToInt32(ctx, &from, argv[2]) < 0 || JS_ToInt32(ctx, &to, argv[3]) < 0))
        return JS_EXCEPTION;
    write_udp_header(header, (uint16_t)from, (uint16_t)to, size);
    struct iovec pieces[] = {
        { .iov_base = header, .iov_len = sizeof header },
        { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size },
    };
    int first = argc > 3 ? 0 : 1;
    const struct msghdr message = { .msg_iov = pieces + first, .msg_iovlen = 2 - first };
    ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN)
        errno = ENOBUFS;
    return result_of(ctx, sent);
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("connectedOpen", 7, connected_open),
    JS_CFUNC_DEF("connectedReceive", 5, connected_receive),
    JS_CFUNC_DEF("connectedSend", 2, connected_send),
};

void add_connected(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
