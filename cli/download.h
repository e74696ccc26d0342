#pragma once

/*
 * A bundle's file, fetched. It goes into FILE.part, mode 0600, and becomes FILE in one step when it is whole and has
 * the size and the SHA-256 that the master says. What was interrupted goes on where it was: within one call, when the
 * connection breaks, and in the next one, from the .part that it left.
 */

#include "base/buf.h"
#include "cli/bundle_json.h"
#include "cli/client.h"

#define DOWNLOAD_BYTES_MAX         (UINT64_C(1) << 40) /* of a file whose size is not said */
#define DOWNLOAD_STALL_USEC        UINT64_C(60000000)  /* without a byte */
#define DOWNLOAD_TRIES             4u                  /* in a row that brought no byte */
#define DOWNLOAD_REFUSAL_BYTES_MAX 65536u

struct download {
        const struct client *client;
        const struct bundle_info *bundle;
        const char *file;
        uint64_t pause_usec; /* between two tries */
        /* How far it is; after each piece. NULL: nobody wants to know. @n_total: 0: not known */
        void (*on_progress)(void *userdata, uint64_t n_bytes, uint64_t n_total);
        void *userdata;
};

enum {
        DOWNLOAD_REFUSED = 200, /* beside the client's */
};

/** download_path() - where it goes: @output, in there if that is a directory, or here, as ID.FORMAT */
void download_path(struct buf *ret, const char *output, const struct bundle_info *b);

/**
 * download_run() - fetch it
 * @ret_status, @refusal: with DOWNLOAD_REFUSED, what was answered instead
 *
 * Return: 0, DOWNLOAD_REFUSED, CLIENT_NOBODY, CLIENT_NO_ANSWER (what came is kept), -EBADMSG (it is not what
 * it should be, and is removed), or -errno with @e.
 */
int download_run(const struct download *d, unsigned *ret_status, struct buf *refusal,
                 struct err *e);
