#pragma once

/*
 * What the head of a request says, and whether we may believe it. libmicrohttpd lets much pass that a
 * proxy in front of us may read differently (two lengths, a length beside chunks, "Name :"): whoever
 * disagrees about where a request ends can be made to see one that was never sent. All such heads are
 * refused, and their connection closed (RFC 9112 §6.3, §11.2).
 */

#include "base/cleanup.h"

#define HEAD_VALUE_MAX 1024u

/** A field that means something to us, repeated ones joined by ", "; as good as absent when too long. */
struct head_value {
        char text[HEAD_VALUE_MAX];
        size_t n;
        bool present, too_long;
};

struct head {
        bool http_1_0;
        unsigned n_host, n_content_length, n_transfer_encoding;
        bool bad_name, bad_value, bad_host, unknown_coding;
        uint64_t content_length;
        struct head_value if_none_match, prefer;
};

void head_init(struct head *h, const char *version);

/** head_add() - the next field; name and value end with a NUL that is not counted */
void head_add(struct head *h, const char *name, size_t n_name, const char *value, size_t n_value);

struct head_fault {
        bool (*holds)(const struct head *h);
        unsigned status;
        const char *text; /* for the client */
};

/** head_judge() - NULL: nothing wrong. Pure. */
const struct head_fault *head_judge(const struct head *h);

/** head_value() - NULL when there is no usable one */
const char *head_value(const struct head_value *v);
