/* Any bytes as a string: jansson reads what we wrote, and reads the input if that was UTF-8. */

#include <jansson.h>

#include "base/json_write.h"
#include "tests/fuzz/fuzz.h"

static bool is_utf8(const char *s, size_t n)
{
        size_t len;

        for (; n > 0; s += len, n -= len) {
                len = utf8_sequence(s, n);
                if (!len)
                        return false;
        }
        return true;
}

static void json_decrefpp(json_t **j)
{
        json_decref(*j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(json_decrefpp) json_t *root = NULL, *judge = NULL;
        _cleanup_(buf_done) struct buf b = {0};
        struct json_writer w = {.out = &b};
        const char *text = (const char *)data;
        json_t *string;

        jw_begin_array(&w);
        jw_string_n(&w, text, size);
        jw_seconds(&w, size);
        jw_end_array(&w);
        MUST(!b.error);
        for (size_t i = 0; i < b.n; i++)
                MUST((unsigned char)b.data[i] >= 0x20 && !strchr("<>&\x7f", b.data[i]));
        root = json_loadb(b.data, b.n, JSON_ALLOW_NUL, NULL);
        MUST(root && json_array_size(root) == 2);
        string = json_array_get(root, 0);
        /* jansson has an opinion of its own on what is UTF-8; ours must be the same. */
        judge = json_stringn(text, size);
        MUST(is_utf8(text, size) == (judge != NULL));
        MUST(!judge || json_equal(string, judge));
        return 0;
}
