/* From what is known of a node to what is shown of it. */

#include <errno.h>
#include <stdio.h>

#include "aggregator/node.h"
#include "base/mono.h"

/* The first source in the order of their authority that knows. */
enum diag_role node_role(const struct node *n)
{
        for (size_t i = 0; i < DIAG_N_SOURCES; i++)
                if (n->sources & DIAG_SOURCE_BIT(i) && n->claims[i].role)
                        return n->claims[i].role;
        return n->report ? n->report->node.role : DIAG_ROLE_UNKNOWN;
}

uint16_t node_port(const struct node *n)
{
        for (size_t i = 0; i < DIAG_N_SOURCES; i++)
                if (n->sources & DIAG_SOURCE_BIT(i) && n->claims[i].port)
                        return n->claims[i].port;
        return 0;
}

static bool claimed_leader(const struct node *n)
{
        for (size_t i = 0; i < DIAG_N_SOURCES; i++)
                if (n->sources & DIAG_SOURCE_BIT(i) && n->claims[i].leader)
                        return true;
        return false;
}

static bool claimed_down(const struct node *n)
{
        for (size_t i = 0; i < DIAG_N_SOURCES; i++)
                if (n->sources & DIAG_SOURCE_BIT(i) && n->claims[i].down)
                        return true;
        return false;
}

const char *node_id(const struct node *n)
{
        if (n->report && !str_empty(n->report->node.node_id))
                return n->report->node.node_id;
        return n->claimed_id;
}

enum diag_reach node_reach(const struct node *n, uint64_t now_boot_usec)
{
        bool away = n->goodbye_boot_usec &&
                    usec_since(now_boot_usec, n->goodbye_boot_usec) < NODE_REBOOT_USEC;

        if (n->conflict)
                return DIAG_REACH_CONFLICT;
        if (away) /* it has said so itself: nothing else that it said holds */
                return DIAG_REACH_REBOOTING;
        if (!n->failing_boot_usec && n->answered)
                return DIAG_REACH_OK;
        if (n->superseded)
                return DIAG_REACH_SUPERSEDED;
        if (n->answered && !n->failed_for_good)
                return DIAG_REACH_LATE;
        return n->answered ? DIAG_REACH_UNREACHABLE : DIAG_REACH_NEVER;
}

static void free_maintenance(struct diag_maintenance *m)
{
        if (!m)
                return;
        free((char *)m->reason);
        free((char *)m->by);
        free(m);
}

int node_set_maintenance(struct node *n, const struct diag_maintenance *m)
{
        struct diag_maintenance *copy = NULL;

        if (m) {
                copy = malloc(sizeof(*copy));
                if (!copy)
                        return -ENOMEM;
                *copy = *m;
                copy->reason = strdup(m->reason);
                copy->by = strdup(m->by);
                if (!copy->reason || !copy->by) {
                        free_maintenance(copy);
                        return -ENOMEM;
                }
        }
        free_maintenance(n->maintenance);
        n->maintenance = copy;
        return 0;
}

bool node_is_skewed(const struct node *n)
{
        int64_t off = atomic_load_explicit(&n->pulse->clock_offset_usec, memory_order_relaxed);

        return off > NODE_CLOCK_SKEW_USEC || off < -NODE_CLOCK_SKEW_USEC;
}

void node_clear_outputs(struct node *n)
{
        for (size_t i = 0; n->outputs && n->report && i < n->report->n_components; i++)
                free(n->outputs[i]);
        free(n->outputs);
        n->outputs = NULL;
}

/* --- its member -------------------------------------------------------------------------------- */

/* What is shown is put together here, on the way into the member, which copies it. */
struct draft {
        struct diag_member m;
        char text[DIAG_STRING_MAX];
        char skew[64];
        char id[FOUND_ADDRESS_MAX + sizeof("addr:")];
};

static void note(struct diag_member *m, const char *text)
{
        if (m->n_notes < DIAG_MEMBER_NOTES_MAX)
                m->notes[m->n_notes++] = text;
}

static void describe_identity(struct draft *d, const struct node *n)
{
        const struct diag_node *said = n->report ? &n->report->node : NULL;
        const char *id = node_id(n);
        struct diag_member *m = &d->m;

        (void)snprintf(d->id, sizeof(d->id), "addr:%s", n->address);
        m->address = n->address;
        m->addresses[m->n_addresses++] = n->address;
        if (said && !str_empty(said->address) && !streq(said->address, n->address) &&
            n->protocol == DIAG_PROTOCOL_V2)
                m->addresses[m->n_addresses++] = said->address;
        for (const struct node *a = n->aliases; a && m->n_addresses < DIAG_MEMBER_ADDRESSES_MAX;
             a = a->next_alias)
                if (m->n_addresses < 2 || !streq(m->addresses[1], a->address))
                        m->addresses[m->n_addresses++] = a->address;
        m->node_id = str_or(id, d->id);
        m->hostname = said ? str_or(said->hostname, said->kernel_hostname)
                           : str_or(n->claimed_hostname, "");
        m->boot_id = said ? said->boot_id : "";
        m->version = said ? said->version : "";
        m->mesos_id = said ? said->mesos_id : "";
        m->role = node_role(n);
        m->sources = n->sources;
        m->leader = claimed_leader(n);
        m->seen_down = claimed_down(n);
        m->unlisted = n->unlisted_boot_usec != 0;
        m->protocol = n->protocol;
        m->pulse = n->pulse;
}

/* The first component that is as bad as the node is: its name, and why. */
static void describe_fault(struct draft *d, const struct diag_report *r)
{
        struct diag_member *m = &d->m;

        m->code = r->node_code;
        if (r->node_code && r->health != DIAG_HEALTHY) {
                (void)snprintf(d->text, sizeof(d->text), "%s", r->node_text);
                return;
        }
        for (size_t i = 0; i < r->n_components; i++) {
                const struct diag_component *c = &r->components[i];

                if (c->health != r->health || r->health == DIAG_HEALTHY)
                        continue;
                m->code = c->code;
                (void)snprintf(d->text, sizeof(d->text), "%s %s", c->name,
                               str_or(c->text, diag_code_to_string(c->code)));
                return;
        }
}

static void describe_answer(struct draft *d, const struct node *n)
{
        struct diag_member *m = &d->m;

        m->stale = n->stale;
        m->health = n->stale ? DIAG_UNKNOWN : n->report->health;
        m->since_wall_usec = n->report->since_wall_usec;
        if (n->stale) {
                m->code = DIAG_CODE_FACTS_STALE;
                (void)snprintf(d->text, sizeof(d->text),
                               "it answers, but has not confirmed its facts for too long");
        } else {
                describe_fault(d, n->report);
        }
        if (n->report->truncated)
                note(m, "truncated");
        if (n->report->node.role != m->role && n->report->node.role != DIAG_ROLE_UNKNOWN)
                note(m, "role-differs");
        if (n->protocol == DIAG_PROTOCOL_V2 && n->claimed_id &&
            !streq(n->claimed_id, n->report->node.node_id))
                note(m, "identity-differs");
}

static void describe_silence(struct draft *d, const struct node *n)
{
        static const struct {
                enum diag_code code;
                const char *text;
        } said[DIAG_N_REACH] = {
                [DIAG_REACH_NEVER] = {DIAG_CODE_NEVER_ANSWERED, "it has never answered"   },
                [DIAG_REACH_UNREACHABLE] = {DIAG_CODE_UNREACHABLE,    "it does not answer"      },
                [DIAG_REACH_REBOOTING] = {DIAG_CODE_REBOOTING,      "its machine is rebooting"},
                [DIAG_REACH_SUPERSEDED] = {DIAG_CODE_SUPERSEDED,
                                      "it is gone, and others have taken its place"       },
        };
        struct diag_member *m = &d->m;

        m->health = DIAG_UNKNOWN;
        m->code = n->bad_answer ? DIAG_CODE_BAD_ANSWER : said[m->reach].code;
        m->since_wall_usec = n->failed_wall_usec;
        if (n->fault && n->bad_answer)
                (void)snprintf(d->text, sizeof(d->text), "it does not answer as a node does: %s",
                               n->fault);
        else if (n->fault && m->reach != DIAG_REACH_REBOOTING)
                (void)snprintf(d->text, sizeof(d->text), "%s: %s", said[m->reach].text, n->fault);
        else
                (void)snprintf(d->text, sizeof(d->text), "%s", said[m->reach].text);
}

static void describe_skew(struct draft *d, const struct node *n)
{
        if (node_is_skewed(n))
                note(&d->m, "clock-skew");
}

static const struct diag_maintenance *find_maintenance(const struct node *n, uint64_t now_wall_usec)
{
        if (n->report && n->report->maintenance &&
            n->report->maintenance->until_wall_usec > now_wall_usec)
                return n->report->maintenance;
        if (n->maintenance && n->maintenance->until_wall_usec > now_wall_usec)
                return n->maintenance;
        return NULL;
}

int node_make_member(struct diag_member **ret, const struct node *n, uint64_t now_boot_usec,
                     uint64_t now_wall_usec)
{
        struct draft d = {.m = {.text = ""}};
        struct diag_member *m = &d.m;

        describe_identity(&d, n);
        m->port = n->port;
        m->reach = node_reach(n, now_boot_usec);
        m->report = n->report;
        m->outputs = (const char *const *)n->outputs;
        m->text = d.text;
        if (diag_member_speaks(m))
                describe_answer(&d, n);
        else
                describe_silence(&d, n);
        if (m->reach == DIAG_REACH_CONFLICT) {
                m->code = DIAG_CODE_IDENTITY_CONFLICT;
                (void)snprintf(
                        d.text, sizeof(d.text),
                        "another node that answers has the same identity: a cloned machine id?");
        }
        describe_skew(&d, n);
        m->maintenance = (struct diag_maintenance *)find_maintenance(n, now_wall_usec);
        if (n->member && diag_member_same(n->member, m)) {
                *ret = diag_member_ref(n->member);
                return 0;
        }
        return diag_member_new(ret, m);
}
