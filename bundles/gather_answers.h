#pragma once

/*
 * What nodes say beside their fragments: why they have none, and how far a bundle of the service that we replace
 * is. Hostile: whatever makes no sense is as if it had not been said. Pure, fuzzed.
 */

#include "base/cleanup.h"

#define GATHER_WORDS_MAX  160u /* of what a node says, for people */
#define GATHER_ANSWER_MAX (256u * 1024u)

/** gather_read_error() - "error" of an answer's body, else its first line; one line, printable, cut; "" without */
void gather_read_error(char ret[static GATHER_WORDS_MAX], const char *body, size_t n);

enum gather_v1_state {
        GATHER_V1_RUNNING = 0, /* or a word that we do not know: asked again */
        GATHER_V1_DONE,
        GATHER_V1_FAILED, /* or canceled, or deleted */
};

/** gather_read_v1() - the state of a local bundle; @why: of FAILED. What is no bundle is RUNNING and -EBADMSG */
int gather_read_v1(enum gather_v1_state *ret, char why[static GATHER_WORDS_MAX], const char *body,
                   size_t n);
