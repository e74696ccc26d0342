/*
 * A round asks the leader that ZooKeeper names, then each configured master, until one answers with a list.
 * A master that does not lead names the one that does: it is followed, once, to the same question. The list
 * is read as it comes, beside the one that holds, which it replaces when it is whole.
 */

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "aggregator/discovery_mesos.h"
#include "aggregator/mesos_slaves_json.h"
#include "aggregator/pace.h"
#include "base/parse.h"

#define TIMEOUT_USEC  (10 * USEC_PER_SEC)
#define CONNECT_USEC  (2 * USEC_PER_SEC)
#define SLACK_USEC    (250 * USEC_PER_MSEC)
#define URL_MAX       512u
#define LOCATION_MAX  FETCH_WANTED_BYTES_MAX
#define PORT_OF_MESOS 5050u

static const char *const wanted[] = {"Location", NULL};

struct discovery_mesos {
        struct fetcher *fetcher;
        struct fetch *fetch;
        struct loop_timer *timer;
        struct pace pace;
        finding_fn found;
        void *userdata;

        char **urls;
        size_t n_urls;
        struct found *masters; /* as ZooKeeper has them; strings are ours */
        size_t n_masters;
        uint16_t leader_port;

        struct mesos_slaves *slaves;    /* the list that holds; NULL: none yet */
        uint64_t seen_boot_usec;        /* when it came */
        char leader[FOUND_ADDRESS_MAX]; /* who gave it, by address; "": a name did */
        const char *state;
        struct err fault; /* of the last round that has ended */

        struct mesos_slaves *reading;
        char url[URL_MAX]; /* who is asked */
        size_t n_tried;    /* in this round */
        struct err first_fault;
        bool followed, no_leader;
};

/* --- URLs -------------------------------------------------------------------------------------- */

/* The host between "//" and its port or path, without brackets; "" where there is none that may be asked. */
static void host_of(char host[static FOUND_ADDRESS_MAX], const char *url)
{
        const char *begin = strstr(url, "//"), *end;
        struct found f = {.address = host, .role = DIAG_ROLE_MASTER};
        size_t n;

        host[0] = '\0';
        if (!begin)
                return;
        begin += 2;
        end = *begin == '[' ? strchr(begin++, ']') : begin + strcspn(begin, ":/?#");
        n = end ? (size_t)(end - begin) : FOUND_ADDRESS_MAX;
        if (n >= FOUND_ADDRESS_MAX)
                return;
        memcpy(host, begin, n);
        host[n] = '\0';
        if (found_check(&f, NULL) < 0)
                host[0] = '\0';
}

/* What follows the host: ":5050/slaves". */
static const char *behind_host(const char *url)
{
        const char *p = strstr(url, "//") + 2;
        const char *bracket = *p == '[' ? strchr(p, ']') : NULL;

        p = bracket ? bracket + 1 : p;
        return p + strcspn(p, ":/?#");
}

static size_t scheme_length(const char *url)
{
        return (size_t)(strstr(url, "//") - url);
}

static bool take_port(const char **p, char port[static 8])
{
        size_t n = **p == ':' ? 1 + strspn(*p + 1, "0123456789") : 0;
        uint64_t v;

        if (n >= 8)
                return false;
        memcpy(port, *p, n);
        port[n] = '\0';
        *p += n;
        return n == 0 || parse_u64(port + 1, 1, UINT16_MAX, &v) >= 0;
}

/*
 * Where a redirect leads: "//leader:5050/slaves", on the same way and to the same path, or it is not for us.
 * What is asked is put together anew, of parts that have been looked at.
 */
static bool follow(char url[static URL_MAX], const char *location)
{
        char host[FOUND_ADDRESS_MAX], port[8], to[URL_MAX];
        size_t n_scheme = scheme_length(url), n_given;
        const char *rest, *path = behind_host(url);
        bool is_v6;
        int n;

        path += strcspn(path, "/");
        host_of(host, location);
        if (!*host || strlen(location) + 1 >= LOCATION_MAX)
                return false;
        n_given = scheme_length(location);
        if (n_given && (n_given != n_scheme || strncasecmp(location, url, n_scheme) != 0))
                return false;
        rest = behind_host(location);
        if (!take_port(&rest, port) || !streq(rest, path))
                return false;
        is_v6 = strchr(host, ':') != NULL;
        n = snprintf(to, sizeof(to), "%.*s//%s%s%s%s%s", (int)n_scheme, url, is_v6 ? "[" : "", host,
                     is_v6 ? "]" : "", port, path);
        if (n < 0 || (size_t)n >= sizeof(to))
                return false;
        memcpy(url, to, (size_t)n + 1);
        return true;
}

/* --- what is said ------------------------------------------------------------------------------ */

/* Only an address is one to find a master by: a name may be that of whoever leads. */
static bool leader_is_known(const struct discovery_mesos *d)
{
        int family;

        if (d->n_masters || parse_ip(d->leader, &family) < 0)
                return false;
        return strncmp(d->leader, "127.", 4) != 0 && !streq(d->leader, "::1");
}

static void say(struct discovery_mesos *d, bool has_list)
{
        size_t n_agents = 0, n_leader = leader_is_known(d);
        const struct found *agents = d->slaves ? mesos_slaves_agents(d->slaves, &n_agents) : NULL;
        _cleanup_(freep) struct found *nodes =
                calloc(d->n_masters + n_leader + n_agents + 1, sizeof(*nodes));
        const struct finding f = {
                .source = DIAG_SOURCE_MESOS,
                .state = d->state,
                .error = nodes ? d->fault.text : "out of memory",
                .seen_boot_usec = d->seen_boot_usec,
                .has_list = nodes && has_list,
                .nodes = nodes,
                .n_nodes = d->n_masters + n_leader + n_agents,
        };

        if (nodes && d->n_masters)
                memcpy(nodes, d->masters, d->n_masters * sizeof(*nodes));
        if (nodes && n_leader)
                nodes[0] = (struct found){
                        .address = d->leader, .role = DIAG_ROLE_MASTER, .leader = true};
        if (nodes && n_agents)
                memcpy(nodes + d->n_masters + n_leader, agents, n_agents * sizeof(*nodes));
        d->found(&f, d->userdata);
}

static void end_round(struct discovery_mesos *d, bool answered)
{
        loop_timer_set(d->timer, now_mono_usec() + pace_after(&d->pace, answered), SLACK_USEC);
        say(d, answered);
}

/* The list is the news; entries of it that are left out are a remark. */
static void succeed(struct discovery_mesos *d)
{
        const char *why;
        size_t n_skipped = mesos_slaves_n_skipped(d->reading, &why);

        mesos_slaves_free(d->slaves);
        d->slaves = TAKE_PTR(d->reading);
        d->seen_boot_usec = now_boot_usec();
        host_of(d->leader, d->url);
        d->state = "ok";
        d->fault = (struct err){0};
        if (n_skipped)
                (void)err_set(&d->fault, -EBADMSG, "%zu left out: %s", n_skipped, why);
        end_round(d, true);
}

/* --- asking ------------------------------------------------------------------------------------ */

static void try_next(struct discovery_mesos *d);
static void ask(struct discovery_mesos *d);

/* The first fault of a round is said: it is that of whoever should have answered. */
static void fail(struct discovery_mesos *d, const char *why)
{
        char host[FOUND_ADDRESS_MAX];

        d->reading = mesos_slaves_free(d->reading);
        host_of(host, d->url);
        if (d->first_fault.code == 0)
                (void)err_set(&d->first_fault, -EIO, "%.64s: %s", host, why);
        try_next(d);
}

static void read_answer(struct discovery_mesos *d)
{
        struct err e;

        if (mesos_slaves_end(d->reading, &e) < 0)
                fail(d, e.text);
        else
                succeed(d);
}

static bool is_redirect(unsigned status)
{
        return status == 307 || status == 308 || status == 301 || status == 302;
}

static void take_refusal(struct discovery_mesos *d, unsigned status, const char *location)
{
        char why[96];

        if (is_redirect(status) && location && !d->followed && follow(d->url, location)) {
                d->followed = true;
                ask(d);
                return;
        }
        d->no_leader = d->no_leader || status == 503;
        (void)snprintf(why, sizeof(why), "it answered with status %u%s", status,
                       status == 503         ? ": nobody leads"
                       : is_redirect(status) ? ", which leads to nobody who may be asked"
                                             : "");
        fail(d, why);
}

static int on_body(const struct fetch_head *head, const char *data, size_t n, void *userdata)
{
        struct discovery_mesos *d = userdata;

        return head->status == 200 ? mesos_slaves_feed(d->reading, data, n) : 0;
}

static void on_answer(const struct fetch_result *r, void *userdata)
{
        struct discovery_mesos *d = userdata;
        char location[LOCATION_MAX];
        bool has_location = !r->error && r->headers[0];
        struct err e;

        if (has_location)
                (void)snprintf(location, sizeof(location), "%s", r->headers[0]);
        if (r->error) /* ours, if the list was what it broke at */
                (void)err_set(&e, r->error, "%s", r->text);
        if (r->error && mesos_slaves_feed(d->reading, "", 0) < 0)
                (void)mesos_slaves_end(d->reading, &e);
        if (r->error) {
                d->fetch = fetch_free(d->fetch);
                fail(d, e.text);
        } else {
                unsigned status = r->status;

                d->fetch = fetch_free(d->fetch);
                if (status == 200)
                        read_answer(d);
                else
                        take_refusal(d, status, has_location ? location : NULL);
        }
}

static void ask(struct discovery_mesos *d)
{
        const struct fetch_request q = {
                .url = d->url,
                .headers = (const char *const[]){"Accept: application/json", NULL},
                .wanted_headers = wanted,
                .timeout_usec = TIMEOUT_USEC,
                .connect_timeout_usec = CONNECT_USEC,
                .max_bytes = DISCOVERY_MESOS_BYTES_MAX,
                .on_body = on_body,
        };
        struct err e;

        d->reading = mesos_slaves_free(d->reading);
        if (mesos_slaves_new(&d->reading) < 0)
                fail(d, "out of memory");
        else if (fetch_start(&d->fetch, d->fetcher, &q, on_answer, d, &e) < 0)
                fail(d, e.text);
}

static const struct found *zk_leader(const struct discovery_mesos *d)
{
        for (size_t i = 0; i < d->n_masters; i++)
                if (d->masters[i].leader)
                        return &d->masters[i];
        return NULL;
}

/* Mesos speaks TLS everywhere, or nowhere. */
static void set_leader_url(struct discovery_mesos *d, const struct found *leader)
{
        bool tls = d->n_urls && strncmp(d->urls[0], "https:", 6) == 0,
             is_v6 = strchr(leader->address, ':') != NULL;

        (void)snprintf(d->url, sizeof(d->url), "http%s://%s%s%s:%u/slaves", tls ? "s" : "",
                       is_v6 ? "[" : "", leader->address, is_v6 ? "]" : "",
                       d->leader_port ? d->leader_port : PORT_OF_MESOS);
}

/* False: all were tried. */
static bool choose(struct discovery_mesos *d)
{
        const struct found *leader = zk_leader(d);
        size_t i = d->n_tried++;

        if (leader && i == 0) {
                set_leader_url(d, leader);
                return true;
        }
        i -= leader != NULL;
        if (i >= d->n_urls)
                return false;
        (void)snprintf(d->url, sizeof(d->url), "%s/slaves", d->urls[i]);
        return true;
}

static void try_next(struct discovery_mesos *d)
{
        d->followed = false;
        if (choose(d)) {
                ask(d);
                return;
        }
        d->state = d->no_leader || d->first_fault.code == 0 ? "no-leader" : "failed";
        d->fault = d->first_fault;
        end_round(d, false);
}

static void begin_round(void *userdata)
{
        struct discovery_mesos *d = userdata;

        if (d->fetch)
                return;
        d->first_fault = (struct err){0};
        d->n_tried = 0;
        d->no_leader = false;
        try_next(d);
}

static void begin_anew(struct discovery_mesos *d)
{
        d->fetch = fetch_free(d->fetch);
        d->reading = mesos_slaves_free(d->reading);
        d->pace.failing_usec = 0;
        loop_timer_set(d->timer, now_mono_usec(), 0);
}

/* --- what it is told --------------------------------------------------------------------------- */

static void free_urls(char **urls, size_t n)
{
        for (size_t i = 0; urls && i < n; i++)
                free(urls[i]);
        free(urls);
}

static bool all_fit(const char *const *urls, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (strlen(urls[i]) + sizeof("/slaves") > URL_MAX || !strstr(urls[i], "//"))
                        return false;
        return true;
}

static int copy_urls(char ***ret, const char *const *urls, size_t n)
{
        char **copy = calloc(n + 1, sizeof(*copy));

        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                size_t length = strlen(urls[i]);

                while (length && urls[i][length - 1] == '/')
                        length--;
                copy[i] = strndup(urls[i], length);
                if (!copy[i]) {
                        free_urls(copy, n);
                        return -ENOMEM;
                }
        }
        *ret = copy;
        return 0;
}

static int take_conf(struct discovery_mesos *d, const struct discovery_mesos_conf *conf)
{
        char **urls;

        if (!all_fit(conf->urls, conf->n_urls))
                return -EINVAL;
        if (copy_urls(&urls, conf->urls, conf->n_urls) < 0)
                return -ENOMEM;
        free_urls(d->urls, d->n_urls);
        d->urls = urls;
        d->n_urls = conf->n_urls;
        d->pace.interval_usec = conf->interval_usec;
        return 0;
}

int discovery_mesos_set_conf(struct discovery_mesos *d, const struct discovery_mesos_conf *conf)
{
        int k = take_conf(d, conf);

        if (k >= 0)
                begin_anew(d);
        return k;
}

static void free_masters(struct found *masters, size_t n)
{
        for (size_t i = 0; masters && i < n; i++) {
                free((char *)masters[i].address);
                free((char *)masters[i].hostname);
        }
        free(masters);
}

static int copy_masters(struct found **ret, const struct found *masters, size_t n)
{
        struct found *copy = calloc(n + 1, sizeof(*copy));
        bool failed = !copy;

        for (size_t i = 0; copy && i < n; i++) {
                const char *hostname = masters[i].hostname;

                copy[i] = masters[i];
                copy[i].node_id = NULL;
                copy[i].address = strdup(masters[i].address);
                copy[i].hostname = hostname ? strdup(hostname) : NULL;
                failed = failed || !copy[i].address || (hostname && !copy[i].hostname);
        }
        if (failed) {
                free_masters(copy, n);
                return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

static bool same_masters(const struct discovery_mesos *d, const struct found *masters, size_t n)
{
        if (n != d->n_masters)
                return false;
        for (size_t i = 0; i < n; i++) {
                const struct found *a = &masters[i], *b = &d->masters[i];

                if (!streq(a->address, b->address) || a->leader != b->leader ||
                    a->port != b->port || a->down != b->down ||
                    !streq(str_or(a->hostname, ""), str_or(b->hostname, "")))
                        return false;
        }
        return true;
}

static bool same_leader(const struct found *a, const struct found *b)
{
        return a && b ? streq(a->address, b->address) : a == b;
}

int discovery_mesos_set_masters(struct discovery_mesos *d, const struct found *masters, size_t n,
                                uint16_t leader_port)
{
        struct found *copy, *old = d->masters;
        const struct found *leader = zk_leader(d);
        size_t n_old = d->n_masters;
        bool moved = leader_port != d->leader_port;
        int k;

        if (!moved && same_masters(d, masters, n))
                return 0;
        k = copy_masters(&copy, masters, n);
        if (k < 0)
                return k;
        d->masters = copy;
        d->n_masters = n;
        d->leader_port = leader_port;
        moved = moved || !same_leader(leader, zk_leader(d));
        free_masters(old, n_old);
        say(d, true);
        if (moved)
                begin_anew(d);
        return 0;
}

/* --- life -------------------------------------------------------------------------------------- */

int discovery_mesos_new(struct discovery_mesos **ret, struct loop *l, struct fetcher *f,
                        const struct discovery_mesos_conf *conf, finding_fn found, void *userdata)
{
        _cleanup_(discovery_mesos_freep) struct discovery_mesos *d = calloc(1, sizeof(*d));
        int k;

        if (!d)
                return -ENOMEM;
        d->fetcher = f;
        d->found = found;
        d->userdata = userdata;
        d->state = "connecting";
        k = take_conf(d, conf);
        if (k >= 0)
                k = loop_timer_new(&d->timer, l, begin_round, d);
        if (k < 0)
                return k;
        loop_timer_set(d->timer, now_mono_usec(), 0);
        *ret = TAKE_PTR(d);
        return 0;
}

struct discovery_mesos *discovery_mesos_free(struct discovery_mesos *d)
{
        if (!d)
                return NULL;
        fetch_free(d->fetch);
        loop_timer_free(d->timer);
        mesos_slaves_free(d->reading);
        mesos_slaves_free(d->slaves);
        free_masters(d->masters, d->n_masters);
        free_urls(d->urls, d->n_urls);
        free(d);
        return NULL;
}
