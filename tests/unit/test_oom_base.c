/* It says so when memory is out, and has nothing to show that is half. */

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/blob.h"
#include "base/child.h"
#include "base/conf.h"
#include "base/fs.h"
#include "base/json_write.h"
#include "base/mono.h"
#include "base/redact.h"
#include "base/rope.h"
#include "base/string_list.h"
#include "tests/fakes/oom.h"

static char dir[] = "/tmp/test_oom_base.XXXXXX";

static void make_dir(void)
{
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(chdir(dir), 0);
}

static void remove_dir(void)
{
        char command[sizeof(dir) + 16];

        (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(system(command), 0);
}

/* Without base/fs.h, which is under test. */
static void write_file(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        ensure(fd >= 0);
        ensure(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
        close(fd);
}

static bool begins(const char *s, const char *with)
{
        return strncmp(s, with, strlen(with)) == 0;
}

/* --- memory ---------------------------------------------------------------------------------- */

static int run_arena(void)
{
        _cleanup_(arena_done) struct arena a = {0};
        static char large[9000];
        const char *copy, *printed, *empty;
        char *p;

        memset(large, 'x', sizeof(large) - 1);
        p = arena_alloc(&a, 3000);
        copy = arena_strdup(&a, large);
        printed = arena_printf(&a, "%d: %s", 7, large);
        empty = arena_strdup(&a, "");
        ensure(streq(empty, ""));
        if (a.failed) {
                ensure(!p || !*p);
                ensure(!*copy || streq(copy, large)); /* all of it, or nothing */
                ensure(!*printed || streq(printed + 3, large));
                return -ENOMEM;
        }
        ensure(p && !p[0] && !p[2999]);
        ensure(streq(copy, large));
        ensure(begins(printed, "7: ") && streq(printed + 3, large));
        return 0;
}

/* Nothing that comes after a failure may be appended, or there would be a hole. */
static int run_buf(void)
{
        _cleanup_(buf_done) struct buf b = {0};
        _cleanup_(freep) char *taken = NULL;
        size_t n = 0;

        for (unsigned i = 0; i < 200; i++) {
                buf_printf(&b, "%u,", i);
                buf_puts(&b, "and so on,");
                buf_putc(&b, '\n');
        }
        if (b.error) {
                ensure(b.error == -ENOMEM);
                ensure(streq(buf_cstr(&b), ""));
                ensure(!buf_take(&b, &n));
                buf_clear(&b);
                ensure(b.error == 0);
                return -ENOMEM;
        }
        ensure(begins(buf_cstr(&b), "0,and so on,\n1,"));
        ensure(streq(buf_cstr(&b) + b.n - 15, "199,and so on,\n"));
        taken = buf_take(&b, &n);
        ensure(taken);
        ensure(n == strlen(taken));
        return 0;
}

/* An empty buffer has no memory yet, and its blob needs some. */
static int run_empty_blob(void)
{
        _cleanup_(buf_done) struct buf b = {0};
        _cleanup_(blob_unrefp) struct blob *blob = blob_new_take(&b);

        if (!blob)
                return -ENOMEM;
        ensure(blob_size(blob) == 0);
        ensure(streq(blob_data(blob), ""));
        return 0;
}

static int run_blob(void)
{
        _cleanup_(buf_done) struct buf b = {0};
        _cleanup_(blob_unrefp) struct blob *blob = NULL;

        buf_puts(&b, "whole");
        blob = blob_new_take(&b);
        if (!blob)
                return -ENOMEM;
        ensure(blob_size(blob) == 5);
        ensure(streq(blob_data(blob), "whole"));
        ensure(b.n == 0);
        return 0;
}

/* What was there before stays whole, whatever becomes of the new one. */
static int run_string_list(void)
{
        static const char *const words[] = {"a", "bc", "def"};
        struct string_list l = {0};
        int k = 0;

        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                k = string_list_push(&l, words[i]);
                ensure(l.n == i + (k >= 0));
                for (size_t n = 0; n < l.n; n++)
                        ensure(streq(l.items[n], words[n]));
                ensure(string_list_has(&l, words[i]) == (k >= 0));
                if (k < 0)
                        break;
        }
        string_list_done(&l);
        return k;
}

/* --- writers ----------------------------------------------------------------------------------- */

static int run_json(void)
{
        _cleanup_(buf_done) struct buf b = {0};
        struct json_writer w = {.out = &b};

        jw_begin_object(&w);
        jw_member_string(&w, "text", "<\xff\"\n");
        jw_key(&w, "list");
        jw_begin_array(&w);
        for (unsigned i = 0; i < 40; i++)
                jw_uint(&w, i);
        jw_end_array(&w);
        jw_member_time(&w, "time", UINT64_C(1600000000000000));
        jw_end_object(&w);
        ensure(w.depth == 0);
        if (b.error) {
                ensure(streq(buf_cstr(&b), ""));
                return b.error;
        }
        ensure(begins(buf_cstr(&b), "{\"text\":\"\\u003c\\ufffd\\\"\\n\",\"list\":[0,1,"));
        ensure(strstr(buf_cstr(&b), ",39],\"time\":\"2020-09-13T12:26:40.000Z\"}"));
        return 0;
}

/* Whatever happens: not a byte of a secret, not even in the buffer of a failure. */
static int run_redact(void)
{
        static const char text[] =
                "user=bob password=hunter2 and more words to make the buffer grow\n"
                "Authorization: Bearer hunter2hunter2hunter2\n"
                "https://bob:hunter2@host/path?token=hunter2&n=1\n"
                "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n"
                "-----END RSA PRIVATE KEY-----\nthe end\n";
        _cleanup_(buf_done) struct buf b = {0};
        size_t n = redact_append(&b, text, strlen(text));

        ensure(!b.data || !memmem(b.data, b.n, "hunter2", 7));
        if (b.error) {
                ensure(streq(buf_cstr(&b), ""));
                return b.error;
        }
        ensure(n == 5);
        ensure(strstr(buf_cstr(&b), "user=bob password=" REDACT_MASK " and more"));
        ensure(streq(buf_cstr(&b) + b.n - 8, "the end\n"));
        return 0;
}

/* --- configuration ------------------------------------------------------------------------------- */

struct settings {
        struct string_list names;
        unsigned n_errors;
        int first_error;
};

static int set_name(void *target, const struct conf_value *v, struct err *e)
{
        struct settings *s = target;

        if (string_list_push(&s->names, v->value) < 0)
                return err_set(e, -ENOMEM, "out of memory");
        return 0;
}

static const struct conf_key keys[] = {
        {"Server", "Name", false, set_name},
        {NULL,     NULL,   false, NULL    },
};

static void on_error(const struct err *e, void *userdata)
{
        struct settings *s = userdata;

        ensure(*e->text);
        if (!s->n_errors++)
                s->first_error = e->code;
}

/* A value is missing without a word: that must not happen. */
static int settings_end(struct settings *s, int k, size_t n_want)
{
        if (k >= 0) {
                ensure(s->n_errors == 0);
                ensure(s->names.n == n_want);
                ensure(streq(s->names.items[n_want - 1], "last"));
        } else {
                ensure(s->n_errors > 0);
                ensure(s->first_error == k);
        }
        string_list_done(&s->names);
        return k;
}

static int run_conf_parse(void)
{
        static const char text[] = "[Server]\nName=first\nName=a \\\n b\nName=last\n";
        struct settings s = {0};
        int k = conf_parse(text, strlen(text), "x.conf", keys, &s, on_error, &s);

        return settings_end(&s, k, 3);
}

static int run_conf_load(void)
{
        struct settings s = {0};
        int k;

        write_file("x.conf", "[Server]\nName=first\n");
        ensure(mkdir("x.conf.d", 0700) == 0 || errno == EEXIST);
        write_file("x.conf.d/10-a.conf", "[Server]\nName=middle\n");
        write_file("x.conf.d/20-b.conf", "[Server]\nName=last\n");
        k = conf_load("x.conf", true, keys, &s, on_error, &s);
        return settings_end(&s, k, 3);
}

static int run_conf_set(void)
{
        struct settings s = {0};
        struct err e = {0};
        int k = conf_set(keys, &s, "Server", "Name", " last ", &e);

        if (k < 0) {
                ensure(e.code == k);
                on_error(&e, &s);
        }
        return settings_end(&s, k, 1);
}

/* --- files ----------------------------------------------------------------------------------------- */

static int run_fs_read(void)
{
        char *data = (char *)"untouched", *before = data;
        struct err e = {0};
        size_t n = 99;
        int k;

        write_file("read", "some bytes");
        k = fs_read("read", 1000, &data, &n, &e);
        if (k < 0) {
                ensure(data == before);
                ensure(n == 99);
                ensure(strstr(e.text, "read"));
                return k;
        }
        ensure(n == 10);
        ensure(streq(data, "some bytes"));
        free(data);
        return 0;
}

static unsigned n_files(const char *pattern)
{
        glob_t g = {0};
        unsigned n = glob(pattern, 0, NULL, &g) == 0 ? (unsigned)g.gl_pathc : 0;

        globfree(&g);
        return n;
}

/* The old one or the new one, whole, and nothing lies about. */
static int run_fs_replace(void)
{
        char now[16] = "";
        struct err e = {0};
        int k, fd;

        write_file("replaced", "old");
        k = fs_replace("replaced", "newer", 5, 0600, &e);
        fd = open("replaced", O_RDONLY | O_CLOEXEC);
        ensure(read(fd, now, sizeof(now) - 1) > 0);
        close(fd);
        ensure(n_files("replaced*") == 1);
        ensure(streq(now, k < 0 ? "old" : "newer"));
        ensure(k >= 0 || *e.text);
        return k;
}

/* --- the loop ----------------------------------------------------------------------------------------- */

static void count_call(void *n)
{
        ++*(unsigned *)n;
}

static void on_term(int signo, void *userdata)
{
        (void)signo;
        (void)userdata;
}

static int run_loop(void)
{
        _cleanup_(loop_freep) struct loop *l = NULL;
        struct loop_timer *t = NULL;
        unsigned n_calls = 0;
        int k = loop_new(&l);

        if (k >= 0)
                k = loop_on_signal(l, SIGTERM, on_term, NULL);
        if (k >= 0)
                k = loop_timer_new(&t, l, count_call, &n_calls);
        if (k >= 0)
                k = loop_post(l, count_call, &n_calls);
        if (k >= 0) {
                loop_timer_set(t, now_mono_usec(), 0);
                for (unsigned i = 0; i < 100 && n_calls < 2; i++)
                        ensure(sd_event_run(loop_event(l), 10000) >= 0);
                ensure(n_calls == 2);
        }
        loop_timer_free(t);
        return k;
}

struct ended {
        bool is;
        char output[16];
        int exit_status;
};

static void on_child(const struct child_result *r, void *userdata)
{
        struct ended *ended = userdata;

        ended->is = true;
        ended->exit_status = r->exit_status;
        (void)snprintf(ended->output, sizeof(ended->output), "%s", r->output);
}

/* Output that could not be kept is no output; how the command ended is told all the same. */
static int run_child(void)
{
        static const char *const argv[] = {"echo", "hello", NULL};
        _cleanup_(loop_freep) struct loop *l = NULL;
        struct child *c = NULL;
        struct ended ended = {0};
        struct err e = {0};
        int k = loop_new(&l);

        if (k >= 0) {
                k = child_start(&c, l, argv, 10 * USEC_PER_SEC, 1000, on_child, &ended, &e);
                ensure(k >= 0 || *e.text);
        }
        while (k >= 0 && !ended.is)
                ensure(sd_event_run(loop_event(l), USEC_INFINITY) >= 0);
        child_free(c);
        if (k < 0)
                return k;
        ensure(ended.exit_status == 0);
        if (!*ended.output)
                return -ENOMEM;
        ensure(streq(ended.output, "hello\n"));
        return 0;
}

/* --- parts ------------------------------------------------------------------------------------ */

static struct blob *make_part(unsigned i)
{
        _cleanup_(buf_done) struct buf b = {0};

        for (unsigned j = 0; j < 60; j++)
                buf_printf(&b, "part %u, ", i);
        return blob_new_take(&b);
}

static struct rope *make_rope(void)
{
        struct rope_builder rb = {0};

        for (unsigned i = 0; i < 20; i++) {
                struct blob *part = make_part(i);

                if (!part) {
                        rope_builder_done(&rb);
                        return NULL;
                }
                buf_puts(&rb.text, "a text between the parts, which is compressed by itself");
                rope_builder_add(&rb, part);
                blob_unref(part);
        }
        return rope_new_take(&rb);
}

static int run_rope(void)
{
        _cleanup_(rope_unrefp) struct rope *r = make_rope(), *gzip = NULL;
        struct rope_cursor c = {0};
        char bytes[64];

        if (!r)
                return -ENOMEM;
        ensure(rope_read(r, &c, bytes, sizeof(bytes)) == sizeof(bytes));
        ensure(begins(bytes, "a text between"));
        ensure(rope_size(r) > 10000);
        gzip = rope_gzip(r, UINT64_MAX);
        if (!gzip)
                return -ENOMEM;
        ensure(rope_size(gzip) > 1000 && rope_size(gzip) < rope_size(r));
        return 0;
}

static const struct oom_scenario scenarios[] = {
        {"an arena",                     run_arena      },
        {"a buffer",                     run_buf        },
        {"a blob of nothing",            run_empty_blob },
        {"a blob",                       run_blob       },
        {"a list of strings",            run_string_list},
        {"JSON",                         run_json       },
        {"secrets",                      run_redact     },
        {"configuration: a text",        run_conf_parse },
        {"configuration: with drop-ins", run_conf_load  },
        {"configuration: one value",     run_conf_set   },
        {"reading a file",               run_fs_read    },
        {"replacing a file",             run_fs_replace },
        {"a loop",                       run_loop       },
        {"a child",                      run_child      },
        {"a rope, and compressed",       run_rope       },
};

START_TEST(says_that_memory_is_out)
{
        oom_run(&scenarios[_i]);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("oom_base");
        TCase *tc = tcase_create("oom_base");
        sigset_t signals;

        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGCHLD);
        (void)sigprocmask(SIG_BLOCK, &signals, NULL);
        tcase_add_unchecked_fixture(tc, make_dir, remove_dir);
        tcase_set_timeout(tc, 60);
        tcase_add_loop_test(tc, says_that_memory_is_out, 0, ELEMENTSOF(scenarios));
        suite_add_tcase(s, tc);
        return test_main(s);
}
