/* Small documents: {"maintenance":…}, what has been forgotten, and the error of API v2. */

#include "cli/answer_json.h"

#define MASTERS_MAX 64u

void answer_done(struct answer *a)
{
        arena_done(&a->arena);
        *a = (struct answer){0};
}

static void read_candidates(struct answer *a, struct json_reader *r, const json_t *o)
{
        const json_t *list = json_reader_array(r, o, "candidates", ANSWER_CANDIDATES_MAX);
        size_t n = json_array_size(list);
        struct answer_candidate *c = n > 0 ? json_reader_alloc(r, n, sizeof(*c)) : NULL;

        for (size_t i = 0; c && i < n; i++) {
                const json_t *v = json_reader_item(r, list, i);

                c[i].node_id = json_reader_string(r, v, "node_id");
                c[i].address = json_reader_string(r, v, "address");
                c[i].hostname = json_reader_string(r, v, "hostname");
        }
        a->candidates = c;
        a->n_candidates = c ? n : 0;
}

static void read_answer(struct answer *a, struct json_reader *r, const json_t *o)
{
        a->error = json_reader_string(r, o, "error");
        a->tells_maintenance = json_object_get(o, "maintenance") != NULL;
        a->maintenance = json_reader_maintenance(r, o, "maintenance");
        a->held_by = json_reader_string(r, o, "held_by");
        a->reason = json_reader_string(r, o, "reason");
        a->node_id = json_reader_string(r, o, "node_id");
        a->address = json_reader_string(r, o, "address");
        a->not_reached = json_reader_words(r, o, "not_reached", MASTERS_MAX);
        read_candidates(a, r, o);
}

int answer_from_json(struct answer *ret, const char *text, size_t n, struct err *e)
{
        _cleanup_(answer_done) struct answer a = {0};
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct json_reader r = {.arena = &a.arena, .e = e};
        int k;

        o = json_reader_parse(&r, text, n, ANSWER_JSON_MAX);
        if (o)
                read_answer(&a, &r, o);
        k = json_reader_end(&r);
        if (k < 0)
                return k;
        *ret = a;
        a = (struct answer){0};
        return 0;
}
