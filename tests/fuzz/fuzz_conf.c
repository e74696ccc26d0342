/* Any text: conf_parse() returns, its setters see clean strings, its errors name a line. */

#include <ctype.h>

#include "base/conf.h"
#include "tests/fuzz/fuzz.h"

#define NAME "fuzz.conf"

struct seen {
        unsigned n_lines, n_errors;
};

static int set_any(void *target, const struct conf_value *v, struct err *e)
{
        (void)target;
        MUST(v->section && v->argument && v->key && v->value);
        MUST(streq(v->section, "Unit") == !str_empty(v->argument));
        MUST(!strpbrk(v->value, "\n") && !isspace((unsigned char)v->value[0]));
        MUST(strlen(v->value) <= CONF_LINE_MAX_BYTES);
        return v->value[0] == 'b' ? err_set(e, -1, "%s", v->value) : 0;
}

static void on_error(const struct err *e, void *userdata)
{
        struct seen *seen = userdata;
        unsigned line = 0;

        seen->n_errors++;
        MUST(e->code < 0);
        MUST(sscanf(e->text, NAME ":%u: ", &line) == 1);
        MUST(line > 0 && line <= seen->n_lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct conf_key keys[] = {
                {"Server", "Listen", false, set_any},
                {"Server", "Name",   false, set_any},
                {"Unit",   "Title",  true,  set_any},
                {NULL,     NULL,     false, NULL   },
        };
        struct seen seen = {.n_lines = 1};
        int r;

        for (size_t i = 0; i < size; i++)
                seen.n_lines += data[i] == '\n';
        r = conf_parse((const char *)data, size, NAME, keys, NULL, on_error, &seen);
        MUST((r < 0) == (seen.n_errors > 0));
        return 0;
}
