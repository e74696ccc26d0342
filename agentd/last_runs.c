/*
 * A sorted array and a text file: "boot ID" and then one line for each unit, "MONO_USEC RESULT CODE
 * STATUS UNIT". On tmpfs, so writing is cheap; replaced as a whole, so it is never half.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "agentd/last_runs.h"
#include "base/buf.h"
#include "base/fs.h"
#include "model/unit_name.h"

#define FILE_MAX_BYTES (LAST_RUNS_MAX * 384u)

struct entry {
        char id[UNIT_NAME_MAX + 1];
        struct diag_last_run run;
};

struct last_runs {
        char *path, *boot_id;
        struct entry *entries; /* sorted by id */
        size_t n, n_alloc;
        bool dirty;
};

static int by_id(const void *key, const void *e)
{
        return strcmp(key, ((const struct entry *)e)->id);
}

static struct entry *find(const struct last_runs *l, const char *id)
{
        return l->n ? bsearch(id, l->entries, l->n, sizeof(*l->entries), by_id) : NULL;
}

/* Room for a new id at its place; when all is full, the run that ended longest ago goes. */
static struct entry *insert(struct last_runs *l, const char *id)
{
        size_t at = 0, oldest = 0;

        if (l->n == LAST_RUNS_MAX) {
                for (size_t i = 1; i < l->n; i++)
                        if (l->entries[i].run.ended_mono_usec <
                            l->entries[oldest].run.ended_mono_usec)
                                oldest = i;
                memmove(l->entries + oldest, l->entries + oldest + 1,
                        (--l->n - oldest) * sizeof(*l->entries));
        }
        if (l->n == l->n_alloc) {
                size_t n = l->n_alloc ? l->n_alloc * 2 : 16;
                struct entry *p = reallocarray(l->entries, n, sizeof(*p));

                if (!p)
                        return NULL;
                l->entries = p;
                l->n_alloc = n;
        }
        while (at < l->n && strcmp(l->entries[at].id, id) < 0)
                at++;
        memmove(l->entries + at + 1, l->entries + at, (l->n - at) * sizeof(*l->entries));
        l->n++;
        l->entries[at] = (struct entry){0};
        (void)stpncpy(l->entries[at].id, id, UNIT_NAME_MAX);
        return &l->entries[at];
}

static int note(struct last_runs *l, const char *id, const struct diag_last_run *run)
{
        struct entry *e = find(l, id);

        /* The run is the same, and so is how it ended, whatever `systemctl reset-failed` made of it. */
        if (e && e->run.ended_mono_usec == run->ended_mono_usec && diag_last_run_failed(&e->run) &&
            diag_last_run_ok(run))
                return 0;
        if (e && e->run.ended_mono_usec == run->ended_mono_usec && e->run.code == run->code &&
            e->run.status == run->status && streq(e->run.result, run->result))
                return 0;
        if (!e)
                e = insert(l, id);
        if (!e)
                return -ENOMEM;
        e->run = *run;
        l->dirty = true;
        return 0;
}

static int parse_line(struct last_runs *l, const char *line)
{
        struct diag_last_run run = {0};
        int at = 0;

        if (sscanf(line, "%" SCNu64 " %23s %" SCNd32 " %" SCNd32 " %n", &run.ended_mono_usec,
                   run.result, &run.code, &run.status, &at) != 4 ||
            !unit_name_is_unit(line + at))
                return -EBADMSG;
        return note(l, line + at, &run);
}

static int parse_file(struct last_runs *l, char *text, struct err *e)
{
        char *save = NULL, *line = strtok_r(text, "\n", &save);
        int k;

        if (!line || strncmp(line, "boot ", 5) != 0)
                return err_set(e, -EBADMSG, "%s: does not begin with a boot id", l->path);
        if (!streq(line + 5, l->boot_id))
                return 0;
        for (unsigned n = 2; (line = strtok_r(NULL, "\n", &save)); n++) {
                k = parse_line(l, line);
                if (k < 0)
                        return err_set(e, k, "%s:%u: not a run", l->path, n);
        }
        return 0;
}

int last_runs_new(struct last_runs **ret, const char *path, const char *boot_id, struct err *e)
{
        _cleanup_(last_runs_freep) struct last_runs *l = calloc(1, sizeof(*l));
        _cleanup_(freep) char *text = NULL;
        size_t n;
        int k;

        *e = (struct err){0};
        if (!l)
                return -ENOMEM;
        l->path = path ? strdup(path) : NULL;
        l->boot_id = strdup(boot_id);
        if (!l->boot_id || (path && !l->path))
                return -ENOMEM;
        if (path) {
                k = fs_read(path, FILE_MAX_BYTES, &text, &n, e);
                if (k == -ENOENT)
                        *e = (struct err){0};
                if (k >= 0)
                        k = parse_file(l, text, e);
                if (k == -ENOMEM)
                        return k; /* it is there, and would be overwritten */
                if (k < 0)
                        l->n = 0; /* half of what was noted would be wrong by what is missing */
        }
        l->dirty = false;
        *ret = TAKE_PTR(l);
        return 0;
}

struct last_runs *last_runs_free(struct last_runs *l)
{
        if (!l)
                return NULL;
        free(l->path);
        free(l->boot_id);
        free(l->entries);
        free(l);
        return NULL;
}

int last_runs_note(struct last_runs *l, const char *id, const struct diag_unit *u)
{
        struct diag_last_run run = {
                .ended_mono_usec = u->exec_main_exit_mono_usec,
                .code = u->exec_main_code,
                .status = u->exec_main_status,
        };

        /*
         * What failed before its main process began (ExecStartPre=) has ended all the same. Not while the
         * result is "success": then it begins anew, and the signal with its new state is still to come.
         */
        if (!run.ended_mono_usec && streq(str_or(u->active_state, ""), "failed") &&
            !streq(str_or(u->result, ""), "success"))
                run.ended_mono_usec = u->inactive_enter_mono_usec;
        if (!run.ended_mono_usec || str_empty(u->result))
                return 0;
        (void)stpncpy(run.result, u->result, sizeof(run.result) - 1);
        return note(l, id, &run);
}

const struct diag_last_run *last_runs_find(const struct last_runs *l, const char *id)
{
        const struct entry *e = find(l, id);

        return e ? &e->run : NULL;
}

int last_runs_save(struct last_runs *l, struct err *e)
{
        _cleanup_(buf_done) struct buf text = {0};
        int k;

        if (!l->dirty || !l->path)
                return 0;
        buf_printf(&text, "boot %s\n", l->boot_id);
        for (size_t i = 0; i < l->n; i++) {
                const struct diag_last_run *r = &l->entries[i].run;

                buf_printf(&text, "%" PRIu64 " %s %" PRId32 " %" PRId32 " %s\n", r->ended_mono_usec,
                           r->result, r->code, r->status, l->entries[i].id);
        }
        if (text.error)
                return err_set(e, text.error, "%s: out of memory", l->path);
        k = fs_replace(l->path, text.data, text.n, 0600, e);
        if (k >= 0)
                l->dirty = false;
        return k;
}
