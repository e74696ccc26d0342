#pragma once

/* The grammar of Prometheus' text format, as far as we use it; what is odd is a failure. */

#include "base/json_write.h"
#include "tests/unit/test_main.h"

#define SAMPLES_MAX 4096u

struct scrape {
        char *samples[SAMPLES_MAX]; /* "name{labels} value" */
        size_t n_samples;
        char *families[SAMPLES_MAX];
        size_t n_families;
        bool histogram; /* the family that is being read */
};

static inline const char *skip_name(const char *s)
{
        const char *end = s + strspn(s, "abcdefghijklmnopqrstuvwxyz_:0123456789");

        ck_assert_msg(end > s && (*s < '0' || *s > '9'), "no name: %s", s);
        return end;
}

static inline const char *skip_label(const char *s)
{
        s = skip_name(s);
        ck_assert_msg(s[0] == '=' && s[1] == '"', "no value of a label: %s", s);
        for (s += 2; *s != '"'; s++) {
                ck_assert_msg(*s, "a value that does not end");
                if (*s == '\\') {
                        s++;
                        ck_assert_msg(*s == '\\' || *s == '"' || *s == 'n', "an odd escape: %s", s);
                }
        }
        return s + 1;
}

static inline const char *skip_labels(const char *s)
{
        if (*s != '{')
                return s;
        do
                s = skip_label(s + 1);
        while (*s == ',');
        ck_assert_msg(*s == '}', "labels that do not end: %s", s);
        return s + 1;
}

static inline void must_be_a_number(const char *s)
{
        size_t whole = strspn(s, "0123456789"), n = whole;

        if (streq(s, "+Inf"))
                return;
        if (s[n] == '.')
                n += 1 + strspn(s + n + 1, "0123456789");
        ck_assert_msg(whole && !s[n], "no number: %s", s);
}

static inline void must_be_new(char *const *have, size_t n, const char *s, size_t n_s)
{
        for (size_t i = 0; i < n; i++)
                ck_assert_msg(strncmp(have[i], s, n_s) != 0 || have[i][n_s] != s[n_s],
                              "comes twice: %s", s);
}

/* The family that the lines are of. */
static inline const char *current_family(const struct scrape *sc, const char *line)
{
        const char *family = sc->n_families ? sc->families[sc->n_families - 1] : NULL;

        ck_assert_msg(family != NULL, "of no family: %s", line);
        return family ? family : "";
}

/* What stands behind the family's name, up to @end. */
static inline bool is_suffix_of(const struct scrape *sc, const char *s, const char *end)
{
        static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
        size_t n = (size_t)(end - s);

        for (size_t i = 0; sc->histogram && i < ELEMENTSOF(suffixes); i++)
                if (n == strlen(suffixes[i]) && strncmp(s, suffixes[i], n) == 0)
                        return true;
        return !sc->histogram && n == 0;
}

static inline void read_sample(struct scrape *sc, const char *line, bool help)
{
        const char *family = current_family(sc, line), *end = skip_name(line), *labels;

        ck_assert_msg(!help, "no type yet: %s", line);
        ck_assert_msg(strncmp(line, family, strlen(family)) == 0 &&
                              is_suffix_of(sc, line + strlen(family), end),
                      "among the samples of %s: %s", family, line);
        labels = skip_labels(end);
        ck_assert_msg(*labels == ' ', "no blank: %s", line);
        must_be_a_number(labels + 1);
        must_be_new(sc->samples, sc->n_samples, line, (size_t)(labels - line));
        ck_assert_uint_lt(sc->n_samples, SAMPLES_MAX);
        sc->samples[sc->n_samples++] = strdup(line);
}

/* "# HELP name text", then "# TYPE name type". */
static inline void read_comment(struct scrape *sc, const char *line, bool *help)
{
        const char *name = line + strlen("# HELP "), *end = skip_name(name), *type = end + 1;
        const char *last;

        ck_assert_msg(*end == ' ' && *type, "says nothing: %s", line);
        if (strncmp(line, "# HELP ", 7) == 0) {
                ck_assert_msg(!*help && !strchr(line, '\\'), "%s", line);
                must_be_new(sc->families, sc->n_families, name, (size_t)(end - name));
                ck_assert_uint_lt(sc->n_families, SAMPLES_MAX);
                sc->families[sc->n_families++] = strndup(name, (size_t)(end - name));
        } else {
                last = current_family(sc, line);
                ck_assert_msg(*help && strncmp(line, "# TYPE ", 7) == 0, "%s", line);
                ck_assert_msg(strncmp(last, name, strlen(last)) == 0 && name[strlen(last)] == ' ',
                              "%s", line);
                sc->histogram = streq(type, "histogram");
                ck_assert_msg(sc->histogram ||
                                      streq(type, strstr(last, "_total") ? "counter" : "gauge"),
                              "%s", line);
        }
        *help = !*help;
}

static inline void scrape(struct scrape *sc, const char *text)
{
        bool help = false; /* a family's TYPE is to come */

        *sc = (struct scrape){0};
        for (size_t i = 0, n = strlen(text), len; i < n; i += len) {
                len = utf8_sequence(text + i, n - i);
                ck_assert_msg(len > 0, "no UTF-8: %s", text + i);
        }
        while (*text) {
                const char *end = strchr(text, '\n');
                char *line;

                ck_assert_msg(end != NULL, "the last line does not end");
                line = strndup(text, (size_t)(end - text));
                if (*line == '#')
                        read_comment(sc, line, &help);
                else
                        read_sample(sc, line, help);
                free(line);
                text = end + 1;
        }
        ck_assert(!help);
}

static inline bool has(const struct scrape *sc, const char *sample)
{
        for (size_t i = 0; i < sc->n_samples; i++)
                if (streq(sc->samples[i], sample))
                        return true;
        return false;
}

/* The value of a sample as text; "-": there is none. */
static inline const char *value(const struct scrape *sc, const char *name)
{
        for (size_t i = 0; i < sc->n_samples; i++)
                if (strncmp(sc->samples[i], name, strlen(name)) == 0 &&
                    sc->samples[i][strlen(name)] == ' ')
                        return sc->samples[i] + strlen(name) + 1;
        return "-";
}

static inline void scrape_done(struct scrape *sc)
{
        for (size_t i = 0; i < sc->n_samples; i++)
                free(sc->samples[i]);
        for (size_t i = 0; i < sc->n_families; i++)
                free(sc->families[i]);
}
