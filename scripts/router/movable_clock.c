/*
 * A clock that tests can move: linked with --wrap=clock_gettime into a binary that is never
 * released. The file that $WGSIG_TEST_CLOCK names has the seconds that the clock is ahead; it is
 * read anew each time.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

static long long seconds_ahead(void)
{
    const char *name = getenv("WGSIG_TEST_CLOCK");
    char text[32];
    int file = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : read(file, text, sizeof text - 1);

    if (file >= 0)
        close(file);
    text[size < 0 ? 0 : size] = 0;
    return atoll(text);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = __real_clock_gettime(clock, time);

    if (result == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += seconds_ahead();
    return result;
}
