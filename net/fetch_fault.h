#pragma once

/* Why a fetch has no answer: what libcurl says of it, and what we have seen ourselves, in one phrase. */

#include <curl/curl.h>

#include "base/cleanup.h"

struct fault {
        int error; /* -errno */
        const char *text;
};

/** What became of a fetch so far: times are of CLOCK_MONOTONIC, 0 for what has not happened. */
struct fetch_course {
        uint64_t asked_usec, started_usec, deadline_usec;
        uint64_t opened_usec; /* its connection; 0 also when it uses one that was kept */
        uint64_t sent_usec, answered_usec;
        size_t n_head_bytes; /* of the answer, so far */
        bool head_is_whole;
        int refused;     /* we stopped it: -EFBIG, -ENOMEM, or -ETIMEDOUT: whom we asked is lost */
        char *tls_error; /* libcurl's words, of CURL_ERROR_SIZE bytes; NULL: not of interest */
        int broken_off;  /* so did who takes the body, and this is what it returned */
};

#define FAULT_NO_PLACE  ((struct fault){-EBUSY, "too many others were being asked"})
#define FAULT_NO_MEMORY ((struct fault){-ENOMEM, "out of memory"})

/** fault_of() - @code is how libcurl ended @easy. */
struct fault fault_of(CURL *easy, CURLcode code, const struct fetch_course *c);

/** fault_is_lost() - @easy's connection broke because the machine at its other end has vanished. */
bool fault_is_lost(CURL *easy);
