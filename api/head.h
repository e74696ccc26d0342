#pragma once

/*
 * What the head of a request says, and whether we may believe it. libmicrohttpd lets much pass that a
 * proxy in front of us may read differently (two lengths, a length beside chunks, "Name :"): whoever
 * disagrees about where a request ends can be made to see one that was never sent. All such heads are
 * refused, and their connection closed (RFC 9112 §6.3, §11.2).
 *
 * It also reads lines in ways of its own, and says nothing of it: a line that goes on in the next one
 * lengthens the *name* of its field ("Content: 40", " -Length"; RFC 9112 §5.2 wants it refused), a line
 * without a name ends the head, a NUL ends a target or a value, LF alone ends a line. So every byte of a
 * head has to be accounted for: the library reads in place, and overwrites each space, colon, CR and LF
 * that it splits at with NUL. Nothing may lie between the parts that it tells of but one space or a
 * colon, the blanks before a value, and CR LF, which are two NULs by then; nothing may be left at the end.
 *
 * What cannot be seen afterwards is another spelling of these same NULs: NUL LF instead of CR LF, and,
 * at the end of the head, lines of NULs or of a colon alone ("\0" LF, ":" LF; ":" CR LF behind a bare LF).
 * Nobody who writes his own CR LF can pass one on.
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
        struct head_value host, origin, content_type, if_none_match, prefer, accept,
                accept_encoding;
        struct head_value range, if_range, if_modified_since; /* api/reply.h: reply_file() */
        struct head_value diag_caller; /* api/authority.h; worth nothing when there are several */
        unsigned n_diag_caller;
        const char *next, *end; /* of the bytes; borrowed. Accounted for so far, and all. */
        bool has_gap;           /* some are not; then next means nothing */
};

void head_init(struct head *h, const char *version);

/** The request line, each part where the library has left it; only the target may have changed since. */
struct head_line {
        const char *method, *target, *version;
        size_t n_target; /* as it was sent */
};

/**
 * head_locate() - have the bytes accounted for, which are not copied and must stay until it is judged
 *
 * @n_bytes from the method's first one to the end of the empty line. Between head_init() and the fields.
 */
void head_locate(struct head *h, const struct head_line *line, size_t n_bytes);

/** head_add() - the next field; name and value end with a NUL that is not counted */
void head_add(struct head *h, const char *name, size_t n_name, const char *value, size_t n_value);

struct head_fault {
        bool (*holds)(const struct head *h);
        unsigned status;
        const char *text; /* for the client */
};

/** head_judge() - NULL: nothing wrong. Pure. Whether bytes are missing is asked only after head_locate(). */
const struct head_fault *head_judge(const struct head *h);

/**
 * head_origin_is_foreign() - is it said that a page of another host than the request's own sends this?
 *
 * Browsers say so; who says nothing is no browser, or an old one. "null" is foreign. Pure.
 */
bool head_origin_is_foreign(const struct head *h);

/** head_has_body() - one is announced; chunks may still be empty */
bool head_has_body(const struct head *h);

/** head_body_is_json() - its Content-Type is application/json, with or without parameters */
bool head_body_is_json(const struct head *h);

/** head_value() - NULL when there is no usable one */
const char *head_value(const struct head_value *v);
