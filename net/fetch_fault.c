/* Faults. The phrases are part of what the daemons show: stable, without times, ports and URLs. */

#include <errno.h>
#include <sys/socket.h>

#include "base/mono.h"
#include "net/credentials.h"
#include "net/fetch_fault.h"

#define FAULT_LOST ((struct fault){-ETIMEDOUT, "it can no longer be reached"})

static const struct {
        CURLcode code;
        struct fault fault;
} faults[] = {
        {CURLE_COULDNT_RESOLVE_HOST,     {-EHOSTUNREACH, "its name cannot be resolved"}      },
        {CURLE_FILESIZE_EXCEEDED,        {-EFBIG, "its answer is too long"}                  },
        {CURLE_UNSUPPORTED_PROTOCOL,     {-EPROTO, "its answer is not HTTP"}                 },
        {CURLE_WEIRD_SERVER_REPLY,       {-EPROTO, "its answer is not HTTP"}                 },
        {CURLE_HTTP2,                    {-EPROTO, "its answer is not HTTP"}                 },
        {CURLE_BAD_CONTENT_ENCODING,     {-EPROTO, "its answer is not HTTP"}                 },
        {CURLE_SSL_CONNECT_ERROR,        {-EPROTO, "it does not speak TLS as we do"}         },
        {CURLE_PEER_FAILED_VERIFICATION, {-EPROTO, "its certificate cannot be trusted"}      },
        {CURLE_SSL_CLIENTCERT,           {-EPROTO, "it wants a certificate of us"}           },
        {CURLE_SSL_CACERT_BADFILE,       {-EIO, "our certificate authorities cannot be read"}},
        {CURLE_OUT_OF_MEMORY,            {-ENOMEM, "out of memory"}                          },
};

static const struct fault connect_faults[] = {
        {-ECONNREFUSED, "connection refused"                  },
        {-ENOENT,       "there is no such socket"             },
        {-EACCES,       "we may not connect to it"            },
        {-EHOSTUNREACH, "there is no route to it"             },
        {-ENETUNREACH,  "there is no route to it"             },
        {-ETIMEDOUT,    "it could not be connected to in time"},
};

/* libcurl does not tell the errno of socket(2), its own or the resolver's: see what it would be. */
static int own_shortage(void)
{
        _cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        return fd < 0 ? -errno : 0;
}

static int os_error(CURL *easy)
{
        long os_errno = 0;

        curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
        return (int)-os_errno;
}

bool fault_is_lost(CURL *easy)
{
        int error = os_error(easy);

        return error == -ETIMEDOUT || error == -EHOSTUNREACH || error == -ENETUNREACH;
}

/* libcurl keeps the errno of connect(2); without one it could not even try. */
static struct fault fault_of_connect(CURL *easy)
{
        int error = os_error(easy);

        if (!error)
                error = -EIO;
        for (size_t i = 0; i < ELEMENTSOF(connect_faults); i++)
                if (connect_faults[i].error == error)
                        return connect_faults[i];
        return (struct fault){error, "it cannot be connected to"};
}

static struct fault fault_of_time(CURL *easy, const struct fetch_course *c)
{
        curl_off_t connected = 0;

        if (usec_since(c->started_usec, c->asked_usec) > (c->deadline_usec - c->asked_usec) / 2)
                return FAULT_NO_PLACE;
        if (c->n_head_bytes)
                return (struct fault){-ETIMEDOUT, "its answer did not end in time"};
        curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected); /* 0: a kept one, too */
        return (struct fault){-ETIMEDOUT, connected || c->sent_usec
                                                  ? "it did not answer in time"
                                                  : "it could not be connected to in time"};
}

/*
 * One text for all the ways to hang up: which of them libcurl sees depends on what the kernel knew
 * first, the end or the reset. A chunk that is none looks the same to it.
 */
static struct fault fault_of_end(CURL *easy, const struct fetch_course *c)
{
        if (fault_is_lost(easy))
                return FAULT_LOST;
        return (struct fault){-ECONNRESET, c->n_head_bytes ? "its answer broke off"
                                                           : "it hung up without an answer"};
}

static struct fault fault_of_refusal(int refused)
{
        switch (refused) {
        case -EFBIG:
                return (struct fault){refused, "its answer is too long"};
        case -ETIMEDOUT:
                return FAULT_LOST;
        default:
                return FAULT_NO_MEMORY;
        }
}

/* One line of a header that is longer than libcurl takes is reported by it as lack of memory. */
static bool head_began(CURL *easy)
{
        curl_off_t first_byte = 0;

        curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
        return first_byte > 0;
}

struct fault fault_of(CURL *easy, CURLcode code, const struct fetch_course *c)
{
        int shortage = 0;

        if (c->tls_error && credentials_were_refused(c->tls_error))
                return (struct fault){-EPROTO, "it does not accept our certificate"};
        if (c->broken_off)
                return (struct fault){c->broken_off, "its answer was not taken to the end"};
        if (c->refused)
                return fault_of_refusal(c->refused);
        if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
                shortage = own_shortage();
        if (shortage < 0)
                return (struct fault){shortage, strerror(-shortage)};
        if (code == CURLE_COULDNT_CONNECT)
                return fault_of_connect(easy);
        if (code == CURLE_OPERATION_TIMEDOUT)
                return fault_of_time(easy, c);
        if (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
            code == CURLE_PARTIAL_FILE)
                return fault_of_end(easy, c);
        if (code == CURLE_OUT_OF_MEMORY && head_began(easy))
                code = CURLE_FILESIZE_EXCEEDED;
        for (size_t i = 0; i < ELEMENTSOF(faults); i++)
                if (faults[i].code == code)
                        return faults[i].fault;
        return (struct fault){-EIO, curl_easy_strerror(code)};
}
