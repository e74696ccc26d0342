/* The answer of an HTTP probe is foreign bytes: they are decoded here, looked at, and forgotten. */

#include <errno.h>
#include <math.h>

#include <jansson.h>

#include "probes/http_json.h"

/* A number that is too large for 64 bits is no reason to call the rest of the document broken. */
static json_t *decode(const char *text, size_t n)
{
        size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
        json_error_t e;
        json_t *j = json_loadb(text, n, flags, &e);

        if (!j && json_error_code(&e) == json_error_numeric_overflow)
                j = json_loadb(text, n, flags | JSON_DECODE_INT_AS_REAL, &e);
        return j;
}

bool http_json_pointer_valid(const char *pointer)
{
        if (*pointer && *pointer != '/')
                return false;
        for (; *pointer; pointer++)
                if (*pointer == '~' && pointer[1] != '0' && pointer[1] != '1')
                        return false;
        return true;
}

/* Copies one token of the pointer without its escapes; returns what follows it. */
static const char *take_token(const char *pointer, char *ret)
{
        for (; *pointer && *pointer != '/'; pointer++) {
                if (*pointer == '~')
                        *ret++ = *++pointer == '1' ? '/' : '~';
                else
                        *ret++ = *pointer;
        }
        *ret = '\0';
        return pointer;
}

static const json_t *list_item(const json_t *list, const char *token)
{
        size_t i = 0;

        if (!*token || token[strspn(token, "0123456789")] || (*token == '0' && token[1]))
                return NULL;
        for (; *token; token++)
                if (__builtin_mul_overflow(i, 10u, &i) ||
                    __builtin_add_overflow(i, (size_t)(*token - '0'), &i))
                        return NULL;
        return json_array_get(list, i);
}

static const json_t *find(const json_t *j, const char *pointer, char *token)
{
        while (j && *pointer) {
                pointer = take_token(pointer + 1, token);
                j = json_is_array(j) ? list_item(j, token) : json_object_get(j, token);
        }
        return j;
}

static bool number_is(const json_t *j, const char *value)
{
        long long whole;
        char *end;
        double d;

        if (!*value || value[strspn(value, "+-.0123456789Ee")])
                return false;
        errno = 0;
        whole = strtoll(value, &end, 10);
        if (json_is_integer(j) && errno == 0 && !*end) /* a double has no 64 bits */
                return whole == json_integer_value(j);
        d = strtod(value, &end);
        return !*end && isfinite(d) && d == json_number_value(j);
}

static bool scalar_is(const json_t *j, const char *value)
{
        switch (json_typeof(j)) {
        case JSON_STRING:
                return json_string_length(j) == strlen(value) && streq(json_string_value(j), value);
        case JSON_INTEGER:
        case JSON_REAL:
                return number_is(j, value);
        case JSON_TRUE:
                return streq(value, "true");
        case JSON_FALSE:
                return streq(value, "false");
        case JSON_NULL:
                return streq(value, "null");
        default:
                return false;
        }
}

int http_json_ask(const char *text, size_t n, const char *pointer, const char *value)
{
        json_auto_t *document = decode(text, n);
        _cleanup_(freep) char *token = NULL;
        const json_t *j;

        if (!document)
                return HTTP_JSON_BROKEN;
        token = malloc(strlen(pointer) + 1);
        if (!token)
                return -ENOMEM;
        j = find(document, pointer, token);
        if (!j)
                return HTTP_JSON_MISSING;
        if (value ? scalar_is(j, value) : !json_is_false(j) && !json_is_null(j))
                return HTTP_JSON_AS_EXPECTED;
        return HTTP_JSON_DIFFERENT;
}
