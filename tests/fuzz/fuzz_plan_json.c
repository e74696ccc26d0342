/*
 * Any bytes as a file of the plan, ours or DC/OS's: what is accepted has a name that an archive can hold, a way to be
 * read that is whole, and limits; what is refused is refused by name.
 */

#include <errno.h>
#include <string.h>

#include "bundles/plan_json.h"
#include "bundles/plan_name.h"
#include "model/unit_name.h"
#include "tests/fuzz/fuzz.h"

static void must_be_whole(const struct source *s)
{
        char name[SOURCE_ID_MAX];

        MUST(s->id && *s->id && strlen(s->id) < SOURCE_ID_MAX && s->file);
        MUST(s->timeout_usec > 0 && s->timeout_usec <= PLAN_TIMEOUT_MAX);
        MUST(s->max_bytes > 0 && s->max_bytes <= PLAN_BYTES_MAX);
        MUST(!s->name || plan_name_is_clean(s->name));
        MUST(s->name || (s->way == SOURCE_WAY_FILE && strpbrk(s->path, "*?[")));
        switch (s->way) {
        case SOURCE_WAY_JOURNAL:
                MUST(s->kind == SOURCE_JOURNAL && (!s->unit || unit_name_is_unit(s->unit)));
                break;
        case SOURCE_WAY_FILE:
                MUST(*s->path == '/' && plan_name_of_path(name, sizeof(name), s->path) == 0);
                break;
        case SOURCE_WAY_COMMAND:
                MUST(s->argv && s->argv[0] && *s->argv[0]);
                break;
        case SOURCE_WAY_HTTP:
                MUST(*s->path == '/' && !strpbrk(s->path, " \r\n") && !s->port == !!s->socket);
                break;
        case SOURCE_WAY_HEALTH:
                MUST(false);
        }
}

static void read_it(const uint8_t *data, size_t size, bool foreign)
{
        struct buf warnings = {.max = 65536};
        struct plan_text t;
        struct err e = {0};
        int k = plan_text_read(&t, "/etc/x.json", (const char *)data, size, foreign, &warnings, &e);

        MUST(k == 0 || k == -EINVAL || k == -E2BIG);
        MUST(foreign || warnings.n == 0 || k == 0);
        if (k < 0) {
                MUST(e.code == k && strncmp(e.text, "/etc/x.json: ", 13) == 0);
                buf_done(&warnings);
                return;
        }
        MUST(t.n <= PLAN_SOURCES_MAX && (!t.requires || *t.requires == '/'));
        MUST(!foreign || !t.requires);
        for (size_t i = 0; i < t.n; i++)
                must_be_whole(&t.entries[i].source);
        plan_text_done(&t);
        buf_done(&warnings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size > PLAN_FILE_BYTES_MAX)
                return 0;
        read_it(data, size, false);
        read_it(data, size, true);
        return 0;
}
