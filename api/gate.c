/* Who comes in. The lock is held for a judgement, which takes no time; the copy is made outside. */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "api/gate.h"

struct gate {
        pthread_mutex_t lock; /* all below */
        struct authority authority;
};

int gate_new(struct gate **ret, const struct authority *a)
{
        struct gate *g = calloc(1, sizeof(*g));

        if (!g)
                return -ENOMEM;
        if (authority_copy(&g->authority, a) < 0) {
                free(g);
                return -ENOMEM;
        }
        pthread_mutex_init(&g->lock, NULL);
        *ret = g;
        return 0;
}

struct gate *gate_free(struct gate *g)
{
        if (!g)
                return NULL;
        authority_done(&g->authority);
        pthread_mutex_destroy(&g->lock);
        free(g);
        return NULL;
}

int gate_set_authority(struct gate *g, const struct authority *a)
{
        struct authority fresh, old;
        int r = authority_copy(&fresh, a);

        if (r < 0)
                return r;
        pthread_mutex_lock(&g->lock);
        old = g->authority;
        g->authority = fresh;
        pthread_mutex_unlock(&g->lock);
        authority_done(&old);
        return 0;
}

struct authority_verdict gate_judge(struct gate *g, const struct authority_caller *c)
{
        struct authority_verdict v;

        pthread_mutex_lock(&g->lock);
        v = authority_judge(&g->authority, c);
        pthread_mutex_unlock(&g->lock);
        return v;
}

void gate_take_forwarded(struct gate *g, struct authority_caller *c, const struct head *h)
{
        pthread_mutex_lock(&g->lock);
        authority_take_forwarded(c, head_value(&h->diag_caller), h->n_diag_caller);
        pthread_mutex_unlock(&g->lock);
}

/* Over a Unix socket the name is whatever the client likes; and no browser comes that way. */
static bool names_another_host(struct gate *g, const struct authority_caller *c,
                               const struct head *h)
{
        const char *host = head_value(&h->host);
        bool ours;

        if (c->peer.sa.sa_family == AF_UNIX || (!host && h->http_1_0))
                return false;
        pthread_mutex_lock(&g->lock);
        ours = authority_host_is_ours(&g->authority, str_or(host, ""));
        pthread_mutex_unlock(&g->lock);
        return !ours;
}

bool gate_changes(const char *method)
{
        return !streq(method, "GET") && !streq(method, "HEAD") && !streq(method, "OPTIONS");
}

enum server_refusal gate_refuses(struct gate *g, const struct authority_caller *c,
                                 const char *method, const struct head *h)
{
        if (gate_judge(g, c).class == AUTHORITY_NONE)
                return SERVER_REFUSAL_NOT_ALLOWED;
        if (names_another_host(g, c, h))
                return SERVER_REFUSAL_WRONG_HOST;
        if (gate_changes(method) && head_origin_is_foreign(h))
                return SERVER_REFUSAL_CROSS_ORIGIN;
        return SERVER_REFUSAL_NONE;
}

enum authority_class gate_needs(enum authority_class least)
{
        return least == AUTHORITY_NONE ? AUTHORITY_HEALTH : least;
}

static int explain_nobody(char *buf, const struct authority_caller *c)
{
        bool local = c->peer.sa.sa_family == AF_UNIX;

        if (c->tls)
                return snprintf(
                        buf, GATE_TEXT_MAX,
                        "%s, and this address may not ask without a good one: see [TLS] and "
                        "AllowFrom= of the daemon",
                        tls_trust_explain(c->certificate ? c->certificate->trust
                                                         : TLS_TRUST_UNKNOWN));
        return snprintf(buf, GATE_TEXT_MAX, "this %s may not ask here: see %s of the daemon",
                        local ? "user" : "address", local ? "TrustedProxy=" : "AllowFrom=");
}

static int explain_class(char *buf, const struct gate_refusal *r)
{
        bool local = r->caller->peer.sa.sa_family == AF_UNIX;
        const char *needed = authority_class_to_string(r->needed);
        char name[AUTHORITY_NAME_MAX];

        if (r->has == AUTHORITY_NONE)
                return explain_nobody(buf, r->caller);
        if (r->caller->tls)
                return snprintf(
                        buf, GATE_TEXT_MAX,
                        "this needs class %s, which over TLS only the certificate of a master "
                        "has, by its role or by MasterNames= of the daemon",
                        needed);
        if (!local)
                return snprintf(buf, GATE_TEXT_MAX,
                                "this needs class %s, which nobody has over TCP: ask through the "
                                "local socket, as root or as a member of group diag",
                                needed);
        return snprintf(buf, GATE_TEXT_MAX,
                        "this needs class %s, and %s has class %s: run as root or join group diag",
                        needed, authority_caller_name(name, r->caller),
                        authority_class_to_string(r->has));
}

char *gate_explain(char buf[static GATE_TEXT_MAX], const struct gate_refusal *r)
{
        switch (r->why) {
        case SERVER_REFUSAL_NOT_ALLOWED:
                (void)explain_class(buf, r);
                break;
        case SERVER_REFUSAL_WRONG_HOST:
                (void)snprintf(buf, GATE_TEXT_MAX,
                               "this is not \"%.100s\": see AllowedHosts= of the daemon",
                               str_or(head_value(&r->head->host), ""));
                break;
        case SERVER_REFUSAL_CROSS_ORIGIN:
                (void)snprintf(
                        buf, GATE_TEXT_MAX,
                        "a page of \"%.100s\" may not ask for changes: its Origin is not the "
                        "Host that it asks",
                        str_or(head_value(&r->head->origin), ""));
                break;
        default:
                (void)snprintf(buf, GATE_TEXT_MAX, "%s", server_refusal_to_string(r->why));
        }
        return buf;
}
