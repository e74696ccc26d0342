/* A node collects at once what requests want of it, one archive at a time, and makes zips that it keeps. */

#include <errno.h>

#include "agentd/collections.h"
#include "api/v2_collect.h"
#include "tests/unit/fake_node.h"

#define COLLECT  "/system/health/v2/node/collect"
#define ESTIMATE COLLECT "/estimate"
#define BODY     "{\"prefix\":\"10.0.0.9_agent\"}"

static struct fake_collection peer;

static void begin(struct asked *a, const char *target, const char *body)
{
        asked_begin(a, v2_collect_routes, "POST", target, body);
}

static void begin_and_take(struct asked *a, const char *target, const char *body)
{
        begin(a, target, body);
        ck_assert_uint_eq(a->reply.status, 0);
        ck_assert(fake_collector_take(&fake, &peer));
}

static void read_request(struct collect_request *q)
{
        struct err e;

        ck_assert_msg(collect_request_read(q, peer.request, strlen(peer.request), &e) == 0, "%s",
                      e.text);
}

/* What the stream of the reply has now; and what it is then. */
static enum stream_state read_stream(struct asked *a, char *text, size_t n)
{
        enum stream_state state;
        size_t n_read = 0, n_all = 0;

        while ((state = stream_read(a->reply.stream, text + n_all, n - 1 - n_all, &n_read)) ==
               STREAM_BYTES)
                n_all += n_read;
        text[n_all] = '\0';
        return state;
}

/* --- fragments --------------------------------------------------------------------------------- */

START_TEST(streams_a_fragment)
{
        char text[64];
        struct asked a;

        begin_and_take(&a, COLLECT, BODY);
        ck_assert_uint_eq(asked_status(&a), 0); /* not before the collector has begun */
        fake_collection_say(&peer, SAYS_STARTED);
        ck_assert_uint_eq(asked_status(&a), 200);
        ck_assert_str_eq(a.reply.content_type, FRAGMENT_TYPE_ZSTD);
        ck_assert_uint_eq(stream_size(a.reply.stream), STREAM_LENGTH_UNKNOWN);
        fake_collection_write(&peer, "the fragment");
        ck_assert_int_eq(read_stream(&a, text, sizeof(text)), STREAM_DRY);
        ck_assert_str_eq(text, "the fragment");
        fake_collection_say(&peer, _i == 0 ? SAYS_DONE : SAYS_ERROR("failed", "no"));
        fake_collection_end(&peer);
        ck_assert_int_eq(read_stream(&a, text, sizeof(text)), STREAM_DRY); /* who knows? */
        turn(loop);
        ck_assert_int_eq(read_stream(&a, text, sizeof(text)),
                         _i == 0 ? STREAM_ENDED : STREAM_BROKEN);
        asked_done(&a);
}
END_TEST

/* What it was told of itself does not count. */
START_TEST(says_itself_who_it_is)
{
        _cleanup_(collect_request_done) struct collect_request q = {0};
        struct asked a;

        begin_and_take(
                &a, COLLECT,
                "{\"prefix\":\"10.0.0.9_agent\",\"role\":\"master\",\"units\":[\"x.service\"],"
                "\"op\":\"list\",\"kinds\":[\"journal\"]}");
        read_request(&q);
        ck_assert_int_eq(q.op, COLLECT_ARCHIVE);
        ck_assert(q.fragment);
        ck_assert_int_eq(q.role, DIAG_ROLE_AGENT_PUBLIC);
        ck_assert_uint_eq(q.n_units, 2);
        ck_assert_str_eq(q.units[0], "a.service");
        ck_assert_str_eq(q.units[1], "b.service");
        ck_assert_uint_eq(q.kinds, SOURCE_KIND_BIT(SOURCE_JOURNAL));
        asked_done(&a);
        ck_assert(fake_collection_is_cancelled(&peer));
}
END_TEST

/* clang-format off */
static const struct {
        const char *accept, *format;
        enum archive_format want;
} accepts[] = {
        {NULL, "tar.zst", ARCHIVE_TAR_ZSTD},
        {NULL, "tar.gz", ARCHIVE_TAR_GZIP},
        {"*/*", "tar.zst", ARCHIVE_TAR_ZSTD},
        {FRAGMENT_TYPE_GZIP, "tar.zst", ARCHIVE_TAR_GZIP},
        {FRAGMENT_TYPE_ZSTD, "tar.gz", ARCHIVE_TAR_ZSTD},
        {FRAGMENT_TYPE_GZIP ", " FRAGMENT_TYPE_ZSTD ";q=0.5", "tar.gz", ARCHIVE_TAR_ZSTD},
};
/* clang-format on */

START_TEST(writes_what_the_client_reads)
{
        _cleanup_(collect_request_done) struct collect_request q = {0};
        char body[128];
        struct asked a = {0};

        (void)snprintf(body, sizeof(body), "{\"prefix\":\"10.0.0.9_agent\",\"format\":\"%s\"}",
                       accepts[_i].format);
        fake_accept = accepts[_i].accept;
        begin_and_take(&a, COLLECT, body);
        read_request(&q);
        ck_assert_int_eq(q.format, accepts[_i].want);
        fake_collection_say(&peer, SAYS_STARTED);
        ck_assert_uint_eq(asked_status(&a), 200);
        ck_assert_str_eq(a.reply.content_type, accepts[_i].want == ARCHIVE_TAR_GZIP
                                                       ? FRAGMENT_TYPE_GZIP
                                                       : FRAGMENT_TYPE_ZSTD);
        asked_done(&a);
}
END_TEST

/* clang-format off */
static const struct {
        const char *target, *body, *says; /* NULL: the collector is not even asked */
        unsigned status;
        const char *reason;
} refusals[] = {
        {COLLECT, "{", NULL, 400, "bad-request"},
        {COLLECT, "{\"path\":\"/etc/shadow\"}", NULL, 400, "bad-request"},
        {COLLECT, "{}", NULL, 400, "bad-request"},
        {COLLECT, "{\"prefix\":\"x\"}", NULL, 400, "bad-request"},
        {COLLECT, "{\"prefix\":\"10.0.0.9_agent\",\"format\":\"zip\"}", NULL, 400, "bad-request"},
        {COLLECT, BODY, SAYS_ERROR("not-allowed", "AllowUnredacted=yes"), 403, "not-allowed"},
        {COLLECT, BODY, SAYS_ERROR("bad-request", "no"), 400, "bad-request"},
        {COLLECT, BODY, SAYS_ERROR("not-found", "no"), 404, "not-found"},
        {COLLECT, BODY, SAYS_ERROR("bad-configuration", "no"), 500, "bad-configuration"},
        {COLLECT, BODY, SAYS_ERROR("failed", "no"), 500, "failed"},
        {COLLECT, BODY, "", 503, "collector-unavailable"},
        {ESTIMATE, "{", NULL, 400, "bad-request"},
        {ESTIMATE, "{}", SAYS_ERROR("bad-configuration", "no"), 500, "bad-configuration"},
        {ESTIMATE, "{}", "", 503, "collector-unavailable"},
};
/* clang-format on */

START_TEST(says_why_not)
{
        struct fake_collection none;
        char reason[64];
        struct asked a;

        begin(&a, refusals[_i].target, refusals[_i].body);
        if (refusals[_i].says) {
                ck_assert(fake_collector_take(&fake, &peer));
                if (*refusals[_i].says)
                        fake_collection_say(&peer, refusals[_i].says);
                fake_collection_end(&peer);
        } else {
                ck_assert(!fake_collector_take(&fake, &none));
        }
        if (a.reply.status == 0)
                (void)asked_status(&a);
        ck_assert_msg(a.reply.status == refusals[_i].status, "%s", asked_body(&a));
        (void)snprintf(reason, sizeof(reason), "\"reason\":\"%s\"", refusals[_i].reason);
        ck_assert_ptr_nonnull(strstr(asked_body(&a), reason));
        asked_done(&a);
}
END_TEST

START_TEST(names_the_socket_that_is_not_there)
{
        struct asked a;

        ck_assert_int_eq(unlink(fake.path), 0);
        begin(&a, COLLECT, BODY);
        ck_assert_uint_eq(asked_status(&a), 503);
        ck_assert_ptr_nonnull(strstr(asked_body(&a), "diag-collect.socket is not active"));
        asked_done(&a);
}
END_TEST

/* --- one at a time ------------------------------------------------------------------------------ */

START_TEST(makes_one_archive_at_a_time)
{
        struct asked a, b;

        begin_and_take(&a, COLLECT, BODY);
        begin(&b, COLLECT, BODY);
        ck_assert_uint_eq(asked_status(&b), 429);
        ck_assert_str_eq(asked_header(&b, "Retry-After"), "15");
        asked_done(&b);
        fake_collection_say(&peer, SAYS_STARTED);
        ck_assert_uint_eq(asked_status(&a), 200);
        begin(&b, COLLECT, BODY); /* while it flows, too */
        ck_assert_uint_eq(asked_status(&b), 429);
        asked_done(&b);
        fake_collection_say(&peer, SAYS_DONE);
        turn(loop);
        begin_and_take(&b, COLLECT, BODY); /* the rest of the first is in its pipe */
        asked_done(&b);
        asked_done(&a);
}
END_TEST

START_TEST(looks_beside_an_archive_and_not_too_often)
{
        struct asked archive, looks[COLLECTIONS_SMALL_MAX], more;

        begin_and_take(&archive, COLLECT, BODY);
        for (size_t i = 0; i < ELEMENTSOF(looks); i++)
                begin_and_take(&looks[i], ESTIMATE, "");
        begin(&more, ESTIMATE, "");
        ck_assert_uint_eq(asked_status(&more), 429);
        ck_assert_str_eq(asked_header(&more, "Retry-After"), "1");
        asked_done(&more);
        asked_done(&looks[0]);
        begin_and_take(&more, ESTIMATE, "");
        asked_done(&more);
        for (size_t i = 1; i < ELEMENTSOF(looks); i++)
                asked_done(&looks[i]);
        asked_done(&archive);
}
END_TEST

START_TEST(answers_an_estimate)
{
        struct asked a;

        begin_and_take(&a, ESTIMATE, "{}");
        fake_collection_say(&peer, SAYS_STARTED);
        ck_assert_uint_eq(asked_status(&a), 0);
        fake_collection_write(&peer, "{\"likely_bytes\":");
        ck_assert_uint_eq(asked_status(&a), 0);
        fake_collection_write(&peer, "1}\n");
        fake_collection_say(&peer, SAYS_DONE);
        fake_collection_end(&peer);
        ck_assert_uint_eq(asked_status(&a), 200);
        ck_assert_str_eq(asked_body(&a), "{\"likely_bytes\":1}\n");
        ck_assert_str_eq(a.reply.content_type, "application/json");
        asked_done(&a);
}
END_TEST

/* --- who goes ----------------------------------------------------------------------------------- */

/* Before the first word, before the answer was taken, and while it flows. */
START_TEST(gives_up_the_collection_of_who_hangs_up)
{
        struct asked a;

        begin_and_take(&a, COLLECT, BODY);
        if (_i > 0) {
                fake_collection_say(&peer, SAYS_STARTED);
                turn(loop);
        }
        if (_i > 1)
                ck_assert_uint_eq(asked_status(&a), 200);
        ck_assert(!fake_collection_is_cancelled(&peer));
        asked_done(&a);
        ck_assert(fake_collection_is_cancelled(&peer));
        begin_and_take(&a, COLLECT, BODY); /* and another one may begin */
        asked_done(&a);
}
END_TEST

START_TEST(stops_in_the_middle)
{
        struct asked a;

        begin_and_take(&a, _i == 1 ? ESTIMATE : COLLECT, BODY);
        if (_i == 2) {
                fake_collection_say(&peer, SAYS_STARTED);
                ck_assert_uint_eq(asked_status(&a), 200);
        }
        reply_done(&a.reply); /* the server is gone first, and the loop does not turn any more */
        errand_unref(a.errand);
}
END_TEST

/* --- zips --------------------------------------------------------------------------------------- */

/* A task that is done at once. */
static struct bundle_task *do_task(struct asked *a, enum bundle_task_kind kind, const char *id)
{
        struct bundle_task *t;

        *a = (struct asked){
                .q = {.errand = &a->errand,
                      .received_mono_usec = fake_usec,
                      .may_park = true,
                      .host = &host,
                      .caller_name = "uid 0"}
        };
        t = bundle_task_new(&a->q, host.bundles, kind, 0);
        ck_assert_ptr_nonnull(t);
        (void)snprintf(t->id, sizeof(t->id), "%s", id);
        ck_assert_int_eq(bundle_task_start(&a->q, host.bundles), 0);
        turn(loop);
        ck_assert_int_eq(bundle_task_wait(&a->q, &a->reply, &t), ERRAND_DONE);
        return t;
}

static unsigned status_of(enum bundle_task_kind kind, const char *id)
{
        struct asked a;
        unsigned status = do_task(&a, kind, id)->status;

        asked_done(&a);
        return status;
}

static enum bundle_state state_of(const char *id)
{
        struct asked a;
        struct bundle_task *t = do_task(&a, BUNDLE_TASK_GET, id);
        enum bundle_state state = t->n_bundles ? t->bundles[0]->state : BUNDLE_UNKNOWN;

        asked_done(&a);
        return state;
}

static bool is_there(const char *id, const char *name)
{
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/%s/%s", store, id, name);
        return access(path, F_OK) == 0;
}

static void create_and_take(const char *id)
{
        ck_assert_uint_eq(status_of(BUNDLE_TASK_CREATE, id), 200);
        while (fake_timers_fire(fake_usec))
                turn(loop);
        ck_assert(fake_collector_take(&fake, &peer));
}

static void let_pass(uint64_t usec)
{
        uint64_t until = fake_usec + usec;

        while (fake_timers_fire(until))
                turn(loop);
        turn(loop);
}

START_TEST(makes_a_zip)
{
        _cleanup_(collect_request_done) struct collect_request q = {0};
        struct bundle_task *t;
        struct asked a;
        char text[16] = "";

        create_and_take("one");
        read_request(&q);
        ck_assert_int_eq(q.op, COLLECT_ARCHIVE);
        ck_assert_int_eq(q.format, ARCHIVE_ZIP);
        ck_assert(!q.fragment);
        ck_assert_str_eq(q.prefix, "");
        ck_assert_str_eq(q.bundle, "one");
        ck_assert_int_eq(q.role, DIAG_ROLE_AGENT_PUBLIC);
        ck_assert_uint_eq(q.n_units, 2);
        ck_assert_uint_eq(status_of(BUNDLE_TASK_CREATE, "one"), 409);
        ck_assert_uint_eq(status_of(BUNDLE_TASK_FILE, "one"), 404);
        fake_collection_say(&peer, SAYS_STARTED);
        fake_collection_write(&peer, "a zip");
        fake_collection_say(&peer, SAYS_PROGRESS);
        turn(loop);
        t = do_task(&a, BUNDLE_TASK_GET, "one");
        ck_assert_int_eq(t->bundles[0]->state, BUNDLE_RUNNING);
        ck_assert_str_eq(t->bundles[0]->current, "file /a");
        asked_done(&a);
        ck_assert(is_there("one", "file.part"));
        fake_collection_say(&peer, SAYS_DONE_PARTLY);
        turn(loop);
        ck_assert(!is_there("one", "file.part"));
        t = do_task(&a, BUNDLE_TASK_FILE, "one");
        ck_assert_uint_eq(t->status, 200);
        ck_assert_uint_eq(t->size, 5);
        ck_assert_str_eq(t->file_name, "one.zip");
        ck_assert_int_eq(read(t->fd, text, sizeof(text)), 5);
        ck_assert_str_eq(text, "a zip");
        asked_done(&a);
        t = do_task(&a, BUNDLE_TASK_LIST, "");
        ck_assert_uint_eq(t->n_bundles, 1);
        ck_assert_int_eq(t->bundles[0]->state, BUNDLE_DONE);
        ck_assert_int_eq(t->bundles[0]->type, BUNDLE_NODE);
        ck_assert_str_eq(t->bundles[0]->observer, "10.0.0.9");
        ck_assert(t->bundles[0]->partial);
        ck_assert_uint_eq(t->bundles[0]->n_redactions, 7);
        asked_done(&a);
        ck_assert_uint_eq(status_of(BUNDLE_TASK_DELETE, "one"), 200);
        ck_assert_uint_eq(status_of(BUNDLE_TASK_FILE, "one"), 410);
        ck_assert(!is_there("one", "file.zip"));
}
END_TEST

/* clang-format off */
static const struct {
        const char *says; /* "": it hangs up */
        const char *error;
} failures[] = {
        {SAYS_ERROR("bad-configuration", "x.json: no"), "x.json: no"},
        {"", "the collector ended before it was done"},
};
/* clang-format on */

START_TEST(keeps_nothing_of_a_zip_that_failed)
{
        struct bundle_task *t;
        struct asked a;

        create_and_take("one");
        fake_collection_say(&peer, SAYS_STARTED);
        fake_collection_write(&peer, "a zi");
        if (*failures[_i].says)
                fake_collection_say(&peer, failures[_i].says);
        fake_collection_end(&peer);
        turn(loop);
        t = do_task(&a, BUNDLE_TASK_GET, "one");
        ck_assert_int_eq(t->bundles[0]->state, BUNDLE_FAILED);
        ck_assert_str_eq(t->bundles[0]->error, failures[_i].error);
        asked_done(&a);
        ck_assert(!is_there("one", "file.part") && !is_there("one", "file.zip"));
        ck_assert_uint_eq(status_of(BUNDLE_TASK_FILE, "one"), 410);
}
END_TEST

/* While it waits for its turn, and while it is made. */
START_TEST(cancels_a_zip)
{
        struct asked a;

        if (_i == 0)
                begin_and_take(&a, COLLECT, BODY);
        ck_assert_uint_eq(status_of(BUNDLE_TASK_CREATE, "one"), 200);
        let_pass(0);
        if (_i == 1)
                ck_assert(fake_collector_take(&fake, &peer));
        ck_assert_uint_eq(status_of(BUNDLE_TASK_CANCEL, "one"), 200);
        let_pass(0);
        ck_assert_int_eq(state_of("one"), BUNDLE_CANCELED);
        ck_assert(!is_there("one", "file.part"));
        ck_assert(fake_collection_is_cancelled(&peer) == (_i == 1));
        ck_assert_uint_eq(status_of(BUNDLE_TASK_CANCEL, "one"), 409);
        if (_i == 0)
                asked_done(&a);
}
END_TEST

START_TEST(waits_for_its_turn)
{
        struct asked a;

        begin_and_take(&a, COLLECT, BODY);
        ck_assert_uint_eq(status_of(BUNDLE_TASK_CREATE, "one"), 200);
        let_pass(5 * USEC_PER_SEC);
        ck_assert_int_eq(state_of("one"), BUNDLE_RUNNING);
        asked_done(&a);
        fake_collection_end(&peer);
        let_pass(5 * USEC_PER_SEC);
        ck_assert(fake_collector_take(&fake, &peer));
        begin(&a, COLLECT, BODY); /* and others for theirs */
        ck_assert_uint_eq(asked_status(&a), 429);
        asked_done(&a);
        fake_collection_say(&peer, SAYS_DONE);
        turn(loop);
        ck_assert_int_eq(state_of("one"), BUNDLE_DONE);
}
END_TEST

START_TEST(fails_a_zip_without_a_collector)
{
        ck_assert_int_eq(unlink(fake.path), 0);
        ck_assert_uint_eq(status_of(BUNDLE_TASK_CREATE, "one"), 200);
        let_pass(0);
        ck_assert_int_eq(state_of("one"), BUNDLE_FAILED);
}
END_TEST

static const struct {
        enum bundle_task_kind kind;
        unsigned status;
} of_none[] = {
        {BUNDLE_TASK_GET,      404},
        {BUNDLE_TASK_CANCEL,   404},
        {BUNDLE_TASK_DELETE,   404},
        {BUNDLE_TASK_FILE,     404},
        {BUNDLE_TASK_ESTIMATE, 404},
};

START_TEST(has_none_of_that_name)
{
        ck_assert_uint_eq(status_of(of_none[_i].kind, "none"), of_none[_i].status);
}
END_TEST

START_TEST(refuses_ids_that_are_none)
{
        ck_assert_uint_eq(status_of(BUNDLE_TASK_CREATE, "../x"), 400);
}
END_TEST

/* --- without a place for zips ------------------------------------------------------------------- */

START_TEST(says_why_it_keeps_none)
{
        struct bundles_options options = {
                .loop = loop, .feed = feed, .errands = errands, .socket = fake.path};
        struct asked a;
        struct err e = {0};

        bundles_free(bundles);
        options.directory = _i == 0 ? NULL : fake.path; /* a socket */
        ck_assert_int_eq(bundles_new(&bundles, &options, &e), 0);
        ck_assert_int_lt(e.code, 0);
        host.bundles = bundles_host(bundles);
        ck_assert_str_eq(do_task(&a, BUNDLE_TASK_CREATE, "one")->error.text, e.text);
        asked_done(&a);
        ck_assert_uint_eq(status_of(BUNDLE_TASK_LIST, ""), 507);
        begin_and_take(&a, COLLECT, BODY); /* which needs none */
        asked_done(&a);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("bundles");
        TCase *tc = tcase_create("bundles");

        tcase_add_checked_fixture(tc, fake_node_start, fake_node_stop);
        tcase_add_loop_test(tc, streams_a_fragment, 0, 2);
        tcase_add_test(tc, says_itself_who_it_is);
        tcase_add_loop_test(tc, writes_what_the_client_reads, 0, ELEMENTSOF(accepts));
        tcase_add_loop_test(tc, says_why_not, 0, ELEMENTSOF(refusals));
        tcase_add_test(tc, names_the_socket_that_is_not_there);
        tcase_add_test(tc, makes_one_archive_at_a_time);
        tcase_add_test(tc, looks_beside_an_archive_and_not_too_often);
        tcase_add_test(tc, answers_an_estimate);
        tcase_add_loop_test(tc, gives_up_the_collection_of_who_hangs_up, 0, 3);
        tcase_add_loop_test(tc, stops_in_the_middle, 0, 3);
        tcase_add_test(tc, makes_a_zip);
        tcase_add_loop_test(tc, keeps_nothing_of_a_zip_that_failed, 0, ELEMENTSOF(failures));
        tcase_add_loop_test(tc, cancels_a_zip, 0, 2);
        tcase_add_test(tc, waits_for_its_turn);
        tcase_add_test(tc, fails_a_zip_without_a_collector);
        tcase_add_loop_test(tc, has_none_of_that_name, 0, ELEMENTSOF(of_none));
        tcase_add_test(tc, refuses_ids_that_are_none);
        tcase_add_loop_test(tc, says_why_it_keeps_none, 0, 2);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
