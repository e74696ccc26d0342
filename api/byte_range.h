#pragma once

/*
 * A part of something, asked for by "Range" (RFC 9110 §14), and the dates of HTTP (§5.6.7), by which a client
 * says which state of it he has. Strangers write both: what cannot be read is as if it were not there.
 * Pure, any thread, fuzzed.
 */

#include "base/cleanup.h"

enum byte_range {
        BYTE_RANGE_NONE = 0, /* all of it: nothing usable is asked for, or several parts */
        BYTE_RANGE_PART,
        BYTE_RANGE_BEYOND, /* nothing of it is there: 416 */
};

/**
 * byte_range_read() - "bytes=0-499", "bytes=500-", "bytes=-500"
 * @header: may be NULL
 * @size:   of all of it
 * @ret_from, @ret_n: what is there of the part; only of a PART, which is never empty
 */
enum byte_range byte_range_read(const char *header, uint64_t size, uint64_t *ret_from,
                                uint64_t *ret_n);

#define HTTP_DATE_MAX 32u

/** http_date_format() - "Sun, 06 Nov 1994 08:49:37 GMT". @buf is returned. */
char *http_date_format(char buf[static HTTP_DATE_MAX], uint64_t wall_usec);

/** http_date_parse() - the same, and the two obsolete forms. Whole seconds. 0 or -EINVAL */
int http_date_parse(uint64_t *ret_wall_usec, const char *s);
