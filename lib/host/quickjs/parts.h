/*
 * The program as the build has packed it: the bytecode of the files of its bundle.
 */
#include <stdint.h>

typedef struct {
    /* As others import it. */
    const char *name;
    /* In the zlib format (RFC 1950). */
    const uint8_t *packed;
    uint32_t packed_size;
    /* Unpacked. */
    uint32_t size;
} Part;

/* The first one is run. */
extern const Part parts[];
extern const uint32_t part_count;
