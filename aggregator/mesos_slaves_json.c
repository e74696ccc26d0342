/* {"slaves": [{"hostname": "10.0.0.5", "attributes": {"public_ip": "true"}, …}, …], …} */

#include <errno.h>
#include <stdio.h>

#include "aggregator/json_events.h"
#include "aggregator/mesos_slaves_json.h"
#include "base/arena.h"

/* How many objects and lists are around what. */
enum depth {
        DEPTH_WHOLE = 0,
        DEPTH_LIST = 1,
        DEPTH_AGENT = 2,
        DEPTH_FIELD = 3,
        DEPTH_ATTRIBUTE = 4
};

enum field { FIELD_OTHER = 0, FIELD_HOSTNAME, FIELD_ATTRIBUTES };

struct mesos_slaves {
        struct json_events events;
        struct arena arena;
        struct found *agents;
        size_t n_agents, n_alloc, n_skipped;
        char why[sizeof(((struct err *)NULL)->text)]; /* the first one was skipped */

        bool is_list_key, in_list, has_list;
        enum field field;
        bool in_attributes, is_public_key;
        /* the entry that is being read */
        char address[FOUND_ADDRESS_MAX];
        bool is_public;
};

/* --- entries ----------------------------------------------------------------------------------- */

static void skip(struct mesos_slaves *s, const char *why)
{
        if (s->n_skipped++ == 0)
                (void)snprintf(s->why, sizeof(s->why), "%s", why);
}

static int add(struct mesos_slaves *s, const struct found *f)
{
        if (s->n_agents == s->n_alloc) {
                size_t n = s->n_alloc ? 2 * s->n_alloc : 64;
                struct found *p = reallocarray(s->agents, n, sizeof(*p));

                if (!p)
                        return -ENOMEM;
                s->agents = p;
                s->n_alloc = n;
        }
        s->agents[s->n_agents] = *f;
        s->agents[s->n_agents++].address = arena_strdup(&s->arena, f->address);
        return s->arena.failed ? -ENOMEM : 0;
}

static int end_agent(struct mesos_slaves *s)
{
        const struct found f = {
                .address = s->address,
                .role = s->is_public ? DIAG_ROLE_AGENT_PUBLIC : DIAG_ROLE_AGENT,
        };
        struct err e;

        if (found_check(&f, &e) < 0)
                skip(s, *s->address ? e.text : "an agent without 'hostname'");
        else if (s->n_agents == MESOS_SLAVES_MAX)
                skip(s, "there are too many");
        else
                return add(s, &f);
        return 0;
}

static void begin_agent(struct mesos_slaves *s)
{
        s->address[0] = '\0';
        s->is_public = s->in_attributes = false;
        s->field = FIELD_OTHER;
}

/* --- events, by their depth -------------------------------------------------------------------- */

/* What is cut is longer than any of the words, or has bytes that no address has. */
static bool text_is(const struct json_event *ev, const char *s)
{
        return !ev->cut && ev->n == strlen(s) && streq(ev->text, s);
}

static int on_list(struct mesos_slaves *s, const struct json_event *ev)
{
        bool was_key = s->is_list_key;

        s->is_list_key = ev->type == JSON_EVENT_KEY && text_is(ev, "slaves");
        if (was_key && ev->type != JSON_EVENT_BEGIN_LIST)
                return -EBADMSG;
        s->in_list = was_key;
        s->has_list = s->has_list || was_key;
        return 0;
}

static int on_agent(struct mesos_slaves *s, const struct json_event *ev)
{
        if (ev->type == JSON_EVENT_END_OBJECT)
                return end_agent(s);
        if (ev->type == JSON_EVENT_BEGIN_OBJECT)
                begin_agent(s);
        else if (ev->type != JSON_EVENT_END_LIST)
                skip(s, "an agent that is no object");
        return 0;
}

static void take_address(struct mesos_slaves *s, const struct json_event *ev)
{
        bool fits = !ev->cut && ev->n < sizeof(s->address) && strlen(ev->text) == ev->n;

        memcpy(s->address, fits ? ev->text : "?", fits ? ev->n + 1 : 2);
}

static void on_field(struct mesos_slaves *s, const struct json_event *ev)
{
        s->in_attributes = ev->type == JSON_EVENT_BEGIN_OBJECT && s->field == FIELD_ATTRIBUTES;
        s->is_public_key = false;
        if (ev->type == JSON_EVENT_KEY)
                s->field = text_is(ev, "hostname")     ? FIELD_HOSTNAME
                           : text_is(ev, "attributes") ? FIELD_ATTRIBUTES
                                                       : FIELD_OTHER;
        else if (ev->type == JSON_EVENT_STRING && s->field == FIELD_HOSTNAME)
                take_address(s, ev);
}

static void on_attribute(struct mesos_slaves *s, const struct json_event *ev)
{
        if (ev->type == JSON_EVENT_KEY)
                s->is_public_key = text_is(ev, "public_ip");
        else if (s->is_public_key)
                s->is_public = ev->type == JSON_EVENT_STRING && text_is(ev, "true");
}

static int on_event(const struct json_event *ev, void *userdata)
{
        struct mesos_slaves *s = userdata;

        if (ev->depth == DEPTH_WHOLE)
                return ev->type == JSON_EVENT_BEGIN_LIST ? -EBADMSG : 0;
        if (ev->depth == DEPTH_LIST)
                return on_list(s, ev);
        if (!s->in_list)
                return 0;
        if (ev->depth == DEPTH_AGENT)
                return on_agent(s, ev);
        if (ev->depth == DEPTH_FIELD)
                on_field(s, ev);
        else if (ev->depth == DEPTH_ATTRIBUTE && s->in_attributes)
                on_attribute(s, ev);
        return 0;
}

/* --- all of it --------------------------------------------------------------------------------- */

int mesos_slaves_new(struct mesos_slaves **ret)
{
        struct mesos_slaves *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        json_events_init(&s->events, on_event, s);
        *ret = s;
        return 0;
}

struct mesos_slaves *mesos_slaves_free(struct mesos_slaves *s)
{
        if (s) {
                arena_done(&s->arena);
                free(s->agents);
                free(s);
        }
        return NULL;
}

int mesos_slaves_feed(struct mesos_slaves *s, const char *text, size_t n)
{
        return json_events_feed(&s->events, text, n);
}

int mesos_slaves_end(struct mesos_slaves *s, struct err *e)
{
        int k = json_events_end(&s->events);

        if (k >= 0 && s->has_list)
                return 0;
        if (k == -ENOMEM)
                return err_set(e, k, "out of memory");
        if (k == -E2BIG)
                return err_set(e, k, "its answer is nested too deeply");
        return err_set(e, -EBADMSG,
                       k < 0 ? "its answer is no JSON with a list of agents, or is cut off"
                             : "its answer has no list of agents");
}

const struct found *mesos_slaves_agents(const struct mesos_slaves *s, size_t *ret_n)
{
        *ret_n = s->n_agents;
        return s->agents;
}

size_t mesos_slaves_n_skipped(const struct mesos_slaves *s, const char **why)
{
        if (why)
                *why = s->why;
        return s->n_skipped;
}
