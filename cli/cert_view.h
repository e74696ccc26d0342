#pragma once

/* Certificates, as a person and as a script read them. All text in them is cleaned on its way out. */

#include "base/json_write.h"
#include "cli/cert.h"
#include "cli/term.h"

/**
 * cert_view_text() - append a paragraph for each certificate of a file
 * @path: what the file was called
 */
void cert_view_text(struct buf *out, const struct term *t, const char *path,
                    const struct cert_list *l, uint64_t now_wall_usec);

/** cert_view_json() - append an object for each, to an array that is open. */
void cert_view_json(struct json_writer *w, const char *path, const struct cert_list *l,
                    uint64_t now_wall_usec);
