/* It is kept on the disk, ends by itself, and neither a clock that is set nor a file that lies changes that. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "agentd/maintenance.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define BOOT      "0c8a9e7d6b5f4a3c2e1d0f9b8a7c6d5e"
#define OTHER     "ffffffffffffffffffffffffffffffff"
#define HOUR      (60 * USEC_PER_MIN)
#define DAY       (24 * HOUR)
#define NOON      (UINT64_C(1795262400) * USEC_PER_SEC) /* 2026-11-21T12:00:00Z */
#define NOON_BOOT "1795262400000000"

static char dir[] = "/tmp/test_maintenance.XXXXXX";
static struct loop *event_loop;
static uint64_t now_usec; /* of all three clocks; what differs between them stands in the file */
static unsigned n_changed;

static void set_up(void)
{
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(chdir(dir), 0);
        ck_assert_int_eq(loop_new(&event_loop), 0);
        now_usec = NOON;
        n_changed = 0;
        clock_fake(&now_usec);
}

static void tear_down(void)
{
        char command[sizeof(dir) + 16];

        loop_free(event_loop);
        (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(system(command), 0);
}

static void on_changed(_unused_ void *userdata)
{
        n_changed++;
}

static struct maintenance *open_from(const char *path, const char *boot_id)
{
        struct maintenance *m;
        struct err e;

        ck_assert_int_eq(maintenance_new(&m, event_loop, path, boot_id, on_changed, NULL, &e), 0);
        ck_assert_msg(e.code == 0, "%s", e.text);
        return m;
}

static struct maintenance *reopen(struct maintenance *m, const char *boot_id)
{
        maintenance_free(m);
        return open_from("f", boot_id);
}

static void start(struct maintenance *m, uint64_t for_usec, const char *reason)
{
        struct err e = {0};

        ck_assert_msg(maintenance_start(m, for_usec, reason, "uid 0", &e) == 0, "%s", e.text);
}

static void put(const char *text)
{
        ck_assert_int_eq(fs_replace("f", text, strlen(text), 0600, NULL), 0);
}

static bool file_holds(const char *words)
{
        _cleanup_(freep) char *text = NULL;

        ck_assert_int_eq(fs_read("f", MAINTENANCE_FILE_MAX, &text, NULL, NULL), 0);
        return strstr(text, words) != NULL;
}

static void shows(const struct maintenance *m, uint64_t since, uint64_t until, const char *reason)
{
        const struct diag_maintenance *c = maintenance_current(m);

        ck_assert_ptr_nonnull(c);
        ck_assert_uint_eq(c->since_wall_usec, since);
        ck_assert_uint_eq(c->until_wall_usec, until);
        ck_assert_str_eq(c->reason, reason);
        ck_assert_str_eq(c->by, "uid 0");
}

/* --- start and stop ------------------------------------------------------------------------------- */

START_TEST(starts_and_stops)
{
        struct maintenance *m = open_from("f", BOOT);
        struct err e;

        ck_assert_ptr_null(maintenance_current(m));
        ck_assert_int_eq(maintenance_stop(m, &e), 0);
        start(m, 2 * HOUR, "a new disk");
        shows(m, NOON, NOON + 2 * HOUR, "a new disk");
        now_usec += HOUR;
        start(m, HOUR / 2, "größer");
        shows(m, NOON + HOUR, NOON + HOUR + HOUR / 2, "größer");
        ck_assert_int_eq(maintenance_stop(m, &e), 1);
        ck_assert_ptr_null(maintenance_current(m));
        ck_assert_int_eq(maintenance_stop(m, &e), 0);
        ck_assert_int_eq(access("f", F_OK), -1);
        maintenance_tick(m);
        ck_assert_uint_eq(n_changed, 0); /* who says it knows it */
        m = reopen(m, BOOT);
        ck_assert_ptr_null(maintenance_current(m));
        maintenance_free(m);
}
END_TEST

START_TEST(can_be_short)
{
        struct maintenance *m = open_from("f", BOOT);

        start(m, 1, "r");
        shows(m, NOON, NOON + USEC_PER_MSEC, "r");
        m = reopen(m, BOOT);
        shows(m, NOON, NOON + USEC_PER_MSEC, "r");
        now_usec++;
        ck_assert_ptr_null(maintenance_current(m));
        maintenance_free(m);
}
END_TEST

START_TEST(needs_no_file)
{
        struct maintenance *m = open_from(NULL, BOOT);
        struct err e;

        start(m, HOUR, "r");
        shows(m, NOON, NOON + HOUR, "r");
        ck_assert_int_eq(maintenance_stop(m, &e), 1);
        ck_assert_ptr_null(maintenance_current(m));
        maintenance_free(m);
}
END_TEST

#define SIXTEEN "0123456789abcdef"
#define LONGEST                                                                                 \
        SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN \
                SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN

static const struct {
        uint64_t for_usec;
        const char *reason;
        int want;
} starts[] = {
        {MAINTENANCE_MAX_USEC,     "r",                  0      },
        {USEC_PER_MSEC,            "r",                  0      },
        {HOUR,                     LONGEST,              0      },
        {HOUR,                     " \xf0\x9f\x94\xa7 ", 0      },
        {HOUR,                     "\xc2\xa0",           0      },
        {MAINTENANCE_MAX_USEC + 1, "r",                  -EINVAL},
        {USEC_INFINITY,            "r",                  -EINVAL},
        {0,                        "r",                  -EINVAL},
        {HOUR,                     "",                   -EINVAL},
        {HOUR,                     LONGEST "x",          -EINVAL},
        {HOUR,                     "two\nlines",         -EINVAL},
        {HOUR,                     "\033[31mred",        -EINVAL},
        {HOUR,                     "\x7f",               -EINVAL},
        {HOUR,
         "\xc2\x9b"
         "31m",                                          -EINVAL},
        {HOUR,                     "\xff",               -EINVAL},
        {HOUR,                     "cut \xc3",           -EINVAL},
        {HOUR,                     "\xc0\xaf",           -EINVAL},
};

START_TEST(takes_what_can_be)
{
        struct maintenance *m = open_from("f", BOOT);
        struct err e = {0};

        ck_assert_int_eq(maintenance_start(m, starts[_i].for_usec, starts[_i].reason, "uid 0", &e),
                         starts[_i].want);
        ck_assert_int_eq(e.code, starts[_i].want);
        ck_assert_int_eq(access("f", F_OK) < 0, starts[_i].want < 0);
        ck_assert_int_eq(maintenance_current(m) == NULL, starts[_i].want < 0);
        if (starts[_i].want == 0) { /* and it can be read again */
                m = reopen(m, BOOT);
                shows(m, NOON, NOON + starts[_i].for_usec, starts[_i].reason);
        }
        maintenance_free(m);
}
END_TEST

START_TEST(keeps_what_was_when_it_cannot_write)
{
        struct maintenance *m = open_from("d/f", BOOT);
        struct err e = {0};

        ck_assert_int_lt(maintenance_start(m, HOUR, "r", "uid 0", &e), 0);
        ck_assert_ptr_nonnull(strstr(e.text, "d/f"));
        ck_assert_ptr_null(maintenance_current(m));
        ck_assert_int_eq(mkdir("d", 0755), 0);
        start(m, HOUR, "first");
        ck_assert_int_eq(rename("d", "elsewhere"), 0);
        ck_assert_int_lt(maintenance_start(m, 2 * HOUR, "second", "uid 1", &e), 0);
        shows(m, NOON, NOON + HOUR, "first");
        /* A folder in its place cannot be unlinked, not even by root. */
        ck_assert_int_eq(mkdir("d", 0755), 0);
        ck_assert_int_eq(mkdir("d/f", 0755), 0);
        ck_assert_int_lt(maintenance_stop(m, &e), 0);
        ck_assert_ptr_nonnull(strstr(e.text, "d/f"));
        shows(m, NOON, NOON + HOUR, "first");
        maintenance_free(m);
}
END_TEST

START_TEST(leaves_a_file_for_itself_alone)
{
        struct maintenance *m = open_from("f", BOOT);
        struct stat st;

        start(m, HOUR, "r");
        ck_assert_int_eq(stat("f", &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0600);
        ck_assert(file_holds("diag-maintenance 1\nboot " BOOT "\n"));
        ck_assert(file_holds("\nuntil 2026-11-21T13:00:00.000Z\nby uid 0\nreason r\n"));
        maintenance_free(m);
}
END_TEST

/* --- the end -------------------------------------------------------------------------------------- */

START_TEST(ends_by_itself)
{
        struct maintenance *m = open_from("f", BOOT);

        start(m, HOUR, "r");
        now_usec += HOUR - 1;
        maintenance_tick(m);
        ck_assert_ptr_nonnull(maintenance_current(m));
        ck_assert_uint_eq(n_changed, 0);
        now_usec += 1;
        ck_assert_ptr_null(maintenance_current(m)); /* even before anybody has looked */
        maintenance_tick(m);
        maintenance_tick(m);
        ck_assert_uint_eq(n_changed, 1);
        ck_assert_int_eq(access("f", F_OK), -1);
        maintenance_free(m);
}
END_TEST

START_TEST(ends_while_nobody_runs)
{
        struct maintenance *m = open_from("f", BOOT);

        start(m, HOUR, "r");
        now_usec += HOUR;
        m = reopen(m, BOOT);
        ck_assert_ptr_null(maintenance_current(m));
        ck_assert_int_eq(access("f", F_OK), -1);
        maintenance_free(m);
}
END_TEST

static void quit(_unused_ void *userdata)
{
        loop_quit(event_loop, 7);
}

START_TEST(wakes_for_its_end)
{
        struct maintenance *m;
        struct err e;

        clock_fake(NULL);
        ck_assert_int_eq(maintenance_new(&m, event_loop, "f", BOOT, quit, NULL, &e), 0);
        start(m, USEC_PER_MSEC, "r");
        ck_assert_int_eq(loop_run(event_loop), 7);
        ck_assert_ptr_null(maintenance_current(m));
        maintenance_free(m);
}
END_TEST

/* --- over a restart ------------------------------------------------------------------------------- */

START_TEST(is_kept_over_a_restart)
{
        struct maintenance *m = open_from("f", BOOT);

        now_usec += 123456; /* not a whole millisecond */
        start(m, 2 * HOUR, "r");
        now_usec += HOUR;
        m = reopen(m, BOOT);
        shows(m, NOON + 123000, NOON + 123000 + 2 * HOUR, "r");
        now_usec += HOUR;
        maintenance_tick(m);
        ck_assert_uint_eq(n_changed, 1);
        maintenance_free(m);
}
END_TEST

#define HEAD                "diag-maintenance 1\n"
#define TAIL                "by uid 0\nreason r\n"
#define TIMES(since, until) "since 2026-11-" since ".000Z\nuntil 2026-11-" until ".000Z\n"
#define UNTIL_BOOT(usec)    "until_boot_usec " usec "\n"

/* All clocks show NOON; so what the file says of CLOCK_BOOTTIME tells how the wall clock was set. */
static const struct {
        const char *name, *text;
        uint64_t since, until; /* 0: none */
        uint64_t ends_after;
} restores[] = {
        {"this boot",
         HEAD "boot " BOOT "\n" UNTIL_BOOT("1795266000000000") TIMES("21T11:00:00",              "21T13:00:00")
                 TAIL,                             NOON - HOUR,                     NOON + HOUR,                     HOUR          },
        {"this boot, clock set forward",
         HEAD "boot " BOOT "\n" UNTIL_BOOT("1795266000000000") TIMES("20T11:00:00",              "20T13:00:00")
                 TAIL,                             NOON - HOUR,                     NOON + HOUR,                     HOUR          },
        {"this boot, clock set back",
         HEAD "boot " BOOT "\n" UNTIL_BOOT("1795266000000000") TIMES("23T11:00:00",              "23T13:00:00")
                 TAIL,                             NOON - HOUR,                     NOON + HOUR,                     HOUR          },
        {"this boot, a clock that drifts is not set",
         HEAD "boot " BOOT "\n" UNTIL_BOOT("1795266000000000") TIMES("21T11:00:59",              "21T13:00:59")
                 TAIL,                             NOON - HOUR + 59 * USEC_PER_SEC, NOON + HOUR + 59 * USEC_PER_SEC, HOUR          },
        {"this boot, over, though the wall clock says no",
         HEAD "boot " BOOT "\n" UNTIL_BOOT(NOON_BOOT) TIMES("21T11:00:00",                       "21T13:00:00") TAIL,                 0,
         0,                                                                                                                                                                                             0             },
        {"this boot, longer than it is long",
         HEAD "boot " BOOT "\n" UNTIL_BOOT("18446744073709551615")
                 TIMES("21T11:00:00",                                                            "21T13:00:00") TAIL,
         NOON,                                                                                                                                                         NOON + 2 * HOUR,                 2 * HOUR      },
        {"another boot",
         HEAD "boot " OTHER "\n" UNTIL_BOOT("5") TIMES("21T11:00:00",                            "21T13:00:00") TAIL,
         NOON - HOUR,                                                                                                                                                  NOON + HOUR,                     HOUR          },
        {"another boot, over, though its CLOCK_BOOTTIME says no",
         HEAD "boot " OTHER "\n" UNTIL_BOOT("1795266000000000") TIMES("21T11:00:00",             "21T12:00:00")
                 TAIL,                            0,                               0,                               0             },
        {"another boot, begun in the future",
         HEAD "boot " OTHER "\n" UNTIL_BOOT("5") TIMES("22T11:00:00",                            "22T13:00:00") TAIL,                 NOON,
         NOON + 2 * HOUR,                                                                                                                                                                               2 * HOUR      },
        {"another boot, longer than the maximum",
         HEAD "boot " OTHER "\n" UNTIL_BOOT("5") TIMES("21T11:00:00",                            "30T11:00:00") TAIL,
         NOON - HOUR,                                                                                                                                                  NOON - HOUR + 7 * DAY,           7 * DAY - HOUR},
        {"another boot, longer than the maximum, begun in the future",
         HEAD "boot " OTHER "\n" UNTIL_BOOT("5") TIMES("22T11:00:00",                            "30T11:00:00") TAIL,                 NOON,
         NOON + 7 * DAY,                                                                                                                                                                                7 * DAY       },
        {"no boot",                                                    HEAD TIMES("21T11:00:00", "21T13:00:00") TAIL,                 NOON - HOUR,                     NOON + HOUR,                     HOUR          },
        {"members of a newer version, and no end of line",
         HEAD "ticket OPS-7\nalone\n\n" TIMES("21T11:00:00",                                     "21T13:00:00") "by uid 0\nreason r",
         NOON - HOUR,                                                                                                                                                  NOON + HOUR,                     HOUR          },
};

START_TEST(finds_what_was)
{
        struct maintenance *m;

        put(restores[_i].text);
        m = open_from("f", BOOT);
        ck_assert_msg((maintenance_current(m) != NULL) == (restores[_i].until != 0), "%s",
                      restores[_i].name);
        if (restores[_i].until) {
                shows(m, restores[_i].since, restores[_i].until, "r");
                now_usec += restores[_i].ends_after - 1;
                m = reopen(m, BOOT); /* what was corrected was written down */
                shows(m, restores[_i].since, restores[_i].until, "r");
                now_usec += 1;
                ck_assert_msg(!maintenance_current(m), "%s", restores[_i].name);
                maintenance_tick(m);
                ck_assert_uint_eq(n_changed, 1);
        }
        ck_assert_msg(access("f", F_OK) < 0, "%s", restores[_i].name);
        maintenance_free(m);
}
END_TEST

/* As root can write anywhere, the limit on the size of files stands for a disk that is full. */
static void let_files_grow(rlim_t n)
{
        const struct rlimit limit = {n, RLIM_INFINITY};

        (void)signal(SIGXFSZ, SIG_IGN);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(writes_later_what_it_could_not_write)
{
        struct maintenance *m;
        struct err e = {0};

        put(restores[6].text);
        let_files_grow(0);
        m = open_from("f", BOOT);
        shows(m, NOON - HOUR, NOON + HOUR, "r");
        maintenance_tick(m);
        ck_assert_int_eq(maintenance_start(m, DAY, "s", "uid 0", &e), -EFBIG);
        shows(m, NOON - HOUR, NOON + HOUR, "r");
        ck_assert(file_holds("boot " OTHER));
        let_files_grow(RLIM_INFINITY);
        maintenance_tick(m);
        ck_assert(file_holds("boot " BOOT));
        let_files_grow(0);
        ck_assert_int_eq(maintenance_stop(m, &e), 1); /* needs no room */
        ck_assert_int_eq(access("f", F_OK), -1);
        maintenance_free(m);
}
END_TEST

START_TEST(survives_a_disk_that_cannot_be_written)
{
        struct maintenance *m;

        put(restores[6].text);
        ck_assert_int_eq(mkdir("d", 0755), 0);
        ck_assert_int_eq(rename("f", "d/f"), 0);
        m = open_from("d/f", BOOT);
        ck_assert_int_eq(rename("d", "elsewhere"), 0);
        shows(m, NOON - HOUR, NOON + HOUR, "r");
        now_usec += HOUR;
        maintenance_tick(m);
        ck_assert_ptr_null(maintenance_current(m));
        ck_assert_uint_eq(n_changed, 1);
        maintenance_free(m);
}
END_TEST

/* --- a file that lies ----------------------------------------------------------------------------- */

#define GOOD_TIMES TIMES("21T11:00:00", "21T13:00:00")
#define NOT_OURS   "f: does not begin with \"diag-maintenance 1\""
#define NOT_WHOLE  "f: does not say why, or from when until when"

static const struct {
        const char *text, *want;
} damaged[] = {
        {"",                                      NOT_OURS                  },
        {"\n",                                    NOT_OURS                  },
        {"diag-maintenance 2\n" GOOD_TIMES TAIL,  NOT_OURS                  },
        {"diag-maintenance 12\n" GOOD_TIMES TAIL, NOT_OURS                  },
        {"{\"reason\":\"r\"}",                    NOT_OURS                  },
        {HEAD,                                    NOT_WHOLE                 },
        {HEAD GOOD_TIMES "by uid 0\n",            NOT_WHOLE                 },
        {HEAD TAIL,                               NOT_WHOLE                 },
        {HEAD TIMES("21T13:00:00",                "21T13:00:00") TAIL,        NOT_WHOLE},
        {HEAD TIMES("21T13:00:00",                                       "21T11:00:00") TAIL,                                          NOT_WHOLE},
        {HEAD "since yesterday\n" TAIL,                              "f:2: since is not a time"              },
        {HEAD "until 1795262400\n" TAIL,"f:2: until is not a time"},
        {HEAD GOOD_TIMES "reason\n",                              "f:4: reason is not a line of text"                                                            },
        {HEAD GOOD_TIMES "reason \n","f:4: reason is not a line of text"},
        {HEAD GOOD_TIMES "reason a\033[2J\n",                              "f:4: reason is not a line of text"                                                                                                                   },
        {HEAD GOOD_TIMES "reason \xff\n","f:4: reason is not a line of text"},
        {HEAD GOOD_TIMES "by " LONGEST "x\nreason r\n",                              "f:4: by is not a line of text"                                                                                                                                                                          },
        {HEAD GOOD_TIMES TAIL UNTIL_BOOT("-1"),"f:6: until_boot_usec is not a number"},
        {HEAD GOOD_TIMES TAIL UNTIL_BOOT("18446744073709551616"),
         "f:6: until_boot_usec is not a number"                                                                                                                                                                                                                      },
        {HEAD GOOD_TIMES TAIL "boot " LONGEST "\n",  "f:6: boot is not a boot id"},
};

static void takes_for_none(const char *want, int code)
{
        struct maintenance *m;
        struct err e;

        ck_assert_int_eq(maintenance_new(&m, event_loop, "f", BOOT, on_changed, NULL, &e), 0);
        ck_assert_str_eq(e.text, want);
        ck_assert_int_eq(e.code, code);
        ck_assert_ptr_null(maintenance_current(m));
        ck_assert_int_eq(maintenance_stop(m, &e), 0);
        maintenance_tick(m);
        ck_assert_int_eq(access("f", F_OK), 0);
        start(m, HOUR, "anew");
        m = reopen(m, BOOT);
        shows(m, NOON, NOON + HOUR, "anew");
        maintenance_free(m);
}

START_TEST(takes_a_damaged_file_for_none)
{
        put(damaged[_i].text);
        takes_for_none(damaged[_i].want, -EBADMSG);
}
END_TEST

START_TEST(takes_a_file_with_a_nul_for_none)
{
        const char text[] = HEAD GOOD_TIMES TAIL "x \0 y\n";

        ck_assert_int_eq(fs_replace("f", text, sizeof(text) - 1, 0600, NULL), 0);
        takes_for_none("f: holds a NUL byte", -EBADMSG);
}
END_TEST

START_TEST(takes_a_large_file_for_none)
{
        _cleanup_(buf_done) struct buf b = {0};

        buf_puts(&b, HEAD GOOD_TIMES TAIL);
        while (b.n <= MAINTENANCE_FILE_MAX)
                buf_puts(&b, "x y\n");
        put(buf_cstr(&b));
        takes_for_none("f is larger than 4096 bytes", -E2BIG);
}
END_TEST

START_TEST(says_when_it_cannot_read)
{
        struct maintenance *m;
        struct err e;

        ck_assert_int_eq(mkdir("f", 0755), 0);
        ck_assert_int_eq(maintenance_new(&m, event_loop, "f", BOOT, on_changed, NULL, &e), 0);
        ck_assert_str_eq(e.text, "f is not a regular file");
        ck_assert_ptr_null(maintenance_current(m));
        maintenance_free(m);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("maintenance");
        TCase *tc = tcase_create("maintenance");

        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_test(tc, starts_and_stops);
        tcase_add_test(tc, can_be_short);
        tcase_add_test(tc, needs_no_file);
        tcase_add_loop_test(tc, takes_what_can_be, 0, ELEMENTSOF(starts));
        tcase_add_test(tc, keeps_what_was_when_it_cannot_write);
        tcase_add_test(tc, leaves_a_file_for_itself_alone);
        tcase_add_test(tc, ends_by_itself);
        tcase_add_test(tc, ends_while_nobody_runs);
        tcase_add_test(tc, wakes_for_its_end);
        tcase_add_test(tc, is_kept_over_a_restart);
        tcase_add_loop_test(tc, finds_what_was, 0, ELEMENTSOF(restores));
        tcase_add_test(tc, writes_later_what_it_could_not_write);
        tcase_add_test(tc, survives_a_disk_that_cannot_be_written);
        tcase_add_loop_test(tc, takes_a_damaged_file_for_none, 0, ELEMENTSOF(damaged));
        tcase_add_test(tc, takes_a_file_with_a_nul_for_none);
        tcase_add_test(tc, takes_a_large_file_for_none);
        tcase_add_test(tc, says_when_it_cannot_read);
        suite_add_tcase(s, tc);
        return test_main(s);
}
