#pragma once

/*
 * Members of a JSON object that came over a wire: strict about the types of what is known, lenient about
 * what is missing or null, which is zero, "" or infinity. The first fault is kept, so that a decoder can
 * read on and ask once, at the end.
 */

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/report.h"

/** Begin with (struct json_reader) { .arena = …, .e = … }. */
struct json_reader {
        struct arena *arena; /* where strings go */
        struct err *e;       /* names the first fault; may be NULL */
        int error;           /* its -errno; 0: none */
};

/** A list of strings. */
struct json_words {
        const char *const *s;
        size_t n;
};

/** json_reader_parse() - the document, an object; NULL after a fault. The caller's: json_decref(). */
json_t *json_reader_parse(struct json_reader *r, const char *text, size_t n, size_t n_max);

/** json_reader_end() - 0, or the -errno of the first fault. */
int json_reader_end(struct json_reader *r);

const char *json_reader_string(struct json_reader *r, const json_t *o, const char *key);
uint64_t json_reader_uint(struct json_reader *r, const json_t *o, const char *key);
int64_t json_reader_int(struct json_reader *r, const json_t *o, const char *key);
bool json_reader_bool(struct json_reader *r, const json_t *o, const char *key);
uint64_t json_reader_time(struct json_reader *r, const json_t *o, const char *key); /* wall µs */

/** json_reader_seconds() - in µs; USEC_INFINITY: not said. */
uint64_t json_reader_seconds(struct json_reader *r, const json_t *o, const char *key);

/** json_reader_object(), json_reader_array() - borrowed; NULL: not there. */
const json_t *json_reader_object(struct json_reader *r, const json_t *o, const char *key);
const json_t *json_reader_array(struct json_reader *r, const json_t *o, const char *key,
                                size_t n_max);

/** json_reader_item() - @array[i], an object; NULL after a fault. */
const json_t *json_reader_item(struct json_reader *r, const json_t *array, size_t i);

/** json_reader_words() - at most @n_max of them. */
struct json_words json_reader_words(struct json_reader *r, const json_t *o, const char *key,
                                    size_t n_max);

/** json_reader_maintenance() - NULL: none. Its times must be there. */
const struct diag_maintenance *json_reader_maintenance(struct json_reader *r, const json_t *o,
                                                       const char *key);

/** json_reader_alloc() - zeroed, from the arena; NULL is a fault. */
void *json_reader_alloc(struct json_reader *r, size_t n, size_t size);

/**
 * json_reader_list() - @key is a list of objects: an array of @size each, and @read of each
 * Return: from the arena; NULL with *@ret_n 0: it is empty, or was not read.
 */
void *json_reader_list(struct json_reader *r, const json_t *o, const char *key, size_t n_max,
                       size_t size, void (*read)(struct json_reader *r, const json_t *o, void *ret),
                       size_t *ret_n);
