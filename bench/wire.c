/* OpenSSL on the socket itself: what it wants next, reading or writing, is -EAGAIN alike. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "bench/wire.h"

#define SKIP_BYTES_MAX (1024u * 1024)

static void no_delay(int fd)
{
        static const int on = 1;

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int begin_tls(struct wire *w, struct ssl_ctx_st *tls)
{
        w->tls = SSL_new(tls);
        if (!w->tls || SSL_set_fd(w->tls, w->fd) != 1) {
                wire_close(w, false);
                return -ENOMEM;
        }
        return 0;
}

int wire_accept(struct wire *w, int fd, struct ssl_ctx_st *tls)
{
        int k;

        *w = (struct wire){.fd = fd};
        no_delay(fd);
        k = tls ? begin_tls(w, tls) : 0;
        if (k == 0 && tls)
                SSL_set_accept_state(w->tls);
        return k;
}

int wire_connect(struct wire *w, uint32_t address, uint16_t port, struct ssl_ctx_st *tls)
{
        struct sockaddr_in in = {
                .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
        int k;

        *w = (struct wire){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
        if (w->fd < 0)
                return -errno;
        no_delay(w->fd);
        if (connect(w->fd, (struct sockaddr *)&in, sizeof(in)) < 0 && errno != EINPROGRESS) {
                k = -errno;
                wire_close(w, false);
                return k;
        }
        if (!tls)
                return 0;
        k = begin_tls(w, tls);
        if (k < 0)
                return k;
        SSL_set_connect_state(w->tls);
        X509_VERIFY_PARAM_set1_ip(SSL_get0_param(w->tls), (unsigned char *)&in.sin_addr, 4);
        return 0;
}

struct ssl_ctx_st *wire_tls_client(const char *dir)
{
        SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
        char ca[256], certificate[256], key[256];

        (void)snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
        (void)snprintf(certificate, sizeof(certificate), "%s/node.pem", dir);
        (void)snprintf(key, sizeof(key), "%s/node.key", dir);
        if (!tls || SSL_CTX_load_verify_file(tls, ca) != 1 ||
            SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
            SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
                ERR_print_errors_fp(stderr);
                exit(1);
        }
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        return tls;
}

static ssize_t tls_result(struct wire *w, int k)
{
        switch (SSL_get_error(w->tls, k)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
                return -EAGAIN;
        case SSL_ERROR_ZERO_RETURN:
                return 0;
        default:
                return -EPROTO;
        }
}

ssize_t wire_read(struct wire *w, void *to, size_t n)
{
        ssize_t k;

        if (w->tls) {
                ERR_clear_error();
                k = SSL_read(w->tls, to, (int)n);
                return k > 0 ? k : tls_result(w, (int)k);
        }
        k = recv(w->fd, to, n, 0);
        return k < 0 ? -errno : k;
}

ssize_t wire_write(struct wire *w, const void *from, size_t n)
{
        ssize_t k;

        if (w->tls) {
                ERR_clear_error();
                k = SSL_write(w->tls, from, (int)n);
                k = k > 0 ? k : tls_result(w, (int)k);
                return k == 0 ? -ECONNRESET : k;
        }
        k = send(w->fd, from, n, MSG_NOSIGNAL);
        return k < 0 ? -errno : k;
}

ssize_t wire_skip(struct wire *w, size_t n)
{
        static char unread[64 * 1024];
        ssize_t k;

        if (w->tls)
                return wire_read(w, unread, n < sizeof(unread) ? n : sizeof(unread));
        k = recv(w->fd, NULL, n < SKIP_BYTES_MAX ? n : SKIP_BYTES_MAX, MSG_TRUNC);
        return k < 0 ? -errno : k;
}

void wire_close(struct wire *w, bool reset)
{
        static const struct linger at_once = {.l_onoff = 1};

        if (w->fd >= 0 && reset)
                (void)setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        SSL_free(w->tls);
        if (w->fd >= 0)
                (void)close(w->fd);
        *w = (struct wire){.fd = -1};
}
