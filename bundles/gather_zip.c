/* Straight through: what was begun is ended, whole or not, and told in the status that we write for the node. */

#include <errno.h>
#include <stdio.h>

#include "base/mono.h"
#include "base/redact.h"
#include "bundles/gather_zip.h"
#include "bundles/unzip.h"

#define SUMMARY "summaryErrorsReport.txt" /* of that service: there only when something failed */

struct adding {
        struct gather_zip *zip;
        struct redactor *redactor; /* NULL: mask nothing */
        struct buf masked;
        struct node_status_entry *entry; /* NULL: it is not added, or not listed */
        bool is_open;
        uint64_t began_mono_usec;
};

static int write_masked(struct adding *a)
{
        int k = a->masked.error;

        if (k >= 0 && a->masked.n)
                k = archive_append(a->zip->into, a->masked.data, a->masked.n);
        buf_clear(&a->masked);
        return k;
}

static void describe(struct adding *a, const char *name)
{
        a->entry = node_status_add(&a->zip->status);
        if (!a->entry)
                return;
        a->entry->path = strdup(name);
        a->entry->kind = SOURCE_FILE;
        a->entry->source = strdup(name);
}

/* A path that cannot be, or is there already, costs that entry. */
static int on_begin(const struct unzip_entry *entry, void *userdata)
{
        struct adding *a = userdata;
        const char *name = entry->path + strlen(a->zip->prefix) + 1;
        int k;

        if (atomic_load(a->zip->canceled))
                return -ECANCELED;
        a->entry = NULL;
        k = archive_begin(a->zip->into, entry->path, entry->mtime_usec);
        a->is_open = k >= 0;
        if (k == -EINVAL || k == -EEXIST)
                return 0;
        if (k < 0)
                return k;
        a->began_mono_usec = now_mono_usec();
        describe(a, name);
        if (streq(name, SUMMARY) && !*a->zip->fault)
                (void)snprintf(a->zip->fault, sizeof(a->zip->fault),
                               "some of its sources failed: see %.128s/" SUMMARY, a->zip->prefix);
        return 0;
}

static int on_data(const void *data, size_t n, void *userdata)
{
        struct adding *a = userdata;

        if (atomic_load(a->zip->canceled))
                return -ECANCELED;
        if (!a->is_open)
                return 0;
        if (!a->redactor)
                return archive_append(a->zip->into, data, n);
        redactor_feed(a->redactor, data, n, &a->masked);
        return write_masked(a);
}

static int on_end(const struct unzip_entry *entry, void *userdata)
{
        struct adding *a = userdata;
        struct archive_entry said;
        uint64_t n_masked = 0;
        int k = 0;

        if (!a->is_open)
                return 0;
        a->is_open = false;
        if (a->redactor) {
                n_masked = redactor_end(a->redactor, &a->masked);
                k = write_masked(a);
        }
        if (k >= 0)
                k = archive_end(a->zip->into, &said);
        if (k < 0)
                return k;
        a->zip->n_entries++;
        if (!a->entry)
                return 0;
        a->entry->size = said.size;
        memcpy(a->entry->sha256, said.sha256, sizeof(said.sha256));
        a->entry->took_usec = usec_since(now_mono_usec(), a->began_mono_usec);
        a->entry->n_redactions = n_masked;
        if (!entry->whole)
                a->entry->error = strdup("damaged on its way, or cut short");
        return 0;
}

static void take_faults(struct gather_zip *z, const struct unzip_result *r)
{
        if (!r->whole)
                (void)snprintf(z->fault, sizeof(z->fault), "its zip is faulty: %s", r->fault);
        else if (r->n_skipped && !*z->fault)
                (void)snprintf(z->fault, sizeof(z->fault), "left out of its zip: %s", r->skipped);
}

int gather_zip_add(struct gather_zip *z, int fd, struct err *e)
{
        struct adding a = {.zip = z};
        const struct unzip_terms terms = {
                .prefix = z->prefix,
                .max_bytes = z->max_bytes,
                .max_entries = z->max_entries,
                .deadline_mono_usec = z->deadline_mono_usec,
        };
        const struct unzip_visitor visitor = {on_begin, on_data, on_end, &a};
        struct unzip_result r = {0};
        int k = z->salt ? redactor_new(&a.redactor, NULL, z->salt) : 0;

        z->status.prefix = strdup(z->prefix);
        z->status.version = strdup("dcos-diagnostics");
        z->status.redacted = z->salt != NULL;
        if (!z->status.prefix || !z->status.version)
                k = -ENOMEM;
        if (k >= 0)
                k = unzip_walk(fd, &terms, &visitor, &r, e);
        if (k >= 0)
                take_faults(z, &r);
        redactor_free(a.redactor);
        buf_done(&a.masked);
        return k < 0 && e && !e->code ? err_set(e, k, "%s", strerror(-k)) : k;
}
