/* A bundle of one node, described as bundles of the cluster are. */

#include <errno.h>
#include <stdio.h>

#include "base/mono.h"
#include "bundles/collect_root.h"
#include "bundles/manifest.h"

#define FILE_BYTES_MAX (32u << 20)

static int add(struct archive *a, const char *name, struct buf *text)
{
        int k = text->error;

        if (k >= 0 && text->n > 0)
                k = archive_add(a, name, now_wall_usec(), text->data, text->n);
        buf_clear(text);
        return k;
}

static int write_all(struct archive *a, const struct bundle *b, const struct manifest_node *node)
{
        _cleanup_(buf_done) struct buf text = {.max = FILE_BYTES_MAX};
        int k;

        manifest_write(&text, b, node, 1);
        k = add(a, "manifest.json", &text);
        if (k < 0)
                return k;
        manifest_write_report(&text, b, node, 1);
        k = add(a, "report.json", &text);
        if (k < 0)
                return k;
        manifest_write_readme(&text, b, node, 1);
        k = add(a, "README.txt", &text);
        if (k < 0)
                return k;
        manifest_write_summary(&text, node, 1);
        return add(a, "summaryErrorsReport.txt", &text);
}

/* "10.0.0.9_agent" is whose it is. */
static void take_address(char *address, size_t n, const struct node_status *status)
{
        const char *end = strchr(status->prefix, '_');

        (void)snprintf(address, n, "%.*s", end ? (int)(end - status->prefix) : 0, status->prefix);
        if (!*address)
                (void)snprintf(address, n, "%s", status->hostname);
}

int collect_write_root(struct archive *a, const struct collect_request *q,
                       const struct node_status *status)
{
        char address[256], by[32];
        struct bundle_node whole = {
                .address = address,
                .role = status->role,
                .state = status->partial ? BUNDLE_NODE_PARTIAL : BUNDLE_NODE_DONE,
                .n_entries = status->n_entries,
                .n_failed_entries = node_status_n_failed(status, false),
                .n_redactions = node_status_n_redactions(status),
                .took_usec = usec_since(status->finished_wall_usec, status->started_wall_usec),
                .error = status->partial ? status->partial_reason : NULL,
        };
        struct bundle b = {
                .type = BUNDLE_NODE,
                .state = BUNDLE_DONE,
                .created_wall_usec = status->started_wall_usec,
                .finished_wall_usec = status->finished_wall_usec,
                .by = by,
                .observer = address,
                .request = {.since_wall_usec = status->since_wall_usec,
                            .until_wall_usec = status->until_wall_usec,
                            .kinds = q->kinds,
                            .format = q->format,
                            .no_redact = q->no_redact},
                .n_nodes_total = 1,
                .n_nodes_done = 1,
                .partial = status->partial,
                .n_redactions = node_status_n_redactions(status),
                .nodes = &whole,
                .n_nodes = 1,
        };
        const struct manifest_node node = {.node = &whole, .status = status};

        take_address(address, sizeof(address), status);
        (void)snprintf(by, sizeof(by), "uid:%u", (unsigned)getuid());
        (void)snprintf(b.id, sizeof(b.id), "%s", q->bundle);
        for (size_t i = 0; i < status->n_entries; i++)
                whole.n_bytes += status->entries[i].size;
        b.n_received_bytes = whole.n_bytes;
        return write_all(a, &b, &node);
}
