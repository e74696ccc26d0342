#pragma once

/*
 * "Only if something changed": ETag and If-None-Match (RFC 9110 §13), Prefer: wait (RFC 7240 §4.3).
 * An entity tag is "instance.seq": which run of the daemon, and how many changes of health content
 * it has seen. Not a hash: with a hash, bad → good while an answer is on its way looks unchanged.
 */

#include "base/cleanup.h"

#define ETAG_MAX 64u

/** etag_format() - "\"9f3c2a11d0b4e677.1841\"", with W/ in front when @weak. @buf is returned. */
char *etag_format(char buf[static ETAG_MAX], uint64_t instance, uint64_t seq, bool weak);

/** What a client says that it has already. */
enum etag_known {
        ETAG_NONE,  /* nothing, or nothing of this instance: answer with all */
        ETAG_KNOWN, /* it has *ret_seq, the highest one of this instance that it names */
        ETAG_ANY,   /* "*" */
};

/** etag_known() - read If-None-Match (a list, weak comparison). @header may be NULL. */
enum etag_known etag_known(const char *header, uint64_t instance, uint64_t *ret_seq);

#define WAIT_MIN_SECONDS 1u
#define WAIT_MAX_SECONDS 60u

/**
 * prefer_wait() - the seconds of "Prefer: wait=25"
 *
 * Other preferences and their parameters are skipped (RFC 7240 §2). Clamped to the limits above.
 * Return: 0 when there is no (usable) wait.
 */
unsigned prefer_wait(const char *header);
