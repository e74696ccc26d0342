/*
 * The Mesos id. A state can be fifty megabytes long and has its id within the first kilobyte, so that
 * only a beginning is fetched, and a scanner finds the id in it: no parser would take half a document.
 */

#include <errno.h>
#include <stdio.h>

#include "agentd/mesos_id.h"
#include "base/log.h"
#include "base/mono.h"

#define FETCH_USEC       (10 * USEC_PER_SEC)
#define FETCH_BYTES      (64u * 1024u)
#define FAILED_TICKS_MAX 60u  /* 5 min */
#define ANSWERED_TICKS   120u /* 10 min */
#define WHY_MAX          248u

struct mesos_id {
        struct fetcher *fetcher;
        char url[MESOS_URL_MAX];
        struct fetch *fetch; /* NULL: none is under way */
        unsigned ticks_left, ticks_after_failure;
        bool answered; /* by this URL */
        char id[MESOS_ID_MAX + 1];
        char why[WHY_MAX]; /* the failure that was said last */
        void (*changed)(void *userdata);
        void *userdata;
};

/* --- the beginning of a state --------------------------------------------------------------------- */

struct scanner {
        const char *p, *end;
};

static void skip_blanks(struct scanner *s)
{
        while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n'))
                s->p++;
}

static bool take(struct scanner *s, char c)
{
        skip_blanks(s);
        if (s->p == s->end || *s->p != c)
                return false;
        s->p++;
        return true;
}

/* What stands between two quotes, as it stands there. At the first quote; false: cut off. */
static bool take_string(struct scanner *s, const char **ret, size_t *ret_n)
{
        const char *begin = ++s->p;

        for (; s->p < s->end && *s->p != '"'; s->p++)
                if (*s->p == '\\' && ++s->p == s->end)
                        return false;
        if (s->p == s->end)
                return false;
        *ret = begin;
        *ret_n = (size_t)(s->p++ - begin);
        return true;
}

/* Up to the comma or bracket behind a value, however deep that is. False: cut off. */
static bool skip_value(struct scanner *s)
{
        const char *string;
        size_t n, depth = 0;

        while (s->p < s->end) {
                if (*s->p == '"') {
                        if (!take_string(s, &string, &n))
                                return false;
                        continue;
                }
                if (depth == 0 && (*s->p == ',' || *s->p == '}' || *s->p == ']'))
                        return true;
                if (*s->p == '{' || *s->p == '[')
                        depth++;
                else if (*s->p == '}' || *s->p == ']')
                        depth--;
                s->p++;
        }
        return false;
}

static bool id_is_valid(const char *id, size_t n)
{
        static const char valid[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ._:/-";

        if (n > MESOS_ID_MAX)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!id[i] || !strchr(valid, id[i]))
                        return false;
        return true;
}

static int take_id(struct scanner *s, char ret[static MESOS_ID_MAX + 1])
{
        const char *id;
        size_t n;

        skip_blanks(s);
        if (s->p == s->end)
                return -ENOENT;
        if (*s->p != '"')
                return -EBADMSG;
        if (!take_string(s, &id, &n))
                return -ENOENT;
        if (!id_is_valid(id, n))
                return -EBADMSG;
        if (n == 0)
                return -ENOENT;
        memcpy(ret, id, n);
        ret[n] = '\0';
        return 0;
}

static int take_key(struct scanner *s, const char **ret, size_t *ret_n)
{
        skip_blanks(s);
        if (s->p == s->end || *s->p == '}')
                return -ENOENT;
        if (*s->p != '"')
                return -EBADMSG;
        if (!take_string(s, ret, ret_n))
                return -ENOENT;
        if (take(s, ':'))
                return 0;
        return s->p == s->end ? -ENOENT : -EBADMSG;
}

int mesos_id_from_state(char ret[static MESOS_ID_MAX + 1], const char *text, size_t n)
{
        struct scanner s = {.p = text, .end = text + n};

        if (!take(&s, '{'))
                return -EBADMSG;
        for (;;) {
                const char *key;
                size_t n_key;
                int k = take_key(&s, &key, &n_key);

                if (k < 0)
                        return k;
                if (n_key == 2 && memcmp(key, "id", 2) == 0)
                        return take_id(&s, ret);
                if (!skip_value(&s))
                        return -ENOENT;
                if (!take(&s, ','))
                        return *s.p == '}' ? -ENOENT : -EBADMSG;
        }
}

/* --- asking --------------------------------------------------------------------------------------- */

static int read_answer(const struct fetch_result *r, char id[static MESOS_ID_MAX + 1],
                       char why[static WHY_MAX])
{
        int k = r->error;

        if (r->error)
                (void)snprintf(why, WHY_MAX, "%s", r->text);
        else if (r->status != 200) {
                (void)snprintf(why, WHY_MAX, "it answered with status %u", r->status);
                k = -EPROTO;
        } else {
                k = mesos_id_from_state(id, r->body, r->n_body);
                if (k < 0)
                        (void)snprintf(why, WHY_MAX, "%s",
                                       k == -ENOENT ? "it says none" : "its answer is no state");
        }
        return k;
}

/* An outage is one line, not one for each time that we ask. */
static void say_why(struct mesos_id *m, const char *why)
{
        if (!streq(m->why, why) && *why)
                log_info("%s did not tell by which id Mesos knows this node: %s", m->url, why);
        (void)snprintf(m->why, sizeof(m->why), "%s", why);
}

static void plan_next(struct mesos_id *m, bool answered)
{
        m->answered = m->answered || answered;
        m->ticks_left = m->answered ? ANSWERED_TICKS : m->ticks_after_failure;
        m->ticks_after_failure = m->ticks_after_failure * 2 < FAILED_TICKS_MAX
                                         ? m->ticks_after_failure * 2
                                         : FAILED_TICKS_MAX;
}

static void on_answer(const struct fetch_result *r, void *userdata)
{
        struct mesos_id *m = userdata;
        char id[MESOS_ID_MAX + 1], why[WHY_MAX] = "";
        int k = read_answer(r, id, why);

        m->fetch = fetch_free(m->fetch);
        plan_next(m, k == 0);
        say_why(m, why);
        if (k < 0 || streq(id, m->id))
                return;
        memcpy(m->id, id, strlen(id) + 1);
        log_info("Mesos knows this node as %s", m->id);
        m->changed(m->userdata);
}

static void ask(struct mesos_id *m)
{
        const struct fetch_request q = {
                .url = m->url,
                .headers = (const char *const[]){"Accept: application/json", NULL},
                .timeout_usec = FETCH_USEC,
                .max_bytes = FETCH_BYTES,
                .cut = true,
        };
        struct err e = {0};

        if (!*m->url || m->fetch)
                return;
        if (fetch_start(&m->fetch, m->fetcher, &q, on_answer, m, &e) < 0) {
                plan_next(m, false);
                say_why(m, e.text);
        }
}

void mesos_id_tick(struct mesos_id *m)
{
        if (m->ticks_left > 0)
                m->ticks_left--;
        if (m->ticks_left == 0)
                ask(m);
}

int mesos_id_set_url(struct mesos_id *m, const char *url)
{
        if (streq(m->url, url))
                return 0;
        if (strlen(url) >= sizeof(m->url))
                return -E2BIG;
        memcpy(m->url, url, strlen(url) + 1);
        m->fetch = fetch_free(m->fetch);
        m->answered = false;
        m->ticks_after_failure = 1;
        m->ticks_left = 0;
        m->why[0] = '\0';
        ask(m);
        return 0;
}

const char *mesos_id_get(const struct mesos_id *m)
{
        return m->id;
}

/* --- life ----------------------------------------------------------------------------------------- */

char *mesos_id_url(char buf[static MESOS_URL_MAX], enum diag_role role, const char *address)
{
        bool is_ipv6 = strchr(address, ':') != NULL;

        buf[0] = '\0';
        if (role == DIAG_ROLE_MASTER)
                (void)snprintf(buf, MESOS_URL_MAX, "http://leader.mesos:5050/state");
        else if (role != DIAG_ROLE_UNKNOWN && *address)
                (void)snprintf(buf, MESOS_URL_MAX,
                               is_ipv6 ? "http://[%s]:5051/state" : "http://%s:5051/state",
                               address);
        return buf;
}

int mesos_id_new(struct mesos_id **ret, struct fetcher *f, const char *url,
                 void (*changed)(void *userdata), void *userdata)
{
        _cleanup_(mesos_id_freep) struct mesos_id *m = calloc(1, sizeof(*m));
        int k;

        if (!m)
                return -ENOMEM;
        m->fetcher = f;
        m->changed = changed;
        m->userdata = userdata;
        k = mesos_id_set_url(m, url);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(m);
        return 0;
}

struct mesos_id *mesos_id_free(struct mesos_id *m)
{
        if (m) {
                fetch_free(m->fetch);
                free(m);
        }
        return NULL;
}
