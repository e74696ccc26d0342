/* A table of keys, and the question who may write the files. */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/mono.h"
#include "base/parse.h"
#include "bundles/collect_conf.h"
#include "bundles/collect_request.h"

#define FILES_MAX        PLAN_FILES_MAX
#define BYTES_MIN        4096u
#define NODE_BYTES_MAX   (UINT64_C(64) << 30)
#define TIMEOUT_USEC_MIN USEC_PER_SEC
#define USER_NAME_MAX    64u

/* --- values -------------------------------------------------------------------------------------------------- */

static int set_bool(bool *to, bool otherwise, const struct conf_value *v, struct err *e)
{
        if (!*v->value) {
                *to = otherwise;
                return 0;
        }
        return parse_bool(v->value, to) < 0 ? err_set(e, -EINVAL, "%s: not yes or no", v->value)
                                            : 0;
}

static int set_allow_unredacted(void *target, const struct conf_value *v, struct err *e)
{
        struct collect_conf *c = target;

        return set_bool(&c->allow_unredacted, false, v, e);
}

static int set_endpoint_config(void *target, const struct conf_value *v, struct err *e)
{
        struct collect_conf *c = target;

        if (!*v->value) {
                string_list_done(&c->endpoint_config);
                return 0;
        }
        if (v->value[0] != '/' || strlen(v->value) >= PATH_MAX)
                return err_set(e, -EINVAL, "%s: not an absolute path", v->value);
        if (c->endpoint_config.n == FILES_MAX)
                return err_set(e, -E2BIG, "more than %u files", FILES_MAX);
        return string_list_push(&c->endpoint_config, v->value);
}

/* "64M": K, M and G are powers of 1024. */
static int set_bytes(uint64_t *to, uint64_t otherwise, uint64_t max, const struct conf_value *v,
                     struct err *e)
{
        static const char units[] = "KMG";
        char number[24];
        size_t n = strlen(v->value);
        const char *unit = n > 0 ? strchr(units, v->value[n - 1]) : NULL;
        unsigned shift = unit && *unit ? 10u * (unsigned)(unit - units + 1) : 0;
        uint64_t value;

        if (n == 0) {
                *to = otherwise;
                return 0;
        }
        n -= shift ? 1 : 0;
        if (n >= sizeof(number))
                return err_set(e, -EINVAL, "%s: not a size", v->value);
        memcpy(number, v->value, n);
        number[n] = '\0';
        if (parse_u64(number, 0, UINT64_MAX >> shift, &value) < 0)
                return err_set(e, -EINVAL, "%s: not a size like 64M", v->value);
        value <<= shift;
        if (value < BYTES_MIN || value > max)
                return err_set(e, -ERANGE, "%s: not from %u to %ju bytes", v->value, BYTES_MIN,
                               (uintmax_t)max);
        *to = value;
        return 0;
}

static int set_max_bytes(void *target, const struct conf_value *v, struct err *e)
{
        struct collect_conf *c = target;

        return set_bytes(&c->max_bytes, COLLECT_BYTES_MAX, NODE_BYTES_MAX, v, e);
}

static int set_source_max_bytes(void *target, const struct conf_value *v, struct err *e)
{
        struct collect_conf *c = target;

        return set_bytes(&c->source_max_bytes, SOURCE_BYTES_MAX, NODE_BYTES_MAX, v, e);
}

static int set_timeout(void *target, const struct conf_value *v, struct err *e)
{
        struct collect_conf *c = target;
        uint64_t usec = COLLECT_USEC_MAX;

        if (*v->value && parse_duration(v->value, &usec) < 0)
                return err_set(e, -EINVAL, "%s: not a duration", v->value);
        if (usec < TIMEOUT_USEC_MIN || usec > COLLECT_USEC_MAX)
                return err_set(e, -ERANGE, "%s: not from 1s to 30min", v->value);
        c->timeout_usec = usec;
        return 0;
}

static int set_command_user(void *target, const struct conf_value *v, struct err *e)
{
        struct collect_conf *c = target;
        const char *user = str_or(v->value, "nobody");
        char *copy;

        if (strlen(user) >= USER_NAME_MAX || strpbrk(user, " \t:/"))
                return err_set(e, -EINVAL, "%s: not a user's name", user);
        copy = strdup(user);
        if (!copy)
                return -ENOMEM;
        free(c->command_user);
        c->command_user = copy;
        return 0;
}

static const struct conf_key keys[] = {
        {"Collect",            "AllowUnredacted", false, set_allow_unredacted},
        {"Collect",               "EndpointConfig", false, set_endpoint_config},
        {"Collect",                    "MaxBytes", false, set_max_bytes},
        {"Collect","SourceMaxBytes", false, set_source_max_bytes},
        {"Collect", "Timeout", false, set_timeout},
        {"Collect",            "CommandUser", false, set_command_user},
        {0              },
};

int collect_conf_init(struct collect_conf *c)
{
        *c = (struct collect_conf){
                .max_bytes = COLLECT_BYTES_MAX,
                .source_max_bytes = SOURCE_BYTES_MAX,
                .timeout_usec = COLLECT_USEC_MAX,
                .command_user = strdup("nobody"),
        };
        return c->command_user ? 0 : -ENOMEM;
}

void collect_conf_done(struct collect_conf *c)
{
        string_list_done(&c->endpoint_config);
        free(c->command_user);
        *c = (struct collect_conf){0};
}

/* --- who may write it ------------------------------------------------------------------------------------------ */

/* One that is missing is nobody's. The link to /dev/null, by which a drop-in is masked, may be written by all. */
static int check_owner(const char *path, struct err *e)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return errno == ENOENT ? 0 : err_set(e, -errno, "%s: %s", path, strerror(errno));
        if (st.st_uid == 0 && (S_ISCHR(st.st_mode) || !(st.st_mode & (S_IWGRP | S_IWOTH))))
                return 0;
        return err_set(e, -EPERM, "%s: others than root may write it", path);
}

static int check_dropins(const char *directory, struct err *e)
{
        DIR *d = opendir(directory);
        char path[PATH_MAX];
        struct dirent *entry;
        int k = 0;

        if (!d)
                return errno == ENOENT ? 0
                                       : err_set(e, -errno, "%s: %s", directory, strerror(errno));
        while (k >= 0 && (entry = readdir(d))) {
                size_t n = strlen(entry->d_name);

                if (n < 5 || !streq(entry->d_name + n - 5, ".conf"))
                        continue;
                if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >=
                    sizeof(path))
                        continue; /* which nobody can read either */
                k = check_owner(path, e);
        }
        closedir(d);
        return k;
}

/* Who may write the directory could put another file there. */
static int check_owners(const char *path, struct err *e)
{
        char other[PATH_MAX];
        char *slash;
        int k;

        (void)snprintf(other, sizeof(other), "%s", path);
        slash = strrchr(other, '/');
        if (slash)
                *slash = '\0';
        k = check_owner(slash && slash > other ? other : slash ? "/" : ".", e);
        if (k >= 0)
                k = check_owner(path, e);
        (void)snprintf(other, sizeof(other), "%s.d", path);
        if (k >= 0)
                k = check_owner(other, e);
        return k < 0 ? k : check_dropins(other, e);
}

struct complaints {
        conf_error_fn on_error;
        void *userdata;
        struct err *first;
};

static void on_error(const struct err *e, void *userdata)
{
        struct complaints *c = userdata;

        if (c->first && !c->first->code)
                *c->first = *e;
        if (c->on_error)
                c->on_error(e, c->userdata);
}

int collect_conf_load(struct collect_conf *c, const char *path, bool root_owned,
                      conf_error_fn on_fault, void *userdata, struct err *e)
{
        struct complaints complaints = {.on_error = on_fault, .userdata = userdata, .first = e};
        struct err refused = {0};

        if (root_owned && check_owners(path, &refused) < 0) {
                on_error(&refused, &complaints);
                return refused.code;
        }
        return conf_load(path, false, keys, c, on_error, &complaints);
}

int collect_conf_plan(struct plan **ret, const struct collect_conf *c,
                      const struct plan_paths *paths, struct err *e)
{
        const char *files[2 * FILES_MAX + 1];
        struct plan_paths all = paths ? *paths : plan_system_paths;
        size_t n = 0;

        for (const char *const *f = all.files; f && *f && n < FILES_MAX; f++)
                files[n++] = *f;
        for (size_t i = 0; i < c->endpoint_config.n; i++)
                files[n++] = c->endpoint_config.items[i];
        files[n] = NULL;
        all.files = files;
        return plan_load(ret, &all, e);
}
