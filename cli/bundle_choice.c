/* Times become absolute here, once: the nodes of one bundle are to have the same window, and so has who asks again. */

#include <errno.h>
#include <stdio.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "base/parse.h"
#include "cli/bundle_choice.h"

#define DATE_BYTES  10u /* "2026-11-21" */
#define CLOCK_BYTES 5u  /* "10:00" */

void bundle_choice_done(struct bundle_choice *c)
{
        string_list_done(&c->nodes);
        string_list_done(&c->kinds);
}

/* --- words ----------------------------------------------------------------------------------------- */

static int add_word(struct string_list *words, const char *option, const char *word, size_t n,
                    struct err *e)
{
        _cleanup_(freep) char *copy = strndup(word, n);

        if (!copy)
                return err_set(e, -ENOMEM, "out of memory");
        if (!*copy)
                return err_set(e, -EINVAL, "%s has an empty word", option);
        if (string_list_has(words, copy))
                return 0;
        if (words->n == BUNDLE_CHOICE_WORDS_MAX)
                return err_set(e, -EINVAL, "%s has more than %u words", option,
                               BUNDLE_CHOICE_WORDS_MAX);
        return string_list_push(words, copy) < 0 ? err_set(e, -ENOMEM, "out of memory") : 0;
}

int bundle_choice_add_words(struct string_list *words, const char *option, const char *value,
                            struct err *e)
{
        for (;;) {
                size_t n = strcspn(value, ",");
                int r = add_word(words, option, value, n, e);

                if (r < 0 || !value[n])
                        return r;
                value += n + 1;
        }
}

/* --- times ----------------------------------------------------------------------------------------- */

/* "2026-11-21 10:00", and less of it: what is missing is put in, and the one parser of times judges. */
static int read_clock(uint64_t *ret, const char *value, uint64_t now_wall_usec)
{
        char today[RFC3339_MAX], text[64];
        const char *date = rfc3339_format(today, now_wall_usec), *clock = value;
        int n;

        if (!*value || rfc3339_parse(ret, value) == 0)
                return *value ? 0 : -EINVAL;
        if (strlen(value) >= DATE_BYTES) {
                date = value;
                clock = value + DATE_BYTES;
                if (*clock && *clock != ' ' && *clock != 'T')
                        return -EINVAL;
                clock += *clock ? 1 : 0;
                if (!*clock && value[DATE_BYTES])
                        return -EINVAL;
        }
        n = snprintf(text, sizeof(text), "%.*sT%s%sZ", (int)DATE_BYTES, date,
                     *clock ? clock : "00:00", strlen(clock) <= CLOCK_BYTES ? ":00" : "");
        return n < 0 || (size_t)n >= sizeof(text) ? -EINVAL : rfc3339_parse(ret, text);
}

int bundle_choice_read_time(uint64_t *ret, const char *option, const char *value,
                            uint64_t now_wall_usec, struct err *e)
{
        uint64_t usec;

        if (streq(value, "now"))
                usec = now_wall_usec;
        else if (parse_duration(value, &usec) == 0 && usec < now_wall_usec)
                usec = now_wall_usec - usec;
        else if (read_clock(&usec, value, now_wall_usec) < 0)
                return err_set(e, -EINVAL,
                               "%s \"%s\" is neither a time such as 24h nor one such as "
                               "\"2026-11-21 10:00\", in UTC",
                               option, value);
        usec -= usec % USEC_PER_MSEC;
        if (usec == 0)
                return err_set(e, -EINVAL, "%s \"%s\" is too long ago", option, value);
        *ret = usec;
        return 0;
}

/* Its end may lie ahead: then it is now. */
int bundle_choice_check(const struct bundle_choice *c, uint64_t now_wall_usec, struct err *e)
{
        char since[RFC3339_MAX], until[RFC3339_MAX];
        uint64_t end = c->until_wall_usec ? c->until_wall_usec : now_wall_usec;

        if (c->since_wall_usec > now_wall_usec)
                return err_set(e, -EINVAL, "--since %s has not come yet; it is %s, in UTC",
                               rfc3339_format(since, c->since_wall_usec),
                               rfc3339_format(until, now_wall_usec));
        if (c->since_wall_usec && c->since_wall_usec >= end)
                return err_set(e, -EINVAL, "--since %s is not before --until %s",
                               rfc3339_format(since, c->since_wall_usec),
                               rfc3339_format(until, end));
        return 0;
}

/* --- formats --------------------------------------------------------------------------------------- */

const char *bundle_choice_guess_format(const char *file)
{
        static const struct {
                const char *end, *format;
        } ends[] = {
                {".tar.zst", "tar.zst"},
                {".tzst",    "tar.zst"},
                {".tar.gz",  "tar.gz" },
                {".tgz",     "tar.gz" },
                {".zip",     "zip"    },
        };
        size_t n = strlen(file);

        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                if (n > strlen(ends[i].end) && streq(file + n - strlen(ends[i].end), ends[i].end))
                        return ends[i].format;
        return NULL;
}

/* --- the request ----------------------------------------------------------------------------------- */

static void write_words(struct json_writer *w, const char *key, const struct string_list *words)
{
        if (words->n == 0)
                return;
        jw_key(w, key);
        jw_begin_array(w);
        for (size_t i = 0; i < words->n; i++)
                jw_string(w, words->items[i]);
        jw_end_array(w);
}

void bundle_choice_write(struct buf *out, const struct bundle_choice *c)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        if (c->id)
                jw_member_string(&w, "id", c->id);
        write_words(&w, "nodes", &c->nodes);
        if (c->since_wall_usec)
                jw_member_time(&w, "since", c->since_wall_usec);
        if (c->until_wall_usec)
                jw_member_time(&w, "until", c->until_wall_usec);
        write_words(&w, "kinds", &c->kinds);
        if (c->format)
                jw_member_string(&w, "format", c->format);
        if (c->no_redact)
                jw_member_bool(&w, "redact", false);
        jw_end_object(&w);
}
