/*
 * What Debian's libstdc++.a and libgcc_eh.a take from glibc and musl does not have.
 *
 * _dl_find_object(3) of glibc 2.35 tells the unwinder where an address belongs; this looks it up
 * with dl_iterate_phdr(3), as the unwinder did before.
 */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* The layout that libgcc's unwinder was compiled with (glibc's <dlfcn.h> on x86-64 and AArch64). */
struct found {
    unsigned long long flags;
    void *start;
    void *end;
    void *map;
    void *eh_frame;
    unsigned long long reserved[7];
};

struct search {
    uintptr_t address;
    struct found *result;
};

/* musl has no such flag: so libstdc++ always locks. */
char __libc_single_threaded = 0;

/* Where this is missing, libgcc takes a process for one without threads. */
int __pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
    return pthread_key_create(key, destroy);
}

static int look(struct dl_phdr_info *object, size_t size, void *given)
{
    struct search *search = given;
    uintptr_t eh_frame = 0;
    int is_here = 0;

    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + header->p_vaddr;

        if (header->p_type == PT_GNU_EH_FRAME)
            eh_frame = start;
        if (header->p_type != PT_LOAD || search->address - start >= header->p_memsz)
            continue;
        is_here = 1;
        search->result->start = (void *)start;
        search->result->end = (void *)(start + header->p_memsz);
    }
    if (!is_here || eh_frame == 0)
        return 0;
    search->result->flags = 0;
    search->result->map = NULL;
    search->result->eh_frame = (void *)eh_frame;
    return 1;
}

int _dl_find_object(void *address, struct found *result)
{
    struct search search = { (uintptr_t)address, result };

    return dl_iterate_phdr(look, &search) == 1 ? 0 : -1;
}
