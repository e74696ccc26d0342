#pragma once

/*
 * The plan as others may know it: what there is, but not how it is read. A collector writes it (COLLECT_LIST), the
 * node daemon reads it for the old API's GET /logs.
 *
 *   {"sources":[{"kind":"http","id":"5050-quota.json","name":"5050-quota.json","optional":false,"port":5050,
 *                "path":"/quota"},{"kind":"file","id":"/var/log/a[1-9]","name":null,"optional":true} …]}
 */

#include "base/buf.h"
#include "base/err.h"
#include "bundles/source.h"

#define PLAN_LIST_BYTES_MAX   (4u << 20)
#define PLAN_LIST_SOURCES_MAX 8000u /* a plan, and three for each unit of a request */

struct plan;

/** plan_write_list() - what is for @role, in the plan's order */
void plan_write_list(struct buf *out, const struct plan *p, enum diag_role role);

struct plan_list_source {
        enum source_kind kind;
        bool optional;
        uint16_t port; /* HTTP; 0: a Unix socket */
        char *id;
        char *name; /* NULL: a glob: each file has its own */
        char *path; /* HTTP; else NULL */
};

struct plan_list {
        struct plan_list_source *sources;
        size_t n;
};

/** plan_list_read() - strict. 0, or -EINVAL, -E2BIG, -ENOMEM with @e */
int plan_list_read(struct plan_list *ret, const char *json, size_t n, struct err *e);
void plan_list_done(struct plan_list *l);
const struct plan_list_source *plan_list_find(const struct plan_list *l, enum source_kind kind,
                                              const char *id);
