/*
 * UDP: a batch of datagrams with a system call (recvmmsg(2), sendmmsg(2)). Nothing is allocated per
 * datagram: they come into JavaScript's kept buffers, and go out of them.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "socket.h"

/* As lib/core/net/datagram_batch.ts has them. */
enum { BATCH_SIZE = 64, SLOT_SIZE = 2048, SOURCE_SIZE = END_SIZE };
enum { MAX_DATAGRAM = 65507, MAX_TRIES = 4 };

/* Whom the last batch came from, and through which socket: its replies go there. */
static SocketAddress sources[BATCH_SIZE];
static int source_count;
static int source_fd = -1;
/* Where replies go that are none. */
static SocketAddress destinations[BATCH_SIZE];

static struct mmsghdr messages[BATCH_SIZE];
static struct iovec pieces[BATCH_SIZE];

static void set_message(int i, const void *bytes, size_t size, SocketAddress *address,
                        socklen_t address_size)
{
    struct msghdr *header = &messages[i].msg_hdr;

    memset(&messages[i], 0, sizeof messages[i]);
    pieces[i].iov_base = (void *)(uintptr_t)bytes;
    pieces[i].iov_len = size;
    header->msg_iov = &pieces[i];
    header->msg_iovlen = 1;
    header->msg_name = address;
    header->msg_namelen = address_size;
}

/* Room for some hundred datagrams that come, or wait to go, while something else has its turn. */
enum { BUFFER_SIZE = 1 << 20 };

/* Without CAP_NET_ADMIN, as far as the system's limits go. */
static void grow_buffers(int fd)
{
    if (set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_SIZE) < 0)
        set_option(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_SIZE);
    if (set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_SIZE) < 0)
        set_option(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_SIZE);
}

/*
 * Binds a socket whose port another one has already, for all addresses. Both have to allow it, and only
 * then: no other process shall get in.
 */
static int bind_beside(int fd, const SocketAddress *address, socklen_t size, int beside)
{
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
        set_option(beside, SOL_SOCKET, SO_REUSEADDR, 1) < 0)
        return -1;
    int result = bind(fd, &address->any, size);
    int problem = errno;
    set_option(beside, SOL_SOCKET, SO_REUSEADDR, 0);
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 0);
    errno = problem;
    return result;
}

/*
 * udpOpen(address, scope, port, hears, mark, beside): a file descriptor. With `hears`, the system tells of
 * datagrams that didn't arrive; else nothing that a stranger does disturbs what is sent to others.
 * `beside` is a socket that has the port for all addresses, or below 0.
 */
static JSValue udp_open(ARGUMENTS)
{
    SocketAddress address;
    int32_t hears, mark, beside;

    NO_SELF;
    socklen_t size = socket_address(ctx, argv, &address);
    if (size == 0 || JS_ToInt32(ctx, &hears, argv[3]) < 0 ||
        JS_ToInt32(ctx, &mark, argv[4]) < 0 || JS_ToInt32(ctx, &beside, argv[5]) < 0)
        return JS_EXCEPTION;
    int fd = open_socket(&address, SOCK_DGRAM, 0);
    if (fd < 0 || (beside < 0 ? bind(fd, &address.any, size)
                              : bind_beside(fd, &address, size, beside)) < 0 ||
        (mark != 0 && set_option(fd, SOL_SOCKET, SO_MARK, mark) < 0))
        return result_of(ctx, give_up(fd));
    grow_buffers(fd);
    if (hears && address.any.sa_family == AF_INET)
        set_option(fd, IPPROTO_IP, IP_RECVERR, 1);
    else if (hears)
        set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    return JS_NewInt32(ctx, fd);
}

/*
 * Empties the queue of errors, as far as it goes in a turn: the socket would stay ready for it.
 * Returns the errno of the last one, or 0. (linux/errqueue.h is not everywhere: a message of
 * type IP_RECVERR begins with its errno.)
 */
static int read_errors(int fd)
{
    int problem = 0;

    for (int i = 0; i < BATCH_SIZE; i++) {
        _Alignas(struct cmsghdr) uint8_t control[256];
        struct msghdr message = { .msg_control = control, .msg_controllen = sizeof control };
        if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            break;
        struct cmsghdr *first = CMSG_FIRSTHDR(&message);
        uint32_t number;
        if (first == NULL || first->cmsg_len < CMSG_LEN(sizeof number))
            continue;
        memcpy(&number, CMSG_DATA(first), sizeof number);
        problem = (int)number;
    }
    return problem;
}

/*
 * udpReceive(fd, payloads, lengths, sources, most): fills a batch, and returns how many there are. A
 * payload of more than SLOT_SIZE bytes is cut; its length says what it was. A negative errno is
 * EAGAIN, or what became of a datagram that was sent (ECONNREFUSED).
 */
static JSValue udp_receive(ARGUMENTS)
{
    int32_t fd, most;
    int count;

    NO_SELF;
    JSValue start = JS_NewInt32(ctx, 0);
    uint8_t *payloads = bytes_at(ctx, argv[1], start, BATCH_SIZE * SLOT_SIZE);
    int32_t *lengths = payloads == NULL ? NULL : ints_of(ctx, argv[2], BATCH_SIZE);
    uint8_t *ends =
        lengths == NULL ? NULL : bytes_at(ctx, argv[3], start, BATCH_SIZE * SOURCE_SIZE);
    if (ends == NULL || JS_ToInt32(ctx, &fd, argv[0]) < 0 || JS_ToInt32(ctx, &most, argv[4]) < 0)
        return JS_EXCEPTION;
    if (most < 1 || most > BATCH_SIZE)
        return JS_ThrowRangeError(ctx, "no batch of %d datagrams", most);
    for (int i = 0; i < most; i++)
        set_message(i, payloads + i * SLOT_SIZE, SLOT_SIZE, &sources[i], sizeof sources[i]);
    do
        count = recvmmsg(fd, messages, (unsigned)most, MSG_DONTWAIT | MSG_TRUNC, NULL);
    while (count < 0 && errno == EINTR);
    /* The batch before is still there then. */
    if (count < 0) {
        int problem = errno, earlier = read_errors(fd);
        errno = earlier == 0 ? problem : earlier;
        return result_of(ctx, -1);
    }
    source_fd = fd;
    source_count = count;
    for (int i = 0; i < source_count; i++) {
        lengths[i] = (int32_t)messages[i].msg_len;
        write_end(&sources[i], ends + i * SOURCE_SIZE);
    }
    return result_of(ctx, count);
}

/* A full buffer is one error, whatever it is called. */
static int send_problem(void)
{
    return errno == EAGAIN ? ENOBUFS : errno;
}

static void count_problem(int32_t *problems, size_t room, int *failed)
{
    if ((size_t)*failed < room)
        problems[*failed] = send_problem();
    ++*failed;
}

/*
 * musl's sendmmsg sends one by one. The kernel's counts are longer than musl's, whose padding beside
 * them is zero.
 */
static int send_many(int fd, struct mmsghdr *first, unsigned count)
{
    return (int)syscall(SYS_sendmmsg, fd, first, count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/*
 * Sends the first `count` messages. The system may report with a send what became of an earlier
 * one, and then doesn't take this one: it gets more tries, since there may be several to report.
 */
static void send_all(int fd, int count, int32_t *problems, size_t room, int *failed)
{
    int tried = 0;

    for (int at = 0; at < count;) {
        int sent = send_many(fd, &messages[at], (unsigned)(count - at));
        if (sent > 0) {
            at += sent;
            tried = 0;
        } else if (errno == EINTR) {
            continue;
        } else if (++tried == MAX_TRIES || errno == EAGAIN) {
            count_problem(problems, room, failed);
            at++;
            tried = 0;
        }
    }
}

/*
 * udpReply(fd, to, offsets, sizes, runs, buffers, count, problems, destinations): sends what a
 * ReplyBatch holds to whom the last batch came from, or to its own destinations. Returns how many
 * datagrams were not sent; the errno of each, for as many as there is room, is in `problems`.
 */
static JSValue udp_reply(ARGUMENTS)
{
    int32_t fd, count;
    size_t problem_size;
    int failed = 0, waiting = 0;

    NO_SELF;
    if (JS_ToInt32(ctx, &fd, argv[0]) < 0 || JS_ToInt32(ctx, &count, argv[6]) < 0)
        return JS_EXCEPTION;
    if (count < 0)
        return JS_ThrowRangeError(ctx, "no replies");
    const uint8_t *ends = bytes_at(ctx, argv[8], JS_NewInt32(ctx, 0), BATCH_SIZE * SOURCE_SIZE);
    if (ends == NULL)
        return JS_EXCEPTION;
    const int32_t *to = ints_of(ctx, argv[1], (size_t)count);
    const int32_t *offsets = to == NULL ? NULL : ints_of(ctx, argv[2], (size_t)count);
    const int32_t *sizes = offsets == NULL ? NULL : ints_of(ctx, argv[3], (size_t)count);
    const int32_t *runs = sizes == NULL ? NULL : ints_of(ctx, argv[4], (size_t)count);
    int32_t *problems = runs == NULL ? NULL : ints_of(ctx, argv[7], 0);
    if (problems == NULL || whole_array(ctx, argv[7], &problem_size) == NULL)
        return JS_EXCEPTION;
    problem_size /= sizeof *problems;
    int known = fd == source_fd ? source_count : 0;
    for (int32_t i = 0; i < count; i++) {
        size_t length;
        JSValue buffer = JS_GetPropertyUint32(ctx, argv[5], (uint32_t)i);
        const uint8_t *bytes = whole_array(ctx, buffer, &length);
        /* The array of buffers still holds it. */
        JS_FreeValue(ctx, buffer);
        if (bytes == NULL)
            return JS_EXCEPTION;
        int own = to[i] - BATCH_SIZE;
        if (to[i] < 0 || own >= BATCH_SIZE || (own < 0 && to[i] >= known))
            return JS_ThrowRangeError(ctx, "reply %d goes nowhere", i);
        if (offsets[i] < 0 || sizes[i] < 0 || runs[i] < 0 ||
            sizes[i] > MAX_DATAGRAM || (size_t)offsets[i] > length ||
            (uint64_t)sizes[i] * (uint64_t)runs[i] > length - (size_t)offsets[i])
            return JS_ThrowRangeError(ctx, "reply %d lies outside its buffer", i);
        SocketAddress *address = own < 0 ? &sources[to[i]] : &destinations[own];
        if (own >= 0)
            read_end(ends + own * SOURCE_SIZE, address);
        socklen_t size =
            address->any.sa_family == AF_INET ? sizeof address->ipv4 : sizeof address->ipv6;
        bytes += offsets[i];
        for (int32_t n = 0; n < runs[i]; n++, bytes += sizes[i]) {
            if (waiting == BATCH_SIZE) {
                send_all(fd, waiting, problems, problem_size, &failed);
                waiting = 0;
            }
            set_message(waiting++, bytes, (size_t)sizes[i], address, size);
        }
    }
    send_all(fd, waiting, problems, problem_size, &failed);
    return JS_NewInt32(ctx, failed);
}

/* udpSend(fd, bytes, address, scope, port): 0, or a negative errno */
static JSValue udp_send(ARGUMENTS)
{
    SocketAddress address;
    int32_t fd, problem = 0;
    size_t size;
    int failed = 0;

    NO_SELF;
    if (JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    const uint8_t *bytes = whole_array(ctx, argv[1], &size);
    socklen_t length = bytes == NULL ? 0 : socket_address(ctx, argv + 2, &address);
    if (length == 0)
        return JS_EXCEPTION;
    set_message(0, bytes, size, &address, length);
    send_all(fd, 1, &problem, 1, &failed);
    return JS_NewInt32(ctx, -problem);
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("udpOpen", 6, udp_open),
    JS_CFUNC_DEF("udpReceive", 5, udp_receive),
    JS_CFUNC_DEF("udpReply", 9, udp_reply),
    JS_CFUNC_DEF("udpSend", 5, udp_send),
};

void add_udp(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
