#pragma once

/*
 * A collection: what a request wants of this machine, read source by source, its secrets masked, and written. No
 * source costs the rest: what it gave stays, what it failed to give is said where it should have been and in the
 * node's status, which is the last entry.
 *
 * A required source that fails: what it gave is there under its name, and why it failed in NAME.error. An optional
 * one: the reason stands in the entry itself.
 */

#include "bundles/collect_conf.h"
#include "bundles/collect_request.h"
#include "bundles/node_status.h"
#include "model/report.h"

#define COLLECT_AGENT_SOCKET "/run/diag/agentd.sock"
#define COLLECT_AGENT_USER   "diag-agent"

/* Rules of redaction: what is shipped, and the owner's, which replace it by name. */
#define COLLECT_RULE_DIRECTORIES "/usr/lib/diag/redact.d", "/etc/diag/redact.d"

/** What a collection has to do with besides the request. Borrowed. */
struct collect_terms {
        const struct collect_conf *conf;
        const struct plan_paths *paths;      /* NULL: the machine's */
        const char *const *rule_directories; /* of redact.d; NULL: the machine's */
        bool root_owned;                     /* rules must be */
        const char *root;                    /* "" or, in tests, what stands for / */
        const char *agent_socket, *agent_program, *http_user;
        int cancel_fd;   /* readable when nobody wants it any more; -1: none */
        bool root_files; /* manifest.json and the like beside the prefix, not of a fragment */
        void (*on_event)(const struct collect_event *event, void *userdata); /* may be NULL */
        void *userdata;
};

/**
 * collect_run() - do what @q says, into @fd
 * @ret:    DONE, or ERROR with a code and why; it has been told to @t->on_event, too
 * @status: of ARCHIVE: what came of each entry; node_status_done() it; may be NULL
 *
 * Return: 0 when it is DONE, or -errno. Blocking; forks.
 */
int collect_run(const struct collect_request *q, int fd, const struct collect_terms *t,
                struct collect_event *ret, struct node_status *status);

/**
 * collect_look() - the node's health at this moment: of the daemon, or of a look of our own
 * Return: 0, or -errno with @e.
 */
int collect_look(struct diag_report **ret, const struct collect_terms *t, struct err *e);

/** What a request chooses of the plan. */
struct collect_choice {
        struct plan *plan;
        const struct source **sources; /* of the plan, in its order */
        size_t n;
};
void collect_choice_done(struct collect_choice *c);

/**
 * collect_choose() - the sources that are meant
 * @q: its units, or, where it names none, those of the node's health
 *
 * Return: 0, -ENOENT: an id that is not configured, -EACCES: one that is not for such a node; what plan_load() says.
 */
int collect_choose(struct collect_choice *ret, const struct collect_request *q,
                   const struct collect_terms *t, struct err *e);

/** collect_context() - for source_read(), from now on */
void collect_context(struct source_context *ret, const struct collect_request *q,
                     const struct collect_terms *t);
