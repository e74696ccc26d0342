/* What stands at the root of a bundle says all that went wrong, and nothing when nothing did. */

#include <stdio.h>

#include <jansson.h>

#include "base/mono.h"
#include "bundles/manifest.h"
#include "tests/unit/test_main.h"

#define NODES 4u

static struct bundle bundle;
static struct bundle_node told[NODES];
static struct node_status statuses[NODES];
static struct manifest_node nodes[NODES];
static struct buf out;

static void add_entry(struct node_status *s, const char *path, const char *error, bool optional)
{
        struct node_status_entry *entry = node_status_add(s);

        ck_assert_ptr_nonnull(entry);
        entry->path = strdup(path);
        entry->source = strdup(path);
        entry->kind = SOURCE_FILE;
        entry->error = error ? strdup(error) : NULL;
        entry->optional = optional;
        entry->size = 7;
        entry->n_redactions = 2;
        (void)snprintf(entry->sha256, sizeof(entry->sha256), "%064d", 1);
}

static void set_node(size_t i, char *address, enum diag_role role, enum bundle_node_state state,
                     char *error)
{
        told[i] = (struct bundle_node){
                .address = address, .role = role, .state = state, .error = error, .node_id = NULL};
        nodes[i] = (struct manifest_node){.node = &told[i]};
}

static void set_status(size_t i, const char *prefix)
{
        statuses[i].prefix = strdup(prefix);
        statuses[i].hostname = strdup("host");
        statuses[i].role = told[i].role;
        statuses[i].redacted = true;
        nodes[i].status = &statuses[i];
}

static void setup(void)
{
        bundle = (struct bundle){.id = "b-1", .type = BUNDLE_CLUSTER};
        bundle.created_wall_usec = UINT64_C(1795305600) * USEC_PER_SEC;
        bundle.request.since_wall_usec = UINT64_C(1795219200) * USEC_PER_SEC;
        bundle.observer = strdup("10.0.0.1");
        out = (struct buf){0};
        memset(statuses, 0, sizeof(statuses));
        set_node(0, strdup("10.0.0.1"), DIAG_ROLE_MASTER, BUNDLE_NODE_DONE, NULL);
        set_node(1, strdup("10.0.0.2"), DIAG_ROLE_AGENT, BUNDLE_NODE_PARTIAL,
                 strdup("the connection was lost after 3 entries"));
        set_node(2, strdup("10.0.0.3"), DIAG_ROLE_AGENT_PUBLIC, BUNDLE_NODE_FAILED,
                 strdup("connect: no route to host"));
        set_node(3, strdup("10.0.0.4"), DIAG_ROLE_AGENT, BUNDLE_NODE_RUNNING, NULL);
        set_status(0, "10.0.0.1_master");
        set_status(1, "10.0.0.2_agent");
        add_entry(&statuses[0], "a.service", NULL, false);
        add_entry(&statuses[0], "x/y", "no such file or directory", false);
        add_entry(&statuses[0], "sestatus.output", "exit status 127", true);
        add_entry(&statuses[1], "a.service", NULL, false);
        statuses[1].entries[0].truncated = true;
}

static void teardown(void)
{
        for (size_t i = 0; i < NODES; i++) {
                free(told[i].address);
                free(told[i].error);
                node_status_done(&statuses[i]);
        }
        free(bundle.observer);
        buf_done(&out);
}

static json_t *parse(void)
{
        json_t *o = json_loadb(out.data, out.n, JSON_REJECT_DUPLICATES, NULL);

        ck_assert_ptr_nonnull(o);
        return o;
}

static const char *text_of(const json_t *o, const char *key)
{
        return json_string_value(json_object_get(o, key));
}

START_TEST(tells_every_entry)
{
        json_t *o, *list, *node, *entry;

        manifest_write(&out, &bundle, nodes, NODES);
        o = parse();
        ck_assert_str_eq(text_of(o, "id"), "b-1");
        ck_assert_str_eq(text_of(o, "format"), "tar.zst");
        ck_assert(json_is_true(json_object_get(o, "redacted")));
        ck_assert_ptr_null(json_object_get(o, "warning"));
        ck_assert_int_eq(json_integer_value(json_object_get(o, "redactions")), 8);
        list = json_object_get(o, "nodes");
        ck_assert_uint_eq(json_array_size(list), NODES);
        node = json_array_get(list, 0);
        ck_assert_str_eq(text_of(node, "state"), "done");
        ck_assert(json_is_null(json_object_get(node, "error")));
        ck_assert_int_eq(json_integer_value(json_object_get(node, "failed_entries")), 1);
        entry = json_array_get(json_object_get(node, "entries"), 1);
        ck_assert_str_eq(text_of(entry, "path"), "10.0.0.1_master/x/y");
        ck_assert_str_eq(text_of(entry, "source"), "x/y");
        ck_assert_str_eq(text_of(entry, "kind"), "file");
        ck_assert_str_eq(text_of(entry, "error"), "no such file or directory");
        ck_assert_int_eq(json_integer_value(json_object_get(entry, "size")), 7);
        ck_assert_int_eq(json_integer_value(json_object_get(entry, "redactions")), 2);
        node = json_array_get(list, 2);
        ck_assert_str_eq(text_of(node, "directory"), "10.0.0.3_agent_public");
        ck_assert_str_eq(text_of(node, "error"), "connect: no route to host");
        ck_assert_uint_eq(json_array_size(json_object_get(node, "entries")), 0);
        json_decref(o);
}
END_TEST

START_TEST(shouts_when_nothing_was_masked)
{
        json_t *o;

        bundle.request.no_redact = true;
        manifest_write(&out, &bundle, nodes, NODES);
        o = parse();
        ck_assert(json_is_false(json_object_get(o, "redacted")));
        ck_assert_ptr_nonnull(strstr(text_of(o, "warning"), "NOT REDACTED"));
        json_decref(o);
        buf_clear(&out);
        manifest_write_readme(&out, &bundle, nodes, NODES);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "*** NOT REDACTED"));
        ck_assert_ptr_null(strstr(buf_cstr(&out), "What is masked"));
}
END_TEST

/* Whatever was asked for: one node that did not do it is enough. */
START_TEST(shouts_when_a_node_masked_nothing)
{
        statuses[1].redacted = false;
        manifest_write(&out, &bundle, nodes, NODES);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\"warning\":\"NOT REDACTED"));
}
END_TEST

START_TEST(sums_up_what_failed)
{
        manifest_write_summary(&out, nodes, NODES);
        ck_assert_str_eq(
                buf_cstr(&out),
                "could not collect 10.0.0.1_master/x/y: no such file or directory\n"
                "10.0.0.2_agent is not complete: the connection was lost after 3 entries\n"
                "could not collect 10.0.0.3_agent_public: connect: no route to host\n"
                "could not collect 10.0.0.4_agent: bundle creation context finished before "
                "bundle creation finished");
}
END_TEST

/* An optional source may fail: then there is no such file. */
START_TEST(says_nothing_when_all_went_well)
{
        free(statuses[0].entries[1].error);
        statuses[0].entries[1].error = NULL;
        manifest_write_summary(&out, nodes, 1);
        ck_assert_uint_eq(out.n, 0);
        ck_assert_int_eq(out.error, 0);
}
END_TEST

/* All of it arrived; but the node itself says that there is more. */
START_TEST(believes_a_node_that_says_it_was_cut_short)
{
        statuses[0].partial = true;
        statuses[0].partial_reason = strdup("its 256 MiB were full");
        manifest_write_summary(&out, nodes, 1);
        ck_assert_ptr_nonnull(
                strstr(buf_cstr(&out), "10.0.0.1_master is not complete: its 256 MiB"));
}
END_TEST

START_TEST(names_entries_at_the_root)
{
        free(statuses[0].prefix);
        statuses[0].prefix = strdup("");
        bundle.type = BUNDLE_NODE;
        manifest_write_summary(&out, nodes, 1);
        ck_assert_str_eq(buf_cstr(&out), "could not collect x/y: no such file or directory");
        buf_clear(&out);
        manifest_write(&out, &bundle, nodes, 1);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\"path\":\"a.service\""));
        buf_clear(&out);
        manifest_write_readme(&out, &bundle, nodes, 1);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "  health.json  "));
        ck_assert_ptr_null(strstr(buf_cstr(&out), "*/"));
}
END_TEST

START_TEST(reports_as_the_old_service_did)
{
        manifest_write_report(&out, &bundle, nodes, NODES);
        ck_assert_str_eq(
                buf_cstr(&out),
                "{\"id\":\"b-1\",\"nodes\":{\"10.0.0.1\":{\"status\":\"Done\"},"
                "\"10.0.0.2\":{\"status\":\"Done\",\"error\":\"the connection was lost after 3 "
                "entries\"},\"10.0.0.3\":{\"status\":\"Failed\",\"error\":\"connect: no route to "
                "host\"},\"10.0.0.4\":{\"status\":\"Failed\",\"error\":\"bundle creation context "
                "finished before bundle creation finished\"}}}\n");
        buf_clear(&out);
        manifest_write_report(&out, &bundle, nodes, 0);
        ck_assert_str_eq(buf_cstr(&out), "{\"id\":\"b-1\",\"nodes\":{}}\n");
}
END_TEST

/* clang-format off */
static const char *const readme[] = {
        "Bundle b-1\n",
        "When:    2026-11-22T00:00:00.000Z\n",
        "Logs:    from 2026-11-21T00:00:00.000Z to when each was read\n",
        "Not in it: 2 of 4 nodes\n  10.0.0.3_agent_public        connect: no route to host\n",
        "In it: 2 of 4 nodes\n  10.0.0.1_master              3 entries, host, 1 failed\n",
        "  10.0.0.2_agent               1 entry, host, 1 too long and cut; NOT COMPLETE: the connection was lost",
        "*/health.json",
        "8 in all. They read [redacted:1f2e3d4c]",
};
/* clang-format on */

START_TEST(explains_itself)
{
        size_t n_lines = 0;

        manifest_write_readme(&out, &bundle, nodes, NODES);
        for (size_t i = 0; i < ELEMENTSOF(readme); i++)
                ck_assert_msg(strstr(buf_cstr(&out), readme[i]) != NULL, "%s\nis not in\n%s",
                              readme[i], buf_cstr(&out));
        for (size_t i = 0; i < out.n; i++)
                n_lines += out.data[i] == '\n';
        ck_assert_uint_le(n_lines, 42);
}
END_TEST

START_TEST(says_what_logs_when_nobody_did)
{
        bundle.request.since_wall_usec = 0;
        bundle.request.kinds = SOURCE_KIND_BIT(SOURCE_JOURNAL) | SOURCE_KIND_BIT(SOURCE_HOST);
        statuses[0].since_wall_usec = UINT64_C(1795219260) * USEC_PER_SEC;
        statuses[1].since_wall_usec = UINT64_C(1795219200) * USEC_PER_SEC;
        manifest_write_readme(&out, &bundle, nodes, NODES);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&out), readme[2]));
        ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\nOnly:    journal, host\n"));
}
END_TEST

/* Thousands of nodes do not make it longer than a person reads. */
START_TEST(stays_short)
{
        struct manifest_node many[1000];

        for (size_t i = 0; i < ELEMENTSOF(many); i++)
                many[i] = nodes[i % 2 ? 2 : 0];
        manifest_write_readme(&out, &bundle, many, ELEMENTSOF(many));
        ck_assert_uint_lt(out.n, 10000);
        ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "and 460 more: see manifest.json"));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("manifest");
        TCase *c = tcase_create("manifest");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, tells_every_entry);
        tcase_add_test(c, shouts_when_nothing_was_masked);
        tcase_add_test(c, shouts_when_a_node_masked_nothing);
        tcase_add_test(c, sums_up_what_failed);
        tcase_add_test(c, says_nothing_when_all_went_well);
        tcase_add_test(c, believes_a_node_that_says_it_was_cut_short);
        tcase_add_test(c, names_entries_at_the_root);
        tcase_add_test(c, reports_as_the_old_service_did);
        tcase_add_test(c, explains_itself);
        tcase_add_test(c, says_what_logs_when_nobody_did);
        tcase_add_test(c, stays_short);
        suite_add_tcase(s, c);
        return test_main(s);
}
