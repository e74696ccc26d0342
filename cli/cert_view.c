/* What a certificate says: the same fields twice, once as lines and once as members. */

#include "base/mono.h"
#include "cli/cert_view.h"

#define TITLE_COLUMNS 11

/* --- text ----------------------------------------------------------------------------------------- */

static void put_title(struct buf *out, const char *title)
{
        buf_printf(out, "    %-*s  ", TITLE_COLUMNS, title);
}

static void put_field(struct buf *out, const char *title, const char *text)
{
        if (str_empty(text))
                return;
        put_title(out, title);
        text_append_clean(out, text);
        buf_putc(out, '\n');
}

static void put_list(struct buf *out, const char *title, const struct string_list *l)
{
        if (l->n == 0)
                return;
        put_title(out, title);
        for (size_t i = 0; i < l->n; i++) {
                buf_puts(out, i > 0 ? ", " : "");
                text_append_clean(out, l->items[i]);
        }
        buf_putc(out, '\n');
}

static void put_moment(struct buf *out, const char *title, uint64_t now_wall_usec,
                       uint64_t wall_usec)
{
        if (wall_usec == 0)
                return;
        put_title(out, title);
        text_append_moment(out, now_wall_usec, wall_usec);
        buf_putc(out, '\n');
}

static void put_headline(struct buf *out, const struct term *t, const char *path, size_t number,
                         enum cert_validity v)
{
        static const struct {
                enum hue hue;
                const char *text;
        } says[] = {
                [CERT_VALIDITY_UNKNOWN] = {HUE_BAD,  "is valid at no time"},
                [CERT_VALID] = {HUE_GOOD, "is valid"           },
                [CERT_NOT_YET_VALID] = {HUE_BAD,  "is not valid yet"   },
                [CERT_EXPIRED] = {HUE_BAD,  "has expired"        },
        };

        text_append_clean(out, path);
        if (number > 0)
                buf_printf(out, ", certificate %zu,", number + 1);
        buf_putc(out, ' ');
        term_paint(t, out, says[v].hue, says[v].text);
        buf_putc(out, '\n');
}

static void put_facts(struct buf *out, const struct cert_facts *f, uint64_t now_wall_usec)
{
        put_field(out, "subject", f->subject);
        put_field(out, "issuer", f->issuer);
        put_field(out, "cluster", f->cluster);
        put_field(out, "role", f->is_authority ? "authority" : diag_role_to_string(f->role));
        put_list(out, "names", &f->dns);
        put_list(out, "addresses", &f->addresses);
        if (!*f->cluster)
                put_list(out, "URIs", &f->uris);
        put_moment(out, "from", now_wall_usec, f->from_wall_usec);
        put_moment(out, "until", now_wall_usec, f->until_wall_usec);
        put_field(out, "fingerprint", f->fingerprint);
}

void cert_view_text(struct buf *out, const struct term *t, const char *path,
                    const struct cert_list *l, uint64_t now_wall_usec)
{
        for (size_t i = 0; i < l->n; i++) {
                put_headline(out, t, path, i, cert_facts_validity(&l->items[i], now_wall_usec));
                put_facts(out, &l->items[i], now_wall_usec);
        }
}

/* --- JSON ----------------------------------------------------------------------------------------- */

static void member_list(struct json_writer *w, const char *key, const struct string_list *l)
{
        jw_key(w, key);
        jw_begin_array(w);
        for (size_t i = 0; i < l->n; i++)
                jw_string(w, l->items[i]);
        jw_end_array(w);
}

static void put_object(struct json_writer *w, const char *path, const struct cert_facts *f,
                       uint64_t now_wall_usec)
{
        jw_begin_object(w);
        jw_member_string(w, "file", path);
        jw_member_string(w, "validity",
                         cert_validity_to_string(cert_facts_validity(f, now_wall_usec)));
        jw_member_string(w, "subject", f->subject);
        jw_member_string(w, "issuer", f->issuer);
        jw_member_bool(w, "authority", f->is_authority);
        jw_member_string_or_null(w, "cluster", f->cluster);
        jw_member_string_or_null(w, "role", diag_role_to_string(f->role));
        member_list(w, "names", &f->dns);
        member_list(w, "addresses", &f->addresses);
        member_list(w, "uris", &f->uris);
        jw_member_time(w, "not_before", f->from_wall_usec);
        jw_member_time(w, "not_after", f->until_wall_usec);
        jw_member_string(w, "fingerprint_sha256", f->fingerprint);
        jw_end_object(w);
}

void cert_view_json(struct json_writer *w, const char *path, const struct cert_list *l,
                    uint64_t now_wall_usec)
{
        for (size_t i = 0; i < l->n; i++)
                put_object(w, path, &l->items[i], now_wall_usec);
}
