/*
 * Raw UDP sockets. lib/host/linux/raw_udp.ts, raw_socket.ts and socket_filter.ts are the same for
 * runtimes with an FFI, and say why it is so.
 *
 * Sources: raw(7), udp(7), ip(7), ipv6(7), socket(7), bpf(4); RFC 768 for the header.
 */
#include "raw.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "socket.h"

/* What linux/filter.h has: kernel headers are not everywhere. */
typedef struct {
    uint16_t code;
    /* While the program is being made: where to go on. */
    uint8_t if_true, if_false;
    uint32_t value;
} Instruction;

typedef struct {
    unsigned short length;
    const Instruction *instructions;
} Program;

/* Of what is loaded: behind the IP header where a socket sees that. */
enum { LOAD_WORD = 0x20, LOAD_HALF = 0x28, INDEXED = 0x20 };
enum {
    LOAD_IPV4_HEADER_SIZE = 0xb1,
    SUBTRACT = 0x14,
    MODULO = 0x94,
    JUMP_IF_EQUAL = 0x15,
    JUMP_IF_GREATER = 0x25,
    JUMP_IF_AT_LEAST = 0x35,
    RETURN = 0x06,
    WHOLE = 0xffff,
};
enum { NEXT, JUDGE, TAKE, DROP };
enum { UDP_FROM = 0, UDP_TO = 2 };
enum { WIREGUARD_TYPES = 4, MIN_WIREGUARD_SIZE = 32 };

int hear(int fd, const Heard *heard)
{
    Instruction all[24];
    size_t n = 0, places[4] = { 0 };
    uint16_t indexed = heard->is_ipv4 ? INDEXED : 0;
    uint32_t last = (uint32_t)heard->first + (uint32_t)heard->count - 1;

#define ADD(code, value, if_true, if_false) \
    (all[n++] = (Instruction){ (uint16_t)(code), if_true, if_false, (uint32_t)(value) })
    if (heard->is_ipv4)
        ADD(LOAD_IPV4_HEADER_SIZE, 0, NEXT, NEXT);
    if (heard->from != ANY_PORT) {
        ADD(LOAD_HALF + indexed, UDP_FROM, NEXT, NEXT);
        ADD(JUMP_IF_EQUAL, heard->from, NEXT, DROP);
    }
    ADD(LOAD_HALF + indexed, UDP_TO, NEXT, NEXT);
    if (heard->count == 0) {
        ADD(JUMP_IF_EQUAL, heard->to, NEXT, DROP);
    } else {
        ADD(JUMP_IF_EQUAL, heard->to, JUDGE, NEXT);
        ADD(JUMP_IF_AT_LEAST, heard->first, NEXT, DROP);
        ADD(JUMP_IF_GREATER, last, DROP, NEXT);
    }
    places[JUDGE] = n;
    ADD(LOAD_HALF + indexed, UDP_LENGTH, NEXT, NEXT);
    ADD(JUMP_IF_AT_LEAST, UDP_HEADER_SIZE + MIN_WIREGUARD_SIZE, NEXT, TAKE);
    if (heard->segment > 0) {
        ADD(SUBTRACT, UDP_HEADER_SIZE, NEXT, NEXT);
        ADD(MODULO, heard->segment, NEXT, NEXT);
        ADD(JUMP_IF_EQUAL, 0, TAKE, NEXT);
    }
    ADD(LOAD_WORD + indexed, UDP_HEADER_SIZE, NEXT, NEXT);
    for (uint32_t type = 1; type <= WIREGUARD_TYPES; type++)
        ADD(JUMP_IF_EQUAL, type << 24, DROP, NEXT);
    places[TAKE] = n;
    ADD(RETURN, WHOLE, NEXT, NEXT);
    places[DROP] = n;
    ADD(RETURN, 0, NEXT, NEXT);
#undef ADD

    for (size_t i = 0; i < n; i++) {
        if (all[i].if_true != NEXT)
            all[i].if_true = (uint8_t)(places[all[i].if_true] - i - 1);
        if (all[i].if_false != NEXT)
            all[i].if_false = (uint8_t)(places[all[i].if_false] - i - 1);
    }
    const Program program = { (unsigned short)n, all };
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

int open_raw(const Heard *heard)
{
    const SocketAddress address = { .any.sa_family = heard->is_ipv4 ? AF_INET : AF_INET6 };
    int fd = open_socket(&address, SOCK_RAW, IPPROTO_UDP);

    if (fd < 0 || hear(fd, heard) < 0 ||
        (!heard->is_ipv4 && set_option(fd, IPPROTO_IPV6, IPV6_CHECKSUM, UDP_CHECKSUM) < 0))
        return give_up(fd);
    return fd;
}

void drain(int fd)
{
    uint8_t early;

    while (recv(fd, &early, sizeof early, MSG_DONTWAIT) >= 0)
        ;
}

void write_udp_header(uint8_t *header, uint16_t from, uint16_t to, size_t size)
{
    const uint16_t fields[] = {
        htons(from),
        htons(to),
        htons((uint16_t)(UDP_HEADER_SIZE + size)),
        0,
    };

    memcpy(header, fields, sizeof fields);
}

size_t udp_header_at(const uint8_t *packet, int is_ipv4)
{
    return is_ipv4 ? (size_t)(packet[0] & 15) * 4 : 0;
}

static int ports_of(JSContext *ctx, JSValueConst *argv, Heard *heard)
{
    int32_t family, to, first, count;

    if (JS_ToInt32(ctx, &family, argv[0]) < 0 || JS_ToInt32(ctx, &to, argv[1]) < 0 ||
        JS_ToInt32(ctx, &first, argv[2]) < 0 || JS_ToInt32(ctx, &count, argv[3]) < 0)
        return -1;
    if (to < 0 || to > 0xffff || first < 0 || first > 0xffff || count < 0 ||
        count > 0x10000 - first) {
        JS_ThrowRangeError(ctx, "no ports");
        return -1;
    }
    *heard = (Heard){ family == 4, ANY_PORT, (uint16_t)to, (uint16_t)first, count, 0 };
    return 0;
}

/* rawOpen(family, port, first, count, mark): a file descriptor. `family` is 4 or 6 */
static JSValue raw_open(ARGUMENTS)
{
    Heard heard;
    int32_t mark;

    NO_SELF;
    if (ports_of(ctx, argv, &heard) < 0 || JS_ToInt32(ctx, &mark, argv[4]) < 0)
        return JS_EXCEPTION;
    int fd = open_raw(&heard);
    if (fd < 0)
        return result_of(ctx, -1);
    if (mark != 0 && set_option(fd, SOL_SOCKET, SO_MARK, mark) < 0)
        return result_of(ctx, give_up(fd));
    drain(fd);
    return JS_NewInt32(ctx, fd);
}

/* rawHear(fd, family, port, first, count): hears `count` ports from `first` on as well */
static JSValue raw_hear(ARGUMENTS)
{
    Heard heard;
    int32_t fd;

    NO_SELF;
    if (JS_ToInt32(ctx, &fd, argv[0]) < 0 || ports_of(ctx, argv + 1, &heard) < 0)
        return JS_EXCEPTION;
    return result_of(ctx, hear(fd, &heard));
}

/*
 * rawReceive(fd, family, payloads, lengths, sources, ports): fills a batch, and returns how many there
 * are, or a negative errno. `ports` is a Uint16Array: where each was sent to.
 */
static JSValue raw_receive(ARGUMENTS)
{
    static uint8_t packet[MAX_IPV4_HEADER_SIZE + UDP_HEADER_SIZE + SLOT_SIZE];
    int32_t fd, family;
    int count = 0;

    NO_SELF;
    JSValue start = JS_NewInt32(ctx, 0);
    if (JS_ToInt32(ctx, &fd, argv[0]) < 0 || JS_ToInt32(ctx, &family, argv[1]) < 0)
        return JS_EXCEPTION;
    uint8_t *payloads = bytes_at(ctx, argv[2], start, BATCH_SIZE * SLOT_SIZE);
    int32_t *lengths = payloads == NULL ? NULL : ints_of(ctx, argv[3], BATCH_SIZE);
    uint8_t *ends = lengths == NULL ? NULL : bytes_at(ctx, argv[4], start, BATCH_SIZE * END_SIZE);
    uint8_t *ports = ends == NULL ? NULL : bytes_at(ctx, argv[5], start, BATCH_SIZE * 2);
    if (ports == NULL)
        return JS_EXCEPTION;
    /* Those that are none of ours count here, so that many of them take no turn of others. */
    for (int tries = 0; tries < BATCH_SIZE; tries++) {
        SocketAddress source;
        socklen_t source_size = sizeof source;
        ssize_t size = recvfrom(fd, packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC, &source.any,
                                &source_size);
        if (size < 0 && tries == 0)
            return result_of(ctx, -1);
        if (size < 0)
            break;
        size_t header = udp_header_at(packet, family == 4), before = header + UDP_HEADER_SIZE;
        if (size > (ssize_t)sizeof packet || (size_t)size < before ||
            (size_t)size - before > SLOT_SIZE)
            continue;
        lengths[count] = (int32_t)((size_t)size - before);
        memcpy(payloads + count * SLOT_SIZE, packet + before, (size_t)size - before);
        write_end(&source, ends + count * END_SIZE);
        memcpy(ends + count * END_SIZE + ADDRESS_SIZE, packet + header + UDP_FROM, 2);
        uint16_t port = (uint16_t)(packet[header + UDP_TO] << 8 | packet[header + UDP_TO + 1]);
        memcpy(ports + count * 2, &port, sizeof port);
        count++;
    }
    return JS_NewInt32(ctx, count);
}

/*
 * rawSend(fd, bytes, address, scope, port, from, ttl): from the port `from`, with so many hops; 0 is as
 * many as the system gives
 */
static JSValue raw_send(ARGUMENTS)
{
    SocketAddress to;
    int32_t fd, port, from, ttl;
    size_t size;
    uint8_t header[UDP_HEADER_SIZE];
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = { 0 };

    NO_SELF;
    const uint8_t *bytes = whole_array(ctx, argv[1], &size);
    if (bytes == NULL || JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    socklen_t to_size = socket_address(ctx, argv + 2, &to);
    if (to_size == 0 || JS_ToInt32(ctx, &port, argv[4]) < 0 ||
        JS_ToInt32(ctx, &from, argv[5]) < 0 || JS_ToInt32(ctx, &ttl, argv[6]) < 0)
        return JS_EXCEPTION;
    /* A raw socket sends to addresses without a port. */
    int is_ipv4 = to.any.sa_family == AF_INET;
    if (is_ipv4)
        to.ipv4.sin_port = 0;
    else
        to.ipv6.sin6_port = 0;
    write_udp_header(header, (uint16_t)from, (uint16_t)port, size);
    struct iovec pieces[] = {
        { .iov_base = header, .iov_len = sizeof header },
        { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size },
    };
    struct msghdr message = { .msg_name = &to.any,
                              .msg_namelen = to_size,
                              .msg_iov = pieces,
                              .msg_iovlen = COUNT(pieces) };
    if (ttl != 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *first = CMSG_FIRSTHDR(&message);
        first->cmsg_level = is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
        first->cmsg_type = is_ipv4 ? IP_TTL : IPV6_HOPLIMIT;
        first->cmsg_len = CMSG_LEN(sizeof(int));
        const int hops = ttl;
        memcpy(CMSG_DATA(first), &hops, sizeof hops);
    }
    ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN)
        errno = ENOBUFS;
    return result_of(ctx, sent);
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("rawOpen", 5, raw_open),
    JS_CFUNC_DEF("rawHear", 5, raw_hear),
    JS_CFUNC_DEF("rawReceive", 6, raw_receive),
    JS_CFUNC_DEF("rawSend", 7, raw_send),
};

void add_raw(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
