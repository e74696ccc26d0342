#pragma once

/*
 * Content coding (RFC 9110 §8.4, §12.5.3): gzip, for who asks for it, of answers whose handler said
 * reply_may_encode(). What was made for many is compressed once; what was made for one, if it is short
 * enough that nobody else notices.
 */

#include "api/reply.h"

#define ENCODING_BYTES_MIN       1024u /* shorter answers fit into a packet or two as they are */
#define ENCODING_FRESH_BYTES_MAX (UINT64_C(2) << 20)   /* most that is compressed for one answer */
#define ENCODING_WELL_BYTES_MAX  (UINT64_C(256) << 10) /* longer ones are compressed fast */

/**
 * encoding_accepts_gzip() - does Accept-Encoding want gzip at least as much as the plain bytes?
 * @header: may be NULL. One that cannot be read, or names gzip twice, asks for nothing.
 */
bool encoding_accepts_gzip(const char *header);

/**
 * reply_encode() - compress what is in @r, where it may be, is worth it, and @accept_encoding wants it
 *
 * Its ETag becomes a weak one, because the bytes are others; If-None-Match compares weakly. In want of
 * memory @r stays as it is.
 */
void reply_encode(struct reply *r, const char *accept_encoding);
