/*
 * Answers are kept as they came beside what was read from them. A view that is stale has no entity tag,
 * so the master does not wait, and may say the same again: then its number tells.
 */

#include <errno.h>
#include <stdio.h>

#include "base/mono.h"
#include "cli/inquiry.h"
#include "cli/path.h"
#include "cli/refusal.h"
#include "cli/verb.h"
#include "cli/watch.h"
#include "model/report_v1.h"

void inquiry_done(struct inquiry *q)
{
        buf_done(&q->raw);
        buf_done(&q->refused);
        buf_done(&q->last_line);
}

bool inquiry_take(struct inquiry *q, int option, const char *value)
{
        switch (option) {
        case INQUIRY_OPTION_JSON:
                q->json = true;
                return true;
        case 'w':
                q->watch = true;
                return true;
        default:
                return client_options_take(&q->whom, option, value);
        }
}

/* --- ask ------------------------------------------------------------------------------------------ */

static int keep_refusal(struct inquiry *q, unsigned status, struct buf *json, struct err *e)
{
        _cleanup_(buf_done) struct buf why = {0};

        buf_done(&q->refused);
        q->refused_status = status;
        q->refused = *json;
        *json = (struct buf){.max = json->max};
        refusal_describe(&why, status, &q->refused);
        (void)err_set(e, -EPROTO, "%s: %s", q->client.who, buf_cstr(&why));
        return INQUIRY_REFUSED;
}

int inquiry_get(struct inquiry *q, const char *path, bool known, struct buf *json, struct err *e)
{
        char etag[CLIENT_ETAG_MAX] = "";
        unsigned status = 0;
        int r = client_get(&q->client, path, known ? q->etag : "", &status, json, etag, e);

        if (r != 0)
                return r;
        if (status != 200)
                return keep_refusal(q, status, json, e);
        memcpy(q->etag, etag, sizeof(q->etag));
        return 0;
}

void inquiry_keep(struct inquiry *q, const struct buf *json, bool whole)
{
        if (!q->json)
                return;
        if (whole && !q->watch)
                buf_append(&q->raw, json->data, json->n);
        else
                watch_put_json(&q->raw, json);
}

int inquiry_misunderstood(const struct inquiry *q, int r, struct err *e)
{
        (void)err_prefix(e, "%s says what we do not understand: ", q->client.who);
        return r;
}

/* The tag of a list is that of its first page. */
static int get_page(struct inquiry *q, const struct buf *path, const char *token, struct buf *json,
                    struct err *e)
{
        _cleanup_(buf_done) struct buf whole = {.max = CLIENT_PATH_MAX};
        char limit[16], etag[CLIENT_ETAG_MAX];
        int r;

        (void)snprintf(limit, sizeof(limit), "%u", INQUIRY_PAGE_ROWS);
        buf_puts(&whole, buf_cstr(path));
        path_append_query(&whole, "limit", limit);
        path_append_query(&whole, "after", *token ? token : NULL);
        if (whole.error)
                return err_set(e, whole.error, "that is too long to be asked for");
        memcpy(etag, q->etag, sizeof(etag));
        r = inquiry_get(q, buf_cstr(&whole), !*token, json, e);
        if (*token)
                memcpy(q->etag, etag, sizeof(etag));
        return r;
}

int inquiry_pages(struct inquiry *q, const struct buf *path,
                  int (*add)(void *userdata, const struct buf *json, const char **ret_next,
                             struct err *e),
                  void *userdata, struct err *e)
{
        const char *token = "";

        for (size_t i = 0; i < INQUIRY_PAGES_MAX; i++) {
                _cleanup_(buf_done) struct buf json = {.max = CLUSTER_JSON_MAX};
                int r = get_page(q, path, token, &json, e);

                if (r != 0)
                        return r;
                r = add(userdata, &json, &token, e);
                if (r < 0)
                        return inquiry_misunderstood(q, r, e);
                inquiry_keep(q, &json, i == 0 && !*token);
                if (!*token)
                        return 0;
        }
        return err_set(e, -E2BIG, "%s has more than %u pages of it", q->client.who,
                       INQUIRY_PAGES_MAX);
}

/* --- show ----------------------------------------------------------------------------------------- */

/* Our clock, unless it is clearly slow: the view was made before now. */
static uint64_t find_now(const struct cluster_view *v)
{
        uint64_t ours = now_wall_usec();
        uint64_t theirs = v->age_usec == USEC_INFINITY ? 0 : v->as_of_wall_usec + v->age_usec;

        return theirs > ours ? theirs : ours;
}

/* A line that says what the last one said is none. */
static void put_line(struct buf *out, struct inquiry *q, const struct inquiry_ops *ops,
                     uint64_t now_wall_usec)
{
        _cleanup_(buf_done) struct buf line = {0};
        char time[RFC3339_MAX];

        ops->line(&line, q);
        if (q->n_shown > 0 && streq(buf_cstr(&line), buf_cstr(&q->last_line)))
                return;
        buf_printf(out, "%s %s\n", rfc3339_format(time, now_wall_usec), buf_cstr(&line));
        buf_done(&q->last_line);
        q->last_line = line;
        line = (struct buf){0};
}

static void put_text(struct buf *out, struct inquiry *q, const struct inquiry_ops *ops)
{
        const struct term term = term_of(STDOUT_FILENO);
        uint64_t now = find_now(ops->view(q));

        if (q->watch && !term.is_tty && ops->line) {
                put_line(out, q, ops, now);
                return;
        }
        if (q->watch)
                watch_put_start(out, &term, q->n_shown, now);
        ops->draw(out, q, &term, now);
}

static int show(struct inquiry *q, const struct inquiry_ops *ops)
{
        _cleanup_(buf_done) struct buf out = {0};
        int r, status = diag_v1_health(ops->health(q));

        if (q->json)
                buf_append(&out, q->raw.data, q->raw.n);
        else
                put_text(&out, q, ops);
        watch_leave_with(status);
        r = q->raw.error ? q->raw.error : term_flush(STDOUT_FILENO, &out);
        if (r < 0) {
                term_complain(q->who, "cannot write: %s", strerror(-r));
                return EXIT_COULD_NOT;
        }
        q->n_shown++;
        return status;
}

static int complain(const struct inquiry *q, int r, const struct err *e)
{
        term_complain(q->who, "%s%s", e->text, client_advice(&q->client, r));
        return EXIT_COULD_NOT;
}

/* --- go on ---------------------------------------------------------------------------------------- */

struct again {
        struct inquiry *q;
        const struct inquiry_ops *ops;
};

/* What tells two views apart that have no tag. */
struct view_mark {
        char instance[64];
        uint64_t seq;
        enum diag_health health;
        bool tagged;
};

static struct view_mark mark(const struct again *a)
{
        const struct cluster_view *v = a->ops->view(a->q);
        struct view_mark m = {
                .seq = v->seq,
                .health = a->ops->health(a->q),
                .tagged = *a->q->etag,
        };

        (void)snprintf(m.instance, sizeof(m.instance), "%s", v->instance);
        return m;
}

/* All of it, or what was known stays: documents, and the tag that names them. */
static int look(struct inquiry *q, const struct inquiry_ops *ops, struct err *e)
{
        struct buf raw = q->raw;
        char etag[CLIENT_ETAG_MAX];
        int r;

        memcpy(etag, q->etag, sizeof(etag));
        q->raw = (struct buf){0};
        r = ops->look(q, e);
        if (r == 0) {
                buf_done(&raw);
                return 0;
        }
        buf_done(&q->raw);
        q->raw = raw;
        memcpy(q->etag, etag, sizeof(etag));
        return r;
}

static int look_again(void *userdata, struct err *e)
{
        struct again *a = userdata;
        struct view_mark before = mark(a), after;
        int r = look(a->q, a->ops, e);

        if (r == CLIENT_UNCHANGED)
                return 0;
        if (r != 0)
                return r < 0 ? r : e->code;
        after = mark(a);
        return after.tagged || before.tagged || before.seq != after.seq ||
               before.health != after.health || !streq(before.instance, after.instance);
}

static int show_again(void *userdata)
{
        struct again *a = userdata;

        return show(a->q, a->ops);
}

static int watch(struct inquiry *q, const struct inquiry_ops *ops, int status)
{
        struct again again = {q, ops};
        const struct watch w = {
                .who = q->who,
                .whom = q->client.who,
                .json = q->json,
                .look_again = look_again,
                .show = show_again,
                .userdata = &again,
        };

        return watch_run(&w, status);
}

int inquiry_run(struct inquiry *q, const struct inquiry_ops *ops)
{
        struct err e = {0};
        int r, status;

        q->whom.cluster = true;
        if (client_init(&q->client, &q->whom, &e) < 0)
                return complain(q, 0, &e);
        if (q->watch)
                watch_begin();
        r = look(q, ops, &e);
        if (r == INQUIRY_REFUSED) {
                ops->refused(q);
                return EXIT_COULD_NOT;
        }
        if (r != 0)
                return complain(q, r, &e);
        status = show(q, ops);
        return q->watch ? watch(q, ops, status) : status;
}
