/*
 * What all raw UDP sockets have in common: they speak from a port that another socket owns.
 */
#ifndef WGSIG_RAW_H
#define WGSIG_RAW_H

#include <stddef.h>
#include <stdint.h>

enum { SLOT_SIZE = 2048, BATCH_SIZE = 64 };
enum { UDP_HEADER_SIZE = 8, UDP_LENGTH = 4, UDP_CHECKSUM = 6, MAX_IPV4_HEADER_SIZE = 60 };
enum { ANY_PORT = -1 };

/* What is heard: see lib/host/linux/socket_filter.ts, which says why. */
typedef struct {
    int is_ipv4;
    /* The port that datagrams come from, or ANY_PORT. */
    int from;
    /* The port that they go to, and `count` others from `first` on that they may go to. */
    uint16_t to, first;
    int count;
    /* Bytes of a page, or 0. */
    int segment;
} Heard;

/* Opens a raw socket that hears this. A file descriptor, or -1. */
int open_raw(const Heard *heard);

/* Makes it hear this, and no more what it heard before. -1 on failure. */
int hear(int fd, const Heard *heard);

/* Throws away what came before the filter was in force: it may be from anybody. */
void drain(int fd);

/* Writes the header of a datagram whose payload has `size` bytes. */
void write_udp_header(uint8_t *header, uint16_t from, uint16_t to, size_t size);

/* Where the UDP header of what a raw socket received begins. */
size_t udp_header_at(const uint8_t *packet, int is_ipv4);

#endif
