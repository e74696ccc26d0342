#pragma once

/* One question to a JSON document that somebody else wrote: what stands at this place? */

#include "base/cleanup.h"

enum http_json_answer {
        HTTP_JSON_BROKEN = 0, /* not JSON */
        HTTP_JSON_MISSING,    /* nothing stands there */
        HTTP_JSON_DIFFERENT,  /* something else, or an object or a list */
        HTTP_JSON_AS_EXPECTED,
};

/** http_json_pointer_valid() - RFC 6901: "/a/0/b", with "~0" for '~' and "~1" for '/'; "" is the whole. */
bool http_json_pointer_valid(const char *pointer) _pure_;

/**
 * http_json_ask() - look
 * @pointer: valid
 * @value:   as text: that of a string, true, false, null, or a number ("1.50" is 1.5); NULL: anything
 *           but false and null is as expected
 *
 * Pure, any thread, fuzzed. Return: enum http_json_answer, or -ENOMEM.
 */
int http_json_ask(const char *text, size_t n, const char *pointer, const char *value);
