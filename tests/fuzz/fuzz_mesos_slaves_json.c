/*
 * Any bytes as Mesos' list of agents: whoever is found may be asked, is no master, and stands there, as a
 * parser that builds trees finds him.
 */

#include <errno.h>

#include <jansson.h>

#include "aggregator/mesos_slaves_json.h"
#include "tests/fuzz/fuzz.h"

static void must_be_fine(const struct found *agents, size_t n, size_t size)
{
        MUST(n <= MESOS_SLAVES_MAX && n <= size);
        for (size_t i = 0; i < n; i++) {
                MUST(found_check(&agents[i], NULL) == 0);
                MUST(agents[i].role == DIAG_ROLE_AGENT || agents[i].role == DIAG_ROLE_AGENT_PUBLIC);
                MUST(!agents[i].port && !agents[i].leader && !agents[i].down);
                MUST(!agents[i].node_id && !agents[i].hostname);
        }
}

static bool names_agent(const json_t *entry, struct found *f)
{
        const json_t *is_public =
                json_object_get(json_object_get(entry, "attributes"), "public_ip");

        *f = (struct found){
                .address = json_string_value(json_object_get(entry, "hostname")),
                .role = json_is_string(is_public) && streq(json_string_value(is_public), "true")
                                ? DIAG_ROLE_AGENT_PUBLIC
                                : DIAG_ROLE_AGENT,
        };
        return f->address && found_check(f, NULL) == 0;
}

static void must_agree(const struct mesos_slaves *s, const json_t *whole)
{
        const json_t *list = json_object_get(whole, "slaves"), *entry;
        size_t n, i, at = 0;
        const struct found *agents = mesos_slaves_agents(s, &n);
        struct found f;

        MUST(json_is_array(list));
        json_array_foreach (list, i, entry) {
                if (!names_agent(entry, &f))
                        continue;
                MUST(at < n && streq(agents[at].address, f.address) && agents[at].role == f.role);
                at++;
        }
        MUST(at == n && mesos_slaves_n_skipped(s, NULL) == json_array_size(list) - n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(mesos_slaves_freep) struct mesos_slaves *s = NULL;
        json_auto_t *whole = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
        const struct found *agents;
        struct err e = {0};
        size_t n;
        int k;

        MUST(mesos_slaves_new(&s) == 0);
        (void)mesos_slaves_feed(s, (const char *)data, size / 2);
        (void)mesos_slaves_feed(s, (const char *)data + size / 2, size - size / 2);
        k = mesos_slaves_end(s, &e);
        MUST(k == 0 || ((k == -EBADMSG || k == -E2BIG) && *e.text));
        agents = mesos_slaves_agents(s, &n);
        must_be_fine(agents, n, size);
        if (whole && k == 0)
                must_agree(s, whole);
        if (whole && k == -EBADMSG)
                MUST(!json_is_array(json_object_get(whole, "slaves")));
        return 0;
}
