#pragma once

/*
 * Bundles that other masters have: each of them is asked the same at once, and has a few seconds to answer. Any master
 * answers for a bundle on any other.
 *
 * Belongs to the loop.
 */

#include "aggregator/bundle_answers.h"
#include "bundles/bundle.h"
#include "model/verdict.h"
#include "net/fetch.h"

#define BUNDLE_PEERS_USEC (UINT64_C(3) * 1000000)

enum bundle_question_kind {
        BUNDLE_QUESTION_LIST = 0, /* → bundles */
        BUNDLE_QUESTION_GET,      /* → bundles[0] */
        BUNDLE_QUESTION_CANCEL,   /* likewise */
        BUNDLE_QUESTION_DELETE,
};

/** What one master said. */
struct bundle_answer {
        const char *address;
        unsigned status;               /* 0: nothing that can be understood, see text */
        struct bundle_refusal refusal; /* of a status from 400 up; of 0: text says why */
        struct bundle **bundles;       /* of 200 */
        size_t n_bundles;
};

struct bundle_peers;

struct bundle_peers_options {
        struct fetcher *fetcher; /* borrowed */
        uint16_t port;           /* of aggregators; 0: the usual one */
        bool tls;
};

int bundle_peers_new(struct bundle_peers **ret, const struct bundle_peers_options *options);
struct bundle_peers *bundle_peers_free(struct bundle_peers *p); /* no question may be left */

/** bundle_peers_set() - the other masters; copied. Questions that were asked go on. */
void bundle_peers_set(struct bundle_peers *p, const char *const *addresses, size_t n);
size_t bundle_peers_n(const struct bundle_peers *p);

/** bundle_peers_url() - where the file of a bundle is, there; NODE_URL_MAX bytes. -ENAMETOOLONG */
int bundle_peers_file_url(const struct bundle_peers *p, const char *address, const char *id,
                          char *ret, size_t n);

struct bundle_question;

/**
 * bundle_question_new() - ask them all
 * @id:   a valid one; of a LIST: NULL
 * @done: called once, from the loop, when all have answered or had their time; not within. It may free
 *        the question. Answers are borrowed; bundles may be taken out of them.
 *
 * With no other master there is nobody to ask, which is an error (-ENOENT) here.
 */
int bundle_question_new(struct bundle_question **ret, struct bundle_peers *p,
                        enum bundle_question_kind kind, const char *id,
                        void (*done)(struct bundle_answer *answers, size_t n, void *userdata),
                        void *userdata);
struct bundle_question *bundle_question_free(struct bundle_question *q);

DEFINE_CLEANUP(struct bundle_peers *, bundle_peers_free);
DEFINE_CLEANUP(struct bundle_question *, bundle_question_free);
