/*
 * Configuration. The reader works in a copy of the text, which it cuts in place: continued lines
 * move together, blanks at the ends become NULs, and each string that a setter sees points into it.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/conf.h"
#include "base/fs.h"

#define BLANKS          " \t\r\v\f"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define DROPIN_SUFFIX   ".conf"
#define FOREIGN_PREFIX  "X-"
/* Of a file's name in an error; its end tells more than its beginning. */
#define NAME_SHOWN_MAX  100u
#define WHERE_MAX       (NAME_SHOWN_MAX + 16u)

/* Where errors go. The first one decides what the whole run returns. */
struct sink {
        conf_error_fn on_error;
        void *userdata;
        int first;
};

struct reader {
        const char *name;
        const struct conf_key *keys;
        void *target;
        char *rest;     /* of the copy; NULL at the end */
        unsigned line;  /* the last one cut off rest */
        unsigned begin; /* where the line at hand begins: continued lines are counted too */
        const char *section, *argument; /* into the copy; section is NULL before the first header */
        bool skip; /* a section that is not ours, or whose header was an error already */
};

static void sink_report(struct sink *s, const struct err *e)
{
        if (s->first == 0)
                s->first = e->code;
        if (s->on_error)
                s->on_error(e, s->userdata);
}

static void sink_report_no_memory(struct sink *s, const char *name)
{
        struct err e;

        (void)err_set(&e, -ENOMEM, "cannot read %s: %s", name, strerror(ENOMEM));
        sink_report(s, &e);
}

static char *strip(char *s)
{
        size_t n;

        s += strspn(s, BLANKS);
        for (n = strlen(s); n > 0 && strchr(BLANKS, s[n - 1]); n--)
                ;
        s[n] = '\0';
        return s;
}

static bool is_foreign(const char *name)
{
        return strncmp(name, FOREIGN_PREFIX, strlen(FOREIGN_PREFIX)) == 0;
}

/* The row of @key in @section, or with @key NULL any row of that section. */
static const struct conf_key *find_key(const struct conf_key *keys, const char *section,
                                       const char *key)
{
        const struct conf_key *any = NULL;

        for (; keys->section; keys++) {
                if (!streq(keys->section, section))
                        continue;
                if (!key || streq(keys->key, key))
                        return keys;
                if (streq(keys->key, "*"))
                        any = keys;
        }
        return any;
}

/* The row that ends the table. */
static const struct conf_key *last_row(const struct conf_key *keys)
{
        while (keys->section)
                keys++;
        return keys;
}

/* Cuts "Unit foo.service" in two, in place, and checks both against the table. */
static int split_section(const struct conf_key *keys, char *header, const char **ret_section,
                         const char **ret_argument, struct err *e)
{
        const struct conf_key *k;
        char *section = strip(header), *argument = section + strcspn(section, BLANKS);

        if (*argument) {
                *argument++ = '\0';
                argument = strip(argument);
        }
        *ret_section = section;
        *ret_argument = argument;
        if (is_foreign(section))
                return 0;
        k = find_key(keys, section, NULL);
        if (!k)
                return err_set(e, -EINVAL, "unknown section [%s]", section);
        if (k->has_argument && !*argument)
                return err_set(e, -EINVAL, "section [%s] needs a name: [%s NAME]", section,
                               section);
        if (!k->has_argument && *argument)
                return err_set(e, -EINVAL, "section [%s] takes no name", section);
        return 0;
}

static int give(const struct conf_key *k, void *target, const struct conf_value *v, struct err *e)
{
        int r = k->set(target, v, e);

        k = last_row(k);
        return r >= 0 && k->set ? k->set(target, v, e) : r;
}

static int assign(const struct conf_key *keys, void *target, const struct conf_value *v,
                  struct err *e)
{
        const struct conf_key *k;
        struct err why = {0};
        int r;

        if (is_foreign(v->section) || is_foreign(v->key))
                return 0;
        k = find_key(keys, v->section, v->key);
        if (!k)
                return err_set(e, -EINVAL, "unknown key %s in section [%s]", v->key, v->section);
        r = give(k, target, v, &why);
        if (r >= 0)
                return 0;
        return err_set(e, r, "%s: %s", v->key, str_or(why.text, strerror(-r)));
}

/* An even run of backslashes at the end is a run of backslashes; the odd one more continues. */
static bool is_continued(const char *line, size_t n)
{
        size_t n_backslashes = 0;

        while (n_backslashes < n && line[n - 1 - n_backslashes] == '\\')
                n_backslashes++;
        return n_backslashes % 2 == 1;
}

static bool is_comment(const char *line)
{
        return *line == '#' || *line == ';';
}

/* The next line of the file without leading blanks and without its end, or NULL. */
static char *cut_line(struct reader *rd, size_t *ret_n)
{
        char *line = strsep(&rd->rest, "\n");
        size_t n;

        if (!line)
                return NULL;
        rd->line++;
        line += strspn(line, BLANKS);
        n = strlen(line);
        if (n > 0 && line[n - 1] == '\r') /* it would hide a backslash */
                line[--n] = '\0';
        *ret_n = n;
        return line;
}

/* The next line as its author means it: a backslash becomes a blank, comments between fall out. */
static char *next_line(struct reader *rd)
{
        size_t n, n_more;
        char *line = cut_line(rd, &n), *more;

        rd->begin = rd->line;
        if (!line || is_comment(line))
                return line;
        while (is_continued(line, n)) {
                line[n - 1] = ' ';
                do
                        more = cut_line(rd, &n_more);
                while (more && is_comment(more));
                if (!more)
                        break;
                memmove(line + n, more, n_more + 1);
                n += n_more;
        }
        return line;
}

static void format_where(char where[static WHERE_MAX], const char *name, unsigned line)
{
        size_t n = strlen(name);

        (void)snprintf(where, WHERE_MAX, n > NAME_SHOWN_MAX ? "...%s:%u" : "%s:%u",
                       n > NAME_SHOWN_MAX ? name + n - NAME_SHOWN_MAX : name, line);
}

static int open_section(const struct reader *rd, struct err *e)
{
        const struct conf_key *k = find_key(rd->keys, rd->section, "");
        char where[WHERE_MAX];
        const struct conf_value v = {rd->section, rd->argument, "", "", where};
        struct err why = {0};
        int r;

        if (is_foreign(rd->section) || !k || *k->key)
                return 0;
        format_where(where, rd->name, rd->begin);
        r = give(k, rd->target, &v, &why);
        return r < 0 ? err_set(e, r, "%s", str_or(why.text, strerror(-r))) : 0;
}

static int read_header(struct reader *rd, char *line, struct err *e)
{
        size_t n = strlen(line);
        int r;

        rd->skip = true;
        if (line[n - 1] != ']')
                return err_set(e, -EINVAL, "a section's line ends with ]");
        line[n - 1] = '\0';
        r = split_section(rd->keys, line + 1, &rd->section, &rd->argument, e);
        if (r == 0)
                r = open_section(rd, e);
        if (r == 0)
                rd->skip = is_foreign(rd->section);
        return r;
}

static int read_assignment(struct reader *rd, char *line, struct err *e)
{
        char *equals = strchr(line, '=');
        struct conf_value v;

        if (rd->skip)
                return 0;
        if (!equals || equals == line)
                return err_set(e, -EINVAL, "neither [SECTION] nor KEY=VALUE");
        *equals = '\0';
        v = (struct conf_value){
                .section = rd->section,
                .argument = rd->argument,
                .key = strip(line),
                .value = strip(equals + 1),
                .where = "",
        };
        if (!v.section)
                return err_set(e, -EINVAL, "%s stands before any [SECTION]", v.key);
        return assign(rd->keys, rd->target, &v, e);
}

static int read_line(struct reader *rd, char *line, struct err *e)
{
        if (strlen(line) > CONF_LINE_MAX_BYTES)
                return err_set(e, -E2BIG, "the line is longer than %u bytes", CONF_LINE_MAX_BYTES);
        line = strip(line);
        if (!*line || is_comment(line))
                return 0;
        return *line == '[' ? read_header(rd, line, e) : read_assignment(rd, line, e);
}

static void name_line(struct err *e, const char *name, unsigned line)
{
        char where[WHERE_MAX];

        format_where(where, name, line);
        (void)err_prefix(e, "%s: ", where);
}

static void refuse_nul(const char *text, const char *nul, const char *name, struct sink *s)
{
        unsigned line = 1;
        struct err e;

        for (; (text = memchr(text, '\n', (size_t)(nul - text))); text++)
                line++;
        (void)err_set(&e, -EINVAL, "a NUL byte: this is not a text file");
        name_line(&e, name, line);
        sink_report(s, &e);
}

static void read_text(struct reader *rd, const char *text, size_t n, struct sink *s)
{
        _cleanup_(freep) char *copy = NULL;
        const char *nul = memchr(text, '\0', n);
        struct err e;
        char *line;

        if (nul) {
                refuse_nul(text, nul, rd->name, s);
                return;
        }
        copy = strndup(text, n);
        if (!copy) {
                sink_report_no_memory(s, rd->name);
                return;
        }
        rd->rest = copy;
        if (strncmp(copy, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
                rd->rest += strlen(BYTE_ORDER_MARK);
        while ((line = next_line(rd)))
                if (read_line(rd, line, &e) < 0) {
                        name_line(&e, rd->name, rd->begin);
                        sink_report(s, &e);
                }
}

int conf_parse(const char *text, size_t n, const char *name, const struct conf_key *keys,
               void *target, conf_error_fn on_error, void *userdata)
{
        struct sink s = {.on_error = on_error, .userdata = userdata};
        struct reader rd = {.name = name, .keys = keys, .target = target};

        read_text(&rd, text, n, &s);
        return s.first;
}

static bool is_dev_null(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static void load_file(const char *path, bool required, const struct conf_key *keys, void *target,
                      struct sink *s)
{
        struct reader rd = {.name = path, .keys = keys, .target = target};
        _cleanup_(freep) char *text = NULL;
        struct err e;
        size_t n;
        int r;

        if (is_dev_null(path))
                return;
        r = fs_read(path, CONF_FILE_MAX_BYTES, &text, &n, &e);
        if (r == -ENOENT && !required)
                return;
        if (r < 0)
                sink_report(s, &e);
        else
                read_text(&rd, text, n, s);
}

static int is_dropin(const struct dirent *d)
{
        size_t n = strlen(d->d_name), n_suffix = strlen(DROPIN_SUFFIX);

        return d->d_name[0] != '.' && n > n_suffix &&
               streq(d->d_name + n - n_suffix, DROPIN_SUFFIX);
}

/* Not alphasort(): the order must not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_dropin(const char *dir, const char *name, const struct conf_key *keys,
                        void *target, struct sink *s)
{
        _cleanup_(freep) char *path = NULL;
        struct stat st;

        if (asprintf(&path, "%s/%s", dir, name) < 0) {
                path = NULL;
                sink_report_no_memory(s, name);
                return;
        }
        /* A name that leads nowhere was meant to be read: load_file() says so. */
        if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
                return;
        load_file(path, true, keys, target, s);
}

/* *ret_n is 0 without a directory. */
static int list_dropins(const char *dir, struct dirent ***ret, size_t *ret_n, struct err *e)
{
        int n = scandir(dir, ret, is_dropin, by_name);

        if (n < 0 && errno != ENOENT)
                return err_set(e, -errno, "cannot list %s: %s", dir, strerror(errno));
        *ret_n = n < 0 ? 0 : (size_t)n;
        if (*ret_n > CONF_DROPINS_MAX)
                return err_set(e, -E2BIG, "%s holds more than %u files", dir, CONF_DROPINS_MAX);
        return 0;
}

static void load_dropins(const char *dir, const struct conf_key *keys, void *target, struct sink *s)
{
        struct dirent **entries = NULL;
        struct err e;
        size_t n = 0;
        int r;

        r = list_dropins(dir, &entries, &n, &e);
        if (r < 0)
                sink_report(s, &e);
        for (size_t i = 0; i < n; i++) {
                if (r == 0)
                        load_dropin(dir, entries[i]->d_name, keys, target, s);
                free(entries[i]);
        }
        free(entries);
}

int conf_load(const char *path, bool required, const struct conf_key *keys, void *target,
              conf_error_fn on_error, void *userdata)
{
        struct sink s = {.on_error = on_error, .userdata = userdata};
        _cleanup_(freep) char *dir = NULL;

        load_file(path, required, keys, target, &s);
        if (asprintf(&dir, "%s.d", path) < 0) {
                dir = NULL;
                sink_report_no_memory(&s, path);
        } else {
                load_dropins(dir, keys, target, &s);
        }
        return s.first;
}

int conf_set(const struct conf_key *keys, void *target, const char *section, const char *key,
             const char *value, struct err *e)
{
        _cleanup_(freep) char *header = strdup(section), *copy = strdup(value);
        struct conf_value v = {.key = key, .where = ""};
        int r;

        if (!header || !copy)
                return err_set(e, -ENOMEM, "%s: %s", key, strerror(ENOMEM));
        v.value = strip(copy);
        r = split_section(keys, header, &v.section, &v.argument, e);
        if (r < 0)
                return r;
        return assign(keys, target, &v, e);
}
