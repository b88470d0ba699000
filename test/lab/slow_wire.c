/*
 * Wires with a length, for the lab: `slow_wire MILLISECONDS NAME NAME [NAME NAME]...` makes pairs of
 * TUN interfaces. What goes into one comes out of the other so much later.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* Of a direction: those that are under way; what comes when it is full is lost, as in a router. */
#define SLOTS 2048
#define SIZE 2048
#define MAX_ENDS 8

struct packet {
    long long due;
    ssize_t size;
    char bytes[SIZE];
};

struct direction {
    unsigned first, count;
    struct packet *packets;
};

static long long now_us(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static int open_tun(const char *name)
{
    struct ifreq request;
    int file = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    memset(&request, 0, sizeof request);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (file < 0 || ioctl(file, TUNSETIFF, &request) != 0) {
        perror(name);
        exit(1);
    }
    return file;
}

/* Takes in what has come to an end. */
static void take(int file, struct direction *to, long long delay)
{
    for (;;) {
        struct packet *packet = &to->packets[(to->first + to->count) % SLOTS];
        char lost[SIZE];
        int full = to->count == SLOTS;
        ssize_t size = read(file, full ? lost : packet->bytes, SIZE);

        if (size < 0 && errno == EBADFD)
            exit(0); /* its namespace has gone */
        if (size <= 0)
            return;
        if (full)
            continue;
        packet->size = size;
        packet->due = now_us() + delay;
        to->count++;
    }
}

/* Gives out what is due, and says in how many microseconds the next is; -1 for none. */
static long long give(int file, struct direction *from)
{
    while (from->count > 0) {
        struct packet *packet = &from->packets[from->first];
        long long left = packet->due - now_us();

        if (left > 0)
            return left;
        /* An interface that is down takes nothing: lost. */
        if (write(file, packet->bytes, packet->size) < 0 && errno == EINTR)
            continue;
        from->first = (from->first + 1) % SLOTS;
        from->count--;
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct pollfd files[MAX_ENDS];
    struct direction directions[MAX_ENDS];
    int ends = argc - 2;
    long long delay = argc > 1 ? atoll(argv[1]) * 1000 : 0;

    if (ends < 2 || ends > MAX_ENDS || ends % 2 != 0)
        return 2;
    for (int i = 0; i < ends; i++) {
        files[i] = (struct pollfd){ .fd = open_tun(argv[2 + i]), .events = POLLIN };
        directions[i] = (struct direction){ .packets = calloc(SLOTS, sizeof(struct packet)) };
        if (directions[i].packets == NULL)
            return 1;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        long long next = -1;

        /* What goes in at end i comes out of its partner. */
        for (int i = 0; i < ends; i++) {
            long long left;

            take(files[i].fd, &directions[i], delay);
            left = give(files[i ^ 1].fd, &directions[i]);
            if (left >= 0 && (next < 0 || left < next))
                next = left;
        }
        struct timespec wait = { .tv_nsec = next % 1000000 * 1000, .tv_sec = next / 1000000 };
        if (ppoll(files, ends, next < 0 ? NULL : &wait, NULL) < 0 && errno != EINTR)
            return 1;
    }
}
