#pragma once

/*
 * What a master says of bundles, in API v2. As lenient as reader_json.h, but for what becomes the name of a
 * file here, or what a file is judged by: ids, formats and digests have their shape or are a fault.
 */

#include "cli/reader_json.h"

#define BUNDLE_JSON_BYTES_MAX (8u << 20)
#define BUNDLE_ROWS_MAX       20000u /* nodes of a bundle, bundles of a list */
#define BUNDLE_NAMES_MAX      1000u  /* words of a request, masters that are silent */
#define BUNDLE_ID_BYTES_MAX   128u
#define BUNDLE_FORMAT_MAX     16u

/** What its word means. */
enum bundle_stage {
        BUNDLE_STAGE_UNKNOWN = 0, /* a word that we do not know */
        BUNDLE_STAGE_UNDERWAY,
        BUNDLE_STAGE_DONE,
        BUNDLE_STAGE_FAILED, /* canceled, too, and lost */
        BUNDLE_STAGE_DELETED,
};

/** What came from one node. */
struct bundle_part {
        const char *node_id, *address, *role;
        const char *
                state; /* "waiting", "running", "done", "partial", "failed", or a word of a newer master */
        const char *error; /* "": none */
        uint64_t n_bytes, n_entries, n_failed_entries, took_usec;
};

/** Strings belong to the arena of what it is part of. */
struct bundle_info {
        const char *id, *type, *state, *by, *observer, *error;
        enum bundle_stage stage;
        bool partial;
        uint64_t created_wall_usec, finished_wall_usec; /* 0: not said */

        struct json_words nodes, kinds; /* of what was asked for */
        uint64_t since_wall_usec, until_wall_usec;
        const char *format; /* "tar.zst"; can end the name of a file; "": not said */
        bool unredacted;

        uint64_t n_nodes_total, n_nodes_done, n_nodes_failed, n_received_bytes;
        const char *current;

        bool has_size;
        uint64_t n_bytes;
        const char *sha256; /* 64 lower-case digits, or "" */
        uint64_t n_redactions;

        const struct bundle_part *parts;
        size_t n_parts;
};

/** Zeroed is a good start, and what each is after its _done(). */
struct bundle_answer {
        struct arena arena;
        struct bundle_info bundle;
};

/** A master that could not be asked for his. */
struct bundle_silent {
        const char *address, *error;
};

struct bundle_list {
        struct arena arena;
        const struct bundle_info *rows; /* newest first, as they came */
        size_t n;
        uint64_t n_total;
        const struct bundle_silent *silent;
        size_t n_silent;
};

struct bundle_estimate_node {
        const char *address, *error;
        uint64_t n_likely_bytes, n_max_bytes;
};

struct bundle_estimate {
        struct arena arena;
        uint64_t n_likely_bytes, n_max_bytes, n_free_bytes, n_floor_bytes;
        bool fits;
        const struct bundle_estimate_node *nodes;
        size_t n_nodes;
};

/**
 * bundle_answer_from_json() and its like - decode it
 * @ret:  _done() it; untouched on failure
 * @text: need not end in NUL
 * @e:    names the fault; may be NULL
 *
 * Pure, fuzzed.
 * Return: 0, -EBADMSG (no such thing), -E2BIG, -ENOMEM.
 */
int bundle_answer_from_json(struct bundle_answer *ret, const char *text, size_t n, struct err *e);
int bundle_list_from_json(struct bundle_list *ret, const char *text, size_t n, struct err *e);
int bundle_estimate_from_json(struct bundle_estimate *ret, const char *text, size_t n,
                              struct err *e);

/** bundle_estimate_from_collector() - the same of what diag-collect --estimate prints: no nodes, and not whether it fits */
int bundle_estimate_from_collector(struct bundle_estimate *ret, const char *text, size_t n,
                                   struct err *e);

void bundle_answer_done(struct bundle_answer *a);
void bundle_list_done(struct bundle_list *l);
void bundle_estimate_done(struct bundle_estimate *s);

/** bundle_info_id_is_valid() - 1 to 128 of [A-Za-z0-9._-], no dot in front: it can be the name of a file */
bool bundle_info_id_is_valid(const char *id) _pure_;
