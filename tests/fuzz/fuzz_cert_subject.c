/* Any bytes as a list of nodes, and as a URI: what is taken can be said again, and no name leaves its directory. */

#include "base/buf.h"
#include "cli/cert_subject.h"
#include "tests/fuzz/fuzz.h"

static void put_subject(struct buf *out, const struct cert_subject *s)
{
        buf_printf(out, "%s %s", s->name, diag_role_to_string(s->role));
        for (size_t i = 0; i < s->addresses.n; i++)
                buf_printf(out, " %s", s->addresses.items[i]);
        for (size_t i = 0; i < s->dns.n; i++)
                buf_printf(out, " %s", s->dns.items[i]);
        buf_putc(out, '\n');
}

static void put_subjects(struct buf *out, const struct cert_subjects *l)
{
        for (size_t i = 0; i < l->n; i++) {
                MUST(!strchr(l->items[i].name, '/') && l->items[i].name[0] != '.');
                MUST(cert_subject_check(&l->items[i], NULL) == 0);
                put_subject(out, &l->items[i]);
        }
}

static void as_list(const char *text)
{
        _cleanup_(buf_done) struct buf one = {0}, two = {0};
        struct cert_subjects l = {0}, again = {0};
        struct err e = {0};

        if (cert_subjects_parse(&l, text, "list", &e) < 0) {
                MUST(!l.items && l.n == 0 && e.code < 0 && e.text[0]);
                return;
        }
        put_subjects(&one, &l);
        MUST(cert_subjects_parse(&again, buf_cstr(&one), "list", NULL) == 0);
        put_subjects(&two, &again);
        MUST(l.n > 0 && l.n == again.n && streq(buf_cstr(&one), buf_cstr(&two)));
        cert_subjects_done(&l);
        cert_subjects_done(&again);
}

static void as_uri(const char *text)
{
        char cluster[CERT_CLUSTER_MAX + 1], again[CERT_URI_MAX];
        enum diag_role role;

        if (cert_uri_parse(text, cluster, &role) == 0)
                MUST(streq(cert_uri_format(again, cluster, role), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(buf_done) struct buf text = {0};

        buf_append(&text, data, size);
        as_list(buf_cstr(&text));
        as_uri(buf_cstr(&text));
        return 0;
}
