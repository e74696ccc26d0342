#pragma once

/*
 * What comes from a node, on disk until it was looked at. The file has no name: whatever ends us, nothing of it is
 * left. It stops growing at a limit, and where the disk has no more than a floor of free space left.
 */

#include "base/err.h"

struct spool {
        int fd;
        uint64_t n, max, free_floor;
        uint64_t look_at; /* n from which on the disk is asked again */
};

/** spool_open() - in @directory; @max: bytes. 0 or -errno */
int spool_open(struct spool *s, const char *directory, uint64_t max, uint64_t free_floor);
void spool_done(struct spool *s); /* also of one that was never opened, zeroed but for fd = -1 */

/** spool_write() - 0, -EFBIG (its limit), -ENOSPC (the floor), or what write(2) says. On the loop. */
int spool_write(struct spool *s, const void *data, size_t n);

/** disk_free() - bytes that are free for us where @fd is; 0: not known */
uint64_t disk_free(int fd);
