/* nodes.json: one object a node. */

#include <errno.h>

#include "aggregator/memory.h"
#include "base/fs.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/mono.h"

struct memory {
        char *path;
        struct roster *roster;
        struct loop_timer *timer;
        uint64_t saved_mono_usec;
        bool failing; /* said once */
};

/* --- reading ----------------------------------------------------------------------------------- */

static void remember(const struct found *f, void *userdata)
{
        struct err e;

        if (!roster_add(userdata, DIAG_SOURCE_MEMORY, f, &e))
                log_warning("%s", e.text);
}

static void load(struct memory *m)
{
        _cleanup_(freep) char *text = NULL;
        struct err e;
        size_t n;
        int k = fs_read(m->path, MEMORY_BYTES_MAX, &text, &n, &e);

        if (k == -ENOENT)
                return;
        if (k >= 0)
                k = memory_from_json(text, n, remember, m->roster, &e);
        if (k < 0)
                log_warning("%s: %s; what it does not tell is found anew", m->path, e.text);
}

/* --- writing ----------------------------------------------------------------------------------- */

/* A master that only observers name would be more than an observation, once it were remembered. */
static bool is_worth_it(const struct node *n)
{
        unsigned not_here = DIAG_SOURCE_BIT(DIAG_SOURCE_STATIC);

        if (n->alias_of || node_role(n) == DIAG_ROLE_UNKNOWN || n->sources == not_here)
                return false;
        return node_role(n) != DIAG_ROLE_MASTER || n->sources & DIAG_SOURCE_AUTHORITATIVE;
}

static void write_node(struct json_writer *w, const struct node *n)
{
        jw_begin_object(w);
        jw_member_string(w, "address", n->address);
        jw_member_string(w, "role", diag_role_to_string(node_role(n)));
        jw_member_uint(w, "port", node_port(n));
        if (node_id(n) && strncmp(node_id(n), "addr:", 5) != 0)
                jw_member_string(w, "node_id", node_id(n));
        if (n->report || n->claimed_hostname)
                jw_member_string(w, "hostname",
                                 n->report ? n->report->node.hostname : n->claimed_hostname);
        jw_end_object(w);
}

static void save(struct memory *m)
{
        _cleanup_(buf_done) struct buf out = {.max = MEMORY_BYTES_MAX};
        struct json_writer w = {.out = &out};
        struct err e = {0};
        int k;

        jw_begin_object(&w);
        jw_key(&w, "nodes");
        jw_begin_array(&w);
        for (size_t i = 0; i < roster_n(m->roster); i++)
                if (is_worth_it(roster_at(m->roster, i)))
                        write_node(&w, roster_at(m->roster, i));
        jw_end_array(&w);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        m->saved_mono_usec = now_mono_usec();
        k = out.error ? err_set(&e, out.error, "%s: %s", m->path, strerror(-out.error))
                      : fs_replace(m->path, out.data, out.n, 0600, &e);
        if (k < 0 && !m->failing)
                log_warning("%s; what is known of nodes is kept in memory only", e.text);
        m->failing = k < 0;
}

static void on_timer(void *userdata)
{
        save(userdata);
}

void memory_touch(struct memory *m)
{
        uint64_t now = now_mono_usec(), due = m->saved_mono_usec + MEMORY_APART_USEC;

        if (m->path && !loop_timer_is_set(m->timer))
                loop_timer_set(m->timer, due > now + USEC_PER_SEC ? due : now + USEC_PER_SEC,
                               USEC_PER_SEC / 4);
}

int memory_new(struct memory **ret, struct loop *l, const char *path, struct roster *roster)
{
        _cleanup_(memory_freep) struct memory *m = calloc(1, sizeof(*m));
        int k;

        if (!m)
                return -ENOMEM;
        m->roster = roster;
        k = loop_timer_new(&m->timer, l, on_timer, m);
        if (k < 0)
                return k;
        if (path) {
                m->path = strdup(path);
                if (!m->path)
                        return -ENOMEM;
                load(m);
        }
        *ret = TAKE_PTR(m);
        return 0;
}

struct memory *memory_free(struct memory *m)
{
        if (!m)
                return NULL;
        if (m->path && m->timer && loop_timer_is_set(m->timer))
                save(m);
        loop_timer_free(m->timer);
        free(m->path);
        free(m);
        return NULL;
}
