/*
 * Any bytes as JSON: the same is taken and refused as by a parser that builds trees, the same is said of
 * it, and where the pieces are cut does not matter.
 */

#include <errno.h>

#include <jansson.h>

#include "aggregator/json_events.h"
#include "base/buf.h"
#include "tests/fuzz/fuzz.h"

static void write_text(struct buf *b, char kind, unsigned depth, const char *text, size_t n)
{
        bool cut = n > JSON_EVENTS_TEXT_MAX;
        size_t n_kept = cut ? JSON_EVENTS_TEXT_MAX : n;

        buf_printf(b, "%c%u:%zu%s", kind, depth, n_kept, cut ? "+" : " ");
        buf_append(b, text, n_kept);
}

static int write_event(const struct json_event *ev, void *userdata)
{
        static const char letters[] = "?{}[]ksntfz";
        struct buf *b = userdata;

        MUST(ev->type > JSON_EVENT_NONE && ev->type <= JSON_EVENT_NULL);
        MUST(ev->depth <= JSON_EVENTS_DEPTH_MAX && ev->n <= JSON_EVENTS_TEXT_MAX);
        MUST(ev->text[ev->n] == '\0' && (!ev->cut || ev->n == JSON_EVENTS_TEXT_MAX));
        if (ev->type == JSON_EVENT_KEY || ev->type == JSON_EVENT_STRING)
                write_text(b, letters[ev->type], ev->depth, ev->text, ev->n + ev->cut);
        else
                buf_printf(b, "%c%u", letters[ev->type], ev->depth);
        return 0;
}

static void write_tree(struct buf *b, json_t *j, unsigned depth)
{
        const char *key;
        size_t n_key, i;
        json_t *v;

        switch (json_typeof(j)) {
        case JSON_OBJECT:
                buf_printf(b, "{%u", depth);
                json_object_keylen_foreach(j, key, n_key, v)
                {
                        write_text(b, 'k', depth + 1, key, n_key);
                        write_tree(b, v, depth + 1);
                }
                buf_printf(b, "}%u", depth);
                break;
        case JSON_ARRAY:
                buf_printf(b, "[%u", depth);
                json_array_foreach (j, i, v)
                        write_tree(b, v, depth + 1);
                buf_printf(b, "]%u", depth);
                break;
        case JSON_STRING:
                write_text(b, 's', depth, json_string_value(j), json_string_length(j));
                break;
        default:
                buf_printf(b, "%c%u",
                           json_is_true(j)    ? 't'
                           : json_is_false(j) ? 'f'
                           : json_is_null(j)  ? 'z'
                                              : 'n',
                           depth);
        }
}

/* In pieces of @n_piece bytes, each in memory of its own: a byte read too many is a fault. */
static int read_in_pieces(struct buf *said, const uint8_t *data, size_t size, size_t n_piece)
{
        struct json_events x;

        json_events_init(&x, write_event, said);
        for (size_t at = 0; at < size; at += n_piece) {
                size_t n = size - at < n_piece ? size - at : n_piece;
                char *piece = malloc(n);

                MUST(piece);
                memcpy(piece, data + at, n);
                (void)json_events_feed(&x, piece, n);
                free(piece);
        }
        return json_events_end(&x);
}

/* It has limits of its own on numbers, none of ours on depth, and takes a NUL behind a number for a blank. */
static bool is_comparable(const json_t *tree, const json_error_t *e, int k, bool has_nul)
{
        enum json_error_code code = json_error_code(e);

        if (k == -E2BIG || has_nul)
                return false;
        return tree || (code != json_error_numeric_overflow && code != json_error_duplicate_key &&
                        code != json_error_null_byte_in_key);
}

static void must_agree(const struct buf *said, int k, const uint8_t *data, size_t size)
{
        _cleanup_(buf_done) struct buf expected = {0};
        json_error_t e;
        json_auto_t *tree =
                json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);

        if (!is_comparable(tree, &e, k, memchr(data, '\0', size)))
                return;
        MUST((k == 0) == (tree != NULL));
        if (!tree)
                return;
        write_tree(&expected, tree, 0);
        MUST(expected.n == said->n && memcmp(expected.data, said->data, said->n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(buf_done) struct buf whole = {0}, pieces = {0};
        int k = read_in_pieces(&whole, data, size, size ? size : 1);

        MUST(k == 0 || k == -EBADMSG || k == -E2BIG);
        MUST(read_in_pieces(&pieces, data, size, size ? data[0] % 8 + 1 : 1) == k);
        MUST(pieces.n == whole.n && (!whole.n || memcmp(pieces.data, whole.data, whole.n) == 0));
        if (size)
                must_agree(&whole, k, data, size);
        return 0;
}
