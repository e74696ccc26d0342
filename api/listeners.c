/* Where a daemon can be asked. */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "api/listeners.h"
#include "base/log.h"
#include "base/mono.h"

void listeners_take_passed(struct listeners *l)
{
        struct err e;

        activation_take(&l->passed, &e);
        if (e.code < 0)
                log_warning("%s", e.text);
}

void listeners_done(struct listeners *l)
{
        activation_done(&l->passed);
}

uint16_t listeners_port(const struct listeners *l, const struct listen_conf *c,
                        uint16_t default_port)
{
        uint16_t passed = activation_port(&l->passed);

        if (passed)
                return passed;
        for (size_t i = 0; i < c->n_listen; i++) {
                const struct sock_address *s = &c->listen[i];

                if (s->sa.sa_family != AF_UNIX)
                        return ntohs(s->sa.sa_family == AF_INET ? s->in.sin_port
                                                                : s->in6.sin6_port);
        }
        return c->n_listen || l->passed.n ? 0 : default_port;
}

/* --- what systemd passed ----------------------------------------------------------------------- */

static void warn_of_open_bundles(const struct authority *a)
{
        if (a->open_here || a->n_open > 0)
                log_warning(
                        "LegacyOpenBundles=: whoever comes from %s%s%s in plain text may make and read bundles and "
                        "logs",
                        a->open_here ? "this machine" : "",
                        a->open_here && a->n_open > 0 ? " or " : "",
                        a->n_open > 0 ? "the masters that are listed" : "");
}

/* Whoever is not allowed gets 403 there, in any case: no reason to leave the node unwatched. */
static void warn_of_open_door(const struct listen_conf *c, const struct sock_address *address)
{
        const struct authority *a = &c->authority;
        char text[SOCK_ADDRESS_MAX];

        if (!sock_address_is_local(address) && !listen_conf_tls(c) &&
            !(a->insecure && a->n_networks))
                log_warning("systemd listens on %s for us, but other machines are refused there "
                            "without certificates ([TLS]), or Insecure=yes and AllowFrom=",
                            sock_address_format(text, address));
}

/* Where TLS was meant to be, and cannot, plain text is no replacement. */
static bool may_serve(const struct listen_conf *c, const struct sock_address *address)
{
        char text[SOCK_ADDRESS_MAX];

        if (c->tls.state != TLS_STATE_UNUSABLE || sock_address_is_local(address))
                return true;
        log_warning("%s, where systemd listens, is not served: %s",
                    sock_address_format(text, address), c->tls.fault.text);
        return false;
}

/* Masters are asked on another port, and the socket unit decides: the two may disagree. */
static void warn_of_wrong_port(const struct listeners *l, const struct listeners_defaults *d)
{
        unsigned port = activation_port(&l->passed);

        if (d->wrong_port && port == d->wrong_port)
                log_warning("systemd listens on port %u for us, but %s", port, d->wrong_port_text);
}

/* Return: how many are served. */
static size_t serve_passed(struct listeners *l, struct server *s, const struct listen_conf *c,
                           const struct listeners_defaults *d)
{
        size_t n = 0;

        warn_of_wrong_port(l, d);
        for (size_t i = 0; i < l->passed.n; i++) {
                struct activation_socket *p = &l->passed.sockets[i];
                char text[SOCK_ADDRESS_MAX];
                struct err e;

                if (!may_serve(c, &p->address))
                        continue;
                warn_of_open_door(c, &p->address);
                if (server_adopt(s, p->fd, &e) < 0) {
                        log_warning("%s", e.text);
                        continue;
                }
                p->fd = -1;
                log_info("serving %s, where systemd listens",
                         sock_address_format(text, &p->address));
                n++;
        }
        return n;
}

/* --- what we open ------------------------------------------------------------------------------ */

static int listen_on(struct server *s, const struct sock_address *address, struct err *e)
{
        char text[SOCK_ADDRESS_MAX];
        int k = server_listen(s, address, e);

        if (k >= 0)
                log_info("listening on %s", sock_address_format(text, address));
        return k;
}

static int listen_on_configured(struct listeners *l, struct server *s, const struct listen_conf *c,
                                struct err *e)
{
        int k = 0;

        for (size_t i = 0; k >= 0 && i < c->n_listen; i++)
                if (!activation_has(&l->passed, &c->listen[i]))
                        k = listen_on(s, &c->listen[i], e);
        if (k == -EADDRINUSE && l->passed.n)
                log_warning("is it one of systemd's sockets, or a wildcard that includes one? Then "
                            "name it in a drop-in of the socket unit, and not in Listen=");
        return k;
}

/* Return: true if it is open. */
static bool listen_on_default(struct server *s, const char *text,
                              const struct listeners_defaults *d, struct err *e)
{
        struct sock_address address;

        if (parse_listen(text, &address) < 0)
                return false;
        if (listen_on(s, &address, e) >= 0)
                return true;
        if (e->code != -EADDRNOTAVAIL && e->code != -EAFNOSUPPORT) /* without IPv6: no surprise */
                log_warning("%s%s%s%s", e->text, e->code == -EACCES ? "; that is for " : "",
                            e->code == -EACCES ? d->unit : "",
                            e->code == -EACCES ? ": is it enabled and active?" : "");
        return false;
}

static int listen_on_defaults(struct server *s, const struct listeners_defaults *d, struct err *e)
{
        unsigned n = 0;

        (void)mkdir("/run/diag", 0755);
        for (size_t i = 0; d->tcp[i]; i++) {
                char text[SOCK_ADDRESS_MAX];

                (void)snprintf(text, sizeof(text), "%s:%u", d->tcp[i], d->port);
                n += listen_on_default(s, text, d, e);
        }
        n += listen_on_default(s, d->unix_path, d, e);
        return n ? 0 : err_set(e, -EADDRINUSE, "none of the default listeners could be opened");
}

/* --- certificates ------------------------------------------------------------------------------ */

/* To be seen where it can be mended; the machines that are refused for it, or refuse us, say it, too. */
static void warn_of_time(const struct tls_identity *self)
{
        uint64_t now = now_wall_usec();
        char text[RFC3339_MAX];

        if (now < self->valid_from_wall_usec)
                log_warning("the certificate of this node is not valid before %s: other machines "
                            "refuse it until then",
                            rfc3339_format(text, self->valid_from_wall_usec));
        else if (now > self->valid_until_wall_usec)
                log_warning(
                        "the certificate of this node has expired at %s: other machines refuse it",
                        rfc3339_format(text, self->valid_until_wall_usec));
}

static void use_tls(struct server *s, const struct listen_conf *c)
{
        const struct tls_files *files = listen_conf_tls(c);

        if (!files) {
                if (c->tls.fault.code < 0)
                        log_warning("no TLS: %s", c->tls.fault.text);
                return;
        }
        server_use_tls(s, files);
        warn_of_time(&files->self);
        log_info("TLS is spoken with other machines, as %s",
                 str_or(files->self.name, "a certificate without a name"));
}

int listeners_open(struct listeners *l, struct server *s, const struct listen_conf *c,
                   const struct listeners_defaults *defaults, struct err *e)
{
        use_tls(s, c);
        warn_of_open_bundles(&c->authority);
        if (serve_passed(l, s, c, defaults) == 0 && !c->n_listen)
                return listen_on_defaults(s, defaults, e);
        return listen_on_configured(l, s, c, e);
}
