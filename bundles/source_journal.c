/*
 * The journal of one unit, as journalctl --unit has it: what the unit says, what systemd says of it, and who
 * dumped its core. Each entry is walked once, and what is wanted picked on the way: asking for one field after
 * the other would walk it as often. Times are formatted by hand, because there are hundreds of thousands a
 * second of them.
 *
 * A line is "2026-11-21 00:04:07.123456 +0000 UTC MESSAGE", as in the service that we replace; before what others
 * say of the unit stands who they are: "systemd[1]: ".
 */

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <systemd/sd-journal.h>
#include <time.h>

#include "base/buf.h"
#include "base/mono.h"
#include "bundles/source_child.h"
#include "model/unit_name.h"

#define OUT_BYTES   (512u * 1024u)
#define FIELD_BYTES (1u << 20) /* a longer message is cut */
#define STAMP_BYTES (sizeof("2026-11-21 00:04:07.123456 +0000 UTC ") - 1)
#define SAYER_BYTES 64u
#define COREDUMP    "MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1"

/* Copied: what the library hands out is good until it is asked for more. */
struct entry {
        uint64_t wall_usec;
        char unit[UNIT_NAME_MAX + 1], sayer[32], pid[16];
        bool has_message;
        struct buf message;
};

struct reader {
        struct source_child *w;
        sd_journal *j;
        char unit[sizeof("_SYSTEMD_UNIT=") + UNIT_NAME_MAX];
        char *out;
        size_t n_out;
        uint64_t until_wall_usec, begun_mono_usec;
        sd_id128_t boot; /* this one */
        uint64_t second; /* that stamp is of */
        char stamp[STAMP_BYTES + 1];
        struct entry entry;
};

/* --- which entries --------------------------------------------------------------------------------------- */

static int match_alternative(sd_journal *j, const char *unit_field, const char *unit,
                             const char *with, const char *and_with)
{
        char match[64 + UNIT_NAME_MAX];
        int k;

        (void)snprintf(match, sizeof(match), "%s=%s", unit_field, unit);
        k = sd_journal_add_match(j, match, 0);
        if (k >= 0 && with)
                k = sd_journal_add_match(j, with, 0);
        if (k >= 0 && and_with)
                k = sd_journal_add_match(j, and_with, 0);
        return k < 0 ? k : sd_journal_add_disjunction(j);
}

/* Of what is said about it only root's counts: anybody may write UNIT= into the journal. */
static int match(sd_journal *j, const char *unit)
{
        int k;

        if (!unit)
                return sd_journal_add_match(j, "_TRANSPORT=kernel", 0);
        k = match_alternative(j, "_SYSTEMD_UNIT", unit, NULL, NULL);
        if (k >= 0)
                k = match_alternative(j, "UNIT", unit, "_UID=0", NULL);
        if (k >= 0)
                k = match_alternative(j, "OBJECT_SYSTEMD_UNIT", unit, "_UID=0", NULL);
        if (k >= 0)
                k = match_alternative(j, "COREDUMP_UNIT", unit, "_UID=0", COREDUMP);
        return k;
}

/* A descriptor for each file of it: as many as journalctl(1) may have. */
static void raise_limit(void)
{
        struct rlimit files;

        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
                return;
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
}

static int open_journal(struct reader *r)
{
        const struct source_context *c = r->w->c;
        char directory[4096];
        int k;

        raise_limit();
        if (str_empty(c->root)) {
                k = sd_journal_open(&r->j, SD_JOURNAL_LOCAL_ONLY);
        } else {
                (void)snprintf(directory, sizeof(directory), "%s/var/log/journal", c->root);
                k = sd_journal_open_directory(&r->j, directory, 0);
        }
        if (k >= 0 && str_empty(c->root) && sd_journal_has_persistent_files(r->j) == 0 &&
            sd_journal_has_runtime_files(r->j) == 0)
                k = -ENOENT;
        if (k >= 0)
                k = sd_journal_set_data_threshold(r->j, FIELD_BYTES);
        return k < 0 ? k : match(r->j, r->w->s->unit);
}

/* --- one entry --------------------------------------------------------------------------------------------- */

static bool pick(char *to, size_t n_to, const char *data, size_t n, const char *name, size_t n_name)
{
        if (n < n_name || memcmp(data, name, n_name) != 0)
                return false;
        n -= n_name;
        if (n >= n_to)
                n = n_to - 1;
        memcpy(to, data + n_name, n);
        to[n] = '\0';
        return true;
}
#define PICK(to, name) pick((to), sizeof(to), data, n, name "=", sizeof(name))

/* The first one counts, as everywhere. */
static void pick_message(struct entry *x, const char *data, size_t n)
{
        static const char name[] = "MESSAGE=";

        if (x->has_message || n < sizeof(name) - 1 || memcmp(data, name, sizeof(name) - 1) != 0)
                return;
        x->has_message = true;
        buf_append(&x->message, data + sizeof(name) - 1, n - (sizeof(name) - 1));
}

/* By their first letters: most of the twenty fields of an entry are none of ours. */
static void pick_field(struct entry *x, const char *data, size_t n)
{
        switch (data[0]) {
        case 'M':
                pick_message(x, data, n);
                break;
        case '_':
                (void)(PICK(x->unit, "_SYSTEMD_UNIT") || PICK(x->pid, "_PID"));
                break;
        case 'S':
                (void)PICK(x->sayer, "SYSLOG_IDENTIFIER");
                break;
        default:
                break;
        }
}

static int read_entry(sd_journal *j, struct entry *x)
{
        const void *data;
        size_t n;
        int k = sd_journal_get_realtime_usec(j, &x->wall_usec);

        x->unit[0] = x->sayer[0] = x->pid[0] = '\0';
        x->has_message = false;
        buf_clear(&x->message);
        if (k < 0)
                return k;
        sd_journal_restart_data(j);
        while ((k = sd_journal_enumerate_available_data(j, &data, &n)) > 0)
                if (n > 0)
                        pick_field(x, data, n);
        return k < 0 ? k : x->message.error;
}

/* --- its line ----------------------------------------------------------------------------------------------- */

static void set_stamp(struct reader *r, uint64_t wall_usec)
{
        uint64_t second = wall_usec / USEC_PER_SEC, rest = wall_usec % USEC_PER_SEC;

        if (second != r->second || !r->stamp[0]) {
                time_t t = (time_t)second;
                struct tm tm;

                (void)strftime(r->stamp, sizeof(r->stamp), "%Y-%m-%d %H:%M:%S.000000 +0000 UTC ",
                               gmtime_r(&t, &tm));
                r->second = second;
        }
        for (char *p = r->stamp + sizeof("2026-11-21 00:04:07.123456") - 2; *p != '.'; p--) {
                *p = (char)('0' + rest % 10);
                rest /= 10;
        }
}

static int flush(struct reader *r)
{
        int k = source_child_write(r->w, r->out, r->n_out);

        r->n_out = 0;
        return k;
}

static int put(struct reader *r, const char *data, size_t n)
{
        if (r->n_out + n > OUT_BYTES) {
                int k = flush(r);

                if (k < 0)
                        return k;
                if (n > OUT_BYTES)
                        return source_child_write(r->w, data, n);
        }
        if (n == 0)
                return 0;
        memcpy(r->out + r->n_out, data, n);
        r->n_out += n;
        return 0;
}

/* "systemd[1]: " before what is said of it by somebody else. */
static size_t name_sayer(const struct reader *r, const struct entry *x,
                         char text[static SAYER_BYTES])
{
        if (!r->w->s->unit || streq(x->unit, r->w->s->unit) || !x->sayer[0])
                return 0;
        return (size_t)snprintf(text, SAYER_BYTES, "%s[%s]: ", x->sayer, x->pid);
}

static int put_entry(struct reader *r, const struct entry *x)
{
        char sayer[SAYER_BYTES];
        size_t n = name_sayer(r, x, sayer);
        int k;

        set_stamp(r, x->wall_usec);
        k = put(r, r->stamp, STAMP_BYTES);
        if (k >= 0)
                k = put(r, sayer, n);
        if (k >= 0)
                k = put(r, x->message.data, x->message.n);
        return k < 0 ? k : put(r, "\n", 1);
}

/* --- all of them ---------------------------------------------------------------------------------------------- */

/*
 * Backwards, until what lies behind would be too much: where to begin. As much work as reading it, so only
 * when all files of the journal together are larger than that.
 * Return: 1: at the entry to begin with; 0: from the beginning of the window; or -errno.
 */
static int skip_oldest(struct reader *r, uint64_t since_wall_usec, uint64_t max_bytes)
{
        uint64_t n_bytes = 0, usage = 0;
        bool is_first = true;
        char sayer[SAYER_BYTES];
        int k = sd_journal_get_usage(r->j, &usage);

        if (k < 0 || usage <= max_bytes)
                return k < 0 ? k : 0;
        k = r->w->c->until_wall_usec ? sd_journal_seek_realtime_usec(r->j, r->until_wall_usec)
                                     : sd_journal_seek_tail(r->j);
        while (k >= 0 && (k = sd_journal_previous(r->j)) > 0) {
                k = read_entry(r->j, &r->entry);
                if (k < 0 || r->entry.wall_usec < since_wall_usec)
                        return k < 0 ? k : 0;
                n_bytes += STAMP_BYTES + name_sayer(r, &r->entry, sayer) + r->entry.message.n + 1;
                if (n_bytes > max_bytes) {
                        r->w->outcome.truncated = true;
                        /* The newest one alone is too long: what fits of it is better than nothing. */
                        return is_first ? 1 : sd_journal_next(r->j);
                }
                is_first = false;
        }
        return k;
}

static int seek(struct reader *r)
{
        const struct source_context *c = r->w->c;
        int k = skip_oldest(r, c->since_wall_usec, r->w->s->max_bytes);

        if (k != 0)
                return k;
        k = sd_journal_seek_realtime_usec(r->j, c->since_wall_usec);
        return k < 0 ? k : sd_journal_next(r->j);
}

/*
 * Without an end that was asked for, it is where we began. The wall clock cannot tell that alone: when it was once
 * ahead, as on a machine without a battery, all that was written since lies behind such an entry.
 */
static bool is_behind(const struct reader *r)
{
        uint64_t mono_usec;
        sd_id128_t boot;

        if (r->entry.wall_usec <= r->until_wall_usec)
                return false;
        return r->w->c->until_wall_usec ||
               (sd_journal_get_monotonic_usec(r->j, &mono_usec, &boot) >= 0 &&
                sd_id128_equal(boot, r->boot) && mono_usec > r->begun_mono_usec);
}

/* An entry that is damaged costs itself alone. */
static int read_all(struct reader *r)
{
        int k = seek(r);

        while (k > 0) {
                k = read_entry(r->j, &r->entry);
                if (k >= 0 && is_behind(r))
                        break;
                if (k >= 0)
                        k = put_entry(r, &r->entry);
                if (k < 0 && k != -EBADMSG && k != -EADDRNOTAVAIL)
                        return k;
                k = sd_journal_next(r->j);
        }
        return k < 0 ? k : flush(r);
}

void source_read_journal(struct source_child *w)
{
        struct reader r = {.w = w, .out = malloc(OUT_BYTES)};
        struct err e = {0};
        int k;

        r.until_wall_usec = w->c->until_wall_usec ? w->c->until_wall_usec : now_wall_usec();
        r.begun_mono_usec = now_mono_usec();
        (void)sd_id128_get_boot(&r.boot);
        if (source_become_reader(w->c->plain_user, &e) < 0) {
                source_child_fail(w, e.code, "%s", e.text);
                k = 0;
        } else {
                k = r.out ? open_journal(&r) : -ENOMEM;
        }
        if (k >= 0 && !e.code)
                k = read_all(&r);
        if (k == -ENOENT)
                source_child_fail(w, k, "no journal can be read here");
        else if (k < 0 && k != -EPIPE)
                source_child_fail(w, k, "read journal: %s", strerror(-k));
        sd_journal_close(r.j);
        buf_done(&r.entry.message);
        free(r.out);
}
