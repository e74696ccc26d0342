/* Any bytes as what an HTTP probe is told: a pointer, a value, each with a line of its own, and the body. */

#include <string.h>

#include "base/cleanup.h"
#include "probes/http_json.h"
#include "tests/fuzz/fuzz.h"

/* A line of the input without its end, as a string; moves on behind it. */
static char *take_line(const uint8_t **data, size_t *size)
{
        const uint8_t *end = memchr(*data, '\n', *size);
        size_t n = end ? (size_t)(end - *data) : *size;
        char *line = strndup((const char *)*data, n);

        MUST(line);
        *data += end ? n + 1 : n;
        *size -= end ? n + 1 : n;
        return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *pointer = NULL, *value = NULL, *body = NULL;
        int is, has;

        if (size == 0)
                return 0;
        pointer = take_line(&data, &size);
        value = take_line(&data, &size);
        if (!http_json_pointer_valid(pointer))
                return 0;
        body = malloc(size ? size : 1); /* so that a byte too far is seen */
        MUST(body);
        memcpy(body, data, size);
        is = http_json_ask(body, size, pointer, value);
        has = http_json_ask(body, size, pointer, NULL);
        MUST(is >= HTTP_JSON_BROKEN && is <= HTTP_JSON_AS_EXPECTED);
        MUST((is == HTTP_JSON_BROKEN) == (has == HTTP_JSON_BROKEN));
        MUST((is == HTTP_JSON_MISSING) == (has == HTTP_JSON_MISSING));
        /* What is the value "true" is there, and is neither false nor null. */
        if (is == HTTP_JSON_AS_EXPECTED && strcmp(value, "false") != 0 &&
            strcmp(value, "null") != 0)
                MUST(has == HTTP_JSON_AS_EXPECTED);
        return 0;
}
