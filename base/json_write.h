#pragma once

/*
 * All JSON that leaves us is written here, appended to a buffer: no tree, no copy. Strings that are
 * not UTF-8 get U+FFFD, and '<', '>', '&', U+2028, U+2029 are escaped, as clients of the service
 * that we replace expect. (jansson only decodes.)
 */

#include "base/buf.h"

struct json_writer {
        struct buf *out; /* borrowed; ask out->error at the end */
        unsigned depth;
        bool need_comma;
};

/** Begin with (struct json_writer) { .out = &buf }. */
void jw_begin_object(struct json_writer *w);
void jw_end_object(struct json_writer *w);
void jw_begin_array(struct json_writer *w);
void jw_end_array(struct json_writer *w);
void jw_key(struct json_writer *w, const char *key);

void jw_string(struct json_writer *w, const char *s); /* NULL is "" */
void jw_string_n(struct json_writer *w, const char *s, size_t n);
void jw_uint(struct json_writer *w, uint64_t v);
void jw_int(struct json_writer *w, int64_t v);
void jw_seconds(struct json_writer *w, uint64_t usec); /* 1.5, at most three decimals */
void jw_bool(struct json_writer *w, bool v);
void jw_null(struct json_writer *w);
void jw_time(struct json_writer *w, uint64_t wall_usec); /* RFC 3339; null for 0 */

/** A key and its value. The _or_null forms write null for NULL and "". */
void jw_member_string(struct json_writer *w, const char *key, const char *s);
void jw_member_string_or_null(struct json_writer *w, const char *key, const char *s);
void jw_member_uint(struct json_writer *w, const char *key, uint64_t v);
void jw_member_bool(struct json_writer *w, const char *key, bool v);
void jw_member_time(struct json_writer *w, const char *key, uint64_t wall_usec);

/** utf8_sequence() - length of the valid UTF-8 sequence at @s (1–4), 0 when there is none. */
size_t utf8_sequence(const char *s, size_t n);

/** utf8_harmless() - the same, and 0 for what a terminal obeys: C0, DEL, C1. */
size_t utf8_harmless(const char *s, size_t n);
