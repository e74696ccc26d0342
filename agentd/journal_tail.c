/* A list of wanted tails, at most two journalctl at a time, and one timer for those that are due. */

#include <errno.h>
#include <stdio.h>
#include <sys/queue.h>

#include "agentd/journal_tail.h"
#include "base/child.h"
#include "base/log.h"
#include "base/mono.h"
#include "base/redact.h"
#include "model/report.h"
#include "model/unit_name.h"

#define CHILDREN_MAX     2u
#define CHILD_USEC       (5 * USEC_PER_SEC)
#define CHILD_BYTES      (64u * 1024u)
#define SECOND_LOOK_USEC (1 * USEC_PER_SEC)
#define GAP_USEC         (2 * USEC_PER_SEC)  /* between two reads of one unit */
#define RETRY_USEC       (10 * USEC_PER_SEC) /* when the machine lacked something for it */
#define CANNOT_BE_READ   "(the journal cannot be read)\n"

struct tail {
        LIST_ENTRY(tail) link;
        struct journal_tail *owner;
        char *unit;
        uint64_t stamp, read_stamp;
        uint64_t due_mono_usec; /* 0: nothing to do */
        uint64_t started_mono_usec;
        bool second_look; /* the read that is due, or under way, is the second one of its stamp */
        bool wanted;
        struct child *child;
        char *text;
        bool truncated;
};

struct journal_tail {
        struct loop *loop;
        struct loop_timer *timer;
        LIST_HEAD(, tail) tails;
        unsigned n_children;
        bool unsaid; /* a text is another one, and changed() has not been called yet */
        void (*changed)(void *userdata);
        void *userdata;
};

static void run_due(struct journal_tail *t);

static void say_changed(struct journal_tail *t)
{
        if (!t->unsaid)
                return;
        t->unsaid = false;
        t->changed(t->userdata);
}

static void on_timer(void *userdata)
{
        run_due(userdata);
        say_changed(userdata);
}

int journal_tail_new(struct journal_tail **ret, struct loop *l, void (*changed)(void *userdata),
                     void *userdata)
{
        struct journal_tail *t = calloc(1, sizeof(*t));
        int k;

        if (!t)
                return -ENOMEM;
        LIST_INIT(&t->tails);
        t->loop = l;
        t->changed = changed;
        t->userdata = userdata;
        k = loop_timer_new(&t->timer, l, on_timer, t);
        if (k < 0) {
                free(t);
                return k;
        }
        *ret = t;
        return 0;
}

static void tail_free(struct tail *tail)
{
        if (tail->child)
                tail->owner->n_children--;
        LIST_REMOVE(tail, link);
        child_free(tail->child);
        free(tail->unit);
        free(tail->text);
        free(tail);
}

struct journal_tail *journal_tail_free(struct journal_tail *t)
{
        if (!t)
                return NULL;
        while (!LIST_EMPTY(&t->tails))
                tail_free(LIST_FIRST(&t->tails));
        loop_timer_free(t->timer);
        free(t);
        return NULL;
}

/* --- what a person sees of it ------------------------------------------------------------------------- */

/* The newest lines, whole ones, within the limits. */
static const char *newest_lines(const char *text, size_t n, bool *truncated)
{
        size_t from = n > DIAG_OUTPUT_MAX ? n - DIAG_OUTPUT_MAX : 0;
        unsigned lines = 0;
        const char *p;

        if (from) {
                const char *newline = memchr(text + from, '\n', n - from);

                /* One line may be longer than all that is shown: then its end is. */
                if (newline && newline + 1 < text + n)
                        from = (size_t)(newline - text) + 1;
                while (from < n && ((unsigned char)text[from] & 0xc0) == 0x80)
                        from++;
                *truncated = true;
        }
        for (p = text + n; p > text + from; p--)
                if (p[-1] == '\n' && p < text + n && ++lines == JOURNAL_TAIL_LINES) {
                        *truncated = true;
                        return p;
                }
        return text + from;
}

static void retry(struct tail *tail)
{
        tail->due_mono_usec = now_mono_usec() + RETRY_USEC;
}

static void set_text(struct tail *tail, const char *text, bool truncated)
{
        char *copy;

        if (tail->text && streq(tail->text, text))
                return;
        copy = strdup(text);
        if (!copy) {
                retry(tail);
                return;
        }
        free(tail->text);
        tail->text = copy;
        tail->truncated = truncated;
        tail->owner->unsaid = true;
}

static void cannot_read(struct tail *tail, int error)
{
        if (err_is_shortage(error))
                retry(tail);
        set_text(tail, CANNOT_BE_READ, false);
}

static void take_output(struct tail *tail, const struct child_result *r)
{
        _cleanup_(buf_done) struct buf clean = {.max = 16 * CHILD_BYTES};
        bool truncated = r->truncated;
        const char *text;

        (void)redact_append(&clean, r->output, r->n_output);
        if (r->timed_out)
                buf_puts(&clean, "(reading the journal took too long and was ended)\n");
        else if (r->exit_status != 0 && !r->n_output)
                buf_puts(&clean, CANNOT_BE_READ);
        if (clean.error) {
                cannot_read(tail, clean.error);
                return;
        }
        for (size_t i = 0; i < clean.n; i++)
                if (!clean.data[i])
                        clean.data[i] = ' '; /* a NUL would end the text for everybody behind us */
        text = newest_lines(buf_cstr(&clean), clean.n, &truncated);
        set_text(tail, text, truncated);
}

/* --- when to read ----------------------------------------------------------------------------------------- */

static void on_child(const struct child_result *r, void *userdata)
{
        struct tail *tail = userdata;
        struct journal_tail *t = tail->owner;

        if (r->exec_error) {
                log_debug("cannot run journalctl: %s", strerror(-r->exec_error));
                cannot_read(tail, r->exec_error);
        } else {
                take_output(tail, r);
        }
        tail->child = child_free(tail->child);
        t->n_children--;
        if (tail->stamp == tail->read_stamp && !tail->second_look && !tail->due_mono_usec) {
                tail->second_look = true;
                tail->due_mono_usec = now_mono_usec() + SECOND_LOOK_USEC;
        }
        run_due(t);
        say_changed(t);
}

static void start(struct tail *tail)
{
        /*
         * As `journalctl --unit` has it, and what systemd says of the unit from within the process that
         * was to become it ("Failed to locate executable"): only root can write that. One line more than
         * is shown tells whether there are more.
         */
        char own[UNIT_NAME_MAX + 32], about[UNIT_NAME_MAX + 32], core[UNIT_NAME_MAX + 32],
                object[UNIT_NAME_MAX + 32];
        const char *const argv[] = {"journalctl",    "--quiet", "--no-pager",
                                    "--no-hostname", "--utc",   "--output=short-iso",
                                    "--lines=51",    own,       "+",
                                    "_UID=0",        about,     "+",
                                    "_UID=0",        core,      "+",
                                    "_UID=0",        object,    NULL};
        struct journal_tail *t = tail->owner;
        struct err e;
        int k;

        (void)snprintf(own, sizeof(own), "_SYSTEMD_UNIT=%s", tail->unit);
        (void)snprintf(about, sizeof(about), "UNIT=%s", tail->unit);
        (void)snprintf(core, sizeof(core), "COREDUMP_UNIT=%s", tail->unit);
        (void)snprintf(object, sizeof(object), "OBJECT_SYSTEMD_UNIT=%s", tail->unit);
        tail->started_mono_usec = now_mono_usec();
        tail->due_mono_usec = 0;
        if (tail->read_stamp != tail->stamp)
                tail->second_look = false;
        tail->read_stamp = tail->stamp;
        k = child_start(&tail->child, t->loop, argv, CHILD_USEC, CHILD_BYTES, on_child, tail, &e);
        if (k >= 0) {
                t->n_children++;
                return;
        }
        log_debug("%s", e.text);
        cannot_read(tail, k);
}

/*
 * Starts what is due, as many as may run; the timer is for the earliest of the others, and for what cannot
 * be said from here: who wants a tail is in the midst of a report.
 */
static void run_due(struct journal_tail *t)
{
        uint64_t now = now_mono_usec(), next = USEC_INFINITY;
        struct tail *tail;

        LIST_FOREACH (tail, &t->tails, link) {
                if (tail->due_mono_usec && tail->due_mono_usec <= now && !tail->child &&
                    t->n_children < CHILDREN_MAX)
                        start(tail);
                if (tail->due_mono_usec > now && !tail->child && tail->due_mono_usec < next)
                        next = tail->due_mono_usec;
        }
        if (t->unsaid)
                next = now;
        if (next == USEC_INFINITY)
                loop_timer_stop(t->timer);
        else
                loop_timer_set(t->timer, next, 20 * USEC_PER_MSEC);
}

static struct tail *find(const struct journal_tail *t, const char *unit)
{
        struct tail *tail;

        LIST_FOREACH (tail, &t->tails, link)
                if (streq(tail->unit, unit))
                        return tail;
        return NULL;
}

static struct tail *add(struct journal_tail *t, const char *unit)
{
        struct tail *tail = calloc(1, sizeof(*tail));

        if (!tail)
                return NULL;
        tail->owner = t;
        tail->unit = strdup(unit);
        if (!tail->unit) {
                free(tail);
                return NULL;
        }
        LIST_INSERT_HEAD(&t->tails, tail, link);
        return tail;
}

void journal_tail_want(struct journal_tail *t, const char *unit, uint64_t stamp)
{
        struct tail *tail = find(t, unit);
        uint64_t now = now_mono_usec();

        if (tail && tail->stamp == stamp && tail->started_mono_usec) {
                tail->wanted = true;
                return;
        }
        if (!tail)
                tail = add(t, unit);
        if (!tail)
                return;
        tail->wanted = true;
        tail->stamp = stamp;
        if (tail->started_mono_usec && now < tail->started_mono_usec + GAP_USEC)
                tail->due_mono_usec = tail->started_mono_usec + GAP_USEC;
        else
                tail->due_mono_usec = now;
        run_due(t);
}

void journal_tail_trim(struct journal_tail *t)
{
        struct tail *tail, *next;

        for (tail = LIST_FIRST(&t->tails); tail; tail = next) {
                next = LIST_NEXT(tail, link);
                if (!tail->wanted)
                        tail_free(tail);
                else
                        tail->wanted = false;
        }
}

const char *journal_tail_get(const struct journal_tail *t, const char *unit, bool *ret_truncated)
{
        const struct tail *tail = find(t, unit);

        *ret_truncated = tail && tail->truncated;
        return tail ? str_or(tail->text, "") : "";
}

bool journal_tail_is_idle(const struct journal_tail *t)
{
        const struct tail *tail;

        if (t->n_children)
                return false;
        LIST_FOREACH (tail, &t->tails, link)
                if (tail->due_mono_usec && tail->due_mono_usec <= now_mono_usec())
                        return false;
        return true;
}
