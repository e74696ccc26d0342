/* An open table, half full at most; a digest is its own hash. All zeros is an empty place. */

#include <errno.h>

#include "base/digest.h"
#include "bundles/archive_paths.h"

#define PLACES_FIRST 256u

struct name {
        uint64_t one, two;
};

struct archive_paths {
        struct digest *digest;
        struct name *names;
        size_t n, n_places; /* a power of two */
};

int archive_paths_new(struct archive_paths **ret)
{
        _cleanup_(archive_paths_freep) struct archive_paths *p = calloc(1, sizeof(*p));
        int k;

        if (!p)
                return -ENOMEM;
        k = digest_new(&p->digest);
        if (k < 0)
                return k;
        p->n_places = PLACES_FIRST;
        p->names = calloc(p->n_places, sizeof(*p->names));
        if (!p->names)
                return -ENOMEM;
        *ret = TAKE_PTR(p);
        return 0;
}

struct archive_paths *archive_paths_free(struct archive_paths *p)
{
        if (!p)
                return NULL;
        digest_free(p->digest);
        free(p->names);
        free(p);
        return NULL;
}

/* The place that has it, or where it belongs. */
static struct name *find(struct name *names, size_t n_places, struct name name)
{
        size_t i = name.one & (n_places - 1);

        while ((names[i].one || names[i].two) &&
               (names[i].one != name.one || names[i].two != name.two))
                i = (i + 1) & (n_places - 1);
        return &names[i];
}

static int grow(struct archive_paths *p)
{
        size_t n_places = 2 * p->n_places;
        struct name *names = calloc(n_places, sizeof(*names));

        if (!names)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_places; i++)
                if (p->names[i].one || p->names[i].two)
                        *find(names, n_places, p->names[i]) = p->names[i];
        free(p->names);
        p->names = names;
        p->n_places = n_places;
        return 0;
}

int archive_paths_add(struct archive_paths *p, const char *path)
{
        uint8_t digest[DIGEST_BYTES];
        struct name name, *place;
        int k = 2 * (p->n + 1) > p->n_places ? grow(p) : 0;

        if (k >= 0)
                k = digest_add(p->digest, path, strlen(path));
        if (k >= 0)
                k = digest_end(p->digest, digest);
        if (k < 0)
                return k;
        memcpy(&name, digest, sizeof(name));
        place = find(p->names, p->n_places, name);
        if (place->one || place->two)
                return -EEXIST;
        *place = name;
        p->n++;
        return 0;
}
