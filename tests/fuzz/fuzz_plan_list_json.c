/* Any bytes as the list of what a node has: whatever comes out of it can be looked up by its kind and id. */

#include <errno.h>

#include "bundles/plan_list.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct plan_list l = {0};
        struct err e = {0};
        int k = plan_list_read(&l, (const char *)data, size, &e);

        MUST(k == 0 || k == -EINVAL || k == -E2BIG);
        MUST(k == 0 || (e.code == k && e.text[0] && !l.sources));
        MUST(l.n <= PLAN_LIST_SOURCES_MAX);
        for (size_t i = 0; l.sources && i < l.n; i++) {
                const struct plan_list_source *s = &l.sources[i], *found;

                MUST(*s->id && (!s->name || *s->name) && (s->kind != SOURCE_HTTP || s->path));
                found = plan_list_find(&l, s->kind, s->id);
                MUST(found && found <= s);
        }
        plan_list_done(&l);
        return 0;
}
