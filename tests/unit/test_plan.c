/* What a bundle is made of: files merge as they should, names are as people know them, and strangers say nothing. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "bundles/plan.h"
#include "bundles/plan_file.h"
#include "bundles/plan_json.h"
#include "bundles/plan_list.h"
#include "bundles/plan_name.h"
#include "tests/unit/test_main.h"

#define X50  "0123456789012345678901234567890123456789012345678_"
#define X250 X50 X50 X50 X50 X50

static char dir[64], shipped[80], own[80], dcos[2][96];
static const char *directories[] = {shipped, own, NULL};
static const char *files[] = {dcos[0], dcos[1], NULL};
static const struct plan_paths paths = {directories, files, false};
static struct plan *plan;
static struct err err;

static void setup(void)
{
        (void)snprintf(dir, sizeof(dir), "/tmp/test_plan.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        (void)snprintf(shipped, sizeof(shipped), "%s/a", dir);
        (void)snprintf(own, sizeof(own), "%s/b", dir);
        (void)snprintf(dcos[0], sizeof(dcos[0]), "%s/dcos", dir);
        (void)snprintf(dcos[1], sizeof(dcos[1]), "%s/dcos_ee", dir);
        ck_assert_int_eq(mkdir(shipped, 0755), 0);
        ck_assert_int_eq(mkdir(own, 0755), 0);
        err = (struct err){0};
}

static void remove_all(const char *where)
{
        struct plan_files found = {0};
        const char *const in[] = {where, NULL};

        ck_assert_int_eq(plan_file_list(&found, in, 1000, NULL), 0);
        for (size_t i = 0; i < found.n; i++)
                (void)unlink(found.paths[i]);
        plan_files_done(&found);
        (void)rmdir(where);
}

static void teardown(void)
{
        plan = plan_free(plan);
        remove_all(shipped);
        remove_all(own);
        (void)unlink(dcos[0]);
        (void)unlink(dcos[1]);
        (void)rmdir(dir);
}

static void put(const char *path, const char *text)
{
        ck_assert_int_eq(fs_replace(path, text, strlen(text), 0644, NULL), 0);
}

static void put_in(const char *where, const char *name, const char *text)
{
        char path[160];

        (void)snprintf(path, sizeof(path), "%s/%s", where, name);
        put(path, text);
}

static void load(void)
{
        int k;

        plan = plan_free(plan);
        k = plan_load(&plan, &paths, &err);
        ck_assert_msg(k == 0, "%s", err.text);
}

static const struct source *find(enum source_kind kind, const char *id)
{
        const struct source *s = plan_find(plan, kind, id);

        ck_assert_msg(s != NULL, "no %s %s", source_kind_to_string(kind), id);
        return s;
}

/* --- names ------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
        uint16_t port;
        const char *uri, *want;
} urls[] = {
        {5050, "/registrar(1)/registry",  "5050-registrar_1__registry.json"},
        {5050, "/system/stats.json",      "5050-system_stats_json.json"},
        {5050, "/__processes__",          "5050-__processes__.json"},
        {5050, "/quota",                  "5050-quota.json"},
        {5050, "/overlay-master/state",   "5050-overlay-master_state.json"},
        {8080, "/v2/pods/::status",       "8080-v2_pods___status.json"},
        {1,    "///a",                    "1-a.json"},
        {1,    "/",                       "1-.json"},
        {80,   "/a?b=c&d",                "80-a_b_c_d.json"},
        {80,   "/a?token=hunter2&b=1",     "80-a_token__redacted__b_1.json"},
        {80,   "/gr\xc3\xbc\xc3\x9f",     "80-gr__.json"},
        {80,   "/\xff\xfe",               "80-__.json"},
        {80,   "/" X250,                  NULL},
};
/* clang-format on */

START_TEST(names_a_url)
{
        char name[SOURCE_ID_MAX] = "";
        int k = plan_name_of_url(name, sizeof(name), urls[_i].port, urls[_i].uri);

        ck_assert_int_eq(k, urls[_i].want ? 0 : -EINVAL);
        if (urls[_i].want)
                ck_assert_str_eq(name, urls[_i].want);
}
END_TEST

/* clang-format off */
static const struct {
        const char *argv[6];
        const char *want;
} commands[] = {
        {{"df"},                                            "df.output"},
        {{"ip", "addr"},                                    "ip_addr.output"},
        {{"ps", "aux", "ww", "Z"},                          "ps_aux_ww_Z.output"},
        {{"dmesg", "-T"},                                   "dmesg_-T.output"},
        {{"/bin/sh", "-c", "cat /etc/*-release"},           "binsh_-c_cat etc*-release.output"},
        {{"systemctl", "list-units", "dcos*"},              "systemctl_list-units_dcos*.output"},
        {{"/opt/mesosphere/bin/curl", "-s", "-S", "http://localhost:62080/v1/vips"},
                                    "optmesospherebincurl_-s_-S_http:localhost:62080v1vips.output"},
        {{"/opt/mesosphere/bin/detect_ip"},                 "optmesospherebindetect_ip.output"},
        {{"sh", "-c", "a\nb\x1b\xff"},                      "sh_-c_a_b__.output"},
        {{"/"},                                             ".output"},
        {{"mysql", "--password=hunter2", "-e", "select"},   "mysql_--password=[redacted]_-e_select.output"},
        {{"printf", "told: password=hunter2-x\\n"},          "printf_told: password=[redacted].output"},
        {{"curl", "http://u:hunter2@h:1/x"},                "curl_http:u:[redacted]@h:1x.output"},
        {{X250},                                            NULL},
        {{X50 X50 X50 X50 "012345678901234567890123456789012345678901234567"}, /* 248 and 7 */
                                                            X50 X50 X50 X50 "012345678901234567890123456789012345678901234567" ".output"},
};

static const struct {
        const char *path, *want;
} paths_named[] = {
        {"/etc/resolv.conf",      "etc/resolv.conf"},
        {"//etc///hosts",         "etc/hosts"},
        {"/./a/./b",              "a/b"},
        {"/a b/\xc3\xbc",         "a b/\xc3\xbc"},
        {"/.../..a",              ".../..a"},
        {"/var/log/*.log",        "var/log/*.log"},
        {"",                      NULL},
        {"/",                     NULL},
        {"a/b",                   NULL},
        {"/a/",                   NULL},
        {"/a/.",                  NULL},
        {"/a/../b",               NULL},
        {"/..",                   NULL},
        {"/a\nb",                 NULL},
        {"/a\x1b[2J",             NULL},
        {"/a\xff",                NULL},
        {"/a\xc2\x85",            NULL},
        {"/" X250 "012345",       NULL},
};

static const struct {
        const char *name;
        bool want;
} clean[] = {
        {"a", true}, {"a/b", true}, {".a", true}, {"a..b", true}, {X250, true}, {X250 "/" X250, true},
        {"", false}, {"/a", false}, {"a/", false}, {"a//b", false}, {".", false}, {"..", false},
        {"a/..", false}, {"../a", false}, {"a/./b", false}, {"a\tb", false}, {"a\x7f", false},
        {"a\xc3", false}, {X250 "012345", false}, {X250 "/" X250 "/" X250 "/" X250 "/" X50, false},
};
/* clang-format on */

START_TEST(names_a_command)
{
        char name[SOURCE_ID_MAX] = "";
        int k = plan_name_of_command(name, sizeof(name), commands[_i].argv);

        ck_assert_int_eq(k, commands[_i].want ? 0 : -EINVAL);
        if (commands[_i].want)
                ck_assert_str_eq(name, commands[_i].want);
}
END_TEST

START_TEST(names_a_path)
{
        char name[SOURCE_ID_MAX] = "";
        int k = plan_name_of_path(name, sizeof(name), paths_named[_i].path);

        ck_assert_int_eq(k, paths_named[_i].want ? 0 : -EINVAL);
        if (paths_named[_i].want)
                ck_assert_str_eq(name, paths_named[_i].want);
}
END_TEST

START_TEST(knows_clean_names)
{
        ck_assert_msg(plan_name_is_clean(clean[_i].name) == clean[_i].want, "%s", clean[_i].name);
}
END_TEST

START_TEST(has_no_room_for_a_name)
{
        const char *const argv[] = {"abc", NULL};
        char name[10];

        ck_assert_int_eq(plan_name_of_path(name, 4, "/abc"), 0);
        ck_assert_int_eq(plan_name_of_path(name, 3, "/abc"), -EINVAL);
        ck_assert_int_eq(plan_name_of_command(name, sizeof(name), argv), -EINVAL);
        ck_assert_int_eq(plan_name_of_url(name, sizeof(name), 5050, "/abc"), -EINVAL);
}
END_TEST

/* --- what files say ---------------------------------------------------------------------------- */

START_TEST(is_never_empty)
{
        load();
        ck_assert_uint_eq(plan->n_sources, 2);
        ck_assert_str_eq(find(SOURCE_HEALTH, PLAN_HEALTH_V1)->name, PLAN_HEALTH_V1);
        ck_assert_int_eq(find(SOURCE_HEALTH, PLAN_HEALTH)->way, SOURCE_WAY_HEALTH);
        ck_assert_ptr_null(plan->warnings);
}
END_TEST

START_TEST(reads_what_dcos_writes)
{
        const struct source *s;

        put(dcos[0],
            "{\"HTTPEndpoints\":[{\"Port\":5050,\"Uri\":\"/quota\",\"Role\":[\"master\"]},"
            "{\"port\":80,\"URI\":\"/x\",\"FileName\":\"mine.json\",\"optional\":true,\"Role\":[]}],"
            "\"localfiles\":[{\"LOCATION\":\"/etc/hosts\"}],"
            "\"LocalCommands\":[{\"Command\":[\"ip\",\"addr\"],\"Role\":[\"agent\",\"agent_public\"]}]}");
        load();
        ck_assert_ptr_null(plan->warnings);
        s = find(SOURCE_HTTP, "5050-quota.json");
        ck_assert_uint_eq(s->port, 5050);
        ck_assert_str_eq(s->path, "/quota");
        ck_assert_str_eq(s->file, dcos[0]);
        ck_assert(!s->optional);
        ck_assert(source_has_role(s, DIAG_ROLE_MASTER));
        ck_assert(!source_has_role(s, DIAG_ROLE_AGENT));
        ck_assert(!source_has_role(s, DIAG_ROLE_UNKNOWN));
        ck_assert_uint_eq(s->timeout_usec, SOURCE_TIMEOUT_USEC);
        ck_assert_uint_eq(s->max_bytes, SOURCE_BYTES_MAX);
        s = find(SOURCE_HTTP, "mine.json");
        ck_assert(s->optional && s->roles == 0 && source_has_role(s, DIAG_ROLE_UNKNOWN));
        s = find(SOURCE_FILE, "/etc/hosts");
        ck_assert_str_eq(s->name, "etc/hosts");
        s = find(SOURCE_COMMAND, "ip_addr.output");
        ck_assert_str_eq(s->argv[1], "addr");
        ck_assert_ptr_null(s->argv[2]);
        ck_assert_ptr_null(s->user);
        ck_assert(source_has_role(s, DIAG_ROLE_AGENT_PUBLIC) &&
                  !source_has_role(s, DIAG_ROLE_MASTER));
}
END_TEST

START_TEST(reads_what_is_ours)
{
        const struct source *s;

        put_in(own, "10.json",
               "{\"X-Why\":1,\"Journals\":[{\"Unit\":\"a@b.service\"},{\"Unit\":\"kernel\"},"
               "{\"Unit\":\"c.service\",\"FileName\":\"c.log\",\"Role\":[\"master\"]}],"
               "\"HTTPEndpoints\":[{\"Socket\":\"/run/x\",\"Uri\":\"/\",\"FileName\":\"x/y.json\"}],"
               "\"LocalFiles\":[{\"Location\":\"/var/log/*.log\",\"Timeout\":\"1min 30s\","
               "\"MaxBytes\":\"2G\"},{\"Location\":\"/proc/stat\",\"Kind\":\"host\"}],"
               "\"LocalCommands\":[{\"Command\":[\"ss\"],\"Kind\":\"host\",\"User\":\"root\","
               "\"MaxBytes\":4096,\"x-note\":\"\"},{\"Command\":[\"systemctl\"],"
               "\"Kind\":\"systemd\",\"FileName\":\"systemd/all\",\"Optional\":null}]}");
        load();
        ck_assert_ptr_null(plan->warnings);
        s = find(SOURCE_JOURNAL, "a@b.service");
        ck_assert_str_eq(s->name, "a@b.service");
        ck_assert_str_eq(s->unit, "a@b.service");
        s = find(SOURCE_JOURNAL, "kernel");
        ck_assert_ptr_null(s->unit);
        ck_assert_str_eq(s->name, "kernel.journal");
        ck_assert_str_eq(find(SOURCE_JOURNAL, "c.service")->name, "c.log");
        s = find(SOURCE_HTTP, "x/y.json");
        ck_assert_str_eq(s->socket, "/run/x");
        s = find(SOURCE_FILE, "/var/log/*.log");
        ck_assert_ptr_null(s->name);
        ck_assert_uint_eq(s->timeout_usec, 90 * UINT64_C(1000000));
        ck_assert_uint_eq(s->max_bytes, UINT64_C(2) << 30);
        ck_assert_str_eq(find(SOURCE_HOST, "/proc/stat")->name, "proc/stat");
        s = find(SOURCE_HOST, "ss.output");
        ck_assert_str_eq(s->user, "root");
        ck_assert_uint_eq(s->max_bytes, 4096);
        s = find(SOURCE_SYSTEMD, "systemd/all");
        ck_assert_str_eq(s->argv[0], "systemctl");
        ck_assert(!s->optional);
}
END_TEST

START_TEST(goes_in_the_order_of_the_contract)
{
        static const char *const want[] = {"b.service",    "a.service", "2-.json", "1-.json",
                                           PLAN_HEALTH_V1, PLAN_HEALTH, "f",       "z.output",
                                           "s.output",     "h.output"};

        put_in(own, "1.json",
               "{\"LocalCommands\":[{\"Command\":[\"h\"],\"Kind\":\"host\"},{\"Command\":[\"s\"],"
               "\"Kind\":\"systemd\"},{\"Command\":[\"z\"]}],\"LocalFiles\":[{\"Location\":\"/f\"}],"
               "\"Journals\":[{\"Unit\":\"b.service\"},{\"Unit\":\"a.service\"}],"
               "\"HTTPEndpoints\":[{\"Port\":2,\"Uri\":\"/\"},{\"Port\":1,\"Uri\":\"/\"}]}");
        load();
        ck_assert_uint_eq(plan->n_sources, ELEMENTSOF(want));
        for (size_t i = 0; i < ELEMENTSOF(want); i++)
                ck_assert_str_eq(plan->sources[i].name, want[i]);
}
END_TEST

START_TEST(sleeps_where_a_thing_is_missing)
{
        put_in(own, "1.json",
               "{\"Requires\":\"/does/not/exist\",\"LocalFiles\":[{\"Location\":\"/a\"}]}");
        put_in(own, "2.json", "{\"LocalFiles\":[{\"Location\":\"/b\"}],\"Requires\":\"/\"}");
        load();
        ck_assert_ptr_null(plan_find(plan, SOURCE_FILE, "/a"));
        ck_assert_ptr_nonnull(plan_find(plan, SOURCE_FILE, "/b"));
}
END_TEST

/* --- merging ----------------------------------------------------------------------------------- */

START_TEST(has_a_later_entry_replace_an_earlier_one)
{
        put_in(shipped, "10-x.json", "{\"LocalFiles\":[{\"Location\":\"/a\",\"MaxBytes\":1}]}");
        put_in(own, "20-x.json", "{\"LocalFiles\":[{\"Location\":\"/a\",\"Optional\":true}]}");
        load();
        ck_assert_uint_eq(plan->n_sources, 3);
        ck_assert(find(SOURCE_FILE, "/a")->optional);
        ck_assert_uint_eq(find(SOURCE_FILE, "/a")->max_bytes, SOURCE_BYTES_MAX);
}
END_TEST

START_TEST(has_a_file_replace_one_of_its_name)
{
        char path[160];

        put_in(shipped, "10-x.json", "{\"LocalFiles\":[{\"Location\":\"/a\"}]}");
        put_in(shipped, "20-x.json", "{\"LocalFiles\":[{\"Location\":\"/c\"}]}");
        put_in(shipped, ".hidden.json", "no JSON");
        put_in(shipped, "other.conf", "no JSON");
        put_in(own, "10-x.json", "{\"LocalFiles\":[{\"Location\":\"/b\"}]}");
        (void)snprintf(path, sizeof(path), "%s/20-x.json", own);
        ck_assert_int_eq(symlink("/dev/null", path), 0);
        load();
        ck_assert_uint_eq(plan->n_sources, 3);
        (void)find(SOURCE_FILE, "/b");
        (void)unlink(path);
        put_in(shipped, ".hidden.json", "");
        (void)snprintf(path, sizeof(path), "%s/.hidden.json", shipped);
        (void)unlink(path);
        (void)snprintf(path, sizeof(path), "%s/other.conf", shipped);
        (void)unlink(path);
}
END_TEST

START_TEST(keeps_one_source_for_a_name)
{
        put_in(own, "1.json",
               "{\"LocalFiles\":[{\"Location\":\"/a\",\"FileName\":\"n\"},"
               "{\"Location\":\"/b\"}]}");
        put_in(own, "2.json", "{\"LocalCommands\":[{\"Command\":[\"x\"],\"FileName\":\"n\"}]}");
        put_in(own, "3.json", "{\"LocalFiles\":[{\"Location\":\"/b\",\"FileName\":\"n\"}]}");
        load();
        ck_assert_uint_eq(plan->n_sources, 3);
        ck_assert_str_eq(find(SOURCE_FILE, "/b")->name, "n");
}
END_TEST

/* "ip addr" stays a fact of the host, and dmesg is still run by who may. */
START_TEST(keeps_what_dcos_does_not_know)
{
        const struct source *s;

        put_in(own, "1.json",
               "{\"LocalCommands\":[{\"Command\":[\"dmesg\"],\"Kind\":\"host\",\"User\":\"root\","
               "\"Timeout\":\"7s\",\"MaxBytes\":\"1K\",\"Optional\":true}]}");
        put(dcos[0], "{\"LocalCommands\":[{\"Command\":[\"dmesg\"],\"Role\":[\"master\"]}]}");
        load();
        ck_assert_ptr_null(plan_find(plan, SOURCE_COMMAND, "dmesg.output"));
        s = find(SOURCE_HOST, "dmesg.output");
        ck_assert_str_eq(s->user, "root");
        ck_assert_uint_eq(s->timeout_usec, 7000000);
        ck_assert_uint_eq(s->max_bytes, 1024);
        ck_assert(!s->optional && !source_has_role(s, DIAG_ROLE_AGENT));
        ck_assert_str_eq(s->file, dcos[0]);
}
END_TEST

START_TEST(counts_for_the_roles_of_both)
{
        put(dcos[0], "{\"LocalCommands\":[{\"Command\":[\"a\"],\"Role\":[\"master\"]},"
                     "{\"Command\":[\"b\"],\"Role\":[\"master\"]}],"
                     "\"LocalFiles\":[{\"Location\":\"/o\"}]}");
        put(dcos[1],
            "{\"LocalCommands\":[{\"Command\":[\"a\"],\"Role\":[\"agent\"]},{\"Command\":[\"b\"]}],"
            "\"LocalFiles\":[{\"Location\":\"/o\",\"Optional\":true}]}");
        load();
        ck_assert_uint_eq(find(SOURCE_COMMAND, "a.output")->roles,
                          1u << DIAG_ROLE_MASTER | 1u << DIAG_ROLE_AGENT);
        ck_assert_uint_eq(find(SOURCE_COMMAND, "b.output")->roles, 0);
        ck_assert(find(SOURCE_FILE, "/o")->optional);
}
END_TEST

START_TEST(warns_of_what_dcos_may_have_and_we_do_not_know)
{
        put(dcos[0], "{\"Colour\":1,\"Journals\":[],\"HTTPEndpoints\":null,"
                     "\"LocalFiles\":[{\"Location\":\"/a\",\"Shape\":2},"
                     "{\"Location\":\"/b\",\"Role\":[\"windows\"]},"
                     "{\"Location\":\"/c\",\"Role\":[\"windows\",\"agent\"]}],"
                     "\"LocalCommands\":[{\"Command\":[]}]}");
        load();
        ck_assert_uint_eq(plan->n_sources, 4);
        (void)find(SOURCE_FILE, "/a");
        ck_assert_uint_eq(find(SOURCE_FILE, "/c")->roles, 1u << DIAG_ROLE_AGENT);
        ck_assert_ptr_nonnull(plan->warnings);
        ck_assert_ptr_nonnull(strstr(plan->warnings, ": unknown key Colour\n"));
        ck_assert_ptr_nonnull(strstr(plan->warnings, ": unknown key Journals\n"));
        ck_assert_ptr_nonnull(strstr(plan->warnings, ": LocalFiles[0]: unknown key Shape\n"));
        ck_assert_ptr_nonnull(strstr(plan->warnings, ": LocalFiles[1]: for no role that there is"));
        ck_assert_ptr_nonnull(strstr(plan->warnings, ": LocalCommands[0]: an empty Command"));
}
END_TEST

START_TEST(does_not_warn_without_end)
{
        _cleanup_(buf_done) struct buf text = {0};

        buf_puts(&text, "{\"LocalFiles\":[{\"Location\":\"/a\"");
        for (size_t i = 0; i < 2000; i++)
                buf_printf(&text, ",\"Key%zu\":1", i);
        buf_puts(&text, "}]}");
        put(dcos[0], buf_cstr(&text));
        load();
        ck_assert_str_eq(plan->warnings, "there is too much that is not known to tell all of it\n");
        (void)find(SOURCE_FILE, "/a");
}
END_TEST

/* --- errors ------------------------------------------------------------------------------------ */

/* clang-format off */
static const struct {
        const char *text, *want;
} bad[] = {
        {"",                                              "line 1: "},
        {"{",                                             "line 1: "},
        {"{\n\"LocalFiles\":[}",                          "line 2: "},
        {"[]",                                            "is no object"},
        {"{} {}",                                         "line 1: end of file expected"},
        {"{\"Requires\":\"/\",\"Requires\":\"/\"}",       "line 1: duplicate object key"},
        {"{\"Colour\":1}",                                "unknown key Colour"},
        {"{\"Requires\":\"a\"}",                          "Requires is no absolute path"},
        {"{\"Requires\":1}",                              "Requires is no text"},
        {"{\"LocalFiles\":{}}",                           "LocalFiles is no list"},
        {"{\"LocalFiles\":[1]}",                          "LocalFiles[0]: is no object"},
        {"{\"LocalFiles\":[{}]}",                         "LocalFiles[0]: has no Location"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\"},{\"Location\":\"a\"}]}", "LocalFiles[1]: Location is no absolute"},
        {"{\"LocalFiles\":[{\"Location\":\"/a/../b\"}]}", "LocalFiles[0]: Location is no absolute"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\\n\"}]}",   "LocalFiles[0]: Location has control characters"},
        {"{\"LocalFiles\":[{\"Location\":\"/" X250 X250 "0123456789012\"}]}", "LocalFiles[0]: Location is longer"},
        {"{\"LocalFiles\":[{\"Location\":\"/a*\",\"FileName\":\"x\"}]}", "LocalFiles[0]: is a pattern"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"Port\":1}]}",  "LocalFiles[0]: unknown key Port"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"User\":\"root\"}]}", "LocalFiles[0]: unknown key User"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"Kind\":\"command\"}]}", "LocalFiles[0]: Kind is not file, host"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"FileName\":\"/x\"}]}", "LocalFiles[0]: FileName is no relative"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"FileName\":\"../x\"}]}", "LocalFiles[0]: FileName is no relative"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\"},{\"Location\":\"/a\"}]}", "file /a is there twice"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\"},{\"Location\":\"/b\",\"FileName\":\"a\"}]}", "file /b is there twice"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"Role\":\"agent\"}]}", "LocalFiles[0]: Role is no list"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"Role\":[\"agent\",\"slave\"]}]}", "Role role 1 is not master"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"Optional\":\"yes\"}]}", "Optional is neither true nor false"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"Timeout\":30}]}",      "Timeout is no time"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"Timeout\":\"0\"}]}",   "Timeout is no time"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"Timeout\":\"2h\"}]}",  "Timeout is no time"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"Timeout\":\"infinity\"}]}", "Timeout is no time"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"MaxBytes\":0}]}",      "MaxBytes is no size"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"MaxBytes\":-1}]}",     "MaxBytes is no size"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"MaxBytes\":\"M\"}]}",  "MaxBytes is no size"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"MaxBytes\":\"2T\"}]}", "MaxBytes is no size"},
        {"{\"LocalFiles\":[{\"Location\":\"/a\",\"MaxBytes\":true}]}",   "MaxBytes is no size"},
        {"{\"LocalCommands\":[{}]}",                      "LocalCommands[0]: has no Command"},
        {"{\"LocalCommands\":[{\"Command\":\"ls\"}]}",    "LocalCommands[0]: Command is no list"},
        {"{\"LocalCommands\":[{\"Command\":[]}]}",        "LocalCommands[0]: has no Command"},
        {"{\"LocalCommands\":[{\"Command\":[\"\"]}]}",    "LocalCommands[0]: Command has something else"},
        {"{\"LocalCommands\":[{\"Command\":[\"a\",1]}]}", "LocalCommands[0]: Command has something else"},
        {"{\"LocalCommands\":[{\"Command\":[\"a\"],\"command\":[\"b\"]}]}", "LocalCommands[0]: Command is said twice"},
        {"{\"LocalCommands\":[{\"Command\":[\"" X250 "\"]}]}", "LocalCommands[0]: its name would be too long"},
        {"{\"LocalCommands\":[{\"Command\":[\"a\"],\"User\":\"a b\"}]}", "LocalCommands[0]: User is not the name"},
        {"{\"LocalCommands\":[{\"Command\":[\"a\"],\"User\":\"-a\"}]}",  "LocalCommands[0]: User is not the name"},
        {"{\"LocalCommands\":[{\"Command\":[\"a\"],\"Kind\":\"http\"}]}", "LocalCommands[0]: Kind is not command"},
        {"{\"HTTPEndpoints\":[{\"Port\":1}]}",            "HTTPEndpoints[0]: has no Uri"},
        {"{\"HTTPEndpoints\":[{\"Uri\":\"/\"}]}",         "HTTPEndpoints[0]: needs a Port or a Socket"},
        {"{\"HTTPEndpoints\":[{\"Uri\":\"/\",\"Port\":0}]}",      "HTTPEndpoints[0]: Port is no port"},
        {"{\"HTTPEndpoints\":[{\"Uri\":\"/\",\"Port\":65536}]}",  "HTTPEndpoints[0]: Port is no port"},
        {"{\"HTTPEndpoints\":[{\"Uri\":\"/\",\"Port\":\"80\"}]}", "HTTPEndpoints[0]: Port is no port"},
        {"{\"HTTPEndpoints\":[{\"Uri\":\"a\",\"Port\":80}]}",     "HTTPEndpoints[0]: Uri is not the path"},
        {"{\"HTTPEndpoints\":[{\"Uri\":\"/a b\",\"Port\":80}]}",  "HTTPEndpoints[0]: Uri is not the path"},
        {"{\"HTTPEndpoints\":[{\"Uri\":\"/a\\r\\n\",\"Port\":80}]}", "HTTPEndpoints[0]: Uri has control characters"},
        {"{\"HTTPEndpoints\":[{\"Uri\":\"/\",\"Socket\":\"/s\"}]}", "HTTPEndpoints[0]: needs a FileName"},
        {"{\"HTTPEndpoints\":[{\"Uri\":\"/\",\"Socket\":\"s\",\"FileName\":\"x\"}]}", "Socket is no absolute path"},
        {"{\"HTTPEndpoints\":[{\"Uri\":\"/\",\"Socket\":\"/s\",\"Port\":1,\"FileName\":\"x\"}]}", "and not both"},
        {"{\"Journals\":[{}]}",                           "Journals[0]: has no Unit"},
        {"{\"Journals\":[{\"Unit\":\"a\"}]}",             "Journals[0]: Unit is neither"},
        {"{\"Journals\":[{\"Unit\":\"a@.service\"}]}",    "Journals[0]: Unit is neither"},
        {"{\"Journals\":[{\"Unit\":\"../x.service\"}]}",  "Journals[0]: Unit is neither"},
};
/* clang-format on */

START_TEST(names_file_and_entry)
{
        put_in(own, "bad.json", bad[_i].text);
        ck_assert_int_eq(plan_load(&plan, &paths, &err), -EINVAL);
        ck_assert_int_eq(err.code, -EINVAL);
        ck_assert_msg(strstr(err.text, bad[_i].want) != NULL, "%s: %s", bad[_i].want, err.text);
        ck_assert_msg(strstr(err.text, "/b/bad.json: ") != NULL, "%s", err.text);
        ck_assert_ptr_null(plan);
}
END_TEST

/* In DC/OS's own file it is the same fault. */
START_TEST(refuses_what_dcos_would_not_read)
{
        put(dcos[1], "{\"LocalFiles\":[{\"Location\":7}]}");
        ck_assert_int_eq(plan_load(&plan, &paths, &err), -EINVAL);
        ck_assert_msg(strstr(err.text, "/dcos_ee: LocalFiles[0]: Location is no text"), "%s",
                      err.text);
}
END_TEST

static void put_many(const char *name, size_t n, unsigned from)
{
        _cleanup_(buf_done) struct buf text = {0};

        buf_puts(&text, "{\"LocalFiles\":[");
        for (size_t i = 0; i < n; i++)
                buf_printf(&text, "%s{\"Location\":\"/%zu\"}", i ? "," : "", from + i);
        buf_puts(&text, "]}");
        put_in(own, name, buf_cstr(&text));
}

START_TEST(has_limits)
{
        put_many("1.json", PLAN_SOURCES_MAX - 2, 0);
        load();
        ck_assert_uint_eq(plan->n_sources, PLAN_SOURCES_MAX);
        put_many("2.json", 1, 100000);
        plan = plan_free(plan);
        ck_assert_int_eq(plan_load(&plan, &paths, &err), -E2BIG);
        put_many("1.json", PLAN_SOURCES_MAX + 1, 0);
        ck_assert_int_eq(plan_load(&plan, &paths, &err), -E2BIG);
        ck_assert_ptr_nonnull(strstr(err.text, "1.json: LocalFiles: there are more than"));
}
END_TEST

START_TEST(has_a_limit_for_files)
{
        char name[16];

        for (unsigned i = 0; i <= PLAN_FILES_MAX; i++) {
                (void)snprintf(name, sizeof(name), "%02u.json", i);
                put_in(i % 2 ? own : shipped, name, "{}");
        }
        ck_assert_int_eq(plan_load(&plan, &paths, &err), -E2BIG);
}
END_TEST

/* --- whose files ------------------------------------------------------------------------------- */

static int load_trusted(const char *path)
{
        const char *const one[] = {path, NULL};
        const struct plan_paths trusted = {NULL, one, true};

        err = (struct err){0};
        plan = plan_free(plan);
        return plan_load(&plan, &trusted, &err);
}

/* /tmp is everybody's, whoever owns what is in it. */
START_TEST(refuses_what_others_may_write)
{
        put(dcos[0], "{}");
        ck_assert_int_eq(load_trusted(dcos[0]), -EPERM);
        ck_assert_msg(strstr(err.text, "others than root may write /tmp"), "%s", err.text);
        ck_assert_int_eq(load_trusted("relative.json"), -EINVAL);
        ck_assert_int_eq(load_trusted("/usr/lib/diag/no-such-file.json"), 0);
        ck_assert_int_eq(load_trusted("/usr/../usr"), -EISDIR);
        ck_assert_int_eq(load_trusted("/dev/null"), 0);
        ck_assert_int_eq(load_trusted("/dev/zero"), -EINVAL);
}
END_TEST

/* A machine's own: /etc/os-release is a link to ../usr/lib/os-release, all of it root's, and no JSON. */
START_TEST(follows_links_that_are_roots)
{
        struct stat st;

        if (stat("/etc/os-release", &st) < 0 || st.st_uid != 0)
                return;
        ck_assert_int_eq(load_trusted("/etc/os-release"), -EINVAL);
        ck_assert_msg(strstr(err.text, "/etc/os-release: line 1"), "%s", err.text);
}
END_TEST

/* As root, below a directory that is root's alone: the file's own owner and mode, and where links lead. */
START_TEST(looks_at_each_step)
{
        char base[] = "/var/lib/test_plan.XXXXXX", file[64], deep[64], link_path[64];

        if (geteuid() != 0 || !mkdtemp(base))
                return;
        ck_assert_int_eq(chmod(base, 0755), 0);
        (void)snprintf(deep, sizeof(deep), "%s/d", base);
        (void)snprintf(file, sizeof(file), "%s/d/f.json", base);
        (void)snprintf(link_path, sizeof(link_path), "%s/l", base);
        ck_assert_int_eq(mkdir(deep, 0755), 0);
        put(file, "{\"LocalFiles\":[{\"Location\":\"/a\"}]}");
        ck_assert_int_eq(load_trusted(file), 0);
        (void)find(SOURCE_FILE, "/a");
        ck_assert_int_eq(chmod(file, 0664), 0);
        ck_assert_int_eq(load_trusted(file), -EPERM);
        ck_assert_ptr_nonnull(strstr(err.text, "f.json"));
        ck_assert_int_eq(chmod(file, 0644), 0);
        ck_assert_int_eq(chown(file, 1, 0), 0);
        ck_assert_int_eq(load_trusted(file), -EPERM);
        ck_assert_ptr_nonnull(strstr(err.text, "f.json is not root's"));
        ck_assert_int_eq(chown(file, 0, 0), 0);
        ck_assert_int_eq(chmod(deep, 0777), 0);
        ck_assert_int_eq(load_trusted(file), -EPERM);
        ck_assert_int_eq(chmod(deep, 0755), 0);
        ck_assert_int_eq(symlink("d/../d/f.json", link_path), 0);
        ck_assert_int_eq(load_trusted(link_path), 0);
        (void)find(SOURCE_FILE, "/a");
        (void)unlink(link_path);
        ck_assert_int_eq(symlink(dcos[0], link_path), 0);
        put(dcos[0], "{}");
        ck_assert_int_eq(load_trusted(link_path), -EPERM);
        (void)unlink(link_path);
        ck_assert_int_eq(symlink("l", link_path), 0);
        ck_assert_int_eq(load_trusted(link_path), -ELOOP);
        (void)unlink(link_path);
        (void)unlink(file);
        (void)rmdir(deep);
        (void)rmdir(base);
}
END_TEST

/* --- units, list ------------------------------------------------------------------------------- */

START_TEST(adds_units)
{
        const char *const units[] = {"a.service", "-.mount", "a.service", "known.service"};
        const char *const worse[] = {"b.service", "../x"};
        const struct source *s;

        put_in(own, "1.json",
               "{\"Journals\":[{\"Unit\":\"known.service\",\"Optional\":true}],"
               "\"LocalCommands\":[{\"Command\":[\"z\"],\"Kind\":\"host\"}]}");
        load();
        ck_assert_int_eq(plan_add_units(plan, units, ELEMENTSOF(units)), 0);
        ck_assert_uint_eq(plan->n_sources, 4 + 2 + 3 * 2);
        ck_assert(find(SOURCE_JOURNAL, "known.service")->optional);
        ck_assert_str_eq(find(SOURCE_JOURNAL, "a.service")->unit, "a.service");
        s = find(SOURCE_SYSTEMD, "systemd/-.mount.show");
        ck_assert_str_eq(s->argv[2], "show");
        ck_assert_str_eq(s->argv[3], "--");
        ck_assert_str_eq(s->argv[4], "-.mount");
        ck_assert_ptr_null(s->user);
        ck_assert(!s->optional);
        s = find(SOURCE_SYSTEMD, "systemd/a.service.unit");
        ck_assert_str_eq(s->argv[2], "cat");
        ck_assert(s->optional);
        ck_assert_int_eq(plan->sources[plan->n_sources - 1].kind, SOURCE_HOST);
        ck_assert_int_eq(plan->sources[2].kind, SOURCE_JOURNAL);
        ck_assert_int_eq(plan_add_units(plan, worse, ELEMENTSOF(worse)), -EINVAL);
        ck_assert_ptr_null(plan_find(plan, SOURCE_JOURNAL, "b.service"));
}
END_TEST

START_TEST(is_listed_for_a_role)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct plan_list list = {0};
        const struct plan_list_source *s;

        put_in(own, "1.json",
               "{\"HTTPEndpoints\":[{\"Port\":5050,\"Uri\":\"/q\",\"Role\":[\"master\"]},"
               "{\"Port\":5051,\"Uri\":\"/a\",\"Role\":[\"agent\"]}],"
               "\"LocalFiles\":[{\"Location\":\"/g*\",\"Optional\":true}]}");
        load();
        plan_write_list(&out, plan, DIAG_ROLE_MASTER);
        ck_assert_str_eq(
                buf_cstr(&out),
                "{\"sources\":[{\"kind\":\"http\",\"id\":\"5050-q.json\",\"name\":\"5050-q.json\","
                "\"optional\":false,\"port\":5050,\"path\":\"/q\"},"
                "{\"kind\":\"health\",\"id\":\"dcos-diagnostics-health.json\","
                "\"name\":\"dcos-diagnostics-health.json\",\"optional\":false},"
                "{\"kind\":\"health\",\"id\":\"health.json\",\"name\":\"health.json\","
                "\"optional\":false},{\"kind\":\"file\",\"id\":\"/g*\",\"name\":null,"
                "\"optional\":true}]}\n");
        ck_assert_int_eq(plan_list_read(&list, out.data, out.n, &err), 0);
        ck_assert_uint_eq(list.n, 4);
        s = plan_list_find(&list, SOURCE_HTTP, "5050-q.json");
        ck_assert(s && s->port == 5050 && streq(s->path, "/q") && !s->optional);
        s = plan_list_find(&list, SOURCE_FILE, "/g*");
        ck_assert(s && !s->name && !s->path && s->optional && s->port == 0);
        ck_assert_ptr_null(plan_list_find(&list, SOURCE_COMMAND, "/g*"));
        plan_list_done(&list);
}
END_TEST

/* clang-format off */
static const struct {
        const char *text, *want;
} bad_lists[] = {
        {"",                      "there is no list"},
        {"{}",                    "there is no list"},
        {"{\"sources\":{}}",      "there is no list"},
        {"{\"sources\":[1]}",     "sources[0].kind"},
        {"{\"sources\":[{\"kind\":\"x\"}]}", "sources[0].kind"},
        {"{\"sources\":[{\"kind\":\"file\"}]}", "sources[0].optional"},
        {"{\"sources\":[{\"kind\":\"file\",\"optional\":true}]}", "sources[0].id"},
        {"{\"sources\":[{\"kind\":\"file\",\"optional\":true,\"id\":\"\"}]}", "sources[0].id"},
        {"{\"sources\":[{\"kind\":\"file\",\"optional\":true,\"id\":\"" X250 X250 X50 "\"}]}", "sources[0].id"},
        {"{\"sources\":[{\"kind\":\"file\",\"optional\":true,\"id\":\"x\",\"name\":1}]}", "sources[0].name"},
        {"{\"sources\":[{\"kind\":\"http\",\"optional\":true,\"id\":\"x\"}]}", "sources[0].path"},
        {"{\"sources\":[{\"kind\":\"http\",\"optional\":true,\"id\":\"x\",\"path\":\"/\",\"port\":0}]}", "sources[0].port"},
};
/* clang-format on */

START_TEST(refuses_a_list)
{
        struct plan_list list = {0};

        ck_assert_int_eq(
                plan_list_read(&list, bad_lists[_i].text, strlen(bad_lists[_i].text), &err),
                -EINVAL);
        ck_assert_msg(strstr(err.text, bad_lists[_i].want) == err.text, "%s", err.text);
        ck_assert_ptr_null(list.sources);
}
END_TEST

/* --- what we ship ------------------------------------------------------------------------------ */

static void read_shipped(struct plan_text *t, const char *path, const char *needs)
{
        _cleanup_(buf_done) struct buf warnings = {0};
        _cleanup_(freep) char *text = NULL;
        size_t n = 0;

        ck_assert_msg(fs_read(path, PLAN_FILE_BYTES_MAX, &text, &n, &err) == 0, "%s", err.text);
        ck_assert_msg(plan_text_read(t, path, text, n, false, &warnings, &err) == 0, "%s",
                      err.text);
        ck_assert_str_eq(t->requires, needs);
        ck_assert_uint_eq(warnings.n, 0);
}

static bool ships(const struct plan_text *t, size_t n, const char *name)
{
        for (size_t k = 0; k < n; k++)
                for (size_t i = 0; i < t[k].n; i++)
                        if (t[k].entries[i].source.name && streq(t[k].entries[i].source.name, name))
                                return true;
        return false;
}

/* clang-format off */
/* What DC/OS's own integration test looks for, and what its default list has besides. */
static const char *const wanted[] = {
        "df.output",
        "dmesg_-T.output",
        "ip_addr.output",
        "ip_route.output",
        "ps_aux_ww_Z.output",
        "optmesospherebincurl_-s_-S_http:localhost:62080v1vips.output",
        "optmesospherebincurl_-s_-S_http:localhost:62080v1records.output",
        "optmesospherebincurl_-s_-S_http:localhost:62080v1metricsdefault.output",
        "optmesospherebincurl_-s_-S_http:localhost:62080v1metricsdns.output",
        "optmesospherebincurl_-s_-S_http:localhost:62080v1metricsmesos_listener.output",
        "optmesospherebincurl_-s_-S_http:localhost:62080v1metricslashup.output",
        "timedatectl.output",
        "binsh_-c_cat etc*-release.output",
        "systemctl_list-units_dcos*.output",
        "sestatus.output",
        "iptables-save.output",
        "ip6tables-save.output",
        "ipset_list.output",
        "opt/mesosphere/active.buildinfo.full.json",
        "opt/mesosphere/etc/dcos-version.json",
        "opt/mesosphere/etc/expanded.config.json",
        "opt/mesosphere/etc/user.config.yaml",
        "var/lib/dcos/cluster-id",
        "proc/cmdline",
        "proc/cpuinfo",
        "proc/meminfo",
        "proc/self/mountinfo",
        "optmesospherebindetect_ip.output",
        "sysctl_-a.output",
        "5050-quota.json",
        "5050-overlay-master_state.json",
        "5050-master_state.json",
        "5050-registrar_1__registry.json",
        "8080-v2_pods___status.json",
        "9000-v1_jobs.json",
        "8181-exhibitor_v1_cluster_status.json",
        "8123-v1_version.json",
        "var/lib/dcos/exhibitor/zookeeper/snapshot/myid",
        "var/lib/dcos/exhibitor/conf/zoo.cfg",
        "var/lib/dcos/mesos/log/mesos-master.log",
        "var/lib/dcos/mesos/log/mesos-master.log.1",
        "var/lib/dcos/mesos/log/mesos-master.log.3.gz",
        "5051-containers.json",
        "5051-containerizer_debug.json",
        "5051-overlay-agent_overlay.json",
        "var/log/mesos/mesos-agent.log",
        "docker_--version.output",
        "docker_ps.output",
        "etc/resolv.conf",
        "proc/net/ip_vs",
        "dcos-setup.service",
        "dcos-link-env.service",
        "dcos-download.service",
        "kernel.journal",
        "init.scope",
        "binsh_-c_cat proc`systemctl show dcos-mesos-master.service -p MainPID| cut -d'=' -f2`environ.output",
};
/* clang-format on */

START_TEST(ships_what_support_looks_for)
{
        struct plan_text t[2] = {0};

        read_shipped(&t[0], "bundles/bundle.d/10-systemd.json", "/run/systemd/system");
        read_shipped(&t[1], "bundles/bundle.d/50-dcos.json", "/opt/mesosphere");
        for (size_t i = 0; i < ELEMENTSOF(wanted); i++)
                ck_assert_msg(ships(t, ELEMENTSOF(t), wanted[i]), "%s", wanted[i]);
        for (size_t i = 0; i < t[1].n; i++) {
                const struct source *s = &t[1].entries[i].source;

                /* What DC/OS's own file does not list is no fault of this machine. */
                ck_assert_msg(s->optional, "%s", s->id);
                ck_assert_msg(!s->name || !ships(t, 1, s->name), "%s is there twice", s->name);
        }
        plan_text_done(&t[0]);
        plan_text_done(&t[1]);
}
END_TEST

/* Each in a file of its own: what is said twice in one is found as well. */
START_TEST(ships_files_that_merge)
{
        static const char *const names[] = {"10-systemd.json", "50-dcos.json"};

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_(freep) char *text = NULL;
                char path[64], *needs;
                size_t n;

                (void)snprintf(path, sizeof(path), "bundles/bundle.d/%s", names[i]);
                ck_assert_int_eq(fs_read(path, PLAN_FILE_BYTES_MAX, &text, &n, NULL), 0);
                needs = strstr(text, "\"Requires\"");
                ck_assert_ptr_nonnull(needs);
                needs[1] = 'X'; /* to a note */
                needs[2] = '-';
                put_in(shipped, names[i], text);
        }
        load();
        ck_assert_uint_gt(plan->n_sources, 100);
        ck_assert_str_eq(find(SOURCE_HOST, "dmesg_-T.output")->user, "root");
        put(dcos[0],
            "{\"LocalCommands\":[{\"Command\":[\"dmesg\",\"-T\"]},{\"Command\":[\"df\"]}]}");
        load();
        ck_assert_str_eq(find(SOURCE_HOST, "dmesg_-T.output")->user, "root");
        ck_assert(!find(SOURCE_HOST, "df.output")->optional);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("plan");
        TCase *names = tcase_create("names"), *c = tcase_create("plan");

        tcase_add_loop_test(names, names_a_url, 0, ELEMENTSOF(urls));
        tcase_add_loop_test(names, names_a_command, 0, ELEMENTSOF(commands));
        tcase_add_loop_test(names, names_a_path, 0, ELEMENTSOF(paths_named));
        tcase_add_loop_test(names, knows_clean_names, 0, ELEMENTSOF(clean));
        tcase_add_test(names, has_no_room_for_a_name);
        suite_add_tcase(s, names);
        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, is_never_empty);
        tcase_add_test(c, reads_what_dcos_writes);
        tcase_add_test(c, reads_what_is_ours);
        tcase_add_test(c, goes_in_the_order_of_the_contract);
        tcase_add_test(c, sleeps_where_a_thing_is_missing);
        tcase_add_test(c, has_a_later_entry_replace_an_earlier_one);
        tcase_add_test(c, has_a_file_replace_one_of_its_name);
        tcase_add_test(c, keeps_one_source_for_a_name);
        tcase_add_test(c, keeps_what_dcos_does_not_know);
        tcase_add_test(c, counts_for_the_roles_of_both);
        tcase_add_test(c, warns_of_what_dcos_may_have_and_we_do_not_know);
        tcase_add_test(c, does_not_warn_without_end);
        tcase_add_loop_test(c, names_file_and_entry, 0, ELEMENTSOF(bad));
        tcase_add_test(c, refuses_what_dcos_would_not_read);
        tcase_add_test(c, has_limits);
        tcase_add_test(c, has_a_limit_for_files);
        tcase_add_test(c, refuses_what_others_may_write);
        tcase_add_test(c, follows_links_that_are_roots);
        tcase_add_test(c, looks_at_each_step);
        tcase_add_test(c, adds_units);
        tcase_add_test(c, is_listed_for_a_role);
        tcase_add_loop_test(c, refuses_a_list, 0, ELEMENTSOF(bad_lists));
        tcase_add_test(c, ships_what_support_looks_for);
        tcase_add_test(c, ships_files_that_merge);
        suite_add_tcase(s, c);
        return test_main(s);
}
