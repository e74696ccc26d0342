/* Any bytes as nodes.json: every node that comes out of it may be asked, and is taken by a roster. */

#include <errno.h>

#include "aggregator/memory.h"
#include "tests/fuzz/fuzz.h"

static void ignore(_unused_ void *userdata, _unused_ struct node *n)
{
}

static const struct roster_ops ops = {ignore, ignore, ignore, ignore};

static void remember(const struct found *f, void *userdata)
{
        struct node *n;

        MUST(found_check(f, NULL) == 0);
        n = roster_add(userdata, DIAG_SOURCE_MEMORY, f, NULL);
        MUST(n && streq(n->address, f->address));
        MUST(node_role(n) == f->role && node_port(n) == f->port);
        MUST(str_empty(f->node_id) || streq(node_id(n), f->node_id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(roster_freep) struct roster *r = NULL;
        _cleanup_(freep) char *copy = malloc(size ? size : 1);
        struct err e = {0};
        int k;

        MUST(copy);
        if (size)
                memcpy(copy, data, size);
        MUST(roster_new(&r, &ops, NULL) == 0);
        k = memory_from_json(copy, size, remember, r, &e);
        MUST(k == 0 || k == -EBADMSG || k == -E2BIG);
        MUST(k == 0 || (e.code < 0 && e.text[0]));
        return 0;
}
