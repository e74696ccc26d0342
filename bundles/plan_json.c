/*
 * A file of the plan. Its keys are those of DC/OS, in any case, and ours; a table says which list may have which, and
 * who takes the value. What an entry is called follows when all of it was read.
 */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include <jansson.h>

#include "base/json_write.h"
#include "base/mono.h"
#include "base/parse.h"
#include "bundles/plan_json.h"
#include "bundles/plan_name.h"
#include "model/unit_name.h"

#define USER_MAX   64u
#define KERNEL     "kernel"
#define IGNORED    "X-"
#define FILE_SHOWN 100 /* of a file's name in an error */
#define KEY_SHOWN  60

enum list { LIST_HTTP = 1, LIST_FILES = 2, LIST_COMMANDS = 4, LIST_JOURNALS = 8 };
#define LISTS_ALL (LIST_HTTP | LIST_FILES | LIST_COMMANDS | LIST_JOURNALS)

struct reader {
        const char *file;
        bool foreign;
        struct buf *warnings;
        enum list list;
        struct plan_entry *entry; /* the one at hand */
        bool skip;                /* it is for nobody */
};

static int no_memory(struct err *e)
{
        (void)err_set(e, -ENOMEM, "out of memory");
        return -ENOMEM;
}

/* What must be as we have it: text without what a terminal obeys. */
static int take_text(char **ret, const json_t *v, size_t n_max, struct err *e)
{
        const char *s = json_string_value(v);
        size_t n = s ? strlen(s) : 0;

        if (n == 0)
                return err_set(e, -EINVAL, "is no text");
        if (n >= n_max)
                return err_set(e, -EINVAL, "is longer than %zu bytes", n_max - 1);
        for (size_t i = 0; i < n; i += utf8_harmless(s + i, n - i))
                if (utf8_harmless(s + i, n - i) == 0)
                        return err_set(e, -EINVAL, "has control characters");
        free(*ret);
        *ret = strdup(s);
        return *ret ? 0 : no_memory(e);
}

/* --- one value --------------------------------------------------------------------------------- */

static int take_port(struct reader *r, const json_t *v, struct err *e)
{
        json_int_t port = json_integer_value(v);

        if (!json_is_integer(v) || port < 1 || port > UINT16_MAX)
                return err_set(e, -EINVAL, "is no port");
        r->entry->source.port = (uint16_t)port;
        return 0;
}

static int take_uri(struct reader *r, const json_t *v, struct err *e)
{
        char **path = &r->entry->source.path;
        int k = take_text(path, v, SOURCE_ID_MAX, e);

        if (k == 0 && (**path != '/' || strpbrk(*path, " #")))
                return err_set(e, -EINVAL, "is not the path of a URL");
        return k;
}

static int take_socket(struct reader *r, const json_t *v, struct err *e)
{
        char **path = &r->entry->source.socket;
        int k = take_text(path, v, sizeof(((struct sock_address *)0)->un.sun_path), e);

        return k == 0 && **path != '/' ? err_set(e, -EINVAL, "is no absolute path") : k;
}

static int take_location(struct reader *r, const json_t *v, struct err *e)
{
        char name[SOURCE_ID_MAX];
        char **path = &r->entry->source.path;
        int k = take_text(path, v, SOURCE_ID_MAX, e);

        if (k == 0 && plan_name_of_path(name, sizeof(name), *path) < 0)
                return err_set(e, -EINVAL, "is no absolute, plain path of a file");
        return k;
}

static int take_command(struct reader *r, const json_t *v, struct err *e)
{
        struct source *s = &r->entry->source;
        size_t n = json_array_size(v);

        if (!json_is_array(v) || n > SOURCE_ARGS_MAX)
                return err_set(e, -EINVAL, "is no list of at most %u words", SOURCE_ARGS_MAX);
        if (s->argv)
                return err_set(e, -EINVAL, "is said twice");
        s->argv = calloc(n + 1, sizeof(*s->argv));
        for (size_t i = 0; s->argv && i < n; i++) {
                const char *word = json_string_value(json_array_get(v, i));

                if (!word || (i == 0 && !*word))
                        return err_set(e, -EINVAL, "has something else than a word");
                s->argv[i] = strdup(word);
                if (!s->argv[i])
                        return no_memory(e);
        }
        return s->argv ? 0 : no_memory(e);
}

static int take_unit(struct reader *r, const json_t *v, struct err *e)
{
        char **unit = &r->entry->source.unit;
        int k = take_text(unit, v, UNIT_NAME_MAX + 1, e);

        if (k == 0 && !streq(*unit, KERNEL) && !unit_name_is_unit(*unit))
                return err_set(e, -EINVAL, "is neither the name of a unit nor " KERNEL);
        return k;
}

static int take_file_name(struct reader *r, const json_t *v, struct err *e)
{
        char **name = &r->entry->source.name;
        int k = take_text(name, v, SOURCE_ID_MAX, e);

        return k == 0 && !plan_name_is_clean(*name)
                       ? err_set(e, -EINVAL, "is no relative, plain path")
                       : k;
}

static int take_role(struct reader *r, const json_t *v, struct err *e)
{
        enum diag_role role;
        unsigned roles = 0;

        if (!json_is_array(v))
                return err_set(e, -EINVAL, "is no list of roles");
        for (size_t i = 0; i < json_array_size(v); i++) {
                const char *word = json_string_value(json_array_get(v, i));

                if (!word || (diag_role_from_string(word, &role) < 0 && !r->foreign))
                        return err_set(e, -EINVAL, "role %zu is not master, agent or agent_public",
                                       i);
                if (diag_role_from_string(word, &role) == 0)
                        roles |= 1u << role;
        }
        r->skip = json_array_size(v) > 0 && roles == 0;
        r->entry->source.roles = roles;
        return 0;
}

static int take_optional(struct reader *r, const json_t *v, struct err *e)
{
        if (!json_is_boolean(v))
                return err_set(e, -EINVAL, "is neither true nor false");
        r->entry->source.optional = json_is_true(v);
        return 0;
}

static int take_timeout(struct reader *r, const json_t *v, struct err *e)
{
        const char *s = json_string_value(v);
        uint64_t usec;

        if (!s || parse_duration(s, &usec) < 0 || usec == 0 || usec > PLAN_TIMEOUT_MAX)
                return err_set(e, -EINVAL,
                               "is no time of more than 0 and at most an hour (\"30s\")");
        r->entry->source.timeout_usec = usec;
        r->entry->has_timeout = true;
        return 0;
}

static int parse_bytes(const char *s, uint64_t *ret)
{
        static const char units[] = "KMGT";
        const char *unit = *s ? strchr(units, s[strlen(s) - 1]) : NULL;
        unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
        char digits[24];
        uint64_t n;

        if (strlen(s) >= sizeof(digits))
                return -EINVAL;
        (void)snprintf(digits, sizeof(digits), "%.*s", (int)(strlen(s) - (unit ? 1 : 0)), s);
        if (parse_u64(digits, 1, PLAN_BYTES_MAX >> shift, &n) < 0)
                return -EINVAL;
        *ret = n << shift;
        return 0;
}

static int take_max_bytes(struct reader *r, const json_t *v, struct err *e)
{
        uint64_t bytes = 0;

        if (json_is_integer(v) && json_integer_value(v) > 0)
                bytes = (uint64_t)json_integer_value(v);
        if ((json_is_string(v) && parse_bytes(json_string_value(v), &bytes) < 0) || bytes == 0 ||
            bytes > PLAN_BYTES_MAX)
                return err_set(e, -EINVAL, "is no size of 1 to 1T (\"16M\")");
        r->entry->source.max_bytes = bytes;
        r->entry->has_max_bytes = true;
        return 0;
}

static int take_user(struct reader *r, const json_t *v, struct err *e)
{
        char **user = &r->entry->source.user;
        int k = take_text(user, v, USER_MAX, e);

        for (const char *p = *user; k == 0 && *p; p++)
                if (!isalnum((unsigned char)*p) && *p != '_' && (*p != '-' || p == *user))
                        return err_set(e, -EINVAL, "is not the name of a user");
        r->entry->has_user = k == 0;
        return k;
}

static int take_kind(struct reader *r, const json_t *v, struct err *e)
{
        const char *word = json_string_value(v);
        enum source_kind own = r->list == LIST_FILES ? SOURCE_FILE : SOURCE_COMMAND, kind;

        if (!word || source_kind_from_string(&kind, word) < 0 ||
            (kind != own && kind != SOURCE_HOST && kind != SOURCE_SYSTEMD))
                return err_set(e, -EINVAL, "is not %s, host or systemd",
                               source_kind_to_string(own));
        r->entry->source.kind = kind;
        r->entry->has_kind = true;
        return 0;
}

static const struct field {
        const char *key;
        unsigned lists;
        int (*take)(struct reader *r, const json_t *v, struct err *e);
} fields[] = {
        {"Port",     LIST_HTTP,                  take_port     },
        {"Uri",      LIST_HTTP,                  take_uri      },
        {"Socket",   LIST_HTTP,                  take_socket   },
        {"Location", LIST_FILES,                 take_location },
        {"Command",  LIST_COMMANDS,              take_command  },
        {"Unit",     LIST_JOURNALS,              take_unit     },
        {"FileName", LISTS_ALL,                  take_file_name},
        {"Role",     LISTS_ALL,                  take_role     },
        {"Optional", LISTS_ALL,                  take_optional },
        {"Timeout",  LISTS_ALL,                  take_timeout  },
        {"MaxBytes", LISTS_ALL,                  take_max_bytes},
        {"User",     LIST_COMMANDS,              take_user     },
        {"Kind",     LIST_FILES | LIST_COMMANDS, take_kind     },
};

/* --- one entry --------------------------------------------------------------------------------- */

static int set_id(struct source *s, const char *id, struct err *e)
{
        s->id = strdup(id);
        return s->id ? 0 : no_memory(e);
}

/* What has a name of its own is known by it. */
static int name_and_id(struct source *s, const char *made, struct err *e)
{
        if (!s->name)
                s->name = strdup(made);
        return s->name ? set_id(s, s->name, e) : no_memory(e);
}

static int finish_http(struct source *s, struct err *e)
{
        char name[SOURCE_ID_MAX];

        if (!s->path)
                return err_set(e, -EINVAL, "has no Uri");
        if (!s->port == !s->socket)
                return err_set(e, -EINVAL, "needs a Port or a Socket, and not both");
        if (s->socket && !s->name)
                return err_set(e, -EINVAL, "needs a FileName, as it has a Socket");
        if (!s->name && plan_name_of_url(name, sizeof(name), s->port, s->path) < 0)
                return err_set(e, -EINVAL, "its name would be too long: give it a FileName");
        s->way = SOURCE_WAY_HTTP;
        s->kind = SOURCE_HTTP;
        return name_and_id(s, name, e);
}

static int finish_file(struct source *s, struct err *e)
{
        char name[SOURCE_ID_MAX];
        bool glob = s->path && strpbrk(s->path, "*?[");

        if (!s->path)
                return err_set(e, -EINVAL, "has no Location");
        if (glob && s->name)
                return err_set(e, -EINVAL, "is a pattern, and cannot have a FileName");
        s->way = SOURCE_WAY_FILE;
        if (!s->name && !glob) {
                if (plan_name_of_path(name, sizeof(name), s->path) < 0)
                        return err_set(e, -EINVAL, "Location is no plain path");
                s->name = strdup(name);
                if (!s->name)
                        return no_memory(e);
        }
        return set_id(s, s->path, e);
}

static int finish_command(struct source *s, struct err *e)
{
        char name[SOURCE_ID_MAX];

        if (!s->argv || !s->argv[0])
                return err_set(e, -EINVAL, "has no Command");
        if (!s->name && plan_name_of_command(name, sizeof(name), (const char *const *)s->argv) < 0)
                return err_set(e, -EINVAL, "its name would be too long: give it a FileName");
        s->way = SOURCE_WAY_COMMAND;
        return name_and_id(s, name, e);
}

static int finish_journal(struct source *s, struct err *e)
{
        int k;

        if (!s->unit)
                return err_set(e, -EINVAL, "has no Unit");
        s->way = SOURCE_WAY_JOURNAL;
        s->kind = SOURCE_JOURNAL;
        k = set_id(s, s->unit, e);
        if (k == 0 && !s->name)
                s->name = strdup(streq(s->unit, KERNEL) ? KERNEL ".journal" : s->unit);
        if (k == 0 && !s->name)
                return no_memory(e);
        if (streq(s->unit, KERNEL)) {
                free(s->unit);
                s->unit = NULL;
        }
        return k;
}

static const struct {
        const char *key;
        enum list list;
        enum source_kind kind;
        int (*finish)(struct source *s, struct err *e);
        bool ours;
} lists[] = {
        {"HTTPEndpoints", LIST_HTTP,     SOURCE_HTTP,    finish_http,    false},
        {"LocalFiles",    LIST_FILES,    SOURCE_FILE,    finish_file,    false},
        {"LocalCommands", LIST_COMMANDS, SOURCE_COMMAND, finish_command, false},
        {"Journals",      LIST_JOURNALS, SOURCE_JOURNAL, finish_journal, true },
};

static void warn(const struct reader *r, const char *list, size_t i, const char *what)
{
        buf_printf(r->warnings, "%s: %s[%zu]: %s\n", r->file, list, i, what);
}

static const struct field *field_of(const struct reader *r, const char *key)
{
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if (strcasecmp(fields[i].key, key) == 0 && (fields[i].lists & r->list))
                        return &fields[i];
        return NULL;
}

static int read_field(struct reader *r, const char *list, size_t i, const char *key,
                      const json_t *v, struct err *e)
{
        const struct field *f = field_of(r, key);
        char what[KEY_SHOWN + 32];
        int k;

        if (strncasecmp(key, IGNORED, strlen(IGNORED)) == 0)
                return 0;
        if (!f && r->foreign) {
                (void)snprintf(what, sizeof(what), "unknown key %.*s", KEY_SHOWN, key);
                warn(r, list, i, what);
                return 0;
        }
        if (!f)
                return err_set(e, -EINVAL, "unknown key %.*s", KEY_SHOWN, key);
        k = json_is_null(v) ? 0 : f->take(r, v, e);
        return k < 0 && e ? err_prefix(e, "%s ", f->key) : k;
}

/* 0, also when it is to be skipped. */
static int read_entry(struct reader *r, size_t list, size_t i, json_t *o, struct err *e)
{
        struct source *s = &r->entry->source;
        const char *key;
        json_t *v;
        int k;

        r->list = lists[list].list;
        r->skip = false;
        *r->entry = (struct plan_entry){
                .source = {.kind = lists[list].kind,
                           .timeout_usec = SOURCE_TIMEOUT_USEC,
                           .max_bytes = SOURCE_BYTES_MAX}
        };
        if (!json_is_object(o))
                return err_set(e, -EINVAL, "is no object");
        json_object_foreach (o, key, v) {
                k = read_field(r, lists[list].key, i, key, v, e);
                if (k < 0)
                        return k;
        }
        if (r->skip)
                warn(r, lists[list].key, i, "for no role that there is: skipped");
        if (!r->skip && r->foreign && s->argv && !s->argv[0]) {
                warn(r, lists[list].key, i, "an empty Command: skipped");
                r->skip = true;
        }
        if (r->skip) {
                source_done(s);
                return 0;
        }
        s->file = strdup(r->file);
        return s->file ? lists[list].finish(s, e) : no_memory(e);
}

static int read_list(struct reader *r, struct plan_text *t, size_t list, const json_t *a,
                     struct err *e)
{
        size_t n = json_array_size(a);
        struct plan_entry *more;
        int k;

        if (!json_is_array(a))
                return err_set(e, -EINVAL, "%s is no list", lists[list].key);
        if (n > PLAN_SOURCES_MAX - t->n)
                return err_set(e, -E2BIG, "%s: there are more than %u entries", lists[list].key,
                               PLAN_SOURCES_MAX);
        more = reallocarray(t->entries, t->n + n + 1, sizeof(*more));
        if (!more)
                return no_memory(e);
        t->entries = more;
        for (size_t i = 0; i < n; i++) {
                r->entry = &t->entries[t->n++];
                k = read_entry(r, list, i, json_array_get(a, i), e);
                if (k < 0)
                        return e ? err_prefix(e, "%s[%zu]: ", lists[list].key, i) : k;
                if (r->skip)
                        t->n--;
        }
        return 0;
}

static int read_member(struct reader *r, struct plan_text *t, const char *key, const json_t *v,
                       struct err *e)
{
        int k;

        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                if (strcasecmp(key, lists[i].key) == 0 && !(r->foreign && lists[i].ours))
                        return json_is_null(v) ? 0 : read_list(r, t, i, v, e);
        if (strncasecmp(key, IGNORED, strlen(IGNORED)) == 0)
                return 0;
        if (r->foreign) {
                buf_printf(r->warnings, "%s: unknown key %.*s\n", r->file, KEY_SHOWN, key);
                return 0;
        }
        if (strcasecmp(key, "Requires") != 0)
                return err_set(e, -EINVAL, "unknown key %.*s", KEY_SHOWN, key);
        k = take_text(&t->requires, v, SOURCE_ID_MAX, e);
        if (k == 0 && *t->requires != '/')
                k = err_set(e, -EINVAL, "is no absolute path");
        return k < 0 && e ? err_prefix(e, "Requires ") : k;
}

static int read_all(struct reader *r, struct plan_text *t, const char *text, size_t n,
                    struct err *e)
{
        json_error_t where;
        _cleanup_(json_decrefp) json_t *o =
                json_loadb(text, n, r->foreign ? 0 : JSON_REJECT_DUPLICATES, &where);
        const char *key;
        json_t *v;
        int k = 0;

        if (!o)
                return err_set(e, -EINVAL, "line %d: %s", where.line, where.text);
        if (!json_is_object(o))
                return err_set(e, -EINVAL, "is no object");
        json_object_foreach (o, key, v)
                if (k == 0)
                        k = read_member(r, t, key, v, e);
        return k;
}

int plan_text_read(struct plan_text *ret, const char *file, const char *text, size_t n,
                   bool foreign, struct buf *warnings, struct err *e)
{
        struct reader r = {.file = file, .foreign = foreign, .warnings = warnings};
        struct plan_text t = {0};
        int k = read_all(&r, &t, text, n, e);

        if (k < 0) {
                plan_text_done(&t);
                return e ? err_prefix(e, "%.*s: ", FILE_SHOWN, file) : k;
        }
        *ret = t;
        return 0;
}

void plan_text_done(struct plan_text *t)
{
        for (size_t i = 0; i < t->n; i++)
                source_done(&t->entries[i].source);
        free(t->entries);
        free(t->requires);
        *t = (struct plan_text){0};
}
