/* Any data of a master of Mesos: what is accepted is an address, and fit to be shown. */

#include <errno.h>

#include "aggregator/mesos_info_json.h"
#include "base/json_write.h"
#include "base/parse.h"
#include "tests/fuzz/fuzz.h"

static void must_be_shown(const char *s)
{
        MUST(zk_text_is_valid(s, strlen(s)));
}

/* Written anew it says the same. */
static void must_be_read_again(const struct zk_mesos_master *m)
{
        _cleanup_(arena_done) struct arena a = {0};
        _cleanup_(buf_done) struct buf b = {0};
        struct json_writer w = {.out = &b};
        struct zk_mesos_master again;

        jw_begin_object(&w);
        jw_key(&w, "address");
        jw_begin_object(&w);
        jw_member_string(&w, "ip", m->address);
        jw_member_uint(&w, "port", m->port);
        jw_member_string(&w, "hostname", m->hostname);
        jw_end_object(&w);
        jw_member_string(&w, "id", m->id);
        jw_member_string(&w, "version", m->version);
        jw_end_object(&w);
        MUST(mesos_info_from_json(&again, &a, b.data, b.n, NULL) == 0);
        MUST(streq(again.address, m->address) && again.port == m->port);
        MUST(streq(again.hostname, m->hostname) && streq(again.id, m->id));
        MUST(streq(again.version, m->version));
}

static void look_at_name(const char *name)
{
        uint64_t sequence = UINT64_MAX;

        MUST(mesos_info_kind(name, &sequence) == MESOS_INFO_NONE || sequence != UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *name = strndup((const char *)data, size);
        _cleanup_(arena_done) struct arena a = {0};
        struct zk_mesos_master m;
        struct err e = {0};
        int family, k = mesos_info_from_json(&m, &a, (const char *)data, size, &e);

        MUST(name);
        look_at_name(name);
        MUST(k == 0 || k == -EBADMSG || (k == -E2BIG && size > ZK_DATA_MAX));
        if (k < 0) {
                MUST(e.code == k && e.text[0]);
                return 0;
        }
        MUST(parse_ip(m.address, &family) == 0);
        must_be_shown(m.hostname);
        must_be_shown(m.id);
        must_be_shown(m.version);
        must_be_read_again(&m);
        return 0;
}
