/*
 * Rules of the machine's owner, the files of redact.d, and the only door to pcre2. A rule is only as good as what may
 * write it: where the collector reads them, as root, others may not. What a pattern costs is bounded for each
 * line; where it gives up, the rest of the line is a secret.
 */

#define PCRE2_CODE_UNIT_WIDTH 8
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>

#include <pcre2.h>

#include "base/conf.h"
#include "base/fs.h"
#include "base/redact_scan.h"

#define SUFFIX      ".conf"
#define FILES_MAX   256u
#define KEY_BYTES   64u
#define MATCH_LIMIT 200000u
#define DEPTH_LIMIT 1000u
#define HEAP_KIB    1024u
#define STACK_MIN   32768u
#define STACK_MAX   1048576u
#define LITERAL_MIN 2u /* of a key: with less it would be looked for everywhere */

struct redact_rules {
        size_t n_keys, n_patterns;
        char keys[REDACT_RULES_MAX][KEY_BYTES + 1]; /* in lower case */
        struct redact_hint hints[REDACT_RULES_MAX]; /* of the keys */
        pcre2_code *patterns[REDACT_RULES_MAX];
};

struct redact_search {
        const struct redact_rules *rules;
        pcre2_match_data *data;
        pcre2_match_context *context;
        pcre2_jit_stack *stack;
};

/* --- keys ---------------------------------------------------------------------------------------- */

/* The longest part of the name without "*": what a token must hold to have this name. */
static void hint_of(struct redact_hint *ret, const char *key)
{
        const char *best = key;
        size_t n_best = 0, n;

        for (const char *p = key; *p; p += n + (p[n] == '*')) {
                n = strcspn(p, "*");
                if (n > n_best) {
                        best = p;
                        n_best = n;
                }
        }
        *ret = (struct redact_hint){.ends = best[n_best] == '\0' && n_best <= REDACT_HINT_MAX};
        memcpy(ret->text, best, n_best < REDACT_HINT_MAX ? n_best : REDACT_HINT_MAX);
}

static int set_key(void *target, const struct conf_value *v, struct err *e)
{
        struct redact_rules *rules = target;
        size_t n = strlen(v->value);
        char *key;

        if (n == 0) {
                rules->n_keys = 0;
                return 0;
        }
        if (rules->n_keys == REDACT_RULES_MAX)
                return err_set(e, -E2BIG, "more than %u keys", REDACT_RULES_MAX);
        if (n > KEY_BYTES)
                return err_set(e, -EINVAL, "a name has at most %u bytes", KEY_BYTES);
        key = rules->keys[rules->n_keys];
        for (size_t i = 0; i <= n; i++) {
                key[i] = redact_lower(v->value[i]);
                if (i < n && key[i] != '*' && !is_key_char(key[i]))
                        return err_set(
                                e, -EINVAL,
                                "a name has letters, digits, '_', '-', '.', and '*' for any of them");
        }
        hint_of(&rules->hints[rules->n_keys], key);
        if (strlen(rules->hints[rules->n_keys].text) < LITERAL_MIN)
                return err_set(e, -EINVAL, "'%s' would be nearly every name", v->value);
        rules->n_keys++;
        return 0;
}

bool redact_rules_has_key(const struct redact_rules *rules, const char *name, size_t n)
{
        char folded[KEY_BYTES * 4];

        if (n >= sizeof(folded))
                return false;
        for (size_t i = 0; i < n; i++)
                folded[i] = redact_lower(name[i]);
        folded[n] = '\0';
        for (size_t i = 0; i < rules->n_keys; i++)
                if (strstr(folded, rules->hints[i].text) && fnmatch(rules->keys[i], folded, 0) == 0)
                        return true;
        return false;
}

bool redact_rules_hint(const struct redact_rules *rules, size_t i, struct redact_hint *ret)
{
        if (i >= rules->n_keys)
                return false;
        *ret = rules->hints[i];
        return true;
}

/* --- patterns ------------------------------------------------------------------------------------ */

bool redact_rules_has_patterns(const struct redact_rules *rules)
{
        return rules->n_patterns > 0;
}

static void forget_patterns(struct redact_rules *rules)
{
        while (rules->n_patterns > 0)
                pcre2_code_free(rules->patterns[--rules->n_patterns]);
}

static int set_pattern(void *target, const struct conf_value *v, struct err *e)
{
        struct redact_rules *rules = target;
        size_t n = strlen(v->value), where;
        pcre2_code *code;
        char why[128];
        int fault;

        if (n == 0) {
                forget_patterns(rules);
                return 0;
        }
        if (rules->n_patterns == REDACT_RULES_MAX)
                return err_set(e, -E2BIG, "more than %u patterns", REDACT_RULES_MAX);
        if (n > REDACT_PATTERN_BYTES)
                return err_set(e, -EINVAL, "a pattern has at most %u bytes", REDACT_PATTERN_BYTES);
        code = pcre2_compile((PCRE2_SPTR)v->value, n, PCRE2_NEVER_UTF | PCRE2_NEVER_UCP, &fault,
                             &where, NULL);
        if (!code) {
                (void)pcre2_get_error_message(fault, (PCRE2_UCHAR *)why, sizeof(why));
                return err_set(e, -EINVAL, "%s, at byte %zu", why, where + 1);
        }
        (void)pcre2_jit_compile(code,
                                PCRE2_JIT_COMPLETE); /* where the kernel refuses it is slower */
        rules->patterns[rules->n_patterns++] = code;
        return 0;
}

int redact_search_new(struct redact_search **ret, const struct redact_rules *rules)
{
        _cleanup_(redact_search_freep) struct redact_search *search = calloc(1, sizeof(*search));

        if (!search)
                return -ENOMEM;
        search->rules = rules;
        search->data = pcre2_match_data_create(2, NULL); /* all of it, and the first group */
        search->context = pcre2_match_context_create(NULL);
        search->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
        if (!search->data || !search->context || !search->stack)
                return -ENOMEM;
        pcre2_jit_stack_assign(search->context, NULL, search->stack);
        (void)pcre2_set_match_limit(search->context, MATCH_LIMIT);
        (void)pcre2_set_depth_limit(search->context, DEPTH_LIMIT);
        (void)pcre2_set_heap_limit(search->context, HEAP_KIB);
        *ret = TAKE_PTR(search);
        return 0;
}

struct redact_search *redact_search_free(struct redact_search *search)
{
        if (!search)
                return NULL;
        pcre2_match_data_free(search->data);
        pcre2_match_context_free(search->context);
        pcre2_jit_stack_free(search->stack);
        free(search);
        return NULL;
}

size_t redact_search_n_patterns(const struct redact_search *search)
{
        return search->rules->n_patterns;
}

/* The first group if it took part, else all. */
static struct span what_matched(const struct redact_search *search, int n_groups)
{
        const size_t *at = pcre2_get_ovector_pointer(search->data);
        unsigned group = n_groups != 1 && at[2] != PCRE2_UNSET ? 1 : 0;

        return (struct span){at[2 * group], at[2 * group + 1]};
}

bool redact_search_next(struct redact_search *search, size_t i, const char *line, size_t n,
                        size_t from, bool is_rest, bool is_piece, struct span *ret)
{
        uint32_t options = (is_rest ? PCRE2_NOTBOL : 0) | (is_piece ? PCRE2_NOTEOL : 0);

        while (from < n) {
                int k = pcre2_match(search->rules->patterns[i], (PCRE2_SPTR)line, n, from, options,
                                    search->data, search->context);

                if (k == PCRE2_ERROR_NOMATCH)
                        return false;
                *ret = k < 0 ? (struct span){from, n} : what_matched(search, k);
                if (ret->from >= from && ret->from < ret->to)
                        return true;
                /* It found nothing, in its place, or looked back: on from the next byte. */
                from = (ret->to > from ? ret->to : from) + 1;
        }
        return false;
}

/* --- text ---------------------------------------------------------------------------------------- */

static const struct conf_key keys[] = {
        {"Redact", "Key",     false, set_key    },
        {"Redact", "Pattern", false, set_pattern},
        {NULL,     NULL,      false, NULL       },
};

static void keep_first(const struct err *e, void *userdata)
{
        struct err *first = userdata;

        if (first && first->code == 0)
                *first = *e;
}

/* Of one file: what it says is added to @rules. */
static int add_text(struct redact_rules *rules, const char *text, size_t n, const char *name,
                    struct err *e)
{
        struct err first = {0};
        int r = conf_parse(text, n, name, keys, rules, keep_first, &first);

        if (r < 0 && e)
                *e = first;
        return r == -E2BIG ? -EINVAL : r;
}

int redact_rules_from_text(struct redact_rules **ret, const char *text, size_t n, const char *name,
                           struct err *e)
{
        _cleanup_(redact_rules_freep) struct redact_rules *rules = calloc(1, sizeof(*rules));
        int r;

        if (!rules)
                return err_set(e, -ENOMEM, "cannot read %s: %s", name, strerror(ENOMEM));
        r = add_text(rules, text, n, name, e);
        if (r == 0)
                *ret = TAKE_PTR(rules);
        return r;
}

/* --- files --------------------------------------------------------------------------------------- */

/* One name, in the last directory that has it. */
struct found {
        char *name;
        const char *directory;
};

struct files {
        struct found list[FILES_MAX];
        size_t n;
};

static void files_done(struct files *f)
{
        while (f->n > 0)
                free(f->list[--f->n].name);
}

static int by_name(const void *a, const void *b)
{
        return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

static bool is_rule_file(const char *name)
{
        size_t n = strlen(name);

        return name[0] != '.' && n > strlen(SUFFIX) && streq(name + n - strlen(SUFFIX), SUFFIX);
}

static int add_file(struct files *f, const char *directory, const char *name, struct err *e)
{
        for (size_t i = 0; i < f->n; i++)
                if (streq(f->list[i].name, name)) {
                        f->list[i].directory = directory;
                        return 0;
                }
        if (f->n == FILES_MAX)
                return err_set(e, -E2BIG, "%s: more than %u files of rules", directory, FILES_MAX);
        f->list[f->n] = (struct found){strdup(name), directory};
        if (!f->list[f->n].name)
                return err_set(e, -ENOMEM, "cannot list %s: %s", directory, strerror(ENOMEM));
        f->n++;
        return 0;
}

/* Nobody but root may change what is read, or put another in its place. */
static int check_owner(const char *path, struct err *e)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return err_set(e, -errno, "cannot look at %s: %s", path, strerror(errno));
        if (st.st_uid != 0)
                return err_set(e, -EPERM, "%s belongs to user %u, not to root", path, st.st_uid);
        if (st.st_mode & S_IWOTH || (st.st_mode & S_IWGRP && st.st_gid != 0))
                return err_set(e, -EPERM, "%s may be written by others than root (mode %04o)", path,
                               st.st_mode & 07777u);
        return 0;
}

static int list_directory(struct files *f, const char *directory, bool root_owned, struct err *e)
{
        DIR *d = opendir(directory);
        struct dirent *entry;
        int r = 0;

        if (!d && errno == ENOENT)
                return 0;
        if (!d)
                return err_set(e, -errno, "cannot list %s: %s", directory, strerror(errno));
        if (root_owned)
                r = check_owner(directory, e);
        while (r == 0 && (entry = readdir(d)))
                if (is_rule_file(entry->d_name))
                        r = add_file(f, directory, entry->d_name, e);
        (void)closedir(d);
        return r;
}

/* A link to /dev/null stands for an empty file, so that it masks what a package put there. */
static int load_file(struct redact_rules *rules, const struct found *file, bool root_owned,
                     struct err *e)
{
        _cleanup_(freep) char *path = NULL, *text = NULL;
        char target[sizeof("/dev/null")] = {0};
        size_t n = 0;
        int r;

        if (asprintf(&path, "%s/%s", file->directory, file->name) < 0) {
                path = NULL;
                return err_set(e, -ENOMEM, "cannot read %s: %s", file->name, strerror(ENOMEM));
        }
        if (readlink(path, target, sizeof(target)) == (ssize_t)strlen("/dev/null") &&
            streq(target, "/dev/null"))
                return 0;
        r = root_owned ? check_owner(path, e) : 0;
        if (r == 0)
                r = fs_read(path, CONF_FILE_MAX_BYTES, &text, &n, e);
        return r < 0 ? r : add_text(rules, text, n, path, e);
}

static int load_files(struct redact_rules *rules, struct files *f, const char *const directories[],
                      bool root_owned, struct err *e)
{
        int r = 0;

        for (size_t i = 0; r == 0 && directories[i]; i++)
                r = list_directory(f, directories[i], root_owned, e);
        if (r == 0 && f->n > 0)
                qsort(f->list, f->n, sizeof(f->list[0]), by_name);
        for (size_t i = 0; r == 0 && i < f->n; i++)
                r = load_file(rules, &f->list[i], root_owned, e);
        return r;
}

int redact_rules_load(struct redact_rules **ret, const char *const directories[], bool root_owned,
                      struct err *e)
{
        _cleanup_(redact_rules_freep) struct redact_rules *rules = calloc(1, sizeof(*rules));
        _cleanup_(files_done) struct files files = {.n = 0};
        int r;

        if (!rules)
                return err_set(e, -ENOMEM, "cannot read rules: %s", strerror(ENOMEM));
        r = load_files(rules, &files, directories, root_owned, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(rules);
        return 0;
}

struct redact_rules *redact_rules_free(struct redact_rules *rules)
{
        if (!rules)
                return NULL;
        forget_patterns(rules);
        free(rules);
        return NULL;
}
