#pragma once

/* Where does an HTTP answer end? Its bytes are counted, not kept. */

#include "bench/wire.h"

#define ANSWER_HEAD_MAX 4096u

/** Zero it before each answer. */
struct answer_scan {
        char head[ANSWER_HEAD_MAX + 1];
        size_t n_head; /* of these; the rest of what was read with them is accounted for */
        bool has_head, chunked, to_end;
        bool in_chunk_end,
                last_chunk; /* between chunks: its size, or what follows it, is being read */
        char size[24];
        size_t n_size;
        uint64_t n_left; /* of the body, or of the chunk */
        unsigned status;
        char etag[80];
        uint64_t n_bytes; /* all that has come, head included */
};

/**
 * answer_scan_read() - read what is there
 * Return: 1 when the answer is whole, 0 when there is no more for now, -errno; -EBADMSG: not HTTP.
 */
int answer_scan_read(struct answer_scan *a, struct wire *w);
