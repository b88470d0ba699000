/*
 * Addresses of sockets.
 */
#ifndef WGSIG_SOCKET_H
#define WGSIG_SOCKET_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "native.h"

/* Size of an end of a connection, as JavaScript gets it: an address, and a port after it. */
enum { END_SIZE = ADDRESS_SIZE + 2 };

typedef union {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
} SocketAddress;

/*
 * Reads an address, a scope (0 is none) and a port: three arguments, the bytes of the address first.
 * Returns its size, or 0, and an exception, where they are none.
 */
socklen_t socket_address(JSContext *ctx, JSValueConst *argv, SocketAddress *address);

/* Writes an address and its port (END_SIZE bytes), IPv4 as IPv4-mapped. */
void write_end(const SocketAddress *address, uint8_t *end);

/* The other way round, without a scope. Returns the address's size. */
socklen_t read_end(const uint8_t *end, SocketAddress *address);

/* A socket that doesn't wait, IPv6 alone where it is one of that. A file descriptor, or -1. */
int open_socket(const SocketAddress *address, int type, int protocol);

/* Sets an option to a number. */
int set_option(int fd, int level, int name, int value);

/* Closes a socket that failed, and keeps errno; returns -1. */
int give_up(int fd);

#endif
