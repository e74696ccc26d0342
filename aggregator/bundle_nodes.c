/* A mark for each member; words set marks. */

#include <errno.h>

#include "aggregator/bundle_nodes.h"
#include "aggregator/poller.h"
#include "net/url.h"

#define NAMESAKES_MAX 2u

static bool is_any(_unused_ const struct diag_member *m)
{
        return true;
}

static bool is_none(_unused_ const struct diag_member *m)
{
        return false;
}

static bool is_master(const struct diag_member *m)
{
        return m->role == DIAG_ROLE_MASTER;
}

static bool is_agent(const struct diag_member *m)
{
        return m->role == DIAG_ROLE_AGENT || m->role == DIAG_ROLE_AGENT_PUBLIC;
}

static bool is_public(const struct diag_member *m)
{
        return m->role == DIAG_ROLE_AGENT_PUBLIC;
}

static bool is_not_healthy(const struct diag_member *m)
{
        return !diag_member_speaks(m) || m->health != DIAG_HEALTHY;
}

static const struct {
        const char *word;
        bool (*fits)(const struct diag_member *m);
} words[] = {
        {"all",       is_any        },
        {"none",      is_none       },
        {"masters",   is_master     },
        {"agents",    is_agent      },
        {"public",    is_public     },
        {"unhealthy", is_not_healthy},
};

static void mark_fitting(bool *marks, const struct diag_snapshot *s,
                         bool (*fits)(const struct diag_member *m))
{
        for (size_t i = 0; i < s->n_members; i++)
                if (s->members[i]->reach != DIAG_REACH_SUPERSEDED && fits(s->members[i]))
                        marks[i] = true;
}

static void mark_member(bool *marks, const struct diag_snapshot *s, const struct diag_member *m)
{
        for (size_t i = 0; i < s->n_members; i++)
                if (s->members[i] == m)
                        marks[i] = true;
}

static const struct diag_member *find_mesos_id(const struct diag_snapshot *s, const char *id)
{
        for (size_t i = 0; i < s->n_members; i++)
                if (*id && streq(str_or(s->members[i]->mesos_id, ""), id))
                        return s->members[i];
        return NULL;
}

/* By its address, node id, host name or Mesos id. */
static int mark_named(bool *marks, const struct diag_snapshot *s, const char *word, struct err *e)
{
        const struct diag_member *found[NAMESAKES_MAX], *exact = diag_snapshot_find(s, word);
        size_t n;

        if (exact) {
                mark_member(marks, s, exact);
                return 0;
        }
        n = diag_snapshot_look_up(s, word, found, NAMESAKES_MAX);
        if (n > 1)
                return err_set(e, -EINVAL, "nodes: %zu nodes are called '%.128s'", n, word);
        if (n == 0)
                found[0] = find_mesos_id(s, word);
        if (!found[0])
                return err_set(e, -ENOENT,
                               "nodes: '%.128s' is no node of this cluster, and none of all, "
                               "masters, agents, public, unhealthy",
                               word);
        mark_member(marks, s, found[0]);
        return 0;
}

static int mark_word(bool *marks, const struct diag_snapshot *s, const char *word, struct err *e)
{
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(word, words[i].word)) {
                        mark_fitting(marks, s, words[i].fits);
                        return 0;
                }
        return mark_named(marks, s, word, e);
}

/* Spread over all of them: neighbours tend to be of one kind. */
static void mark_some_healthy(bool *marks, const struct diag_snapshot *s)
{
        size_t n = 0, k = 0;

        for (size_t i = 0; i < s->n_members; i++)
                n += is_agent(s->members[i]) && !is_not_healthy(s->members[i]);
        for (size_t i = 0; n && i < s->n_members; i++) {
                if (!is_agent(s->members[i]) || is_not_healthy(s->members[i]))
                        continue;
                if (n <= BUNDLE_NODES_HEALTHY || k % (n / BUNDLE_NODES_HEALTHY) == 0)
                        marks[i] = n <= BUNDLE_NODES_HEALTHY ||
                                   k / (n / BUNDLE_NODES_HEALTHY) < BUNDLE_NODES_HEALTHY;
                k++;
        }
}

static void mark_default(bool *marks, const struct diag_snapshot *s)
{
        if (s->n_members <= BUNDLE_NODES_ALL_UP_TO) {
                mark_fitting(marks, s, is_any);
                return;
        }
        mark_some_healthy(marks, s);
        mark_fitting(marks, s, is_master);
        mark_fitting(marks, s, is_not_healthy);
}

static int fill_in(struct bundle_node *n, const struct diag_member *m)
{
        bool has_id = !str_empty(m->node_id) && strncmp(m->node_id, "addr:", 5) != 0;

        *n = (struct bundle_node){.role = m->role};
        n->address = strdup(m->address);
        n->node_id = has_id ? strdup(m->node_id) : NULL;
        return n->address && (n->node_id || !has_id) ? 0 : -ENOMEM;
}

static int take_marked(struct bundle *b, const bool *marks, const struct diag_snapshot *s,
                       struct err *e)
{
        size_t n = 0;

        for (size_t i = 0; i < s->n_members; i++)
                n += marks[i];
        if (n > BUNDLE_NODES_MAX)
                return err_set(e, -E2BIG, "nodes: %zu of them; a bundle has at most %u", n,
                               BUNDLE_NODES_MAX);
        b->nodes = calloc(n ? n : 1, sizeof(*b->nodes));
        if (!b->nodes)
                return err_set(e, -ENOMEM, "out of memory");
        for (size_t i = 0; i < s->n_members; i++)
                if (marks[i] && fill_in(&b->nodes[b->n_nodes++], s->members[i]) < 0)
                        return err_set(e, -ENOMEM, "out of memory");
        b->n_nodes_total = b->n_nodes;
        return 0;
}

int bundle_nodes_choose(struct bundle *b, const struct diag_snapshot *s, struct err *e)
{
        _cleanup_(freep) bool *marks = calloc(s->n_members ? s->n_members : 1, sizeof(*marks));
        int k = 0;

        if (!marks)
                return err_set(e, -ENOMEM, "out of memory");
        if (b->request.n_nodes == 0)
                mark_default(marks, s);
        for (size_t i = 0; k >= 0 && i < b->request.n_nodes; i++)
                k = mark_word(marks, s, b->request.nodes[i], e);
        return k < 0 ? k : take_marked(b, marks, s, e);
}

/* --- where they are ----------------------------------------------------------------------------------- */

static bool is_own(const struct bundle_where *w, const struct diag_member *m)
{
        const struct self_identity *own = self_get(w->self);

        return (*own->node_id && streq(m->node_id, own->node_id)) ||
               (*own->address && streq(m->address, own->address));
}

static uint16_t usual_port(const struct bundle_where *w, enum diag_role role)
{
        if (role == DIAG_ROLE_MASTER)
                return w->port_master ? w->port_master : POLLER_PORT_MASTER;
        return w->port_agent ? w->port_agent : POLLER_PORT_AGENT;
}

int bundle_nodes_locate(struct gather_node *ret, const struct bundle_node *n,
                        const struct diag_snapshot *s, const struct bundle_where *where)
{
        const struct diag_member *m = diag_snapshot_find(s, n->address);
        uint16_t port = m && m->port ? m->port : usual_port(where, n->role);
        bool own = m && is_own(where, m) && m->protocol != DIAG_PROTOCOL_V1;
        char url[NODE_URL_MAX];

        ret->role = n->role;
        ret->v1 = m && m->protocol == DIAG_PROTOCOL_V1;
        ret->unreachable = !m || !diag_member_speaks(m);
        ret->address = strdup(n->address);
        ret->node_id = n->node_id ? strdup(n->node_id) : NULL;
        /* Nobody speaks TLS over a Unix socket. */
        ret->url =
                strdup(own ? "http://localhost" : node_url(url, n->address, port, where->tls, ""));
        ret->socket = own ? strdup(where->agent_socket) : NULL;
        return ret->address && ret->url && (ret->node_id || !n->node_id) && (ret->socket || !own)
                       ? 0
                       : -ENOMEM;
}
