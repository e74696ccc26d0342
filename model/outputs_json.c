/* Outputs of unhealthy components, both ways. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "base/json_write.h"
#include "model/outputs_json.h"
#include "model/report_v1.h"

/* --- writing ----------------------------------------------------------------------------------- */

static void write_one(struct json_writer *w, const struct diag_component *c, bool outputs,
                      size_t *left)
{
        _cleanup_(buf_done) struct buf text = {0};

        diag_v1_output(&text, c, outputs && *left >= DIAG_OUTPUTS_EACH_MAX, DIAG_OUTPUTS_EACH_MAX);
        if (text.n > *left)
                return;
        *left -= text.n;
        jw_begin_object(w);
        jw_member_string(w, "name", c->name);
        jw_member_string(w, "output", buf_cstr(&text));
        jw_end_object(w);
        if (text.error && !w->out->error)
                w->out->error = text.error;
}

struct blob *diag_outputs_render(const struct diag_report *r, bool outputs)
{
        static const enum diag_health order[] = {DIAG_UNHEALTHY, DIAG_UNKNOWN};
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};
        size_t left = DIAG_OUTPUTS_MAX;
        char instance[24];

        (void)snprintf(instance, sizeof(instance), "%016" PRIx64, r->instance);
        jw_begin_object(&w);
        jw_member_string(&w, "node_id", r->node.node_id);
        jw_member_string(&w, "instance", instance);
        jw_member_uint(&w, "seq", r->seq);
        jw_key(&w, "components");
        jw_begin_array(&w);
        for (size_t k = 0; k < ELEMENTSOF(order); k++)
                for (size_t i = 0; i < r->n_components; i++)
                        if (r->components[i].health == order[k])
                                write_one(&w, &r->components[i], outputs, &left);
        jw_end_array(&w);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        return blob_new_take(&out);
}

/* --- reading ----------------------------------------------------------------------------------- */

static bool is_of(const json_t *o, const struct diag_report *r)
{
        const char *instance = json_string_value(json_object_get(o, "instance"));

        return instance && strtoull(instance, NULL, 16) == r->instance;
}

static int take_one(char **outputs, const struct diag_report *r, const json_t *o, struct err *e)
{
        const char *name = json_string_value(json_object_get(o, "name"));
        const char *output = json_string_value(json_object_get(o, "output"));
        const struct diag_component *c;
        char **to;

        if (!name || !output)
                return err_set(e, -EBADMSG, "an entry of 'components' has no name, or no output");
        if (strlen(output) > DIAG_OUTPUT_MAX)
                return err_set(e, -E2BIG, "the output of %.100s is too long", name);
        c = diag_report_find(r, name);
        if (!c || c->health == DIAG_HEALTHY)
                return 0;
        to = &outputs[c - r->components];
        free(*to);
        *to = strdup(output);
        return *to ? 0 : err_set(e, -ENOMEM, "out of memory");
}

static void free_outputs(char **outputs, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(outputs[i]);
        free(outputs);
}

int diag_outputs_from_json(char ***ret, const struct diag_report *r, const char *text, size_t n,
                           struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
        const json_t *list = json_object_get(o, "components"), *v;
        char **outputs;
        size_t i;
        int k = 0;

        if (!json_is_object(o) || !json_is_array(list))
                return err_set(e, -EBADMSG, "there is no list of components");
        if (json_array_size(list) > DIAG_COMPONENTS_MAX)
                return err_set(e, -E2BIG, "there are too many components");
        if (!is_of(o, r))
                return err_set(e, -ESTALE, "it is of another run of the daemon");
        outputs = calloc(r->n_components ? r->n_components : 1, sizeof(*outputs));
        if (!outputs)
                return err_set(e, -ENOMEM, "out of memory");
        json_array_foreach (list, i, v)
                if (k >= 0)
                        k = take_one(outputs, r, v, e);
        if (k < 0) {
                free_outputs(outputs, r->n_components);
                return k;
        }
        *ret = outputs;
        return 0;
}
