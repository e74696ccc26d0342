/* The plan as others may know it, written. */

#include "base/json_write.h"
#include "bundles/plan.h"
#include "bundles/plan_list.h"

static void write_source(struct json_writer *w, const struct source *s)
{
        jw_begin_object(w);
        jw_member_string(w, "kind", source_kind_to_string(s->kind));
        jw_member_string(w, "id", s->id);
        jw_member_string_or_null(w, "name", s->name);
        jw_member_bool(w, "optional", s->optional);
        if (s->way == SOURCE_WAY_HTTP) {
                if (s->port)
                        jw_member_uint(w, "port", s->port);
                jw_member_string(w, "path", s->path);
        }
        jw_end_object(w);
}

void plan_write_list(struct buf *out, const struct plan *p, enum diag_role role)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_key(&w, "sources");
        jw_begin_array(&w);
        for (size_t i = 0; i < p->n_sources; i++)
                if (source_has_role(&p->sources[i], role))
                        write_source(&w, &p->sources[i]);
        jw_end_array(&w);
        jw_end_object(&w);
        buf_putc(out, '\n');
}

void plan_list_done(struct plan_list *l)
{
        for (size_t i = 0; i < l->n; i++) {
                free(l->sources[i].id);
                free(l->sources[i].name);
                free(l->sources[i].path);
        }
        free(l->sources);
        *l = (struct plan_list){0};
}

const struct plan_list_source *plan_list_find(const struct plan_list *l, enum source_kind kind,
                                              const char *id)
{
        for (size_t i = 0; i < l->n; i++)
                if (l->sources[i].kind == kind && streq(l->sources[i].id, id))
                        return &l->sources[i];
        return NULL;
}
