/*
 * What all sockets have in common, and the addresses of this host.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "socket.h"

static const uint8_t MAPPED[12] = { [10] = 0xff, [11] = 0xff };

socklen_t socket_address(JSContext *ctx, JSValueConst *argv, SocketAddress *address)
{
    size_t size;
    int32_t scope, port;
    const uint8_t *bytes = whole_array(ctx, argv[0], &size);

    if (bytes == NULL || JS_ToInt32(ctx, &scope, argv[1]) < 0 ||
        JS_ToInt32(ctx, &port, argv[2]) < 0)
        return 0;
    if (size != ADDRESS_SIZE || port < 0 || port > 0xffff) {
        JS_ThrowRangeError(ctx, "no address of a socket");
        return 0;
    }
    uint8_t end[END_SIZE];
    uint16_t network_port = htons((uint16_t)port);
    memcpy(end, bytes, ADDRESS_SIZE);
    memcpy(end + ADDRESS_SIZE, &network_port, sizeof network_port);
    socklen_t length = read_end(end, address);
    if (address->any.sa_family == AF_INET6)
        address->ipv6.sin6_scope_id = (uint32_t)scope;
    return length;
}

socklen_t read_end(const uint8_t *end, SocketAddress *address)
{
    memset(address, 0, sizeof *address);
    if (memcmp(end, MAPPED, sizeof MAPPED) == 0) {
        address->ipv4.sin_family = AF_INET;
        memcpy(&address->ipv4.sin_port, end + ADDRESS_SIZE, 2);
        memcpy(&address->ipv4.sin_addr, end + sizeof MAPPED, 4);
        return sizeof address->ipv4;
    }
    address->ipv6.sin6_family = AF_INET6;
    memcpy(&address->ipv6.sin6_port, end + ADDRESS_SIZE, 2);
    memcpy(&address->ipv6.sin6_addr, end, ADDRESS_SIZE);
    return sizeof address->ipv6;
}

void write_end(const SocketAddress *address, uint8_t *end)
{
    if (address->any.sa_family == AF_INET) {
        memcpy(end, MAPPED, sizeof MAPPED);
        memcpy(end + sizeof MAPPED, &address->ipv4.sin_addr, 4);
        memcpy(end + ADDRESS_SIZE, &address->ipv4.sin_port, 2);
        return;
    }
    memcpy(end, &address->ipv6.sin6_addr, ADDRESS_SIZE);
    memcpy(end + ADDRESS_SIZE, &address->ipv6.sin6_port, 2);
}

int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

int give_up(int fd)
{
    int problem = errno;

    if (fd >= 0)
        close(fd);
    errno = problem;
    return -1;
}

int open_socket(const SocketAddress *address, int type, int protocol)
{
    int family = address->any.sa_family;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

    if (fd >= 0 && family == AF_INET6 && type != SOCK_RAW &&
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0)
        return give_up(fd);
    return fd;
}

/* ends(fd, bytes): writes the own end; and the other one, where there is room for it */
static JSValue ends(ARGUMENTS)
{
    int32_t fd;
    size_t size;
    SocketAddress address;
    socklen_t length = sizeof address;

    NO_SELF;
    uint8_t *bytes = whole_array(ctx, argv[1], &size);
    if (bytes == NULL || JS_ToInt32(ctx, &fd, argv[0]) < 0)
        return JS_EXCEPTION;
    if (size < END_SIZE)
        return JS_ThrowRangeError(ctx, "no room for an address");
    if (getsockname(fd, &address.any, &length) < 0)
        return result_of(ctx, -1);
    write_end(&address, bytes);
    if (size < 2 * END_SIZE)
        return JS_NewInt32(ctx, 0);
    length = sizeof address;
    if (getpeername(fd, &address.any, &length) < 0)
        return result_of(ctx, -1);
    write_end(&address, bytes + END_SIZE);
    return JS_NewInt32(ctx, 0);
}

/* interfaceIndex(name): above 0, or ENODEV */
static JSValue interface_index(ARGUMENTS)
{
    NO_SELF;
    const char *name = JS_ToCString(ctx, argv[0]);
    if (name == NULL)
        return JS_EXCEPTION;
    unsigned index = if_nametoindex(name);
    JS_FreeCString(ctx, name);
    return JS_NewInt32(ctx, index == 0 ? -ENODEV : (int32_t)index);
}

/* localAddresses(bytes): writes as many addresses as there is room for, and returns how many */
static JSValue local_addresses(ARGUMENTS)
{
    size_t size;
    struct ifaddrs *all;
    int32_t count = 0;
    uint8_t end[END_SIZE];

    NO_SELF;
    uint8_t *bytes = whole_array(ctx, argv[0], &size);
    if (bytes == NULL)
        return JS_EXCEPTION;
    if (getifaddrs(&all) < 0)
        return result_of(ctx, -1);
    for (struct ifaddrs *each = all; each != NULL; each = each->ifa_next) {
        SocketAddress address;
        int family = each->ifa_addr == NULL ? AF_UNSPEC : each->ifa_addr->sa_family;
        if ((family != AF_INET && family != AF_INET6) || !(each->ifa_flags & IFF_UP))
            continue;
        if ((size_t)(count + 1) * ADDRESS_SIZE > size)
            break;
        memcpy(&address, each->ifa_addr,
               family == AF_INET ? sizeof address.ipv4 : sizeof address.ipv6);
        write_end(&address, end);
        memcpy(bytes + (size_t)count * ADDRESS_SIZE, end, ADDRESS_SIZE);
        count++;
    }
    freeifaddrs(all);
    return JS_NewInt32(ctx, count);
}

/*
 * sendLocal(to, bytes): sends a datagram to a unix socket, a path or "@" and an abstract name, without
 * waiting
 */
static JSValue send_local(ARGUMENTS)
{
    size_t size, length;
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    NO_SELF;
    uint8_t *bytes = whole_array(ctx, argv[1], &size);
    if (bytes == NULL)
        return JS_EXCEPTION;
    const char *to = JS_ToCStringLen(ctx, &length, argv[0]);
    if (to == NULL)
        return JS_EXCEPTION;
    int is_abstract = to[0] == '@';
    int fits = length < sizeof address.sun_path;
    if (fits) {
        memcpy(address.sun_path, to, length);
        if (is_abstract)
            address.sun_path[0] = 0;
    }
    JS_FreeCString(ctx, to);
    if (!fits)
        return JS_NewInt32(ctx, -ENAMETOOLONG);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return result_of(ctx, -1);
    /* Every byte of an abstract name counts; a path ends with a zero. */
    socklen_t used = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length +
                                 (is_abstract ? 0 : 1));
    ssize_t sent = sendto(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL,
                          (struct sockaddr *)&address, used);
    JSValue result = result_of(ctx, sent < 0 ? -1 : 0);
    close(fd);
    return result;
}

/* Reads a path, and makes a socket for it. A file descriptor, a negative errno, or -1 and an exception. */
static int stream_for(JSContext *ctx, JSValueConst path, struct sockaddr_un *address, int *failed)
{
    size_t length;
    const char *name = JS_ToCStringLen(ctx, &length, path);

    *failed = name == NULL;
    if (name == NULL)
        return -1;
    address->sun_family = AF_UNIX;
    int fits = length < sizeof address->sun_path;
    if (fits)
        memcpy(address->sun_path, name, length + 1);
    JS_FreeCString(ctx, name);
    if (!fits)
        return -ENAMETOOLONG;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* localListen(path, backlog): a file descriptor; only the owner may connect (unix(7)) */
static JSValue local_listen(ARGUMENTS)
{
    int32_t backlog;
    int failed;
    struct sockaddr_un address = { 0 };

    NO_SELF;
    if (JS_ToInt32(ctx, &backlog, argv[1]) < 0)
        return JS_EXCEPTION;
    int fd = stream_for(ctx, argv[0], &address, &failed);
    if (failed)
        return JS_EXCEPTION;
    if (fd < 0)
        return JS_NewInt32(ctx, fd);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return result_of(ctx, give_up(fd));
    if (chmod(address.sun_path, 0600) < 0 || listen(fd, backlog) < 0) {
        unlink(address.sun_path);
        return result_of(ctx, give_up(fd));
    }
    return JS_NewInt32(ctx, fd);
}

/* localConnect(path): a file descriptor; a unix socket is connected at once, or not at all */
static JSValue local_connect(ARGUMENTS)
{
    int failed;
    struct sockaddr_un address = { 0 };

    NO_SELF;
    int fd = stream_for(ctx, argv[0], &address, &failed);
    if (failed)
        return JS_EXCEPTION;
    if (fd < 0)
        return JS_NewInt32(ctx, fd);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return result_of(ctx, give_up(fd));
    return JS_NewInt32(ctx, fd);
}

static const JSCFunctionListEntry FUNCTIONS[] = {
    JS_CFUNC_DEF("ends", 2, ends),
    JS_CFUNC_DEF("interfaceIndex", 1, interface_index),
    JS_CFUNC_DEF("localAddresses", 1, local_addresses),
    JS_CFUNC_DEF("sendLocal", 2, send_local),
    JS_CFUNC_DEF("localListen", 2, local_listen),
    JS_CFUNC_DEF("localConnect", 1, local_connect),
};

void add_network(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, FUNCTIONS, COUNT(FUNCTIONS));
}
