/*
 * Two clocks for two questions. When it ends is a moment of CLOCK_BOOTTIME, which nobody can set; what
 * is shown, and what counts after a reboot, is the same moment on the wall clock, and moves along when
 * that one is set. The file holds both: "diag-maintenance 1", then one "key value" a line.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "agentd/maintenance.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/json_write.h"
#include "base/mono.h"
#include "base/parse.h"

#define HEADING        "diag-maintenance 1" /* the number goes up when an older reader would be wrong */
#define BOOT_ID_MAX    64u
#define CLOCK_SET_USEC USEC_PER_MIN /* less is drift, and not worth a change of the report */
#define SLACK_USEC     (100 * USEC_PER_MSEC)

struct state {
        bool active;
        uint64_t until_boot_usec; /* CLOCK_BOOTTIME */
        uint64_t since_wall_usec, until_wall_usec;
        char reason[MAINTENANCE_REASON_MAX + 1], by[MAINTENANCE_REASON_MAX + 1];
};

struct maintenance {
        char *path, *boot_id;
        struct loop_timer *timer;
        void (*changed)(void *userdata);
        void *userdata;
        struct state state;
        struct diag_maintenance shown; /* strings are the state's */
        bool dirty;                    /* the file is older than the state */
};

/* --- text ----------------------------------------------------------------------------------------- */

static bool text_is_valid(const char *s)
{
        size_t n = strnlen(s, MAINTENANCE_REASON_MAX + 1), k;

        if (n == 0 || n > MAINTENANCE_REASON_MAX)
                return false;
        for (size_t i = 0; i < n; i += k) {
                k = utf8_harmless(s + i, n - i);
                if (k == 0)
                        return false;
        }
        return true;
}

static void copy_text(char ret[static MAINTENANCE_REASON_MAX + 1], const char *s)
{
        (void)snprintf(ret, MAINTENANCE_REASON_MAX + 1, "%s", s);
}

/* --- the file ------------------------------------------------------------------------------------- */

struct file {
        struct state state;
        char boot_id[BOOT_ID_MAX + 1];
};

/* Each returns what the value should have been, NULL when it is that. */

static const char *read_boot(struct file *f, const char *value)
{
        (void)snprintf(f->boot_id, sizeof(f->boot_id), "%s", value);
        return strlen(value) > BOOT_ID_MAX ? "a boot id" : NULL;
}

static const char *read_until_boot(struct file *f, const char *value)
{
        return parse_u64(value, 0, UINT64_MAX, &f->state.until_boot_usec) < 0 ? "a number" : NULL;
}

static const char *read_since(struct file *f, const char *value)
{
        return rfc3339_parse(&f->state.since_wall_usec, value) < 0 ? "a time" : NULL;
}

static const char *read_until(struct file *f, const char *value)
{
        return rfc3339_parse(&f->state.until_wall_usec, value) < 0 ? "a time" : NULL;
}

static const char *read_text(char ret[static MAINTENANCE_REASON_MAX + 1], const char *value)
{
        if (!text_is_valid(value))
                return "a line of text";
        copy_text(ret, value);
        return NULL;
}

static const char *read_by(struct file *f, const char *value)
{
        return read_text(f->state.by, value);
}

static const char *read_reason(struct file *f, const char *value)
{
        return read_text(f->state.reason, value);
}

/* What is not here is of a newer version that we can understand all the same. */
static const struct {
        const char *key;
        const char *(*read)(struct file *f, const char *value);
} keys[] = {
        {"boot",            read_boot      },
        {"until_boot_usec", read_until_boot},
        {"since",           read_since     },
        {"until",           read_until     },
        {"by",              read_by        },
        {"reason",          read_reason    },
};

static const char *read_line(struct file *f, const char *key, const char *value)
{
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (streq(keys[i].key, key))
                        return keys[i].read(f, value);
        return NULL;
}

static int parse_file(struct file *f, char *text, const char *path, struct err *e)
{
        char *rest = text, *line = strsep(&rest, "\n");

        if (!streq(line, HEADING))
                return err_set(e, -EBADMSG, "%s: does not begin with \"" HEADING "\"", path);
        for (unsigned n = 2; (line = strsep(&rest, "\n")); n++) {
                const char *key = strsep(&line, " "), *wanted = read_line(f, key, line ? line : "");

                if (wanted)
                        return err_set(e, -EBADMSG, "%s:%u: %s is not %s", path, n, key, wanted);
        }
        if (!*f->state.reason || f->state.until_wall_usec <= f->state.since_wall_usec)
                return err_set(e, -EBADMSG, "%s: does not say why, or from when until when", path);
        f->state.active = true;
        return 0;
}

static int read_file(struct file *f, const char *path, struct err *e)
{
        _cleanup_(freep) char *text = NULL;
        size_t n;
        int k = fs_read(path, MAINTENANCE_FILE_MAX, &text, &n, e);

        if (k < 0)
                return k;
        if (strlen(text) != n)
                return err_set(e, -EBADMSG, "%s: holds a NUL byte", path);
        return parse_file(f, text, path, e);
}

static int save(struct maintenance *m, const struct state *s, struct err *e)
{
        _cleanup_(buf_done) struct buf text = {0};
        char since[RFC3339_MAX], until[RFC3339_MAX];

        if (!m->path)
                return 0;
        buf_printf(&text,
                   HEADING "\nboot %s\nuntil_boot_usec %" PRIu64
                           "\nsince %s\nuntil %s\nby %s\nreason %s\n",
                   m->boot_id, s->until_boot_usec, rfc3339_format(since, s->since_wall_usec),
                   rfc3339_format(until, s->until_wall_usec), s->by, s->reason);
        if (text.error)
                return err_set(e, text.error, "cannot write %s: out of memory", m->path);
        return fs_replace(m->path, text.data, text.n, 0600, e);
}

/*
 * Not replaced by an empty one: that needs room on a disk that may be full. Should it come back after a
 * crash, it ends by itself.
 */
static int remove_file(const struct maintenance *m, struct err *e)
{
        return m->path ? fs_remove(m->path, e) : 0;
}

/* --- time ----------------------------------------------------------------------------------------- */

static uint64_t left_usec(const struct state *s)
{
        return usec_since(s->until_boot_usec, now_boot_usec());
}

/* Whole milliseconds, as the file has them: so a restart changes nothing that is shown. */
static uint64_t wall_msec_of(uint64_t wall_usec)
{
        return wall_usec / USEC_PER_MSEC * USEC_PER_MSEC;
}

static void arm(struct maintenance *m)
{
        if (m->state.active)
                loop_timer_set(m->timer, usec_add(now_mono_usec(), left_usec(&m->state)),
                               SLACK_USEC);
        else
                loop_timer_stop(m->timer);
}

static void take(struct maintenance *m, const struct state *s)
{
        m->state = *s;
        m->shown = (struct diag_maintenance){
                .reason = m->state.reason,
                .by = m->state.by,
                .since_wall_usec = m->state.since_wall_usec,
                .until_wall_usec = m->state.until_wall_usec,
        };
        arm(m);
}

/* Another boot has another CLOCK_BOOTTIME: the wall clock is all that is left. */
static void end_by_wall(struct state *s, uint64_t length)
{
        uint64_t now = wall_msec_of(now_wall_usec());

        if (s->since_wall_usec > now) {
                s->since_wall_usec = now;
                s->until_wall_usec = usec_add(now, length);
        }
        s->until_boot_usec = usec_add(now_boot_usec(), usec_since(s->until_wall_usec, now));
}

/* True if the wall clock was set: then the times that people see move along. */
static bool follow_clock(struct state *s)
{
        uint64_t length = s->until_wall_usec - s->since_wall_usec;
        uint64_t until = usec_add(now_wall_usec(), left_usec(s));

        if (usec_since(until, s->until_wall_usec) < CLOCK_SET_USEC &&
            usec_since(s->until_wall_usec, until) < CLOCK_SET_USEC)
                return false;
        s->until_wall_usec = wall_msec_of(until);
        s->since_wall_usec = usec_since(s->until_wall_usec, length);
        return true;
}

/* What could not be removed is found to be over by whoever reads it. */
static void end(struct maintenance *m)
{
        take(m, &(const struct state){0});
        m->dirty = false;
        (void)remove_file(m, NULL);
}

/* What cannot be is cut to what can: an edited file, a clock that was wrong then or is now. */
static bool correct(struct state *s, bool same_boot)
{
        uint64_t length = s->until_wall_usec - s->since_wall_usec;
        bool corrected = !same_boot || length > MAINTENANCE_MAX_USEC;

        if (length > MAINTENANCE_MAX_USEC)
                length = MAINTENANCE_MAX_USEC;
        s->until_wall_usec = s->since_wall_usec + length;
        if (!same_boot)
                end_by_wall(s, length);
        if (left_usec(s) > length) {
                s->until_boot_usec = usec_add(now_boot_usec(), length);
                corrected = true;
        }
        return (left_usec(s) > 0 && follow_clock(s)) || corrected;
}

static void restore(struct maintenance *m, const struct file *f)
{
        struct state s = f->state;

        m->dirty = correct(&s, *f->boot_id && streq(f->boot_id, m->boot_id));
        if (left_usec(&s) == 0) {
                end(m);
                return;
        }
        /* Whoever reads it next in this boot shall find this boot's clock. */
        if (m->dirty && save(m, &s, NULL) >= 0)
                m->dirty = false;
        take(m, &s);
}

void maintenance_tick(struct maintenance *m)
{
        struct state s = m->state;
        bool is_over = s.active && left_usec(&s) == 0;
        bool moved = s.active && !is_over && follow_clock(&s);

        if (is_over)
                end(m);
        if (moved)
                take(m, &s);
        m->dirty |= moved;
        if (m->dirty && save(m, &m->state, NULL) >= 0)
                m->dirty = false;
        if (is_over || moved)
                m->changed(m->userdata);
}

static void on_timer(void *userdata)
{
        struct maintenance *m = userdata;

        maintenance_tick(m);
        arm(m); /* its clock is not the one that counts: it may have been early */
}

/* --- life ----------------------------------------------------------------------------------------- */

int maintenance_new(struct maintenance **ret, struct loop *l, const char *path, const char *boot_id,
                    void (*changed)(void *userdata), void *userdata, struct err *e)
{
        _cleanup_(maintenance_freep) struct maintenance *m = calloc(1, sizeof(*m));
        struct file f = {.state.by = "nobody known"};
        int k;

        *e = (struct err){0};
        if (!m)
                return -ENOMEM;
        m->changed = changed;
        m->userdata = userdata;
        m->path = path ? strdup(path) : NULL;
        m->boot_id = strdup(boot_id);
        if (!m->boot_id || (path && !m->path))
                return -ENOMEM;
        k = loop_timer_new(&m->timer, l, on_timer, m);
        if (k < 0)
                return k;
        k = path ? read_file(&f, path, e) : -ENOENT;
        if (k == -ENOENT)
                *e = (struct err){0};
        if (k >= 0)
                restore(m, &f);
        *ret = TAKE_PTR(m);
        return 0;
}

struct maintenance *maintenance_free(struct maintenance *m)
{
        if (!m)
                return NULL;
        loop_timer_free(m->timer);
        free(m->path);
        free(m->boot_id);
        free(m);
        return NULL;
}

int maintenance_start(struct maintenance *m, uint64_t for_usec, const char *reason, const char *by,
                      struct err *e)
{
        struct state s = {
                .active = true,
                .until_boot_usec = usec_add(now_boot_usec(), for_usec),
                .since_wall_usec = wall_msec_of(now_wall_usec()),
        };
        int k;

        if (for_usec == 0)
                return err_set(e, -EINVAL, "a maintenance takes some time");
        if (for_usec > MAINTENANCE_MAX_USEC)
                return err_set(e, -EINVAL, "a maintenance takes 7 days at most");
        if (!text_is_valid(reason) || !text_is_valid(by))
                return err_set(e, -EINVAL, "a reason is one line of text of 1 to %u bytes",
                               MAINTENANCE_REASON_MAX);
        s.until_wall_usec = s.since_wall_usec + wall_msec_of(for_usec + USEC_PER_MSEC - 1);
        copy_text(s.reason, reason);
        copy_text(s.by, by);
        k = save(m, &s, e);
        if (k < 0)
                return k;
        m->dirty = false;
        take(m, &s);
        return 0;
}

int maintenance_stop(struct maintenance *m, struct err *e)
{
        int k;

        if (!maintenance_current(m))
                return 0;
        k = remove_file(m, e);
        if (k < 0)
                return k;
        end(m);
        return 1;
}

const struct diag_maintenance *maintenance_current(const struct maintenance *m)
{
        return m->state.active && left_usec(&m->state) > 0 ? &m->shown : NULL;
}
