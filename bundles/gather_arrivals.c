/* Sorted once, then looked up: nothing is added after that. */

#include <errno.h>
#include <stdio.h>

#include "bundles/gather_arrivals.h"

#define FIRST_ALLOC 64u

struct arrival {
        char *path; /* with the prefix */
        uint64_t size;
        char sha256[DIGEST_HEX];
        bool named;
};

void arrivals_done(struct arrivals *a)
{
        for (size_t i = 0; i < a->n; i++)
                free(a->all[i].path);
        free(a->all);
        *a = (struct arrivals){0};
}

int arrivals_add(struct arrivals *a, const struct fragment_entry *entry)
{
        struct arrival *one;

        if (a->n == a->n_alloc) {
                size_t n = a->n_alloc ? 2 * a->n_alloc : FIRST_ALLOC;

                one = reallocarray(a->all, n, sizeof(*one));
                if (!one)
                        return -ENOMEM;
                a->all = one;
                a->n_alloc = n;
        }
        one = &a->all[a->n];
        *one = (struct arrival){.path = strdup(entry->path), .size = entry->size};
        if (!one->path)
                return -ENOMEM;
        memcpy(one->sha256, entry->sha256, sizeof(one->sha256));
        a->n++;
        return 0;
}

static int by_path(const void *a, const void *b)
{
        const struct arrival *x = a, *y = b;

        return strcmp(x->path, y->path);
}

static struct arrival *find(const struct arrivals *a, const struct node_status *s,
                            const struct node_status_entry *entry)
{
        char path[2 * ARCHIVE_PATH_MAX];
        const struct arrival key = {.path = path};

        (void)snprintf(path, sizeof(path), "%s/%s", s->prefix, entry->path);
        return a->n ? bsearch(&key, a->all, a->n, sizeof(key), by_path) : NULL;
}

/* What has no digest was not collected, and says so itself. */
static bool correct(struct node_status_entry *entry, struct arrival *came)
{
        if (!*entry->sha256)
                return false;
        if (came) {
                came->named = true;
                if (came->size == entry->size && streq(came->sha256, entry->sha256))
                        return false;
                entry->size = came->size;
                memcpy(entry->sha256, came->sha256, sizeof(came->sha256));
                return true;
        }
        entry->size = 0;
        *entry->sha256 = '\0';
        if (!entry->error)
                entry->error = strdup("it did not come");
        return true;
}

/* Out of memory, or too many of them: the count is right all the same. */
static void name_it(struct node_status *s, const struct arrival *came)
{
        struct node_status_entry *entry;
        char *path = strdup(came->path + strlen(s->prefix) + 1);

        entry = path ? node_status_add(s) : NULL;
        if (!entry) {
                free(path);
                return;
        }
        entry->path = path;
        entry->kind = SOURCE_FILE;
        entry->size = came->size;
        memcpy(entry->sha256, came->sha256, sizeof(came->sha256));
}

size_t arrivals_correct(struct arrivals *a, struct node_status *s)
{
        size_t n_untrue = 0;

        if (a->n)
                qsort(a->all, a->n, sizeof(*a->all), by_path);
        for (size_t i = 0; i < s->n_entries; i++)
                n_untrue += correct(&s->entries[i], find(a, s, &s->entries[i]));
        for (size_t i = 0; i < a->n; i++)
                if (!a->all[i].named) {
                        name_it(s, &a->all[i]);
                        n_untrue++;
                }
        return n_untrue;
}
