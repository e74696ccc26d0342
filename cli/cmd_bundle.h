#pragma once

/* What the verbs of diag bundle share: what they were told, and how they ask. Each returns an exit status. */

#include "cli/bundle_choice.h"
#include "cli/bundle_json.h"
#include "cli/client.h"

#define BUNDLE_EXIT_FAILED  1 /* refused, too */
#define BUNDLE_EXIT_PARTIAL 4

struct bundle_call {
        const char *who; /* in complaints: "diag bundle create" */
        struct client client;
        struct bundle_choice choice;
        const char *id;     /* of the bundle that is meant; NULL: was not said */
        const char *output; /* -o; NULL: not said */
        bool wait, local, json;
};

int bundle_create(struct bundle_call *c);
int bundle_estimate(struct bundle_call *c);
int bundle_list(struct bundle_call *c);
int bundle_show(struct bundle_call *c);
int bundle_wait(struct bundle_call *c);
int bundle_download(struct bundle_call *c);
int bundle_cancel(struct bundle_call *c);
int bundle_delete(struct bundle_call *c);

/** bundle_create_local() - become the collector of this machine; returns only when that fails */
int bundle_create_local(const struct bundle_call *c);
int bundle_estimate_local(const struct bundle_call *c);

/** What the server said of a bundle. */
struct bundle_told {
        struct bundle_answer answer;
        struct buf json; /* as it came */
};
void bundle_told_done(struct bundle_told *t);

/**
 * bundle_ask() - any of the requests
 * @id: NULL: of all. @action: "/cancel", "/file" …, or "". @request: NULL: no body
 * @body: of an answer of success; its max is respected
 *
 * What went wrong has been said. Return: 0, or an exit status.
 */
int bundle_ask(const struct bundle_call *c, const char *method, const char *id, const char *action,
               const struct buf *request, struct buf *body);

/** bundle_ask_for() - the same, of what is answered with a bundle. @ret is replaced, on success. */
int bundle_ask_for(const struct bundle_call *c, const char *method, const char *id,
                   const char *action, const struct buf *request, struct bundle_told *ret);

/** bundle_read_told() - what @json, which is taken, says of a bundle. 0 or -errno with @e */
int bundle_read_told(const struct bundle_call *c, struct buf *json, struct bundle_told *ret,
                     struct err *e);

/** bundle_ask_list() - all of them; says which masters are silent. @json: as it came */
int bundle_ask_list(const struct bundle_call *c, struct bundle_list *ret, struct buf *json);

/** bundle_newest() - of those whose stage is in @stages (bits), else NULL */
const struct bundle_info *bundle_newest(const struct bundle_list *l, unsigned stages);

/** bundle_complain_refused() - @status: HTTP's, no success. Return: the exit status. */
int bundle_complain_refused(const struct bundle_call *c, unsigned status, const struct buf *body);

/** bundle_complain_unasked() - @r: what the client returned, with @e. Return: the exit status. */
int bundle_complain_unasked(const struct bundle_call *c, int r, const struct err *e);

/** bundle_say() - write @out to stdout. Return: @status, or an exit status if that fails */
int bundle_say(const struct bundle_call *c, const struct buf *out, int status);

/** bundle_exit_status() - of one that is what it is: 0 also while it is being made */
int bundle_exit_status(const struct bundle_info *b);
bool bundle_has_ended(const struct bundle_info *b);

/**
 * bundle_wait_for() - until it has ended; on stderr, unless it is to be JSON, how far it is
 * @told: what is known of it; it is replaced
 */
int bundle_wait_for(const struct bundle_call *c, struct bundle_told *told);

/** bundle_fetch() - its file. @ret: where it is */
int bundle_fetch(const struct bundle_call *c, const struct bundle_info *b, struct buf *ret);

/**
 * bundle_if_interrupted() - what SIGINT and SIGTERM say on stderr from here on, before they end the program
 *
 * Its exit status is 128 and the signal's number, as a shell would say it.
 */
void bundle_if_interrupted(const char *fmt, ...) _printf_(1, 2);

/** A line on stderr that is drawn over and over, if that is a terminal. Zeroed is a good start. */
struct bundle_live {
        bool is_drawn;
        uint64_t drawn_mono_usec;
};
void bundle_live_draw(struct bundle_live *l, const char *clean_text);
void bundle_live_erase(struct bundle_live *l);
