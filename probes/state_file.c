/* One line: HASH NAME HEALTH CODE WINDOW N_WINDOW N_PASSED N_FAILED N_UNKNOWN MONO WALL TOOK TEXT… */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/fs.h"
#include "probes/state_file.h"

#define LINE_MAX_BYTES 640u
#define FILE_MAX_BYTES (PROBES_MAX * LINE_MAX_BYTES)
#define WORD_MAX       31

/* For sscanf(): a width must be a literal. */
#define STR_(x)    #x
#define STR(x)     STR_(x)
#define NAME_WIDTH 100
_Static_assert(NAME_WIDTH == PROBE_NAME_MAX, "a name must fit");

void state_file_begin(struct buf *out, const char *boot_id)
{
        buf_printf(out, "boot %s\n", boot_id);
}

void state_file_add(struct buf *out, const struct saved_probe *s)
{
        const struct damped *d = &s->damped;

        buf_printf(out, "%016" PRIx64 " %s %s %s %" PRIx64 " %u %u %u %u ", s->hash, s->name,
                   diag_health_to_string(d->health), diag_code_to_string(d->code), d->window,
                   d->n_window, d->n_passed, d->n_failed, d->n_unknown);
        buf_printf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", s->ended_mono_usec,
                   s->ended_wall_usec, s->took_usec, d->text);
}

/* What a probe can be, as damping.c makes it. */
static bool is_sensible(const struct damped *d)
{
        switch (d->code) {
        case DIAG_CODE_OK:
                return d->health == DIAG_HEALTHY && !*d->text;
        case DIAG_CODE_PROBE_FAILED:
        case DIAG_CODE_PROBE_TIMEOUT:
                return d->health == DIAG_UNHEALTHY && *d->text;
        case DIAG_CODE_PROBE_UNKNOWN:
        case DIAG_CODE_PROBE_LATE:
                return d->health == DIAG_UNKNOWN && *d->text;
        default:
                return false;
        }
}

static bool is_in_limits(const struct saved_probe *s)
{
        const struct damped *d = &s->damped;

        if (d->n_window < 1 || d->n_window > DIAG_PROBE_WINDOW || d->n_passed > d->n_window ||
            d->n_failed > d->n_window || d->n_unknown > d->n_failed || !s->ended_mono_usec)
                return false;
        for (const char *c = d->text; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                        return false;
        return is_sensible(d);
}

static bool read_line(const char *line, saved_probe_fn take, void *userdata)
{
        char name[NAME_WIDTH + 1], health[WORD_MAX + 1], code[WORD_MAX + 1];
        struct saved_probe s = {.name = name};
        struct damped *d = &s.damped;
        int at = 0;

        if (sscanf(line,
                   "%16" SCNx64 " %" STR(NAME_WIDTH) "s %" STR(WORD_MAX) "s %" STR(
                           WORD_MAX) "s "
                                     "%16" SCNx64 " %2u %2u %2u %2u %20" SCNu64 " %20" SCNu64
                                     " %20" SCNu64 "%n",
                   &s.hash, name, health, code, &d->window, &d->n_window, &d->n_passed,
                   &d->n_failed, &d->n_unknown, &s.ended_mono_usec, &s.ended_wall_usec,
                   &s.took_usec, &at) != 12 ||
            line[at] != ' ' || strlen(line + at + 1) > PROBE_TEXT_MAX)
                return false;
        memcpy(d->text, line + at + 1, strlen(line + at + 1) + 1);
        d->health = diag_health_from_string(health);
        d->code = diag_code_from_string(code);
        if (!is_in_limits(&s))
                return false;
        take(&s, userdata);
        return true;
}

static int read_text(char *text, const char *path, const char *boot_id, saved_probe_fn take,
                     void *userdata, struct err *e)
{
        char *save = NULL, *line = strtok_r(text, "\n", &save);
        int r = 0;

        if (!line || strncmp(line, "boot ", 5) != 0)
                return err_set(e, -EBADMSG, "%s: does not begin with a boot id", path);
        if (!streq(line + 5, boot_id))
                return 0;
        for (unsigned n = 2; (line = strtok_r(NULL, "\n", &save)); n++)
                if (!read_line(line, take, userdata) && r == 0)
                        r = err_set(e, -EBADMSG, "%s:%u: not the result of a probe", path, n);
        return r;
}

int state_file_read(const char *path, const char *boot_id, saved_probe_fn take, void *userdata,
                    struct err *e)
{
        _cleanup_(freep) char *text = NULL;
        size_t n;
        struct err why;
        int r = fs_read(path, FILE_MAX_BYTES, &text, &n, &why);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return err_set(e, r, "%s", why.text);
        if (memchr(text, '\0', n))
                return err_set(e, -EBADMSG, "%s: a NUL byte: this is not a text file", path);
        return read_text(text, path, boot_id, take, userdata, e);
}
